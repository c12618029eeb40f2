from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.mail.address import Address
from shared.mail.subject import incident_numbers
from shared.model.incident import Incident, NoteKind, Status, label

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
ANN, BOB = Address("Ann", "Ann@example.com"), Address("Bob", "bob@example.com")
INCIDENT = Incident(7, "Fire", Status.OPEN, "Support", "support", ANN, (ANN, BOB), NOON, NOON, 1)


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "INC-000001"), (123, "INC-000123"), (999_999, "INC-999999"), (1_000_000, "INC-1000000")],
)
def test_a_number_is_written_with_six_digits_at_least(number: int, text: str) -> None:
    assert label(number) == text


@pytest.mark.parametrize("number", [1, 123, 1_000_000, 999_999_999])
def test_what_people_quote_is_what_a_subject_is_searched_for(number: int) -> None:
    assert incident_numbers(f"Re: [{label(number)}] Fire") == (number,)


def test_reporter_and_participants_take_part_whatever_the_case_and_name() -> None:
    assert INCIDENT.takes_part(Address("", "ann@EXAMPLE.com".lower()))
    assert INCIDENT.takes_part(Address("Robert", "BOB@example.com"))


@pytest.mark.parametrize("address", ["eve@example.com", "ann@example.com.evil.example", "xann@example.com", ""])
def test_nobody_else_takes_part(address: str) -> None:
    assert not INCIDENT.takes_part(Address("Ann", address))


def test_an_incident_without_people_is_nobodys() -> None:
    assert not replace(INCIDENT, participants=()).takes_part(ANN)


def test_states_and_kinds_are_written_as_the_api_promises() -> None:
    assert [state.value for state in Status] == ["open", "waiting", "resolved", "closed"]
    assert [kind.value for kind in NoteKind] == ["inbound", "answer", "internal", "system"]
