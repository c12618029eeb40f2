"""A mail as a value. ``parse`` takes any bytes, never raises, and needs time proportional to their number."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from shared.mail import limits
from shared.mail.address import Address, parse_sender, read_addresses
from shared.mail.attachment import Attachment
from shared.mail.body import Body, body_charset, read_body
from shared.mail.charset import decode
from shared.mail.date import parse_date
from shared.mail.encodedword import decode_header, decode_words
from shared.mail.gathering import DigestBasis
from shared.mail.header import FIELD_CUT, TRUNCATED, Field, skip_leading_junk
from shared.mail.mime import split
from shared.mail.msgid import message_ids
from shared.mail.text import clean_text, one_line


@dataclass(frozen=True, slots=True)
class Message:
    """What a mail says, as far as it can be read. The raw bytes stay the truth."""

    message_id: str | None
    """With angle brackets; None if there is none that can be used."""
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    """Oldest first, without repeats: the first and the last 19."""
    sender: Address | None
    """The one From mailbox, strictly read; None if it can be read in two ways."""
    from_text: str
    """The From fields as a person reads them. For display only."""
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    subject: str
    """Decoded, on one line, with its prefixes."""
    date: datetime | None
    """In UTC, as the sender's clock had it; None if absent or absurd."""
    text: str
    """The whole body as plain text, made from the HTML where there is only that."""
    html: str | None
    """The HTML body as sent, decoded. Not cleaned: never show it as it is."""
    attachments: tuple[Attachment, ...]
    headers: tuple[tuple[str, str], ...]
    """Every field in order: name as written, value decoded and unfolded."""
    defects: tuple[str, ...]
    """Stable short codes of what was wrong, each once."""
    digest_basis: DigestBasis | None = None
    """What ``content_digest`` is made of, where that is not the text and the attachments as they are shown."""

    def header(self, name: str) -> str | None:
        """The value of the first field of that name, in any case."""
        return next(iter(self.header_all(name)), None)

    def header_all(self, name: str) -> tuple[str, ...]:
        """The values of all fields of that name, in order."""
        wanted = name.lower()
        return tuple(value for known, value in self.headers if known.lower() == wanted)


def parse(raw: bytes) -> Message:
    """The mail in these bytes. Total: whatever they are, a message comes back, with what was wrong in ``defects``."""
    try:
        return _parse(raw)
    except Exception:  # noqa: BLE001 - a mail must never stop its mailbox; the defect makes the bug visible
        return _salvage(raw)


def content_digest(message: Message) -> str:
    """SHA-256 (hex) of what makes two deliveries one mail: Message-ID, From, Date, words, files.

    Equal when only trace headers, encodings, part order, line ends or white space differ (Microsoft Graph
    rebuilds the MIME at each call); different when a word or a file differs.
    """
    sender = message.sender.key if message.sender else message.from_text
    date = message.date.isoformat() if message.date else ""
    text, sent = message.digest_basis or (message.text, None)
    files = sorted(sent if sent is not None else (attachment.digest for attachment in message.attachments))
    digest = hashlib.sha256()
    for value in (message.message_id or "", sender, date, "".join(text.split()), *files):
        data = value.encode("utf-8", "replace")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


def _parse(raw: bytes) -> Message:
    defects: list[str] = []
    if len(raw) > limits.RAW_BYTES:
        raw = raw[: limits.RAW_BYTES]
        defects.append("truncated:raw")
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    parts, found = split(raw, skip_leading_junk(raw))
    hint = body_charset(parts)
    body = read_body(raw, parts, hint)
    return _message(parts[0].fields, body, hint, defects + found + body.defects)


