from __future__ import annotations

import pytest

from shared.model import reason
from shared.model.facts import Tokens
from shared.model.reason import Reason
from shared.model.rules_sender import on_whitelist, own_mail, sender_is_real
from tests.support.mails import mail
from tests.unit.model.given import FORGED, FROM_EVE, FROM_NOBODY, PROVED, UNKNOWN, facts

OURS = frozenset({"support@example.org", "sales@shop.example"})


@pytest.mark.parametrize("sender", ["support@example.org", "SUPPORT@Example.ORG", "Sales <sales@shop.example>"])
def test_mail_of_any_of_our_mailboxes_is_our_own(sender: str) -> None:
    assert own_mail(facts(mail(sender), own_addresses=OURS)).reason is reason.OWN_MAIL


@pytest.mark.parametrize("sender", ["ann@example.org", "support@example.org.evil.example", "xsupport@example.org"])
def test_a_neighbour_of_our_mailboxes_is_not_ourselves(sender: str) -> None:
    assert own_mail(facts(mail(sender), own_addresses=OURS)).reason is None


def test_a_mail_of_ours_that_comes_back_is_known_by_its_message_id_whoever_it_says_to_be_from() -> None:
    for raw in (mail(), FROM_EVE, FROM_NOBODY):
        assert own_mail(facts(raw, tokens=Tokens(own=7))).reason is reason.OWN_MAIL


WHITELIST = {"whitelist_enabled": True, "whitelist": "example.com, example.org"}


@pytest.mark.parametrize("listed", [False, True], ids=["whitelist off", "whitelist on"])
@pytest.mark.parametrize("unverified", ["accept", "hold"])
@pytest.mark.parametrize("sender", ["ann@example.com", "eve@evil.example", "chef@example.org"])
@pytest.mark.parametrize("verdict", [PROVED, FORGED, UNKNOWN], ids=["pass", "fail", "none"])
def test_what_becomes_of_each_verdict_with_and_without_a_whitelist(
    verdict: object, sender: str, unverified: str, listed: bool
) -> None:
    wish = {**(WHITELIST if listed else {}), "unverified_senders": unverified}
    given = facts(mail(sender), settings=wish, verdict=verdict, own_addresses=OURS)
    expected: Reason | None = None
    if verdict is FORGED and (listed or sender == "chef@example.org"):
        expected = reason.SENDER_FORGED
    elif verdict is UNKNOWN and listed and unverified == "hold":
        expected = reason.SENDER_UNVERIFIED
    answer = sender_is_real(given)
    assert answer.reason is expected
    assert sender in answer.why or sender.rpartition("@")[2] in answer.why


def test_the_reason_for_the_verdict_stands_in_the_trace() -> None:
    for verdict in (PROVED, FORGED, UNKNOWN):
        assert verdict.why in sender_is_real(facts(verdict=verdict)).why


def test_a_mail_without_a_single_sender_is_nobodys_to_judge_but_passes_no_whitelist() -> None:
    given = facts(FROM_NOBODY, settings={**WHITELIST, "whitelist": "b.example, d.example"})
    assert sender_is_real(given).reason is None
    assert on_whitelist(given).reason is reason.SENDER_UNREADABLE
    assert on_whitelist(facts(FROM_NOBODY)).reason is None


@pytest.mark.parametrize("listed", ["", " , ", "notok.com", "ok.com.evil"])
def test_who_is_not_listed_is_held_and_the_trace_names_him(listed: str) -> None:
    answer = on_whitelist(facts(mail("eve@ok.com"), settings={"whitelist_enabled": True, "whitelist": listed}))
    assert answer.reason is reason.NOT_ON_WHITELIST
    assert "eve@ok.com" in answer.why


def test_a_list_that_is_off_holds_nobody() -> None:
    assert on_whitelist(facts(settings={"whitelist_enabled": False, "whitelist": "other.example"})).reason is None
