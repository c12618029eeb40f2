"""Events in the transaction of the change that they tell of: none is lost and none is invented, whatever crashes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from shared.model.webhook import Delivery, DeliveryState, Dispatch, Event, EventType, Hook, Hooks
from shared.store import keys
from shared.store.keys import read_stamp, stamp
from shared.store.tables import Insert, Row, Tables, Value

TABLE = "desk"


def read_hooks(tables: Tables, tenant: str) -> Hooks:
    """A tenant's webhooks: one read of one row."""
    row = tables.get(TABLE, tenant, keys.HOOKS)
    if row is None:
        return Hooks()
    hooks = [_hook(json.loads(row.text(name))) for name in row.values if name.startswith("hook_")]
    ordered = sorted(hooks, key=lambda one: (one.created, one.id))
    return Hooks(tuple(ordered), tuple(json.loads(row.text("gone"))), row.etag)


def hooks_values(hooks: Hooks) -> dict[str, Value]:
    """The row: a property for each, since one holds 32 Ki characters only."""
    values: dict[str, Value] = {"gone": json.dumps(hooks.gone)}
    return values | {f"hook_{one.id}": json.dumps(_hook_values(one), ensure_ascii=False) for one in hooks.all}


def told(hooks: Hooks, events: Sequence[Event]) -> tuple[list[Insert], tuple[str, ...]]:
    """The rows of those events that some webhook wants, for the transaction of the change; and their ids."""
    rows: list[Insert] = []
    for event in events:
        if wanting := hooks.wanting(event.type):
            deliveries = tuple(Delivery(one, event.time, event.time) for one in wanting)
            rows.append(Insert(keys.open_event(event.id), dispatch_values(Dispatch(event, deliveries))))
    return rows, tuple(row.key.partition(":")[2] for row in rows)


def dispatch_values(dispatch: Dispatch) -> dict[str, Value]:
    """An event's row."""
    event = dispatch.event
    return {
        "type": event.type,
        "time": stamp(event.time),
        "body": event.body,
        "deliveries": json.dumps(
            [
                [one.hook, one.state, one.attempts, stamp(one.since), stamp(one.due), one.claim]
                for one in dispatch.deliveries
            ]
        ),
    }


def read_dispatch(row: Row) -> Dispatch:
    """What ``dispatch_values`` wrote."""
    event = Event(row.key.rpartition(":")[2], row.text("type"), read_stamp(row.text("time")), row.text("body"))
    deliveries = tuple(
        Delivery(hook, read_stamp(since), read_stamp(due), DeliveryState(state), attempts, claim)
        for hook, state, attempts, since, due, claim in json.loads(row.text("deliveries"))
    )
    return Dispatch(event, deliveries, row.etag)


def _hook_values(hook: Hook) -> dict[str, Any]:
    return {
        "id": hook.id,
        "url": hook.url,
        "events": list(hook.events),
        "created": stamp(hook.created),
        "secret": hook.secret,
        "enabled": hook.enabled,
        "description": hook.description,
        "old_secret": hook.old_secret,
        "old_until": stamp(hook.old_until) if hook.old_until else "",
        "ended": hook.ended,
    }


def _hook(values: dict[str, Any]) -> Hook:
    known = tuple(one for one in EventType if one in values["events"])
    return Hook(
        id=values["id"],
        url=values["url"],
        events=known,
        created=read_stamp(values["created"]),
        secret=values["secret"],
        enabled=values["enabled"],
        description=values["description"],
        old_secret=values["old_secret"],
        old_until=read_stamp(values["old_until"]) if values["old_until"] else None,
        ended=values["ended"],
    )
