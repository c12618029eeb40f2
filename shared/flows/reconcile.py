"""Does every mail on the server have its row? Asked without the cursor, so that a mistake in it is found.

Each mailbox is listed anew about once a day and compared with the ledger. What has no row, and what the next poll would
not find by itself, is a gap: it is taken in as a poll would have done, and told. Nothing is doubled by that: a mail has
the same id however it was found. It may be cut off at any point; the next run begins anew.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from shared import log
from shared.errors import MailRefused, RowChanged, ServerError, SettingsError
from shared.flows.poll import MAX_SIZE
from shared.model import schedule
from shared.model.inbound import MAX_RAW_BYTES, Kept, inbound_id
from shared.model.mailbox import Mailbox
from shared.model.reconciliation import Mark
from shared.model.schedule import Slot
from shared.ports import App, Arrival, Source

BUDGET = timedelta(minutes=4)
"""Of one run, below half of host.json's functionTimeout: one slow server may come on top. The timer runs every
hour, and each run goes on with the mailboxes that were not looked at for longest."""

OF_A_MAILBOX = timedelta(seconds=60)
"""In which gaps of one mailbox are filled; the next day goes on. As long as a poll's own budget."""

EVERY = timedelta(hours=20)
"""So long a mailbox that was looked at is left alone: less than a day, so that the hour does not move on."""

WHOLE_EVERY = timedelta(days=7)
"""So often all of the days to download are compared; else only what came since the last time, which costs a request
or two where the whole costs one for each thousand mails."""

OVERLAP = timedelta(days=2)
"""What is looked at again each time: servers' clocks and days are not ours."""

GRACE = timedelta(minutes=15)
"""Beside two of the mailbox's own intervals: what came since then is the poll's."""

MAX_GAPS = 500
"""Mails of one mailbox that are looked into in one run, the newest. A POP3 server names years of mail from before the
days to download, and tells no dates: beyond these, nobody asks it for every single one, every night."""

MAX_EXPECTED = 2_000
"""Mails that the next poll may still find. A mailbox that is further behind is not judged: it is not done yet."""

MAX_MAILBOXES = 100_000

FORGOTTEN_AFTER = timedelta(days=30)
"""A mailbox that was not looked at for so long is gone, or disabled: then it begins anew."""


