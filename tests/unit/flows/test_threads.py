"""Where mails belong, from their bytes to the incident: keys, participants, closed and merged incidents, forwards,
machines, old mail."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.mail import token
from shared.model.incident import NoteKind, Status
from shared.model.limits import DOMAIN_SHARE, REOPENS_PER_DAY
from shared.model.reason import Outcome
from tests.support.app import World
from tests.support.checker import Stored, violations
from tests.support.mails import mail
from tests.unit.flows.given import ANN, BOB, EVE, Desk, answer, attached, bounce, forged, judged, proved, vacation

QUESTION = mail(text="The question.")
SENDS: dict[str, Any] = {
    "outgoing": {"enabled": True, "host": "smtp.example.org"},
    "agents": "kim@desk.example, lee@desk.example",
}
AGENTS = "kim@desk.example, lee@desk.example"
CUSTOMER = mail("Anna <anna@kunde.example>", "Drucker", "Er brennt.", "kim@desk.example", "<k1@kunde.example>")


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


# ── out of order ──────────────────────────────────────────────────────────────────────────────────────────────────

CHAIN = [
    answer(text="1", cc="bob@example.net", message_id="<1@t>"),
    answer(BOB, "2", to="ann@example.com", cc="support@example.org", message_id="<2@t>", in_reply_to="<1@t>"),
    answer(text="3", to="bob@example.net", message_id="<3@t>", in_reply_to="<2@t>", references="<1@t> <2@t>"),
    answer(BOB, "4", to="ann@example.com", message_id="<4@t>", in_reply_to="<3@t>", references="<1@t> <2@t> <3@t>"),
]


@pytest.mark.parametrize("length", [2, 3, 4])
def test_a_thread_is_one_incident_in_whatever_order_its_mails_come(world: World, length: int) -> None:
    for count, order in enumerate(itertools.permutations(CHAIN[:length])):
        tenant, _ = world.tenant(f"t{count}")
        world.mailbox(tenant, f"m{count}")
        for raw in order:
            world.receive(tenant, raw, f"m{count}")
        expected = [tuple(str(number + 1) for number in range(length))]
        assert Stored(world.tables, world.blobs, tenant).threads() == expected
        assert violations(world.tables, world.blobs, tenant) == []


# ── signed keys ───────────────────────────────────────────────────────────────────────────────────────────────────

PLACES = ["to", "cc", "delivered-to", "x-original-to", "in_reply_to", "references", "text", "quoted text"]


def with_key(desk: Desk, place: str, key: str, id: str, sender: str = ANN) -> bytes:
    """A mail that carries a key of ours somewhere."""
    address = token.subaddress("support@example.org", key)
    fields: dict[str, dict[str, Any]] = {
        "to": {"to": f"Support <{address}>"},
        "cc": {"cc": address},
        "delivered-to": {"delivered_to": address},
        "x-original-to": {"x_original_to": address.upper()},
        "in_reply_to": {"in_reply_to": id},
        "references": {"references": f"<far@away.example> {id} <last@away.example>"},
        "text": {"text": f"Thanks.\n\nRef: {key}\n"},
        "quoted text": {"text": f"Thanks.\n\nOn Monday, Support wrote:\n> Hello\n> Ref: {key.upper()}\n"},
    }
    return answer(sender, **fields[place])


@pytest.mark.parametrize("place", PLACES)
def test_a_signed_key_leads_to_its_incident_wherever_it_stands(desk: Desk, place: str) -> None:
    desk.receive(QUESTION)
    row = desk.receive(with_key(desk, place, desk.key(), desk.our_id()))
    assert (row.reason, row.incident, row.note) == ("reply_by_token", 1, 2)
    assert desk.last().marks == ()
    assert desk.problems() == []


@pytest.mark.parametrize("place", PLACES)
def test_a_stranger_with_a_key_is_noted_and_marked_and_gets_no_part(desk: Desk, place: str) -> None:
    desk.receive(QUESTION)
    row = desk.receive(with_key(desk, place, desk.key(), desk.our_id(), EVE))
    assert (row.reason, row.incident) == ("reply_by_token", 1)
    assert desk.last().marks == ("not_participant",)
    assert desk.people() == {"ann@example.com"}
    again = desk.receive(answer(EVE, subject="[INC-000001] I am in", references="<1@example.com>"))
    assert again.reason == "new_incident", "the note gave him no rights"


@pytest.mark.parametrize("place", PLACES)
def test_the_key_of_another_tenant_is_as_if_it_were_not_there(desk: Desk, place: str) -> None:
    other = Desk(desk.world, "globex")
    other.receive(QUESTION)
    desk.receive(QUESTION)
    plain = desk.receive(answer(EVE, "Thanks."))
    foreign = desk.receive(with_key(desk, place, other.key(), other.our_id(), EVE))
    assert (foreign.reason, plain.reason) == ("new_incident", "new_incident")
    assert desk.incident(foreign.incident or 0).related == ()
    steps = {step.rule: step.why for step in desk.row(foreign.id).trace}
    for rule in ("reply_by_address", "reply_by_own_id", "reply_by_text"):
        assert steps[rule] == desk.why(plain, rule), "not even the trace tells that there is such an incident"


def test_the_key_of_another_group_is_as_if_it_were_not_there(desk: Desk) -> None:
    desk.mailbox("sales", group="Sales")
    desk.receive(QUESTION)
    row = desk.receive(answer(to=desk.reply_address()), "sales")
    assert (row.reason, desk.incident(2).related) == ("new_incident", ())


def test_a_key_for_an_incident_that_never_was_is_no_key(desk: Desk) -> None:
    assert desk.receive(answer(to=desk.reply_address(99), in_reply_to=desk.our_id(99))).reason == "new_incident"


def test_a_stranger_with_a_key_cannot_bring_himself_in_by_what_he_refers_to(desk: Desk) -> None:
    # Whoever writes to the one who claimed an id joins him: so a stranger must claim none.
    desk.receive(QUESTION)
    desk.receive(answer(EVE, to=desk.reply_address(), references="<trap@evil.example>"))
    again = answer(EVE, to="support@example.org, eve@evil.example", references="<trap@evil.example>")
    assert desk.receive(again).reason == "new_incident"
    assert desk.people() == {"ann@example.com"}


def test_a_vacation_answer_claims_nothing_for_its_sender_either(desk: Desk) -> None:
    desk.receive(QUESTION)
    desk.receive(vacation(EVE, to=desk.reply_address(), references="<trap@evil.example>"))
    row = desk.receive(answer(EVE, to="support@example.org, eve@evil.example", references="<trap@evil.example>"))
    assert row.reason == "new_incident"


def test_where_keys_disagree_the_strongest_wins_and_the_others_are_related_and_told(desk: Desk) -> None:
    for number in range(1, 5):
        desk.receive(answer(message_id=f"<q{number}@example.com>"))
    raw = answer(
        text=f"Ref: {desk.key(3)}",
        to=desk.reply_address(1),
        in_reply_to="<q2@example.com>",
        subject="[INC-000004] Which one?",
    )
    row = desk.receive(raw)
    assert (row.reason, row.incident) == ("reply_by_token", 1)
    assert desk.incident(1).related == (2, 3, 4)
    assert "INC-000002, INC-000003, INC-000004" in desk.why(row, "other_keys")


def test_a_mail_of_ours_that_comes_back_is_no_incident(desk: Desk) -> None:
    desk.receive(QUESTION)
    row = desk.receive(answer(message_id=desk.our_id()))
    assert (row.outcome, row.reason) == (Outcome.DISCARDED, "own_mail")


# ── participants ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_number_without_part_in_the_incident_opens_one_that_is_related(desk: Desk) -> None:
    desk.receive(QUESTION)
    row = desk.receive(answer(EVE, subject="Re: [INC-000001] Printer"))
    assert (row.reason, row.incident) == ("new_incident", 2)
    assert desk.incident(2).related == (1,)
    assert desk.incident(1).notes_count == 1
    assert "INC-000001" in desk.why(row, "reply_by_number")


def test_who_was_in_cc_answers_into_the_incident_and_brings_those_whom_he_copies(desk: Desk) -> None:
    desk.receive(mail(cc="bob@example.net, support@example.org, support+x@example.org"))
    assert desk.people() == {"ann@example.com", "bob@example.net"}, "our own address takes no part"
    row = desk.receive(answer(BOB, in_reply_to="<1@example.com>", cc="cat@example.com"))
    assert (row.reason, row.incident) == ("reply_by_reference", 1)
    row = desk.receive(answer("Cat@EXAMPLE.com", subject="[INC-000001]"))
    assert (row.reason, row.incident) == ("reply_by_number", 1)
    assert desk.people() == {"ann@example.com", "bob@example.net", "cat@example.com"}


def test_nobody_takes_part_by_being_named_in_what_a_machine_sent(desk: Desk) -> None:
    # The ticket trick: somebody signs up elsewhere with our address, and has himself copied.
    row = desk.receive(mail("no-reply@service.example", cc="eve@evil.example", auto_submitted="auto-generated"))
    assert row.reason == "new_incident"
    assert desk.people() == {"no-reply@service.example"}
    assert desk.receive(answer(EVE, in_reply_to="<1@example.com>")).reason == "new_incident"


def test_a_participant_who_forwards_it_elsewhere_begins_a_new_incident_that_is_related(desk: Desk) -> None:
    desk.receive(QUESTION)
    row = desk.receive(answer(subject="Fwd: Printer", to="boss@example.com", in_reply_to="<1@example.com>"))
    assert (row.reason, row.incident) == ("new_incident", 2)
    assert desk.incident(2).related == (1,)


@pytest.mark.parametrize("wish", ["accept", "hold"])
def test_the_name_of_a_participant_is_worth_something_if_it_is_proved_or_nobody_asks(desk: Desk, wish: str) -> None:
    desk.mailbox(unverified_senders=wish)
    desk.receive(QUESTION)
    assert desk.receive(answer(make=proved, in_reply_to="<1@example.com>")).reason == "reply_by_reference"
    unknown = desk.receive(answer(in_reply_to="<1@example.com>"))
    assert unknown.reason == ("reply_by_reference" if wish == "accept" else "new_incident")
    false = desk.receive(answer(make=forged, in_reply_to="<1@example.com>", subject="[INC-000001]"))
    assert false.reason == "new_incident"
    assert desk.incident(false.incident or 0).related[:1] == (1,)
    assert desk.last(false.incident or 0).marks == ("sender_not_verified",)


# ── verdicts and the whitelist ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("unverified", ["accept", "hold"])
@pytest.mark.parametrize("listed", [False, True], ids=["whitelist off", "whitelist on"])
@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("pass", {"new_incident"}),
        ("fail", {"new_incident", "sender_forged"}),
        ("none", {"new_incident", "sender_unverified"}),
        ("permerror", {"new_incident", "sender_unverified"}),
        ("", {"new_incident", "sender_unverified"}),
    ],
)
def test_a_forged_sender_passes_no_whitelist_and_an_unchecked_one_as_the_mailbox_wants(
    desk: Desk, verdict: str, expected: set[str], listed: bool, unverified: str
) -> None:
    desk.mailbox(whitelist_enabled=listed, whitelist="example.com", unverified_senders=unverified)
    row = desk.receive(answer(**judged(verdict, "example.com")) if verdict else answer())
    stopped = listed and (verdict == "fail" or (verdict != "pass" and unverified == "hold"))
    assert row.reason in expected
    assert (row.outcome is Outcome.HELD) is stopped


@pytest.mark.parametrize(
    "header",
    [
        "mx.evil.example; dmarc=pass header.from=example.com",
        "mx.example.org.evil.example; dmarc=pass header.from=example.com",
        "mx.example.org; dmarc=pass header.from=evil.example",
        "mx.example.org; dkim=pass header.d=evil.example",
        "(mx.example.org); dmarc=pass header.from=example.com",
    ],
)
def test_what_somebody_else_says_of_a_sender_proves_nothing(desk: Desk, header: str) -> None:
    desk.mailbox(whitelist_enabled=True, whitelist="example.com", unverified_senders="hold")
    assert desk.receive(answer(authentication_results=header)).reason == "sender_unverified"


def test_a_colleague_who_is_none_is_held_without_any_whitelist(desk: Desk) -> None:
    row = desk.receive(forged("The Boss <boss@example.org>"))
    assert (row.outcome, row.reason) == (Outcome.HELD, "sender_forged")


# ── private ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def internal(desk: Desk) -> Desk:
    """An incident of Ann's with an internal mail in its thread, which Bob has."""
    desk.receive(mail(cc="bob@example.net"))
    desk.receive(answer(in_reply_to="<1@example.com>", message_id="<internal@example.org>"))
    desk.make_private("<internal@example.org>")
    return desk


