"""Mails of ours that come back: shown at the note that they sent, and who is not there is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import Invalid
from shared.flows import reply as replying
from shared.flows.outgoing import MAX_GONE
from shared.mail.message import parse
from shared.model.incident import NoteKind, Status
from shared.model.outbound import Outbound, SendState
from shared.ports import Refusal
from tests.support.app import World
from tests.support.courier import MemoryPost
from tests.support.mails import mail
from tests.unit.flows.given import ANN, BOB, bounce
from tests.unit.flows.test_conversation import Talk

QUESTION = mail(ANN, "Printer", "It burns.", cc=f"{BOB}, carl@example.net", message_id="<q@example.com>")
ALL = {"ann@example.com", "bob@example.net", "carl@example.net"}


@pytest.fixture
def talk(world: World) -> Talk:
    made = Talk(world)
    made.open()
    made.world.posts["support"] = MemoryPost()
    made.receive(QUESTION)
    return made


def ours(talk: Talk, text: str = "Use water.", **fields: Any) -> str:
    """The Message-ID of an answer that was sent."""
    return parse(talk.answers(text, **fields)).message_id or ""


def report(about: str, *rows: tuple[str, str, str], head: str = "", id: str = "<r1@mx.example.com>") -> bytes:
    """A delivery report: address, action and status of each recipient; ``head``: of the mail that it is about."""
    groups = "\n".join(
        f"Final-Recipient: rfc822; {to}\nAction: {action}\nStatus: {status}\nDiagnostic-Code: smtp; told {status}\n"
        for to, action, status in rows
    )
    return f"""\
Return-Path: <>
From: Mail Delivery System <mailer-daemon@mx.example.com>
To: support@example.org
Subject: Delivery Status Notification
Message-ID: {id}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

This is about your message.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

{groups}
--b
Content-Type: text/rfc822-headers

