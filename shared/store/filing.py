"""What one step writes of a mail and its incident, as operations of the one transaction that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.mail.address import Address
from shared.model.happening import incident_created, note_added, status_changed
from shared.model.inbound import Filed, Filing, Holder, Inbound
from shared.model.incident import Incident, Note, NoteKind, Status, label
from shared.model.limits import Tally
from shared.model.outbound import NUMBER_LATER
from shared.model.webhook import Event
from shared.store import keys, rows
from shared.store.answers import queued
from shared.store.tables import Delete, Insert, Operation, Replace, Upsert, Value

Ring = dict[str, str | int]
"""When the bell of a pending mail was rung last, and how often since then."""


def insert(mail: Inbound, ring: Ring) -> list[Operation]:
    """A mail that is new in the ledger: its row, and its place in the index by outcome."""
    values = rows.inbound_values(mail)
    entry = keys.entry(mail.outcome, mail.kept, mail.id)
    return [Insert(keys.source(mail.id), values), Insert(entry, {**values, **ring})]


def settle(before: Inbound, after: Inbound, ring: Ring | None = None) -> list[Operation]:
    """The mail's row under If-Match, and its move within the ledger's index."""
    values = rows.inbound_values(after)
    return [
        Replace(keys.source(before.id), {**values, "trace": rows.trace_value(after.trace)}, before.version),
        Delete(keys.entry(before.outcome, before.kept, before.id)),
        Insert(keys.entry(after.outcome, after.kept, after.id), {**values, **(ring or {})}),
    ]


def decided(filing: Filing, filed: Filed) -> Inbound:
    """The mail's row as it is after the step."""
    return replace(
        filing.inbound,
        outcome=filing.decision.outcome,
        reason=filing.decision.reason.code,
        sender=filing.sender,
        subject=filing.subject,
        incident=filed.incident,
        note=filed.note,
        trace=filing.decision.trace,
    )


def index_operations(filing: Filing, number: int) -> list[Operation]:
    """What later mails find this one by: the digest of its content, and the ids it has and names."""
    holders = (*filing.content.holders, Holder(filing.group, number, filing.inbound.id))
    key, values = keys.digest(filing.digest), rows.content_values(holders)
    version = filing.content.version
    # Two groups that take in one mail at the same time meet here, so the later one sees the other and links it.
    operations: list[Operation] = [Replace(key, values, version) if version else Insert(key, values)]
    for claim in filing.claims:
        key = keys.thread(filing.group, claim.message_id)
        values = rows.thread_values(replace(claim, incident=number))
        operations.append(Replace(key, values, claim.version) if claim.version else Insert(key, values))
    return operations


def notes_of(filing: Filing, filed: Filed) -> list[tuple[Note, str]]:
    """The notes that the mail makes, each with the name that its text is kept under."""
    assert filed.incident is not None
    assert filed.note is not None
    effect, mail = filing.decision.effect, filing.inbound.id
    notes = [(Note(filed.note, effect.kind, filing.author, filing.at, filing.body, mail, effect.marks), mail)]
    if filing.preface is not None:
        author, body = filing.preface
        above = Note(filed.note + 1, NoteKind.INTERNAL, author, filing.at, body, mail, ("forwarded",))
        notes.append((above, f"{mail}-preface"))
    if filing.acknowledgement is not None and filed.outbound is not None:
        author, body, outbound = filing.acknowledgement
        body = replace(body, text=body.text.replace(NUMBER_LATER, label(filed.incident)))
        first = Note(filed.outbound, NoteKind.ANSWER, author, filing.at, body, "", (outbound.kind.value,))
        notes.append((first, f"{mail}-{outbound.kind}"))
    return notes


def outbound_operations(filing: Filing, filed: Filed) -> list[Operation]:
    """The mails that go out for it."""
    assert filed.incident is not None
    assert filed.note is not None
    operations: list[Operation] = []
    if filing.answer is not None:
        operations += queued(replace(filing.answer, incident=filed.incident, note=filed.note))
    if filing.acknowledgement is not None and filed.outbound is not None:
        operations += queued(replace(filing.acknowledgement[2], incident=filed.incident, note=filed.outbound))
    return operations


def delivered_events(tenant: str, filing: Filing, incident: Incident, notes: Sequence[Note]) -> list[Event]:
    """What webhooks may hear of it: an incident with its first note, or a note, and every further one."""
    if filing.history and incident.status is Status.CLOSED:
        return []  # years of mail, of which nobody has anything to do
    at, joined = filing.now or filing.at, filing.decision.join
    first = note_added(tenant, incident, notes[0], at) if joined else incident_created(tenant, incident, notes[0], at)
    events = [first, *(note_added(tenant, incident, one, at) for one in notes[1:])]
    if joined is not None and joined.status is not incident.status:
        events.append(status_changed(tenant, joined, incident, at))
    return events


def more_notes(filing: Filing) -> int:
    """How many notes there are beside the mail's own."""
    return (1 if filing.preface else 0) + (1 if filing.acknowledgement else 0)


def filed_as(filing: Filing, incident: Incident) -> Filed:
    """The mail's own note comes first, then what stands above a forward, then our acknowledgement."""
    note = incident.notes_count - more_notes(filing)
    if filing.acknowledgement is not None:
        return Filed(incident.number, note, incident.notes_count)
    return Filed(incident.number, note, note if filing.answer else None)


def counted(tally: Tally) -> Operation:
    """One mail more within a limit."""
    key = keys.tally(tally.limit.end, tally.limit.name, tally.limit.key)
    values: dict[str, Value] = {"count": tally.count + 1}
    return Replace(key, values, tally.version) if tally.version else Insert(key, values)


def link(incident: Incident, number: int) -> list[Operation]:
    """Another incident names this one as related. It is no activity: its place in the list stays."""
    after = replace(incident, related=tuple(dict.fromkeys((*incident.related, number))))
    values = rows.incident_values(after)
    return [
        Replace(keys.incident(incident.number), values, incident.version),
        Upsert(keys.listed(after.status, after.updated, after.number), values),
    ]


def together(people: Sequence[Address], more: Sequence[Address]) -> tuple[Address, ...]:
    """Both, each address once, the first to come stays."""
    first: dict[str, Address] = {}
    for person in (*people, *more):
        first.setdefault(person.key, person)
    return tuple(first.values())
