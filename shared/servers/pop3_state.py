"""The cursor of POP3: every mail that is on the server, by the first 8 bytes of the SHA-256 of its UIDL.

That is 11 characters of cursor each; among 100,000 mails two of the same hash are met once in 4,000,000,000 mailboxes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

HASH_BYTES = 8
"""Of a UIDL: enough to tell the mails of one mailbox apart."""


@dataclass
class State:
    """The cursor, opened. Keys are hashes of UIDLs.

    count, octets, last   STAT and the last mail's hash when all was settled: they tell an idle mailbox by two commands
    whole                 when the whole list was read last (minutes of the epoch)
    floor                 the oldest date wanted, for ``undated``
    kept                  mails that we have, by the day on which we got them (``date.toordinal``): these may be deleted
    left                  mails that are settled and that we do not have: too old, too large, not handed over
    undated               during the first pass: mails whose date is still to be looked at
    again                 mails that could not be fetched, with the tries so far
    """

    count: int = 0
    octets: int = 0
    last: str = ""
    whole: int = 0
    floor: str = ""
    kept: dict[bytes, int] = field(default_factory=dict)
    left: set[bytes] = field(default_factory=set)
    undated: set[bytes] = field(default_factory=set)
    again: dict[bytes, int] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: str) -> State:
        if not cursor:
            return cls()
        stored = json.loads(cursor)
        return cls(
            count=stored["count"],
            octets=stored["octets"],
            last=stored["last"],
            whole=stored["whole"],
            floor=stored["floor"],
            kept={key: int(day) for day, keys in stored["kept"].items() for key in _unpacked(keys)},
            left=set(_unpacked(stored["left"])),
            undated=set(_unpacked(stored["undated"])),
            again={bytes.fromhex(key): tries for key, tries in stored["again"].items()},
        )

    def write(self) -> str:
        days: dict[int, list[bytes]] = {}
        for key, day in self.kept.items():
            days.setdefault(day, []).append(key)
        stored = {
            "count": self.count,
            "octets": self.octets,
            "last": self.last,
            "whole": self.whole,
            "floor": self.floor,
            "kept": {str(day): _packed(days[day]) for day in sorted(days)},
            "left": _packed(self.left),
            "undated": _packed(self.undated),
            "again": {key.hex(): tries for key, tries in self.again.items()},
        }
        return json.dumps(stored, separators=(",", ":"))

    def is_settled(self, key: bytes) -> bool:
        return key in self.kept or key in self.left

    def is_known(self, key: bytes) -> bool:
        return self.is_settled(key) or key in self.undated or key in self.again

    def is_empty(self) -> bool:
        return not (self.kept or self.left or self.undated or self.again)

    def forget_all_but(self, keys: set[bytes]) -> None:
        """What the server does not list any more is gone."""
        self.kept = {key: day for key, day in self.kept.items() if key in keys}
        self.again = {key: tries for key, tries in self.again.items() if key in keys}
        self.left &= keys
        self.undated &= keys


def _packed(keys: Iterable[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(keys))).decode().rstrip("=")


def _unpacked(text: str) -> list[bytes]:
    joined = base64.b64decode(text + "=" * (-len(text) % 4))
    return [joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES)]
