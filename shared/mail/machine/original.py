"""The mail a report is about: enclosed whole, as headers only, or pasted below the report's text."""

import re
from dataclasses import dataclass

from shared.mail import limits
from shared.mail.address import Address, parse_addresses
from shared.mail.encodedword import decode_header
from shared.mail.header import TRUNCATED
from shared.mail.machine.notice import own_lines
from shared.mail.message import Message, parse
from shared.mail.msgid import message_ids
from shared.mail.text import one_line

_TYPES = frozenset(
    [
        "message/rfc822",
        "message/global",
        "message/rfc822-headers",
        "text/rfc822-headers",
        "message/global-headers",
        "text/rfc822",
        "message/partial",
    ]
)
_FIELD = re.compile(
    r"^[ \t>]{0,8}(message-id|in-reply-to|references|subject|from|to|cc)[ \t]?:[ \t]*(.*)$", re.IGNORECASE
)
_HEAD_BYTES = 256 * 1024
"""Of an enclosed mail that are read: its header, with room. The attachment itself stays whole."""
_TAIL_LINES = 2000
"""Of a pasted original that are searched for its headers."""


@dataclass(frozen=True, slots=True)
class Original:
    """What is known about the mail a report is about."""

    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    subject: str = ""
    sender: str | None = None
    """addr-spec of its From, for leaving it out of the addresses that failed."""
    recipients: tuple[str, ...] = ()
    """addr-specs of To and Cc."""
    headers: tuple[tuple[str, str], ...] = ()


def enclosed_original(message: Message) -> Original | None:
    """The mail enclosed as an attachment; None if there is none with any header."""
    for attachment in message.attachments:
        if attachment.content_type in _TYPES:
            original = _of_message(parse(attachment.content[:_HEAD_BYTES].lstrip(b"\r\n")))
            if original:
                return original
    return None


def pasted_original(rest: str) -> Original | None:
    """The mail whose headers stand in the text, from the place where the report ends."""
    fields: dict[str, str] = {}
    name = ""
    for line in rest[: limits.TEXT_CHARS].split("\n")[:_TAIL_LINES]:
        match = _FIELD.match(line[: limits.LINE_CHARS])
        if match:
            name = match[1].lower() if match[1].lower() not in fields else ""
            if name:
                fields[name] = match[2].strip()
        elif name and line[:1] in (" ", "\t") and len(fields[name]) < limits.FIELD_BYTES:
            fields[name] += " " + line.strip()[: limits.LINE_CHARS]
        else:
            name = ""
    if not fields:
        return None
    senders = parse_addresses([fields.get("from", "")])
    return Original(
        message_id=next(iter(message_ids(fields.get("message-id", ""))), None),
        in_reply_to=message_ids(fields.get("in-reply-to", ""))[: limits.REFERENCES],
        references=_ends(message_ids(fields.get("references", ""))),
        subject=one_line(decode_header(fields.get("subject", "").encode("utf-8", "replace"), None), limits.LINE_CHARS),
        sender=senders[0].address if senders else None,
        recipients=_specs(parse_addresses([fields.get("to", ""), fields.get("cc", "")])),
    )


def find_original(message: Message, ids: tuple[str, ...] = ()) -> Original:
    """The mail a report is about: enclosed, pasted, or at least its id from a field or from the report's headers."""
    enclosed = enclosed_original(message)
    pasted = None
    if enclosed is None or enclosed.message_id is None:
        _, rest = own_lines(message.text, quotes_are_original=False)
        pasted = pasted_original(rest or message.text)
    base = enclosed or pasted or Original()
    given = ids or tuple(one for name in ("x-original-message-id",) for one in message_ids(message.header(name) or ""))
    candidates = (base.message_id, pasted.message_id if pasted else None, *given, *_answered(message))
    return Original(
        next((one for one in candidates if one), None),
        base.in_reply_to,
        base.references,
        base.subject or (pasted.subject if pasted else ""),
        base.sender,
        base.recipients,
        base.headers,
    )


def _answered(message: Message) -> tuple[str, ...]:
    """What the report itself answers (Gmail and Exchange say it): In-Reply-To, else the newest reference."""
    return message.in_reply_to[-1:] or message.references[-1:]


def _of_message(enclosed: Message) -> Original | None:
    if not (enclosed.message_id or enclosed.from_text or enclosed.subject or enclosed.to) or (
        TRUNCATED in enclosed.defects and not enclosed.message_id
    ):
        return None
    return Original(
        enclosed.message_id,
        enclosed.in_reply_to,
        enclosed.references,
        enclosed.subject,
        enclosed.sender.address if enclosed.sender else None,
        _specs(enclosed.to + enclosed.cc),
        enclosed.headers,
    )


def _specs(addresses: tuple[Address, ...]) -> tuple[str, ...]:
    return tuple(address.address for address in addresses)


def _ends(ids: tuple[str, ...]) -> tuple[str, ...]:
    ids = tuple(dict.fromkeys(ids))
    return ids if len(ids) <= limits.REFERENCES else ids[:1] + ids[1 - limits.REFERENCES :]
