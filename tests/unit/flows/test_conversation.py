"""Whole conversations: our mails out, people's answers in, as their programs write them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from shared.flows import reply as replying
from shared.flows import send
from shared.flows.reply import Draft
from shared.mail.message import Message, parse
from shared.mail.writing.outgoing import FIRST_REFERENCES, LAST_REFERENCES
from shared.model.doorbell import OutboundBell
from shared.model.incident import NoteKind, Status
from tests.support.app import World
from tests.support.mailclients import Quote, apple, gmail, iphone, outlook, reply, samsung
from tests.support.mails import mail
from tests.unit.flows.given import ANN, BOB, Desk, vacation

OUT = {"enabled": True, "host": "smtp.example.org", "from_name": "Acme Desk"}
QUESTION = mail(ANN, "Printer on fire", "It burns.\n\nAnn", cc=BOB, message_id="<q@example.com>")


class Talk(Desk):
    """A desk that sends."""

    def open(self, **settings: Any) -> None:
        self.mailbox(outgoing=OUT, **settings)

    def send_all(self) -> list[bytes]:
        """What leaves now."""
        post = self.world.posts.setdefault("support", self.world.posts.get("support") or _post(self.world))
        before = len(post.sent)
        while self.world.queues.outbound:
            bell = OutboundBell.decode(self.world.queues.outbound.popleft())
            send.send(self.world.app, bell.tenant, bell.incident, bell.note)
        return [raw for raw, _, _ in post.sent[before:]]

    def answers(self, text: str, public: bool = True, **fields: Any) -> bytes:
        """An agent answers on the page; the mail that leaves."""
        self.world.clock.advance(minutes=1)
        replying.add(self.world.app, self.tenant, 1, Draft(text, public, "Kim", **fields))
        return self.send_all()[-1]


def _post(world: World) -> Any:
    from tests.support.courier import MemoryPost

    return MemoryPost()


@pytest.fixture
def talk(world: World) -> Talk:
    made = Talk(world)
    made.open()
    return made


LOSSES: dict[int, dict[str, Any]] = {
    4: {"keeps_headers": False, "keeps_reference": False},
    7: {"keeps_headers": False, "keeps_subject": False},
}
"""In round 4 only the subject's tag is left, in round 7 only the quoted reference."""


NO_IDS: dict[str, Any] = {"keeps_headers": False}
OUTLOOK = {**NO_IDS, "Thread_Topic": "Printer on fire", "Thread_Index": "AQHbOBKx9E2vVf4cT0+Qm1k3bq2hZLK1u5sg"}
"""As Outlook for Windows writes through an old Exchange: its own thread, and no ids that anybody else knows."""

PROGRAMS: dict[str, tuple[Quote, dict[str, Any]]] = {
    "Gmail": (gmail, {}),
    "Outlook": (outlook, {}),
    "Outlook with Thread-Index alone": (outlook, OUTLOOK),
    "Apple Mail": (apple, {}),
    "iPhone": (iphone, {}),
    "Samsung": (samsung, NO_IDS),
}
PAIRS = [
    *(("Gmail", other) for other in PROGRAMS),
    *((one, "Gmail") for one in PROGRAMS if one != "Gmail"),
    ("Outlook", "Outlook"),
    ("Outlook with Thread-Index alone", "Samsung"),
    ("Apple Mail", "iPhone"),
    ("iPhone", "Outlook with Thread-Index alone"),
]


@pytest.mark.parametrize("programs", PAIRS, ids=" and ".join)
def test_ten_rounds_between_two_mail_programs_stay_one_incident_and_show_only_new_words(
    talk: Talk, programs: tuple[str, str]
) -> None:
    talk.receive(QUESTION)
    for round_ in range(1, 11):
        ours = talk.answers(f"Round {round_}: please try this.\n\nKim")
        assert parse(ours).subject == "Re: Printer on fire [INC-000001]"
        assert len(parse(ours).references) <= FIRST_REFERENCES + LAST_REFERENCES
        sender, (quote, headers) = ((ANN, PROGRAMS[programs[0]]), (BOB, PROGRAMS[programs[1]]))[round_ % 2]
        words = f"I tried number {round_}, and it still burns.\n\nYours"
        row = talk.receive(reply(ours, quote, sender, words, **{**headers, **LOSSES.get(round_, {})}))
        assert (row.incident, row.note) == (1, 2 * round_ + 1), row.reason
        assert talk.last().body.text == words
        assert f"Round {round_}: please try this." in talk.last().body.quoted
        assert talk.last().marks == ()
        assert talk.incident().status is Status.OPEN
    assert len(talk.incidents()) == 1
    assert talk.people() == {"ann@example.com", "bob@example.net"}
    assert talk.problems() == []


