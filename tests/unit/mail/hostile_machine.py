"""Mails made to hang the readers of reports and of machine mail. Each generator takes a size in bytes."""

from collections.abc import Callable

_HEAD = (
    b"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example\r\nTo: support@desk.example\r\nSubject: Undelivered mail\r\n"
)
_REPORT = _HEAD + b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"


def text(unit: bytes, size: int) -> bytes:
    """A daemon's mail whose text repeats one unit."""
    return _HEAD + b"\r\n" + (unit * (size // len(unit) + 1))[:size] + b"\r\n"


def answer(unit: bytes, size: int) -> bytes:
    """A person's mail whose text repeats one unit."""
    head = b"From: a@kunde.example\r\nTo: support@desk.example\r\nSubject: Re: x\r\nIn-Reply-To: <a@b>\r\n\r\n"
    return head + (unit * (size // len(unit) + 1))[:size] + b"\r\n"


def status(unit: bytes, size: int) -> bytes:
    """A report whose delivery-status part repeats one unit."""
    body = (unit * (size // len(unit) + 1))[:size]
    return (
        _REPORT + b"--b\r\n\r\nhello\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" + body + b"\r\n--b--\r\n"
    )


def field(name: bytes, unit: bytes, size: int) -> bytes:
    """A mail with one long field."""
    value = (unit * (size // len(unit) + 1))[:size]
    return b"From: a@kunde.example\r\n" + name + b": " + value + b"\r\n\r\nhello\r\n"


def enclosed(unit: bytes, size: int) -> bytes:
    """Many enclosed mails, none with a header of use."""
    return _REPORT + b"--b\r\nContent-Type: message/rfc822\r\n\r\n" * (size // 40) + unit


GENERATORS: dict[str, Callable[[int], bytes]] = {
    **{
        f"text of {unit[:24]!r}": (lambda size, unit=unit: text(unit, size))  # type: ignore[misc]
        for unit in (
            b"a",
            b"@",
            b"a@",
            b"a@b",
            b"a@b.c ",
            b"<a@b.example>:\r\n",
            b"a.",
            b"a@b.",
            b"!",
            b"-",
            b">",
            b">\r\n",
            b"\r\n",
            b" ",
            b"\t\r\n",
            b"550 ",
            b"5.1.1 ",
            b"5.",
            b"550-",
            b"1",
            b".",
            b"From: a\r\n",
            b"Von: ",
            b"To: a\r\n",
            b"original message",
            b"original message\r\n",
            b"Received: from ",
            b"mailto:",
            b"recipient ",
            b"the recipient address unknown ",
            b"(expanded from: a@b.example)\r\n",
            b"SMTP=",
            b"dda:SMTP=a@b.example ",
            b"Final-Recipient: rfc822;a@b.example\r\n",
            b"Final-Recipient: ",
            b"Message-ID: <",
            b"References: <a@b>\r\n",
            b"hi. this is the qmail",
            b"\xef\xbc\x9a",
            b"*",
            b"* a: b\r\n",
            b"'",
            b"\xcc\x95\xcc\x80",
            b"\xc3\xa9",
            b"\xe3\x80\x80",
        )
    },
    **{
        f"answer of {unit[:24]!r}": (lambda size, unit=unit: answer(unit, size))  # type: ignore[misc]
        for unit in (
            b"out of the office ",
            b"until ",
            b"?",
            b"a",
            b" ",
            b"\r\n",
            b"Von: a\r\nAn: b\r\n",
            b"please do not reply to this e address ",
        )
    },
    **{
        f"status of {unit[:24]!r}": (lambda size, unit=unit: status(unit, size))  # type: ignore[misc]
        for unit in (
            b"a",
            b":",
            b"a:",
            b"a: b\r\n",
            b"\r\n",
            b" \r\n",
            b" a\r\n",
            b"Final-Recipient: rfc822;a@b.example\r\n",
            b"Final-Recipient: rfc822;a@b.example\r\n\r\n",
            b"Action: failed\r\n\r\n",
            b"Status: 5.0.0\r\n",
            b"Final-Recipient: rfc822; |pipe\r\nAction: failed\r\n\r\n",
            b"Original-Recipient:\r\n",
            b";",
            b"<",
        )
    },
    **{
        f"{name.decode()} of {unit[:16]!r}": (lambda size, name=name, unit=unit: field(name, unit, size))  # type: ignore[misc]
        for name in (
            b"Subject",
            b"Auto-Submitted",
            b"Precedence",
            b"X-Failed-Recipients",
            b"X-Mailer",
            b"Return-Path",
            b"X-Auto-Response-Suppress",
            b"List-Id",
            b"From",
            b"Content-Type",
        )
        for unit in (
            b"a",
            b" ",
            b"Re: ",
            b"[",
            b"[1] ",
            b"<",
            b"a@b.example,",
            b"auto-reply: ",
            b"#1 ",
            b"-",
            b"1",
            b";",
        )
    },
    "enclosed mails": lambda size: enclosed(b"a", size),
    "many fields": lambda size: (
        b"X-Loop: a\r\nList-Id: b\r\nAuto-Submitted: no\r\nReturn-Path: <a@b>\r\n" * (size // 70) + b"\r\nhello\r\n"
    ),
}
