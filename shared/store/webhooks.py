"""Webhooks, the events that wait for them, and the log of what was tried: in the tenant's partition, as the rest is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from shared.errors import RowChanged
from shared.model.webhook import MAX_CAUSE_CHARS, Attempt, DeliveryState, Dispatch, Hooks, Standing
from shared.ports import Page
from shared.store import keys
from shared.store.happenings import dispatch_values, hooks_values, read_dispatch, read_hooks
from shared.store.keys import read_stamp, stamp
from shared.store.sweeping import remove
from shared.store.tables import Delete, Insert, Operation, Replace, Row, Tables, Upsert, Value

TABLE = "desk"

KEPT_FOR = timedelta(days=30)
"""The log, and events that are done with, so that they can be sent again."""

MOST_ROWS = 10_000
"""Of a log that goes at once when its webhook is deleted; what is left goes by its age."""


class TableWebhooks:
    """``ports.Webhooks`` on tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    # ── webhooks ──────────────────────────────────────────────────────────────────────────────────────────────────

    def hooks(self, tenant: str) -> Hooks:
        """See ``ports.Webhooks.hooks``."""
        return read_hooks(self._tables, tenant)

    def put(self, tenant: str, hooks: Hooks) -> Hooks:
        """See ``ports.Webhooks.put``."""
        values = hooks_values(hooks)
        write = Replace(keys.HOOKS, values, hooks.version) if hooks.version else Insert(keys.HOOKS, values)
        (version,) = self._tables.commit(TABLE, tenant, [write])
        return replace(hooks, version=version)

    def forget(self, tenant: str, hook: str) -> None:
        """See ``ports.Webhooks.forget``."""
        with suppress(RowChanged):  # it never was sent anything
            self._tables.commit(TABLE, tenant, [Delete(keys.standing(hook))])
        remove(self._tables, TABLE, tenant, self._log(tenant, hook), MOST_ROWS)

    def standings(self, tenant: str) -> dict[str, Standing]:
        """See ``ports.Webhooks.standings``."""
        prefix = keys.standing("")
        found = self._tables.query(TABLE, tenant, prefix, prefix + keys.AFTER)
        return {one.hook: one for one in map(_read_standing, found)}

    # ── events ────────────────────────────────────────────────────────────────────────────────────────────────────

    def waiting(self, tenant: str, event: str) -> Dispatch | None:
        """See ``ports.Webhooks.waiting``."""
        row = self._tables.get(TABLE, tenant, keys.open_event(event))
        return read_dispatch(row) if row else None

    def all_waiting(self, tenant: str) -> Iterator[Dispatch]:
        """See ``ports.Webhooks.all_waiting``."""
        prefix, columns = keys.open_event(""), ("type", "time", "deliveries")
        for row in list(self._tables.query(TABLE, tenant, prefix, prefix + keys.AFTER, columns=columns)):
            dispatch = read_dispatch(row)
            yield replace(dispatch, event=replace(dispatch.event, body=""))

    def move(
        self,
        tenant: str,
        before: Dispatch,
        after: Dispatch,
        tried: Attempt | None = None,
        stood: Standing | None = None,
    ) -> Dispatch:
        """See ``ports.Webhooks.move``."""
        old, new, values = _place(before), _place(after), dispatch_values(after)
        operations: list[Operation] = (
            [Replace(new, values, before.version)] if old == new else [Insert(new, values), Delete(old, before.version)]
        )
        version = self._tables.commit(TABLE, tenant, [*operations, *_logged(tried, stood)])[0]
        return replace(after, version=version)

    def done_with(self, tenant: str, time: datetime, event: str) -> Dispatch | None:
        """See ``ports.Webhooks.done_with``."""
        row = self._tables.get(TABLE, tenant, keys.told_event(time, event))
        return read_dispatch(row) if row else None

    def note(self, tenant: str, tried: Attempt, stood: Standing) -> Attempt:
        """See ``ports.Webhooks.note``."""
        self._tables.commit(TABLE, tenant, _logged(tried, stood))
        return replace(tried, id=keys.attempt_id(tried.at, tried.event, tried.number))

    # ── the log ───────────────────────────────────────────────────────────────────────────────────────────────────

    def log(self, tenant: str, hook: str, after: str, limit: int) -> Page[Attempt]:
        """See ``ports.Webhooks.log``."""
        found = list(itertools.islice(self._log(tenant, hook, after, limit + 1), limit + 1))
        shown = tuple(_read_attempt(row) for row in found[:limit])
        return Page(shown, shown[-1].id if len(found) > limit else None)

    def attempt(self, tenant: str, hook: str, id: str) -> Attempt | None:
        """See ``ports.Webhooks.attempt``."""
        row = self._tables.get(TABLE, tenant, keys.attempt(hook, id))
        return _read_attempt(row) if row else None

    def sweep(self, tenant: str, now: datetime, most: int) -> int:
        """Remove logs and events older than 30 days, also of webhooks that were deleted; how many rows."""
        before = now - KEPT_FOR
        told = keys.told_event()
        old = self._tables.query(
            TABLE, tenant, keys.told_event(before), told + keys.AFTER, page=most, columns=("type",)
        )
        return remove(self._tables, TABLE, tenant, itertools.chain(old, self._old_attempts(tenant, before)), most)

    def _old_attempts(self, tenant: str, before: datetime) -> Iterator[Row]:
        """Webhook by webhook: within each the newest come first, so no run reads what stays."""
        place, end = "WL:", "WL:" + keys.AFTER
        while first := next(iter(self._tables.query(TABLE, tenant, place, end, page=1, columns=("at",))), None):
            log = keys.attempt(first.key.split(":")[1])
            yield from self._tables.query(
                TABLE, tenant, log + keys.newest_first(before), log + keys.AFTER, columns=("at",)
            )
            place = log + keys.AFTER

    def _log(self, tenant: str, hook: str, after: str = "", page: int = 1000) -> Iterator[Row]:
        prefix = keys.attempt(hook)
        start = prefix + after + keys.AFTER if after else prefix
        return self._tables.query(TABLE, tenant, start, prefix + keys.AFTER, page=page)


