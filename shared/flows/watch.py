"""What somebody should know before anybody complains, as events that alerts are made of (README, "Events").

Nothing is remembered between runs: a state is told in the hour in which it begins to matter and once a day after that,
and both follow from when it began, which is stored, and from when the last run was.
"""

from __future__ import annotations

import hashlib
import logging
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from shared import log
from shared.errors import ServerError, SettingsError
from shared.flows.everyone import for_each
from shared.flows.upkeep import MAX_DOUBLINGS, RING_AGAIN
from shared.model import quiet, schedule
from shared.model.mailbox import Mailbox
from shared.model.reason import Outcome
from shared.model.schedule import Slot
from shared.ports import NOBODY, App

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)

SILENT_INTERVALS = 3
SILENT_AT_LEAST = timedelta(minutes=30)
"""Without a successful poll for this long, a mailbox is silent: one or two polls may fail, and nobody is woken up for
half an hour."""

FAILING_FOR = timedelta(minutes=15)
"""Failures that end sooner are the road's."""

QUEUE_OLD = timedelta(minutes=15)
"""A mail that is undecided for so long has been rung for three times."""

MAX_MAILBOXES = 100_000
MAX_COUNTED = 1000
"""Held mails that are counted; beyond, the number matters no more."""

MAX_APPS = 200
BUDGET = timedelta(minutes=3)
"""Of one run: each app at Microsoft may cost a token and a request."""

ENDS_SOON = (3, 14, 30)
"""Days before the end of a certificate or client secret."""

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_ENDS = re.compile(r"\bon (\d{4})-(\d\d)-(\d\d)\b")
"""The day in what ``Microsoft.credential_end`` says."""


def watch(app: App, last: datetime | None) -> int:
    """Tell what is wrong. ``last``: when it was told before, None where nobody knows. How many mailboxes there are."""
    now = app.now()
    # After a long night of the host itself, one day's states are news; and a clock that went back is no news.
    last = min(max(last or now - HOUR, now - DAY), now)
    slots = app.schedule.oldest(MAX_MAILBOXES)
    for slot in slots:
        _watch_mailbox(slot, last, now)
    for slot in slots:
        if app.now() - now >= BUDGET:
            break
        _watch_quiet(app, slot, last, now)
    for_each(app, lambda tenant: _watch_tenant(app, tenant.key, last, now))
    log.event("watched", count=len(slots), seconds=(app.now() - now).total_seconds())
    return len(slots)


def _watch_tenant(app: App, tenant: str, last: datetime, now: datetime) -> int:
    _watch_queue(app, tenant, last, now)
    _watch_undecided(app, tenant, last, now)
    if app.now() - now < BUDGET:
        _watch_credentials(app, tenant, last, now)
    return 1


def _is_news(since: datetime, last: datetime, now: datetime) -> bool:
    """Whether a state that matters since then is to be told now: in its first hour, and once a day after that."""
    return now >= since and (now - since) // DAY != (last - since) // DAY


def _watch_mailbox(slot: Slot, last: datetime, now: datetime) -> None:
    heard = slot.last_success or slot.created
    if _is_news(schedule.silent_since(slot), last, now):
        log.event(
            "mailbox_silent",
            logging.WARNING,
            tenant=slot.tenant,
            mailbox=slot.mailbox,
            seconds=(now - heard).total_seconds(),
        )
    if slot.failing_since is not None and _is_news(slot.failing_since + FAILING_FOR, last, now):
        log.event(
            "mailbox_failing",
            logging.WARNING,
            tenant=slot.tenant,
            mailbox=slot.mailbox,
            code=slot.error_code,
            state="paused" if slot.paused else "failing",
            attempts=slot.failures,
            seconds=(now - slot.failing_since).total_seconds(),
        )

    if slot.out_since is not None and _is_news(slot.out_since + FAILING_FOR, last, now):
        log.event(
            "sending_waits",
            logging.WARNING,
            tenant=slot.tenant,
            mailbox=slot.mailbox,
            code=slot.out_code or None,
            attempts=slot.out_refusals,
            seconds=(now - slot.out_since).total_seconds(),
        )


