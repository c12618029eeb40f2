from __future__ import annotations

import re

import pytest

from shared.model import reason
from shared.model.reason import ALL, BY_CODE, Outcome, Reason


def test_every_constant_is_listed_once() -> None:
    constants = [value for value in vars(reason).values() if isinstance(value, Reason)]
    assert sorted(one.code for one in constants) == sorted(one.code for one in ALL)


def test_codes_are_unique_and_fit_for_filters() -> None:
    assert len(BY_CODE) == len(ALL)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", one.code) for one in ALL)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_reason(outcome: Outcome) -> None:
    assert any(one.outcome is outcome for one in ALL)


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.code)
def test_every_reason_says_in_whole_sentences_what_it_means_and_what_to_do(one: Reason) -> None:
    for text in (one.meaning, one.what_to_do):
        assert re.fullmatch(r"[A-Z].+\.", text)


def test_codes_stay_what_they_are_because_tenants_filter_by_them() -> None:
    assert {(one.code, one.outcome.value) for one in ALL} >= {
        ("waiting", "pending"),
        ("new_incident", "delivered"),
        ("reply_by_reference", "delivered"),
        ("reply_by_number", "delivered"),
        ("not_on_whitelist", "held"),
        ("sender_unreadable", "held"),
        ("too_large", "held"),
        ("mailbox_removed", "held"),
        ("own_mail", "discarded"),
        ("same_mail", "duplicate"),
        ("conversion_failed", "failed"),
        ("unfetchable", "failed"),
        ("raw_lost", "failed"),
    }
