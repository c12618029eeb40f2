"""UIDs of an open IMAP folder, in ranges that a server and imaplib can take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

LIST_WINDOW = 20_000
"""UIDs of one SEARCH: imaplib refuses an answer over 1,000,000 bytes, which is about 150,000 UIDs."""


def search(client: Any, uids: str, more: Iterable[Any] = ()) -> list[int]:
    """The UIDs of a set ("5:*") that fulfil the criteria."""
    # Only numbers and a date of ours go into a SEARCH: text of a sender would become commands.
    return [int(uid) for uid in client.search(["UID", uids, *more])]


def search_range(client: Any, low: int, high: int, uidnext: int, more: Iterable[Any] = ()) -> list[int]:
    """UIDs from ``low``; up to ``high``, or all there are where that is the newest."""
    found: list[int] = []
    start = low
    while high - start > LIST_WINDOW:
        found += search(client, f"{start}:{start + LIST_WINDOW - 1}", more)
        start += LIST_WINDOW
    if start <= high:
        found += search(client, f"{start}:{'*' if high >= uidnext else high}", more)
    # "n:*" lists the last mail even when that is below n (RFC 9051, 6.4.9): UIDNEXT 6, "6:*" gives 5.
    return [uid for uid in found if uid >= low]


def highest(client: Any) -> int:
    """The UID of the newest mail; 0 in an empty folder."""
    return max(search(client, "*"), default=0)
