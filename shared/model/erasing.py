"""What is erased for good, and how far that has come."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

LOOK_AGAIN = timedelta(hours=24)
"""After everything of a tenant was removed: what ran at that moment (a poll, a conversion) has ended long before, and
may have written something."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A tenant that was deleted, and what of it is removed: ``rows`` and ``blobs`` at least, as a crash forgets to
    count some. ``emptied``: nothing was left then; ``erased``: that was looked at again a day later."""

    tenant: str
    deleted: datetime
    rows: int = 0
    blobs: int = 0
    emptied: datetime | None = None
    erased: datetime | None = None

    def waits(self, now: datetime) -> bool:
        """Whether there is nothing to do at the moment."""
        return self.erased is not None or (self.emptied is not None and now - self.emptied < LOOK_AGAIN)


PHASES = ("mails", "notes", "answers", "incidents", "threads", "events", "attachments")
"""What is gone through for one person, in this order: notes name the attachments that may go, and incidents must be
without the person before what was told of them is."""

DOMAIN = "erased.invalid"
"""No mail ever goes there, and none comes from there (RFC 2606)."""

WORD = "erased"
"""Stands for names, subjects and texts that were erased."""

_EDGE = r"(?:^|$|[\s<>\"'(),;:\[\]])"
"""What an address in a text stands between."""

COUNTED = ("mails", "notes", "answers", "incidents", "attachments")


@dataclass(frozen=True, slots=True)
class DataSubject:
    """Who is erased. ``key``: the address in small letters; ``alias``: the address that stands in its place, another
    one for each erasure, so that nobody can write in its name; ``before``: what the person wrote later stays."""

    key: str
    alias: str
    before: datetime

    def is_(self, address: str) -> bool:
        """Whether this is the person's address."""
        return address.lower() == self.key

    def wrote(self, sender: str) -> bool:
        """Whether a mail's sender is this person: the address, or a From line that names no single sender and has the
        address in it."""
        return self.is_(sender) or bool(re.search(f"{_EDGE}{re.escape(self.key)}{_EDGE}", sender.lower()))


@dataclass(frozen=True, slots=True)
class Erasure:
    """An order to erase a person, and how far that has come.

    ``sealed``: the address, until it is done. ``phase`` and ``place``: where it goes on. ``found``: so much was found
    since this round began; when a round finds nothing, it is done. ``waiting``: mail to the person
    that is on its way, and mail of anybody's that is not decided yet. ``counts``: what was erased, by ``COUNTED``.
    ``by``: the key that asked. ``version``: the row's ETag.
    """

    id: str
    tenant: str
    sealed: str
    by: str
    created: datetime
    phase: str = PHASES[0]
    place: str = ""
    found: int = 0
    waiting: int = 0
    counts: tuple[tuple[str, int], ...] = ()
    done: datetime | None = None
    version: str = ""

    @property
    def alias(self) -> str:
        """What stands in the address's place."""
        return f"{WORD}-{self.id}@{DOMAIN}"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some rows that were gone through: how many were the person's, by ``COUNTED``; ``waiting``: mail on its way, or
    not decided yet; ``place``: where the next ones begin, empty at the end."""

    place: str
    counts: tuple[tuple[str, int], ...] = ()
    waiting: int = 0

    @property
    def found(self) -> int:
        """Rows that were the person's."""
        return sum(count for _, count in self.counts)


def together(one: tuple[tuple[str, int], ...], other: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    """Both counts."""
    sums = dict.fromkeys(COUNTED, 0)
    for name, count in (*one, *other):
        sums[name] += count
    return tuple(sums.items())
