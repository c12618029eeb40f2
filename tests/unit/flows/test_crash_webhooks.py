"""Events with a fault at every single step: each change is told at least once, always with the same id, and nothing is
told that did not happen.

Storage fails at each operation in four ways, while mail is converted, answered and closed, and while events are sent;
the process dies before a request and after the receiver had it; bells are lost, doubled.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import InboundError, StoreError
from shared.flows import convert, hooks, poll, reply, upkeep, webhooks
from shared.flows.reply import Draft
from shared.model.doorbell import InboundBell, WebhookBell
from shared.model.incident import NoteKind, Status, label
from shared.model.reason import Outcome
from shared.model.webhook import SUBSCRIBABLE, Dispatch
from shared.ports import App
from shared.store.raw import Blobs
from shared.store.tables import Operation, Tables
from shared.store.webhooks import TableWebhooks
from tests.support.app import World, make_app
from tests.support.checker import violations
from tests.support.failing import FailingBlobs, FailingQueues, FailingTables, Fault, Kind
from tests.support.mails import mail
from tests.support.memory import MemoryBlobs, MemoryTables
from tests.support.receiver import Request

ONE = "https://one.example/in"
TWO = "https://two.example/in"
TRIES = 5
"""Of the queue, before it says that it gave up."""

QUESTION = mail(text="The question.", message_id="<q@example.com>")
ANSWER = mail(text="Thanks, one more.", message_id="<a@example.com>", in_reply_to="<q@example.com>")
STRANGER = mail(sender="eve@other.example", text="Buy now.", message_id="<s@other.example>")


class Died(BaseException):
    """The process ends here."""


@dataclass
class Scene:
    """A desk that takes mail from example.com, with two webhooks: one for everything, one for incidents only."""

    broken: Callable[[App, Tables, Blobs], App] | None = None
    fault: Fault = field(default_factory=Fault)
    world: World = field(init=False)
    tenant: str = field(init=False)

    def __post_init__(self) -> None:
        tables, blobs = FailingTables(MemoryTables(), self.fault), FailingBlobs(MemoryBlobs(), self.fault)
        made = self.world = make_app(tables, blobs, FailingQueues(fault=self.fault))
        if self.broken:
            made.app = self.broken(made.app, tables, blobs)
        self.tenant, _ = made.tenant()
        made.mailbox(self.tenant, whitelist_enabled=True, whitelist="example.com")
        made.clock.now += timedelta(microseconds=750_250)
        hooks.make(made.app, self.tenant, hooks.Wish(ONE, SUBSCRIBABLE))
        hooks.make(made.app, self.tenant, hooks.Wish(TWO, ["incident.created"]))

    def work(self) -> None:
        """A question comes in, is closed, its answer opens it again, a stranger is held, an agent writes a note."""
        self.receive(QUESTION)
        self.press(lambda: reply.set_status(self.world.app, self.tenant, 1, Status.CLOSED))
        self.receive(ANSWER)
        self.receive(STRANGER)
        self.press(
            lambda: reply.add(self.world.app, self.tenant, 1, Draft("Aside.", False, "Kim", status=Status.RESOLVED))
        )

    def receive(self, raw: bytes) -> None:
        self.world.folders["support"].deliver(raw, self.world.clock.now)
        for _ in range(TRIES):
            with suppress(InboundError):
                self.world.poll(self.tenant)
        self.convert()

    def convert(self) -> None:
        queue = self.world.queues.inbound
        for text in [queue.popleft() for _ in range(len(queue))]:
            bell = InboundBell.decode(text)
            for _ in range(TRIES):
                with suppress(StoreError):
                    convert.convert(self.world.app, bell.tenant, bell.id)
                    break

    def press(self, action: Callable[[], Any]) -> None:
        """A person does it again until it works; where it was done already, it changes nothing."""
        for _ in range(3):
            with suppress(InboundError):
                action()
                return

    def hear(self, tries: int = TRIES, doubled: bool = False) -> None:
        queue = self.world.queues.webhooks
        for text in [queue.popleft() for _ in range(len(queue))] * (2 if doubled else 1):
            bell = WebhookBell.decode(text)
            for _ in range(tries):
                try:
                    webhooks.deliver(self.world.app, bell.tenant, bell.event)
                    break
                except (StoreError, Died):
                    self.world.clock.advance(seconds=30)
            else:
                webhooks.give_up(self.world.app, bell.tenant, bell.event)

    def recover(self) -> None:
        """All is well again, and two hours go by."""
        self.fault.disarm()
        for _ in range(8):
            self.world.clock.advance(minutes=15)
            poll.poll(self.world.app, self.tenant, "support")
            upkeep.rescue(self.world.app)
            self.convert()
            self.hear()

    def happened(self) -> list[tuple[str, ...]]:
        """What there is to tell, read from the desk itself."""
        found: list[tuple[str, ...]] = []
        for incident in self.world.incidents(self.tenant):
            number = label(incident.number)
            found += [("incident.created", number)]
            found += [
                ("note.added", number, str(one.seq)) for one in self.world.notes(self.tenant, incident.number)[1:]
            ]
        found += [("mail.held", one.id) for one in self.world.ledger(self.tenant) if one.outcome is Outcome.HELD]
        return sorted(found)

    def problems(self) -> list[str]:
        found = violations(self.world.tables, self.world.blobs, self.tenant)
        found += [f"{one.event.type} still waits" for one in self.world.app.webhooks.all_waiting(self.tenant)]
        got = [one for one in self.world.receiver.got if one.url == ONE]
        ids: dict[str, set[bytes]] = {}
        for request in got:
            ids.setdefault(request.headers["webhook-id"], set()).add(request.body)
        found += [f"{id} was told in {len(bodies)} ways" for id, bodies in ids.items() if len(bodies) > 1]
        events = [json.loads(next(iter(bodies))) for bodies in ids.values()]
        told = sorted(_what(one) for one in events if one["type"] != "status.changed")
        if told != self.happened():
            found.append(f"told {told}, happened {self.happened()}")
        found += _steps([one for one in events if one["type"] == "status.changed"], self._status())
        created = {id for id in ids if json.loads(next(iter(ids[id])))["type"] == "incident.created"}
        if {one.headers["webhook-id"] for one in self.world.receiver.got if one.url == TWO} != created:
            found.append("the second webhook was not told of the incidents, and only of them")
        return found

    def _status(self) -> str:
        return self.world.incidents(self.tenant)[0].status.value


def _what(event: dict[str, Any]) -> tuple[str, ...]:
    data = event["data"]
    if event["type"] == "mail.held":
        return event["type"], data["mail"]["id"]
    if event["type"] == "note.added":
        return event["type"], data["incident"]["number"], str(data["note"]["seq"])
    return event["type"], data["incident"]["number"]


def _steps(changes: list[dict[str, Any]], status: str) -> Iterator[str]:
    """Changes of status make one way from "open" to how it stands now: none is missing, none is there twice."""
    steps = [(one["data"]["previous_status"], one["data"]["incident"]["status"]) for one in changes]
    if len(steps) > 3 or not any(_is_way(way, status) for way in itertools.permutations(steps)):
        yield f"status changes: {steps}, and it is {status}"


def _is_way(steps: Sequence[tuple[str, str]], status: str) -> bool:
    places = ["open", *(place for step in steps for place in step), status]
    return all(places[at] == places[at + 1] for at in range(0, len(places), 2))


def play(scene: Scene, bells_get_lost: bool = False, doubled: bool = False) -> None:
    scene.work()
    if bells_get_lost:
        scene.world.queues.webhooks.clear()
    scene.hear(1 if bells_get_lost else TRIES, doubled)


def operations(make: Callable[[], Scene]) -> int:
    scene = make()
    scene.fault.arm(0)
    play(scene)
    return scene.fault.count


def failing_at(
    make: Callable[[], Scene], kind: Kind, bells_get_lost: bool = False, doubled: bool = False
) -> dict[int, list[str]]:
    """For each storage operation: what is wrong after it failed and all else went on."""
    found: dict[int, list[str]] = {}
    for at in range(1, operations(make) + 1):
        scene = make()
        scene.fault.arm(at, kind)
        play(scene, bells_get_lost, doubled)
        scene.recover()
        if problems := scene.problems():
            found[at] = problems
    return found


def test_without_a_fault_each_change_is_told_once() -> None:
    scene = Scene()
    play(scene)
    assert scene.problems() == []
    assert sorted(scene.world.receiver.types()) == sorted(
        ["incident.created"] * 2 + ["note.added"] * 2 + ["status.changed"] * 3 + ["mail.held"]
    )
    assert scene.world.notes(scene.tenant, 1)[-1].kind is NoteKind.INTERNAL


@pytest.mark.parametrize("bells", ["come once", "come twice", "get lost"])
@pytest.mark.parametrize("kind", ["before", "after", "outage", "again"])
def test_a_fault_at_any_storage_operation_loses_no_event_and_makes_none_up(kind: Kind, bells: str) -> None:
    assert operations(Scene) > 100
    assert failing_at(Scene, kind, bells == "get lost", bells == "come twice") == {}


@pytest.mark.parametrize("at", range(1, 9))
def test_a_process_that_dies_after_the_receiver_had_it_tells_it_again_with_the_same_id(at: int) -> None:
    scene = Scene()

    def dies(request: Request) -> None:
        if len(scene.world.receiver.got) == at:
            raise Died

    scene.world.receiver.takes = dies
    play(scene)
    scene.recover()
    assert scene.problems() == []
    assert sorted(scene.world.receiver.ids().values())[-1] >= 2


def test_a_receiver_that_is_down_for_hours_hears_of_everything_afterwards() -> None:
    scene = Scene()
    scene.world.receiver.always = 503
    play(scene)
    for _ in range(60):
        scene.world.clock.advance(minutes=3)
        upkeep.rescue(scene.world.app)
        scene.hear()
    scene.world.receiver.always = 200
    scene.world.receiver.got.clear()
    for _ in range(60 * 8):
        scene.world.clock.advance(minutes=3)
        upkeep.rescue(scene.world.app)
        scene.hear()
    assert scene.problems() == []


# ── the tests can fail ────────────────────────────────────────────────────────────────────────────────────────────


class _Elsewhere:
    """Broken: events are written behind the change, not with it."""

    def __init__(self, inner: Tables) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def commit(self, table: str, partition: str, operations: Sequence[Operation]) -> tuple[str, ...]:
        events = [one for one in operations if one.key.startswith("WP:")]
        rest = [one for one in operations if not one.key.startswith("WP:")]
        if not events or not rest or any(one.key.startswith(("WE:", "WL:")) for one in rest):
            return self._inner.commit(table, partition, operations)
        etags = self._inner.commit(table, partition, rest)
        self._inner.commit(table, partition, events)
        return etags


class _NoOutbox(TableWebhooks):
    """Broken: nobody finds what waits."""

    def all_waiting(self, tenant: str) -> Iterator[Dispatch]:
        return iter(())


def _apart(app: App, tables: Tables, blobs: Blobs) -> App:
    made = make_app(_Elsewhere(tables), blobs).app
    return replace(app, desk=made.desk, answers=made.answers)


def _forgetful(app: App, tables: Tables, blobs: Blobs) -> App:
    return replace(app, webhooks=_NoOutbox(tables))


@pytest.mark.parametrize("broken", [_apart, _forgetful])
def test_a_broken_variant_is_caught(broken: Callable[[App, Tables, Blobs], App]) -> None:
    assert failing_at(lambda: Scene(broken), "outage")
