"""Incidents with their notes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from shared.mail.address import Address
from shared.model import incident as desk
from shared.model.outbound import Outbound, SendKind, SendState

NOTES_PER_PAGE = 100
"""Notes of one answer; longer incidents are paged by ``notes_after``."""


class Person(BaseModel):
    """An e-mail address and the name that came with it."""

    address: str
    name: str


class IncidentOut(BaseModel):
    """An incident without its notes. ``merged_into``: the number of the one that goes on in its place, where notes and
    answers belong; null where it goes on itself."""

    number: str
    subject: str
    status: desk.Status
    group: str
    mailbox: str
    reporter: Person
    participants: list[Person]
    created: datetime
    updated: datetime
    notes_count: int
    related: list[str]
    merged_into: str | None


class AttachmentOut(BaseModel):
    """An attachment; ``type`` is what its sender claims, ``size`` in bytes."""

    id: str
    name: str
    type: str
    size: int
    sha256: str


class Delivery(BaseModel):
    """How sending goes of the mail that a note is sent by. ``kind``: an agent's answer, the acknowledgement of a new
    incident, or a word to the agents. ``state``: queued, sending, sent, failed, in_doubt (it may have been sent:
    nobody knows) or bounced (it came back). ``detail``: why, or who did not get it."""

    kind: SendKind
    state: SendState
    detail: str
    to: list[Person]
    cc: list[Person]


class NoteOut(BaseModel):
    """One entry of an incident. ``html``: whether its sender wrote HTML; ``mail``: its row in the ledger; ``marks``:
    stable codes of what a reader should know about it."""

    seq: int
    kind: desk.NoteKind
    author: Person
    created: datetime
    text: str
    quoted: str
    html: bool
    attachments: list[AttachmentOut]
    mail: str | None
    marks: list[str]
    delivery: Delivery | None


class IncidentWithNotes(IncidentOut):
    """An incident with notes; ``notes_next`` is the ``notes_after`` of those that follow, null at the end."""

    notes: list[NoteOut]
    notes_next: int | None


def incident_out(incident: desk.Incident) -> IncidentOut:
    """An incident as an item of a list."""
    return IncidentOut(**_incident(incident))


def incident_with_notes(
    incident: desk.Incident, notes: tuple[desk.Note, ...], more: bool, outbounds: Mapping[int, Outbound]
) -> IncidentWithNotes:
    """An incident with some of its notes; ``more``: there are others after them; ``outbounds``: the mails that send
    them."""
    return IncidentWithNotes(
        **_incident(incident),
        notes=[note_out(note, outbounds.get(note.seq)) for note in notes],
        notes_next=notes[-1].seq if more and notes else None,
    )


def etag(incident: desk.Incident) -> str:
    """A strong entity tag of how the incident stands and of which notes it has (RFC 9110, 8.8.3)."""
    return f'"{hashlib.sha256(incident.version.encode()).hexdigest()[:32]}"'


def _incident(incident: desk.Incident) -> dict[str, Any]:
    return {
        "number": desk.label(incident.number),
        "subject": incident.subject,
        "status": incident.status,
        "group": incident.group,
        "mailbox": incident.mailbox,
        "reporter": _person(incident.reporter),
        "participants": [_person(one) for one in incident.participants],
        "created": incident.created,
        "updated": incident.updated,
        "notes_count": incident.notes_count,
        "related": [desk.label(number) for number in incident.related],
        "merged_into": desk.label(incident.merged_into) if incident.merged_into is not None else None,
    }


def note_out(note: desk.Note, outbound: Outbound | None) -> NoteOut:
    """A note, and how the mail does that sends it."""
    return NoteOut(
        seq=note.seq,
        kind=note.kind,
        author=_person(note.author),
        created=note.created,
        text=note.body.text,
        quoted=note.body.quoted,
        html=bool(note.body.html),
        attachments=[
            AttachmentOut(id=one.id, name=one.name, type=one.content_type, size=one.size, sha256=one.sha256)
            for one in note.body.attachments
        ],
        mail=note.mail or None,
        marks=list(note.marks),
        delivery=_delivery(outbound) if outbound else None,
    )


def _delivery(outbound: Outbound) -> Delivery:
    return Delivery(
        kind=outbound.kind,
        state=outbound.state,
        detail=outbound.said,
        to=[_person(one) for one in outbound.to],
        cc=[_person(one) for one in outbound.cc],
    )


def _person(address: Address) -> Person:
    return Person(address=address.address, name=address.name)
