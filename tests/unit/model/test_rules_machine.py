from __future__ import annotations

from dataclasses import replace

import pytest

from shared.mail.machine.report import Kind, ReportedRecipient
from shared.model import reason
from shared.model.facts import Tokens
from shared.model.incident import MARKS, NoteKind, Status
from shared.model.rules_machine import (
    REPORT_WORDS,
    automatic_reply,
    in_words,
    report_on_our_mail,
    report_text,
    report_without_incident,
)
from tests.unit.model.given import ALERT, BOUNCE, VACATION, facts, hit, incident, report

KINDS: list[Kind] = ["failed", "delayed", "delivered", "relayed", "expanded", "complaint", "read"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", list(Status))
def test_a_report_on_a_mail_of_ours_is_a_line_in_its_incident_and_changes_nothing_else(
    kind: Kind, status: Status
) -> None:
    about = incident(status=status)
    answer = report_on_our_mail(facts(report=report(kind), tokens=Tokens(about=about)))
    assert (answer.reason, answer.join) == (reason.REPORT_NOTED, about)
    assert (answer.effect.kind, answer.effect.status, answer.effect.adopt) == (NoteKind.SYSTEM, None, False)
    assert answer.effect.marks == (kind,)
    assert answer.count == ()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_report_has_its_words_and_its_mark(kind: Kind) -> None:
    assert kind in MARKS
    assert report_text(report(kind)).startswith(REPORT_WORDS[kind])


def test_a_report_on_nothing_of_ours_is_left_to_the_rules_that_ask_more() -> None:
    assert report_on_our_mail(facts(report=report())).reason is None
    assert report_on_our_mail(facts(tokens=Tokens(about=incident()))).reason is None, "it is no report"


def test_a_report_that_no_incident_knows_opens_none() -> None:
    answer = report_without_incident(facts(report=report()))
    assert (answer.reason, answer.join) == (reason.REPORT_UNMATCHED, None)
    assert "bob@example.net 5.1.1 no such user" in answer.why


def test_a_report_that_answers_a_known_mail_but_is_about_another_is_unmatched() -> None:
    given = facts(report=report(original="<other@example.com>"), threads=(hit(incident()),))
    assert report_without_incident(given).reason is reason.REPORT_UNMATCHED
    assert report_without_incident(replace(given, report=report(original=None))).reason is reason.REPORT_UNMATCHED


def test_a_report_on_a_mail_that_is_known_but_not_ours_is_held_and_linked() -> None:
    # Anybody who has read a Message-ID can write a report about it.
    answer = report_without_incident(facts(report=report("delayed"), threads=(hit(incident()),)))
    assert (answer.reason, answer.join, answer.related) == (reason.REPORT_UNMATCHED, None, (incident().number,))


@pytest.mark.parametrize("machine", [VACATION, BOUNCE])
def test_an_automatic_reply_that_belongs_nowhere_is_held(machine: object) -> None:
    assert automatic_reply(facts(machine=machine)).reason is reason.AUTO_REPLY_UNMATCHED


def test_an_alert_and_a_person_may_open_incidents() -> None:
    assert automatic_reply(facts(machine=ALERT)).reason is None
    assert automatic_reply(facts()).reason is None


def test_a_report_says_which_address_failed_and_why() -> None:
    said = report_text(report())
    assert said == "A mail could not be delivered:\nbob@example.net (5.1.1): no such user"
    nameless = replace(report(), recipients=(ReportedRecipient("", "failed", None, ""),))
    assert report_text(nameless).endswith("unknown address")
    assert report_text(replace(report(), recipients=())) == REPORT_WORDS["failed"]


def test_a_report_on_a_thousand_addresses_is_one_line_in_the_trace() -> None:
    many = tuple(ReportedRecipient(f"p{n}@example.net", "failed", "5.1.1", "x" * 500) for n in range(1000))
    said = in_words(replace(report(), recipients=many))
    assert len(said) < 1000
    assert "\n" not in said
