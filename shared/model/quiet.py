"""When a mailbox that is polled well has had no mail for unusually long: judged by its own habits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

LOOK_BACK = timedelta(days=28)
"""Habits are those of four weeks: weekends and a holiday are in them."""

MAX_MAILS = 1000
"""That are looked at, the newest: one page of storage."""

MIN_MAILS = 10
"""Who gets less in four weeks has no habits."""

AT_LEAST = timedelta(days=3)
"""A long weekend: quieter than this is nobody who is told."""

TIMES = 2
"""So many times the longest pause that there was is unusual."""


def judge(received: Iterable[datetime], before: datetime, now: datetime) -> tuple[Literal["quiet", "heard", ""], float]:
    """Whether it has become quiet since ``before``, or is heard of again since then; and for how many seconds it is, or
    was, quiet. ``received``: when its mails came, in any order."""
    came = sorted(time for time in received if time <= now)
    if not came:
        return "", 0
    pause = now - came[-1]
    if pause >= LOOK_BACK:
        return "", 0
    limit = _limit(came, came[-1])
    if limit is not None and pause > limit >= before - came[-1]:
        return "quiet", pause.total_seconds()
    for earlier, later in pairwise(came):
        if later <= before or later - earlier <= AT_LEAST:
            continue
        limit = _limit(came, earlier)
        if limit is not None and later - earlier > limit:
            return "heard", (later - earlier).total_seconds()
    return "", 0


def _limit(came: list[datetime], end: datetime) -> timedelta | None:
    """How long it may be without mail after ``end``, by what came until then; None where that was too little."""
    seen = [time for time in came if end - LOOK_BACK <= time <= end]
    if len(seen) < MIN_MAILS:
        return None
    return max(AT_LEAST, TIMES * max(later - earlier for earlier, later in pairwise(seen)))
