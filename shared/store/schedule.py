"""Table ``schedule``: a slot per mailbox in 16 partitions. RowKey is ``<tenant>:<mailbox>``."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from datetime import datetime

from shared.errors import RowChanged
from shared.model.schedule import SHARDS, SLACK, Slot, shard
from shared.store.keys import AFTER, read_stamp, stamp
from shared.store.tables import Delete, Insert, Replace, Row, Tables, Value, Where

TABLE = "schedule"

_TIMES = (
    "busy_until",
    "ticked",
    "last_poll",
    "last_success",
    "failing_since",
    "transcript_until",
    "out_not_before",
    "out_since",
)


class TableSchedule:
    """``ports.Schedule`` on tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, tenant: str, mailbox: str) -> Slot | None:
        """See ``ports.Schedule.get``."""
        row = self._tables.get(TABLE, shard(tenant, mailbox), f"{tenant}:{mailbox}")
        return _slot(row) if row else None

    def of(self, tenant: str, mailboxes: Collection[str]) -> dict[str, Slot]:
        """See ``ports.Schedule.of``."""
        if len(mailboxes) <= SHARDS:
            found = (self.get(tenant, mailbox) for mailbox in mailboxes)
            return {slot.mailbox: slot for slot in found if slot is not None}
        start, end = f"{tenant}:", f"{tenant}:{AFTER}"
        rows = (row for part in range(SHARDS) for row in self._tables.query(TABLE, f"{part:x}", start, end))
        return {slot.mailbox: slot for slot in map(_slot, rows) if slot.mailbox in mailboxes}

    def put(self, slot: Slot) -> Slot:
        """See ``ports.Schedule.put``."""
        key, partition, values = f"{slot.tenant}:{slot.mailbox}", shard(slot.tenant, slot.mailbox), _values(slot)
        write = Replace(key, values, slot.version) if slot.version else Insert(key, values)
        (version,) = self._tables.commit(TABLE, partition, [write])
        # As it would be read: storage keeps milliseconds, and a poll knows its own claim by the time in it.
        return _slot(Row(partition, key, values, version))

    def delete(self, slot: Slot) -> None:
        """See ``ports.Schedule.delete``."""
        partition = shard(slot.tenant, slot.mailbox)
        try:
            self._tables.commit(TABLE, partition, [Delete(f"{slot.tenant}:{slot.mailbox}", slot.version)])
        except RowChanged:
            return  # it is gone, or somebody just gave the mailbox a new life

    def due(self, now: datetime) -> Iterator[Slot]:
        """See ``ports.Schedule.due``."""
        where = [Where("enabled", "eq", True), Where("due", "le", stamp(now + SLACK))]
        for row in self._tables.query(TABLE, None, where=where):
            yield _slot(row)

    def oldest(self, count: int) -> tuple[Slot, ...]:
        """See ``ports.Schedule.oldest``."""
        slots = (_slot(row) for row in self._tables.query(TABLE, None, where=[Where("enabled", "eq", True)]))
        return tuple(heapq.nsmallest(count, slots, key=lambda slot: (slot.created, slot.tenant, slot.mailbox)))


def _values(slot: Slot) -> dict[str, Value]:
    values: dict[str, Value] = {
        "minutes": slot.minutes,
        "enabled": slot.enabled,
        "created": stamp(slot.created),
        "due": stamp(slot.due),
        "failures": slot.failures,
        "paused": slot.paused,
        "refusals": slot.refusals,
        "out_refusals": slot.out_refusals,
        "out_settings": slot.out_settings,
        "out_code": slot.out_code,
        "out_message": slot.out_message,
        "out_fix": slot.out_fix,
        "error_code": slot.error_code,
        "error_message": slot.error_message,
        "error_fix": slot.error_fix,
    }
    for name in _TIMES:
        if (time := getattr(slot, name)) is not None:
            values[name] = stamp(time)
    return values


def _slot(row: Row) -> Slot:
    tenant, _, mailbox = row.key.rpartition(":")
    times = {name: read_stamp(row.text(name)) if row.text(name) else None for name in _TIMES}
    return Slot(
        tenant=tenant,
        mailbox=mailbox,
        minutes=row.number("minutes"),
        enabled=row.flag("enabled"),
        created=read_stamp(row.text("created")),
        due=read_stamp(row.text("due")),
        failures=row.number("failures"),
        paused=row.flag("paused"),
        refusals=row.number("refusals"),
        # Rows of older versions do not have these.
        out_refusals=row.number("out_refusals"),
        out_settings=row.text("out_settings"),
        out_code=row.text("out_code"),
        out_message=row.text("out_message"),
        out_fix=row.text("out_fix"),
        error_code=row.text("error_code"),
        error_message=row.text("error_message"),
        error_fix=row.text("error_fix"),
        version=row.etag,
        **times,
    )