def test_each_of_our_mails_answers_the_newest_of_theirs_and_quotes_only_that(talk: Talk) -> None:
    talk.receive(QUESTION)
    first = parse(talk.answers("Use water."))
    assert first.in_reply_to == ("<q@example.com>",)
    assert "> It burns." in first.text
    raw = talk.answers("Or sand.")
    assert parse(raw).in_reply_to == ("<q@example.com>",)
    theirs = reply(raw, gmail, ANN, "No sand here.")
    talk.receive(theirs)
    third = parse(talk.answers("Foam?"))
    assert third.in_reply_to == (parse(theirs).message_id,)
    assert third.references[-1] == parse(theirs).message_id
    assert "> No sand here." in third.text
    assert "It burns." not in third.text


def test_every_mail_of_an_incident_has_one_reference_in_common(talk: Talk) -> None:
    talk.receive(QUESTION)
    sent = [parse(talk.answers(f"{number}")) for number in range(3)]
    common = set.intersection(*(set(one.references) for one in sent))
    assert common == {"<q@example.com>", talk.our_id()}


def test_an_answer_is_a_persons_mail_with_nothing_that_stops_answers_to_it(talk: Talk) -> None:
    talk.receive(QUESTION)
    sent = parse(talk.answers("Use water."))
    assert [sent.header(name) for name in ("Auto-Submitted", "Precedence", "X-Auto-Response-Suppress")] == [None] * 3
    assert [one.address for one in sent.reply_to] == ["support@example.org"]
    assert [one.address for one in (*sent.to, *sent.cc)] == ["ann@example.com", "bob@example.net"]


def test_a_vacation_message_is_not_what_we_answer_next(talk: Talk) -> None:
    talk.receive(QUESTION)
    first = parse(talk.answers("Use water."))
    talk.receive(vacation(in_reply_to=first.message_id))
    assert talk.last().marks == ("auto_reply",)
    second = parse(talk.answers("And?"))
    assert second.in_reply_to == ("<q@example.com>",)
    assert "I am away" not in second.text


def test_an_auto_responder_on_the_other_side_gets_one_acknowledgement_at_most(talk: Talk) -> None:
    talk.open(acknowledge=True)
    talk.receive(QUESTION)
    acknowledged = talk.send_all()
    for _ in range(20):
        if not acknowledged:
            break
        ours = parse(acknowledged[-1])
        talk.receive(vacation(in_reply_to=ours.message_id, text=f"Away. {len(talk.notes())}"))
        acknowledged = talk.send_all()
    assert len(talk.world.posts["support"].sent) == 1
    assert len(talk.incidents()) == 1


def test_an_auto_responder_that_no_header_reveals_does_not_go_on(talk: Talk) -> None:
    talk.open(acknowledge=True)
    talk.receive(QUESTION)
    (ours,) = talk.send_all()
    for count in range(10):
        talk.receive(reply(ours, outlook, ANN, f"Thank you for your mail number {count}. We look at it."))
        assert talk.send_all() == [], "it answers what opened no incident"
    assert len(talk.incidents()) == 1


def test_what_a_stranger_with_the_key_wrote_is_neither_answered_nor_quoted(talk: Talk) -> None:
    talk.receive(QUESTION)
    ours = talk.answers("Use water.")
    talk.receive(reply(ours, gmail, "Eve <eve@evil.example>", "Tell me Ann's password."))
    assert "not_participant" in talk.last().marks
    sent = parse(talk.answers("We do."))
    assert "password" not in sent.text + (sent.html or "")
    assert sent.in_reply_to == ("<q@example.com>",)
    assert "eve@evil.example" not in {one.address for one in (*sent.to, *sent.cc)}


