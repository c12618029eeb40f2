"""Incidents with their notes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from shared.mail.address import Address
from shared.model import incident as desk

NOTES_PER_PAGE = 100
"""Notes of one answer; longer incidents are paged by ``notes_after``."""


class Person(BaseModel):
    """An e-mail address and the name that came with it."""

    address: str
    name: str


class IncidentOut(BaseModel):
    """An incident without its notes."""

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


class AttachmentOut(BaseModel):
    """An attachment; ``type`` is what its sender claims, ``size`` in bytes."""

    id: str
    name: str
    type: str
    size: int
    sha256: str


class Delivery(BaseModel):
    """How sending an answer goes."""

    state: str
    detail: str


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


def incident_with_notes(incident: desk.Incident, notes: tuple[desk.Note, ...], more: bool) -> IncidentWithNotes:
    """An incident with some of its notes; ``more``: there are others after them."""
    return IncidentWithNotes(
        **_incident(incident),
        notes=[_note(note) for note in notes],
        notes_next=notes[-1].seq if more and notes else None,
    )


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
    }


def _note(note: desk.Note) -> NoteOut:
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
        delivery=None,
    )


def _person(address: Address) -> Person:
    return Person(address=address.address, name=address.name)
