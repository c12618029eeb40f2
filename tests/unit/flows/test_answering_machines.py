"""Machines that answer machines, through everything that a mail goes through here: poll, convert, the queue, the
sending of what the app itself wrote, and back. (``test_loops`` plays weeks of it with a stand-in for what sends.)"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.flows import send
from shared.flows.reply import Draft, add
from shared.mail.message import Message, parse
from shared.mail.subject import plain_subject
from shared.model.doorbell import OutboundBell
from shared.model.outbound import SendKind
from tests.support.app import World
from tests.support.courier import MemoryPost
from tests.support.mails import mail
from tests.unit.flows.given import JUDGE

OUT = {"enabled": True, "host": "smtp.example.org"}
ROUNDS = 200
"""Far more than any loop may have."""

MOST_TO_ONE_SENDER = 3
"""Acknowledgements that one sender gets within an hour; each round here takes two minutes."""


@dataclass
class Machine:
    """Another ticket system or a vacation program: answers each mail. ``answer``: what it says to its n-th one."""

    answer: Callable[[Message, int], bytes]
    got: list[bytes] = field(default_factory=list)


@dataclass
class Road:
    """Desks of ours, each a tenant of its own, and machines; what is sent is delivered."""

    world: World
    desks: dict[str, tuple[str, str]] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    sent: list[bytes] = field(default_factory=list)
    _taken: dict[str, int] = field(default_factory=dict)

    def desk(self, name: str) -> str:
        """A desk that acknowledges; its address."""
        tenant, _ = self.world.tenant(name)
        address = f"support@{name}.example"
        self.world.mailbox(tenant, name, email=address, outgoing=OUT, acknowledge=True, authserv_id=JUDGE)
        self.world.posts[name] = MemoryPost()
        self.desks[address] = (tenant, name)
        return address

    def write(self, raw: bytes, to: str) -> None:
        """Deliver a mail; the receiving server writes down that its sender is real."""
        local, _, domain = to.rpartition("@")
        to = f"{local.partition('+')[0]}@{domain}"
        if to in self.desks:
            sender = parse(raw).sender
            assert sender is not None
            of = sender.address.rpartition("@")[2]
            head = f"Authentication-Results: {JUDGE}; dmarc=pass header.from={of}\r\n".encode()
            self.world.folders[self.desks[to][1]].deliver(head + raw, self.world.clock.now)
        elif to in self.machines:
            machine = self.machines[to]
            machine.got.append(raw)
            message = parse(raw)
            # As a machine that keeps no rule at all: to Reply-To or From, whatever the envelope says.
            back = (message.reply_to or (message.sender,))[0]
            assert back is not None
            self.write(machine.answer(message, len(machine.got)), back.address)

    def run(self) -> int:
        """Polls, conversions, sending and delivery, until nothing happens any more. How many rounds it took."""
        for round_ in range(ROUNDS):
            before = len(self.sent)
            self.world.clock.advance(minutes=2)
            for tenant, name in self.desks.values():
                self.world.poll(tenant, name)
            self.world.convert_all()
            while self.world.queues.outbound:
                bell = OutboundBell.decode(self.world.queues.outbound.popleft())
                send.send(self.world.app, bell.tenant, bell.incident, bell.note)
            for _, name in self.desks.values():
                post = self.world.posts[name]
                new, self._taken[name] = post.sent[self._taken.get(name, 0) :], len(post.sent)
                for raw, _, recipients in new:
                    self.sent.append(raw)
                    for one in recipients:
                        self.write(raw, one)
            if len(self.sent) == before and round_ > 3:
                return round_
        raise AssertionError(f"it goes on: {len(self.sent)} mails")


@pytest.fixture
def road(world: World) -> Road:
    return Road(world)


def _number(road: Road, desk: str) -> int:
    tenant, _ = road.desks[desk]
    return len(road.world.incidents(tenant))


# ── desks of ours ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_desks_that_acknowledge_each_other_stop_after_the_first(road: Road) -> None:
    a, b = road.desk("a"), road.desk("b")
    # Somebody at B writes to A from B's own address.
    road.write(mail(b, "Printer on fire", "It burns, and nobody knows what to do.", a, "<q@b.example>"), a)
    road.run()
    assert len(road.sent) <= 2
    (first, *_) = map(parse, road.sent)
    assert first.header("Auto-Submitted") == "auto-replied"
    assert _number(road, a) == 1


def test_an_agent_of_each_desk_can_answer_and_nothing_goes_on_by_itself(road: Road) -> None:
    a, b = road.desk("a"), road.desk("b")
    road.write(mail(b, "Printer on fire", "It burns, and nobody knows what to do.", a, "<q@b.example>"), a)
    road.run()
    for round_ in range(10):
        before = len(road.sent)
        tenant, _ = road.desks[(a, b)[round_ % 2]]
        add(road.world.app, tenant, 1, Draft(f"Words of a person, number {round_}.", True, "Kim"))
        road.run()
        assert len(road.sent) - before <= 2, "the answer, and an acknowledgement at most the first time"
    assert (_number(road, a), _number(road, b)) == (1, 1)
    answers = [one for one in map(parse, road.sent) if one.header("Auto-Submitted") is None]
    assert len(answers) == 10


# ── others' machines ──────────────────────────────────────────────────────────────────────────────────────────────


def _vacation(message: Message, count: int, **headers: str) -> bytes:
    assert message.sender is not None
    text = f"Thank you for your mail. Ann is away until Monday. ({count})"
    fields: dict[str, Any] = {"message_id": f"<v{count}@people.example>", "in_reply_to": message.message_id or ""}
    fields |= headers
    return mail("Ann <ann@people.example>", f"Re: {message.subject}", text, message.sender.address, **fields)


MACHINES: dict[str, Callable[[Message, int], bytes]] = {
    "says so": lambda message, count: _vacation(message, count, auto_submitted="auto-replied"),
    "says so in the way of old programs": lambda message, count: _vacation(message, count, precedence="auto_reply"),
    "says nothing and threads": _vacation,
    "says nothing and keeps the subject": lambda message, count: _vacation(message, count, in_reply_to="<no@x>"),
}


@pytest.mark.parametrize("kind", MACHINES)
def test_an_auto_responder_on_the_other_side_gets_one_acknowledgement(road: Road, kind: str) -> None:
    desk = road.desk("a")
    road.machines["ann@people.example"] = Machine(MACHINES[kind])
    road.write(mail("Ann <ann@people.example>", "Printer", "It burns.", desk, "<q@people.example>"), desk)
    road.run()
    assert (len(road.sent), _number(road, desk)) == (1, 1)
    tenant, _ = road.desks[desk]
    add(road.world.app, tenant, 1, Draft("Use water.", True, "Kim"))
    road.run()
    assert len(road.sent) == 2, "an answer is answered by the machine, and that by nobody"
    kinds = [one.kind for one in road.world.app.answers.of_incident(tenant, 1, 1, 99).values()]
    assert kinds == [SendKind.ACKNOWLEDGEMENT, SendKind.ANSWER]


@pytest.mark.parametrize("tells", [True, False])
def test_a_foreign_ticket_system_whose_gateway_takes_all_headers_away_ends(road: Road, tells: bool) -> None:
    """The worst of them: each mail is a ticket with a subject and words of its own, and no header tells anything."""
    desk = road.desk("a")

    def acknowledge(message: Message, count: int) -> bytes:
        subject = f"[Vorgang#{count}] {plain_subject(message.subject).replace('INC-', '') if tells else 'with us'}"
        text = f"Dear customer, your words are with us as number {count} of today, {'and so on ' * count}."
        return mail("help@foreign.example", subject, text, desk, f"<f{count}@foreign.example>")

    road.machines["help@foreign.example"] = Machine(acknowledge)
    road.write(acknowledge(parse(mail()), 0), desk)
    road.run()
    assert 1 <= len(road.sent) <= MOST_TO_ONE_SENDER
    assert _number(road, desk) <= MOST_TO_ONE_SENDER + 1
