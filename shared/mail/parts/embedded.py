"""A message that was attached inside a winmail.dat, written as the .eml it would have been: RFC 5322, RFC 2045."""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.mail import limits
from shared.mail.parts import mapi
from shared.mail.parts.mapi import Properties
from shared.mail.text import one_line

_TICKS = 10_000_000
"""Of a Windows time in one second; it counts from 1601."""

_LAST_YEAR_SECONDS = 253_000_000_000
"""Seconds from 1601 to about the year 9618: later ones are no dates."""

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,120}")
_WORD_BYTES = 45
"""Of one encoded word before Base64, so that it stays below 75 characters (RFC 2047 section 2)."""

File = tuple[str, str, bytes, str]
"""Name, type, content, Content-ID."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """What is known of the message."""

    properties: Properties
    subject: str
    text: str
    html: str | None


def write_message(message: Embedded, files: list[File]) -> bytes:
    """The message as bytes of RFC 5322; the same ones each time."""
    bodies = [("text/plain; charset=utf-8", message.text.encode("utf-8", "replace"))] if message.text else []
    if message.html is not None:
        bodies.append(("text/html; charset=utf-8", message.html.encode("utf-8", "replace")))
    parts = [_part(f"Content-Type: {kind}\r\n", content) for kind, content in bodies]
    if len(parts) == 2:
        parts = [_multipart("alternative", parts)]
    parts += [_file(*file) for file in files]
    head = "".join(f"{name}: {value}\r\n" for name, value in _fields(message) if value)
    body = _multipart("mixed", parts) if len(parts) != 1 or files else parts[0]
    return head.encode("ascii", "replace") + b"MIME-Version: 1.0\r\n" + body


def _fields(message: Embedded) -> list[tuple[str, str]]:
    text = message.properties.text
    name = text(mapi.REPRESENTING_NAME) or text(mapi.SENDER_NAME)
    candidates = (mapi.REPRESENTING_SMTP, mapi.SENDER_SMTP, mapi.REPRESENTING_ADDRESS, mapi.SENDER_ADDRESS)
    address = next((found for found in map(text, candidates) if _is_address(found)), "")
    message_id = one_line(text(mapi.MESSAGE_ID), limits.MESSAGE_ID_CHARS)
    return [
        ("From", " ".join(filter(None, [_encoded(name), f"<{address}>" if address else ""]))),
        ("To", _encoded(text(mapi.DISPLAY_TO))),
        ("Cc", _encoded(text(mapi.DISPLAY_CC))),
        ("Subject", _encoded(message.subject)),
        ("Date", _date(message.properties.number(mapi.SENT))),
        ("Message-ID", message_id if re.fullmatch(r"<[!-;=?-~]+>", message_id) else ""),
    ]


def _is_address(value: str) -> bool:
    return re.fullmatch(r"[!#-;=?-~]{1,64}@[A-Za-z0-9.-]{1,255}", value) is not None


def _encoded(value: str) -> str:
    """A header value as encoded words: no letter of it can mean anything else."""
    data = one_line(value, limits.LINE_CHARS)
    words, word = [], b""
    for letter in data:
        piece = letter.encode("utf-8", "replace")
        if len(word) + len(piece) > _WORD_BYTES:
            words.append(word)
            word = b""
        word += piece
    words += [word] if word else []
    return "\r\n ".join(f"=?utf-8?B?{base64.b64encode(word).decode()}?=" for word in words)


def _date(ticks: int | None) -> str:
    seconds = (ticks or 0) // _TICKS
    if not 0 < seconds < _LAST_YEAR_SECONDS:
        return ""
    moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment:%Y %H:%M:%S} +0000"


def _file(name: str, content_type: str, content: bytes, content_id: str) -> bytes:
    kind = content_type if _TYPE.fullmatch(content_type) else "application/octet-stream"
    quoted = "".join(f"%{byte:02X}" for byte in one_line(name, limits.NAME_CHARS).encode("utf-8", "replace"))
    identity = re.sub(r"[^!-;=?-~]", "", content_id)[: limits.LINE_CHARS]
    head = f"Content-Type: {kind}\r\nContent-Disposition: attachment; filename*=utf-8''{quoted}\r\n"
    head += f"Content-ID: <{identity}>\r\n" if identity else ""
    if kind == "message/rfc822":  # RFC 2046 section 5.2.1: never encoded
        return head.encode("ascii") + b"\r\n" + content
    return _part(head, content)


def _part(head: str, content: bytes) -> bytes:
    encoded = base64.encodebytes(content).replace(b"\n", b"\r\n")
    return head.encode("ascii") + b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded


def _multipart(kind: str, parts: list[bytes]) -> bytes:
    """The boundary comes from the content, so that it is the same each time and never in it."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    boundary = b"=_" + digest.hexdigest()[:40].encode()
    head = b'Content-Type: multipart/%s; boundary="%s"\r\n\r\n' % (kind.encode(), boundary)
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
    return head + body + b"--%s--\r\n" % boundary
