"""Sending one mail: what leaves, what is said when it does not, and that nothing is left out silently."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import Invalid, NotSent, StoreUnavailable
from shared.flows import reply, send
from shared.flows.reply import MAX_FILES_BYTES, Draft, File
from shared.mail.address import Address
from shared.mail.message import parse
from shared.model.doorbell import OutboundBell
from shared.model.incident import NoteKind
from shared.model.outbound import Outbound, SendState, sending
from shared.ports import Queues, Refusal
from tests.support.app import World
from tests.support.courier import MemoryPost
from tests.support.mails import mail
from tests.unit.flows.given import ANN, BOB
from tests.unit.flows.test_conversation import Talk

QUESTION = mail(ANN, "Printer", "It burns.", cc=BOB, message_id="<q@example.com>")


@pytest.fixture
def talk(world: World) -> Talk:
    made = Talk(world)
    made.open()
    made.world.posts["support"] = MemoryPost()
    made.receive(QUESTION)
    return made


def write(talk: Talk, text: str = "Use water.", **fields: Any) -> Outbound:
    """An answer that waits."""
    note = reply.add(talk.world.app, talk.tenant, 1, Draft(text, True, "Kim", **fields))
    return at(talk, note.seq)


def at(talk: Talk, note: int = 2) -> Outbound:
    found = talk.world.app.answers.outbound(talk.tenant, 1, note)
    assert found is not None
    return found


def sent(talk: Talk) -> list[tuple[str, ...]]:
    return [people for _, _, people in talk.world.posts["support"].sent]


# ── what is missing ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("container", ["attachments", "bodies"])
def test_what_storage_lost_is_not_left_out_silently(talk: Talk, container: str) -> None:
    write(talk, "x" * 40_000, files=(File("plan.txt", "text/plain", b"1. water"),))
    blobs: Any = talk.world.blobs
    for key in [key for key in blobs.content if key[0] == container]:
        del blobs.content[key]
    talk.send_all()
    assert (at(talk).state, sent(talk)) == (SendState.FAILED, [])
    assert "no longer stored" in at(talk).said


def test_a_mailbox_that_was_deleted_or_sends_no_more_says_so(talk: Talk) -> None:
    write(talk)
    talk.mailbox(outgoing={"enabled": False})
    talk.send_all()
    assert (at(talk).state, at(talk).said) == (SendState.FAILED, "The mailbox has no outgoing server any more.")


def test_a_bell_for_nothing_does_nothing(talk: Talk) -> None:
    send.send(talk.world.app, talk.tenant, 1, 99)
    send.send(talk.world.app, "nobody.1", 1, 2)
    send.give_up(talk.world.app, talk.tenant, 1, 99)
    assert sent(talk) == []


# ── whom it goes to ───────────────────────────────────────────────────────────────────────────────────────────────


def test_one_odd_address_does_not_stop_an_answer_to_the_others(talk: Talk) -> None:
    odd = replace(talk.incident().participants[1], address="'bob@example.net", name="")
    talk.change(1, participants=(*talk.incident().participants, odd))
    write(talk)
    talk.send_all()
    assert (at(talk).state, sent(talk)) == (SendState.SENT, [("ann@example.com", "bob@example.net")])


def test_one_address_that_the_server_cannot_carry_does_not_stop_an_answer_to_the_others(talk: Talk) -> None:
    """Its headers name everybody, so without SMTPUTF8 the whole mail is refused: the second try names the others."""
    talk.change(1, participants=(*talk.incident().participants, Address("", "jörg@example.net")))
    talk.world.posts["support"].refuses_mail = NotSent("It has no SMTPUTF8.", permanent=True, status="5.6.7")
    write(talk)
    talk.send_all()
    assert (at(talk).state, sent(talk)) == (SendState.QUEUED, [])
    talk.world.posts["support"].refuses_mail = None
    talk.world.clock.advance(minutes=5)
    send.rescue(talk.world.app, talk.tenant)
    (raw,) = talk.send_all()
    assert (at(talk).state, sent(talk)) == (SendState.SENT, [("ann@example.com", "bob@example.net")])
    assert raw.isascii()
    assert at(talk).said == "jörg@example.net did not get it: 5.6.7 It has no SMTPUTF8."


def test_when_nobody_else_is_left_it_has_failed(talk: Talk) -> None:
    talk.world.posts["support"].refuses_mail = NotSent("It has no SMTPUTF8.", permanent=True, status="5.6.7")
    write(talk, to=("jörg@example.net",))
    talk.send_all()
    assert (at(talk).state, at(talk).attempts) == (SendState.FAILED, 1)


def test_a_reporter_without_an_address_is_said_to_have_none(talk: Talk) -> None:
    talk.change(1, reporter=replace(talk.incident().reporter, address=""))
    with pytest.raises(Invalid, match="no address"):
        write(talk)
    write(talk, to=("ann@example.com",))


def test_more_people_than_one_mail_may_have_are_to_be_named(talk: Talk) -> None:
    many = tuple(replace(talk.incident().reporter, address=f"p{number}@example.com") for number in range(150))
    talk.change(1, participants=many)
    with pytest.raises(Invalid, match="people take part"):
        write(talk)


def test_the_desk_does_not_write_to_itself(talk: Talk) -> None:
    talk.mailbox("sales", group="Sales")
    with pytest.raises(Invalid, match="the desk's own"):
        write(talk, to=("sales@example.org", "support+inc-1-abc@example.org"))
    write(talk, to=("ann@example.com",), cc=("support@example.org",))
    talk.send_all()
    assert sent(talk) == [("ann@example.com",)]


@pytest.mark.parametrize("header", ["to", "cc"])
def test_a_line_end_in_an_address_or_a_name_adds_no_header(talk: Talk, header: str) -> None:
    hostile = ("Ann\r\nBcc: eve@evil.example <ann@example.com>", "ann@example.com\r\nBcc: eve@evil.example")
    for address in hostile:
        try:
            named: dict[str, Any] = {header: (address,)}
            write(talk, **named)
        except Invalid:
            continue
    talk.send_all()
    for raw, _, people in talk.world.posts["support"].sent:
        assert set(people) <= {"ann@example.com"}
        assert not parse(raw).header("bcc")


def test_a_subject_with_line_ends_adds_no_header(talk: Talk) -> None:
    talk.receive(
        mail(ANN, "x", "y", message_id="<s@x>").replace(
            b"Subject: x", b"Subject: =?utf-8?q?a=0D=0ABcc:_eve@evil.example?="
        )
    )
    reply.add(talk.world.app, talk.tenant, 2, Draft("Hm.", True, "Kim"))
    (raw,) = talk.send_all()
    assert not parse(raw).header("bcc")
    assert sent(talk) == [("ann@example.com",)]


# ── the server's answers ──────────────────────────────────────────────────────────────────────────────────────────


def test_when_all_are_refused_for_good_it_failed_although_one_was_left_out_before(talk: Talk) -> None:
    talk.world.app.answers.note_undeliverable(talk.tenant, "bob@example.net", "5.1.1 gone")
    talk.world.posts["support"].refuses = {"ann@example.com": Refusal(550, "5.7.1", "blocked", permanent=True)}
    write(talk)
    talk.send_all()
    assert at(talk).state is SendState.FAILED
    assert "ann@example.com did not get it: 5.7.1 blocked" in at(talk).said
    assert "bob@example.net did not get it: mail to this address came back before" in at(talk).said


def test_who_was_refused_for_good_is_not_asked_again_when_another_is_put_off(talk: Talk) -> None:
    post = talk.world.posts["support"]
    post.refuses = {
        "ann@example.com": Refusal(550, "5.1.1", "no such user", permanent=True),
        "bob@example.net": Refusal(451, "4.7.1", "greylisted", permanent=False),
    }
    write(talk)
    talk.send_all()
    assert (at(talk).state, at(talk).got) == (SendState.QUEUED, ())
    post.refuses.clear()
    talk.world.clock.advance(minutes=2)
    send.send(talk.world.app, talk.tenant, 1, 2)
    assert sent(talk) == [("bob@example.net",)]
    assert at(talk).state is SendState.SENT
    assert "ann@example.com did not get it" in at(talk).said


def test_what_the_server_said_at_goodbye_takes_nothing_back(talk: Talk) -> None:
    talk.world.posts["support"].leaves_with = NotSent("No.", "Go.")
    write(talk)
    talk.send_all()
    assert (at(talk).state, len(sent(talk))) == (SendState.SENT, 1)


# ── bells ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bell_that_is_heard_a_moment_too_early_rings_again(talk: Talk) -> None:
    waiting = write(talk)
    talk.world.queues.outbound.clear()
    due = talk.world.clock.now + timedelta(seconds=20)
    talk.world.app.answers.move(talk.tenant, waiting, replace(waiting, due=due))
    send.send(talk.world.app, talk.tenant, 1, 2)
    assert [OutboundBell.decode(bell).note for bell in talk.world.queues.outbound] == [2]
    talk.world.queues.outbound.clear()
    talk.world.app.answers.move(talk.tenant, at(talk), sending(at(talk), talk.world.clock.now, "another"))
    send.send(talk.world.app, talk.tenant, 1, 2)
    assert not talk.world.queues.outbound, "somebody is sending it"
    assert sent(talk) == []


class _Deaf:
    """Queues that are not there."""

    def ring_outbound(self, tenant: str, incident: int, note: int, delay: float = 0) -> None:
        raise StoreUnavailable("No queue.")


def test_an_answer_whose_bell_cannot_be_rung_is_written_all_the_same(talk: Talk) -> None:
    queues: Queues = _Deaf()  # type: ignore[assignment]
    app, talk.world.app = talk.world.app, replace(talk.world.app, queues=queues)
    write(talk)
    assert [note.kind for note in talk.notes()] == [NoteKind.INBOUND, NoteKind.ANSWER]
    talk.world.app = app
    talk.world.clock.advance(minutes=4)
    assert send.rescue(app, talk.tenant) == 1
    talk.send_all()
    assert at(talk).state is SendState.SENT


def test_the_rescue_rings_only_for_what_is_late_and_never_floods_the_queue(talk: Talk) -> None:
    for _ in range(send.MAX_RINGS + 20):
        write(talk)
    talk.world.queues.outbound.clear()
    assert send.rescue(talk.world.app, talk.tenant) == 0
    talk.world.clock.advance(minutes=4)
    assert send.rescue(talk.world.app, talk.tenant) == send.MAX_RINGS


# ── what an agent gives ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("field", "draft"),
    [
        ("text", {"text": ""}),
        ("text", {"text": "x" * 200_001}),
        ("attachments", {"files": (File("big", "x/y", b"x" * (MAX_FILES_BYTES + 1)),)}),
        ("attachments", {"files": tuple(File(f"{n}", "x/y", b"") for n in range(51))}),
        ("to", {"to": ("'bob@example.net",)}),
        ("cc", {"cc": tuple(f"p{n}@example.com" for n in range(101))}),
    ],
)
def test_what_cannot_be_sent_is_refused_by_its_field(talk: Talk, field: str, draft: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as raised:
        write(talk, **draft)
    assert [name for name, _ in raised.value.errors] == [field]
    assert len(talk.notes()) == 1
