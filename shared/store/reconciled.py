"""How far mailboxes are reconciled: table ``tenants``, partition ``reconciled``, a row ``<tenant>:<mailbox>`` each, so
that one query reads all. They are made anew when they are lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from shared.errors import RowChanged
from shared.model.reason import Outcome
from shared.model.reconciliation import Mark
from shared.store import keys
from shared.store.tables import Delete, Row, Tables, Upsert, Value, Where

TABLE = "tenants"
PARTITION = "reconciled"


class TableReconciled:
    """``flows.reconcile.Reconciled`` on tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def marks(self) -> Iterator[Mark]:
        """See ``Reconciled.marks``."""
        return map(_mark, self._tables.query(TABLE, PARTITION))

    def save(self, mark: Mark) -> None:
        """See ``Reconciled.save``."""
        values: dict[str, Value] = {
            "generation": mark.generation,
            "floor": keys.stamp(mark.floor),
            "until": keys.stamp(mark.until),
            "looked": keys.stamp(mark.looked),
            "whole": keys.stamp(mark.whole) if mark.whole else "",
        }
        self._tables.commit(TABLE, PARTITION, [Upsert(_key(mark), values)])

    def forget(self, mark: Mark) -> None:
        """See ``Reconciled.forget``."""
        with suppress(RowChanged):
            self._tables.commit(TABLE, PARTITION, [Delete(_key(mark))])

    def rows(self, tenant: str, mailbox: str, since: datetime) -> set[str]:
        """See ``Reconciled.rows``."""
        where = [Where("mailbox", "eq", mailbox)]
        found: set[str] = set()
        for outcome in Outcome:
            # The index has the newest first, so these are the first ones of each outcome. Failed mail is not taken
            # from here: some of it is worth fetching again.
            if outcome is Outcome.FAILED:
                continue
            prefix = f"E:{outcome}:"
            end = f"{prefix}{keys.newest_first(since)}{keys.AFTER}"
            rows = self._tables.query("desk", tenant, prefix, end, where, columns=("mailbox",))
            found |= {row.key.rpartition(":")[2] for row in rows}
        return found


def _key(mark: Mark) -> str:
    return f"{mark.tenant}:{mark.mailbox}"


def _mark(row: Row) -> Mark:
    tenant, _, mailbox = row.key.rpartition(":")
    floor, until, looked = (keys.read_stamp(row.text(name)) for name in ("floor", "until", "looked"))
    whole = row.text("whole")
    return Mark(
        tenant, mailbox, row.text("generation"), floor, until, looked, keys.read_stamp(whole) if whole else None
    )
