from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from azure.functions.timer import TimerRequest

from functions.upkeep import _last


@pytest.mark.parametrize(
    ("told", "when"),
    [
        ("2026-11-16T12:00:20.0136427+00:00", datetime(2026, 11, 16, 12, 0, 20, 13642, UTC)),
        ("2026-11-16T12:00:20Z", datetime(2026, 11, 16, 12, 0, 20, tzinfo=UTC)),
        ("2026-11-16T12:00:20", datetime(2026, 11, 16, 12, 0, 20, tzinfo=UTC)),
        ("0001-01-01T00:00:00", datetime(1, 1, 1, tzinfo=UTC)),
        ("", None),
        ("yesterday", None),
        (None, None),
        (7, None),
    ],
)
def test_the_host_says_when_a_timer_ran_before(told: Any, when: datetime | None) -> None:
    assert _last(TimerRequest(schedule_status={"Last": told})) == when


def test_a_host_that_says_nothing_is_no_trouble() -> None:
    assert _last(TimerRequest()) is None
