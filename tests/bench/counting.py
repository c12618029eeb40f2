"""Storage in memory that counts what Azure would bill: one request each, a transaction of many rows too."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields

from shared.store.tables import Operation, Row, Tables, Where
from tests.support.memory import MemoryBlobs, MemoryQueues, MemoryTables

TABLE_READ, TABLE_WRITE = "table read", "table write"
BLOB_WRITE, BLOB_READ, BLOB_DELETE = "blob write", "blob read", "blob delete"
QUEUE_PUT = "queue put"
KINDS = (TABLE_READ, TABLE_WRITE, BLOB_WRITE, BLOB_READ, BLOB_DELETE, QUEUE_PUT)
"""``table write``: an entity-group transaction of 1 to 100 rows, billed as one (learn.microsoft.com/azure/storage/tables/
table-storage-design-guide, "Entity group transactions")."""

ROWS = "rows written"
"""Not billed; it tells how large the transactions are."""


class Counts(Counter[str]):
    """How many of each kind."""

    @property
    def requests(self) -> int:
        """All that is billed."""
        return sum(self[kind] for kind in KINDS)


class CountingTables:
    """``Tables`` that counts. A query is a request a page, as far as its rows were asked for, and one at least."""

    def __init__(self, tables: Tables, counts: Counts) -> None:
        self._tables = tables
        self._counts = counts

    def get(self, table: str, partition: str, key: str) -> Row | None:
        """See ``Tables.get``."""
        self._counts[TABLE_READ] += 1
        return self._tables.get(table, partition, key)

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
        self._counts[TABLE_READ] += 1
        for number, row in enumerate(self._tables.query(table, partition, start, end, where, page, columns)):
            if number and number % min(page, 1000) == 0:
                self._counts[TABLE_READ] += 1
            yield row

    def commit(self, table: str, partition: str, operations: Sequence[Operation]) -> tuple[str, ...]:
        """See ``Tables.commit``."""
        self._counts[TABLE_WRITE] += 1
        self._counts[ROWS] += len(operations)
        return self._tables.commit(table, partition, operations)


class CountingBlobs(MemoryBlobs):
    """``Blobs`` that counts; a blob that is there already costs the request all the same."""

    def __init__(self, counts: Counts) -> None:
        super().__init__()
        self._counts = counts

    def write(self, container: str, name: str, content: bytes) -> bool:
        """See ``Blobs.write``."""
        self._counts[BLOB_WRITE] += 1
        return super().write(container, name, content)

    def read(self, container: str, name: str) -> bytes | None:
        """See ``Blobs.read``."""
        self._counts[BLOB_READ] += 1
        return super().read(container, name)

    def delete(self, container: str, name: str) -> None:
        """See ``Blobs.delete``."""
        self._counts[BLOB_DELETE] += 1
        super().delete(container, name)


class _Bells(deque[str]):
    def __init__(self, counts: Counts) -> None:
        super().__init__()
        self._counts = counts

    def append(self, bell: str) -> None:
        self._counts[QUEUE_PUT] += 1
        super().append(bell)


@dataclass
class Store:
    """Tables, blobs and queues that count into one ``Counts``."""

    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self.tables = CountingTables(MemoryTables(), self.counts)
        self.blobs = CountingBlobs(self.counts)
        # Every queue there is, those too that come later.
        self.queues = MemoryQueues(**{one.name: _Bells(self.counts) for one in fields(MemoryQueues)})

    def take(self) -> Counts:
        """What was counted since the last time."""
        taken = Counts(self.counts)
        self.counts.clear()
        return taken
