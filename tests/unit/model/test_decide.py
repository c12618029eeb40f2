from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from shared.mail.address import Address
from shared.model import reason
from shared.model.decide import RULES, decide
from shared.model.facts import Facts, Tokens
from shared.model.incident import Status
from shared.model.reason import Outcome, Reason
from tests.support.mails import mail
from tests.unit.model.given import (
    ALERT,
    ANN,
    BOB,
    BOUNCE,
    EVE,
    FORGED,
    FROM_EVE,
    FROM_NOBODY,
    NOON,
    PROVED,
    UNKNOWN,
    VACATION,
    facts,
    hit,
    incident,
    report,
    step,
    tally,
)

NAMES = [rule.__name__ for rule in RULES]

ON = {"whitelist_enabled": True}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (facts(), reason.NEW_INCIDENT),
        (facts(FROM_NOBODY), reason.NEW_INCIDENT),
        (facts(truncated=True), reason.TOO_LARGE),
        (facts(duplicate_of=3), reason.SAME_MAIL),
        (facts(own_addresses=frozenset({"ann@example.com"})), reason.OWN_MAIL),
        (facts(mail("ANN@Example.com"), own_addresses=frozenset({"ann@example.com"})), reason.OWN_MAIL),
        (facts(own_addresses=frozenset({"support@example.org"})), reason.NEW_INCIDENT),
        (facts(settings=ON), reason.NOT_ON_WHITELIST),
        (facts(settings={**ON, "whitelist": "other.example"}), reason.NOT_ON_WHITELIST),
        (facts(settings={**ON, "whitelist": "example.com"}), reason.NEW_INCIDENT),
        (facts(settings={"whitelist": "other.example"}), reason.NEW_INCIDENT),
        (facts(FROM_NOBODY, settings={**ON, "whitelist": "b.example, d.example"}), reason.SENDER_UNREADABLE),
        (facts(threads=(hit(incident()),)), reason.REPLY_BY_REFERENCE),
        (facts(mail("Eve <eve@evil.example>"), threads=(hit(incident()),)), reason.NEW_INCIDENT),
        (facts(numbered=(incident(),)), reason.REPLY_BY_NUMBER),
        (facts(mail("Eve <eve@evil.example>"), numbered=(incident(),)), reason.NEW_INCIDENT),
        (facts(FROM_NOBODY, threads=(hit(incident()),), numbered=(incident(),)), reason.NEW_INCIDENT),
    ],
)
def test_each_rule_hits_where_it_should_and_misses_where_it_should(given: Facts, expected: Reason) -> None:
    assert decide(given).reason is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (facts(truncated=True, duplicate_of=3), reason.TOO_LARGE),
        (facts(duplicate_of=3, own_addresses=frozenset({ANN.key})), reason.SAME_MAIL),
        (facts(own_addresses=frozenset({ANN.key}), settings=ON), reason.OWN_MAIL),
        (facts(settings=ON, threads=(hit(incident()),)), reason.NOT_ON_WHITELIST),
        (facts(threads=(hit(incident(7)),), numbered=(incident(8),)), reason.REPLY_BY_REFERENCE),
    ],
)
def test_where_two_rules_apply_the_earlier_one_decides(given: Facts, expected: Reason) -> None:
    assert decide(given).reason is expected


@pytest.mark.parametrize(
    ("given", "decided_by"),
    [
        (facts(truncated=True), "too_large"),
        (facts(duplicate_of=3), "same_mail"),
        (facts(own_addresses=frozenset({ANN.key})), "own_mail"),
        (facts(settings=ON), "on_whitelist"),
        (facts(threads=(hit(incident()),)), "reply_by_reference"),
        (facts(numbered=(incident(),)), "reply_by_number"),
        (facts(), "new_incident"),
    ],
)
def test_the_trace_names_every_rule_up_to_the_one_that_decided_and_only_that_one_as_hit(
    given: Facts, decided_by: str
) -> None:
    trace = decide(given).trace
    assert [one.rule for one in trace] == NAMES[: NAMES.index(decided_by) + 1]
    assert [one.rule for one in trace if one.hit] == [decided_by]
    assert all(one.why for one in trace)


def test_the_trace_names_the_values_that_made_it_so() -> None:
    given = facts(
        mail("Eve <eve@evil.example>"),
        settings={**ON, "whitelist": "evil.example"},
        threads=(hit(incident(7)),),
        numbered=(incident(8),),
    )
    decision = decide(given)
    assert "evil.example" in step(decision, "on_whitelist")[1]
    assert "INC-000007" in step(decision, "reply_by_reference")[1]
    assert "INC-000008" in step(decision, "reply_by_number")[1]
    assert "INC-000003" in step(decide(facts(duplicate_of=3)), "same_mail")[1]


