import pytest

from shared.mail import limits
from shared.mail.message import Message, parse
from tests.unit.mail import containers as made
from tests.unit.mail.hostile import signed_in_one_another, smime, winmail, winmail_body

HEAD = b"From: a@b.example\nMIME-Version: 1.0\n"


def _mail(content_type: str, *parts: str) -> Message:
    """A mail of that type; each part is a header and a body."""
    body = "".join(f"--b\n{part}\n" for part in parts)
    return parse(HEAD + f"Content-Type: {content_type}; boundary=b\n\n{body}--b--\n".encode())


def _part(content_type: str, body: str, disposition: str = "") -> str:
    lines = [f"Content-Type: {content_type}"] + ([f"Content-Disposition: {disposition}"] if disposition else [])
    return "\n".join(lines) + f"\n\n{body}"


PLAIN, HTML = _part("text/plain", "plain"), _part("text/html", "<b>html</b>")


@pytest.mark.parametrize(
    ("content_type", "parts", "text", "html", "names"),
    [
        ("multipart/alternative", [PLAIN, HTML], "plain", "<b>html</b>", []),
        ("multipart/alternative", [HTML, PLAIN], "plain", "<b>html</b>", []),
        ("multipart/alternative", [_part("text/plain", "  "), HTML], "html", "<b>html</b>", []),
        ("multipart/alternative", [PLAIN, PLAIN], "plain", None, []),
        ("multipart/alternative", [PLAIN, _part("text/calendar", "x")], "plain", None, ["invite.ics"]),
        ("multipart/mixed", [PLAIN, HTML], "plain\nhtml", "<pre>plain</pre>\n<b>html</b>", []),
        ("multipart/mixed", [PLAIN, PLAIN], "plain\nplain", None, []),
        ("multipart/mixed", ["\nno type"], "no type", None, []),
        ("multipart/mixed", [PLAIN, _part("text/plain", "x", "attachment")], "plain", None, ["attachment-1.txt"]),
        ("multipart/mixed", [PLAIN, _part("text/plain", "x", "inline; filename=a.txt")], "plain", None, ["a.txt"]),
        ("multipart/mixed", [PLAIN, _part("text/plain", "x", "inline")], "plain\nx", None, []),
        ("multipart/mixed", [PLAIN, _part("text/plain; name=a.txt", "x")], "plain", None, ["a.txt"]),
        ("multipart/mixed", [_part("text/plain; name=a.txt", "x")], "x", None, []),
        ("multipart/mixed", [PLAIN, _part("text/html", "x", "unknown-word")], "plain", None, ["attachment-1.html"]),
        ("multipart/mixed", [_part("application/pdf", "x"), PLAIN], "plain", None, ["attachment-1.pdf"]),
        ("multipart/related", [HTML, _part("text/plain", "x")], "html", "<b>html</b>", ["attachment-1.txt"]),
        ("multipart/related", [_part("image/png", "x"), HTML], "html", "<b>html</b>", ["attachment-1.png"]),
        ("multipart/mixed", [_part("text/enriched", "<bold>a</bold>")], "a", None, []),
        ("multipart/x-odd", [PLAIN, PLAIN], "plain\nplain", None, []),
        ("multipart/encrypted", [_part("application/pgp-encrypted", "v"), _part("application/octet-stream", "x")],
         "This mail is encrypted (PGP); Inbound cannot read it. The encrypted part is kept as an attachment.", None,
         ["attachment-1.asc", "encrypted.asc"]),
        ("multipart/signed", [PLAIN, _part("application/pgp-signature", "x")], "plain", None, ["signature.asc"]),
        ("multipart/signed", [PLAIN, _part("application/pkcs7-signature", "x")], "plain", None, ["smime.p7s"]),
    ],
)  # fmt: skip
def test_parts_are_text_html_or_files(
    content_type: str, parts: list[str], text: str, html: str | None, names: list[str]
) -> None:
    message = _mail(content_type, *parts)
    assert (message.text, message.html) == (text, html)
    assert [attachment.name for attachment in message.attachments] == names


