"""One structured event per line: a name and allow-listed fields; never bodies, subjects, addresses or secrets.

The README lists every event with its fields (section "Events"; a test compares). Azure's host takes the lines from
the logger as they are, so nothing has to be set up, and nothing leaves the machine in a local run. Whoever wants the
same as spans and metrics listens (``shared.telemetry``).
"""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from shared import trace

_LOGGER = logging.getLogger("inbound")

Field = str | int | float | bool | None

FIELDS = frozenset(
    {
        *("tenant", "mailbox", "inbound", "incident", "note", "outcome", "reason", "code", "error", "place", "state"),
        *("count", "kept", "more", "seconds", "delay", "waited", "days", "attempts", "operations"),
        *("round_trips", "trace", "span", "webhook", "parent"),
        *("unaccounted", "healed", "rows", "blobs", "erasure"),
        *("method", "role", "person", "credential"),
    }
)
"""What an event may carry. A field outside this list is a bug, found by the first test that reaches it."""

COUNTED = ("operations", "round_trips")
"""What is counted between events: requests to storage, and to mail servers."""

TELL_AT = 100
"""Counted without any event on that thread (people who read pages): then an event of its own tells."""


class Listener(Protocol):
    """Hears of every event, on the thread that wrote it. It must not raise."""

    def begins(self) -> None:
        """What the next event ends begins now."""
        ...

    def hears(self, name: str, fields: Mapping[str, str | int | float | bool]) -> None:
        """An event, with all that was added to its fields."""
        ...


_LISTENERS: list[Listener] = []


class _Counters(threading.local):
    """Per thread, as one function call stays on one thread: so a poll's numbers are its own."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.begun = False


_COUNTERS = _Counters()


def event(name: str, level: int = logging.INFO, /, **fields: Field) -> None:
    """Write one event.

    ``tenant`` is the tenant key, ``mailbox`` and ``inbound`` are ids, ``seconds`` a duration, ``error`` the name of an
    exception's class (never its text: a library's text may quote a mail), ``place`` where in the code it was raised.
    ``trace``, ``span`` and ``parent`` (W3C Trace Context) are added to what is about one mail, and to every event what
    was counted on its thread since the one before.

    Raises ``ValueError`` for a field that is not allowed.
    """
    if unknown := fields.keys() - FIELDS:
        raise ValueError(f"not allowed in a log event: {sorted(unknown)}")
    said = {key: value for key, value in fields.items() if value is not None}
    said = {**said, **_traced(name, said), **_counted()}
    _LOGGER.log(level, "%s", json.dumps({"event": name, **said}))
    for listener in _LISTENERS:
        listener.hears(name, said)


def begin() -> None:
    """An execution begins: the next event on this thread ends what begins now."""
    _COUNTERS.begun = True
    for listener in _LISTENERS:
        listener.begins()


def count(what: str) -> None:
    """One more of what is counted (``COUNTED``); the next event on this thread tells how many."""
    counts = _COUNTERS.counts
    if not _COUNTERS.begun:
        # The first request after an event begins what the next event ends.
        begin()
    counts[what] += 1
    if counts[what] >= TELL_AT:
        event("usage")


def listen(listener: Listener) -> Callable[[], None]:
    """From now on it hears of everything. Call the result to stop."""
    _LISTENERS.append(listener)
    return lambda: _LISTENERS.remove(listener)


def _traced(name: str, fields: Mapping[str, str | int | float | bool]) -> dict[str, str]:
    """Trace, span, and the span that led to it where there is one."""
    if "inbound" in fields:
        id = trace.trace_id(str(fields["inbound"]))
        before = trace.came_after(name, fields)
        parent = trace.span_id(id, before) if before else ""
    elif {"tenant", "incident", "note"} <= fields.keys():
        id, parent = trace.parts(trace.cause())
        if not id:
            own = trace.outgoing(str(fields["tenant"]), int(fields["incident"]), int(fields["note"]))
            id = trace.trace_id(own)
    elif "webhook" in fields and trace.cause():
        # Told of a mail that was kept, whatever was decided about it.
        id, _ = trace.parts(trace.cause())
        parent = trace.span_id(id, "kept")
    else:
        return {}
    found = {"trace": id, "span": trace.span_id(id, trace.step(name, fields))}
    return {**found, "parent": parent} if parent else found


def _counted() -> dict[str, int]:
    counts, _COUNTERS.counts = _COUNTERS.counts, Counter()
    _COUNTERS.begun = False
    return dict(counts)
