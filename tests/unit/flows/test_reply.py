from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.errors import Conflict, Invalid, NotSent, Throttled
from shared.flows import reply, send
from shared.flows.reply import Draft, File
from shared.mail.message import Message, parse
from shared.model.doorbell import OutboundBell
from shared.model.incident import Note, NoteKind, Status
from shared.model.outbound import SENDING_LEASE, Outbound, SendState
from shared.ports import Refusal
from tests.support.app import World
from tests.support.mails import mail

OUT = {"enabled": True, "host": "smtp.example.org", "from_name": "Acme Desk"}


class Desk:
    """A tenant with a mailbox that sends, and one incident of Ann's."""

    def __init__(self, world: World, **settings: Any) -> None:
        self.world = world
        self.tenant, _ = world.tenant()
        world.mailbox(self.tenant, **{"outgoing": OUT, **settings})
        self.arrives(mail("Ann <ann@example.com>", "Printer", "It burns.", message_id="<1@example.com>"))

    @property
    def post(self) -> Any:
        return self.world.posts["support"]

    def arrives(self, raw: bytes) -> None:
        self.world.clock.advance(seconds=1)
        self.world.folders["support"].deliver(raw, self.world.clock.now)
        self.world.poll(self.tenant)
        self.world.convert_all()

    def send_all(self) -> None:
        bells = [OutboundBell.decode(bell) for bell in self.world.queues.outbound]
        self.world.queues.outbound.clear()
        for bell in bells:
            send.send(self.world.app, bell.tenant, bell.incident, bell.note)

    def answer(self, text: str = "Use water.", **changes: Any) -> Note:
        return reply.add(self.world.app, self.tenant, 1, Draft(text, True, "Bob", **changes))

    def sent(self) -> list[Message]:
        return [parse(raw) for raw, _, _ in self.post.sent]

    def outbound(self, note: int = 2) -> Outbound:
        found = self.world.app.answers.outbound(self.tenant, 1, note)
        assert found is not None
        return found

    def notes(self) -> tuple[Note, ...]:
        return self.world.app.desk.notes(self.tenant, 1, 0, 100)

    @property
    def status(self) -> Status:
        incident = self.world.app.desk.incident(self.tenant, 1)
        assert incident is not None
        return incident.status


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


def test_a_public_answer_is_a_note_and_leaves_once(desk: Desk) -> None:
    desk.answer(files=(File("plan.txt", "text/plain", b"1. water\r\n"),))
    assert desk.outbound().state is SendState.QUEUED
    desk.send_all()
    desk.send_all()
    send.send(desk.world.app, desk.tenant, 1, 2)
    (message,) = desk.sent()
    assert message.text.startswith("Use water.")
    assert "> It burns." in message.text
    assert message.in_reply_to == ("<1@example.com>",)
    assert "[INC-000001]" in message.subject
    assert message.sender is not None
    assert (message.sender.name, message.sender.address) == ("Acme Desk", "support@example.org")
    assert [one.name for one in message.attachments] == ["plan.txt"]
    assert desk.outbound().state is SendState.SENT
    assert desk.notes()[1].kind is NoteKind.ANSWER
    assert desk.status is Status.WAITING


def test_the_reporters_next_mail_lands_in_the_same_incident_and_opens_it(desk: Desk) -> None:
    desk.answer()
    desk.send_all()
    (answer,) = desk.sent()
    assert answer.message_id is not None
    desk.arrives(mail("ann@example.com", "Re: something else", "Still burns.", in_reply_to=answer.message_id))
    assert [note.kind for note in desk.notes()] == [NoteKind.INBOUND, NoteKind.ANSWER, NoteKind.INBOUND]
    assert desk.status is Status.OPEN


def test_an_internal_note_goes_to_nobody(desk: Desk) -> None:
    reply.add(desk.world.app, desk.tenant, 1, Draft("He is always like that.", False, "Bob"))
    desk.send_all()
    assert desk.notes()[1].kind is NoteKind.INTERNAL
    assert desk.status is Status.OPEN
    assert "support" not in desk.world.posts or not desk.post.sent


def test_a_temporary_failure_is_tried_again_and_shown(desk: Desk) -> None:
    desk.answer()
    desk.send_all()
    desk.post.sent.clear()
    desk.post.closed_with = Throttled("Too fast.", "Wait.", retry_after=300)
    desk.answer("Second.")
    desk.send_all()
    waiting = desk.outbound(3)
    assert waiting.state is SendState.QUEUED
    assert "Too fast." in waiting.said
    desk.post.closed_with = None
    desk.send_all()
    assert not desk.post.sent
    desk.world.clock.advance(minutes=6)
    send.send(desk.world.app, desk.tenant, 1, 3)
    assert len(desk.post.sent) == 1
    assert desk.outbound(3).state is SendState.SENT


def test_what_the_server_never_takes_is_told_to_the_agent(desk: Desk) -> None:
    desk.answer()
    desk.world.app.courier(desk.world.app.mailboxes.all(desk.tenant)[0])
    desk.post.refuses_mail = NotSent("The mail is too large.", "Send a link.", permanent=True, status="5.3.4")
    desk.send_all()
    assert desk.outbound().state is SendState.FAILED
    assert "too large" in desk.outbound().said
    desk.post.refuses_mail = None
    reply.send_again(desk.world.app, desk.tenant, 1, 2)
    desk.send_all()
    assert desk.outbound().state is SendState.SENT
    with pytest.raises(Conflict):
        reply.send_again(desk.world.app, desk.tenant, 1, 2)