def _watch_quiet(app: App, slot: Slot, last: datetime, now: datetime) -> None:
    """A mailbox that is polled well and gets nothing for unusually long, once; and when it gets mail again. Looked at
    once a day, each mailbox at its own hour."""
    if now >= schedule.silent_since(slot) or slot.failing_since is not None:
        return  # that is told
    if not _is_news(_BEGINNING + _hour(f"{slot.tenant}/{slot.mailbox}"), last, now):
        return
    page = app.desk.ledger(slot.tenant, None, None, slot.mailbox, "", quiet.MAX_MAILS)
    state, seconds = quiet.judge([mail.received for mail in page.items], now - DAY, now)
    if state == "quiet":
        log.event("mailbox_quiet", logging.WARNING, tenant=slot.tenant, mailbox=slot.mailbox, seconds=seconds)
    if state == "heard":
        log.event("mailbox_heard", tenant=slot.tenant, mailbox=slot.mailbox, seconds=seconds)


def _watch_queue(app: App, tenant: str, last: datetime, now: datetime) -> None:
    waiting = [_waiting_since(rung, rings) for _, rung, rings in app.desk.pending(tenant)]
    if waiting and _is_news(min(waiting) + QUEUE_OLD, last, now):
        seconds = (now - min(waiting)).total_seconds()
        log.event("queue_old", logging.WARNING, tenant=tenant, count=len(waiting), seconds=seconds)


def _waiting_since(rung: datetime, rings: int) -> datetime:
    """Since when a mail is pending, at the latest. Not since it was kept: it may have been released just now."""
    return rung - sum((RING_AGAIN * 2 ** min(ring, MAX_DOUBLINGS) for ring in range(rings)), timedelta())


def _watch_undecided(app: App, tenant: str, last: datetime, now: datetime) -> None:
    """Held and failed mail, once a day, each tenant at its own hour."""
    if not _is_news(_BEGINNING + _hour(tenant), last, now):
        return
    for outcome in (Outcome.HELD, Outcome.FAILED):
        page = app.desk.ledger(tenant, outcome, None, None, "", MAX_COUNTED)
        if page.items:
            more = page.next is not None
            log.event("mail_undecided", tenant=tenant, outcome=outcome.value, count=len(page.items), more=more)


def _watch_credentials(app: App, tenant: str, last: datetime, now: datetime) -> None:
    """Certificates and client secrets that end soon, once a day, each app at Microsoft at its own hour."""
    asked: set[tuple[str, str]] = set()
    for mailbox in app.mailboxes.all(tenant):
        settings = mailbox.settings
        named = (settings.tenant_id.strip().lower(), settings.client_id.strip().lower())
        if not settings.enabled or not named[1] or named in asked or len(asked) == MAX_APPS:
            continue
        if _is_news(_BEGINNING + _hour("/".join((tenant, *named))), last, now):
            asked.add(named)
            _watch_credential(app, mailbox, now)


def _watch_credential(app: App, mailbox: Mailbox, now: datetime) -> None:
    found = ""
    with suppress(SettingsError, ServerError):  # its polls fail as well, and that is told
        found = app.microsoft.credential_end(mailbox, NOBODY).detail
    days = _days_left(found, now)
    if days is None or days > ENDS_SOON[-1]:
        return
    state = next(limit for limit in ENDS_SOON if days <= limit)
    log.event(
        "secret_expiring",
        logging.WARNING,
        tenant=mailbox.tenant,
        mailbox=mailbox.id,
        days=days,
        state=f"{state} days",
    )


def _days_left(said: str, now: datetime) -> int | None:
    read = _ENDS.search(said)
    if read is None:
        return None
    year, month, day = map(int, read.groups())
    return max((datetime(year, month, day, tzinfo=UTC).date() - now.date()).days, 0)


def _hour(name: str) -> timedelta:
    """An hour of the day, spread by name."""
    return HOUR * (hashlib.sha256(name.encode()).digest()[0] % 24)
