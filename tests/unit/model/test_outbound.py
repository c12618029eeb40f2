from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from shared.mail.address import Address
from shared.model.outbound import (
    FIRST_PAUSE,
    GIVE_UP_AFTER,
    LONGEST_PAUSE,
    SENDING_LEASE,
    Outbound,
    SendKind,
    SendState,
    again_later,
    bounced,
    can_be_written_to,
    ended,
    given_up,
    once_more,
    sending,
)

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
ANN, BOB, CAT = (Address("", f"{name}@example.com") for name in ("ann", "bob", "cat"))
MAIL = Outbound(1, 2, "support", SendKind.ANSWER, (ANN,), (BOB, CAT), since=NOON, due=NOON, rung=NOON)
NO = "5.1.1 no"


def test_who_is_sending_it_has_it_for_the_time_of_the_lease() -> None:
    now = NOON + timedelta(minutes=1)
    begun = sending(MAIL, now, "me")
    assert (begun.state, begun.due, begun.attempts, begun.claim) == (SendState.SENDING, now + SENDING_LEASE, 1, "me")
    assert begun.is_open


def test_pauses_grow_up_to_an_hour_and_end_after_a_day() -> None:
    mail, now, tries = MAIL, NOON, [NOON]
    while mail.state is SendState.QUEUED:
        mail = again_later(sending(mail, now, "me"), "Down.", None, now)
        assert mail.due is not None
        now = mail.due
        tries.append(now)
    pauses = [later - earlier for earlier, later in pairwise(tries[:-1])]
    assert pauses[0] == FIRST_PAUSE
    assert pauses == sorted(pauses)
    assert max(pauses) == LONGEST_PAUSE
    assert tries[-2] - NOON <= GIVE_UP_AFTER
    assert mail.state is SendState.FAILED
    assert mail.said == "Given up after a day. Down."
    assert len(tries) < 40


@pytest.mark.parametrize(("asked", "pause"), [(None, 60), (-5, 60), (30, 60), (300, 300), (10**9, None)])
def test_a_server_that_asks_to_wait_is_waited_for_but_not_for_ever(asked: float | None, pause: float | None) -> None:
    later = again_later(sending(MAIL, NOON, "me"), "Wait.", asked, NOON)
    if pause is None:
        assert later.due == NOON + GIVE_UP_AFTER
    else:
        assert later.due == NOON + timedelta(seconds=pause)


def test_a_try_that_never_reached_the_mail_counts_as_one() -> None:
    assert again_later(MAIL, "No log-in.", None, NOON).attempts == 1
    assert again_later(sending(MAIL, NOON, "me"), "Put off.", None, NOON).attempts == 1


def test_waiting_are_those_who_neither_got_it_nor_will() -> None:
    assert MAIL.waiting == MAIL.recipients == ("ann@example.com", "bob@example.com", "cat@example.com")
    assert replace(MAIL, got=("ann@example.com",), refused=(("cat@example.com", NO),)).waiting == ("bob@example.com",)


def test_what_is_given_up_says_for_whom_and_was_sent_if_anybody_got_it() -> None:
    partly = given_up(replace(MAIL, got=("ann@example.com",)), "Put off.")
    assert (partly.state, [one for one, _ in partly.refused]) == (
        SendState.SENT,
        ["bob@example.com", "cat@example.com"],
    )
    assert partly.can_be_sent_again
    assert given_up(MAIL, "").state is SendState.FAILED
    assert given_up(MAIL, "").said == "Given up after a day."


def test_a_bounce_takes_him_out_of_those_who_got_it_and_keeps_what_was_said_before() -> None:
    sent = replace(MAIL, state=SendState.SENT, got=MAIL.recipients)
    first = bounced(sent, "Bob is gone.", (("bob@example.com", NO),))
    second = bounced(first, "Cat is gone.", (("cat@example.com", NO),))
    assert (second.state, second.got) == (SendState.BOUNCED, ("ann@example.com",))
    assert second.said == "Bob is gone.\nCat is gone."
    assert once_more(second, NOON).waiting == ("bob@example.com", "cat@example.com")


def test_a_bounce_that_names_nobody_whom_we_know_makes_it_go_to_all_again() -> None:
    sent = replace(MAIL, state=SendState.SENT, got=MAIL.recipients)
    assert once_more(bounced(sent, "Somebody is gone.", ()), NOON).waiting == MAIL.recipients


def test_once_more_begins_from_the_beginning() -> None:
    later = NOON + timedelta(days=3)
    failed = ended(replace(MAIL, attempts=7, claim="me", refused=(("ann@example.com", NO),)), SendState.FAILED, "No.")
    again = once_more(failed, later)
    assert (again.state, again.since, again.due, again.attempts) == (SendState.QUEUED, later, later, 0)
    assert (again.said, again.refused, again.claim, again.waiting) == ("", (), "", MAIL.recipients)


@pytest.mark.parametrize(
    ("state", "refused", "can"),
    [
        (SendState.QUEUED, (), False),
        (SendState.SENDING, (), False),
        (SendState.SENT, (), False),
        (SendState.SENT, (("ann@example.com", NO),), True),
        (SendState.FAILED, (), True),
        (SendState.IN_DOUBT, (), True),
        (SendState.BOUNCED, (), True),
    ],
)
def test_it_can_be_sent_again_when_somebody_may_not_have_it(
    state: SendState, refused: tuple[tuple[str, str], ...], can: bool
) -> None:
    assert replace(MAIL, state=state, refused=refused).can_be_sent_again is can


def test_nobody_is_written_to_twice() -> None:
    assert replace(MAIL, cc=(ANN, BOB, BOB)).recipients == ("ann@example.com", "bob@example.com")


@pytest.mark.parametrize("address", ["", "nobody", "'anna@example.com", "=?utf-8?q?a?=@example.com", "a b@example.com"])
def test_an_address_that_is_read_otherwise_than_it_is_written_is_not_written_to(address: str) -> None:
    assert not can_be_written_to(Address("Anna", address))
    assert can_be_written_to(Address("Anna", "anna@example.com"))