def _message(fields: list[Field], body: Body, hint: str | None, defects: list[str]) -> Message:
    values = _by_name(fields)
    if any(len(entry.value) > limits.FIELD_BYTES for entry in fields):
        defects.append(FIELD_CUT)
    senders = values.get("from", [])
    sender = None if TRUNCATED in defects else parse_sender(senders, hint)
    if sender is None:
        defects.append("sender-unreadable" if senders else "sender-missing")
    recipients = {name: read_addresses(values.get(name, []), hint) for name in ("reply-to", "to", "cc")}
    if any(more for _, more in recipients.values()):
        defects.append("truncated:addresses")
    ids = _ids(values.get("message-id", []))
    dates = [parse_date(_text(value)) for value in values.get("date", [])[:1]]
    subject = next((value for value in values.get("subject", []) if value), b"")
    return Message(
        message_id=ids[0] if ids else None,
        in_reply_to=_first_and_last(_ids(values.get("in-reply-to", []))),
        references=_first_and_last(_ids(values.get("references", []))),
        sender=sender,
        from_text=one_line(
            ", ".join(decode_header(value[: limits.FIELD_BYTES], hint) for value in senders[:5]),
            limits.LINE_CHARS,
        ),
        reply_to=recipients["reply-to"][0],
        to=recipients["to"][0],
        cc=recipients["cc"][0],
        subject=one_line(decode_header(subject[: limits.FIELD_BYTES], hint), limits.LINE_CHARS),
        date=next(iter(dates), None),
        text=body.text,
        html=body.html,
        attachments=body.attachments,
        headers=tuple((entry.name, _value(entry, hint)) for entry in fields),
        defects=tuple(dict.fromkeys(defects)),
        digest_basis=body.basis,
    )


def _by_name(fields: list[Field]) -> dict[str, list[bytes]]:
    values: dict[str, list[bytes]] = {}
    for entry in fields:
        values.setdefault(entry.name.lower(), []).append(entry.value)
    return values


_NEVER_ENCODED = frozenset(
    (
        "authentication-results",
        "received-spf",
        "dkim-signature",
        "arc-authentication-results",
        "arc-message-signature",
        "arc-seal",
    )
)
"""Fields that are read for what a server says. Encoded words have no place in them (RFC 2047 section 5), and decoding
one that a sender put into a quoted address of his would let it end a comment and write a result."""


def _value(entry: Field, hint: str | None) -> str:
    if entry.name.lower() in _NEVER_ENCODED:
        return one_line(entry.value[: limits.FIELD_BYTES].decode("utf-8", "replace"), limits.FIELD_BYTES)
    return one_line(decode_header(entry.value[: limits.FIELD_BYTES], hint), limits.FIELD_BYTES)


def _ids(values: list[bytes]) -> tuple[str, ...]:
    return tuple(identity for value in values for identity in message_ids(decode_words(_text(value))))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _first_and_last(ids: tuple[str, ...]) -> tuple[str, ...]:
    """The first, which began the thread, and the latest (limits.REFERENCES), without repeats."""
    ids = tuple(dict.fromkeys(ids))
    return ids if len(ids) <= limits.REFERENCES else ids[:1] + ids[1 - limits.REFERENCES :]


_SALVAGED = re.compile(rb"^(from|subject|message-id):[ \t]*([^\r\n]{0,998})", re.IGNORECASE | re.MULTILINE)


def _salvage(raw: bytes) -> Message:
    """What can be read with the simplest means, for the day ``_parse`` has a bug."""
    head, _, tail = raw[: limits.BODY_BYTES].replace(b"\r\n", b"\n").partition(b"\n\n")
    found = {
        match[1].lower(): match[2].decode("utf-8", "replace")
        for match in _SALVAGED.finditer(head[: limits.FIELD_BYTES])
    }
    text = decode(tail or head)[0]
    return Message(
        message_id=next(iter(message_ids(found.get(b"message-id", ""))), None),
        in_reply_to=(),
        references=(),
        sender=None,
        from_text=one_line(found.get(b"from", ""), limits.LINE_CHARS),
        reply_to=(),
        to=(),
        cc=(),
        subject=one_line(found.get(b"subject", ""), limits.LINE_CHARS),
        date=None,
        text=clean_text(text)[: limits.TEXT_CHARS],
        html=None,
        attachments=(),
        headers=(),
        defects=("parser-failed",),
    )
