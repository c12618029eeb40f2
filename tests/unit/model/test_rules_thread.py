from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.model import reason
from shared.model.facts import Facts, Tokens
from shared.model.incident import Incident, NoteKind, Status
from shared.model.limits import of_reopening
from shared.model.reason import Reason
from shared.model.rules_thread import (
    named,
    reply_by_address,
    reply_by_number,
    reply_by_own_id,
    reply_by_reference,
    reply_by_text,
)
from tests.support.mails import mail
from tests.unit.model.given import (
    ALERT,
    ANN,
    BOB,
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
    tally,
)

FROM_BOB = mail("Bob <bob@example.net>")
OURS = frozenset({"support@example.org"})
BY_TOKEN = {"address": reply_by_address, "ids": reply_by_own_id, "text": reply_by_text}


def with_key(of: Incident, place: str = "address", raw: bytes = mail(), **looked_up: object) -> Facts:
    return facts(raw, tokens=Tokens(**{place: (of,)}), **looked_up)  # type: ignore[arg-type]


# ── signed keys ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("place", BY_TOKEN)
def test_a_participants_mail_with_a_key_is_a_note_wherever_the_key_stands(place: str) -> None:
    answer = BY_TOKEN[place](with_key(incident(), place))
    assert (answer.reason, answer.join) == (reason.REPLY_BY_TOKEN, incident())
    assert (answer.effect.kind, answer.effect.status, answer.effect.adopt) == (NoteKind.INBOUND, Status.OPEN, True)
    assert answer.effect.marks == ()
    assert "INC-000007" in answer.why


@pytest.mark.parametrize("place", BY_TOKEN)
def test_a_rule_looks_for_its_key_at_its_own_place_only(place: str) -> None:
    for other in set(BY_TOKEN) - {place}:
        assert BY_TOKEN[place](with_key(incident(), other)).reason is None


@pytest.mark.parametrize("place", BY_TOKEN)
@pytest.mark.parametrize(
    ("raw", "verdict"),
    [(FROM_EVE, PROVED), (FROM_EVE, UNKNOWN), (FROM_NOBODY, UNKNOWN), (mail(), FORGED)],
    ids=["a stranger", "a stranger nobody checked", "nobody in particular", "a participant, forged"],
)
def test_who_has_the_key_but_takes_no_part_is_noted_marked_and_not_adopted(
    raw: bytes, verdict: object, place: str
) -> None:
    answer = BY_TOKEN[place](with_key(incident(), place, raw, verdict=verdict))
    assert answer.reason is reason.REPLY_BY_TOKEN
    assert (answer.effect.adopt, answer.effect.marks) == (False, ("not_participant",))


def test_of_two_keys_at_one_place_the_first_counts() -> None:
    answer = reply_by_address(facts(tokens=Tokens(address=(incident(3), incident(4)))))
    assert answer.join == incident(3)


def test_where_nobody_needs_to_be_checked_an_unchecked_participant_is_one_and_else_he_is_a_stranger() -> None:
    for wish, marks in (("accept", ()), ("hold", ("not_participant",))):
        given = with_key(incident(), verdict=UNKNOWN, settings={"unverified_senders": wish})
        assert reply_by_address(given).effect.marks == marks


# ── references ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("verdict", [FORGED, UNKNOWN])
def test_a_participant_who_is_not_proved_gets_a_link_only(verdict: object) -> None:
    given = facts(threads=(hit(incident()),), verdict=verdict, settings={"unverified_senders": "hold"})
    answer = reply_by_reference(given)
    assert (answer.reason, answer.related) == (None, (7,))
    assert "not proved" in answer.why


def test_several_ids_of_one_foreign_incident_are_one_link() -> None:
    given = facts(FROM_EVE, threads=(hit(incident(7)), hit(incident(7)), hit(incident(5))))
    assert reply_by_reference(given).related == (7, 5)


@pytest.mark.parametrize(
    ("to", "subject", "joins"),
    [
        ("support@example.org", "Fwd: Printer", True),
        ("support+printers@example.org", "Fwd: Printer", True),
        ("boss@example.com", "Fwd: Printer", False),
        ("support@example.org, boss@example.com", "WG: Drucker", False),
        ("boss@example.com", "Re: Printer", True),
        ("bob@example.net, boss@example.com", "Fwd: Printer", True),
        ("undisclosed-recipients:;", "Fwd: Printer", True),
    ],
)
def test_a_participant_who_forwards_it_to_others_begins_something_new(to: str, subject: str, joins: bool) -> None:
    given = facts(mail(to=to, subject=subject), threads=(hit(incident(7, ANN, BOB)),), own_addresses=OURS)
    assert (reply_by_reference(given).join is not None) is joins


