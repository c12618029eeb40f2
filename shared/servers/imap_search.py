"""UIDs of an open IMAP folder, in ranges that a server and imaplib can take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

MAX_LISTED = 80_000
"""Mails that one SEARCH may name: imaplib refuses an answer over 1,000,000 bytes; 90,000 UIDs have ten digits each."""

LIST_WINDOW = 20_000
"""UIDs of one SEARCH in a folder that holds more."""


def search(client: Any, uids: str, more: Iterable[Any] = ()) -> list[int]:
    """The UIDs of a set ("5:*") that fulfil the criteria."""
    # Only numbers and a date of ours go into a SEARCH: text of a sender would become commands.
    return [int(uid) for uid in client.search(["UID", uids, *more])]


def search_range(client: Any, low: int, high: int, uidnext: int, messages: int, more: Iterable[Any] = ()) -> list[int]:
    """UIDs from ``low``; up to ``high``, or all there are where that is the newest. ``messages``: how many the folder
    holds: UIDs have gaps, and servers that make them of the time have large ones."""
    found: list[int] = []
    start = low
    window = LIST_WINDOW if messages > MAX_LISTED else max(LIST_WINDOW, high - low)
    while high - start > window:
        found += search(client, f"{start}:{start + window - 1}", more)
        start += window
    if start <= high:
        found += search(client, f"{start}:{'*' if high >= uidnext else high}", more)
    # "n:*" lists the last mail even when that is below n (RFC 9051, 6.4.9): UIDNEXT 6, "6:*" gives 5.
    return [uid for uid in found if uid >= low]


def highest(client: Any) -> int:
    """The UID of the newest mail; 0 in an empty folder."""
    return max(search(client, "*"), default=0)
