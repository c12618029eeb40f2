"""What is kept no longer than it has to be goes: transcripts, counts, sign-ins, raw mail, undecided mail.

Incidents, notes and attachments stay, and so does each mail's row with outcome and reason. It may be cut off at any
point; the next run goes on there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Protocol

from shared import log
from shared.model.inbound import Inbound
from shared.model.reason import Outcome
from shared.model.retention import DECIDED, Progress, effective, may_be_settled
from shared.ports import App

BUDGET = timedelta(minutes=5)
"""Of one run, for all tenants: half of host.json's functionTimeout. What is left is for the next night."""

MAX_ROWS = 10_000
"""Transcripts, counts of limits, and events of webhooks, of one tenant at a time: 100 transactions each."""

MAX_MAILS = 5_000
"""Mails of one tenant in one run, so that years of one do not take the night of the others."""

SAVE_EVERY = 100
"""Mails between two notes of how far it has come: what a crash repeats is so many deletions of nothing."""


class Expired(Protocol):
    """What storage holds past its time. Raises ``StoreError``."""

    def transcripts(self, tenant: str, now: datetime, most: int) -> int:
        """Remove transcripts older than a day; how many."""
        ...

    def limits(self, tenant: str, now: datetime, most: int) -> int:
        """Remove how far limits were used whose time is long over; how many."""
        ...

    def webhooks(self, tenant: str, now: datetime, most: int) -> int:
        """Remove what is older than 30 days of the logs of webhooks, and of their events; how many rows."""
        ...

    def sign_ins(self, now: datetime, most: int) -> int:
        """Remove sign-ins that were begun and not finished; how many."""
        ...

    def undecided(self, tenant: str, before: datetime) -> Iterator[Inbound]:
        """Mails kept before this time that are held or failed, without their traces."""
        ...

    def settle(self, tenant: str, id: str) -> bool:
        """Such a mail becomes "discarded: retention_over"; whether it did: somebody may decide at this moment."""
        ...

    def oldest_pending(self, tenant: str) -> datetime | None:
        """When the oldest undecided mail was kept."""
        ...

    def decided(
        self, tenant: str, outcome: Outcome, since: datetime, before: datetime, place: str
    ) -> Iterator[tuple[str, Inbound]]:
        """Mails of an outcome kept from ``since`` to just before ``before``, each with its place, behind ``place``."""
        ...

    def progress(self, tenant: str) -> Progress: ...

    def save(self, tenant: str, progress: Progress) -> None: ...


def incinerate(app: App, expired: Expired, retention_days: int) -> bool:
    """Remove what is past its time, of every tenant; whether all of it is gone. 0 days keep mail for ever; a tenant may
    have chosen fewer."""
    now = app.now()
    until = now + BUDGET
    _tell("", "sign_ins", expired.sign_ins(now, MAX_ROWS), MAX_ROWS)
    tenants = list(app.tenants.all())
    # Another one begins each night: whoever comes last in one that is too short comes earlier in the next.
    first = now.toordinal() % len(tenants) if tenants else 0
    done, busy = True, []
    for one in (*tenants[first:], *tenants[:first]):
        tenant, days = one.key, effective(one.retention_days, retention_days)
        if app.now() >= until:
            return False
        _tell(tenant, "transcripts", expired.transcripts(tenant, now, MAX_ROWS), MAX_ROWS)
        _tell(tenant, "limits", expired.limits(tenant, now, MAX_ROWS), MAX_ROWS)
        if _told_events(expired, tenant, now):
            busy.append(tenant)
        if days:
            done = _Fire(app, expired, tenant, until).burn(now - timedelta(days=days)) and done
    # 20,000 mails a day make more rows than one piece holds. Only when all others had their turn, in turns.
    while busy and app.now() < until:
        tenant = busy.pop(0)
        if _told_events(expired, tenant, now):
            busy.append(tenant)
    return done and not busy


def _told_events(expired: Expired, tenant: str, now: datetime) -> bool:
    """What is past its time of the logs of webhooks; whether there may be more."""
    count = expired.webhooks(tenant, now, MAX_ROWS)
    _tell(tenant, "webhooks", count, MAX_ROWS)
    return count >= MAX_ROWS


class _Fire:
    """One tenant's mails past their time in one run."""

    def __init__(self, app: App, expired: Expired, tenant: str, until: datetime) -> None:
        self._app = app
        self._expired = expired
        self._tenant = tenant
        self._until = until
        self._left = MAX_MAILS

    def burn(self, before: datetime) -> bool:
        """Everything kept before this time; whether all of it is gone."""
        # What is pending when we begin may be held when we look, so it limits the goal as well.
        pending = self._expired.oldest_pending(self._tenant)
        done = self._settle_undecided(before)
        settled = MAX_MAILS - self._left
        done = done and self._burn_decided(_earliest(before, pending))
        _tell(self._tenant, "undecided", settled)
        _tell(self._tenant, "raw", MAX_MAILS - self._left - settled, more=not done)
        return done

    def _settle_undecided(self, before: datetime) -> bool:
        for mail in self._expired.undecided(self._tenant, before):
            if self._is_over():
                return False
            # The row first: who releases the mail at this moment must find it whole.
            if self._expired.settle(self._tenant, mail.id):
                self._app.raw.discard(self._tenant, mail.id)
            self._left -= 1
        return True

    def _burn_decided(self, before: datetime) -> bool:
        progress = self._expired.progress(self._tenant)
        goal = _earliest(progress.goal or before, before, self._expired.oldest_pending(self._tenant))
        if goal <= progress.mark:
            return True
        # A goal that moved is another range: its places would leave something out.
        begun_at = progress.place if goal == progress.goal else ""
        for place, mail in self._behind(progress.mark, goal, begun_at):
            if may_be_settled(mail) and not self._expired.settle(self._tenant, mail.id):
                # Somebody releases it at this moment: it may turn up where we were already, so begin anew next time.
                self._expired.save(self._tenant, Progress(progress.mark))
                return False
            self._app.raw.discard(self._tenant, mail.id)
            self._left -= 1
            if self._left % SAVE_EVERY == 0 or self._is_over():
                self._expired.save(self._tenant, Progress(progress.mark, goal, place))
            if self._is_over():
                return False
        reached = _earliest(goal, self._expired.oldest_pending(self._tenant))
        self._expired.save(self._tenant, Progress(max(reached, progress.mark)))
        return reached == goal

    def _behind(self, mark: datetime, goal: datetime, place: str) -> Iterator[tuple[str, Inbound]]:
        begun = not place
        for outcome in DECIDED:
            if not begun and f":{outcome}:" not in place:
                continue  # an earlier run is through with it
            begun = True
            yield from self._expired.decided(self._tenant, outcome, mark, goal, place)

    def _is_over(self) -> bool:
        return self._left <= 0 or self._app.now() >= self._until


def _earliest(*times: datetime | None) -> datetime:
    return min(time for time in times if time is not None)


def _tell(tenant: str, place: str, count: int, most: int = 0, more: bool = False) -> None:
    if count or more:
        log.event("incinerated", tenant=tenant or None, place=place, count=count, more=more or 0 < most <= count)
