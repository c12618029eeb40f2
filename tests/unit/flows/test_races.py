"""Two at the same time: one process is stopped at each of its storage operations while another does all of its work,
and threads that have at it together."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from shared.errors import StoreError
from shared.flows import convert, mailboxes, upkeep
from shared.flows.poll import poll
from shared.model.doorbell import InboundBell
from shared.store.desk import TableDesk
from tests.support.app import World, make_app
from tests.support.checker import Stored, violations
from tests.support.failing import FailingBlobs, FailingQueues, FailingTables, Fault
from tests.support.mails import mail

QUESTION = mail(text="The question.", message_id="<q@example.com>", cc="bob@example.net")
ANSWER = mail("Bob <bob@example.net>", text="The answer.", message_id="<a@example.net>", in_reply_to="<q@example.com>")
OTHER = mail("Cat <cat@example.com>", text="Another matter.", message_id="<o@example.com>")


@dataclass
class Stage:
    """A world in which one process can be stopped."""

    fault: Fault = field(default_factory=Fault)
    world: World = field(init=False)
    tenant: str = field(init=False)

    def __post_init__(self) -> None:
        memory = make_app()
        self.world = make_app(
            FailingTables(memory.tables, self.fault),
            FailingBlobs(memory.blobs, self.fault),
            FailingQueues(fault=self.fault),
        )
        self.world.clock.now += timedelta(microseconds=750_250)
        self.tenant, _ = self.world.tenant()
        self.world.mailbox(self.tenant)

    def deliver(self, *mails: bytes) -> None:
        for raw in mails:
            self.world.folders["support"].deliver(raw)

    def keep(self, *mails: bytes) -> list[str]:
        """Mails that are kept and wait; their ids in order."""
        self.deliver(*mails)
        self.world.poll(self.tenant)
        bells = [InboundBell.decode(text).id for text in self.world.queues.inbound]
        self.world.queues.inbound.clear()
        return bells

    def finish(self) -> None:
        self.world.clock.advance(minutes=10)
        self.world.poll(self.tenant)
        self.world.convert_all()
        self.world.clock.advance(minutes=10)
        upkeep.rescue(self.world.app)
        self.world.convert_all()

    def elsewhere(self, work: Callable[[Stage], None]) -> None:
        """Do something as another process does it: with the same storage, and nothing else in common."""
        here = self.world.app
        self.world.app = replace(here, desk=TableDesk(self.world.tables, self.world.blobs))
        work(self)
        self.world.app = here

    def problems(self, *threads: tuple[str, ...]) -> list[str]:
        found = violations(self.world.tables, self.world.blobs, self.tenant)
        made = Stored(self.world.tables, self.world.blobs, self.tenant).threads()
        return found if made == sorted(threads) else [*found, f"threads are {made}"]


def stopped_everywhere(
    prepare: Callable[[Stage], None],
    first: Callable[[Stage], None],
    second: Callable[[Stage], None],
    judge: Callable[[Stage], list[str]],
) -> dict[int, list[str]]:
    """``second`` runs wholly before each storage operation of ``first``; what is wrong after that, by operation."""
    found: dict[int, list[str]] = {}
    for at in itertools.count(1):
        stage = Stage()
        prepare(stage)
        stage.fault.arm(at, instead=lambda stage=stage: stage.elsewhere(second))  # type: ignore[misc]
        first(stage)
        if stage.fault.armed:  # it needed fewer operations than that
            assert at > 5
            return found
        if problems := judge(stage):
            found[at] = problems
    return found


def _poll(stage: Stage) -> None:
    poll(stage.world.app, stage.tenant, "support")


def _poll_much_later(stage: Stage) -> None:
    """The first one is a zombie by now: its lease is over."""
    stage.world.clock.advance(minutes=10)
    _poll(stage)


def _finished(*threads: tuple[str, ...]) -> Callable[[Stage], list[str]]:
    def judge(stage: Stage) -> list[str]:
        stage.finish()
        return stage.problems(*threads)

    return judge


ONE_THREAD = ("The answer.", "The question.")


def test_a_poll_that_slept_for_hours_wakes_up_and_does_no_harm() -> None:
    assert not stopped_everywhere(
        lambda stage: stage.deliver(QUESTION, ANSWER, OTHER),
        _poll,
        _poll_much_later,
        _finished(ONE_THREAD, ("Another matter.",)),
    )


def test_of_two_polls_at_the_same_moment_at_most_one_fetches() -> None:
    def judge(stage: Stage) -> list[str]:
        fetched = stage.world.folders["support"].fetched
        return [] if fetched == [1, 2] else [f"fetched {fetched}"]

    assert not stopped_everywhere(lambda stage: stage.deliver(QUESTION, OTHER), _poll, _poll, judge)


def test_a_mail_delivered_while_a_poll_runs_is_not_lost() -> None:
    def deliver_and_poll(stage: Stage) -> None:
        stage.deliver(ANSWER)
        _poll_much_later(stage)

    assert not stopped_everywhere(lambda stage: stage.deliver(QUESTION), _poll, deliver_and_poll, _finished(ONE_THREAD))


def test_a_poll_whose_mailbox_is_asked_to_poll_at_once_still_writes_down_how_it_went() -> None:
    def press(stage: Stage) -> None:
        mailboxes.poll_now(stage.world.app, stage.tenant, "support")

    def judge(stage: Stage) -> list[str]:
        _poll(stage)  # the bell that rang
        status = mailboxes.status(stage.world.app, stage.tenant, "support")
        problems = [] if status.last_success else ["the success is not written down"]
        return [*problems, "it is said to be polling still"] if status.polling else problems

    assert not stopped_everywhere(lambda stage: stage.deliver(QUESTION), _poll, press, judge)


def test_settings_saved_while_a_poll_runs_keep_every_mail_and_leave_the_mailbox_free() -> None:
    def save(stage: Stage) -> None:
        stage.world.mailbox(stage.tenant, host="imap.elsewhere.example")

    def judge(stage: Stage) -> list[str]:
        if mailboxes.status(stage.world.app, stage.tenant, "support").polling:
            return ["the old poll still holds the mailbox"]
        stage.world.mailbox(stage.tenant)  # back again: the copies are recognised by their content
        return _finished(ONE_THREAD)(stage)

    assert not stopped_everywhere(lambda stage: stage.deliver(QUESTION, ANSWER), _poll, save, judge)


def test_a_mailbox_deleted_while_a_poll_runs_leaves_no_schedule_and_no_waiting_mail() -> None:
    def remove(stage: Stage) -> None:
        mailboxes.remove(stage.world.app, stage.tenant, "support")

    def judge(stage: Stage) -> list[str]:
        app = stage.world.app
        problems = ["it is in the schedule"] if app.schedule.get(stage.tenant, "support") else []
        stage.world.clock.advance(minutes=10)
        upkeep.rescue(app)
        stage.world.convert_all()
        return problems + stage.problems()

    assert not stopped_everywhere(lambda stage: stage.deliver(QUESTION, OTHER), _poll, remove, judge)


@pytest.mark.parametrize(
    ("mails", "first", "second", "threads"),
    [
        ((OTHER,), 0, 0, [("Another matter.",)]),
        ((OTHER, OTHER), 0, 1, [("Another matter.",)]),
        ((OTHER, QUESTION), 0, 1, [("Another matter.",), ("The question.",)]),
        ((QUESTION, ANSWER), 0, 1, [ONE_THREAD]),
        ((QUESTION, ANSWER), 1, 0, [ONE_THREAD]),
    ],
    ids=["the same mail", "two copies", "two strangers", "question, then answer", "answer, then question"],
)
def test_two_conversions_at_once_end_as_one_after_the_other(
    mails: tuple[bytes, ...], first: int, second: int, threads: list[tuple[str, ...]]
) -> None:
    ids: list[str] = []

    def prepare(stage: Stage) -> None:
        ids[:] = stage.keep(*mails)

    def run(index: int) -> Callable[[Stage], None]:
        return lambda stage: convert.convert(stage.world.app, stage.tenant, ids[index])

    assert not stopped_everywhere(prepare, run(first), run(second), lambda stage: stage.problems(*threads))


def test_two_answers_to_one_incident_at_once_get_numbers_of_their_own() -> None:
    ids: list[str] = []
    again = mail(text="One more thing.", message_id="<q2@example.com>", in_reply_to="<q@example.com>")

    def prepare(stage: Stage) -> None:
        stage.keep(QUESTION)
        upkeep_ids = [key.id for key, _, _ in stage.world.app.desk.pending(stage.tenant)]
        convert.convert(stage.world.app, stage.tenant, upkeep_ids[0])
        ids[:] = stage.keep(ANSWER, again)

    def run(index: int) -> Callable[[Stage], None]:
        return lambda stage: convert.convert(stage.world.app, stage.tenant, ids[index])

    thread = ("One more thing.", "The answer.", "The question.")
    assert not stopped_everywhere(prepare, run(0), run(1), lambda stage: stage.problems(thread))


@pytest.mark.parametrize("other", ["give_up", "rescue"])
def test_giving_up_and_the_rescue_meet_a_conversion_and_each_mail_has_one_end(other: str) -> None:
    ids: list[str] = []

    def prepare(stage: Stage) -> None:
        ids[:] = stage.keep(OTHER)
        stage.world.clock.advance(minutes=10)

    def second(stage: Stage) -> None:
        if other == "give_up":
            convert.give_up(stage.world.app, stage.tenant, ids[0])
        else:
            upkeep.rescue(stage.world.app)

    def judge(stage: Stage) -> list[str]:
        stage.world.convert_all()
        outcomes = Stored(stage.world.tables, stage.world.blobs, stage.tenant).outcomes()
        if outcomes == {"conversion_failed": 1}:
            return stage.problems()
        return stage.problems(("Another matter.",))

    assert not stopped_everywhere(
        prepare, lambda stage: convert.convert(stage.world.app, stage.tenant, ids[0]), second, judge
    )


# ── threads ───────────────────────────────────────────────────────────────────────────────────────────────────────


def together(count: int, work: Callable[[int], None]) -> list[BaseException]:
    """That many threads start at one moment; what they raised."""
    raised: list[BaseException] = []
    start = threading.Barrier(count)

    def run(index: int) -> None:
        try:
            start.wait()
            work(index)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            raised.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_eight_threads_convert_sixty_mails_at_once_into_numbers_without_gaps(world: World) -> None:
    tenant, _ = world.tenant()
    world.mailbox(tenant)
    folder = world.folders["support"]
    threads: list[tuple[str, ...]] = []
    for number in range(20):
        who, id = f"p{number}@example.com", f"<{number}.%s@example.com>"
        folder.deliver(mail(who, text=f"{number} b", message_id=id % "b", in_reply_to=id % "a"))
        folder.deliver(mail(who, text=f"{number} a", message_id=id % "a"))
        folder.deliver(mail(who, text=f"{number} a", message_id=id % "a"))
        threads.append((f"{number} a", f"{number} b"))
    world.poll(tenant)
    bells = world.queues.inbound
    bells.extend(list(bells)[::3])  # the queue delivers some twice

    def consume(_: int) -> None:
        while bells:
            try:
                text = bells.popleft()
            except IndexError:
                return
            bell = InboundBell.decode(text)
            try:
                convert.convert(world.app, bell.tenant, bell.id)
            except StoreError:
                bells.append(text)  # the queue delivers it again

    assert together(8, consume) == []
    assert violations(world.tables, world.blobs, tenant) == []
    assert Stored(world.tables, world.blobs, tenant).threads() == sorted(threads)


def test_many_threads_poll_one_mailbox_and_each_mail_is_fetched_once(world: World) -> None:
    tenant, _ = world.tenant()
    world.mailbox(tenant)
    for number in range(60):
        world.folders["support"].deliver(mail(text=str(number), message_id=f"<{number}@example.com>"))

    def work(_: int) -> None:
        poll(world.app, tenant, "support")

    assert together(8, work) == []
    assert world.folders["support"].fetched == list(range(1, 61))
    world.convert_all()
    assert violations(world.tables, world.blobs, tenant) == []
    assert len(world.incidents(tenant)) == 60
