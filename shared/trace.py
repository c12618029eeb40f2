"""Which trace a mail belongs to (W3C Trace Context, w3.org/TR/trace-context).

A mail's id is its trace's id: both are 32 hex digits. So everything that ever happens to a mail, from the poll that
kept it to the incident, is one trace, whatever lost a message on the way: the rescue rings with the same trace, and so
does whoever releases the mail a week later. Nothing is drawn by chance and nothing has to be stored.
"""

from __future__ import annotations

import hashlib
import re

_TRACE = re.compile(r"[0-9a-f]{32}")
_NONE = "0" * 32
"""The specification's invalid trace."""


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


def _hex(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
