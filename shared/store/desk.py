"""A tenant's mail, threads and incidents in one partition: every step is one entity-group transaction.

Why that gives each mail exactly one effect: a mail's row turns final only under If-Match while it is pending, in the
same transaction that makes its incident, note, number and thread entries.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from shared.errors import RowChanged
from shared.model import reason
from shared.model.happening import mail_held
from shared.model.inbound import (
    Content,
    Counts,
    Filed,
    Filing,
    HeldMail,
    Inbound,
    Kept,
    Step,
    ThreadEntry,
)
from shared.model.incident import Incident, Note, Status
from shared.model.limits import Limit, Tally
from shared.model.reason import Outcome
from shared.model.webhook import Hooks
from shared.ports import InboundKey, Page
from shared.store import keys, rows
from shared.store.answers import moved, relisted, undeliverable
from shared.store.bodies import INLINE_BODY, read_body, write_body
from shared.store.filing import (
    Ring,
    counted,
    decided,
    delivered_events,
    filed_as,
    index_operations,
    insert,
    link,
    more_notes,
    notes_of,
    outbound_operations,
    settle,
    together,
)
from shared.store.happenings import read_hooks, told
from shared.store.raw import Blobs
from shared.store.tables import Insert, Operation, Replace, Row, Tables, Upsert, Value, Where

TABLE = "desk"

KEEP_AT_ONCE = 40
"""Mails of one transaction: two rows each, below the 100 operations of Azure Tables."""

TURNS = 64
"""Locks that incidents and counters share: enough that few of them meet by chance."""

TURN_SECONDS = 2.0
"""Longest wait for one's turn at the counter: one request that hangs must not hold up the others for its whole time."""

MOST_COUNTED = dict.fromkeys(Outcome, 5000) | dict.fromkeys((Outcome.PENDING, Outcome.HELD, Outcome.FAILED), 10_000)
"""Rows of a tenant's ledger that counting looks at, the newest first; a page of 1,000 is a request. Of what waits for
somebody more than of what is done with, where no decision depends on the number."""

_WITHOUT_RAW = frozenset({reason.UNFETCHABLE.code, reason.RAW_LOST.code})
"""Outcomes of mails that are worth fetching again when the server lists them again."""


