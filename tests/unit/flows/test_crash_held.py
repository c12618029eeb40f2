"""Storage fails at every single operation of what people do with held mail, and of mails that write more than one
incident: nothing is lost, nothing is done twice, and a later try ends well."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import CallerError, StoreError
from shared.flows import convert, held, upkeep
from shared.model.doorbell import InboundBell
from shared.model.incident import Status
from shared.model.reason import Outcome
from tests.support.app import make_app
from tests.support.checker import Stored
from tests.support.failing import FailingBlobs, FailingQueues, FailingTables, Fault, Kind
from tests.support.mails import mail
from tests.support.memory import MemoryBlobs, MemoryTables
from tests.unit.flows.given import BOB, Desk, answer, attached, bounce, proved

KINDS: list[Kind] = ["before", "after", "outage"]


class Scene(Desk):
    """A desk whose storage can fail."""

    def __init__(self, **settings: Any) -> None:
        self.fault = Fault()
        tables, blobs = FailingTables(MemoryTables(), self.fault), FailingBlobs(MemoryBlobs(), self.fault)
        world = make_app(tables, blobs, FailingQueues(fault=self.fault))
        world.clock.now += timedelta(microseconds=750_250)
        super().__init__(world)
        self.mailbox(**settings)
        self.mails: list[str] = []

    def bring(self, *raws: bytes, mailbox: str = "support") -> None:
        """Mails that come while all is well."""
        self.mails += [self.receive(raw, mailbox).id for raw in raws]

    def keep(self, raw: bytes, mailbox: str = "support") -> None:
        """A mail that waits to be converted."""
        self.world.folders[mailbox].deliver(raw, self.world.clock.now)
        self.world.poll(self.tenant, mailbox)
        self.mails.append(InboundBell.decode(self.world.queues.inbound.popleft()).id)

    def recover(self) -> None:
        """Storage works again; every bell that was lost is rung for by the rescue."""
        self.fault.disarm()
        self.world.queues.inbound.clear()
        for _ in range(2):
            self.world.clock.advance(minutes=10)
            upkeep.rescue(self.world.app)
            self.world.convert_all()

    def outcomes(self) -> dict[str, int]:
        return dict(Stored(self.world.tables, self.world.blobs, self.tenant).outcomes())


@dataclass(frozen=True)
class Play:
    """``prepare``: before storage fails; ``act``: while it does; ``ends``: what there must be after another try."""

    prepare: Callable[[], Scene]
    act: Callable[[Scene], object]
    ends: dict[str, int]
    incidents: int
    again: bool = True
    """Whether who pressed the button presses it again, as he was told that it failed."""


def _held(*raws: bytes, **settings: Any) -> Callable[[], Scene]:
    def prepare() -> Scene:
        scene = Scene(whitelist_enabled=True, **settings)
        scene.bring(*(raws or (answer(message_id="<1@t>"),)))
        return scene

    return prepare


def _discarded() -> Scene:
    scene = _held()()
    held.discard(scene.world.app, scene.tenant, scene.mails[0], "Kim")
    return scene


def _failed() -> Scene:
    scene = Scene()
    scene.keep(mail())
    convert.give_up(scene.world.app, scene.tenant, scene.mails[0])
    return scene


def _waiting(raw: bytes, *before: bytes, mailbox: str = "support", **settings: Any) -> Callable[[], Scene]:
    def prepare() -> Scene:
        scene = Scene(**settings)
        scene.mailbox("sales", group="Sales")
        scene.bring(*before)
        for incident in scene.incidents():
            scene.change(incident.number, status=Status.RESOLVED)
        scene.keep(raw, mailbox)
        return scene

    return prepare


def _release(scene: Scene) -> object:
    return held.release(scene.world.app, scene.tenant, scene.mails[0], "Kim")


def _discard(scene: Scene) -> object:
    return held.discard(scene.world.app, scene.tenant, scene.mails[0], "Kim")


def _allow(scene: Scene) -> object:
    return held.always_allow(scene.world.app, scene.tenant, scene.mails[0], "Kim")


def _retry(scene: Scene) -> object:
    return held.retry(scene.world.app, scene.tenant, scene.mails[0])


def _convert(scene: Scene) -> None:
    convert.convert(scene.world.app, scene.tenant, scene.mails[-1])


THREE = (answer(message_id="<1@t>"), answer(BOB, message_id="<2@t>"), answer(message_id="<3@t>"))
FORWARD = attached("kim@desk.example", mail(message_id="<k@x>", text="x" * 40_000), make=proved, text="y" * 40_000)

PLAYS = {
    "release": Play(_held(), _release, {"new_incident": 1}, 1),
    "release after discard": Play(_discarded, _release, {"new_incident": 1}, 1),
    "discard": Play(_held(), _discard, {"discarded_by_person": 1}, 0),
    "always allow": Play(_held(*THREE), _allow, {"new_incident": 2, "not_on_whitelist": 1}, 2),
    "retry": Play(_failed, _retry, {"new_incident": 1}, 1),
    "a forward with two notes": Play(
        _waiting(FORWARD, agents="kim@desk.example"), _convert, {"new_incident": 1}, 1, again=False
    ),
    "a twin": Play(_waiting(mail(), mail(), mailbox="sales"), _convert, {"new_incident": 2}, 2, again=False),
    "an answer that opens again": Play(
        _waiting(answer(in_reply_to="<1@example.com>"), mail()),
        _convert,
        {"new_incident": 1, "reply_by_reference": 1},
        1,
        again=False,
    ),
    "a bounce": Play(
        _waiting(bounce("<1@example.com>"), mail()),
        _convert,
        {"new_incident": 1, "report_unmatched": 1},
        1,
        again=False,
    ),
    "one too many": Play(
        _waiting(answer(), mail(), max_incidents_per_hour=1),
        _convert,
        {"new_incident": 1, "too_many": 1},
        1,
        again=False,
    ),
}


def _perform(play: Play, scene: Scene) -> None:
    for _ in range(2 if play.again else 1):
        try:
            play.act(scene)
        except (StoreError, CallerError):
            continue  # he was told; or it was done although he was told that it was not


def _problems(play: Play, scene: Scene) -> list[str]:
    found = scene.problems()
    if scene.outcomes() != play.ends:
        found.append(f"outcomes are {scene.outcomes()}")
    if len(scene.incidents()) != play.incidents:
        found.append(f"there are {len(scene.incidents())} incidents")
    counts = sorted(
        row.number("count") for row in Stored(scene.world.tables, scene.world.blobs, scene.tenant).rows("R").values()
    )
    if any(count > play.incidents for count in counts):
        found.append(f"counted {counts}")
    return found


def _operations(play: Play) -> int:
    scene = play.prepare()
    scene.fault.arm(0)
    play.act(scene)
    return scene.fault.count


@pytest.mark.parametrize("name", PLAYS)
def test_without_a_fault_the_play_ends_as_expected(name: str) -> None:
    scene = PLAYS[name].prepare()
    PLAYS[name].act(scene)
    scene.world.convert_all()
    assert _problems(PLAYS[name], scene) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PLAYS)
def test_a_fault_at_any_storage_operation_loses_nothing_and_does_nothing_twice(name: str, kind: Kind) -> None:
    play, found = PLAYS[name], dict[int, list[str]]()
    for at in range(1, _operations(play) + 1):
        scene = play.prepare()
        scene.fault.arm(at, kind)
        with suppress(StoreError):
            play.act(scene)
        scene.fault.disarm()
        if play.again:
            _perform(play, scene)
        scene.recover()
        if problems := _problems(play, scene):
            found[at] = problems
    assert found == {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["release", "release after discard", "discard", "retry", "always allow"])
def test_who_does_not_try_again_leaves_each_mail_in_one_of_two_good_states(name: str, kind: Kind) -> None:
    play = PLAYS[name]
    for at in range(1, _operations(play) + 1):
        scene = play.prepare()
        before = len(scene.mails)
        scene.fault.arm(at, kind)
        with suppress(StoreError):
            play.act(scene)
        scene.recover()
        assert scene.problems() == []
        assert sum(scene.outcomes().values()) == before
        delivered = [row for row in scene.world.ledger(scene.tenant) if row.outcome is Outcome.DELIVERED]
        assert len(scene.incidents()) == len(delivered)
