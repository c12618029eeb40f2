"""Removing rows, some at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from contextlib import suppress

from shared.errors import RowChanged
from shared.store.tables import MAX_OPERATIONS, Delete, Row, Tables


def remove(tables: Tables, table: str, partition: str, rows: Iterable[Row], most: int) -> int:
    """Delete these rows of one partition, up to ``most``; how many. One that is gone already counts as well."""
    removed = 0
    wanted = itertools.islice(rows, most)
    while batch := list(itertools.islice(wanted, MAX_OPERATIONS)):
        try:
            tables.commit(table, partition, [Delete(row.key) for row in batch])
        except RowChanged:
            # Somebody else removes some of them: one by one, then.
            for row in batch:
                with suppress(RowChanged):
                    tables.commit(table, partition, [Delete(row.key)])
        removed += len(batch)
    return removed