def test_a_duplicate_names_the_incident_that_holds_it() -> None:
    assert decide(facts(duplicate_of=3)).duplicate_of == 3


def test_a_reply_joins_the_strongest_thread_its_sender_takes_part_in_and_is_related_to_the_others() -> None:
    foreign, own, weaker = incident(1, EVE), incident(2), incident(3)
    decision = decide(facts(threads=(hit(foreign), hit(own), hit(weaker))))
    assert decision.join is own
    assert decision.related == (1, 3)


def test_a_stranger_gets_an_incident_of_his_own_that_is_related_and_no_note() -> None:
    given = facts(mail("Eve <eve@evil.example>"), threads=(hit(incident(7)), hit(incident(7))), numbered=(incident(9),))
    decision = decide(given)
    assert (decision.reason, decision.join, decision.related) == (reason.NEW_INCIDENT, None, (7, 9))


def test_the_first_number_whose_incident_the_sender_takes_part_in_is_joined() -> None:
    decision = decide(facts(numbered=(incident(1, EVE), incident(2), incident(3))))
    assert decision.join is not None
    assert decision.join.number == 2


def test_a_display_name_that_looks_like_the_reporter_opens_no_door() -> None:
    raw = mail('"ann@example.com" <eve@evil.example>')
    decision = decide(facts(raw, threads=(hit(incident()),), numbered=(incident(),)))
    assert decision.join is None


def test_an_id_that_an_attacker_claimed_does_not_pull_its_true_owner_into_his_incident() -> None:
    # Eve wrote "References: <1@example.com>" before Ann's mail of that id came.
    claimed = hit(incident(7, EVE), seen=False, claimed_by=EVE.key)
    decision = decide(facts(mail(), threads=(claimed,)))
    assert decision.reason is reason.NEW_INCIDENT
    assert decision.related == (7,)


@pytest.mark.parametrize("field", ["to", "cc"])
def test_a_question_that_comes_after_its_answer_joins_it_when_it_was_written_to_the_answerer(field: str) -> None:
    bob = Address("Bob", "bob@example.net")
    people = "Support <support@example.org>, BOB@example.net"
    raw = mail(to=people) if field == "to" else mail(cc=people)
    claimed = hit(incident(7, bob), seen=False, claimed_by=bob.key)
    decision = decide(facts(raw, threads=(claimed,)))
    assert decision.join == claimed.incident


def test_being_written_to_opens_no_incident_whose_mail_was_seen_already() -> None:
    seen = hit(incident(7, EVE), seen=True, claimed_by=EVE.key)
    assert decide(facts(mail(to="eve@evil.example"), threads=(seen,))).join is None


def test_a_claim_by_nobody_is_nobodys_key() -> None:
    claimed = hit(incident(7, EVE), seen=False, claimed_by="")
    assert decide(facts(mail(to="undisclosed-recipients:;"), threads=(claimed,))).join is None


@pytest.mark.parametrize(("to", "joins"), [("bob@example.net", True), ("support@example.org", False)])
def test_a_mail_that_refers_to_a_claimed_id_joins_when_it_is_written_to_the_claimer(to: str, joins: bool) -> None:
    # The claimer is in To or Cc. So the second mail of a thread finds its place before the first one has come.
    bob = Address("Bob", "bob@example.net")
    raw = mail("cat@example.com", to=to, message_id="<c@example.com>", in_reply_to="<q@example.com>")
    claimed = hit(incident(7, bob), seen=False, claimed_by=bob.key, id="<q@example.com>")
    assert (decide(facts(raw, threads=(claimed,))).join is not None) is joins


HELD = [facts(truncated=True), facts(settings=ON), facts(FROM_NOBODY, settings=ON)]


@pytest.mark.parametrize("given", HELD, ids=["too large", "not on whitelist", "unreadable"])
def test_a_released_mail_is_decided_as_if_it_had_not_been_held(given: Facts) -> None:
    assert decide(given).outcome is Outcome.HELD
    released = decide(given, release=True)
    assert released.reason is reason.NEW_INCIDENT
    assert any("released by a person" in one.why and not one.hit for one in released.trace)


def test_a_released_reply_becomes_a_note() -> None:
    assert decide(facts(settings=ON, threads=(hit(incident()),)), release=True).reason is reason.REPLY_BY_REFERENCE


