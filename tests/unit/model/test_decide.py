from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.mail.address import Address
from shared.mail.message import parse
from shared.model import reason
from shared.model.decide import RULES, decide
from shared.model.facts import Facts, ThreadHit
from shared.model.inbound import Decision, ThreadEntry
from shared.model.incident import Incident, Status
from shared.model.mailbox import Settings
from shared.model.reason import Outcome, Reason
from tests.support.mails import mail

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
ANN, EVE = Address("Ann", "ann@example.com"), Address("Eve", "eve@evil.example")
NAMES = [rule.__name__ for rule in RULES]


def incident(number: int = 7, *people: Address) -> Incident:
    people = people or (ANN,)
    return Incident(number, "Fire", Status.OPEN, "Support", "support", people[0], people, NOON, NOON, 1)


def hit(of: Incident, seen: bool = True, claimed_by: str = "", id: str = "<1@example.com>") -> ThreadHit:
    return ThreadHit(ThreadEntry(id, of.number, seen, claimed_by, "v"), of)


def facts(raw: bytes = mail(), settings: dict[str, Any] | None = None, **looked_up: Any) -> Facts:
    fields = {"group": "Support", "host": "imap.example.org", "username": "support", **(settings or {})}
    known = {"received": NOON, "connected": NOON, **looked_up}
    return Facts(parse(raw), Settings.model_validate(fields), **known)


def step(decision: Decision, rule: str) -> tuple[bool, str]:
    return next((one.hit, one.why) for one in decision.trace if one.rule == rule)


NO_FROM = mail(sender="a@b.example, c@d.example")
ON = {"whitelist_enabled": True}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (facts(), reason.NEW_INCIDENT),
        (facts(NO_FROM), reason.NEW_INCIDENT),
        (facts(truncated=True), reason.TOO_LARGE),
        (facts(duplicate_of=3), reason.SAME_MAIL),
        (facts(own_addresses=frozenset({"ann@example.com"})), reason.OWN_MAIL),
        (facts(mail("ANN@Example.com"), own_addresses=frozenset({"ann@example.com"})), reason.OWN_MAIL),
        (facts(own_addresses=frozenset({"support@example.org"})), reason.NEW_INCIDENT),
        (facts(settings=ON), reason.NOT_ON_WHITELIST),
        (facts(settings={**ON, "whitelist": "other.example"}), reason.NOT_ON_WHITELIST),
        (facts(settings={**ON, "whitelist": "example.com"}), reason.NEW_INCIDENT),
        (facts(settings={"whitelist": "other.example"}), reason.NEW_INCIDENT),
        (facts(NO_FROM, settings={**ON, "whitelist": "b.example, d.example"}), reason.SENDER_UNREADABLE),
        (facts(threads=(hit(incident()),)), reason.REPLY_BY_REFERENCE),
        (facts(mail("Eve <eve@evil.example>"), threads=(hit(incident()),)), reason.NEW_INCIDENT),
        (facts(numbered=(incident(),)), reason.REPLY_BY_NUMBER),
        (facts(mail("Eve <eve@evil.example>"), numbered=(incident(),)), reason.NEW_INCIDENT),
        (facts(NO_FROM, threads=(hit(incident()),), numbered=(incident(),)), reason.NEW_INCIDENT),
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


HELD = [facts(truncated=True), facts(settings=ON), facts(NO_FROM, settings=ON)]


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
