"""Which trace a mail belongs to (W3C Trace Context, w3.org/TR/trace-context).

A mail's id is its trace's id: both are 32 hex digits. So everything that ever happens to a mail, from the poll that
kept it to the incident, is one trace, whatever lost a message on the way: the rescue rings with the same trace, and so
does whoever releases the mail a week later. Nothing is drawn by chance and nothing has to be stored.

What a mail causes (an acknowledgement, a notification, what webhooks are told) stays in its trace: the message on the
queue says so. Where nobody says so (an agent's answer, a mail that the rescue rang for), a mail that goes out has a
trace of its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_TRACE = re.compile(r"[0-9a-f]{32}")
_PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_NONE = "0" * 32
"""The specification's invalid trace."""

_CAUSE: ContextVar[str] = ContextVar("cause", default="")

ROOTS = frozenset({"kept", "unfetchable"})
"""With these a mail's trace begins: before them there was no mail."""

ACCEPTED = "converted/delivered"
"""The step after which mail goes out on its own: an acknowledgement, a notification."""


def trace_id(key: str) -> str:
    """The trace of a mail, by its id; of anything else, by whatever names it for ever."""
    return key if _TRACE.fullmatch(key) and key != _NONE else _hex(key, 32)


def span_id(trace: str, step: str) -> str:
    """The span of one step in a trace, 16 hex digits. The same step told twice is the same span."""
    return _hex(f"{trace}/{step}", 16)


def traceparent(key: str, step: str) -> str:
    """The header's value: what comes after it was caused by this step."""
    trace = trace_id(key)
    return f"00-{trace}-{span_id(trace, step)}-01"


def outgoing(tenant: str, incident: int, note: int) -> str:
    """What names a mail that goes out for ever."""
    return f"{tenant}/{incident}/{note}"


def step(event: str, fields: Mapping[str, object]) -> str:
    """What an event is in its trace: a mail can be held and then delivered, and be tried three times on its way out."""
    if "inbound" in fields:
        return "/".join([event, *(str(fields[name]) for name in ("outcome",) if name in fields)])
    # Two events told to one webhook differ in nothing but the time that it took.
    apart = ("incident", "note", "webhook", "state", "attempts", *(("seconds",) if "webhook" in fields else ()))
    return "/".join([event, *(str(fields[name]) for name in apart if name in fields)])


def came_after(event: str, fields: Mapping[str, object]) -> str:
    """The step that led to an event about a mail that came in; empty where the trace begins."""
    if event in ROOTS:
        return ""
    if event in ("mail_released", "mail_discarded"):
        return "converted/held"
    # Of released mail no delay is told: the time that it waited for a person would be counted.
    return "mail_released" if event == "converted" and "delay" not in fields else "kept"


@contextmanager
def caused_by(parent: str) -> Iterator[None]:
    """While this lasts, what happens on this thread was caused by that step: a ``traceparent``, or empty for nobody."""
    token = _CAUSE.set(parent if _PARENT.fullmatch(parent) else "")
    try:
        yield
    finally:
        _CAUSE.reset(token)


def cause() -> str:
    """The ``traceparent`` of what caused what happens now; empty when nobody said so."""
    return _CAUSE.get()


def parts(parent: str) -> tuple[str, str]:
    """Trace and span of a ``traceparent``; two empty ones if it is none."""
    read = _PARENT.fullmatch(parent)
    return (read[1], read[2]) if read else ("", "")


def _hex(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
