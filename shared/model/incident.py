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


@dataclass(frozen=True, slots=True)
class Body:
    """What a note says. ``html`` is the sender's source, not cleaned: never send it to a browser as it is."""

    text: str
    quoted: str = ""
    html: str = ""
    attachments: tuple[AttachmentRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """One entry of an incident; ``seq`` counts 1..n without gaps. ``mail`` is the inbound mail's id."""

    seq: int
    kind: NoteKind
    author: Address
    created: datetime
    body: Body
    mail: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident without its notes. ``participants`` includes the reporter; ``version`` is the row's ETag."""

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
    version: str = ""

    def takes_part(self, sender: Address) -> bool:
        """Whether this address is the reporter or a participant."""
        return sender.key in {person.key for person in self.participants}