@pytest.mark.parametrize("key", ["", "address", "text"])
def test_an_answer_to_an_internal_mail_is_internal_and_so_are_the_answers_to_that(internal: Desk, key: str) -> None:
    keys: dict[str, dict[str, Any]] = {
        "address": {"to": internal.reply_address()},
        "text": {"text": f"Secret. Ref: {internal.key()}"},
    }
    said = answer(BOB, in_reply_to="<internal@example.org>", message_id="<b@example.net>", **keys.get(key, {}))
    for raw in (said, answer(BOB, in_reply_to="<b@example.net>")):
        assert internal.receive(raw).incident == 1
        note = internal.last()
        assert note.kind is NoteKind.INTERNAL
        assert "private" in note.marks
    assert internal.people() == {"ann@example.com", "bob@example.net"}


def test_the_reporters_answer_to_an_internal_mail_is_his_own_and_shown(internal: Desk) -> None:
    internal.receive(answer(in_reply_to="<internal@example.org>"))
    assert internal.last().kind is NoteKind.INBOUND


# ── merged and closed incidents ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("key", ["address", "reference", "number"])
def test_mail_for_a_merged_incident_arrives_in_the_one_that_goes_on(desk: Desk, key: str) -> None:
    for number in (1, 2, 3):
        desk.receive(answer(message_id=f"<q{number}@example.com>"))
    desk.change(1, merged_into=2)
    desk.change(2, merged_into=3)
    fields: dict[str, dict[str, Any]] = {
        "address": {"to": desk.reply_address()},
        "reference": {"in_reply_to": "<q1@example.com>"},
        "number": {"subject": "[INC-000001]"},
    }
    row = desk.receive(answer(text="Well?", **fields[key]))
    assert (row.incident, row.note) == (3, 2)
    assert desk.incident(1).notes_count == desk.incident(2).notes_count == 1
    assert desk.problems() == []


