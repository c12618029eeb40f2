"""Poll one mailbox: claim → list → fetch → keep → move the cursor → ring.

Keep before you let go: raw mail and its row are stored before the cursor moves past it. Everything here may be cut
off at any point and done again; nothing is lost and nothing doubled by that.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared import log
from shared.errors import (
    ConsentNeeded,
    InboundError,
    LoginRefused,
    MailRefused,
    RowChanged,
    SecretExpired,
    ServerError,
    SettingsError,
)
from shared.model import schedule
from shared.model.inbound import MAX_RAW_BYTES, Kept, inbound_id
from shared.model.mailbox import Mailbox
from shared.model.schedule import Slot
from shared.ports import NOBODY, App, Arrival, Source, Watch

BUDGET = timedelta(seconds=60)
"""How long one poll takes in mail; the rest is next time's, so that a huge mailbox does not starve the others. A
tenth of host.json's functionTimeout, because one slow fetch may come on top."""

BATCH_MAILS = 25
BATCH_BYTES = 16 * 1024 * 1024
"""Mails that are kept and accounted for together: a crash repeats this much at most, and memory holds this much (and
one large mail) at most."""

MUST_NOT_REPEAT = (LoginRefused, ConsentNeeded, SecretExpired)
"""Failures of logging in: trying on and on would lock the account, and only the tenant can mend them."""

MAX_SIZE = 2**31 - 1
"""What a row's number holds; a server may claim any size."""

