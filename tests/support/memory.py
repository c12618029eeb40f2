"""Storage in memory, behind the seams of shared/store: what fast tests run on. It keeps the contracts of tests/contract."""

from __future__ import annotations

import itertools
import json
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from shared import trace
from shared.errors import RowChanged
from shared.model.doorbell import InboundBell, OutboundBell, PollBell, WebhookBell
from shared.store.tables import Delete, Insert, Operation, Replace, Row, Where, check_limits


@dataclass
class MemoryTables:
    """The same promises in memory, for tests that need no disk. Values go through JSON, so nothing is shared."""

    rows: dict[tuple[str, str, str], tuple[str, str]] = field(default_factory=dict)
    _etags: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, table: str, partition: str, key: str) -> Row | None:
        """See ``Tables.get``."""
        found = self.rows.get((table, partition, key))
        return None if found is None else Row(partition, key, json.loads(found[0]), found[1])

    def query(
        self,
        table: str,
        partition: str | None,
        start: str = "",
        end: str = "",
        where: Sequence[Where] = (),
        page: int = 1000,
        columns: Sequence[str] = (),
    ) -> Iterator[Row]:
        """See ``Tables.query``."""
        with self._lock:
            keys = sorted(key for key in self.rows if key[0] == table and partition in (None, key[1]))
        for key in keys:
            if key[2] < start or (end and key[2] >= end):
                continue
            row = self.get(*key)
            if row is not None and all(condition.holds(row.values) for condition in where):
                yield row

    def commit(self, table: str, partition: str, operations: Sequence[Operation]) -> tuple[str, ...]:
        """See ``Tables.commit``."""
        check_limits(operations)
        with self._lock:
            for operation in operations:
                self._check((table, partition, operation.key), operation)
            return tuple(self._apply((table, partition, operation.key), operation) for operation in operations)

    def _check(self, key: tuple[str, str, str], operation: Operation) -> None:
        found = self.rows.get(key)
        if isinstance(operation, Insert) and found is not None:
            raise RowChanged("A row is there already.")
        if isinstance(operation, (Replace, Delete)) and (
            found is None or (operation.etag and operation.etag != found[1])
        ):
            raise RowChanged("A row is not as it was read.")

    def _apply(self, key: tuple[str, str, str], operation: Operation) -> str:
        if isinstance(operation, Delete):
            del self.rows[key]
            return ""
        etag = f'W/"{next(self._etags)}"'
        self.rows[key] = (json.dumps(dict(operation.values)), etag)
        return etag


@dataclass
class MemoryBlobs:
    """The same promises in memory."""

    content: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def write(self, container: str, name: str, content: bytes) -> bool:
        """See ``Blobs.write``."""
        return self.content.setdefault((container, name), content) is content

    def read(self, container: str, name: str) -> bytes | None:
        """See ``Blobs.read``."""
        return self.content.get((container, name))

    def delete(self, container: str, name: str) -> None:
        """See ``Blobs.delete``."""
        self.content.pop((container, name), None)

    def names(self, container: str, prefix: str) -> Iterator[str]:
        """See ``Blobs.names``."""
        yield from sorted(name for place, name in self.content if place == container and name.startswith(prefix))


@dataclass
class MemoryQueues:
    """Bells in memory, in the order they were rung; a test takes them out by hand."""

    inbound: deque[str] = field(default_factory=deque)
    polls: deque[str] = field(default_factory=deque)
    outbound: deque[str] = field(default_factory=deque)
    webhooks: deque[str] = field(default_factory=deque)

    def ring_inbound(self, tenant: str, mailbox: str, id: str) -> None:
        """See ``ports.Queues.ring_inbound``."""
        self.inbound.append(InboundBell(tenant, mailbox, id).encode())

    def ring_poll(self, tenant: str, mailbox: str) -> None:
        """See ``ports.Queues.ring_poll``."""
        self.polls.append(PollBell(tenant, mailbox).encode())

    def ring_outbound(self, tenant: str, incident: int, note: int, delay: float = 0) -> None:
        """See ``ports.Queues.ring_outbound``. A test hears a delayed bell when it wants to."""
        self.outbound.append(OutboundBell(tenant, incident, note, trace.cause()).encode())

    def ring_webhook(self, tenant: str, event: str, delay: float = 0) -> None:
        """See ``ports.Queues.ring_webhook``. A test hears a delayed bell when it wants to."""
        self.webhooks.append(WebhookBell(tenant, event, trace.cause()).encode())