def _place(dispatch: Dispatch) -> str:
    """What nobody waits for any more lies where it is found by its age."""
    event = dispatch.event
    return keys.open_event(event.id) if dispatch.is_open else keys.told_event(event.time, event.id)


def _logged(tried: Attempt | None, stood: Standing | None) -> list[Operation]:
    operations: list[Operation] = []
    if tried is not None:
        id = keys.attempt_id(tried.at, tried.event, tried.number)
        operations.append(Upsert(keys.attempt(tried.hook, id), _attempt_values(tried)))
    if stood is not None:
        # Written whatever is there: of two tries at once, either tells how it does.
        operations.append(Upsert(keys.standing(stood.hook), _standing_values(stood)))
    return operations


def _attempt_values(tried: Attempt) -> dict[str, Value]:
    return {
        "event": tried.event,
        "type": tried.type,
        "event_time": stamp(tried.event_time),
        "at": stamp(tried.at),
        "number": tried.number,
        "state": tried.state.value,
        "status": tried.status,
        "cause": tried.cause[:MAX_CAUSE_CHARS],
        "milliseconds": tried.milliseconds,
        "next": stamp(tried.next) if tried.next else "",
    }


def _read_attempt(row: Row) -> Attempt:
    _, hook, id = row.key.split(":", 2)
    return Attempt(
        hook=hook,
        event=row.text("event"),
        type=row.text("type"),
        event_time=read_stamp(row.text("event_time")),
        at=read_stamp(row.text("at")),
        number=row.number("number"),
        state=DeliveryState(row.text("state")),
        status=row.number("status"),
        cause=row.text("cause"),
        milliseconds=row.number("milliseconds"),
        next=_time(row, "next"),
        id=id,
    )


def _standing_values(stood: Standing) -> dict[str, Value]:
    return {
        "at": stamp(stood.at),
        "state": stood.state.value,
        "status": stood.status,
        "cause": stood.cause[:MAX_CAUSE_CHARS],
        "failures": stood.failures,
        "since": stamp(stood.since) if stood.since else "",
        "rests_until": stamp(stood.rests_until) if stood.rests_until else "",
    }


def _read_standing(row: Row) -> Standing:
    return Standing(
        hook=row.key.partition(":")[2],
        at=read_stamp(row.text("at")),
        state=DeliveryState(row.text("state")),
        status=row.number("status"),
        cause=row.text("cause"),
        failures=row.number("failures"),
        since=_time(row, "since"),
        rests_until=_time(row, "rests_until"),
    )


def _time(row: Row, name: str) -> datetime | None:
    return read_stamp(row.text(name)) if row.text(name) else None
