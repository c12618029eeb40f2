"""One structured event per line: a name and allow-listed fields; never bodies, subjects, addresses or secrets.

The README lists every event with its fields (section "Events"; a test compares). Azure's host takes the lines from
the logger as they are, so nothing has to be set up, and nothing leaves the machine in a local run.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter

from shared import trace

_LOGGER = logging.getLogger("inbound")

Field = str | int | float | bool | None

FIELDS = frozenset(
    {
        *("tenant", "mailbox", "inbound", "incident", "note", "outcome", "reason", "code", "error", "place", "state"),
        *("count", "kept", "more", "seconds", "delay", "waited", "days", "attempts", "operations"),
        *("round_trips", "trace", "span"),
    }
)
"""What an event may carry. A field outside this list is a bug, found by the first test that reaches it."""

COUNTED = ("operations", "round_trips")
"""What is counted between events: requests to storage, and to mail servers."""

TELL_AT = 100
"""Counted without any event on that thread (people who read pages): then an event of its own tells."""


class _Counters(threading.local):
    """Per thread, as one function call stays on one thread: so a poll's numbers are its own."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()


_COUNTERS = _Counters()


def event(name: str, level: int = logging.INFO, /, **fields: Field) -> None:
    """Write one event.

    ``tenant`` is the tenant key, ``mailbox`` and ``inbound`` are ids, ``seconds`` a duration, ``error`` the name of an
    exception's class (never its text: a library's text may quote a mail), ``place`` where in the code it was raised.
    ``trace`` and ``span`` (W3C Trace Context) are added to what is about one mail, and to every event what was counted
    on its thread since the one before.

    Raises ``ValueError`` for a field that is not allowed.
    """
    if unknown := fields.keys() - FIELDS:
        raise ValueError(f"not allowed in a log event: {sorted(unknown)}")
    said = {key: value for key, value in fields.items() if value is not None}
    _LOGGER.log(level, "%s", json.dumps({"event": name, **said, **_traced(name, said), **_counted()}))


def count(what: str) -> None:
    """One more of what is counted (``COUNTED``); the next event on this thread tells how many."""
    counts = _COUNTERS.counts
    counts[what] += 1
    if counts[what] >= TELL_AT:
        event("usage")


def _traced(name: str, fields: dict[str, str | int | float | bool]) -> dict[str, str]:
    if "inbound" in fields:
        key = str(fields["inbound"])
    elif {"tenant", "incident", "note"} <= fields.keys():
        key = trace.outgoing(str(fields["tenant"]), int(fields["incident"]), int(fields["note"]))
    else:
        return {}
    id = trace.trace_id(key)
    return {"trace": id, "span": trace.span_id(id, name)}


def _counted() -> dict[str, int]:
    counts, _COUNTERS.counts = _COUNTERS.counts, Counter()
    return dict(counts)
