"""Connections that wait for the next poll of the same mailbox, where the process lives that long.

An idle poll then is one round trip instead of a new connection, TLS and log-in. Nothing depends on it: a connection
that the server closed meanwhile is replaced by a new one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

MAX_AGE = 600.0
"""Seconds a connection may wait: servers hang up after 30 minutes (RFC 9051, 5.4), firewalls sooner."""

MAX_CLIENTS = 40
"""Connections of one process: each holds a socket, and Azure gives an instance about 1,000 of them."""


class WarmClients:
    """Clients by key. A key names the mailbox and the version of its settings, so that a change is never missed."""

    def __init__(self, hang_up: Callable[[Any], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._hang_up = hang_up
        self._clock = clock
        self._clients: dict[str, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def take(self, key: str) -> Any | None:
        """The client that waits under this key, now the caller's alone; None when there is none."""
        with self._lock:
            parked, client = self._clients.pop(key, (0.0, None))
        if client is not None and self._clock() - parked > MAX_AGE:
            self._hang_up(client)
            return None
        return client

    def close(self) -> None:
        """Hang up all that wait."""
        with self._lock:
            gone, self._clients = list(self._clients.values()), {}
        for _, client in gone:
            self._hang_up(client)

    def park(self, key: str, client: Any) -> None:
        """Let a client wait. One that waits there already, one too many and those too old are hung up."""
        with self._lock:
            gone = [self._clients.pop(key)] if key in self._clients else []
            self._clients[key] = (self._clock(), client)
            old = [name for name, (parked, _) in self._clients.items() if self._clock() - parked > MAX_AGE]
            oldest_first = sorted(self._clients, key=lambda name: self._clients[name][0])
            many = oldest_first[: max(0, len(self._clients) - MAX_CLIENTS)]
            gone += [self._clients.pop(name) for name in dict.fromkeys([*old, *many])]
        for _, each in gone:
            self._hang_up(each)