@pytest.mark.parametrize(
    ("head", "body", "name"),
    [
        ("", "Subject: Hello\n\nx", "Hello.eml"),
        ("", "Subject: =?utf-8?Q?=C3=BC/x?=\n\nx", "ü-x.eml"),
        ("", "no header", "message.eml"),
        ("", "", "message.eml"),
        ("; name=given.eml", "Subject: Hello\n\nx", "given.eml"),
        ("; name=given", "Subject: Hello\n\nx", "given.eml"),
        ("", "Subject: ../../x\n\nx", "-..-x.eml"),
        ("", f"Subject: {'x' * 300}\n\nx", "x" * 116 + ".eml"),
    ],
)
def test_an_attached_message_is_one_file_named_after_its_subject(head: str, body: str, name: str) -> None:
    message = _mail("multipart/mixed", PLAIN, _part("message/rfc822" + head, body))
    assert [(one.name, one.content) for one in message.attachments] == [(name, body.encode())]


def test_a_file_the_html_shows_is_inline() -> None:
    html = _part("text/html", "<img src='CID:Logo@x'>")
    shown = "Content-Type: image/png\nContent-ID: <logo@x>\n\nx"
    other = "Content-Type: image/png\nContent-ID: <other@x>\n\nx"
    message = _mail("multipart/related", html, shown, other)
    assert [(one.content_id, one.inline) for one in message.attachments] == [("logo@x", True), ("other@x", False)]


def test_character_references_cannot_bring_back_what_text_may_not_hold() -> None:
    message = parse(HEAD + b"Content-Type: text/html\n\na&#13;&#7;&#0;&#xd800;&#8232;b")
    assert message.text == "a \ufffd\ufffd\nb"


def test_a_content_id_is_one_line_without_brackets() -> None:
    message = _mail("multipart/mixed", PLAIN, "Content-Type: image/png\nContent-ID: <a\x00\x1b@b>\n\nx")
    assert message.attachments[0].content_id == "a@b"


@pytest.mark.parametrize("size", [limits.TEXT_CHARS - 1, limits.TEXT_CHARS, limits.TEXT_CHARS + 1])
def test_text_beyond_the_limit_is_cut_and_said_so(size: int) -> None:
    message = parse(HEAD + b"\n" + b"x" * size)
    assert len(message.text) == min(size, limits.TEXT_CHARS)
    assert ("truncated:text" in message.defects) == (size > limits.TEXT_CHARS)


@pytest.mark.parametrize("size", [limits.HTML_CHARS - 1, limits.HTML_CHARS, limits.HTML_CHARS + 1])
def test_html_beyond_the_limit_is_cut_and_said_so(size: int) -> None:
    message = parse(HEAD + b"Content-Type: text/html\n\n" + b"x" * size)
    assert message.html is not None
    assert len(message.html) == min(size, limits.HTML_CHARS)
    assert ("truncated:html" in message.defects) == (size > limits.HTML_CHARS)


def test_the_limit_counts_all_texts_of_a_mail_together() -> None:
    half = limits.TEXT_CHARS // 2 + 1
    message = _mail("multipart/mixed", _part("text/plain", "x" * half), _part("text/plain", "y" * half))
    assert message.text.count("x") == half
    assert message.text.count("y") == limits.TEXT_CHARS - half


def test_a_large_file_is_kept_whole() -> None:
    message = _mail("multipart/mixed", PLAIN, _part("application/pdf", "x" * (5 * 1024 * 1024)))
    assert message.attachments[0].size == 5 * 1024 * 1024


