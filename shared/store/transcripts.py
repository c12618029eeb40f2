"""Transcripts: rows ``X:<mailbox>:<newest first>`` of table ``desk``, one per conversation, for a day."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.store import keys
from shared.store.sweeping import remove
from shared.store.tables import Delete, Operation, Row, Tables, Upsert, Where

TABLE = "desk"

KEPT_FOR = timedelta(days=1)

MAX_UNITS = 30_000
"""UTF-16 units of one conversation, below what a property holds: its end is kept, where the trouble shows."""

DELETE_AT_ONCE = 50


class TableTranscripts:
    """``ports.Transcripts`` on tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(self, tenant: str, mailbox: str, lines: Sequence[str], now: datetime) -> None:
        """See ``ports.Transcripts.add``."""
        values = {"lines": json.dumps(_last(lines), ensure_ascii=False), "at": keys.stamp(now)}
        operations: list[Operation] = [Upsert(keys.transcript(mailbox, now), values)]
        old = itertools.islice(self._rows(tenant, mailbox, now - KEPT_FOR), DELETE_AT_ONCE)
        operations += [Delete(row.key) for row in old if row.key != operations[0].key]
        self._tables.commit(TABLE, tenant, operations)

    def forget(self, tenant: str, mailbox: str) -> None:
        """See ``ports.Transcripts.forget``."""
        while rows := self._rows(tenant, mailbox)[:DELETE_AT_ONCE]:
            self._tables.commit(TABLE, tenant, [Delete(row.key) for row in rows])

    def sweep(self, tenant: str, now: datetime, most: int) -> int:
        """Remove those older than a day of all mailboxes, also of those that are not polled any more; how many."""
        where = [Where("at", "le", keys.stamp(now - KEPT_FOR))]
        old = self._tables.query(TABLE, tenant, "X:", "X:" + keys.AFTER, where, columns=("at",))
        return remove(self._tables, TABLE, tenant, old, most)

    def read(self, tenant: str, mailbox: str, now: datetime) -> list[str]:
        """See ``ports.Transcripts.read``."""
        lines: list[str] = []
        oldest = keys.stamp(now - KEPT_FOR)
        for row in reversed(self._rows(tenant, mailbox)):
            if row.text("at") <= oldest:
                continue
            lines += [f"── {row.text('at')} ──", *json.loads(row.text("lines"))]
        return lines

    def _rows(self, tenant: str, mailbox: str, before: datetime | None = None) -> list[Row]:
        prefix = keys.transcript(mailbox)
        where = [Where("at", "le", keys.stamp(before))] if before else []
        return list(self._tables.query(TABLE, tenant, prefix, prefix + keys.AFTER, where))


def _last(lines: Sequence[str]) -> list[str]:
    """The last lines that fit."""
    kept: list[str] = []
    left = MAX_UNITS
    for line in reversed(lines):
        # JSON may write a character as six, and adds quotes, a comma and a blank.
        left -= len(json.dumps(line, ensure_ascii=False).encode("utf-16-le")) // 2 + 2
        if left < 0:
            break
        kept.append(line)
    return kept[::-1]