# ── numbers ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("raw", "verdict"), [(FROM_EVE, PROVED), (FROM_NOBODY, UNKNOWN), (mail(), FORGED)])
def test_a_number_alone_never_decides(raw: bytes, verdict: object) -> None:
    answer = reply_by_number(facts(raw, numbered=(incident(7), incident(8)), verdict=verdict))
    assert (answer.reason, answer.related) == (None, (7, 8))


# ── private stays private ─────────────────────────────────────────────────────────────────────────────────────────

PRIVATE = hit(incident(7, ANN, BOB), id="<internal@example.org>", private=True)


@pytest.mark.parametrize(
    "keys",
    [
        {"threads": (PRIVATE,)},
        {"threads": (hit(incident(7, ANN, BOB)), PRIVATE)},
        {"threads": (PRIVATE,), "tokens": Tokens(address=(PRIVATE.incident,))},
        {"threads": (PRIVATE,), "tokens": Tokens(ids=(PRIVATE.incident,))},
        {"threads": (PRIVATE,), "tokens": Tokens(text=(PRIVATE.incident,))},
        {"threads": (replace(PRIVATE, entry=replace(PRIVATE.entry, seen=False)),), "numbered": (PRIVATE.incident,)},
    ],
    ids=["In-Reply-To", "older in References", "and a key in the address", "and our id", "and in the text", "number"],
)
def test_an_answer_to_an_internal_mail_is_internal_whichever_key_leads_to_its_incident(keys: dict[str, Any]) -> None:
    given = facts(FROM_BOB, **keys)
    answers = [rule(given) for rule in (reply_by_address, reply_by_own_id, reply_by_reference, reply_by_text)]
    answer = next(one for one in [*answers, reply_by_number(given)] if one.reason)
    assert (answer.effect.kind, answer.effect.adopt) == (NoteKind.INTERNAL, False)
    assert "private" in answer.effect.marks


def test_a_stranger_with_the_key_of_an_internal_mail_is_internal_and_marked_twice() -> None:
    given = facts(FROM_EVE, threads=(PRIVATE,), tokens=Tokens(ids=(PRIVATE.incident,)))
    answer = reply_by_own_id(given)
    assert answer.effect.kind is NoteKind.INTERNAL
    assert set(answer.effect.marks) == {"private", "not_participant"}
    assert not answer.effect.adopt


def test_the_reporters_own_answer_is_never_hidden_from_him() -> None:
    answer = reply_by_reference(facts(threads=(PRIVATE,)))
    assert (answer.effect.kind, answer.effect.marks) == (NoteKind.INBOUND, ())


def test_an_internal_mail_of_another_incident_hides_nothing_here() -> None:
    elsewhere = hit(incident(9, ANN, BOB), private=True)
    given = facts(FROM_BOB, threads=(hit(incident(7, ANN, BOB)), elsewhere))
    assert reply_by_reference(given).effect.kind is NoteKind.INBOUND


# ── how the incident stands ───────────────────────────────────────────────────────────────────────────────────────


def closed(number: int = 7, **fields: Any) -> Incident:
    return incident(number, status=Status.CLOSED, **fields)


@pytest.mark.parametrize(
    ("setting", "days", "days_later", "expected", "status"),
    [
        ("reopen", 14, 0, reason.REPLY_BY_NUMBER, Status.OPEN),
        ("reopen", 14, 14, reason.REPLY_BY_NUMBER, Status.OPEN),
        ("reopen", 14, 14.001, reason.NEW_AFTER_CLOSED, Status.OPEN),
        ("reopen", 0, 0.001, reason.NEW_AFTER_CLOSED, Status.OPEN),
        ("new", 14, 0, reason.NEW_AFTER_CLOSED, Status.OPEN),
        ("keep", 14, 0, reason.REPLY_BY_NUMBER, None),
        ("keep", 14, 300, reason.REPLY_BY_NUMBER, None),
    ],
)
def test_an_answer_to_a_closed_incident_does_what_the_mailbox_says(
    setting: str, days: int, days_later: float, expected: Reason, status: Status | None
) -> None:
    wish = {"closed_reply": setting, "reopen_days": days}
    given = facts(numbered=(closed(),), received=NOON + timedelta(days=days_later), settings=wish)
    answer = reply_by_number(given)
    assert (answer.reason, answer.effect.status) == (expected, status)
    if expected is reason.NEW_AFTER_CLOSED:
        assert (answer.join, answer.related) == (None, (7,))
    else:
        assert answer.join == closed()
    assert ("closed" in answer.effect.marks) is (setting == "keep")


def test_a_stranger_with_the_key_of_a_closed_incident_opens_his_own_that_names_it() -> None:
    answer = reply_by_address(with_key(closed(), raw=FROM_EVE, settings={"closed_reply": "new"}))
    assert (answer.reason, answer.join, answer.related) == (reason.NEW_AFTER_CLOSED, None, (7,))