@pytest.mark.parametrize("given", [facts(duplicate_of=3), facts(own_addresses=frozenset({ANN.key}))])
def test_a_release_overrules_what_holds_and_nothing_else(given: Facts) -> None:
    assert decide(given, release=True) == decide(given)


def test_no_mail_and_no_look_up_leaves_it_undecided() -> None:
    for raw in (b"", b"\x00", b"From: \r\n\r\n", mail()):
        given = facts(raw)
        for changed in (given, replace(given, threads=(hit(incident()),), numbered=(incident(),))):
            assert decide(changed).outcome is not Outcome.PENDING


# ── the order of the rules ────────────────────────────────────────────────────────────────────────────────────────

ANSWERED, KEY = incident(7, ANN), Tokens(address=(incident(7, ANN),))
OLD: dict[str, Any] = {"received": NOON, "connected": NOON.replace(hour=13)}
OUR_ADDRESSES = frozenset({"support@example.org"})

BOTH: list[tuple[str, str, Facts]] = [
    ("too_large", "same_mail", facts(truncated=True, duplicate_of=3)),
    ("same_mail", "own_mail", facts(duplicate_of=3, tokens=Tokens(own=1))),
    ("own_mail", "report_on_our_mail", facts(report=report(), tokens=Tokens(own=1, about=ANSWERED))),
    (
        "report_on_our_mail",
        "skipped",
        facts(report=report(), tokens=Tokens(about=ANSWERED), settings={"old_mail": "skip"}, **OLD),
    ),
    ("skipped", "sender_is_real", facts(verdict=FORGED, settings={**ON, "old_mail": "skip"}, **OLD)),
    ("sender_is_real", "on_whitelist", facts(verdict=FORGED, settings=ON)),
    ("on_whitelist", "report_without_incident", facts(report=report(), settings=ON)),
    ("report_without_incident", "reply_by_address", facts(report=report(), tokens=KEY)),
    ("reply_by_address", "reply_by_own_id", facts(tokens=Tokens(address=(ANSWERED,), ids=(incident(8),)))),
    ("reply_by_own_id", "reply_by_reference", facts(tokens=Tokens(ids=(ANSWERED,)), threads=(hit(incident(8)),))),
    ("reply_by_reference", "reply_by_text", facts(threads=(hit(ANSWERED),), tokens=Tokens(text=(incident(8),)))),
    ("reply_by_text", "reply_by_number", facts(tokens=Tokens(text=(ANSWERED,)), numbered=(incident(8),))),
    ("reply_by_number", "automatic_reply", facts(numbered=(ANSWERED,), machine=VACATION)),
    ("automatic_reply", "from_before", facts(machine=VACATION, settings={"old_mail": "closed"}, **OLD)),
    ("from_before", "too_many", facts(settings={"old_mail": "closed"}, tallies=(tally(2),), **OLD)),
    ("too_many", "new_incident", facts(tallies=(tally(2),))),
]


def test_every_two_neighbours_among_the_rules_have_their_mail() -> None:
    assert [(one, two) for one, two, _ in BOTH] == list(itertools.pairwise(NAMES))


@pytest.mark.parametrize(("first", "second", "given"), BOTH, ids=[f"{one} < {two}" for one, two, _ in BOTH])
def test_of_two_neighbours_that_would_both_decide_the_first_does(first: str, second: str, given: Facts) -> None:
    rules = dict(zip(NAMES, RULES, strict=True))
    assert rules[first](given).reason is not None
    assert rules[second](given).reason is not None, "the case proves nothing"
    assert [one.rule for one in decide(given).trace if one.hit] == [first]


# ── what the decision carries ─────────────────────────────────────────────────────────────────────────────────────


def test_a_mail_known_as_forged_that_is_delivered_says_so() -> None:
    assert "sender_not_verified" in decide(facts(verdict=FORGED)).effect.marks
    assert decide(facts(verdict=PROVED)).effect.marks == ()
    assert decide(facts(verdict=UNKNOWN)).effect.marks == ()


@pytest.mark.parametrize("machine", [ALERT, BOUNCE, VACATION])
def test_what_a_machine_sent_is_marked_when_it_opens_an_incident(machine: object) -> None:
    decision = decide(facts(machine=machine), release=True)
    assert decision.reason is reason.NEW_INCIDENT
    assert machine.kind in decision.effect.marks  # type: ignore[attr-defined]