def test_incidents_that_were_merged_in_a_ring_end_the_search_and_not_the_mail(desk: Desk) -> None:
    for number in (1, 2):
        desk.receive(answer(message_id=f"<q{number}@example.com>"))
    desk.change(1, merged_into=2)
    desk.change(2, merged_into=1)
    row = desk.receive(answer(in_reply_to="<q1@example.com>", to=desk.reply_address(2), subject="[INC-000001]"))
    assert (row.outcome, row.incident) == (Outcome.DELIVERED, 3)


@pytest.mark.parametrize(
    ("setting", "days", "reason", "status"),
    [
        ("reopen", 13, "reply_by_reference", Status.OPEN),
        ("reopen", 15, "new_after_closed", Status.CLOSED),
        ("new", 0, "new_after_closed", Status.CLOSED),
        ("keep", 100, "reply_by_reference", Status.CLOSED),
    ],
)
def test_an_answer_to_a_closed_incident_does_what_the_mailbox_wants(
    desk: Desk, setting: str, days: int, reason: str, status: Status
) -> None:
    desk.mailbox(closed_reply=setting, reopen_days=14)
    desk.receive(QUESTION)
    desk.close()
    desk.world.clock.advance(days=days)
    row = desk.receive(answer(in_reply_to="<1@example.com>"))
    assert row.reason == reason
    assert desk.incident(1).status is status
    if reason == "new_after_closed":
        assert (row.incident, desk.incident(2).related, desk.incident(2).status) == (2, (1,), Status.OPEN)
    else:
        assert row.incident == 1
    assert ("closed" in desk.last().marks) is (setting == "keep")
    assert desk.problems() == []


