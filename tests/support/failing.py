"""Storage that goes wrong at one chosen operation, or lets something else happen just before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from shared.errors import StoreUnavailable
from shared.model.doorbell import InboundBell, OutboundBell, PollBell, WebhookBell
from shared.store.raw import Blobs
from shared.store.tables import Operation, Row, Tables, Where
from tests.support.memory import MemoryQueues

Result = TypeVar("Result")

Kind = Literal["before", "after", "outage", "again"]
"""before: the operation does not happen. after: it happens and its answer is lost. outage: from it on, none happens.
again: it happens, its answer is lost, and the SDK tries again by itself, as Azure's does: it meets its own write."""


@dataclass
class Fault:
    """Counts storage operations once armed; the one numbered ``at`` (from 1) goes wrong.

    ``instead``: not an error, but something to do just before that operation (another process that gets its turn).
    """

    at: int = 0
    kind: Kind = "before"
    instead: Callable[[], None] | None = None
    armed: bool = False
    count: int = 0

    def arm(self, at: int, kind: Kind = "before", instead: Callable[[], None] | None = None) -> None:
        """From now on, operations count."""
        self.at, self.kind, self.instead = at, kind, instead
        self.armed, self.count = True, 0

    def disarm(self) -> None:
        """Storage works again."""
        self.armed = False

    def around(self, operation: Callable[[], Result]) -> Result:
        """Do the operation, or what is to go wrong."""
        if not self.armed:
            return operation()
        self.count += 1
        hit = self.count == self.at
        if hit and self.instead is not None:
            self.armed = False
            self.instead()
            return operation()
        if self.instead is None and hit and self.kind == "again":
            operation()
            return operation()
        if self.instead is None and hit and self.kind == "after":
            operation()
            raise StoreUnavailable("The answer was lost.")
        if self.instead is None and (hit or (self.kind == "outage" and 0 < self.at < self.count)):
            raise StoreUnavailable("Storage did not answer.")
        return operation()


@dataclass
class FailingTables:
    """Tables with a fault."""

    inner: Tables
    fault: Fault

    def get(self, table: str, partition: str, key: str) -> Row | None:
        return self.fault.around(lambda: self.inner.get(table, partition, key))

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
        rows = self.fault.around(lambda: list(self.inner.query(table, partition, start, end, where, page, columns)))
        yield from rows

    def commit(self, table: str, partition: str, operations: Sequence[Operation]) -> tuple[str, ...]:
        return self.fault.around(lambda: self.inner.commit(table, partition, operations))


@dataclass
class FailingBlobs:
    """Blobs with a fault."""

    inner: Blobs
    fault: Fault

    def write(self, container: str, name: str, content: bytes) -> bool:
        return self.fault.around(lambda: self.inner.write(container, name, content))

    def delete(self, container: str, name: str) -> None:
        self.fault.around(lambda: self.inner.delete(container, name))

    def read(self, container: str, name: str) -> bytes | None:
        return self.fault.around(lambda: self.inner.read(container, name))

    def names(self, container: str, prefix: str) -> Iterator[str]:
        yield from self.fault.around(lambda: list(self.inner.names(container, prefix)))


@dataclass
class FailingQueues(MemoryQueues):
    """Queues with a fault."""

    fault: Fault = field(default_factory=Fault)

    def ring_inbound(self, tenant: str, mailbox: str, id: str) -> None:
        self.fault.around(lambda: self.inbound.append(InboundBell(tenant, mailbox, id).encode()))

    def ring_poll(self, tenant: str, mailbox: str) -> None:
        self.fault.around(lambda: self.polls.append(PollBell(tenant, mailbox).encode()))

    def ring_outbound(self, tenant: str, incident: int, note: int, delay: float = 0) -> None:
        self.fault.around(lambda: self.outbound.append(OutboundBell(tenant, incident, note).encode()))

    def ring_webhook(self, tenant: str, event: str, delay: float = 0) -> None:
        self.fault.around(lambda: self.webhooks.append(WebhookBell(tenant, event).encode()))
