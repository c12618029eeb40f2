"""Between rows and the model's values."""

from __future__ import annotations

import json
from collections.abc import Iterable

from shared.mail.address import Address
from shared.model.inbound import Content, Holder, Inbound, Step, ThreadEntry
from shared.model.incident import AttachmentRef, Body, Incident, Note, NoteKind, Status
from shared.model.reason import Outcome
from shared.store.keys import read_stamp, stamp
from shared.store.tables import Row, Value

SHORT = 500
"""Characters of a subject or sender that lists show."""

MAX_PARTICIPANTS_TEXT = 30_000
"""UTF-16 units of an incident's participants, below what one property holds: about 500 people. The first to come
stay."""


def short(text: str) -> str:
    """Text cut for a list."""
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"


def inbound_values(mail: Inbound) -> dict[str, Value]:
    """A mail's row, also in the ledger's index (there without the trace)."""
    values: dict[str, Value] = {
        "mailbox": mail.mailbox,
        "received": stamp(mail.received),
        "kept": stamp(mail.kept),
        "size": mail.size,
        "sha256": mail.sha256,
        "truncated": mail.truncated,
        "outcome": mail.outcome.value,
        "reason": mail.reason,
        "sender": short(mail.sender),
        "subject": short(mail.subject),
    }
    if mail.released:
        values["released"] = short(mail.released)
    if mail.incident is not None:
        values["incident"] = mail.incident
    if mail.note is not None:
        values["note"] = mail.note
    return values


def trace_value(trace: Iterable[Step]) -> str:
    """The rules that were tried, as one property."""
    return json.dumps([[step.rule, step.hit, short(step.why)] for step in trace], ensure_ascii=False)


def read_inbound(row: Row) -> Inbound:
    """From a mail's row or its row in the ledger's index."""
    return Inbound(
        id=row.key.rpartition(":")[2],
        mailbox=row.text("mailbox"),
        received=read_stamp(row.text("received")),
        kept=read_stamp(row.text("kept")),
        size=row.number("size"),
        sha256=row.text("sha256"),
        truncated=row.flag("truncated"),
        outcome=Outcome(row.text("outcome")),
        reason=row.text("reason"),
        sender=row.text("sender"),
        subject=row.text("subject"),
        incident=row.number("incident") or None,
        note=row.number("note") or None,
        trace=tuple(Step(*step) for step in json.loads(row.text("trace") or "[]")),
        released=row.text("released"),
        version=row.etag,
    )


def content_values(holders: Iterable[Holder]) -> dict[str, Value]:
    """Who holds mail of one content."""
    return {"holders": json.dumps([[one.group, one.incident, one.mail] for one in holders], ensure_ascii=False)}


def read_content(row: Row) -> Content:
    """What ``content_values`` wrote."""
    return Content(tuple(Holder(*one) for one in json.loads(row.text("holders"))), row.etag)


def thread_values(entry: ThreadEntry) -> dict[str, Value]:
    """A row of the thread index."""
    values: dict[str, Value] = {
        "message_id": short(entry.message_id),
        "incident": entry.incident,
        "seen": entry.seen,
        "claimed_by": short(entry.claimed_by),
    }
    return values | ({"private": True} if entry.private else {})


def read_thread(row: Row, message_id: str) -> ThreadEntry:
    """From a row of the thread index."""
    return ThreadEntry(
        message_id,
        row.number("incident"),
        row.flag("seen"),
        row.text("claimed_by"),
        row.etag,
        row.flag("private"),
    )


def incident_values(incident: Incident) -> dict[str, Value]:
    """An incident's row, also in the list."""
    values: dict[str, Value] = {
        "subject": short(incident.subject),
        "status": incident.status.value,
        "group": incident.group,
        "mailbox": incident.mailbox,
        "reporter": json.dumps(_address(incident.reporter), ensure_ascii=False),
        "participants": _participants(incident.participants),
        "created": stamp(incident.created),
        "updated": stamp(incident.updated),
        "notes": incident.notes_count,
        "related": json.dumps(list(incident.related[:100])),
    }
    return values | ({"merged_into": incident.merged_into} if incident.merged_into is not None else {})


def read_incident(row: Row) -> Incident:
    """From an incident's row or its row in the list."""
    return Incident(
        number=int(row.key.rpartition(":")[2]),
        subject=row.text("subject"),
        status=Status(row.text("status")),
        group=row.text("group"),
        mailbox=row.text("mailbox"),
        reporter=Address(*json.loads(row.text("reporter"))),
        participants=tuple(Address(*person) for person in json.loads(row.text("participants"))),
        created=read_stamp(row.text("created")),
        updated=read_stamp(row.text("updated")),
        notes_count=row.number("notes"),
        related=tuple(json.loads(row.text("related"))),
        merged_into=row.number("merged_into") or None,
        version=row.etag,
    )


def note_values(note: Note) -> dict[str, Value]:
    """A note's row, without its body."""
    values: dict[str, Value] = {
        "kind": note.kind.value,
        "author": json.dumps(_address(note.author), ensure_ascii=False),
        "created": stamp(note.created),
        "mail": note.mail,
        "marks": " ".join(note.marks),
    }
    return values | ({"wish": note.wish} if note.wish else {})


def read_note(row: Row, body: Body) -> Note:
    """From a note's row and its body."""
    return Note(
        seq=int(row.key.rpartition(":")[2]),
        kind=NoteKind(row.text("kind")),
        author=Address(*json.loads(row.text("author"))),
        created=read_stamp(row.text("created")),
        body=body,
        mail=row.text("mail"),
        marks=tuple(row.text("marks").split()),
        wish=row.text("wish"),
    )


def encode_body(body: Body) -> str:
    """A note's body as JSON."""
    return json.dumps(
        {
            "text": body.text,
            "quoted": body.quoted,
            "html": body.html,
            "attachments": [
                [ref.id, ref.name, ref.content_type, ref.size, ref.sha256, ref.content_id, ref.inline]
                for ref in body.attachments
            ],
        },
        ensure_ascii=False,
    )


def decode_body(text: str) -> Body:
    """What ``encode_body`` wrote."""
    fields = json.loads(text)
    refs = tuple(AttachmentRef(*ref) for ref in fields["attachments"])
    return Body(fields["text"], fields["quoted"], fields["html"], refs)


def _participants(people: Iterable[Address]) -> str:
    written: list[str] = []
    left = MAX_PARTICIPANTS_TEXT
    for person in people:
        text = json.dumps(_address(person), ensure_ascii=False)
        left -= len(text.encode("utf-16-le")) // 2 + 2
        if left < 0:
            break
        written.append(text)
    return f"[{', '.join(written)}]"


def _address(person: Address) -> list[str]:
    return [person.name[:100], person.address[:320]]
