"""Two at the same time on the way out: one is stopped at each of its storage operations while another does its work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import CallerError, StoreError
from shared.flows import convert, reply, send, upkeep
from shared.flows.reply import Draft
from shared.mail.message import parse
from shared.model.doorbell import OutboundBell
from shared.model.incident import Status
from shared.model.outbound import SENDING_LEASE, Outbound, SendState, sending
from shared.ports import NOBODY, Sent
from tests.support.app import World
from tests.support.checker import violations
from tests.support.courier import MemoryCourier, MemoryPost
from tests.support.mails import mail
from tests.unit.flows import given
from tests.unit.flows.test_races import ANSWER, QUESTION, Stage, stopped_everywhere, together

OUT = {"enabled": True, "host": "smtp.example.org"}


def answer(stage: Stage, text: str = "Use water.") -> None:
    with suppress(CallerError):
        reply.add(stage.world.app, stage.tenant, 1, Draft(text, True, "Kim"))


def send_it(stage: Stage) -> None:
    send.send(stage.world.app, stage.tenant, 1, 2)


def with_an_incident(stage: Stage) -> None:
    stage.world.mailbox(stage.tenant, outgoing=OUT)
    stage.world.posts["support"] = MemoryPost()
    stage.deliver(QUESTION)
    stage.world.poll(stage.tenant)
    stage.world.convert_all()


def with_an_answer(stage: Stage) -> None:
    with_an_incident(stage)
    answer(stage)
    stage.world.queues.outbound.clear()


def one(stage: Stage, note: int = 2) -> Outbound:
    found = stage.world.app.answers.outbound(stage.tenant, 1, note)
    assert found is not None
    return found


def taken(stage: Stage) -> Counter[str | None]:
    return Counter(parse(raw).message_id for raw, _, _ in stage.world.posts["support"].sent)


def problems(stage: Stage, mails: int = 1, state: SendState = SendState.SENT) -> list[str]:
    found = violations(stage.world.tables, stage.world.blobs, stage.tenant)
    if sorted(taken(stage).values()) != [1] * mails:
        found.append(f"the server took {taken(stage)}")
    return found if one(stage).state is state else [*found, f"it is {one(stage).state}"]


def test_two_bells_at_once_send_one_mail() -> None:
    assert not stopped_everywhere(with_an_answer, send_it, send_it, problems)


def test_a_process_that_slept_longer_than_its_lease_leaves_no_second_mail() -> None:
    def much_later(stage: Stage) -> None:
        stage.world.clock.now += SENDING_LEASE + timedelta(seconds=1)
        upkeep.rescue(stage.world.app)
        send_it(stage)
        send_it(stage)

    # It wakes up and goes on; what it learns from the server then is written over "may have been sent".
    assert not stopped_everywhere(with_an_answer, send_it, much_later, problems)


def test_send_again_pressed_twice_at_once_sends_one_mail_more() -> None:
    def prepare(stage: Stage) -> None:
        with_an_answer(stage)
        sent = stage.world.app.answers.move(stage.tenant, one(stage), one(stage))
        stage.world.app.answers.move(stage.tenant, sent, in_state(sent, SendState.IN_DOUBT))

    def press(stage: Stage) -> None:
        with suppress(CallerError):
            reply.send_again(stage.world.app, stage.tenant, 1, 2)

    def judge(stage: Stage) -> list[str]:
        for text in list(stage.world.queues.outbound):
            bell = OutboundBell.decode(text)
            send.send(stage.world.app, bell.tenant, bell.incident, bell.note)
        return problems(stage)

    for at in range(1, 12):
        stage = Stage()
        prepare(stage)
        stage.fault.arm(at, instead=lambda stage=stage: stage.elsewhere(press))  # type: ignore[misc]
        press(stage)
        stage.fault.disarm()
        assert judge(stage) == [], at


def in_state(before: Outbound, state: SendState) -> Outbound:
    return replace(before, state=state)


@pytest.mark.parametrize("other", ["give_up", "rescue", "status", "switched off"])
def test_what_else_happens_meanwhile_sends_nothing_twice_and_loses_nothing(other: str) -> None:
    def second(stage: Stage) -> None:
        app = stage.world.app
        if other == "give_up":
            send.give_up(app, stage.tenant, 1, 2)
        elif other == "rescue":
            stage.world.clock.advance(minutes=5)
            upkeep.rescue(app)
        elif other == "status":
            reply.set_status(app, stage.tenant, 1, Status.RESOLVED)
        else:
            stage.world.mailbox(stage.tenant, outgoing={"enabled": False})

    def judge(stage: Stage) -> list[str]:
        if other == "switched off" and one(stage).state is SendState.FAILED:
            return problems(stage, 0, SendState.FAILED)
        return problems(stage)

    assert not stopped_everywhere(with_an_answer, send_it, second, judge)


def test_an_answer_and_a_mail_at_once_both_become_notes_and_the_answer_is_sent_once() -> None:
    ids: list[str] = []

    def prepare(stage: Stage) -> None:
        with_an_incident(stage)
        ids[:] = stage.keep(ANSWER)

    def mail_comes(stage: Stage) -> None:
        convert.convert(stage.world.app, stage.tenant, ids[0])

    def judge(stage: Stage) -> list[str]:
        found = violations(stage.world.tables, stage.world.blobs, stage.tenant)
        texts = sorted(note.body.text for note in stage.world.notes(stage.tenant, 1))
        rung = [OutboundBell.decode(text).note for text in stage.world.queues.outbound]
        mails = stage.world.app.answers.of_incident(stage.tenant, 1, 1, 9)
        found += [] if texts == ["The answer.", "The question.", "Use water."] else [f"notes {texts}"]
        return found if rung == list(mails) and len(mails) == 1 else [*found, f"rung {rung}, mails {list(mails)}"]

    assert not stopped_everywhere(prepare, answer, mail_comes, judge)
    assert not stopped_everywhere(prepare, mail_comes, answer, judge)


def test_a_bounce_that_comes_while_the_mail_is_sent_again_does_not_stop_it() -> None:
    ids: list[str] = []

    def prepare(stage: Stage) -> None:
        with_an_answer(stage)
        send_it(stage)
        id = parse(stage.world.posts["support"].sent[0][0]).message_id
        ids[:] = stage.keep(given.bounce(id or "", "bob@example.net"))
        stage.world.posts["support"].sent.clear()
        stage.world.app.answers.move(stage.tenant, one(stage), in_state(one(stage), SendState.IN_DOUBT))
        reply.send_again(stage.world.app, stage.tenant, 1, 2)

    def bounce_comes(stage: Stage) -> None:
        convert.convert(stage.world.app, stage.tenant, ids[0])

    def judge(stage: Stage) -> list[str]:
        found = violations(stage.world.tables, stage.world.blobs, stage.tenant)
        if sum(taken(stage).values()) > 1:
            found.append(f"the server took {taken(stage)}")
        allowed = (SendState.SENT, SendState.BOUNCED)
        return found if one(stage).state in allowed else [*found, f"it is {one(stage).state}: {one(stage).said}"]

    assert not stopped_everywhere(prepare, send_it, bounce_comes, judge)


def test_eight_threads_hear_every_bell_twice_and_each_answer_is_sent_once(world: World) -> None:
    tenant, _ = world.tenant()
    world.mailbox(tenant, outgoing=OUT)
    for number in range(10):
        world.receive(tenant, mail(f"p{number}@example.com", message_id=f"<{number}@example.com>"))
        reply.add(world.app, tenant, number + 1, Draft(f"answer {number}", True, "Kim"))
    bells = world.queues.outbound
    bells.extend(list(bells))
    assert len(bells) == 20

    def consume(_: int) -> None:
        while bells:
            try:
                bell = OutboundBell.decode(bells.popleft())
            except IndexError:
                return
            with suppress(StoreError):
                send.send(world.app, bell.tenant, bell.incident, bell.note)

    assert together(8, consume) == []
    count = Counter(parse(raw).message_id for raw, _, _ in world.posts["support"].sent)
    assert (len(count), set(count.values())) == (10, {1})
    assert violations(world.tables, world.blobs, tenant) == []


def test_the_same_answer_from_two_pages_at_once_is_written_where_both_were_meant() -> None:
    """Two agents who type the same words at the same moment are two agents: nobody's words are lost."""

    def other_agent(stage: Stage) -> None:
        reply.add(stage.world.app, stage.tenant, 1, Draft("Use water.", True, "Lee"))

    def judge(stage: Stage) -> list[str]:
        authors = sorted(note.author.name for note in stage.world.notes(stage.tenant, 1)[1:])
        return [] if authors == ["Kim", "Lee"] else [f"written by {authors}"]

    make: Callable[[Stage], None] = with_an_incident
    assert not stopped_everywhere(make, answer, other_agent, judge)


def test_who_wakes_up_after_it_is_sent_again_by_another_leaves_that_one_alone() -> None:
    stage = Stage()
    with_an_answer(stage)

    def meanwhile(message: bytes, sender: str, recipients: Sequence[str]) -> Sent:
        """The first one sleeps in the middle of its mail: it is in doubt, a person presses, another one begins."""
        stage.world.app = usual
        stage.world.clock.now += SENDING_LEASE + timedelta(seconds=1)
        send_it(stage)
        assert one(stage).state is SendState.IN_DOUBT
        reply.send_again(usual, stage.tenant, 1, 2)
        usual.answers.move(stage.tenant, one(stage), sending(one(stage), stage.world.clock.now, "another"))
        return Sent({}, "250 kept")

    class Sleepy(MemoryCourier):
        def send(self, message: bytes, sender: str, recipients: Sequence[str]) -> Sent:
            return meanwhile(message, sender, recipients)

    usual = stage.world.app
    stage.world.app = replace(usual, courier=lambda mailbox, watch=NOBODY: Sleepy(MemoryPost(), watch))
    send_it(stage)
    assert (one(stage).state, one(stage).claim, one(stage).got) == (SendState.SENDING, "another", ())
