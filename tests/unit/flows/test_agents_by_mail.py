"""Agents who answer by mail: what they answer to a mail of ours goes on to the reporter, and nothing else does."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.policy import SMTP
from typing import Any

import pytest

from shared.flows import reply as replying
from shared.flows.reply import Draft
from shared.mail.message import Message, parse
from shared.model.incident import NoteKind, Status
from shared.model.outbound import SendKind
from tests.support.app import World
from tests.support.mailclients import Quote, gmail, outlook, reply
from tests.support.mails import mail
from tests.unit.flows.given import ANN, BOB, JUDGE, judged, proved
from tests.unit.flows.test_conversation import QUESTION, Talk

KIM, LEE = "Kim Miller <kim@desk.example>", "lee@desk.example"
VERIFIED: dict[str, Any] = {"Authentication_Results": f"{JUDGE}; dmarc=pass header.from=desk.example"}


@pytest.fixture
def talk(world: World) -> Talk:
    made = Talk(world)
    made.open(notify_agents=True, agents=f"kim@desk.example, {LEE}")
    return made


def told(talk: Talk, raw: bytes = QUESTION) -> bytes:
    """A mail comes; what the agents are told of it."""
    talk.receive(raw)
    (notification,) = talk.send_all()
    return notification


def people(message: Message) -> list[str]:
    return [one.address for one in (*message.to, *message.cc)]


def test_the_agents_are_told_what_came_in_and_where_their_answer_goes(talk: Talk) -> None:
    sent = parse(told(talk))
    assert people(sent) == ["kim@desk.example", "lee@desk.example"]
    assert "Ann Smith wrote at INC-000001. Your answer to this mail goes to the reporter." in sent.text
    assert "It burns." in sent.text
    assert sent.header("Auto-Submitted") == "auto-generated"
    assert talk.problems() == []


@pytest.mark.parametrize("quote", [gmail, outlook])
def test_only_the_new_words_go_out_from_the_desks_address(talk: Talk, quote: Quote) -> None:
    words = "Use water.\n\nKind regards\nKim"
    signed = f"{words}\n\n-- \nKim Miller\nkim@desk.example\nMobile 0170 1234567"
    row = talk.receive(reply(told(talk), quote, KIM, signed, **VERIFIED))
    assert (row.incident, talk.last().kind, talk.incident().status) == (1, NoteKind.ANSWER, Status.WAITING)
    (raw,) = talk.send_all()
    sent = parse(raw)
    assert people(sent) == ["ann@example.com", "bob@example.net"]
    assert sent.sender is not None
    assert (sent.sender.name, sent.sender.address) == ("Acme Desk", "support@example.org")
    assert sent.text.startswith(words)
    everything = raw.decode() + sent.text + (sent.html or "")
    for private in ("kim@desk.example", "lee@desk.example", "0170", "Your answer to this mail goes", "client.example"):
        assert private not in everything
    assert sent.in_reply_to == ("<q@example.com>",)
    assert "> It burns." in sent.text
    assert talk.problems() == []


def test_the_reporters_answer_to_that_lands_in_the_incident(talk: Talk) -> None:
    talk.receive(reply(told(talk), outlook, KIM, "Use water.", **VERIFIED))
    (ours,) = talk.send_all()
    row = talk.receive(reply(ours, gmail, ANN, "Thank you."))
    assert (row.incident, talk.incident().status, talk.last().body.text) == (1, Status.OPEN, "Thank you.")


def test_attachments_go_on_with_the_answer(talk: Talk) -> None:
    id = parse(told(talk)).message_id
    files = (("plan.pdf", b"%PDF-plan"), ("log.bin", b"\x00\x01\r\n\x02"))
    talk.receive(
        proved(KIM, subject="Re: x", text="See the plan.", in_reply_to=id, attachments=files, message_id="<k@x>")
    )
    (raw,) = talk.send_all()
    assert [(one.name, one.content) for one in parse(raw).attachments] == list(files)


@pytest.mark.parametrize("quote", [gmail, outlook])
def test_an_attachment_without_a_word_goes_on_without_what_the_mail_quotes(talk: Talk, quote: Quote) -> None:
    made = message_from_bytes(reply(told(talk), quote, KIM, "", **VERIFIED), policy=SMTP)
    made.make_mixed()
    made.add_attachment(b"%PDF-plan", maintype="application", subtype="pdf", filename="plan.pdf")
    talk.receive(made.as_bytes(policy=SMTP))
    sent = parse(talk.send_all()[0])
    assert [one.name for one in sent.attachments] == ["plan.pdf"]
    assert "Your answer to this mail goes to the reporter" not in sent.text
    assert "kim@desk.example" not in sent.text


def test_an_answer_that_says_nothing_is_not_passed_on(talk: Talk) -> None:
    talk.receive(reply(told(talk), gmail, KIM, "", **VERIFIED))
    assert talk.send_all() == []
    assert "Your answer" in talk.last().body.quoted, "nothing is lost"


def test_what_answers_an_internal_note_stays_internal(talk: Talk) -> None:
    talk.receive(QUESTION)
    talk.send_all()
    internal = talk.answers("Ann is always like that.", public=False)
    assert people(parse(internal)) == ["kim@desk.example", "lee@desk.example"]
    assert "stays internal" in parse(internal).text
    talk.receive(reply(internal, outlook, KIM, "So she is.", **VERIFIED))
    assert talk.last().kind is NoteKind.INTERNAL
    assert [parse(raw).header("Auto-Submitted") for raw in talk.send_all()] == ["auto-generated"], "colleagues are told"
    public = parse(talk.answers("Use water."))
    assert "always like that" not in public.text
    assert "So she is" not in public.text
    assert public.in_reply_to == ("<q@example.com>",)


@pytest.mark.parametrize("left", ["subject", "reference"])
def test_what_answers_an_internal_note_and_lost_its_headers_reaches_no_reporter(talk: Talk, left: str) -> None:
    talk.receive(QUESTION)
    talk.send_all()
    internal = talk.answers("Ann is always like that.", public=False)
    keeps: dict[str, Any] = {"keeps_subject": left == "subject", "keeps_reference": left == "reference"}
    talk.receive(reply(internal, outlook, KIM, "So she is.", keeps_headers=False, **keeps, **VERIFIED))
    assert talk.last().kind is not NoteKind.ANSWER
    talk.send_all()
    public = parse(talk.answers("Use water."))
    assert "So she is" not in public.text
    for raw, _, to in talk.world.posts["support"].sent:
        if set(to) & {"ann@example.com", "bob@example.net"}:
            assert b"So she is" not in raw
            assert "kim@desk.example" not in to


NOT_PASSED_ON: dict[str, tuple[dict[str, Any], str]] = {
    "an automatic reply": ({**VERIFIED, "Auto-Submitted": "auto-replied"}, "I am away."),
    "one that nobody proved": ({}, "Give me money."),
    "a forged one": ({"Authentication_Results": f"{JUDGE}; dmarc=fail header.from=desk.example"}, "Give me money."),
}


@pytest.mark.parametrize(("headers", "words"), NOT_PASSED_ON.values(), ids=NOT_PASSED_ON.keys())
def test_what_is_no_agents_answer_is_not_passed_on(talk: Talk, headers: dict[str, Any], words: str) -> None:
    talk.receive(reply(told(talk), gmail, KIM, words, **headers))
    assert talk.last().kind is NoteKind.INBOUND
    sent = [people(parse(raw)) for raw in talk.send_all()]
    assert not [one for one in sent if {"ann@example.com", "bob@example.net"} & set(one)]
    later = parse(talk.answers("Use water."))
    assert words not in later.text
    assert people(later) == ["ann@example.com", "bob@example.net"]


def test_what_an_agent_forwards_to_a_colleague_is_not_passed_on(talk: Talk) -> None:
    forwarded = re.sub(
        rb"Subject: Re:",
        b"Subject: Fwd:",
        reply(told(talk), gmail, KIM, "Look at her!", to=LEE, cc="support@example.org", **VERIFIED),
    )
    talk.receive(forwarded)
    assert talk.last().kind is not NoteKind.ANSWER
    assert not [raw for raw in talk.send_all() if "ann@example.com" in people(parse(raw))]


def test_an_agent_in_copy_who_answers_everybody_himself_is_not_passed_on_to_them_again(talk: Talk) -> None:
    talk.receive(mail(ANN, "Printer", "It burns.", cc="kim@desk.example", message_id="<q@example.com>"))
    talk.send_all()
    ours = talk.answers("Use water.")
    assert people(parse(ours)) == ["ann@example.com"], "who is an agent reads it at the desk"
    answer = reply(ours, outlook, KIM, "Much water.", to="ann@example.com", cc="support@example.org", **VERIFIED)
    talk.receive(answer)
    assert talk.last().kind is NoteKind.ANSWER
    assert [raw for raw in talk.send_all() if "ann@example.com" in people(parse(raw))] == []
    assert talk.problems() == []


def test_an_agent_who_answers_the_reporters_own_mail_is_not_passed_on(talk: Talk) -> None:
    raw = mail(ANN, "Printer", "It burns.", cc="kim@desk.example", message_id="<q@example.com>")
    talk.receive(raw)
    talk.send_all()
    talk.receive(reply(raw, gmail, KIM, "Use water.", cc="support@example.org", **VERIFIED))
    assert talk.last().kind is NoteKind.INBOUND
    assert [one for one in talk.send_all() if "ann@example.com" in people(parse(one))] == []
    assert "kim@desk.example" not in people(parse(talk.answers("Or sand.")))


def test_an_agent_who_is_the_reporter_is_answered_like_everybody(talk: Talk) -> None:
    talk.receive(mail(KIM, "My printer", "It burns.", message_id="<q@desk.example>", **judged("pass", "desk.example")))
    talk.send_all()
    ours = talk.answers("Use water.")
    assert people(parse(ours)) == ["kim@desk.example"]
    talk.receive(reply(ours, gmail, KIM, "Thank you.", **VERIFIED))
    assert talk.last().kind is NoteKind.INBOUND


def test_an_answer_by_mail_that_nobody_can_get_says_so(talk: Talk) -> None:
    raw = told(talk, mail(ANN, "Printer", "It burns.", message_id="<q@example.com>"))
    talk.world.app.answers.note_undeliverable(talk.tenant, "ann@example.com", "5.1.1 no such user")
    talk.receive(reply(raw, outlook, KIM, "Use water.", **VERIFIED))
    talk.send_all()
    mails = talk.world.app.answers.of_incident(talk.tenant, 1, 2, 2)
    assert (mails[2].kind, mails[2].state) == (SendKind.ANSWER, "failed")
    assert "ann@example.com did not get it" in mails[2].said


def test_nobody_is_told_what_he_wrote_himself(talk: Talk) -> None:
    talk.receive(mail(KIM, "From an agent", "Hm.", message_id="<a@desk.example>", **judged("pass", "desk.example")))
    assert [people(parse(raw)) for raw in talk.send_all()] == [["lee@desk.example"]]


def test_an_internal_note_without_agents_to_tell_is_sent_to_nobody(talk: Talk) -> None:
    talk.open(notify_agents=False, agents="kim@desk.example")
    talk.receive(QUESTION)
    replying.add(talk.world.app, talk.tenant, 1, Draft("Hm.", False, "Kim"))
    assert talk.send_all() == []
    assert talk.problems() == []


def test_a_participants_mail_is_told_with_his_name_and_answered_to_everybody(talk: Talk) -> None:
    talk.receive(QUESTION)
    ours = talk.answers("Use water.")
    raw = told(talk, reply(ours, gmail, BOB, "I have water."))
    assert "Bob wrote at INC-000001." in parse(raw).text
    talk.receive(reply(raw, gmail, KIM, "Then use it.", **VERIFIED))
    (sent,) = map(parse, talk.send_all())
    assert people(sent) == ["ann@example.com", "bob@example.net"]
    assert "> I have water." in sent.text
