from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.model import quiet

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def came(*days_ago: float) -> list[datetime]:
    return [NOON - timedelta(days=days) for days in days_ago]


def steady(until: float, pause: float = 0.5, count: int = 30) -> list[datetime]:
    """Mails at even intervals (days), the last so many days ago."""
    return came(*(until + pause * number for number in range(count)))


def told(received: list[datetime], now: datetime = NOON) -> str:
    return quiet.judge(received, now - DAY, now)[0]


def test_a_mailbox_that_gets_mail_is_not_talked_about() -> None:
    assert told(steady(0.2)) == ""


def test_three_days_without_mail_are_told_once() -> None:
    received = steady(0)
    days = [told(received, NOON + DAY * day) for day in range(1, 27)]
    assert days == ["", "", "", "quiet", *[""] * 22]


def test_a_pause_that_it_has_every_week_is_none() -> None:
    weekly = [NOON - timedelta(days=7 * week + hour / 24) for week in range(4) for hour in range(5)]
    assert {told(weekly, NOON + DAY * day) for day in range(12)} == {""}
    assert told(weekly, NOON + timedelta(days=14)) == "quiet"


def test_mail_after_such_a_time_is_told_once_with_how_long_it_was() -> None:
    received = [*steady(9), NOON]
    assert quiet.judge(received, NOON - DAY, NOON) == ("heard", 9 * 86400)
    assert told(received, NOON + DAY) == ""


def test_mail_that_comes_in_a_flood_after_it_is_told_once() -> None:
    received = [*steady(9), *(NOON - timedelta(minutes=minutes) for minutes in range(100))]
    assert told(received) == "heard"


@pytest.mark.parametrize("count", [0, 1, quiet.MIN_MAILS - 1])
def test_who_gets_hardly_any_mail_has_no_habits(count: int) -> None:
    assert {told(steady(0, 2.5, count), NOON + DAY * day) for day in range(30)} == {""}


def test_a_clock_of_a_server_that_is_ahead_hides_nothing() -> None:
    assert told([*steady(3.5), NOON + DAY]) == "quiet"


def test_the_order_in_which_mails_are_given_does_not_matter() -> None:
    received = steady(3.5)
    assert told(received) == told(received[::-1]) == "quiet"


def test_a_thousand_mails_of_one_day_cost_little() -> None:
    received = [NOON - timedelta(seconds=number) for number in range(quiet.MAX_MAILS)]
    assert told([*received, *steady(9)]) == "heard"
