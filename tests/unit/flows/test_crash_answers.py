"""An answer on its way out, with a fault at every single step: it is sent once, or it says that nobody knows.

Storage fails at each operation in four ways; the process dies before it connects, while it hands the mail over, after
the server took it; bells are lost, doubled, out of order. Afterwards nothing waits for ever, and for each time that a
person pressed "send" at most one mail was taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from shared.errors import CertificateRefused, Conflict, NotSent, StoreError, Throttled, Unreachable
from shared.flows import reply, send, upkeep
from shared.flows.reply import Draft, File
from shared.mail.message import parse
from shared.model.doorbell import OutboundBell
from shared.model.mailbox import Mailbox
from shared.model.outbound import GIVE_UP_AFTER, Outbound, SendState
from shared.ports import NOBODY, App, Courier, Refusal, Watch
from shared.store.answers import TableAnswers
from shared.store.raw import Blobs
from shared.store.tables import Tables
from tests.support.app import World, make_app
from tests.support.checker import violations
from tests.support.courier import MemoryPost
from tests.support.failing import FailingBlobs, FailingQueues, FailingTables, Fault, Kind
from tests.support.mails import mail
from tests.support.memory import MemoryBlobs, MemoryTables

QUESTION = mail(text="The question.", message_id="<q@example.com>", cc="bob@example.net")
ANSWER = Draft("The answer.", True, "Kim", files=(File("plan.txt", "text/plain", b"1. water"),))
TRIES = 5
"""Of the queue, before it says that it gave up."""


class Died(BaseException):
    """The process ends here."""


def dies_connecting(post: MemoryPost) -> None:
    post.closed_with = Died()


def dies_before_the_mail_is_taken(post: MemoryPost) -> None:
    post.refuses_mail = Died()


def dies_after_the_mail_was_taken(post: MemoryPost) -> None:
    post.dies_after_taking = Died()


def loses_the_connection_before_the_answer(post: MemoryPost) -> None:
    post.dies_after_taking = NotSent("Lost.", "Look.", in_doubt=True)


def loses_the_connection_at_goodbye(post: MemoryPost) -> None:
    post.leaves_with = Unreachable("Gone.", "Wait.")


def is_told_to_wait(post: MemoryPost) -> None:
    post.refuses_mail = Throttled("Too fast.", "Wait.", retry_after=90)


def has_one_recipient_put_off(post: MemoryPost) -> None:
    post.refuses = {"bob@example.net": Refusal(451, "4.7.1", "greylisted", permanent=False)}


def all_goes_well(post: MemoryPost) -> None:
    return None


FATES: tuple[Callable[[MemoryPost], None], ...] = (
    all_goes_well,
    dies_connecting,
    dies_before_the_mail_is_taken,
    dies_after_the_mail_was_taken,
    loses_the_connection_before_the_answer,
    loses_the_connection_at_goodbye,
    is_told_to_wait,
    has_one_recipient_put_off,
)


@dataclass
class Scene:
    """A desk with one incident, whose storage can fail, and a server whose first conversation has a ``fate``."""

    fate: Callable[[MemoryPost], None] = all_goes_well
    broken: Callable[[App, Tables, Blobs], App] | None = None
    fault: Fault = field(default_factory=Fault)
    pressed: int = 0
    world: World = field(init=False)
    tenant: str = field(init=False)

    def __post_init__(self) -> None:
        tables, blobs = FailingTables(MemoryTables(), self.fault), FailingBlobs(MemoryBlobs(), self.fault)
        made = self.world = make_app(tables, blobs, FailingQueues(fault=self.fault))
        made.clock.now += timedelta(microseconds=750_250)
        if self.broken:
            made.app = self.broken(made.app, tables, blobs)
        self.tenant, _ = made.tenant()
        made.mailbox(self.tenant, outgoing={"enabled": True, "host": "smtp.example.org"})
        made.receive(self.tenant, QUESTION)
        self.post = made.posts.setdefault("support", MemoryPost())
        self.fate(self.post)

    def press(self) -> None:
        """An agent writes and presses "send"; where that fails he looks, and writes again only what is not there."""
        for _ in range(3):
            self.pressed += 1
            with suppress(StoreError):
                reply.add(self.world.app, self.tenant, 1, ANSWER)
                return
            with suppress(StoreError):
                if len(self.world.notes(self.tenant, 1)) > 1:
                    return

    def hear(self, tries: int = TRIES, doubled: bool = False) -> None:
        """The queue delivers what waits in it, each as often as it must, or until it gives up."""
        bells = [self.world.queues.outbound.popleft() for _ in range(len(self.world.queues.outbound))]
        for text in bells * (2 if doubled else 1):
            bell = OutboundBell.decode(text)
            for _ in range(tries):
                try:
                    send.send(self.world.app, bell.tenant, bell.incident, bell.note)
                    break
                except StoreError:
                    self.world.clock.advance(seconds=30)
                except Died:
                    self._restart()
                    self.world.clock.advance(seconds=30)
            else:
                send.give_up(self.world.app, bell.tenant, bell.incident, bell.note)

    def _restart(self) -> None:
        self.post.closed_with = self.post.refuses_mail = self.post.dies_after_taking = None

    def recover(self) -> None:
        """All is well again, and two hours go by."""
        self.fault.disarm()
        self._restart()
        self.post.leaves_with = None
        self.post.refuses.clear()
        for _ in range(8):
            self.world.clock.advance(minutes=15)
            upkeep.rescue(self.world.app)
            self.hear()

    def mails(self) -> list[Outbound]:
        return list(self.world.app.answers.of_incident(self.tenant, 1, 1, 99).values())

    def problems(self) -> list[str]:
        found = violations(self.world.tables, self.world.blobs, self.tenant)
        taken = Counter((parse(raw).message_id, one) for raw, _, people in self.post.sent for one in people)
        found += [f"{id} went to {one} {count} times" for (id, one), count in taken.items() if count > 1]
        notes = self.world.notes(self.tenant, 1)
        if len(notes) - 1 > self.pressed:
            found.append(f"pressed {self.pressed} times, written {len(notes) - 1} times")
        if self.pressed == 1 and len(notes) != 2:
            found.append(f"pressed once, and there are {len(notes)} notes")
        for one in self.mails():
            got = {who for raw, _, people in self.post.sent for who in people}
            if one.state is SendState.SENT and got != {"ann@example.com", "bob@example.net"}:
                found.append(f"it says sent, and only {got} got it")
            elif one.state not in (SendState.SENT, SendState.IN_DOUBT):
                found.append(f"it is {one.state} in the end: {one.said}")
        return found


def play(scene: Scene, bells_get_lost: bool = False, doubled: bool = False) -> None:
    scene.press()
    if bells_get_lost:
        scene.world.queues.outbound.clear()
    scene.hear(1 if bells_get_lost else TRIES, doubled)
    scene.world.clock.advance(minutes=2)
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


@pytest.mark.parametrize("fate", FATES)
def test_whatever_happens_to_the_process_it_is_sent_once_or_in_doubt(fate: Callable[[MemoryPost], None]) -> None:
    for doubled in (False, True):
        scene = Scene(fate)
        play(scene, doubled=doubled)
        scene.recover()
        assert scene.problems() == []
        (one,) = scene.mails()
        unknown = fate in (
            dies_before_the_mail_is_taken,
            dies_after_the_mail_was_taken,
            loses_the_connection_before_the_answer,
        )
        assert one.state is (SendState.IN_DOUBT if unknown else SendState.SENT)
        assert "may have been sent" in one.said or not unknown


@pytest.mark.parametrize("bells", ["come once", "come twice", "get lost"])
@pytest.mark.parametrize("kind", ["before", "after", "outage", "again"])
@pytest.mark.parametrize("fate", FATES)
def test_a_fault_at_any_storage_operation_sends_no_mail_twice_and_leaves_none_waiting(
    fate: Callable[[MemoryPost], None], kind: Kind, bells: str
) -> None:
    def make() -> Scene:
        return Scene(fate)

    assert operations(make) > 15
    assert failing_at(make, kind, bells == "get lost", bells == "come twice") == {}


def test_what_storage_forgets_to_answer_is_in_doubt_only_if_it_never_answers_again() -> None:
    """One lost answer, at whatever operation, costs nothing: the mail is sent, and says so."""
    kinds: tuple[Kind, ...] = ("before", "after", "again")
    for kind in kinds:
        for at in range(1, operations(Scene) + 1):
            scene = Scene()
            scene.fault.arm(at, kind)
            play(scene)
            scene.recover()
            assert [one.state for one in scene.mails()] == [SendState.SENT], f"{kind} {at}"


# ── a person says "send again" ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["before", "after", "outage", "again"])
def test_pressing_send_again_sends_it_once_more_at_most(kind: Kind) -> None:
    def make() -> Scene:
        scene = Scene(loses_the_connection_before_the_answer)
        play(scene)
        scene._restart()
        scene.post.sent.clear()
        return scene

    def press(scene: Scene) -> None:
        with suppress(StoreError, Conflict):
            reply.send_again(scene.world.app, scene.tenant, 1, 2)
        scene.hear(1)

    counting = make()
    counting.fault.arm(0)
    press(counting)
    for at in range(1, counting.fault.count + 1):
        scene = make()
        scene.fault.arm(at, kind)
        press(scene)
        scene.recover()
        taken = Counter(one for _, _, people in scene.post.sent for one in people)
        assert max(taken.values(), default=0) <= 1, at
        (one,) = scene.mails()
        assert one.state in (SendState.SENT, SendState.IN_DOUBT), at
        assert violations(scene.world.tables, scene.world.blobs, scene.tenant) == []


# ── what cannot be sent ends, too ─────────────────────────────────────────────────────────────────────────────────


class _Puzzled(Exception):
    """A bug of ours."""


def test_a_bug_that_fails_each_time_is_given_up_after_a_day_and_said() -> None:
    def fails_each_time(app: App, tables: Tables, blobs: Blobs) -> App:
        def courier(*_: object) -> object:
            raise _Puzzled

        return replace(app, courier=courier)  # type: ignore[arg-type]

    scene = Scene(broken=fails_each_time)
    scene.press()
    passed = timedelta()
    while passed <= GIVE_UP_AFTER + timedelta(hours=1):
        for text in [scene.world.queues.outbound.popleft() for _ in range(len(scene.world.queues.outbound))]:
            bell = OutboundBell.decode(text)
            with suppress(_Puzzled):
                send.send(scene.world.app, bell.tenant, bell.incident, bell.note)
            send.give_up(scene.world.app, bell.tenant, bell.incident, bell.note)
        scene.world.clock.advance(minutes=30)
        passed += timedelta(minutes=30)
        upkeep.rescue(scene.world.app)
    (one,) = scene.mails()
    assert one.state is SendState.FAILED
    assert "Given up after a day" in one.said
    assert violations(scene.world.tables, scene.world.blobs, scene.tenant) == []


def test_a_server_that_is_down_is_tried_for_a_day_with_growing_pauses() -> None:
    scene = Scene()
    scene.post.closed_with = Unreachable("Down.", "Wait.")
    scene.press()
    for _ in range(60 * 26):
        scene.hear()
        scene.world.clock.advance(minutes=1)
        upkeep.rescue(scene.world.app)
    (one,) = scene.mails()
    assert one.state is SendState.FAILED
    assert "Down." in one.said
    assert 20 < one.attempts < 40


def test_wrong_settings_are_tried_three_times_only() -> None:
    log_ins: list[str] = []

    def counted(app: App, tables: Tables, blobs: Blobs) -> App:
        def courier(mailbox: Mailbox, watch: Watch = NOBODY) -> Courier:
            log_ins.append(mailbox.id)
            return app.courier(mailbox, watch)

        return replace(app, courier=courier)

    scene = Scene(broken=counted)
    scene.post.closed_with = CertificateRefused("Of another name.", "Correct it.")
    scene.press()
    for _ in range(30):
        scene.hear()
        scene.world.clock.advance(minutes=10)
        upkeep.rescue(scene.world.app)
    (one,) = scene.mails()
    assert (one.state, len(log_ins), one.attempts) == (SendState.FAILED, 3, 3)
    assert "Of another name." in one.said


# ── the tests can fail ────────────────────────────────────────────────────────────────────────────────────────────


class _ClaimsNothing(TableAnswers):
    """Broken: "sending" is not written down."""

    def move(self, tenant: str, before: Outbound, after: Outbound) -> Outbound:
        return before if after.state is SendState.SENDING else super().move(tenant, before, after)


class _NoOutbox(TableAnswers):
    """Broken: nobody finds what waits."""

    def open(self, tenant: str) -> Iterator[Outbound]:
        return iter(())


@pytest.mark.parametrize("kind", [_ClaimsNothing, _NoOutbox])
def test_a_broken_variant_is_caught(kind: type[TableAnswers]) -> None:
    def make(fate: Callable[[MemoryPost], None]) -> Callable[[], Scene]:
        return lambda: Scene(fate, lambda app, tables, blobs: replace(app, answers=kind(tables, blobs)))

    caught = [failing_at(make(fate), "outage") for fate in (all_goes_well, dies_after_the_mail_was_taken)]
    assert any(caught)
