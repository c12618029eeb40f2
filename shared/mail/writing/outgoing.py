"""A mail that is to be sent, as a value; and the same with everything in it that strangers chose made harmless."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from shared.errors import NotSent
from shared.mail import limits
from shared.mail.address import Address, addr_spec, parse_addresses
from shared.mail.attachment import safe_name
from shared.mail.text import one_line

Automatic = Literal["no", "acknowledgement", "notification"]

NAME_CHARS = 100
"""Of a display name. People's names with company and department have 60."""

FIRST_REFERENCES, LAST_REFERENCES = 4, 6
"""Of a long thread's ids: what began it and what was answered last (RFC 5322 names no number; Request Tracker cuts
likewise). Ten ids are about 800 bytes: below 998, the most of a line, for whoever joins the lines of a field."""

_ID = re.compile(r"<[!-;=?-~]{1,900}>")
"""A Message-ID that fits on one line with its field's name, in ASCII (RFC 5322 section 2.1.1 and 3.6.4)."""
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class File:
    """An attachment. ``content_type``: ``type/subtype``; what is none becomes application/octet-stream."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A mail of ours. Nothing in it needs to be clean but ``html`` and ``quoted_html``."""

    message_id: str
    """With angle brackets, always the same for the same note (``token.message_id``). It also seeds the boundaries."""
    date: datetime
    """Aware; written in UTC."""
    sender: Address
    """The mailbox, with its from_name."""
    to: tuple[Address, ...]
    subject: str
    text: str
    """Plain text with ``\\n``: the words, without what is quoted."""
    html: str | None = None
    """The same words as HTML: what stands inside of ``body``. Written into the mail as it is."""
    cc: tuple[Address, ...] = ()
    reply_to: Address | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    """Those of the mail that is answered, oldest first; ``in_reply_to`` is put behind them."""
    attachments: tuple[File, ...] = ()
    automatic: Automatic = "no"
    """``acknowledgement``: a machine's answer to a mail; ``notification``: a machine's mail of its own (RFC 3834)."""
    reference_line: str = ""
    """``Ref: inc-123-…``: a line below the words, which answers quote whatever else of the mail they lose. It stands
    above a signature (``-- ``) and above the quote: programs do not quote the one, and shorten and fold away the other,
    which may hold an older incident's reference, too."""
    quoted: str = ""
    """What is answered (``quote_original``): the last thing in the text."""
    quoted_html: str = ""
    """The same (``quote_original_html``), where there is ``html``."""
    loop_token: str = ""
    """What X-Inbound-Loop says on automatic mail; ``yes`` if empty."""


def cleaned(mail: Outgoing) -> Outgoing:
    """The mail with one line in every field of its header: no controls, no direction marks, usable ids only, nobody
    named twice.

    An address is not cleaned, as a changed one is somebody else's: raises ``NotSent`` for what is none. ValueError for
    what only a bug of ours can put in: a Message-ID that is none, a date without zone.
    """
    if not is_usable_id(mail.message_id):
        raise ValueError("not a Message-ID")
    if mail.date.utcoffset() is None:
        raise ValueError("a date without a zone")
    named: set[str] = set()
    answered = mail.in_reply_to if mail.in_reply_to and is_usable_id(mail.in_reply_to) else None
    return replace(
        mail,
        date=mail.date.astimezone(UTC),
        sender=_cleaned_address(mail.sender),
        reply_to=_cleaned_address(mail.reply_to) if mail.reply_to else None,
        to=_named_once(mail.to, named),
        cc=_named_once(mail.cc, named),
        subject=header_text(mail.subject, limits.LINE_CHARS),
        in_reply_to=answered,
        references=_references(mail, answered),
        attachments=tuple(replace(one, name=_cleaned_file_name(one.name)) for one in mail.attachments),
        reference_line=header_text(mail.reference_line, NAME_CHARS),
        loop_token=header_text(mail.loop_token, NAME_CHARS),
    )


def header_text(text: str, limit: int) -> str:
    """The text as one line that every reader reads alike."""
    return one_line(text.replace(_BYTE_ORDER_MARK, ""), limit)


def is_usable_id(id: str) -> bool:
    """Whether a Message-ID can be written into a header and is read there as it is written."""
    return _ID.fullmatch(id) is not None and "=?" not in id


def _references(mail: Outgoing, answered: str | None) -> tuple[str, ...]:
    ids = [id for id in dict.fromkeys(mail.references) if is_usable_id(id) and id not in (answered, mail.message_id)]
    ids += [answered] if answered else []
    if len(ids) <= FIRST_REFERENCES + LAST_REFERENCES:
        return tuple(ids)
    return (*ids[:FIRST_REFERENCES], *ids[-LAST_REFERENCES:])


def _named_once(addresses: Iterable[Address], named: set[str]) -> tuple[Address, ...]:
    found = []
    for one in map(_cleaned_address, addresses):
        if one.key not in named:
            named.add(one.key)
            found.append(one)
    return tuple(found)


def _cleaned_address(one: Address) -> Address:
    address = addr_spec(one.address.strip())
    # What is valid and yet read otherwise is a slip of somebody's: 'anna@example.com with its apostrophe.
    if address is None or "=?" in address or parse_addresses([f"<{address}>"]) != (Address("", address),):
        raise NotSent(
            "One of the mail's addresses is none that mail can be sent to.",
            "Correct it.",
            permanent=True,
            status="5.1.3",  # RFC 3463: bad destination mailbox address syntax
        )
    return Address(_cleaned_name(one.name), address)


def _cleaned_file_name(name: str) -> str:
    return safe_name(header_text(name, limits.LINE_CHARS))


def _cleaned_name(name: str) -> str:
    """Without quotes around it, which are no part of a name and are taken off by every reader."""
    name = header_text(name, NAME_CHARS)
    while len(name) > 1 and name[0] == name[-1] and name[0] in "'\"":
        name = name[1:-1].strip()
    return name