class TableDesk:
    """``ports.Desk`` on tables and blobs."""

    def __init__(
        self, tables: Tables, blobs: Blobs, most_counted: Mapping[Outcome, int] = MappingProxyType(MOST_COUNTED)
    ) -> None:
        self._tables = tables
        self._blobs = blobs
        self._most_counted = most_counted
        self._turns = tuple(threading.Lock() for _ in range(TURNS))

    # ── the cursor ────────────────────────────────────────────────────────────────────────────────────────────────

    def cursor(self, tenant: str, mailbox: str, generation: str) -> tuple[str, str]:
        """See ``ports.Desk.cursor``."""
        row = self._tables.get(TABLE, tenant, keys.cursor(mailbox, generation))
        if row is None:
            return "", ""
        if name := row.text("name"):
            # Without it the mailbox is read from its beginning, which doubles nothing.
            content = self._blobs.read("cursors", name)
            return (content.decode() if content is not None else ""), row.etag
        return row.text("cursor"), row.etag

    def move_cursor(self, tenant: str, mailbox: str, generation: str, cursor: str, version: str) -> str:
        """See ``ports.Desk.move_cursor``."""
        key = keys.cursor(mailbox, generation)
        values: dict[str, Value] = {"cursor": cursor}
        if len(cursor.encode("utf-16-le")) > INLINE_BODY * 2:
            # POP3 has to remember every mail that is left on the server. Named by its content, so that an older one
            # that a row still names is never overwritten.
            name = f"{tenant}/{mailbox}/{hashlib.sha256(cursor.encode()).hexdigest()}"
            self._blobs.write("cursors", name, cursor.encode())
            values = {"name": name}
        before = self._tables.get(TABLE, tenant, key) if version else None
        write = Replace(key, values, version) if version else Insert(key, values)
        (new_version,) = self._tables.commit(TABLE, tenant, [write])
        if before and before.etag == version and (old := before.text("name")) and old != values.get("name"):
            self._blobs.delete("cursors", old)
        return new_version

    # ── keeping ───────────────────────────────────────────────────────────────────────────────────────────────────

    def keep(self, tenant: str, mails: Sequence[Kept], now: datetime) -> tuple[str, ...]:
        """See ``ports.Desk.keep``."""
        new: list[str] = []
        for start in range(0, len(mails), KEEP_AT_ONCE):
            new.extend(self._keep_some(tenant, mails[start : start + KEEP_AT_ONCE], now))
        return tuple(new)

    def _keep_some(self, tenant: str, mails: Sequence[Kept], now: datetime) -> list[str]:
        waiting = [_pending(mail, now) for mail in {mail.id: mail for mail in mails}.values()]
        ring: Ring = {"rung": keys.stamp(now), "rings": 0}
        try:
            self._tables.commit(TABLE, tenant, [one for mail in waiting for one in insert(mail, ring)])
        except RowChanged:
            # Some are there already (a poll that was cut off, or runs at the same time): one by one, then.
            return [mail.id for mail in waiting if self._keep_one(tenant, mail, ring)]
        return [mail.id for mail in waiting]

    def _keep_one(self, tenant: str, mail: Inbound, ring: Ring) -> bool:
        there = self.inbound(tenant, mail.id)
        if there is not None and there.reason not in _WITHOUT_RAW:
            return False
        again = replace(mail, kept=there.kept, released=there.released) if there else mail
        try:
            self._tables.commit(TABLE, tenant, settle(there, again, ring) if there else insert(mail, ring))
        except RowChanged:
            return False  # whoever was faster rings its bell
        return True

    def keep_unfetched(self, tenant: str, mail: Kept, now: datetime) -> None:
        """See ``ports.Desk.keep_unfetched``."""
        row = replace(_pending(mail, now), outcome=Outcome.FAILED, reason=reason.UNFETCHABLE.code)
        try:
            self._tables.commit(TABLE, tenant, insert(row, {}))
        except RowChanged:
            return  # it has a row, so it is accounted for

    def known(self, tenant: str, ids: Iterable[str]) -> frozenset[str]:
        """See ``ports.Desk.known``."""
        found = (self.inbound(tenant, id) for id in ids)
        return frozenset(mail.id for mail in found if mail is not None and mail.reason not in _WITHOUT_RAW)

    # ── the ledger ────────────────────────────────────────────────────────────────────────────────────────────────

    def inbound(self, tenant: str, id: str) -> Inbound | None:
        """See ``ports.Desk.inbound``."""
        row = self._tables.get(TABLE, tenant, keys.source(id))
        return rows.read_inbound(row) if row else None

    def pending(self, tenant: str) -> Iterator[tuple[InboundKey, datetime, int]]:
        """See ``ports.Desk.pending``."""
        found = list(self._range(tenant, f"E:{Outcome.PENDING}:", columns=("mailbox", "rung", "rings")))
        for row in reversed(found):
            key = InboundKey(row.text("mailbox"), row.key.rpartition(":")[2])
            yield key, keys.read_stamp(row.text("rung")), row.number("rings")

    def note_ring(self, tenant: str, id: str, now: datetime) -> None:
        """See ``ports.Desk.note_ring``."""
        mail = self.inbound(tenant, id)
        if mail is None or mail.outcome is not Outcome.PENDING:
            return
        row = self._tables.get(TABLE, tenant, keys.entry(mail.outcome, mail.kept, id))
        if row is None:
            return
        rung: Ring = {"rung": keys.stamp(now), "rings": row.number("rings") + 1}
        try:
            self._tables.commit(TABLE, tenant, [Replace(row.key, {**row.values, **rung}, row.etag)])
        except RowChanged:
            return  # decided meanwhile: there is nothing left to ring for

    def lose_raw(self, tenant: str, inbound: Inbound, generation: str, trace: Step) -> None:
        """See ``ports.Desk.lose_raw``."""
        lost = replace(inbound, outcome=Outcome.FAILED, reason=reason.RAW_LOST.code, trace=(trace,))
        rewind = Upsert(keys.cursor(inbound.mailbox, generation), {"cursor": ""})
        self._tables.commit(TABLE, tenant, [*settle(inbound, lost), rewind])

    def give_up(self, tenant: str, id: str, now: datetime) -> bool:
        """See ``ports.Desk.give_up``."""
        mail = self.inbound(tenant, id)
        if mail is None or mail.outcome is not Outcome.PENDING:
            return False
        step = Step("give_up", True, "converting it failed as often as the queue tries")
        failed = replace(mail, outcome=Outcome.FAILED, reason=reason.CONVERSION_FAILED.code, trace=(step,))
        self._tables.commit(TABLE, tenant, settle(mail, failed))
        return True

    def retry(self, tenant: str, id: str, now: datetime) -> bool:
        """See ``ports.Desk.retry``."""
        mail = self.inbound(tenant, id)
        if mail is None or mail.outcome is not Outcome.FAILED or mail.reason != reason.CONVERSION_FAILED.code:
            return False
        self._decide_again(tenant, mail, mail.released, now)
        return True

    def release(self, tenant: str, id: str, by: str, now: datetime) -> bool:
        """See ``ports.Desk.release``."""
        mail = self.inbound(tenant, id)
        if mail is None or not mail.can_be_released:
            return False
        self._decide_again(tenant, mail, by, now)
        return True

    def discard(self, tenant: str, id: str, by: str) -> bool:
        """See ``ports.Desk.discard``."""
        mail = self.inbound(tenant, id)
        if mail is None or mail.outcome is not Outcome.HELD:
            return False
        step = Step("discarded_by_person", True, f"{by} discarded it")
        gone = replace(
            mail, outcome=Outcome.DISCARDED, reason=reason.DISCARDED_BY_PERSON.code, trace=(*mail.trace, step)
        )
        self._tables.commit(TABLE, tenant, settle(mail, gone))
        return True

    def _decide_again(self, tenant: str, mail: Inbound, released: str, now: datetime) -> None:
        again = replace(mail, outcome=Outcome.PENDING, reason=reason.WAITING.code, trace=(), released=released)
        self._tables.commit(TABLE, tenant, settle(mail, again, {"rung": keys.stamp(now), "rings": 0}))

    def ledger(
        self,
        tenant: str,
        outcome: Outcome | None,
        reason: str | None,
        mailbox: str | None,
        after: str,
        limit: int,
    ) -> Page[Inbound]:
        """See ``ports.Desk.ledger``."""
        where = [Where(name, "eq", value) for name, value in (("reason", reason), ("mailbox", mailbox)) if value]
        prefixes = [f"E:{one}:" for one in ([outcome] if outcome else Outcome)]
        found, next_ = self._newest(tenant, prefixes, after, where, limit)
        return Page(tuple(rows.read_inbound(row) for row in found), next_)

    def counts(self, tenant: str, mailbox: str) -> Counts:
        """See ``ports.Desk.counts``."""
        found = {outcome: self._by_mailbox(tenant, outcome, self._most_counted[outcome]) for outcome in Outcome}
        mails = {outcome: by_mailbox[mailbox] for outcome, (by_mailbox, _) in found.items()}
        return Counts(mails, frozenset(outcome for outcome, (_, complete) in found.items() if not complete))

    def held(self, tenant: str, most: int) -> HeldMail:
        """See ``ports.Desk.held``."""
        return HeldMail(*self._by_mailbox(tenant, Outcome.HELD, most))

    def _by_mailbox(self, tenant: str, outcome: Outcome, most: int) -> tuple[Counter[str], bool]:
        """How many of the newest mails of this outcome each mailbox has, and whether they are all there are."""
        # The mailbox is no condition of the query: storage would look through all rows for those of a quiet one.
        rows = self._range(tenant, f"E:{outcome}:", columns=("mailbox",))
        found = Counter(row.text("mailbox") for row in itertools.islice(rows, most))
        return found, found.total() < most or next(rows, None) is None

    # ── threads ───────────────────────────────────────────────────────────────────────────────────────────────────

    def thread(self, tenant: str, group: str, message_id: str) -> ThreadEntry | None:
        """See ``ports.Desk.thread``."""
        row = self._tables.get(TABLE, tenant, keys.thread(group, message_id))
        return rows.read_thread(row, message_id) if row else None

    def content(self, tenant: str, digest: str) -> Content:
        """See ``ports.Desk.content``."""
        row = self._tables.get(TABLE, tenant, keys.digest(digest))
        return rows.read_content(row) if row else Content()

    # ── incidents ─────────────────────────────────────────────────────────────────────────────────────────────────

    def incident(self, tenant: str, number: int) -> Incident | None:
        """See ``ports.Desk.incident``."""
        row = self._tables.get(TABLE, tenant, keys.incident(number))
        return rows.read_incident(row) if row else None

    def notes(self, tenant: str, number: int, after: int, limit: int) -> tuple[Note, ...]:
        """See ``ports.Desk.notes``."""
        start, end = keys.note(number, after + 1), keys.note(number, after + 1 + limit)
        found = self._tables.query(TABLE, tenant, start, end)
        return tuple(rows.read_note(row, read_body(self._blobs, tenant, row)) for row in found)

    def incidents(
        self,
        tenant: str,
        status: Status | None,
        mailbox: str | None,
        group: str | None,
        after: str,
        limit: int,
    ) -> Page[Incident]:
        """See ``ports.Desk.incidents``."""
        where = [Where(name, "eq", value) for name, value in (("mailbox", mailbox), ("group", group)) if value]
        prefixes = [f"L:{one}:" for one in ([status] if status else Status)]
        found, next_ = self._newest(tenant, prefixes, after, where, limit)
        return Page(tuple(rows.read_incident(row) for row in found), next_)

    # ── filing ────────────────────────────────────────────────────────────────────────────────────────────────────

    def file(self, tenant: str, filing: Filing) -> Filed:
        """See ``ports.Desk.file``."""
        # Before one's turn, so that nobody waits for this read.
        hooks = read_hooks(self._tables, tenant)
        if filing.decision.outcome is not Outcome.DELIVERED:
            return self._file_undelivered(tenant, filing, hooks)
        # Every new incident of a tenant meets at the counter, every answer at its incident. Taking turns within a
        # process costs nothing and saves most collisions (6 threads: some lost 8 times in a row); between processes
        # the ETag decides, as always.
        place = filing.decision.join.number if filing.decision.join else 0
        turn = self._turns[hash((tenant, place)) % TURNS]
        mine = turn.acquire(timeout=TURN_SECONDS)
        try:
            return self._file_delivered(tenant, self._counted_anew(tenant, filing), hooks)
        finally:
            if mine:
                turn.release()

    def _counted_anew(self, tenant: str, filing: Filing) -> Filing:
        """The limits as they are when one's turn has come: those of a mailbox are met by every mail, and whoever was
        waiting would lose against the one before him. Raises ``RowChanged`` when one has become full meanwhile: then
        the mail has to be decided again."""
        if not filing.decision.count:
            return filing
        fresh = self.tallies(tenant, (tally.limit for tally in filing.decision.count))
        if any(tally.is_full for tally in fresh):
            raise RowChanged("A limit became full.")
        return replace(filing, decision=replace(filing.decision, count=fresh))

    def _file_delivered(self, tenant: str, filing: Filing, hooks: Hooks) -> Filed:
        operations, incident = self._incident_operations(tenant, filing)
        filed = filed_as(filing, incident)
        operations += settle(filing.inbound, decided(filing, filed))
        notes = notes_of(filing, filed)
        operations += [self._note(tenant, incident.number, note, name) for note, name in notes]
        operations += outbound_operations(filing, filed)
        operations += index_operations(filing, incident.number)
        operations += [counted(tally) for tally in filing.decision.count]
        if filing.bounced is not None:
            operations += moved(*filing.bounced)
        operations += [undeliverable(address, why) for address, why in filing.undeliverable]
        events, ids = told(hooks, delivered_events(tenant, filing, incident, [note for note, _ in notes]))
        self._tables.commit(TABLE, tenant, [*operations, *events])
        return replace(filed, events=ids)

    def tallies(self, tenant: str, limits: Iterable[Limit]) -> tuple[Tally, ...]:
        """See ``ports.Desk.tallies``."""
        return tuple(self._tally(tenant, limit) for limit in limits)

    def _tally(self, tenant: str, limit: Limit) -> Tally:
        row = self._tables.get(TABLE, tenant, keys.tally(limit.end, limit.name, limit.key))
        return Tally(limit, row.number("count"), row.etag) if row else Tally(limit)

    def _file_undelivered(self, tenant: str, filing: Filing, hooks: Hooks) -> Filed:
        filed = Filed(filing.decision.duplicate_of, None)
        after = decided(filing, filed)
        is_held = after.outcome is Outcome.HELD
        held = [mail_held(tenant, filing.inbound, after, filing.now or filing.at)] if is_held else []
        events, ids = told(hooks, held)
        self._tables.commit(TABLE, tenant, [*settle(filing.inbound, after), *events])
        return replace(filed, events=ids)

    def _incident_operations(self, tenant: str, filing: Filing) -> tuple[list[Operation], Incident]:
        if (joined := filing.decision.join) is None:
            return self._open(tenant, filing)
        effect = filing.decision.effect
        new_people = (filing.author, *filing.participants) if effect.adopt else ()
        after = replace(
            joined,
            updated=max(filing.at, joined.updated),
            status=effect.status or joined.status,
            notes_count=joined.notes_count + 1,
            participants=together(joined.participants, new_people),
            related=tuple(dict.fromkeys((*joined.related, *filing.decision.related))),
        )
        operations: list[Operation] = [
            Replace(keys.incident(joined.number), rows.incident_values(after), joined.version),
            *relisted(joined, after),
        ]
        return operations, after

    def _open(self, tenant: str, filing: Filing) -> tuple[list[Operation], Incident]:
        counter = self._tables.get(TABLE, tenant, keys.COUNTER)
        number = counter.number("last") + 1 if counter else 1
        effect = filing.decision.effect
        incident = Incident(
            number=number,
            subject=filing.subject,
            status=effect.status or Status.OPEN,
            group=filing.group,
            mailbox=filing.inbound.mailbox,
            reporter=filing.author,
            participants=together((filing.author,), filing.participants),
            created=filing.at,
            updated=filing.at,
            notes_count=1 + more_notes(filing),
            related=filing.decision.related,
        )
        counted = {"last": number}
        operations: list[Operation] = [
            Replace(keys.COUNTER, counted, counter.etag) if counter else Insert(keys.COUNTER, counted),
            Insert(keys.incident(number), rows.incident_values(incident)),
            Insert(keys.listed(incident.status, incident.updated, number), rows.incident_values(incident)),
        ]
        for twin in filing.decision.twins:
            operations += link(twin, number)
        return operations, incident

    def _note(self, tenant: str, incident: int, note: Note, name: str) -> Operation:
        values = rows.note_values(note) | write_body(self._blobs, tenant, name, note.body)
        return Insert(keys.note(incident, note.seq), values)

    # ── ranges ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _range(
        self,
        tenant: str,
        prefix: str,
        after: str = "",
        where: Sequence[Where] = (),
        page: int = 1000,
        columns: Sequence[str] = (),
    ) -> Iterator[Row]:
        start = prefix + after + keys.AFTER if after else prefix
        return self._tables.query(TABLE, tenant, start, prefix + keys.AFTER, where, page, columns)

    def _newest(
        self, tenant: str, prefixes: Sequence[str], after: str, where: Sequence[Where], limit: int
    ) -> tuple[list[Row], str | None]:
        """One page over several ranges of the same order: each key is ``prefix`` + what the ranges are merged by."""
        streams = [self._stream(tenant, prefix, after, where, limit + 1) for prefix in prefixes]
        found: list[tuple[str, Row]] = []
        for item in heapq.merge(*streams, key=lambda item: item[0]):
            if len(found) == limit:
                return [row for _, row in found], found[-1][0]
            found.append(item)
        return [row for _, row in found], None

    def _stream(
        self, tenant: str, prefix: str, after: str, where: Sequence[Where], page: int
    ) -> Iterator[tuple[str, Row]]:
        for row in self._range(tenant, prefix, after, where, page):
            yield row.key.removeprefix(prefix), row


def _pending(mail: Kept, now: datetime) -> Inbound:
    return Inbound(
        id=mail.id,
        mailbox=mail.mailbox,
        received=mail.received,
        kept=now,
        size=mail.size,
        sha256=mail.sha256,
        truncated=mail.truncated,
        outcome=Outcome.PENDING,
        reason=reason.WAITING.code,
    )