def test_what_a_stranger_wrote_is_not_quoted_either_when_he_takes_part_later(talk: Talk) -> None:
    talk.receive(QUESTION)
    ours = talk.answers("Use water.")
    talk.receive(reply(ours, gmail, "Eve <eve@evil.example>", "Between us: I lit it."))
    talk.answers("Who are you?", to=("eve@evil.example",))
    sent = parse(talk.answers("Use sand."))
    assert "eve@evil.example" in {one.address for one in sent.cc}
    assert "I lit it" not in sent.text


def test_who_is_named_gets_it_and_takes_part_from_then_on(talk: Talk) -> None:
    talk.receive(QUESTION)
    ours = talk.answers("What do you think?", to=("Carl <carl@example.net>",), cc=("dora@example.net",))
    assert [one.address for one in (*parse(ours).to, *parse(ours).cc)] == ["carl@example.net", "dora@example.net"]
    row = talk.receive(reply(ours, outlook, "Carl <carl@example.net>", "Ask a fireman."))
    assert (row.incident, talk.last().marks) == (1, ())


def test_a_forwarded_mail_is_answered_to_the_customer_in_the_customers_thread(talk: Talk) -> None:
    from tests.unit.flows.given import attached, proved

    talk.open(agents="kim@desk.example")
    customer = mail("Anna <anna@kunde.example>", "Drucker", "Er brennt.", "kim@desk.example", "<k1@kunde.example>")
    talk.receive(attached("Kim <kim@desk.example>", customer, make=proved))
    sent = parse(talk.answers("Wasser."))
    assert [one.address for one in (*sent.to, *sent.cc)] == ["anna@kunde.example"]
    assert sent.in_reply_to == ("<k1@kunde.example>",)
    assert "> Er brennt." in sent.text
    assert "kim@desk.example" not in talk.world.posts["support"].sent[-1][0].decode()


def test_an_alias_of_the_mailbox_is_nobody_who_takes_part(talk: Talk) -> None:
    talk.receive(mail(ANN, "Printer", "It burns.", "help@example.org", cc=BOB, delivered_to="help@example.org"))
    assert [one.address for one in parse(talk.answers("Use water.")).cc] == ["bob@example.net"]


# ── how the incident stands ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("before", [Status.WAITING, Status.RESOLVED, Status.CLOSED])
@pytest.mark.parametrize("closed_reply", ["reopen", "new", "keep"])
def test_an_answer_by_mail_opens_the_incident_as_the_mailbox_wants_it(
    talk: Talk, before: Status, closed_reply: str
) -> None:
    talk.open(closed_reply=closed_reply)
    talk.receive(QUESTION)
    ours = talk.answers("Use water.", status=before)
    assert talk.incident().status is before
    row = talk.receive(reply(ours, gmail, ANN, "Thank you, but it burns again."))
    if before is not Status.CLOSED or closed_reply == "reopen":
        assert (row.incident, talk.incident().status) == (1, Status.OPEN)
    elif closed_reply == "keep":
        assert (row.incident, talk.incident().status) == (1, Status.CLOSED)
    else:
        assert (row.incident, talk.incident().status, talk.incident(2).related) == (2, Status.CLOSED, (1,))
    talk.receive(vacation(in_reply_to=parse(ours).message_id))
    assert talk.incident().status is (before if closed_reply != "reopen" and before is Status.CLOSED else Status.OPEN)
    assert talk.problems() == []


@pytest.mark.parametrize("status", list(Status))
def test_an_answer_leaves_the_incident_as_the_agent_says(talk: Talk, status: Status) -> None:
    talk.receive(QUESTION)
    talk.answers("Use water.", status=status)
    assert talk.incident().status is status


def test_without_a_word_an_answered_incident_waits_for_the_reporter(talk: Talk) -> None:
    talk.receive(QUESTION)
    talk.answers("Use water.")
    assert talk.incident().status is Status.WAITING


# ── acknowledgements ──────────────────────────────────────────────────────────────────────────────────────────────


def _acknowledged(talk: Talk, raw: bytes, **settings: Any) -> list[Message]:
    talk.open(**{"acknowledge": True, **settings})
    talk.receive(raw)
    return [parse(one) for one in talk.send_all()]


