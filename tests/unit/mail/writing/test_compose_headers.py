from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.mail.date import parse_date
from shared.mail.writing.compose_headers import date_text, day_text, head
from shared.mail.writing.outgoing import cleaned
from tests.unit.mail.outgoing import outgoing


@pytest.mark.parametrize("days", range(0, 2000, 97))
def test_a_date_is_read_back(days: int) -> None:
    date = datetime(2024, 2, 29, 0, 0, 59, tzinfo=UTC) + timedelta(days=days, hours=days)
    assert parse_date(date_text(date)) == date


def test_dates_are_english_and_have_the_right_day_of_the_week() -> None:
    date = datetime(2026, 3, 1, 7, 5, 9, tzinfo=UTC)
    assert date_text(date) == "Sun, 01 Mar 2026 07:05:09 +0000"
    assert day_text(date) == "1 Mar 2026"


def test_fields_without_a_value_are_left_out() -> None:
    names = [name for name, _ in head(cleaned(outgoing(to=(), subject="\r\n")))]
    assert names == ["Date", "From", "Message-ID", "X-Mailer", "MIME-Version"]


def test_automatic_mail_says_so_in_four_ways_and_a_persons_in_none() -> None:
    marks = ["Auto-Submitted", "X-Auto-Response-Suppress", "Precedence", "X-Inbound-Loop"]
    names = [name for name, _ in head(cleaned(outgoing(automatic="acknowledgement")))]
    assert [name for name in names if name in marks] == marks
    assert set(marks).isdisjoint(name for name, _ in head(cleaned(outgoing())))
