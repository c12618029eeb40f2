from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.address import Address
from shared.model.limits import DOMAIN_SHARE, REOPENS_PER_DAY, Limit, Tally, of_new_incidents, of_reopening
from tests.unit.model.given import ANN, NOON

TIMES = st.datetimes(datetime(1999, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


def test_a_new_incident_is_counted_for_its_sender_and_for_his_domain() -> None:
    sender, domain = of_new_incidents(ANN, 5, NOON)
    assert (sender.key, sender.most) == ("ann@example.com", 5)
    assert (domain.key, domain.most) == ("example.com", 5 * DOMAIN_SHARE)


def test_a_sender_is_counted_as_one_however_he_writes_his_address() -> None:
    assert of_new_incidents(Address("", "ANN@example.com"), 5, NOON) == of_new_incidents(ANN, 5, NOON)


def test_senders_that_cannot_be_read_share_one_limit() -> None:
    (limit,) = of_new_incidents(None, 5, NOON)
    assert limit.most == 5
    assert "@" not in limit.key, "it is nobody's address"


@given(TIMES)
def test_every_moment_lies_in_the_window_that_it_is_counted_in(at: datetime) -> None:
    for limit in (*of_new_incidents(ANN, 5, at), of_reopening(7, at)):
        assert limit.start <= at < limit.end
    assert {limit.end - limit.start for limit in of_new_incidents(ANN, 5, at)} == {timedelta(hours=1)}
    assert of_reopening(7, at).end - of_reopening(7, at).start == timedelta(days=1)


@given(TIMES, st.timedeltas(timedelta(0), timedelta(hours=2)))
def test_two_moments_share_a_window_or_their_windows_do_not_touch(at: datetime, later: timedelta) -> None:
    one, other = of_new_incidents(ANN, 5, at)[0], of_new_incidents(ANN, 5, at + later)[0]
    assert one == other or one.end <= other.start


def test_mails_of_one_hour_written_in_other_time_zones_are_counted_together() -> None:
    abroad = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert of_new_incidents(ANN, 5, abroad) == of_new_incidents(ANN, 5, NOON)


@pytest.mark.parametrize(("count", "full"), [(0, False), (4, False), (5, True), (6, True)])
def test_a_limit_is_full_when_one_more_would_be_too_much(count: int, full: bool) -> None:
    assert Tally(Limit("new incidents", "x", 5, NOON, NOON), count).is_full is full


def test_each_incident_has_a_limit_of_its_own_for_being_opened_again() -> None:
    assert of_reopening(7, NOON).most == REOPENS_PER_DAY
    assert of_reopening(7, NOON) != of_reopening(8, NOON)


def test_a_limit_says_in_words_what_it_limits() -> None:
    assert str(of_new_incidents(ANN, 5, NOON)[0]) == "5 new incidents in an hour from ann@example.com"
    assert "opened again" in str(of_reopening(7, NOON))
    assert "#7" in str(of_reopening(7, NOON))