def test_a_recipient_who_is_refused_is_named_and_the_others_get_it(desk: Desk) -> None:
    desk.world.app.courier(desk.world.app.mailboxes.all(desk.tenant)[0])
    desk.post.refuses = {"gone@example.com": Refusal(550, "5.1.1", "no such user", permanent=True)}
    desk.answer(to=("ann@example.com", "gone@example.com"))
    desk.send_all()
    done = desk.outbound()
    assert done.state is SendState.SENT
    assert "gone@example.com did not get it: 5.1.1 no such user" in done.said


def test_nobody_knows_is_said_and_never_sent_twice_by_itself(desk: Desk) -> None:
    desk.world.app.courier(desk.world.app.mailboxes.all(desk.tenant)[0])
    desk.post.dies_after_taking = NotSent("Lost.", "Look.", in_doubt=True)
    desk.answer()
    desk.send_all()
    assert desk.outbound().state is SendState.IN_DOUBT
    desk.post.dies_after_taking = None
    desk.world.clock.advance(minutes=60)
    send.rescue(desk.world.app, desk.tenant)
    desk.send_all()
    assert len(desk.post.sent) == 1


def test_a_function_that_died_after_the_server_took_the_mail_leaves_a_doubt(desk: Desk) -> None:
    desk.world.app.courier(desk.world.app.mailboxes.all(desk.tenant)[0])

    class Died(BaseException):
        pass

    desk.post.dies_after_taking = Died()
    desk.answer()
    with pytest.raises(Died):
        desk.send_all()
    desk.post.dies_after_taking = None
    assert desk.outbound().state is SendState.SENDING
    desk.world.clock.now += SENDING_LEASE + timedelta(seconds=1)
    assert send.rescue(desk.world.app, desk.tenant) == 1
    desk.send_all()
    assert desk.outbound().state is SendState.IN_DOUBT
    assert len(desk.post.sent) == 1


def test_a_bounce_is_shown_at_the_note_and_the_address_is_left_alone(desk: Desk) -> None:
    desk.answer()
    desk.send_all()
    (answer,) = desk.sent()
    desk.arrives(bounce(answer))
    assert desk.outbound().state is SendState.BOUNCED
    assert "5.1.1" in desk.outbound().said
    assert desk.notes()[-1].kind is NoteKind.SYSTEM
    with pytest.raises(Invalid, match="came back"):
        desk.answer("Again.")
    reply.send_again(desk.world.app, desk.tenant, 1, 2)
    desk.send_all()
    assert len(desk.post.sent) == 2


def bounce(answer: Message) -> bytes:
    return (
        "From: MAILER-DAEMON@mx.example.com\r\nTo: support@example.org\r\nSubject: Undelivered Mail\r\n"
        "Message-ID: <b1@mx.example.com>\r\nReturn-Path: <>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n"
        "Final-Recipient: rfc822; ann@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {answer.message_id}\r\n--b--\r\n"
    ).encode()


def test_a_new_incident_is_acknowledged_once(world: World) -> None:
    desk = Desk(world, acknowledge=True)
    desk.send_all()
    (message,) = desk.sent()
    assert "INC-000001" in message.text
    assert "[INC-000001]" in message.subject
    assert message.header("Auto-Submitted") == "auto-replied"
    assert [sender for _, sender, _ in desk.post.sent] == [""]
    assert [note.marks for note in desk.notes()] == [(), ("acknowledgement",)]
    assert "INC-000001" in desk.notes()[1].body.text


def test_an_agent_answers_by_mail_what_he_was_told_of(world: World) -> None:
    head = b"Authentication-Results: mx.example.org; dmarc=pass header.from=desk.example\r\n"
    desk = Desk(world, notify_agents=True, agents="bob@desk.example", authserv_id="mx.example.org")
    desk.send_all()
    (told,) = desk.sent()
    assert [one.address for one in told.to] == ["bob@desk.example"]
    assert told.message_id is not None
    desk.post.sent.clear()
    desk.arrives(head + mail("bob@desk.example", "Re: Printer", "Use water.", in_reply_to=told.message_id))
    desk.send_all()
    (passed_on,) = desk.sent()
    assert [one.address for one in passed_on.to] == ["ann@example.com"]
    assert passed_on.text.startswith("Use water.")
    assert desk.notes()[1].kind is NoteKind.ANSWER
    assert desk.status is Status.WAITING


def test_an_unproved_agent_is_only_a_stranger_with_a_key(world: World) -> None:
    desk = Desk(world, notify_agents=True, agents="bob@desk.example", authserv_id="mx.example.org")
    desk.send_all()
    (told,) = desk.sent()
    assert told.message_id is not None
    desk.post.sent.clear()
    desk.arrives(mail("bob@desk.example", "Re: Printer", "Give me money.", in_reply_to=told.message_id))
    desk.send_all()
    assert not [one for one in desk.sent() if one.to[0].address == "ann@example.com"]
    assert desk.notes()[1].kind is NoteKind.INBOUND
    assert "not_participant" in desk.notes()[1].marks


@pytest.mark.parametrize("draft", [Draft("  ", True, "Bob"), Draft("x", True, "Bob", to=("nobody",))])
def test_an_answer_that_cannot_be_sent_is_refused_with_its_field(desk: Desk, draft: Draft) -> None:
    with pytest.raises(Invalid):
        reply.add(desk.world.app, desk.tenant, 1, draft)
    assert len(desk.notes()) == 1


def test_a_mailbox_without_outgoing_server_says_so(world: World) -> None:
    desk = Desk(world, outgoing={"enabled": False})
    with pytest.raises(Invalid, match="outgoing server"):
        desk.answer()