def test_a_thread_that_went_on_after_the_end_stays_one_incident(desk: Desk) -> None:
    # Each further mail of it still names the closed one, by the strongest key there is.
    desk.mailbox(closed_reply="new")
    desk.receive(QUESTION)
    desk.close()
    first = desk.receive(answer(in_reply_to=desk.our_id(), to=desk.reply_address(), message_id="<a@example.com>"))
    assert (first.reason, first.incident) == ("new_after_closed", 2)
    thread = f"{desk.our_id()} <a@example.com>"
    for _ in range(3):
        row = desk.receive(answer(in_reply_to="<a@example.com>", references=thread, to=desk.reply_address()))
        assert row.incident == 2
    assert len(desk.incidents()) == 2


@pytest.mark.parametrize("raw", [vacation(in_reply_to="<1@example.com>"), bounce("<1@example.com>")])
@pytest.mark.parametrize("setting", ["reopen", "new", "keep"])
def test_no_machine_opens_a_closed_incident_again_or_a_new_one_for_it(desk: Desk, raw: bytes, setting: str) -> None:
    desk.mailbox(closed_reply=setting)
    desk.receive(QUESTION)
    desk.close()
    row = desk.receive(raw)
    assert [one.status for one in desk.incidents()] == [Status.CLOSED]
    # The vacation notice belongs to the thread; a report on a mail that was not ours proves nothing.
    assert desk.incident().notes_count == (1 if row.reason == "report_unmatched" else 2)


