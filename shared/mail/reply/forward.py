"""A mail inside a mail: what somebody forwarded, and what he wrote above it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.mail.address import Address, parse_address
from shared.mail.message import Message, parse
from shared.mail.reply.quote_dividers import is_forward as is_forward_line
from shared.mail.reply.quote_dividers import is_original
from shared.mail.reply.quote_headers import header_block, header_role
from shared.mail.subject import is_forward

LOOK_LINES = 500
"""Lines in which the forwarded mail has to begin: nobody writes more above one."""

MAX_ATTACHED_BYTES = 5 * 1024 * 1024
"""Of an attached mail that is read for who wrote it; a larger one stays an attachment."""


@dataclass(frozen=True, slots=True)
class Forward:
    """What was forwarded.

    ``author``: who wrote the original; ``date`` as he had it, where it could be read; ``text`` its words; ``preface``
    what the forwarder wrote above it. ``message_id``: of the original, where that is known (an attached mail).
    """

    author: Address
    subject: str
    text: str
    preface: str
    date: datetime | None = None
    message_id: str | None = None


def read_forward(message: Message) -> Forward | None:
    """The mail that this one forwards; None when it forwards none, or hides who wrote it.

    The subject must say so, too: people also attach and quote mails without passing them on. The words come from the
    sender: only somebody who may name a reporter should be believed (the caller decides that).
    """
    if not is_forward(message.subject):
        return None
    return _attached(message) or _embedded(message)


def _attached(message: Message) -> Forward | None:
    mails = [one for one in message.attachments if one.content_type in ("message/rfc822", "message/global")]
    if len(mails) != 1 or mails[0].size > MAX_ATTACHED_BYTES:
        return None
    original = parse(mails[0].content)
    if original.sender is None:
        return None
    return Forward(
        author=original.sender,
        subject=original.subject,
        text=original.text,
        preface=message.text.strip(),
        date=original.date,
        message_id=original.message_id,
    )


def _embedded(message: Message) -> Forward | None:
    lines = message.text.split("\n")
    for place in range(min(len(lines), LOOK_LINES)):
        announced = is_forward_line(lines[place]) or is_original(lines[place])
        begin = _next_words(lines, place + 1) if announced else place
        end = header_block(lines, begin, announced)
        if end > begin:
            return _read_block(lines, place, begin, end)
    return None


def _read_block(lines: Sequence[str], above: int, begin: int, end: int) -> Forward | None:
    said: dict[str, str] = {}
    role = ""
    for line in lines[begin:end]:
        found = header_role(line)
        if found is not None:
            role = found[0]
            said.setdefault(role, found[1].strip())
        elif role and line.strip():
            said[role] = f"{said[role]} {line.strip()}"
    author = _author(said.get("from", ""))
    if author is None:
        return None
    return Forward(
        author=author,
        subject=said.get("subject", ""),
        text="\n".join(lines[end:]).strip(),
        preface="\n".join(lines[:above]).strip(),
    )


def _author(text: str) -> Address | None:
    """``Anna <anna@example.com>`` as Outlook writes it: also ``[mailto:anna@example.com]``, and without brackets."""
    text = text.replace("*", "").replace("[mailto:", "<").replace("]", ">").replace("<mailto:", "<")
    found = parse_address(text)
    if found is not None:
        return found
    # A display name with a comma or an @ in it needs quotes that no mail program writes here.
    name, bracket, rest = text.rpartition("<")
    inner = parse_address(rest.partition(">")[0]) if bracket else None
    return Address(name=" ".join(name.replace('"', "").split()), address=inner.address) if inner else None


def _next_words(lines: Sequence[str], place: int) -> int:
    while place < len(lines) and not lines[place].strip():
        place += 1
    return place