MAX_TRIES = 5
"""Polls in which a mail may refuse to be fetched before its row says so."""


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll did: mails that are new in the ledger, and whether more wait on the server."""

    kept: int
    more: bool


class _Overtaken(Exception):
    """Another poll, or new settings, took over: stop without a word."""


def poll(app: App, tenant: str, mailbox: str, own_timer: bool = False) -> Polled | None:
    """Poll a mailbox if it is due and nobody else does. None when there was nothing to do.

    What the mail server or the settings do wrong becomes the mailbox's state; only ``StoreError`` is raised.
    """
    slot = _claim(app, tenant, mailbox, own_timer)
    if slot is None:
        return None
    settings = app.mailboxes.get(tenant, mailbox)
    if settings is None or not settings.settings.enabled:
        app.schedule.delete(slot)
        return None
    poll = _Poll(app, settings, slot)
    try:
        polled = poll.run()
    except _Overtaken:
        return None
    except (SettingsError, ServerError) as error:
        poll.end(error)
        return None
    poll.end(poll.not_acted, polled.more, took_in=True)
    if polled.more:
        app.queues.ring_poll(tenant, mailbox)
    return polled


def sweep(app: App) -> int:
    """Ring for every mailbox that is due and was left behind by its own timer, or has none. How many."""
    now = app.now()
    rung = 0
    for slot in app.schedule.due(now):
        if schedule.is_left_behind(slot, now):
            app.queues.ring_poll(slot.tenant, slot.mailbox)
            rung += 1
    log.event("swept", count=rung)
    return rung


def _claim(app: App, tenant: str, mailbox: str, own_timer: bool) -> Slot | None:
    """Take the mailbox for this poll by ETag: of two that try, one gets it."""
    now = app.now()
    slot = app.schedule.get(tenant, mailbox)
    if slot is None:
        return None
    due = schedule.is_due(slot, now)
    if not due and not (own_timer and _heartbeat_is_old(slot, now)):
        return None
    ticked = now if own_timer else slot.ticked
    claimed = replace(slot, ticked=ticked)
    if due:
        claimed = replace(claimed, due=schedule.next_due(slot, now), busy_until=now + schedule.LEASE, last_poll=now)
    try:
        claimed = app.schedule.put(claimed)
    except RowChanged:
        return None
    return claimed if due else None


def _heartbeat_is_old(slot: Slot, now: datetime) -> bool:
    # The sweep must learn that a timer lives even when it comes at a moment that is not due.
    return slot.ticked is None or now - slot.ticked > timedelta(minutes=slot.minutes)


class _Poll:
    """One poll of one mailbox."""

    def __init__(self, app: App, mailbox: Mailbox, slot: Slot) -> None:
        self._app = app
        self._mailbox = mailbox
        self._slot = slot
        self._tenant = mailbox.tenant
        self._kept = 0
        self._batch: list[tuple[Kept, bytes]] = []
        self._cursor = ""
        self._version = ""
        wanted = slot.transcript_until is not None and app.now() < slot.transcript_until
        self._not_acted: SettingsError | None = None
        self._recording = app.record() if wanted else None
        self._watch: Watch = self._recording or NOBODY

    @property
    def not_acted(self) -> SettingsError | None:
        """Why mail that was kept could not be treated on the server as the mailbox wants it."""
        return self._not_acted

    def run(self) -> Polled:
        """Take in what is new, until there is no more or the time is over."""
        started = self._app.now()
        self._cursor, self._version = self._app.desk.cursor(self._tenant, self._mailbox.id, self._mailbox.generation)
        first_time = not self._version
        with self._app.open(self._mailbox, self._watch) as source:
            more = False
            try:
                more = self._take_all(source, first_time, started)
            except ServerError:
                # What was fetched before the connection broke is not fetched again.
                self._keep_batch(source, connected=False)
                raise
            self._keep_batch(source)
        log.event(
            "polled",
            tenant=self._tenant,
            mailbox=self._mailbox.id,
            kept=self._kept,
            more=more,
            seconds=(self._app.now() - started).total_seconds(),
        )
        return Polled(self._kept, more)

    def _take_all(self, source: Source, first_time: bool, started: datetime) -> bool:
        """Take what is new into batches and keep the full ones; whether the time was over before the end."""
        taken = False
        for arrival in source.new(self._cursor):
            # At least one mail, however long it took to get here: else nothing would ever come.
            if taken and self._app.now() - started >= BUDGET:
                return True
            taken = True
            if not first_time and source.starts_over and self._is_known(arrival):
                # It was dealt with under its old number, and perhaps is not kept whole: it stays where it is.
                source.skip(arrival)
            else:
                self._take(source, arrival)
            if len(self._batch) >= BATCH_MAILS or self._batch_bytes() >= BATCH_BYTES:
                self._keep_batch(source)
        return False

    def end(self, error: InboundError | None, more: bool = False, took_in: bool = False) -> None:
        """Give the mailbox back and write down how it went. ``took_in``: mail came in all the same, so there is no
        reason to poll less often."""
        if self._recording is not None:
            if error is not None:
                self._recording.note(f"{error.message} {error.fix}")
            self._app.transcripts.add(self._tenant, self._mailbox.id, self._recording.lines, self._app.now())
        slot = self._outcome(self._slot, error, more, took_in)
        try:
            self._app.schedule.put(slot)
        except RowChanged:
            fresh = self._app.schedule.get(self._tenant, self._mailbox.id)
            # Somebody saved settings or pressed "poll now" meanwhile; a poll that took over writes its own end.
            if fresh is not None and fresh.busy_until == self._slot.busy_until:
                due = min(fresh.due, slot.due)
                with suppress(RowChanged):  # changed once more: the lease ends by itself
                    self._app.schedule.put(replace(self._outcome(fresh, error, more, took_in), due=due))

    def _outcome(self, slot: Slot, error: InboundError | None, more: bool, took_in: bool) -> Slot:
        now = self._app.now()
        if error is None:
            was_failing = slot.failing_since is not None
            if was_failing or (slot.last_success is not None and now >= schedule.silent_since(slot)):
                began = slot.failing_since or slot.last_success or now
                log.event(
                    "mailbox_recovered",
                    tenant=self._tenant,
                    mailbox=self._mailbox.id,
                    state="failing" if was_failing else "silent",
                    attempts=slot.failures,
                    seconds=(now - began).total_seconds(),
                )
            return replace(
                slot,
                busy_until=None,
                due=now if more else slot.due,
                last_success=now,
                failures=0,
                paused=False,
                refusals=0,
                failing_since=None,
                error_code="",
                error_message="",
                error_fix="",
            )
        log.event(
            "poll_failed",
            logging.WARNING,
            tenant=self._tenant,
            mailbox=self._mailbox.id,
            code=error.code,
            attempts=slot.failures + 1,
        )
        retry_after = error.retry_after if isinstance(error, ServerError) else None
        failures = slot.failures + 1
        refusals = slot.refusals + 1 if isinstance(error, MUST_NOT_REPEAT) else 0
        jitter = int.from_bytes(self._app.random(2), "big") / 0xFFFF
        due = now + schedule.pause(failures, slot.minutes, retry_after, jitter)
        if took_in:
            due = now if more else slot.due
        return replace(
            slot,
            busy_until=None,
            due=due,
            last_success=now if took_in else slot.last_success,
            failures=failures,
            refusals=refusals,
            paused=refusals >= schedule.MAX_REFUSALS,
            failing_since=slot.failing_since or now,
            error_code=error.code,
            error_message=error.message,
            error_fix=error.fix,
        )

    def _take(self, source: Source, arrival: Arrival) -> None:
        """Fetch one mail into the batch. A mail that does not come must not stop the ones after it."""
        truncated = arrival.size > MAX_RAW_BYTES
        try:
            raw = source.fetch_head(arrival) if truncated else source.fetch(arrival)
        except MailRefused:
            self._put_off(source, arrival)
            return
        except ServerError:
            # The connection is gone, perhaps because of this mail: the next poll begins with the ones after it.
            self._put_off(source, arrival)
            raise
        if raw is not None:
            self._batch.append((self._row(arrival, raw, truncated), raw))
        if truncated:
            source.skip(arrival)
        else:
            source.settle(arrival)

    def _put_off(self, source: Source, arrival: Arrival) -> None:
        tries = source.put_off(arrival)
        log.event("fetch_failed", logging.WARNING, tenant=self._tenant, mailbox=self._mailbox.id, attempts=tries)
        if tries >= MAX_TRIES:
            self._app.desk.keep_unfetched(self._tenant, self._row(arrival, b"", False), self._app.now())
            log.event(
                "unfetchable",
                logging.WARNING,
                tenant=self._tenant,
                mailbox=self._mailbox.id,
                inbound=inbound_id(self._mailbox.id, self._mailbox.generation, arrival.position),
                outcome="failed",
                reason="unfetchable",
            )
            source.skip(arrival)

    def _keep_batch(self, source: Source, connected: bool = True) -> None:
        """Raw, then rows, then the cursor, then the bells: the order that loses nothing. After that, and only while
        we are connected, what the mailbox wants done with mail that is kept."""
        now = self._app.now()
        kept = [replace(mail, sha256=self._app.raw.keep(self._tenant, mail.id, raw)) for mail, raw in self._batch]
        new = self._app.desk.keep(self._tenant, kept, now) if kept else ()
        self._batch = []
        moved = self._move_cursor(source.cursor())
        for id in new:
            log.event("kept", tenant=self._tenant, mailbox=self._mailbox.id, inbound=id)
            self._app.queues.ring_inbound(self._tenant, self._mailbox.id, id)
        self._kept += len(new)
        if not moved:
            raise _Overtaken
        if connected and self._not_acted is None:
            self._act(source)
            if not self._move_cursor(source.cursor()):
                raise _Overtaken
        if new:
            self._stay(now)

    def _act(self, source: Source) -> None:
        """What cannot be marked, moved or deleted must not hold up the mails that are still to come in."""
        try:
            source.act()
        except SettingsError as error:
            self._not_acted = error

    def _move_cursor(self, cursor: str) -> bool:
        """Whether it is ours to move: another poll may have moved it meanwhile."""
        if cursor == self._cursor and self._version:
            return True
        try:
            self._version = self._app.desk.move_cursor(
                self._tenant, self._mailbox.id, self._mailbox.generation, cursor, self._version
            )
        except RowChanged:
            return False
        self._cursor = cursor
        return True

    def _stay(self, now: datetime) -> None:
        """Hold the mailbox for longer; stop if settings were saved or another poll took over."""
        try:
            self._slot = self._app.schedule.put(replace(self._slot, busy_until=now + schedule.LEASE))
        except RowChanged:
            fresh = self._app.schedule.get(self._tenant, self._mailbox.id)
            if fresh is None or fresh.busy_until != self._slot.busy_until:
                raise _Overtaken from None
            self._slot = fresh

    def _is_known(self, arrival: Arrival) -> bool:
        id = inbound_id(self._mailbox.id, self._mailbox.generation, arrival.position)
        return bool(self._app.desk.known(self._tenant, [id]))

    def _row(self, arrival: Arrival, raw: bytes, truncated: bool) -> Kept:
        return Kept(
            id=inbound_id(self._mailbox.id, self._mailbox.generation, arrival.position),
            mailbox=self._mailbox.id,
            received=arrival.received,
            # Graph tells no size beforehand.
            size=min(max(arrival.size, len(raw)), MAX_SIZE),
            sha256=hashlib.sha256(raw).hexdigest(),
            truncated=truncated,
        )

    def _batch_bytes(self) -> int:
        return sum(len(raw) for _, raw in self._batch)
