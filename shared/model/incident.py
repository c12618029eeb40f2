"""Incidents and their notes, and how an incident's number is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.mail.address import Address


class Status(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    WAITING = "waiting"
    RESOLVED = "resolved"
    CLOSED = "closed"


class NoteKind(StrEnum):
    """inbound: a mail that came in; answer: went out; internal: agents only; system: written by Inbound itself."""

    INBOUND = "inbound"
    ANSWER = "answer"
    INTERNAL = "internal"
    SYSTEM = "system"


def label(number: int) -> str:
    """``INC-000123``: what people see and quote; six digits at least."""
    return f"INC-{number:06d}"


MARKS = {
    "not_participant": "Its sender takes no part in this incident; he answered with its key.",
    "sender_not_verified": "Its sender could not be proved: the mail may be forged.",
    "private": "It answers an internal mail, so it is for agents only.",
    "auto_reply": "An automatic reply.",
    "automatic": "Sent by a machine.",
    "bounce": "A delivery problem, told by a mail server.",
    "failed": "A mail could not be delivered.",
    "delayed": "A mail is delayed; its server goes on trying.",
    "delivered": "A mail was delivered.",
    "relayed": "A mail was passed on to a server that sends no receipts.",
    "expanded": "A mail went to a list.",
    "complaint": "Somebody called a mail of ours unwanted.",
    "read": "A mail was shown to its reader.",
    "closed": "The incident was closed when it came, and stays so.",
    "reopened_too_often": "The incident was opened again too often that day, so this did not open it.",
    "before_connection": "It is older than the mailbox's connection.",
    "forwarded": "An agent forwarded it.",
    "malformed": "The mail is malformed: compare it with the raw mail.",
    "encrypted": "The mail is encrypted; Inbound cannot read it.",
}
"""What notes can be marked with, in words."""


@dataclass(frozen=True, slots=True)
class AttachmentRef:
    """One attachment of a note. ``size`` in bytes; the content lies in Blob under its ``sha256`` (hex)."""

    id: str
    name: str
    content_type: str
    size: int
    sha256: str
    content_id: str = ""
    inline: bool = False


TEXT_LOST = "(The text of this note is no longer stored.)"
"""Stands for a text that storage lost."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a note says. ``html`` is the sender's source, not cleaned: never send it to a browser as it is."""

    text: str
    quoted: str = ""
    html: str = ""
    attachments: tuple[AttachmentRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """One entry of an incident; ``seq`` counts 1..n without gaps. ``mail`` is the inbound mail's id.

    ``marks``: stable codes of what a person should know about it; their words are ``MARKS``. ``wish``: a digest of what
    a caller called the request that made it; empty for most.
    """

    seq: int
    kind: NoteKind
    author: Address
    created: datetime
    body: Body
    mail: str = ""
    marks: tuple[str, ...] = ()
    wish: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident without its notes. ``participants`` includes the reporter; ``version`` is the row's ETag.

    ``merged_into``: the incident that goes on in its place; mail for it arrives there.
    """

    number: int
    subject: str
    status: Status
    group: str
    mailbox: str
    reporter: Address
    participants: tuple[Address, ...]
    created: datetime
    updated: datetime
    notes_count: int
    related: tuple[int, ...] = ()
    merged_into: int | None = None
    version: str = ""

    def takes_part(self, sender: Address) -> bool:
        """Whether this address is the reporter or a participant."""
        return sender.key in {person.key for person in self.participants}
