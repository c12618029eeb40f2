from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.token import message_id, read_message_id, reference, references_in, subaddress

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
ACME, GLOBEX = "acme.1a2b3c4d", "globex.5e6f7a8b"


def test_a_reference_is_found_in_an_address_and_in_a_text_whatever_its_case() -> None:
    token = reference(KEY, ACME, 123)
    assert references_in(KEY, ACME, subaddress("support@example.com", token)) == (123,)
    assert references_in(KEY, ACME, f"> Ref: {token.upper()}.\n> more") == (123,)


def test_several_references_come_in_the_order_of_the_text_and_once_each() -> None:
    one, two = reference(KEY, ACME, 1), reference(KEY, ACME, 2)
    assert references_in(KEY, ACME, f"{two} {one} {two}") == (2, 1)


@pytest.mark.parametrize(
    "forged",
    [
        "inc-123-" + "a" * 20,
        reference(KEY, GLOBEX, 123),
        reference(OTHER_KEY, ACME, 123),
        reference(KEY, ACME, 123).replace("inc-123-", "inc-124-"),
        reference(KEY, ACME, 123)[:-1],
        reference(KEY, ACME, 123) + "a",
        "x" + reference(KEY, ACME, 123),
        reference(KEY, ACME, 123).replace("inc-123", "inc-0123"),
        message_id(KEY, ACME, 123, 1, "example.com"),
    ],
    ids=[
        "guessed",
        "of another tenant",
        "of another key",
        "for another incident",
        "cut",
        "longer",
        "glued to a word",
        "with a zero before it",
        "a message id",
    ],
)
def test_a_reference_that_is_not_ours_for_this_tenant_is_not_seen(forged: str) -> None:
    assert references_in(KEY, ACME, forged) == ()


def test_a_message_id_tells_its_incident_and_its_note() -> None:
    id = message_id(KEY, ACME, 123, 7, "example.com")
    assert read_message_id(KEY, ACME, id) == (123, 7)
    assert read_message_id(KEY, ACME, id.replace("inc", "INC")) == (123, 7)


@pytest.mark.parametrize(
    "id",
    [
        "<1@example.com>",
        message_id(KEY, GLOBEX, 123, 7, "example.com"),
        message_id(OTHER_KEY, ACME, 123, 7, "example.com"),
        message_id(KEY, ACME, 123, 7, "example.com").replace(".7.", ".8."),
        message_id(KEY, ACME, 123, 7, "example.com").strip("<>"),
        f"<{reference(KEY, ACME, 123)}@example.com>",
    ],
    ids=["foreign", "another tenant", "another key", "another note", "without brackets", "a reference"],
)
def test_a_message_id_that_is_not_ours_for_this_tenant_is_not_read(id: str) -> None:
    assert read_message_id(KEY, ACME, id) is None


def test_the_message_id_of_a_note_is_always_the_same() -> None:
    assert message_id(KEY, ACME, 1, 2, "example.com") == message_id(KEY, ACME, 1, 2, "example.com")


def test_a_text_full_of_forged_references_costs_a_bounded_number_of_checks() -> None:
    forged = ("inc-1-" + "a" * 20 + " ") * 30_000
    assert references_in(KEY, ACME, forged + reference(KEY, ACME, 5)) == ()


@given(st.text())
def test_no_text_makes_reading_fail_or_finds_anything_in_it(text: str) -> None:
    assert references_in(KEY, ACME, text) == ()
    assert read_message_id(KEY, ACME, text) is None