class Reconciled(Protocol):
    """What is remembered of mailboxes, and which mails have rows. Raises ``StoreError``."""

    def marks(self) -> Iterator[Mark]:
        """Of all tenants."""
        ...

    def save(self, mark: Mark) -> None: ...

    def forget(self, mark: Mark) -> None: ...

    def rows(self, tenant: str, mailbox: str, since: datetime) -> set[str]:
        """Ids of the mails that were kept since then, or a few less: some may be decided at this moment."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """``count`` mails were compared; ``unaccounted`` of them had no row, ``healed`` were taken in. ``more``: not all
    was gone through."""

    count: int
    unaccounted: int = 0
    healed: int = 0
    more: bool = False


def reconcile(app: App, reconciled: Reconciled) -> int:
    """Compare the mailboxes whose turn it is; how many were compared. A server that fails does not stop the others."""
    began = app.now()
    marks = {(mark.tenant, mark.mailbox): mark for mark in reconciled.marks()}
    for mark in marks.values():
        if began - mark.looked > FORGOTTEN_AFTER:
            reconciled.forget(mark)
    compared = 0
    for slot in _in_turn(app, marks, began):
        if app.now() - began >= BUDGET:
            break
        compared += _reconcile(app, reconciled, slot, marks.get((slot.tenant, slot.mailbox)))
    return compared


def _in_turn(app: App, marks: dict[tuple[str, str], Mark], now: datetime) -> list[Slot]:
    """Mailboxes that do well and were not looked at for long, those first that wait longest."""
    found = []
    for slot in app.schedule.oldest(MAX_MAILBOXES):
        mark = marks.get((slot.tenant, slot.mailbox))
        if _does_well(slot) and (mark is None or now - mark.looked >= EVERY):
            found.append((mark.looked if mark else slot.created, slot.tenant, slot.mailbox, slot))
    return [one[-1] for one in sorted(found, key=lambda one: one[:3])]


def _does_well(slot: Slot) -> bool:
    """A log-in that was refused must not be tried here as well, and what fails is told already."""
    return slot.last_success is not None and not slot.failures and not slot.paused


def _reconcile(app: App, reconciled: Reconciled, slot: Slot, mark: Mark | None) -> bool:
    """One mailbox, unless somebody polls it. Whether it was compared."""
    mailbox = app.mailboxes.get(slot.tenant, slot.mailbox)
    if mailbox is None or not mailbox.settings.enabled or (claimed := _claim(app, slot)) is None:
        return False
    began = app.now()
    if mark is None or mark.generation != mailbox.generation or began - mark.looked > FORGOTTEN_AFTER:
        mark = _first(mailbox, began)
    # Whatever stops the run here, the next one begins with the others.
    reconciled.save(replace(mark, looked=began - EVERY))
    try:
        _compare(app, reconciled, mailbox, mark)
    except (SettingsError, ServerError) as error:
        log.event("reconcile_failed", logging.WARNING, tenant=slot.tenant, mailbox=slot.mailbox, code=error.code)
        reconciled.save(replace(mark, looked=began))
        return False
    finally:
        _give_back(app, claimed)
    return True


def _compare(app: App, reconciled: Reconciled, mailbox: Mailbox, mark: Mark) -> None:
    began = app.now()
    before = began - timedelta(minutes=mailbox.settings.polling_minutes) * 2 - GRACE
    is_whole = mark.whole is None or began - mark.whole >= WHOLE_EVERY
    found = _Comparison(app, reconciled, mailbox, before).run(_since(mark, mailbox, began, is_whole))
    after = replace(mark, looked=began)
    if not found.more:
        after = replace(after, until=before, whole=began if is_whole else mark.whole)
    reconciled.save(after)
    log.event(
        "reconciled",
        logging.WARNING if found.unaccounted else logging.INFO,
        tenant=mailbox.tenant,
        mailbox=mailbox.id,
        count=found.count,
        unaccounted=found.unaccounted,
        healed=found.healed,
        more=found.more,
        seconds=(app.now() - began).total_seconds(),
    )


def _first(mailbox: Mailbox, now: datetime) -> Mark:
    floor = now - timedelta(days=mailbox.settings.days_to_download)
    return Mark(mailbox.tenant, mailbox.id, mailbox.generation, floor, floor, now)


def _since(mark: Mark, mailbox: Mailbox, now: datetime, is_whole: bool) -> datetime:
    # A day less than what was downloaded: that began with a day, in the server's zone.
    floor = max(mark.floor, now - timedelta(days=mailbox.settings.days_to_download)) + timedelta(days=1)
    return floor if is_whole else max(floor, mark.until - OVERLAP)


def _claim(app: App, slot: Slot) -> Slot | None:
    """Hold the mailbox, so that it is not polled meanwhile: POP3 lets one in at a time."""
    fresh = app.schedule.get(slot.tenant, slot.mailbox)
    if fresh is None or not _does_well(fresh) or (fresh.busy_until is not None and app.now() < fresh.busy_until):
        return None
    try:
        return app.schedule.put(replace(fresh, busy_until=app.now() + schedule.LEASE))
    except RowChanged:
        return None


def _give_back(app: App, claimed: Slot) -> None:
    """Its next poll is due when it was. If all fails, the lease ends by itself."""
    with suppress(RowChanged):
        fresh = app.schedule.get(claimed.tenant, claimed.mailbox)
        if fresh is not None and fresh.busy_until == claimed.busy_until:
            app.schedule.put(replace(fresh, busy_until=None))


class _Comparison:
    """One mailbox, its server's list against our rows."""

    def __init__(self, app: App, reconciled: Reconciled, mailbox: Mailbox, before: datetime) -> None:
        self._app = app
        self._reconciled = reconciled
        self._mailbox = mailbox
        self._tenant = mailbox.tenant
        self._before = before
        self._until = app.now() + OF_A_MAILBOX

    def run(self, since: datetime) -> Found:
        """What was received from ``since`` on."""
        rows = self._reconciled.rows(self._tenant, self._mailbox.id, since - timedelta(days=1))
        missing: deque[str] = deque(maxlen=MAX_GAPS)
        count = 0
        with self._app.open(self._mailbox) as source:
            for position in source.listing(since):
                count += 1
                if self._id(position) not in rows:
                    missing.append(position)
        suspects = self._without_row(missing)
        # As a rule there are none, and that was all.
        return self._look_into(suspects, since, count) if suspects else Found(count)

    def _look_into(self, suspects: list[str], since: datetime, count: int) -> Found:
        cursor, version = self._app.desk.cursor(self._tenant, self._mailbox.id, self._mailbox.generation)
        with self._app.open(self._mailbox) as source:
            expected: set[str] = set()
            for arrival in itertools.islice(source.new(cursor), MAX_EXPECTED):
                expected.add(arrival.position)
                if self._app.now() >= self._until:
                    break  # POP3 fetches what it names
            if not version or len(expected) == MAX_EXPECTED or self._app.now() >= self._until:
                return Found(count, more=True)
            # Somebody may have polled since we looked.
            gaps = self._without_row(position for position in suspects if position not in expected)
            unaccounted = healed = 0
            for arrival in source.look_up(gaps) if gaps else ():
                if not since <= arrival.received < self._before:
                    continue
                if self._app.now() >= self._until:
                    return Found(count, unaccounted, healed, more=True)
                had_a_row = self._app.desk.inbound(self._tenant, self._id(arrival.position)) is not None
                is_there, is_kept = self._heal(source, arrival)
                unaccounted += is_there and not had_a_row
                healed += is_kept
        return Found(count, unaccounted, healed)

    def _without_row(self, positions: Iterable[str]) -> list[str]:
        """Those that nobody kept; a mail whose raw was never had or is lost counts as such, and is fetched again."""
        ids = {self._id(position): position for position in positions}
        known = self._app.desk.known(self._tenant, ids)
        return [position for id, position in ids.items() if id not in known]

    def _heal(self, source: Source, arrival: Arrival) -> tuple[bool, bool]:
        """Take it in, as a poll would have. Whether it is there, and whether it is kept now."""
        truncated = arrival.size > MAX_RAW_BYTES
        try:
            raw = source.fetch_head(arrival) if truncated else source.fetch(arrival)
        except MailRefused:
            # Its row says so, and the next run tries again.
            self._app.desk.keep_unfetched(self._tenant, self._row(arrival, b"", False), self._app.now())
            return True, False
        if raw is None:
            return False, False
        mail = self._row(arrival, raw, truncated)
        mail = replace(mail, sha256=self._app.raw.keep(self._tenant, mail.id, raw))
        for id in self._app.desk.keep(self._tenant, [mail], self._app.now()):
            log.event("kept", tenant=self._tenant, mailbox=self._mailbox.id, inbound=id)
            self._app.queues.ring_inbound(self._tenant, self._mailbox.id, id)
        return True, True

    def _row(self, arrival: Arrival, raw: bytes, truncated: bool) -> Kept:
        return Kept(
            id=self._id(arrival.position),
            mailbox=self._mailbox.id,
            received=arrival.received,
            size=min(max(arrival.size, len(raw)), MAX_SIZE),
            sha256=hashlib.sha256(raw).hexdigest(),
            truncated=truncated,
        )

    def _id(self, position: str) -> str:
        return inbound_id(self._mailbox.id, self._mailbox.generation, position)
