"""No mail is lost and none is taken in twice, whatever happens in the mailbox, on the wire and to us."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InboundError, MailRefused, ServerError
from shared.ports import Arrival
from shared.servers import graph, graph_lists, graph_state
from shared.servers.graph import AfterImport, GraphSource
from tests.support.mails import mail
from tests.support.microsoft import Microsoft, Reply
from tests.support.microsoft.mailbox import GraphMailbox
from tests.support.microsoft.wire import graph_error

ROUNDS = 14
BATCH = 7


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(Path(tmp_path_factory.mktemp("microsoft"))) as running:
        yield running


class _Crash(Exception):
    """Our process dies here."""


class _Ledger:
    """What survives a crash: the rows, and the cursor that was saved."""

    def __init__(self) -> None:
        self.cursor = ""
        self.kept: set[str] = set()
        self.accounted: set[str] = set()
        self.fetched_again: list[str] = []


class _Poll:
    """One poll in the order of flows/poll.py, which may die between any two steps."""

    def __init__(self, ledger: _Ledger, source: GraphSource, chance: random.Random, odds: float) -> None:
        self._ledger = ledger
        self._source = source
        self._chance = chance
        self._odds = odds
        self._batch: list[str] = []
        self._settled: list[str] = []

    def run(self) -> None:
        for arrival in self._source.new(self._ledger.cursor):
            self._maybe_die()
            self._take(arrival)
            if len(self._batch) >= BATCH:
                self._keep()
        self._keep()

    def _take(self, arrival: Arrival) -> None:
        known = arrival.position in self._ledger.kept
        if not (self._source.starts_over and known):
            if arrival.position in self._ledger.accounted and not self._source.starts_over:
                self._ledger.fetched_again.append(arrival.position)
            try:
                raw = self._source.fetch(arrival)
            except MailRefused:
                self._source.put_off(arrival)
                return
            except ServerError:
                self._source.put_off(arrival)
                self._keep()
                raise
            if raw is not None:
                self._batch.append(arrival.position)
        self._source.settle(arrival)
        self._settled.append(arrival.position)

    def _keep(self) -> None:
        self._maybe_die()
        self._ledger.kept.update(self._batch)
        self._batch = []
        self._maybe_die()
        self._ledger.cursor = self._source.cursor()
        self._ledger.accounted.update(self._settled)
        assert len(self._ledger.cursor) < 32_000
        self._maybe_die()
        self._source.act()

    def _maybe_die(self) -> None:
        if self._chance.random() < self._odds:
            raise _Crash


class _World:
    """A mailbox with an owner who does as he likes."""

    def __init__(self, box: GraphMailbox, chance: random.Random) -> None:
        self.box = box
        self.chance = chance
        self.delivered: set[str] = set()
        self.taken_away: set[str] = set()
        self._number = 0

    def live(self) -> None:
        for _ in range(self.chance.randrange(4)):
            self.chance.choice(
                [self._deliver, self._deliver, self._burst, self._move_in, self._take_out, self._delete, self._read]
            )()
        if self.chance.random() < 0.2:
            self.box.box.forget_sync()

    def go_wrong(self) -> None:
        for _ in range(self.chance.randrange(4)):
            fault: dict[str, Any] = self.chance.choice(
                [
                    {"reply": Reply(429, b"", {"Retry-After": "60"})},
                    {"reply": Reply(503, b"<html>")},
                    {"reply": graph_error(400, "ErrorMimeContentConversionFailed", "x"), "kind": "value"},
                    {"drop_after": -1},
                    {"drop_after": 20, "times": 2},
                    {"before": self.box.microsoft.entra.revoke_tokens},
                    {"before": self._delete},
                    {"before": self._deliver},
                    {"before": self.box.box.forget_sync},
                ]
            )
            # Of Graph only: a busy sign-in is left alone for a while, which is tested elsewhere.
            self.box.microsoft.fail(
                fault.pop("kind", "any"),
                skip=self.chance.randrange(25),
                when=lambda request: request.raw_path.startswith("/v1.0/"),
                **fault,
            )

    def _deliver(self) -> None:
        self._add(timedelta(minutes=self.chance.randrange(3)))

    def _burst(self) -> None:
        for _ in range(self.chance.randrange(25)):
            self._add(timedelta())

    def _move_in(self) -> None:
        """Rescued from Junk Email, where nothing is older than 30 days."""
        self._add(timedelta(days=self.chance.randrange(1, 29)))

    def _add(self, age: timedelta) -> None:
        self._number += 1
        raw = mail(message_id=f"<{self._number}@example.com>", subject=f"mail {self._number}")
        within = timedelta(milliseconds=self.chance.randrange(3000))  # seconds shared, and seconds crossed
        self.delivered.add(self.box.deliver(raw, datetime.now(UTC) - age - within).id)

    def _delete(self) -> None:
        if there := self._there():
            self.taken_away.add(there)
            self.box.box.delete(there)

    def _take_out(self) -> None:
        if there := self._there():
            self.taken_away.add(there)
            self.box.box.move(there, "archive")

    def _read(self) -> None:
        if there := self._there():
            self.box.box.mark(there, True)

    def _there(self) -> str:
        inbox = self.box.box.folder("inbox")
        assert inbox is not None
        found = [message.id for message in self.box.box.within(inbox.id)]
        return self.chance.choice(found) if found else ""


class _Clock:
    """Time that passes by being asked for: a busy machine gets as far in one poll as an idle one."""

    def __init__(self, starts: Callable[[], datetime]) -> None:
        self._starts = starts
        self._asked = 0

    def __call__(self) -> datetime:
        self._asked += 1
        return self._starts() + timedelta(milliseconds=self._asked)


def _poll(world: _World, ledger: _Ledger, after: AfterImport, odds: float) -> bool:
    """Whether it came to its end."""
    try:
        with world.box.source(after_import=after, move_to="Archive") as source:
            source._now = _Clock(world.box.microsoft.now)
            _Poll(ledger, source, world.chance, odds).run()
    except (_Crash, InboundError):
        return False
    return True


@pytest.mark.parametrize("after", ["leave", "mark_read", "move", "delete"])
@pytest.mark.parametrize("seed", range(4))
def test_every_mail_is_taken_in_once_whatever_happens(
    microsoft: Microsoft, monkeypatch: pytest.MonkeyPatch, seed: int, after: AfterImport
) -> None:
    # Small numbers, so that some dozen mails reach every edge.
    monkeypatch.setattr(graph_lists, "PAGE", 10)
    monkeypatch.setattr(graph_lists, "WALK_PAGE", 15)
    monkeypatch.setattr(graph_state, "RECENT", 40)
    monkeypatch.setattr(graph_state, "MAX_CURSOR", (2500, 31_000)[seed % 2])
    monkeypatch.setattr(graph, "WALK_SECONDS", timedelta(milliseconds=5))
    world = _World(GraphMailbox(microsoft), random.Random(f"{seed} {after}"))
    ledger = _Ledger()
    polls = ended = 0
    # Some more where chance has spared the first ones: a test in which nothing went wrong is worth nothing.
    while polls < ROUNDS or ended == polls:
        assert polls < 10 * ROUNDS, "nothing goes wrong"
        world.live()
        world.go_wrong()
        polls += 1
        ended += _poll(world, ledger, after, odds=0.02)
        microsoft.faults.clear()
    for _ in range(30):
        _poll(world, ledger, after, odds=0.0)
    kept = {position.removeprefix("graph:") for position in ledger.kept}
    assert kept <= world.delivered
    assert world.delivered - world.taken_away <= kept
    assert ledger.fetched_again == []
    if after == "delete":
        assert set(world.box.box.messages) <= world.taken_away
    if after == "mark_read":
        untouched = [world.box.box.messages[id] for id in world.delivered - world.taken_away]
        assert all(message.read for message in untouched)
    assert microsoft.violations == []
