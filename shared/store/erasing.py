"""Everything of a deleted tenant, found by its key: the partition of table ``desk``, the rows of ``schedule`` and
``tenants`` that begin with it, and the blobs below it in every container.

Table ``tenants`` keeps one row of it, ``DELETED:<key>``: when it was made, deleted and erased, and how much that was.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from shared.errors import RowChanged
from shared.model.erasing import Gone
from shared.store import forgetting, keys, reconciled
from shared.store.raw import CONTAINERS, Blobs
from shared.store.sweeping import remove
from shared.store.tables import Replace, Row, Tables, Value
from shared.store.tenants import DELETED, PARTITION, TABLE

SHARED_PARTITIONS = (("tenants", reconciled.PARTITION), ("tenants", forgetting.ERASURES))
"""Where rows of all tenants lie together, each beginning with its tenant's key."""


class TableErasing:
    """``flows.erase.Erasing`` on tables and blobs."""

    def __init__(self, tables: Tables, blobs: Blobs) -> None:
        self._tables = tables
        self._blobs = blobs

    def gone(self) -> Iterator[Gone]:
        """See ``Erasing.gone``."""
        return map(_gone, list(self._tables.query(TABLE, PARTITION, DELETED, DELETED + keys.AFTER)))

    def save(self, gone: Gone) -> None:
        """See ``Erasing.save``."""
        row = self._tables.get(TABLE, PARTITION, DELETED + gone.tenant)
        if row is None:
            raise RowChanged("A row is not as it was read.")
        values: dict[str, Value] = {**row.values, "rows": gone.rows, "blobs": gone.blobs}
        for name, time in (("emptied", gone.emptied), ("erased", gone.erased)):
            values[name] = keys.stamp(time) if time else ""
        self._tables.commit(TABLE, PARTITION, [Replace(row.key, values, row.etag)])

    def remove_rows(self, tenant: str, most: int) -> int:
        """See ``Erasing.remove_rows``."""
        if removed := remove(self._tables, "desk", tenant, self._tables.query("desk", tenant, page=most), most):
            return removed
        start, end = f"{tenant}:", f"{tenant}:{keys.AFTER}"
        for table, partition in SHARED_PARTITIONS:
            found = self._tables.query(table, partition, start, end)
            removed += remove(self._tables, table, partition, found, most)
        # In the schedule a tenant's rows lie in all partitions.
        scheduled = list(itertools.islice(self._tables.query("schedule", None, start, end), most))
        for row in scheduled:
            removed += remove(self._tables, "schedule", row.partition, [row], 1)
        return removed

    def remove_blobs(self, tenant: str, most: int) -> int:
        """See ``Erasing.remove_blobs``."""
        found = ((place, name) for place in CONTAINERS for name in self._blobs.names(place, f"{tenant}/"))
        some = list(itertools.islice(found, most))
        for place, name in some:
            self._blobs.delete(place, name)
        return len(some)


def _gone(row: Row) -> Gone:
    emptied, erased = row.text("emptied"), row.text("erased")
    return Gone(
        tenant=row.text("key"),
        deleted=keys.read_stamp(row.text("deleted")),
        rows=row.number("rows"),
        blobs=row.number("blobs"),
        emptied=keys.read_stamp(emptied) if emptied else None,
        erased=keys.read_stamp(erased) if erased else None,
    )
