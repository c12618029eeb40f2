"""The cursor of an IMAP folder, opened.

The cursor is UIDVALIDITY and the lowest UID that is not settled, with a little memory below it, because servers let
mails appear late and out of order:

    validity    the folder's UIDVALIDITY; another one means that the server renumbered everything
    next        every UID below is settled, except those in ``again``
    recent      settled UIDs among the last WINDOW below ``next``: what is listed there and not in here came late
    messages    how many the folder held; with UIDNEXT it tells an idle folder by one STATUS
    first       during the first pass: [UIDNEXT at its start, oldest date wanted]
    again       UIDs that could not be fetched, with the tries so far
    todo        settled UIDs that are still to be marked, moved or deleted, as the mailbox wants it after import
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

WINDOW = 32
"""UIDs below ``next`` that are listed again each time: room for mails that a busy server reveals late."""


@dataclass
class ImapState:
    """The cursor, opened."""

    validity: int = 0
    next: int = 1
    recent: set[int] = field(default_factory=set)
    messages: int = 0
    first: tuple[int, str] | None = None
    again: dict[int, int] = field(default_factory=dict)
    todo: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, cursor: str) -> ImapState:
        if not cursor:
            return cls()
        stored = json.loads(cursor)
        return cls(
            validity=stored["validity"],
            next=stored["next"],
            recent=set(stored["recent"]),
            messages=stored["messages"],
            first=tuple(stored["first"]) if stored["first"] else None,
            again={int(uid): tries for uid, tries in stored["again"].items()},
            todo=set(stored.get("todo", ())),
        )

    def write(self) -> str:
        return json.dumps(
            {
                "validity": self.validity,
                "next": self.next,
                "recent": sorted(uid for uid in self.recent if uid >= self.next - WINDOW),
                "messages": self.messages,
                "first": self.first,
                "again": self.again,
                "todo": sorted(self.todo),
            }
        )

    def is_new(self, uid: int) -> bool:
        return uid not in self.again and (uid >= self.next or uid not in self.recent)

    def pass_by(self, uid: int) -> None:
        self.next = max(self.next, uid + 1)
        self.recent.add(uid)