def test_two_that_thank_one_another_for_ever_stop_opening_the_incident(desk: Desk) -> None:
    desk.receive(QUESTION)
    opened = 0
    for _ in range(REOPENS_PER_DAY + 5):
        desk.change(1, status=Status.RESOLVED)
        desk.receive(answer(in_reply_to="<1@example.com>", text="Thank you."))
        opened += desk.incident().status is Status.OPEN
    assert opened == REOPENS_PER_DAY
    assert desk.last().marks == ("reopened_too_often",)
    assert desk.incident().notes_count == REOPENS_PER_DAY + 6, "no mail is lost by it"
    desk.world.clock.advance(days=1)
    desk.receive(answer(in_reply_to="<1@example.com>"))
    assert desk.incident().status is Status.OPEN, "the next day is a new one"
    assert desk.problems() == []


def test_a_loop_that_answers_closed_incidents_ends_at_the_limit_and_loses_nothing(desk: Desk) -> None:
    desk.mailbox(closed_reply="new", max_incidents_per_hour=3)
    desk.receive(QUESTION)
    desk.close()
    reasons = [desk.receive(answer(in_reply_to="<1@example.com>", text=str(n))).reason for n in range(6)]
    assert reasons == ["new_after_closed"] * 2 + ["too_many"] * 4


# ── forwards ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_an_agent_forwards_is_the_customers_incident(desk: Desk) -> None:
    desk.mailbox(agents=AGENTS)
    row = desk.receive(attached("Kim <kim@desk.example>", CUSTOMER, make=proved))
    incident = desk.incident()
    assert (row.reason, incident.subject, incident.reporter.address) == (
        "new_incident",
        "Drucker",
        "anna@kunde.example",
    )
    assert desk.people() == {"anna@kunde.example", "kim@desk.example"}
    customer, preface = desk.notes()
    assert (customer.kind, customer.body.text.strip(), customer.marks) == (
        NoteKind.INBOUND,
        "Er brennt.",
        ("forwarded",),
    )
    assert (preface.kind, preface.body.text, preface.author.address) == (
        NoteKind.INTERNAL,
        "For you.",
        "kim@desk.example",
    )
    later = answer("anna@kunde.example", in_reply_to="<k1@kunde.example>")
    assert (desk.receive(later).incident, len(desk.notes())) == (1, 3)
    assert desk.problems() == []


INLINE = """\
Please take this.

---------- Forwarded message ---------
From: Anna <anna@kunde.example>
Date: Mon, 16 Nov 2026 at 09:12
Subject: Drucker
To: Kim <kim@desk.example>

Er brennt.
"""


@pytest.mark.parametrize(
    "text", [INLINE, INLINE.replace("Please take this.\n\n", "")], ids=["with words above", "bare"]
)
def test_a_mail_forwarded_in_the_text_is_the_customers_as_well(desk: Desk, text: str) -> None:
    desk.mailbox(agents=AGENTS)
    raw = answer("kim@desk.example", text, proved, subject="Fwd: Drucker", references="<k1@kunde.example>")
    desk.receive(raw)
    assert desk.incident().reporter.key == "anna@kunde.example"
    assert len(desk.notes()) == (2 if "Please" in text else 1)
    later = answer("anna@kunde.example", in_reply_to="<k1@kunde.example>")
    assert desk.receive(later).reason == "reply_by_reference"
    assert desk.problems() == []


@pytest.mark.parametrize(
    ("sender", "make"),
    [("kim@desk.example", mail), ("kim@desk.example", forged), ("eve@evil.example", proved)],
    ids=["an agent nobody checked", "an agent, forged", "no agent"],
)
def test_the_forward_of_anybody_else_is_his_own_incident(desk: Desk, sender: str, make: object) -> None:
    desk.mailbox(agents=AGENTS)
    desk.receive(attached(sender, CUSTOMER, make=make))
    assert desk.incident().reporter.key == sender
    assert "anna@kunde.example" not in desk.people()
    assert len(desk.notes()) == 1
    assert desk.receive(answer("anna@kunde.example", in_reply_to="<k1@kunde.example>")).incident == 2


