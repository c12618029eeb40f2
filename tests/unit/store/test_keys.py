from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.reason import Outcome
from shared.store import keys
from shared.store.tables import Insert, check_limits

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@given(TIMES)
def test_a_time_comes_back_to_the_millisecond(time: datetime) -> None:
    assert timedelta(0) <= time - keys.read_stamp(keys.stamp(time)) < timedelta(milliseconds=1)


@given(TIMES, TIMES)
def test_the_order_of_stamps_is_the_order_of_times(one: datetime, other: datetime) -> None:
    if one <= other:
        assert keys.stamp(one) <= keys.stamp(other)
        assert keys.newest_first(one) >= keys.newest_first(other)


def test_a_stamp_is_utc_whatever_the_zone_was() -> None:
    time = datetime(2026, 11, 16, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert keys.stamp(time) == "2026-11-15T23:00:00.000Z"


@pytest.mark.parametrize("year", [1971, 2000, 2026, 2037, 2038, 2039, 2099])
def test_the_key_of_a_time_is_found_again_from_the_stored_time(year: int) -> None:
    # A key that is made anew from what was read and differs by one leaves a row that no transaction can move.
    start = datetime(year, 3, 28, 14, 54, tzinfo=UTC)
    wrong = [
        time
        for time in (start + timedelta(microseconds=1_000_731 * step) for step in range(3000))
        if keys.newest_first(time) != keys.newest_first(keys.read_stamp(keys.stamp(time)))
    ]
    assert wrong == []


@pytest.mark.parametrize("year", [1, 999, 1969])
def test_a_mail_from_before_computers_is_stored_and_listed_last(year: int) -> None:
    # INTERNALDATE is what the server says; mails moved from broken systems carry such dates.
    old, new = datetime(year, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    assert keys.read_stamp(keys.stamp(old)) == old
    assert keys.stamp(old) < keys.stamp(new)
    assert keys.newest_first(old) > keys.newest_first(new)


@given(st.text(), st.text(), st.text())
def test_foreign_text_never_reaches_a_key(group: str, message_id: str, sender: str) -> None:
    assert re.fullmatch(r"T:[0-9a-f]{32}:[0-9a-f]{32}", keys.thread(group, message_id))
    noon = datetime(2026, 11, 16, tzinfo=UTC)
    assert re.fullmatch(r"R:2026-11-16T12:00:00\.000Z:[0-9a-f]{32}", keys.tally(noon.replace(hour=12), group, sender))


def test_a_lone_surrogate_can_be_hashed() -> None:
    assert keys.hashed("\ud800") != keys.hashed("\ud801")


def test_no_kind_of_key_is_found_in_the_range_of_another() -> None:
    noon = datetime(2026, 11, 16, tzinfo=UTC)
    made = {
        "K": keys.api_key("0"),
        "MB": keys.mailbox("support"),
        "MV": keys.MAILBOXES_CHANGED,
        "MC": keys.cursor("support", "0a"),
        "S": keys.source("0"),
        "E": keys.entry(Outcome.HELD, noon, "0"),
        "D": keys.digest("0"),
        "R": keys.tally(noon, "n", "k"),
        "T": keys.thread("g", "m"),
        "C": keys.COUNTER,
        "I": keys.incident(1),
        "L": keys.listed("open", noon, 1),
        "N": keys.note(1, 1),
    }
    for kind, key in made.items():
        check_limits([Insert(key, {})])
        assert [other for other in made.values() if f"{kind}:" <= other < f"{kind}:{keys.AFTER}"] == [key]


def test_numbers_sort_as_numbers() -> None:
    numbers = [1, 2, 9, 10, 99, 100, 123_456, 1_000_000]
    assert sorted(map(keys.incident, reversed(numbers))) == list(map(keys.incident, numbers))
    assert sorted(keys.note(7, seq) for seq in reversed(numbers[:6])) == [keys.note(7, seq) for seq in numbers[:6]]
