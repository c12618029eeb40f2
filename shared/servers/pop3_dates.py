"""How old a mail is, by POP3: the days to download of a first connection.

POP3 knows no dates but those in the mails, so a header block is fetched for each date. In a long list the border is
found by bisection, as mails lie in the order in which they came, and samples show whether that order can be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime

from shared.mail.date import parse_date
from shared.mail.header import read_block
from shared.model.inbound import MAX_RAW_BYTES
from shared.ports import Watch
from shared.servers.pop3_client import Pop3Client, Refused
from shared.servers.pop3_lists import Listed

DATED_ONE_BY_ONE = 200
"""A first list up to this length is dated mail by mail; a longer one by bisection, which needs dates that ascend."""

SAMPLES = 32
NEIGHBOURS = 8
"""Mails below the bisected border whose dates are looked at, spread evenly and right below it: one that is new enough
shows that the dates do not ascend."""

DATING_SECONDS = 45
"""Of one session for looking at dates. The rest is the next session's; less than a poll's budget (60 s), because a
mail that is yielded must still be fetched."""

HEAD_BYTES = 1024 * 1024
"""Of a header block are looked at for a date; what is longer is not read as one anyway (mail.limits)."""


class Dating:
    """Looks at the dates of mails in one session, and how long that takes."""

    def __init__(self, client: Pop3Client, now: Callable[[], datetime], watch: Watch) -> None:
        self._client = client
        self._now = now
        self._watch = watch
        self._seconds = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the time of this session for dates is used up."""
        return self._seconds > DATING_SECONDS

    def border(self, found: Sequence[Listed], floor: str) -> int:
        """How many mails at the beginning of a first list are too old for sure; those after them are to be dated one
        by one. ``floor``: the oldest day that is wanted. 0 where the dates do not ascend."""
        low, high = 0, len(found)
        while low < high:
            middle = (low + high) // 2
            if is_too_old(self._dates([found[middle]])[0], floor):
                low = middle + 1
            else:
                high = middle
        evenly = found[: low : max(1, low // SAMPLES)]
        near = found[max(0, low - NEIGHBOURS) : low]
        if all(is_too_old(day, floor) for day in self._dates([*evenly, *near])):
            return low
        self._watch.note("mails are not in the order of their dates: each one is looked at")
        return 0

    def heads(self, mails: Sequence[Listed]) -> list[bytes]:
        """Header blocks, each empty where it cannot be had."""
        begun = self._now()
        heads = [_cut(head) for head in self._client.bodies([f"TOP {mail.number} 0" for mail in mails], MAX_RAW_BYTES)]
        for index, mail in enumerate(mails):
            # TOP is optional (RFC 1939 section 7); without it the whole mail tells.
            if heads[index] is None and mail.size <= MAX_RAW_BYTES:
                (whole,) = self._client.bodies([f"RETR {mail.number}"], MAX_RAW_BYTES)
                heads[index] = _cut(whole)
        self._seconds += (self._now() - begun).total_seconds()
        return [head or b"" for head in heads]

    def _dates(self, mails: Sequence[Listed]) -> list[datetime | None]:
        return [dated(head) for head in self.heads(mails)]


def is_too_old(moment: datetime | None, floor: str) -> bool:
    """What has no date is wanted: better an old incident than a lost one."""
    return moment is not None and moment.date() < date.fromisoformat(floor)


def received(head: bytes) -> datetime | None:
    """When the tenant's own server got it: the date of the topmost Received field (RFC 5321 section 4.4)."""
    for name, value in read_block(head[:HEAD_BYTES], 0).fields:
        if name.lower() == "received":
            return parse_date(value.rpartition(b";")[2].decode("ascii", "replace"))
    return None


def dated(head: bytes) -> datetime | None:
    """When a mail came or, where no server says, when it was written."""
    if moment := received(head):
        return moment
    for name, value in read_block(head[:HEAD_BYTES], 0).fields:
        if name.lower() == "date":
            return parse_date(value.decode("ascii", "replace"))
    return None


def _cut(head: bytes | Refused) -> bytes | None:
    return None if isinstance(head, Refused) else head[:HEAD_BYTES]