def test_the_same_mail_forwarded_by_two_agents_becomes_two_incidents_and_stops_nobody(desk: Desk) -> None:
    desk.mailbox(agents=AGENTS)
    desk.receive(attached("kim@desk.example", CUSTOMER, make=proved))
    assert desk.receive(attached("lee@desk.example", CUSTOMER, make=proved, text="Mine!")).outcome is Outcome.DELIVERED
    assert desk.problems() == []


def test_a_mail_that_is_forwarded_after_it_came_itself_stops_nobody(desk: Desk) -> None:
    desk.mailbox(agents=AGENTS)
    desk.receive(CUSTOMER)
    assert desk.receive(attached("kim@desk.example", CUSTOMER, make=proved)).outcome is Outcome.DELIVERED
    assert desk.problems() == []


def test_a_mail_that_comes_itself_after_it_was_forwarded_is_a_note_of_that_incident(desk: Desk) -> None:
    desk.mailbox(agents=AGENTS)
    desk.receive(attached("kim@desk.example", CUSTOMER, make=proved))
    assert (desk.receive(CUSTOMER).incident, len(desk.incidents())) == (1, 1)


def test_our_own_mail_that_an_agent_forwards_does_not_make_ourselves_the_reporter(desk: Desk) -> None:
    desk.mailbox(agents=AGENTS)
    desk.receive(attached("kim@desk.example", mail("support@example.org"), make=proved))
    assert desk.incident().reporter.key == "kim@desk.example"


def test_a_forward_that_answers_an_incident_is_a_note_of_the_agent(desk: Desk) -> None:
    desk.mailbox(agents=AGENTS)
    desk.receive(QUESTION)
    row = desk.receive(attached("kim@desk.example", CUSTOMER, make=proved, to=desk.reply_address()))
    assert (row.incident, desk.last().author.key, desk.incident().notes_count) == (1, "kim@desk.example", 2)
    assert desk.incident().reporter.key == "ann@example.com"


# ── what agents write by mail ─────────────────────────────────────────────────────────────────────────────────────

KIM = "Kim <kim@desk.example>"


@pytest.fixture
def sending(desk: Desk) -> Desk:
    """A mailbox that sends, and an incident of Ann's."""
    desk.mailbox(**SENDS)
    desk.receive(QUESTION)
    return desk


def test_what_an_agent_answers_to_a_mail_of_ours_goes_on_to_the_reporter(sending: Desk) -> None:
    row = sending.receive(answer(KIM, "Use water.", proved, in_reply_to=sending.our_id()))
    assert row.reason == "reply_by_token"
    assert [[one.address for one in mail.to] for mail in sending.sent()] == [["ann@example.com"]]
    assert sending.incident().status is Status.WAITING
    assert "kim@desk.example" not in sending.people()
    assert sending.problems() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"in_reply_to": "<1@example.com>", "to": "lee@desk.example", "cc": "support@example.org"},
        {"in_reply_to": "<1@example.com>", "to": "ann@example.com", "cc": "support@example.org"},
        {"subject": "[INC-000001] What a nuisance"},
    ],
    ids=["to a colleague", "to the reporter himself", "about a number"],
)
def test_what_an_agent_writes_to_others_is_noted_and_sent_to_nobody(sending: Desk, fields: dict[str, Any]) -> None:
    row = sending.receive(answer(KIM, "Just between us.", proved, **fields))
    assert (row.incident, row.note) == (1, 2)
    assert sending.sent() == []


def test_what_an_agent_forwards_into_an_incident_is_sent_to_nobody(sending: Desk) -> None:
    secret = mail("boss@desk.example", "Salaries", message_id="<s@desk.example>")
    for number, fields in enumerate(({"to": sending.reply_address()}, {"in_reply_to": sending.our_id()}), start=2):
        sending.receive(attached(KIM, secret, "Fwd: Salaries", make=proved, **fields))
        assert sending.incident().notes_count == number
    assert sending.sent() == []


def test_what_an_agent_wrote_before_the_mailbox_was_connected_is_not_sent_again(desk: Desk) -> None:
    desk.mailbox(**SENDS)
    old = desk.world.clock.now - timedelta(days=100)
    desk.receive(QUESTION, at=old)
    for fields in ({"in_reply_to": "<1@example.com>"}, {"in_reply_to": desk.our_id()}, {"to": desk.reply_address()}):
        desk.receive(answer(KIM, "Years ago.", proved, **fields), at=old + timedelta(days=1))
    assert desk.incident().notes_count == 4
    assert desk.sent() == []


