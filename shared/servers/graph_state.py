"""The cursor of a Graph mailbox, opened.

    floor     the oldest time that the first connection wanted
    link      the delta (or next) link of the page that is not settled yet; empty before the first round
    walk      the next link of a first round that is not at its end yet
    backlog   what the folder held before the first round is listed from this time on; empty when that is done
    folder    the folder's id
    over      the server forgot where we stood: what is listed may be known
    lapped    there was no room for all of ``recent``: what this round lists may be known
    last      when the newest settled mail was received
    recent    digests of the mails settled last: delta queries repeat themselves, and pages are read again after a crash
    again     mails that could not be fetched
    todo      settled mails that are still to be marked, moved or deleted

It must fit a table's property: ids have about 150 characters, digests 12.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

RECENT = 500
"""Digests kept from one round to the next, in case that Graph repeats itself; within a round all are."""

DIGEST_BYTES = 9
"""72 bits: twelve letters of base64, and no chance that two of some hundred are the same."""

_LETTERS = DIGEST_BYTES * 4 // 3

MAX_CURSOR = 31_000
"""Characters; the store refuses 32,000. Beyond it the oldest digests go, after about two thousand."""


@dataclass(slots=True)
class Again:
    """A mail that could not be fetched: tries so far, when it was received, its size where that is known."""

    tries: int
    received: str
    size: int = 0


@dataclass(slots=True)
class GraphState:
    """See the module. Times are as Graph writes them (``2026-11-16T09:00:00Z``), so they compare as text."""

    floor: str = ""
    link: str = ""
    walk: str = ""
    backlog: str = ""
    folder: str = ""
    over: bool = False
    lapped: bool = False
    last: str = ""
    recent: dict[str, None] = field(default_factory=dict)
    again: dict[str, Again] = field(default_factory=dict)
    todo: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, cursor: str) -> GraphState:
        """From a cursor; an empty one is a first connection."""
        if not cursor:
            return cls()
        stored = json.loads(cursor)
        digests = stored.pop("recent")
        again = {id: Again(*values) for id, values in stored.pop("again").items()}
        recent = dict.fromkeys(digests[start : start + _LETTERS] for start in range(0, len(digests), _LETTERS))
        return cls(recent=recent, again=again, **stored)

    def write(self) -> str:
        """As a cursor, with as many digests as there is room for."""
        fields = asdict(self)
        fields["again"] = {id: [one.tries, one.received, one.size] for id, one in self.again.items()}
        fields["recent"] = ""
        room = (MAX_CURSOR - len(json.dumps(fields))) // _LETTERS
        newest = list(self.recent)[-max(room, 1) :]
        fields["recent"] = "".join(newest)
        fields["lapped"] = self.lapped or len(newest) < len(self.recent)
        return json.dumps(fields)

    def is_settled(self, id: str) -> bool:
        """Whether this mail was settled lately."""
        return digest(id) in self.recent

    def note_settled(self, id: str, received: str) -> None:
        """Remember it."""
        self.recent[digest(id)] = None
        self.last = max(self.last, received)

    def end_round(self) -> None:
        """All that was listed is settled: only what Graph may repeat needs to be remembered."""
        self.over = self.lapped = False
        self.recent = dict.fromkeys(list(self.recent)[-RECENT:])


def digest(id: str) -> str:
    """A short name of an id; ids differ in upper and lower case."""
    return base64.b64encode(hashlib.blake2b(id.encode(), digest_size=DIGEST_BYTES).digest()).decode()


def written(moment: datetime) -> str:
    """As Graph writes and reads times: whole seconds, and Z (a "+" in a link would arrive as a blank)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """A time of Graph's. Raises ``ValueError``."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)