@pytest.mark.parametrize("machine", [VACATION, ALERT])
@pytest.mark.parametrize("setting", ["reopen", "new", "keep"])
def test_a_machine_opens_nothing_again_and_nothing_new(machine: object, setting: str) -> None:
    for given in (facts(numbered=(closed(),)), facts(threads=(hit(closed()),)), with_key(closed(), raw=FROM_EVE)):
        wish = given.settings.model_copy(update={"closed_reply": setting})
        asked = replace(given, machine=machine, settings=wish)  # type: ignore[arg-type]
        answers = [rule(asked) for rule in (reply_by_address, reply_by_reference, reply_by_number)]
        answer = next(one for one in answers if one.reason)
        assert answer.join == closed()
        assert (answer.effect.status, answer.effect.adopt, answer.count) == (None, False, ())
        assert machine.kind in answer.effect.marks  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", [Status.WAITING, Status.RESOLVED])
def test_an_answer_opens_an_incident_that_waited_and_counts_it(status: Status) -> None:
    counted = tally(0)
    answer = reply_by_number(facts(numbered=(incident(status=status),), reopenings={7: counted}))
    assert (answer.effect.status, answer.count) == (Status.OPEN, (counted,))


def test_an_answer_to_an_open_incident_counts_nothing() -> None:
    assert reply_by_number(facts(numbered=(incident(),), reopenings={7: tally(0)})).count == ()


@pytest.mark.parametrize("status", [Status.WAITING, Status.RESOLVED, Status.CLOSED])
def test_an_incident_that_was_opened_again_too_often_stays_as_it_is_and_gets_its_note(status: Status) -> None:
    limit = of_reopening(7, NOON)
    full = replace(tally(limit.most), limit=limit)
    answer = reply_by_number(facts(numbered=(incident(status=status),), reopenings={7: full}))
    assert answer.join is not None
    assert (answer.effect.status, answer.count) == (None, ())
    assert "reopened_too_often" in answer.effect.marks


def test_answers_to_closed_incidents_are_limited_as_all_new_incidents_are() -> None:
    given = facts(numbered=(closed(),), settings={"closed_reply": "new"}, tallies=(tally(2, most=2),))
    answer = reply_by_number(given)
    assert (answer.reason, answer.related) == (reason.TOO_MANY, (7,))


def test_a_thread_that_went_on_in_a_new_incident_goes_on_there_whichever_old_key_its_mails_bear() -> None:
    new = incident(8, related=(7,))
    given = with_key(closed(), threads=(hit(new), hit(closed())), settings={"closed_reply": "new"})
    answer = reply_by_address(given)
    assert (answer.reason, answer.join) == (reason.REPLY_BY_TOKEN, new)


@pytest.mark.parametrize(
    "other",
    [
        incident(8),
        incident(8, EVE, related=(7,)),
        incident(8, related=(7,), status=Status.CLOSED),
        incident(6, related=(7,)),
    ],
    ids=["not of that thread", "somebody else's", "closed as well", "older"],
)
def test_an_incident_that_does_not_go_on_for_the_closed_one_takes_none_of_its_mail(other: Incident) -> None:
    given = with_key(closed(), threads=(hit(other),), settings={"closed_reply": "new"})
    assert reply_by_address(given).reason is reason.NEW_AFTER_CLOSED


def test_a_stranger_who_opened_the_new_incident_is_none_there() -> None:
    new = incident(8, EVE, related=(7,))
    given = with_key(closed(), raw=FROM_EVE, threads=(hit(new),), settings={"closed_reply": "new"})
    answer = reply_by_address(given)
    assert (answer.join, answer.effect.marks, answer.effect.adopt) == (new, (), True)


@pytest.mark.parametrize("status", list(Status))
def test_where_old_mail_becomes_closed_incidents_an_old_answer_opens_none_again(status: Status) -> None:
    given = facts(
        numbered=(incident(status=status),),
        received=NOON - timedelta(days=1),
        settings={"old_mail": "closed", "closed_reply": "new"},
    )
    answer = reply_by_number(given)
    assert answer.join is not None
    assert answer.effect.status is None


# ── keys that disagree ────────────────────────────────────────────────────────────────────────────────────────────


def test_every_incident_that_is_named_with_right_is_told_strongest_first_and_once() -> None:
    given = facts(
        tokens=Tokens(address=(incident(1, EVE),), ids=(incident(2, EVE),), text=(incident(3, EVE),)),
        threads=(hit(incident(4)), hit(incident(9, EVE)), hit(incident(1))),
        numbered=(incident(5), incident(8, EVE), incident(2)),
    )
    assert named(given) == (1, 2, 4, 3, 5)
