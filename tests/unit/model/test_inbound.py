from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.model import reason
from shared.model.inbound import Decision, inbound_id


def test_the_same_place_of_the_same_mailbox_has_always_the_same_id() -> None:
    # Written down once: if this changes, every mail of every mailbox is fetched again.
    assert inbound_id("support", "0a1b2c3d4e5f", "imap:1:7") == "a18b369579af4bae56f0f99ec703aced"


@given(
    st.tuples(*[st.from_regex(r"[a-z0-9:-]{1,8}", fullmatch=True)] * 3), st.integers(0, 2), st.text("ab", min_size=1)
)
def test_another_mailbox_generation_or_position_has_another_id(
    place: tuple[str, str, str], part: int, more: str
) -> None:
    other = [*place]
    other[part] += more
    assert inbound_id(*other) != inbound_id(*place)


def test_letters_do_not_move_between_the_parts_of_an_id() -> None:
    assert inbound_id("ab", "c", "d") != inbound_id("a", "bc", "d") != inbound_id("a", "b", "cd")


def test_the_outcome_of_a_decision_is_that_of_its_reason() -> None:
    decision = Decision(reason.NEW_INCIDENT, ())
    assert decision.outcome is reason.Outcome.DELIVERED
    assert replace(decision, reason=reason.OWN_MAIL).outcome is reason.Outcome.DISCARDED
