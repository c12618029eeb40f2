"""A mail server in memory, behind the ``Source`` seam. It keeps the contract of tests/contract/test_source.py."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from shared.errors import InboundError
from shared.ports import NOBODY, Arrival, Watch

RECEIVED = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)


@dataclass
class MemoryFolder:
    """One mailbox of the server: mails by UID, and what is to go wrong."""

    validity: int = 1
    next: int = 1
    mails: dict[int, tuple[bytes, datetime]] = field(default_factory=dict)
    refuses: dict[int, InboundError] = field(default_factory=dict)
    closed_with: InboundError | None = None
    fetched: list[int] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)
    acts: bool = False
    refuses_to_act: InboundError | None = None
    acted: set[int] = field(default_factory=set)

    def deliver(self, raw: bytes, received: datetime = RECEIVED) -> int:
        """Put a mail in; its UID."""
        uid = self.next
        self.mails[uid] = (raw, received)
        self.next += 1
        return uid

    def renumber(self) -> None:
        """What a server does after a restore: a new UIDVALIDITY and new UIDs."""
        self.validity += 1
        self.mails = dict(enumerate(self.mails.values(), start=1))
        self.next = len(self.mails) + 1


class MemorySource:
    """A ``Source`` on a ``MemoryFolder``."""

    def __init__(self, folder: MemoryFolder, floor: datetime | None = None, watch: Watch = NOBODY) -> None:
        self._folder = folder
        self._watch = watch
        self._floor = floor
        self._validity = folder.validity
        self._settled: set[int] = set()
        self._again: dict[int, int] = {}
        self._todo: set[int] = set()
        self.starts_over = False

    def __enter__(self) -> Self:
        if self._folder.closed_with:
            raise self._folder.closed_with
        self._watch.step("login")
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def new(self, cursor: str) -> Iterator[Arrival]:
        stored: dict[str, Any] = json.loads(cursor) if cursor else {"validity": 0, "settled": [], "again": {}}
        self.starts_over = stored["validity"] != self._folder.validity
        if not self.starts_over:
            self._settled = set(stored["settled"])
            self._again = {int(uid): tries for uid, tries in stored["again"].items()}
            self._todo = set(stored["todo"])
        if self.starts_over and self._floor:
            self._settled = {uid for uid, (_, received) in self._folder.mails.items() if received < self._floor}
        again = list(self._again)
        for uid in sorted(self._folder.mails):
            if uid not in self._settled and uid not in again and uid in self._folder.mails:
                yield self._arrival(uid)
        for uid in again:
            if uid in self._folder.mails:
                yield self._arrival(uid)
            else:
                del self._again[uid]

    def fetch(self, arrival: Arrival) -> bytes | None:
        uid = int(arrival.position.rpartition(":")[2])
        self._folder.fetched.append(uid)
        if error := self._folder.refuses.get(uid):
            raise error
        found = self._folder.mails.get(uid)
        return found[0] if found else None

    def fetch_head(self, arrival: Arrival) -> bytes | None:
        raw = self.fetch(arrival)
        return raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if raw is not None else None

    def settle(self, arrival: Arrival) -> None:
        uid = int(arrival.position.rpartition(":")[2])
        self._settled.add(uid)
        if self._folder.acts:
            self._todo.add(uid)
        self._again.pop(uid, None)

    def skip(self, arrival: Arrival) -> None:
        uid = int(arrival.position.rpartition(":")[2])
        self._settled.add(uid)
        self._again.pop(uid, None)

    def act(self) -> None:
        if self._todo and self._folder.refuses_to_act:
            raise self._folder.refuses_to_act
        self._folder.acted |= self._todo
        self._todo = set()

    def may_act(self) -> None:
        return None

    def listing(self, since: datetime) -> Iterator[str]:
        for uid, (_, received) in sorted(self._folder.mails.items()):
            if received >= since:
                yield self._arrival(uid).position

    def look_up(self, positions: Sequence[str]) -> Iterator[Arrival]:
        for uid in sorted(self._folder.mails):
            if self._arrival(uid).position in positions:
                yield self._arrival(uid)

    def put_off(self, arrival: Arrival) -> int:
        uid = int(arrival.position.rpartition(":")[2])
        self._settled.add(uid)
        self._again[uid] = self._again.get(uid, 0) + 1
        return self._again[uid]

    def cursor(self) -> str:
        stored = {"validity": self._validity, "settled": sorted(self._settled), "again": self._again}
        return json.dumps({**stored, "todo": sorted(self._todo)})

    def _arrival(self, uid: int) -> Arrival:
        raw, received = self._folder.mails[uid]
        return Arrival(f"imap:{self._validity}:{uid}", self._folder.sizes.get(uid, len(raw)), received)
