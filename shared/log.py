"""One structured event per line: a name and allow-listed fields; never bodies, subjects, addresses or secrets."""

from __future__ import annotations

import json
import logging

_LOGGER = logging.getLogger("inbound")

FIELDS = frozenset(
    {
        *("tenant", "mailbox", "inbound", "incident", "outcome", "reason", "code", "error", "place", "state", "queue"),
        *("count", "kept", "more", "seconds", "attempts", "method", "status", "route"),
    }
)
"""What an event may carry. A field outside this list is a bug, found by the first test that reaches it."""


def event(name: str, level: int = logging.INFO, /, **fields: str | int | float | bool | None) -> None:
    """Write one event.

    ``tenant`` is the tenant key, ``mailbox`` and ``inbound`` are ids, ``seconds`` a duration, ``error`` the name of an
    exception's class (never its text: a library's text may quote a mail), ``place`` where in the code it was raised.

    Raises ``ValueError`` for a field that is not allowed.
    """
    if unknown := fields.keys() - FIELDS:
        raise ValueError(f"not allowed in a log event: {sorted(unknown)}")
    line = {"event": name, **{key: value for key, value in fields.items() if value is not None}}
    _LOGGER.log(level, "%s", json.dumps(line, ensure_ascii=True))
