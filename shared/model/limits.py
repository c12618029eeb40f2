"""Limits that end what no header reveals: loops, floods, and mail that somebody else makes us send.

Each counts something in a window of time. A limit that is full never loses a mail: the mail is held, or an answer is
not sent, or an incident is not opened again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.mail.address import Address

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

DOMAIN_SHARE = 4
"""A domain may open this many times what one of its addresses may: a loop that changes its sender each time still has
its domain, and a whole company on a bad day stays below."""

REOPENS_PER_DAY = 10
"""How often a day one incident is opened again by mail: two machines that thank one another end here."""


@dataclass(frozen=True, slots=True)
class Limit:
    """``most`` events called ``name`` of ``key`` between ``start`` and ``end``."""

    name: str
    key: str
    most: int
    start: datetime
    end: datetime

    def __str__(self) -> str:
        hours = round((self.end - self.start) / HOUR)
        return f"{self.most} {self.name} from {self.key} in {'an hour' if hours == 1 else f'{hours} hours'}"


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a limit is used. ``version``: the row's ETag, empty where nothing was counted yet."""

    limit: Limit
    count: int = 0
    version: str = ""

    @property
    def is_full(self) -> bool:
        """Whether one more is too much."""
        return self.count >= self.limit.most


def of_new_incidents(sender: Address, most: int, at: datetime) -> tuple[Limit, ...]:
    """The limits that a new incident of this sender is counted by: ``most`` of one address in an hour. ``at``: when
    the server received the mail, so that a first import of a year's mail is no flood."""
    return (
        _limit("new incidents", sender.key, most, at, HOUR),
        _limit("new incidents", sender.domain, most * DOMAIN_SHARE, at, HOUR),
    )


def of_reopening(incident: int, at: datetime) -> Limit:
    """The limit that opening an incident again is counted by."""
    return _limit("times opened again", f"#{incident}", REOPENS_PER_DAY, at, DAY)


def _limit(name: str, key: str, most: int, at: datetime, window: timedelta) -> Limit:
    start = at - timedelta(seconds=at.timestamp() % window.total_seconds())
    return Limit(name, key, most, start, start + window)