def test_an_agents_answer_to_a_closed_incident_that_stays_closed_leaves_it_so(sending: Desk) -> None:
    sending.mailbox(**SENDS, closed_reply="keep")
    sending.close()
    sending.receive(answer(KIM, make=proved, to=sending.reply_address()))
    assert sending.incident().status is Status.CLOSED


@pytest.mark.parametrize("make", [mail, forged])
def test_who_only_says_to_be_an_agent_answers_for_nobody(sending: Desk, make: Callable[..., bytes]) -> None:
    sending.receive(answer(KIM, "Pay at once.", make, in_reply_to=sending.our_id()))
    assert sending.sent() == []
    assert "not_participant" in sending.last().marks


# ── one mail, two mailboxes ───────────────────────────────────────────────────────────────────────────────────────


def test_one_mail_to_two_groups_is_one_incident_in_each_and_each_names_the_other(desk: Desk) -> None:
    desk.mailbox("sales", group="Sales")
    desk.receive(QUESTION)
    before = desk.incident(1)
    assert desk.receive(QUESTION, "sales").incident == 2
    assert (desk.incident(1).related, desk.incident(2).related) == ((2,), (1,))
    assert (desk.incident(1).updated, desk.incident(1).notes_count) == (before.updated, 1), "it is no activity"
    assert desk.problems() == []


def test_one_mail_to_two_mailboxes_of_a_group_is_one_incident_and_one_copy(desk: Desk) -> None:
    desk.mailbox("second")
    desk.receive(QUESTION)
    row = desk.receive(QUESTION, "second")
    assert (row.outcome, row.reason, row.incident) == (Outcome.DUPLICATE, "same_mail", 1)
    assert desk.receive(answer(in_reply_to="<1@example.com>"), "second").incident == 1
    assert desk.problems() == []


def test_a_mail_to_more_groups_than_one_transaction_can_link_is_an_incident_in_each(desk: Desk) -> None:
    ids = " ".join(f"<{number}@far.example>" for number in range(20))
    replies = " ".join(f"<{number}@near.example>" for number in range(20))
    raw = proved(ANN, references=ids, in_reply_to=replies)
    for number in range(30):
        desk.mailbox(f"m{number}", group=f"Group {number}", acknowledge=True, notify_agents=True, **SENDS)
        assert desk.receive(raw, f"m{number}").outcome is Outcome.DELIVERED
    assert len(desk.incidents()) == 30
    assert desk.problems() == []


# ── old mail ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("setting", "reasons", "statuses"),
    [
        ("open", ["new_incident", "reply_by_reference"], [Status.OPEN]),
        ("closed", ["old_incident", "reply_by_reference"], [Status.CLOSED]),
        ("skip", ["before_connection", "before_connection"], []),
    ],
)
def test_old_mail_becomes_what_the_mailbox_wants_and_so_do_its_answers(
    desk: Desk, setting: str, reasons: list[str], statuses: list[Status]
) -> None:
    desk.mailbox(old_mail=setting)
    old = desk.world.clock.now - timedelta(days=30)
    rows = [
        desk.receive(QUESTION, at=old),
        desk.receive(answer(in_reply_to="<1@example.com>"), at=old + timedelta(days=1)),
    ]
    assert [row.reason for row in rows] == reasons
    assert [one.status for one in desk.incidents()] == statuses
    for incident in desk.incidents():
        assert incident.created < old + timedelta(hours=1), "it has its own date"
    assert desk.problems() == []


def test_an_answer_of_today_to_an_old_closed_incident_opens_a_new_one(desk: Desk) -> None:
    desk.mailbox(old_mail="closed")
    desk.receive(QUESTION, at=desk.world.clock.now - timedelta(days=30))
    assert desk.receive(answer(in_reply_to="<1@example.com>")).reason == "new_after_closed"
    assert desk.incident(2).related == (1,)


@pytest.mark.parametrize("setting", ["open", "closed"])
def test_the_first_import_of_a_years_mail_is_no_flood(desk: Desk, setting: str) -> None:
    desk.mailbox(old_mail=setting, max_incidents_per_hour=2, days_to_download=365)
    for number in range(300):
        at = desk.world.clock.now - timedelta(days=1 + number, hours=number % 24)
        sender = f"p{number % 7}@example.com"
        raw = mail(sender, text=str(number), message_id=f"<{number}@example.com>")
        desk.world.folders["support"].deliver(raw, at)
    for _ in range(20):
        desk.world.poll(desk.tenant)
        desk.world.convert_all()
    outcomes = Stored(desk.world.tables, desk.world.blobs, desk.tenant).outcomes()
    assert outcomes == {"new_incident" if setting == "open" else "old_incident": 300}
    assert desk.problems() == []