def test_an_acknowledgement_names_nothing_that_a_stranger_wrote(talk: Talk) -> None:
    hostile = mail('"Click http://evil.example now" <ann@example.com>', "WIN 1000 EUR at evil.example", "Buy pills.")
    (sent,) = _acknowledged(talk, hostile)
    raw = talk.world.posts["support"].sent[0][0].decode()
    for words in ("evil", "pills", "WIN", "1000"):
        assert words not in raw
        assert words not in sent.text + sent.subject + (sent.html or "")
    assert [one.name for one in sent.to] == [""], "nor the name that he gives himself"


def test_an_acknowledgement_is_filled_in_as_the_tenant_wants_it(talk: Talk) -> None:
    (sent,) = _acknowledged(
        talk,
        QUESTION,
        acknowledge_subject="[{number}] {subject}",
        acknowledge_text="Dear {name}, {group} has your {number}.",
    )
    assert sent.subject == "[INC-000001] Printer on fire"
    assert "Dear Ann Smith, Support has your INC-000001." in sent.text
    assert sent.in_reply_to == ("<q@example.com>",)
    assert sent.header("Auto-Submitted") == "auto-replied"


def test_an_answer_to_an_acknowledgement_lands_in_its_incident(talk: Talk) -> None:
    _acknowledged(talk, QUESTION)
    raw = talk.world.posts["support"].sent[0][0]
    row = talk.receive(reply(raw, outlook, ANN, "One more thing."))
    assert (row.incident, talk.last().body.text) == (1, "One more thing.")


UNACKNOWLEDGED: dict[str, bytes] = {
    "an out-of-office": vacation(),
    "a list": mail(list_id="<all.example.com>", precedence="list"),
    "a robot": mail("noreply@example.com"),
    "one who wants no answers": mail(x_auto_response_suppress="All"),
    "one who writes for another": mail(reply_to="victim@else.example"),
}


@pytest.mark.parametrize("raw", UNACKNOWLEDGED.values(), ids=UNACKNOWLEDGED.keys())
def test_what_no_person_wrote_is_not_acknowledged(talk: Talk, raw: bytes) -> None:
    assert _acknowledged(talk, raw) == []


def test_a_note_at_an_incident_a_copy_and_old_mail_are_not_acknowledged(talk: Talk) -> None:
    assert len(_acknowledged(talk, QUESTION)) == 1
    talk.receive(
        mail(ANN, "Re: Printer on fire", "More.", in_reply_to="<q@example.com>", message_id="<q2@example.com>")
    )
    talk.receive(QUESTION)
    old = mail("carl@example.net", "Old", "From long ago.", message_id="<old@example.net>")
    talk.receive(old, at=talk.world.clock.now.replace(year=2026, month=11, day=1))
    assert talk.send_all() == []


def test_mail_that_is_released_after_days_is_not_acknowledged(talk: Talk) -> None:
    talk.open(acknowledge=True, whitelist_enabled=True, whitelist="nobody@example.org")
    row = talk.receive(QUESTION)
    talk.world.clock.advance(days=3)
    assert talk.world.app.desk.release(talk.tenant, row.id, "Kim", talk.world.clock.now)
    talk.world.queues.ring_inbound(talk.tenant, "support", row.id)
    talk.world.convert_all()
    assert len(talk.incidents()) == 1
    assert talk.send_all() == []
    assert "more than a day ago" in talk.why(row, "acknowledge")


def test_five_hundred_from_one_address_are_acknowledged_a_few_times(talk: Talk) -> None:
    talk.open(acknowledge=True)
    for number in range(50):
        talk.receive(mail(ANN, f"Printer {number}", f"Number {number}.", message_id=f"<n{number}@example.com>"))
    talk.send_all()
    got = Counter(one for _, _, people in talk.world.posts["support"].sent for one in people)
    assert got["ann@example.com"] <= 3
    assert len(talk.incidents()) == 50


def test_each_acknowledgement_is_a_note_that_is_marked_so(talk: Talk) -> None:
    _acknowledged(talk, QUESTION)
    assert [(note.kind, note.marks) for note in talk.notes()] == [
        (NoteKind.INBOUND, ()),
        (NoteKind.ANSWER, ("acknowledgement",)),
    ]
    assert talk.problems() == []