def test_where_keys_disagree_the_strongest_wins_and_the_trace_tells_of_the_others() -> None:
    given = facts(
        tokens=Tokens(address=(incident(1),), text=(incident(3),)),
        threads=(hit(incident(2)), hit(incident(9, EVE))),
        numbered=(incident(4),),
    )
    decision = decide(given)
    assert decision.join == incident(1)
    assert decision.related == (2, 3, 4), "and not 9, where Ann takes no part"
    hit_, why = step(decision, "other_keys")
    assert not hit_
    assert all(f"INC-00000{number}" in why for number in (2, 3, 4))


def test_a_mail_that_is_held_is_counted_nowhere_and_linked_to_nothing() -> None:
    decision = decide(facts(tallies=(tally(2),), twins=(incident(5),)))
    assert (decision.reason, decision.count, decision.twins) == (reason.TOO_MANY, (), ())


def test_a_new_incident_counts_in_each_limit_and_an_answer_in_none() -> None:
    both = (tally(0), tally(1, key="example.com"))
    assert decide(facts(tallies=both)).count == both
    assert decide(facts(tallies=both, numbered=(incident(),))).count == ()


def test_one_limit_that_is_full_is_enough() -> None:
    decision = decide(facts(tallies=(tally(0), tally(2, key="example.com"))))
    assert decision.reason is reason.TOO_MANY
    assert "example.com" in step(decision, "too_many")[1]


def test_twins_of_a_new_incident_are_linked_and_those_of_an_answer_are_told() -> None:
    twin = incident(5, group="Sales")
    new, answered = decide(facts(twins=(twin,))), decide(facts(twins=(twin,), numbered=(incident(7),)))
    assert (new.twins, new.related) == ((twin,), (5,))
    assert (answered.twins, answered.related) == ((), (5,))


@pytest.mark.parametrize("age", ["old", "new"])
@pytest.mark.parametrize("setting", ["open", "closed", "skip"])
def test_what_becomes_of_mail_from_before_the_connection(setting: str, age: str) -> None:
    decision = decide(facts(settings={"old_mail": setting}, **(OLD if age == "old" else {})))
    wanted = {"closed": reason.OLD_INCIDENT, "skip": reason.BEFORE_CONNECTION}.get(setting, reason.NEW_INCIDENT)
    assert decision.reason is (wanted if age == "old" else reason.NEW_INCIDENT)
    if decision.reason is reason.OLD_INCIDENT:
        assert (decision.effect.status, decision.effect.marks) == (Status.CLOSED, ("before_connection",))


def test_old_mail_that_becomes_incidents_is_no_flood_where_it_becomes_closed_ones() -> None:
    assert decide(facts(settings={"old_mail": "closed"}, tallies=(tally(2),), **OLD)).outcome is Outcome.DELIVERED
    assert decide(facts(settings={"old_mail": "open"}, tallies=(tally(2),), **OLD)).reason is reason.TOO_MANY


def test_who_releases_an_old_mail_wants_it_although_such_mail_is_skipped() -> None:
    given = facts(settings={**ON, "old_mail": "skip"}, **OLD)
    assert decide(given).reason is reason.BEFORE_CONNECTION
    assert decide(given, release=True).reason is reason.NEW_INCIDENT


@pytest.mark.parametrize(
    "given",
    [
        facts(verdict=FORGED, settings=ON),
        facts(verdict=UNKNOWN, settings={**ON, "whitelist": "example.com", "unverified_senders": "hold"}),
        facts(report=report()),
        facts(machine=VACATION),
        facts(tallies=(tally(2),)),
    ],
    ids=["forged", "unverified", "report", "automatic reply", "flood"],
)
def test_whatever_holds_a_mail_a_person_can_release_it(given: Facts) -> None:
    assert decide(given).outcome is Outcome.HELD
    assert decide(given, release=True).outcome is Outcome.DELIVERED


def test_an_address_of_ours_with_a_detail_is_ours() -> None:
    given = facts(own_addresses=OUR_ADDRESSES)
    for ours in ("support@example.org", "Support+anything@EXAMPLE.org"):
        assert given.is_ours(Address("", ours))
    for other in ("support@example.com", "xsupport@example.org", "ann+support@example.org", BOB.address):
        assert not given.is_ours(Address("", other))


def test_adding_a_stranger_to_the_look_ups_changes_nothing_but_links() -> None:
    for raw in (mail(), FROM_EVE):
        plain = decide(facts(raw, numbered=(incident(7, ANN),)))
        more = decide(facts(raw, numbered=(incident(7, ANN),), threads=(hit(incident(9, BOB)),)))
        assert (plain.reason, plain.join) == (more.reason, more.join)