From: support@example.org
Message-ID: {about}
{head}
--b--
""".replace("\n", "\r\n").encode()


def at(talk: Talk, note: int = 2) -> Outbound:
    found = talk.world.app.answers.outbound(talk.tenant, 1, note)
    assert found is not None
    return found


def recipients(talk: Talk) -> list[set[str]]:
    return [set(people) for _, _, people in talk.world.posts["support"].sent]


def test_a_mail_that_is_delayed_is_noted_and_nothing_else(talk: Talk) -> None:
    talk.receive(report(ours(talk), ("bob@example.net", "delayed", "4.4.1")))
    assert (talk.last().kind, talk.last().marks) == (NoteKind.SYSTEM, ("delayed",))
    assert (at(talk).state, at(talk).said) == (SendState.SENT, "")
    ours(talk, "Again.")
    assert recipients(talk) == [ALL, ALL]
    assert talk.problems() == []


def test_when_it_comes_back_from_one_of_three_he_is_named_and_left_out(talk: Talk) -> None:
    talk.receive(report(ours(talk), ("bob@example.net", "failed", "5.1.1")))
    assert at(talk).state is SendState.BOUNCED
    assert "bob@example.net (5.1.1)" in at(talk).said
    ours(talk, "Again.")
    assert recipients(talk) == [ALL, ALL - {"bob@example.net"}]
    assert at(talk, 4).state is SendState.SENT
    assert "bob@example.net did not get it: mail to this address came back before (5.1.1" in at(talk, 4).said
    assert "bob@example.net" not in talk.world.posts["support"].sent[-1][0].decode(), "Graph sends to whom it names"
    assert talk.problems() == []


def test_send_again_goes_to_him_alone_and_from_then_on_to_all(talk: Talk) -> None:
    talk.receive(report(ours(talk), ("bob@example.net", "failed", "5.1.1")))
    replying.send_again(talk.world.app, talk.tenant, 1, 2)
    talk.send_all()
    assert recipients(talk) == [ALL, {"bob@example.net"}]
    assert (at(talk).state, set(at(talk).got)) == (SendState.SENT, ALL)
    ours(talk, "Again.")
    assert recipients(talk)[-1] == ALL


def test_reports_that_come_one_by_one_are_all_shown(talk: Talk) -> None:
    id = ours(talk)
    talk.receive(report(id, ("bob@example.net", "failed", "5.1.1")))
    talk.receive(report(id, ("carl@example.net", "failed", "5.2.2"), id="<r2@mx.example.com>"))
    assert "bob@example.net (5.1.1)" in at(talk).said
    assert "carl@example.net (5.2.2)" in at(talk).said
    replying.send_again(talk.world.app, talk.tenant, 1, 2)
    talk.send_all()
    assert recipients(talk)[-1] == {"bob@example.net", "carl@example.net"}


def test_a_full_mailbox_is_no_reason_to_write_nobody_any_more(talk: Talk) -> None:
    talk.receive(report(ours(talk), ("bob@example.net", "failed", "5.2.2")))
    assert at(talk).state is SendState.BOUNCED
    ours(talk, "Again.")
    assert recipients(talk)[-1] == ALL


def test_the_same_address_many_times_and_a_hundred_others_are_one_transaction(talk: Talk) -> None:
    rows = [("bob@example.net", "failed", "5.1.1"), ("BOB@example.net", "failed", "5.1.1")]
    rows += [(f"x{number}@else.example", "failed", "5.1.1") for number in range(120)]
    row = talk.receive(report(ours(talk), *rows))
    assert (row.outcome, at(talk).state) == ("delivered", SendState.BOUNCED)
    people = [f"x{number}@else.example" for number in range(120)]
    assert talk.world.app.answers.undeliverable(talk.tenant, people) == {}, "only whom we wrote to"


def test_the_reporter_whose_address_is_gone_is_not_answered_without_a_word(talk: Talk) -> None:
    talk.receive(report(ours(talk), ("ann@example.com", "failed", "5.1.1")))
    with pytest.raises(Invalid, match=r"ann@example\.com came back"):
        ours(talk, "Again.")
    ours(talk, "To you only.", to=("bob@example.net",))
    assert recipients(talk)[-1] == {"bob@example.net"}
    with pytest.raises(Invalid, match="came back"):
        ours(talk, "Again.", to=("ann@example.com",))


def test_a_bounce_without_our_id_is_found_by_what_the_mail_answered(talk: Talk) -> None:
    first = ours(talk)
    talk.receive(
        mail(
            ANN, "Re: Printer", "Still.", in_reply_to=first, references=f"<q@example.com> {first}", message_id="<q2@x>"
        )
    )
    ours(talk, "More water.")
    head = f"In-Reply-To: <q2@x>\nReferences: <q@example.com> {first} <q2@x>"
    row = talk.receive(
        report("<0102-rewritten@email.amazonses.com>", ("bob@example.net", "failed", "5.1.1"), head=head)
    )
    assert (row.incident, talk.last().kind) == (1, NoteKind.SYSTEM)
    assert [at(talk, note).state for note in (2, 4)] == [SendState.SENT, SendState.BOUNCED]
    assert talk.problems() == []


def test_a_bounce_without_our_id_or_anything_we_know_opens_no_incident(talk: Talk) -> None:
    ours(talk)
    row = talk.receive(report("<else@else.example>", ("bob@example.net", "failed", "5.1.1")))
    assert (row.outcome, row.reason) == ("held", "report_unmatched")
    assert at(talk).state is SendState.SENT


def test_a_bounce_opens_nothing_again_and_is_not_answered(talk: Talk) -> None:
    id = ours(talk, status=Status.CLOSED)
    talk.receive(report(id, ("bob@example.net", "failed", "5.1.1")))
    assert talk.incident().status is Status.CLOSED
    assert talk.send_all() == []


def test_a_bounce_of_an_acknowledgement_is_shown_at_it(world: World) -> None:
    talk = Talk(world)
    talk.open(acknowledge=True)
    talk.receive(QUESTION)
    (raw,) = talk.send_all()
    talk.receive(bounce(parse(raw).message_id or ""))
    assert at(talk).state is SendState.BOUNCED
    assert [note.kind for note in talk.notes()] == [NoteKind.INBOUND, NoteKind.ANSWER, NoteKind.SYSTEM]
    assert talk.send_all() == []
    assert talk.problems() == []


def test_a_bounce_proves_that_a_mail_in_doubt_was_sent(talk: Talk) -> None:
    from shared.errors import NotSent

    talk.world.posts["support"].dies_after_taking = NotSent("Lost.", "Look.", in_doubt=True)
    id = ours(talk)
    assert at(talk).state is SendState.IN_DOUBT
    talk.world.posts["support"].dies_after_taking = None
    talk.receive(report(id, ("bob@example.net", "failed", "5.1.1")))
    assert at(talk).state is SendState.BOUNCED


def test_a_bounce_of_the_sending_before_does_not_stop_the_one_that_waits(talk: Talk) -> None:
    id = ours(talk)
    talk.receive(report(id, ("bob@example.net", "failed", "5.2.2")))
    replying.send_again(talk.world.app, talk.tenant, 1, 2)
    talk.receive(report(id, ("bob@example.net", "failed", "5.2.2"), id="<r2@mx.example.com>"))
    assert at(talk).state is SendState.QUEUED
    talk.send_all()
    assert at(talk).state is SendState.SENT
    assert talk.problems() == []


def test_who_is_refused_at_once_can_be_sent_it_again_alone(talk: Talk) -> None:
    post = talk.world.posts["support"]
    post.refuses = {"bob@example.net": Refusal(550, "5.1.1", "no such user", permanent=True)}
    ours(talk)
    assert (at(talk).state, at(talk).can_be_sent_again) == (SendState.SENT, True)
    post.refuses.clear()
    replying.send_again(talk.world.app, talk.tenant, 1, 2)
    talk.send_all()
    assert recipients(talk) == [ALL - {"bob@example.net"}, {"bob@example.net"}]
    assert not at(talk).can_be_sent_again


def test_a_stranger_cannot_make_addresses_undeliverable(talk: Talk) -> None:
    ours(talk)
    talk.receive(report("<inc.1.2.aaaaaaaaaaaaaaaaaaaa@example.org>", ("ann@example.com", "failed", "5.1.1")))
    assert at(talk).state is SendState.SENT
    assert talk.world.app.answers.undeliverable(talk.tenant, ALL) == {}


def test_a_report_about_ninety_of_our_recipients_is_still_one_transaction(talk: Talk) -> None:
    people = tuple(f"p{number}@else.example" for number in range(90))
    id = ours(talk, to=people)
    row = talk.receive(report(id, *((one, "failed", "5.1.1") for one in people)))
    assert (row.outcome, at(talk).state, at(talk).got) == ("delivered", SendState.BOUNCED, ())
    assert len(talk.world.app.answers.undeliverable(talk.tenant, people)) == MAX_GONE
    assert talk.problems() == []
