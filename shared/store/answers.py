"""What people write at an incident, and the mail that goes out for it: in the tenant's partition, as the rest is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from shared.mail.address import Address
from shared.model.happening import note_added, status_changed
from shared.model.incident import Incident, Note
from shared.model.outbound import Outbound, SendKind, SendState
from shared.model.webhook import Event
from shared.store import keys, rows
from shared.store.bodies import write_body
from shared.store.happenings import read_hooks, told
from shared.store.keys import read_stamp, stamp
from shared.store.raw import Blobs
from shared.store.tables import Delete, Insert, Operation, Replace, Row, Tables, Upsert, Value

TABLE = "desk"

NAME_CHARS = 100
"""Of a recipient's name: as many as are written into a mail."""

REASON_CHARS = 200
"""Of a server's words about one recipient: with a hundred ordinary addresses they fit into one property."""


class TableAnswers:
    """``ports.Answers`` on tables and blobs."""

    def __init__(self, tables: Tables, blobs: Blobs) -> None:
        self._tables = tables
        self._blobs = blobs

    def add(
        self, tenant: str, before: Incident, after: Incident, note: Note, outbound: Outbound | None
    ) -> tuple[str, ...]:
        """See ``ports.Answers.add``."""
        # Named by the version that it was written upon: whoever loses the race leaves garbage, never a wrong text.
        name = f"{before.number}-{note.seq}-{keys.hashed(before.version)}"
        values = rows.note_values(note) | write_body(self._blobs, tenant, name, note.body)
        operations: list[Operation] = [
            Replace(keys.incident(before.number), rows.incident_values(after), before.version),
            *relisted(before, after),
            Insert(keys.note(before.number, note.seq), values),
        ]
        if outbound is not None:
            operations += queued(outbound)
        events = [note_added(tenant, after, note, note.created)]
        if after.status is not before.status:
            events.append(status_changed(tenant, before, after, note.created))
        return self._commit(tenant, operations, events)

    def change(self, tenant: str, before: Incident, after: Incident) -> tuple[str, ...]:
        """See ``ports.Answers.change``."""
        operations: list[Operation] = [
            Replace(keys.incident(before.number), rows.incident_values(after), before.version),
            *relisted(before, after),
        ]
        is_changed = after.status is not before.status
        return self._commit(
            tenant, operations, [status_changed(tenant, before, after, after.updated)] if is_changed else []
        )

    def outbound(self, tenant: str, incident: int, note: int) -> Outbound | None:
        """See ``ports.Answers.outbound``."""
        row = self._tables.get(TABLE, tenant, keys.outbound(incident, note))
        return read_outbound(row) if row else None

    def of_incident(self, tenant: str, incident: int, first: int, last: int) -> dict[int, Outbound]:
        """See ``ports.Answers.of_incident``."""
        found = self._tables.query(TABLE, tenant, keys.outbound(incident, first), keys.outbound(incident, last + 1))
        return {one.note: one for one in map(read_outbound, found)}

    def move(self, tenant: str, before: Outbound, after: Outbound) -> Outbound:
        """See ``ports.Answers.move``."""
        version = self._tables.commit(TABLE, tenant, moved(before, after))[0]
        return replace(after, version=version)

    def open(self, tenant: str) -> Iterator[Outbound]:
        """See ``ports.Answers.open``."""
        for row in list(self._tables.query(TABLE, tenant, "OP:", "OP:" + keys.AFTER)):
            found = self.outbound(tenant, row.number("incident"), row.number("note"))
            if found is not None and found.is_open:
                yield found

    def _commit(self, tenant: str, operations: Sequence[Operation], events: Sequence[Event]) -> tuple[str, ...]:
        """A change and what webhooks are to hear of it: both or neither."""
        rows_, ids = told(read_hooks(self._tables, tenant), events) if events else ([], ())
        self._tables.commit(TABLE, tenant, [*operations, *rows_])
        return ids

    def undeliverable(self, tenant: str, addresses: Iterable[str]) -> dict[str, str]:
        """See ``ports.Answers.undeliverable``."""
        rows_ = {one: self._tables.get(TABLE, tenant, keys.undeliverable(one)) for one in dict.fromkeys(addresses)}
        return {address: row.text("why") for address, row in rows_.items() if row is not None}

    def note_undeliverable(self, tenant: str, address: str, why: str) -> None:
        """See ``ports.Answers.note_undeliverable``."""
        self._tables.commit(TABLE, tenant, [undeliverable(address, why)])

    def forget_undeliverable(self, tenant: str, address: str) -> None:
        """See ``ports.Answers.forget_undeliverable``."""
        row = self._tables.get(TABLE, tenant, keys.undeliverable(address))
        if row is not None:
            self._tables.commit(TABLE, tenant, [Delete(row.key, row.etag)])


