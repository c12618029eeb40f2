"""When a mailbox is polled: NCRONTAB for its own timer, due times, and the pause after failures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

EVEN_MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440)
"""The only intervals that NCRONTAB repeats evenly: ``*/7`` restarts at each full hour and gives 7, 7, … 4."""

SLACK = timedelta(seconds=20)
"""A tick may come a little early; ticks are a minute apart at least, so this cannot make one poll into two."""

LEASE = timedelta(seconds=90)
"""How long a poll holds its mailbox; it says so again after each batch. A crash frees it after this. Longer than a
batch of large mails from a slow server normally takes; if not, a second poll does the same work once more."""

OWN_TIMER_GRACE = timedelta(seconds=90)
"""How long the sweep leaves a due mailbox to its own timer, when that has ticked lately."""

MAX_PAUSE = timedelta(hours=1)
"""The longest pause between tries of a mailbox that fails."""

JITTER = 0.2
"""The share of a pause that chance decides: enough to spread a thousand mailboxes over minutes, too little for anybody
to wait noticeably longer."""

MAX_REFUSALS = 3
"""Log-ins refused in a row before a mailbox is paused: more would lock the account."""

MAX_RETRY_AFTER = 24 * 60 * 60.0
"""Seconds of a server's own request to wait that we follow: Gmail's quota lasts a day, and no server may put a mailbox
to sleep for years."""

SILENT_INTERVALS = 3
SILENT_AT_LEAST = timedelta(minutes=30)
"""Without a successful poll for this long, a mailbox is silent: one or two polls may fail, and nobody is woken up for
half an hour."""

SHARDS = 16
"""Partitions of the schedule: 2,000 operations a second each, far above 10,000 mailboxes polled each minute."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A mailbox's place in the schedule, with how its polling goes.

    ``due``: when the next poll may start. ``busy_until``: a poll is running, believed at most until then. ``ticked``:
    when its own timer last ran. ``failures``: polls failed in a row, ``failing_since`` when the first of them was;
    ``error_*``: what the last one said. ``transcript_until``: polls before this time are written down. ``paused``:
    it waits for the tenant, who saves settings or presses "poll now". ``refusals``: log-ins refused in a row.
    ``out_*``: log-ins that the outgoing server refused in a row, with which settings, since when, what it said last,
    and when the next one may be tried (see ``logins``).
    """

    tenant: str
    mailbox: str
    minutes: int
    enabled: bool
    created: datetime
    due: datetime
    busy_until: datetime | None = None
    ticked: datetime | None = None
    last_poll: datetime | None = None
    last_success: datetime | None = None
    failures: int = 0
    error_code: str = ""
    error_message: str = ""
    error_fix: str = ""
    failing_since: datetime | None = None
    transcript_until: datetime | None = None
    paused: bool = False
    refusals: int = 0
    out_refusals: int = 0
    out_settings: str = ""
    out_not_before: datetime | None = None
    out_since: datetime | None = None
    out_code: str = ""
    out_message: str = ""
    out_fix: str = ""
    version: str = ""


def shard(tenant: str, mailbox: str) -> str:
    """The partition of a mailbox's slot: one hex digit."""
    return f"{_hash(tenant, mailbox) % SHARDS:x}"


def timer_name(tenant: str, mailbox: str) -> str:
    """``poll_<tenant>_<mailbox>_<6 hex>``: readable in the portal, unique ignoring case, at most 127 characters."""
    digits = f"{_hash(tenant, mailbox) & 0xFFFFFF:06x}"
    readable = f"{tenant.partition('.')[0]}_{mailbox}"[:110]
    return f"poll_{readable}_{digits}"


def tick_minutes(minutes: int) -> int:
    """How often the own timer of a mailbox with this interval ticks: the largest even interval that divides it."""
    return max(even for even in EVEN_MINUTES if minutes % even == 0)


def ncrontab(tenant: str, mailbox: str, minutes: int) -> str:
    """The timer's schedule: seconds spread by hash; ticks every ``tick_minutes``.

    An interval that NCRONTAB cannot say evenly (7, 45, 90) ticks more often and checks what is due.
    """
    second = _hash(tenant, mailbox) % 60
    tick = tick_minutes(minutes)
    if tick == 1:
        return f"{second} * * * * *"
    if tick < 60:
        return f"{second} */{tick} * * * *"
    if tick == 60:
        return f"{second} 0 * * * *"
    if tick < 1440:
        return f"{second} 0 */{tick // 60} * * *"
    return f"{second} 0 0 * * *"


def is_due(slot: Slot, now: datetime) -> bool:
    """Whether a poll may start: enabled, not paused, due, and none running."""
    return (
        slot.enabled
        and not slot.paused
        and now >= slot.due - SLACK
        and (slot.busy_until is None or now >= slot.busy_until)
    )


def is_left_behind(slot: Slot, now: datetime) -> bool:
    """Whether the sweep has to poll it: due, and its own timer does not exist or has not come."""
    if not is_due(slot, now):
        return False
    if slot.ticked is None or now - slot.ticked > timedelta(minutes=slot.minutes) * 2 + OWN_TIMER_GRACE:
        return True
    # Its own timer lives: the mailbox may have become due just after a tick, so the next one is waited for.
    return now > slot.due + timedelta(minutes=tick_minutes(slot.minutes)) + OWN_TIMER_GRACE


def next_due(slot: Slot, now: datetime) -> datetime:
    """When the poll after this one is due.

    It keeps the rhythm of the slot where that is possible, so that ticks that come some seconds late do not add up.
    """
    interval = timedelta(minutes=slot.minutes)
    if slot.due <= now < slot.due + interval:
        return slot.due + interval
    return now + interval


def silent_since(slot: Slot) -> datetime:
    """When it becomes silent, unless a poll goes well before."""
    patience = max(timedelta(minutes=slot.minutes) * SILENT_INTERVALS, SILENT_AT_LEAST)
    return (slot.last_success or slot.created) + patience


def pause(failures: int, minutes: int, retry_after: float | None, jitter: float = 0.0) -> timedelta:
    """How long to wait after this many failures in a row: what the server said, else doubling up to an hour.

    ``jitter`` (0 to 1, random) spreads the mailboxes that failed together, so that they do not all come back at the
    same moment; what a server asked for is kept to the second. Never shorter than the mailbox's own interval.
    """
    interval = timedelta(minutes=minutes)
    if retry_after is not None:
        return max(interval, timedelta(seconds=min(max(retry_after, 0), MAX_RETRY_AFTER)))
    # 1 << 10 minutes is beyond any cap: keeps the power small.
    doubled = min(MAX_PAUSE, interval * (1 << min(max(failures - 1, 0), 10)))
    return max(interval, doubled * (1 - JITTER * jitter))


def _hash(tenant: str, mailbox: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{tenant}/{mailbox}".encode()).digest()[:8], "big")