def test_a_flood_is_held_beyond_the_limit_and_the_next_hour_is_a_new_one(desk: Desk) -> None:
    desk.mailbox(max_incidents_per_hour=3)
    assert [desk.receive(answer()).reason for _ in range(5)] == ["new_incident"] * 3 + ["too_many"] * 2
    assert desk.receive(answer(BOB)).reason == "new_incident", "others are not held for it"
    desk.world.clock.advance(hours=1)
    assert desk.receive(answer()).reason == "new_incident"


def test_a_flood_that_changes_its_address_each_time_still_has_its_domain(desk: Desk) -> None:
    desk.mailbox(max_incidents_per_hour=1)
    reasons = [desk.receive(answer(f"p{number}@example.com")).reason for number in range(DOMAIN_SHARE + 2)]
    assert reasons == ["new_incident"] * DOMAIN_SHARE + ["too_many"] * 2


def test_a_flood_without_a_readable_sender_is_held_as_well(desk: Desk) -> None:
    desk.mailbox(max_incidents_per_hour=2)
    reasons = [desk.receive(answer("a@b.example, c@d.example")).reason for _ in range(4)]
    assert reasons == ["new_incident"] * 2 + ["too_many"] * 2


# ── machines ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", list(Status))
def test_a_bounce_of_our_mail_is_a_line_in_its_incident_whatever_the_whitelist_says(desk: Desk, status: Status) -> None:
    desk.receive(QUESTION)
    desk.change(1, status=status)
    desk.mailbox(whitelist_enabled=True, whitelist="example.com")
    row = desk.receive(bounce(desk.our_id()))
    note = desk.last()
    assert (row.reason, row.incident) == ("report_noted", 1)
    assert (note.kind, note.marks) == (NoteKind.SYSTEM, ("failed",))
    assert "ann@example.com (5.1.1)" in note.body.text
    assert desk.incident().status is status
    assert desk.people() == {"ann@example.com"}
    assert desk.problems() == []


@pytest.mark.parametrize("foreign", ["<nothing@example.com>", "<inc.1.1.aaaaaaaaaaaaaaaaaaaa@example.org>"])
def test_a_bounce_of_nothing_that_we_know_is_held(desk: Desk, foreign: str) -> None:
    desk.receive(QUESTION)
    row = desk.receive(bounce(foreign))
    assert (row.outcome, row.reason) == (Outcome.HELD, "report_unmatched")


def test_a_bounce_of_another_tenants_mail_is_held(desk: Desk) -> None:
    other = Desk(desk.world, "globex")
    other.receive(QUESTION)
    desk.receive(QUESTION)
    assert desk.receive(bounce(other.our_id())).reason == "report_unmatched"


@pytest.mark.parametrize("key", ["address", "id", "reference", "number"])
def test_an_automatic_reply_with_a_key_is_a_note_and_opens_nothing_again(desk: Desk, key: str) -> None:
    desk.receive(QUESTION)
    desk.change(1, status=Status.WAITING)
    fields: dict[str, dict[str, Any]] = {
        "address": {"to": desk.reply_address()},
        "id": {"in_reply_to": desk.our_id()},
        "reference": {"in_reply_to": "<1@example.com>"},
        "number": {"subject": "Automatic reply: [INC-000001] Printer"},
    }
    row = desk.receive(vacation(**fields[key]))
    assert (row.outcome, row.incident) == (Outcome.DELIVERED, 1)
    assert desk.incident().status is Status.WAITING
    assert desk.last().marks == ("auto_reply",)


def test_an_automatic_reply_without_a_key_is_held(desk: Desk) -> None:
    row = desk.receive(vacation())
    assert (row.outcome, row.reason) == (Outcome.HELD, "auto_reply_unmatched")


def test_an_alert_of_a_machine_is_an_incident_that_says_so(desk: Desk) -> None:
    row = desk.receive(answer("monitor@example.com", auto_submitted="auto-generated"))
    assert (row.reason, desk.last().marks) == ("new_incident", ("automatic",))
