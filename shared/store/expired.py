"""What storage holds past its time, found by keys that sort by time: no run reads what an earlier one has dealt with.

Row ``U:raw`` of a tenant says how far its raw mail is incinerated (``model.retention.Progress``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from shared.errors import RowChanged
from shared.model import reason
from shared.model.inbound import Inbound, Step
from shared.model.reason import Outcome
from shared.model.retention import BEGINNING, Progress, may_be_settled
from shared.store import keys, rows
from shared.store.signins import TableSignIns
from shared.store.sweeping import remove
from shared.store.tables import Delete, Insert, Operation, Replace, Row, Tables, Upsert
from shared.store.transcripts import TableTranscripts
from shared.store.webhooks import TableWebhooks

TABLE = "desk"
PROGRESS = "U:raw"

LIMITS_KEPT_FOR = timedelta(days=1)
"""After its window's end. Mail is counted by the time the server received it, which may be some hours ago."""


class TableExpired:
    """``flows.incinerate.Expired`` on tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._transcripts = TableTranscripts(tables)
        self._sign_ins = TableSignIns(tables)

    def transcripts(self, tenant: str, now: datetime, most: int) -> int:
        """See ``Expired.transcripts``."""
        return self._transcripts.sweep(tenant, now, most)

    def limits(self, tenant: str, now: datetime, most: int) -> int:
        """See ``Expired.limits``."""
        end = f"R:{keys.stamp(now - LIMITS_KEPT_FOR)}"
        past = self._tables.query(TABLE, tenant, "R:", end, page=most, columns=("count",))
        return remove(self._tables, TABLE, tenant, past, most)

    def webhooks(self, tenant: str, now: datetime, most: int) -> int:
        """See ``Expired.webhooks``."""
        return TableWebhooks(self._tables).sweep(tenant, now, most)

    def sign_ins(self, now: datetime, most: int) -> int:
        """See ``Expired.sign_ins``."""
        return self._sign_ins.sweep(now, most)

    def undecided(self, tenant: str, before: datetime) -> Iterator[Inbound]:
        """See ``Expired.undecided``."""
        for outcome in (Outcome.HELD, Outcome.FAILED):
            yield from self._mails(tenant, outcome, BEGINNING, before)

    def settle(self, tenant: str, id: str) -> bool:
        """See ``Expired.settle``."""
        row = self._tables.get(TABLE, tenant, keys.source(id))
        mail = rows.read_inbound(row) if row else None
        if mail is None or not may_be_settled(mail):
            return False
        try:
            self._tables.commit(TABLE, tenant, _settled(mail))
        except RowChanged:
            return False
        return True

    def oldest_pending(self, tenant: str) -> datetime | None:
        """See ``Expired.oldest_pending``."""
        prefix, oldest = f"E:{Outcome.PENDING}:", ""
        for row in self._tables.query(TABLE, tenant, prefix, prefix + keys.AFTER, columns=("kept",)):
            oldest = row.text("kept")
        return keys.read_stamp(oldest) if oldest else None

    def progress(self, tenant: str) -> Progress:
        """See ``Expired.progress``."""
        row = self._tables.get(TABLE, tenant, PROGRESS)
        if row is None:
            return Progress()
        goal = row.text("goal")
        return Progress(keys.read_stamp(row.text("mark")), keys.read_stamp(goal) if goal else None, row.text("place"))

    def save(self, tenant: str, progress: Progress) -> None:
        """See ``Expired.save``."""
        goal = keys.stamp(progress.goal) if progress.goal else ""
        values = {"mark": keys.stamp(progress.mark), "goal": goal, "place": progress.place}
        self._tables.commit(TABLE, tenant, [Upsert(PROGRESS, values)])

    def decided(
        self, tenant: str, outcome: Outcome, since: datetime, before: datetime, place: str
    ) -> Iterator[tuple[str, Inbound]]:
        """See ``Expired.decided``."""
        for mail in self._mails(tenant, outcome, since, before, place):
            yield keys.entry(mail.outcome, mail.kept, mail.id), mail

    def _mails(
        self, tenant: str, outcome: Outcome, since: datetime, before: datetime, place: str = ""
    ) -> Iterator[Inbound]:
        """Kept from ``since`` to just before ``before``, the newest first; only those behind ``place``."""
        prefix = f"E:{outcome}:"
        start = f"{prefix}{keys.newest_first(before)}{keys.AFTER}"
        end = f"{prefix}{keys.newest_first(since)}{keys.AFTER}"
        if place.startswith(prefix):
            start = max(start, place + keys.AFTER)
        found: Iterator[Row] = self._tables.query(TABLE, tenant, start, end, page=500) if start < end else iter(())
        return map(rows.read_inbound, found)


def _settled(mail: Inbound) -> list[Operation]:
    """Its row under If-Match, and its move within the ledger's index, as ``TableDesk`` does it."""
    over = reason.RETENTION_OVER
    step = Step(over.code, True, f"it was {mail.outcome} ({mail.reason}) when the time was over that mail is kept")
    after = replace(mail, outcome=over.outcome, reason=over.code, trace=(*mail.trace, step))
    values = rows.inbound_values(after)
    old, new = (keys.entry(one.outcome, one.kept, one.id) for one in (mail, after))
    moved: list[Operation] = [Upsert(new, values)] if old == new else [Delete(old), Insert(new, values)]
    return [Replace(keys.source(mail.id), {**values, "trace": rows.trace_value(after.trace)}, mail.version), *moved]