# --- parts that hold others -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [limits.SMIME_DEPTH - 1, limits.SMIME_DEPTH, limits.SMIME_DEPTH + 1])
def test_signed_messages_in_signed_ones_are_read_to_a_depth(depth: int) -> None:
    message = parse(signed_in_one_another(b"innermost", depth))
    assert (message.text == "innermost") == (depth <= limits.SMIME_DEPTH)
    assert ("truncated:depth" in message.defects) == (depth > limits.SMIME_DEPTH)
    assert [one.name for one in message.attachments] == ([] if depth <= limits.SMIME_DEPTH else ["smime.p7m"])


def test_many_signed_parts_with_many_parts_do_not_multiply() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=c\n\n" + b"--c\nContent-Type: a/b\n\nx\n" * 100 + b"--c--"
    part = b"--b\nContent-Type: application/pkcs7-mime\n\n" + made.signed(inner) + b"\n"
    message = parse(HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + part * 100 + b"--b--\n")
    assert len(message.attachments) <= 3 * limits.PARTS
    assert "truncated:depth" in message.defects


@pytest.mark.parametrize("inner", [b"", b"any file", b"<?xml version='1.0'?>", b"Subject: no type\n\nx"])
def test_a_signed_file_that_is_no_mail_is_kept_as_it_is(inner: bytes) -> None:
    message = parse(smime(made.signed(inner)))
    assert [(one.name, one.content) for one in message.attachments] == [("smime.p7m", made.signed(inner))]


def test_a_compressed_mail_is_kept_and_said_so() -> None:
    message = parse(smime(made.other(made.COMPRESSED_DATA)))
    assert message.text.startswith("This mail is compressed (S/MIME); Inbound cannot read it.")
    assert message.defects == ("compressed:smime",)


def test_a_winmail_in_a_signed_mail_is_unpacked_too() -> None:
    inner = b"Content-Type: application/ms-tnef\n\n" + made.tnef(made.tnef_file(b"a.txt", b"hello"))
    message = parse(HEAD + b"Content-Type: application/pkcs7-mime\n\n" + made.signed(inner))
    assert [(one.name, one.content) for one in message.attachments] == [("a.txt", b"hello")]


@pytest.mark.parametrize("name", ["../../a.txt", "..\\a.txt", "C:\\a.txt", "\u202ea.txt", "a.txt\0.exe"])
def test_names_in_a_winmail_are_made_safe(name: str) -> None:
    message = parse(winmail(made.tnef(made.tnef_file(b"x", b"y", made.prop(0x3707, name)))))
    assert [one.name for one in message.attachments] == ["a.txt"]


def test_a_file_in_a_winmail_without_a_name_or_type_gets_them() -> None:
    message = parse(winmail(made.tnef(made.tnef_file(b"", b"y", made.prop(0x370E, "not a type")))))
    assert [(one.name, one.content_type) for one in message.attachments] == [
        ("attachment-1", "application/octet-stream")
    ]


def test_the_text_of_a_winmail_may_not_hold_what_text_may_not() -> None:
    message = parse(winmail_body(0x1013, b"<p>a&#7;&#xd800;b"))
    assert message.text == "a\ufffdb"


def test_invitations_are_told_once_each() -> None:
    event = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nSUMMARY:a\nEND:VEVENT\nEND:VCALENDAR"
    message = _mail("multipart/mixed", PLAIN, _part("text/calendar", event), _part("text/calendar", event))
    assert message.text == "plain\n\nInvitation: a"
    assert [one.name for one in message.attachments] == ["invite.ics", "invite.ics"]


@pytest.mark.parametrize(
    ("disposition", "text"), [("", "plain\n\nEvent: a"), ("inline", "plain\n\nEvent: a"), ("attachment", "plain")]
)
def test_a_calendar_sent_as_a_file_is_told_only_where_there_is_no_text(disposition: str, text: str) -> None:
    calendar = _part(
        "text/calendar", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:a\nEND:VEVENT\nEND:VCALENDAR", disposition
    )
    assert _mail("multipart/mixed", PLAIN, calendar).text == text
    assert _mail("multipart/mixed", calendar).text == "Event: a"