def relisted(before: Incident, after: Incident) -> list[Operation]:
    """An incident's move within the list."""
    old = keys.listed(before.status, before.updated, before.number)
    new = keys.listed(after.status, after.updated, after.number)
    values = rows.incident_values(after)
    # Two notes within one millisecond keep the same place; a transaction may touch a row once only.
    return [Upsert(new, values)] if old == new else [Delete(old), Insert(new, values)]


def queued(outbound: Outbound) -> list[Operation]:
    """A new mail on its way out: its row, and its place in the outbox."""
    key = keys.outbound(outbound.incident, outbound.note)
    place: list[Operation] = [Insert(*_waiting(outbound))] if outbound.is_open else []
    return [Insert(key, outbound_values(outbound)), *place]


def moved(before: Outbound, after: Outbound) -> list[Operation]:
    """A mail's next state; it leaves the outbox when nothing more happens by itself."""
    key = keys.outbound(before.incident, before.note)
    operations: list[Operation] = [Replace(key, outbound_values(after), before.version)]
    if before.is_open and not after.is_open:
        operations.append(Delete(keys.waiting_outbound(before.incident, before.note)))
    if after.is_open and not before.is_open:
        operations.append(Insert(*_waiting(after)))
    return operations


def undeliverable(address: str, why: str) -> Operation:
    """An address that is not written to again until an agent says so."""
    return Upsert(keys.undeliverable(address), {"address": rows.short(address), "why": rows.short(why)})


def _waiting(outbound: Outbound) -> tuple[str, dict[str, Value]]:
    key = keys.waiting_outbound(outbound.incident, outbound.note)
    return key, {"incident": outbound.incident, "note": outbound.note}


def outbound_values(outbound: Outbound) -> dict[str, Value]:
    """A mail's row."""
    values: dict[str, Value] = {
        "incident": outbound.incident,
        "note": outbound.note,
        "mailbox": outbound.mailbox,
        "kind": outbound.kind.value,
        "to": _people(outbound.to),
        "cc": _people(outbound.cc),
        "answers": outbound.answers,
        "references": _fitting(outbound.references),
        "state": outbound.state.value,
        "attempts": outbound.attempts,
        "said": rows.short(outbound.said),
        "refused": _fitting([[who, why[:REASON_CHARS]] for who, why in outbound.refused]),
        "got": _fitting(outbound.got),
        "claim": outbound.claim,
    }
    times = {"since": outbound.since, "due": outbound.due, "rung": outbound.rung}
    return values | {name: stamp(time) for name, time in times.items() if time is not None}


def read_outbound(row: Row) -> Outbound:
    """What ``outbound_values`` wrote."""
    times = {name: read_stamp(row.text(name)) if row.text(name) else None for name in ("since", "due", "rung")}
    return Outbound(
        incident=row.number("incident"),
        note=row.number("note"),
        mailbox=row.text("mailbox"),
        kind=SendKind(row.text("kind")),
        to=_read_people(row.text("to")),
        cc=_read_people(row.text("cc")),
        answers=row.text("answers"),
        references=tuple(json.loads(row.text("references"))),
        state=SendState(row.text("state")),
        since=times["since"],
        due=times["due"],
        rung=times["rung"],
        attempts=row.number("attempts"),
        said=row.text("said"),
        refused=tuple((who, why) for who, why in json.loads(row.text("refused"))),
        got=tuple(json.loads(row.text("got") or "[]")),
        claim=row.text("claim"),
        version=row.etag,
    )


def _people(people: Sequence[Address]) -> str:
    text = json.dumps([[one.name[:NAME_CHARS], one.address] for one in people], ensure_ascii=False)
    # Names are a courtesy; who gets it is not.
    return text if _fits(text) else json.dumps([["", one.address] for one in people], ensure_ascii=False)


def _fits(text: str) -> bool:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2 <= rows.MAX_PARTICIPANTS_TEXT


def _fitting(items: Sequence[object]) -> str:
    """As many of them, from the first, as one property holds."""
    text = json.dumps(list(items), ensure_ascii=False)
    while not _fits(text):
        items = items[: len(items) * 9 // 10]
        text = json.dumps(list(items), ensure_ascii=False)
    return text


def _read_people(text: str) -> tuple[Address, ...]:
    return tuple(Address(*one) for one in json.loads(text))
