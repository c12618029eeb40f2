from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cronsim import CronSim

from shared.model.schedule import (
    EVEN_MINUTES,
    JITTER,
    MAX_PAUSE,
    SLACK,
    Slot,
    is_due,
    is_left_behind,
    ncrontab,
    next_due,
    pause,
    timer_name,
)

START = datetime(2026, 11, 16, 12, 5, tzinfo=UTC)


def slot(minutes: int = 2, due: datetime = START, ticked: datetime | None = None, enabled: bool = True) -> Slot:
    return Slot("acme.1", "support", minutes, enabled, START, due, ticked=ticked)


def ticks(expression: str, start: datetime, end: datetime) -> list[datetime]:
    """When NCRONTAB (six fields, seconds first) fires."""
    second, _, rest = expression.partition(" ")
    found: list[datetime] = []
    for time in CronSim(rest, start - timedelta(minutes=1)):
        if time >= end:
            return found
        if time + timedelta(seconds=int(second)) >= start:
            found.append(time + timedelta(seconds=int(second)))
    return found


def test_every_interval_ticks_evenly_for_days_and_is_a_multiple_of_its_tick() -> None:
    checked: set[str] = set()
    start = datetime(2026, 11, 15, tzinfo=UTC)
    for minutes in range(1, 1441):
        expression = ncrontab("acme.1", "support", minutes)
        tick = max(even for even in EVEN_MINUTES if minutes % even == 0)
        if expression in checked:
            continue
        checked.add(expression)
        times = ticks(expression, start, start + timedelta(days=3))
        gaps = {later - earlier for earlier, later in itertools.pairwise(times)}
        assert gaps == {timedelta(minutes=tick)}, (minutes, expression)
    assert len(checked) == len(EVEN_MINUTES)


def test_an_interval_that_ncrontab_says_evenly_ticks_exactly_as_often() -> None:
    for minutes in EVEN_MINUTES:
        start = datetime(2026, 11, 15, tzinfo=UTC)
        times = ticks(ncrontab("acme.1", "support", minutes), start, start + timedelta(days=2))
        assert len(times) == 2 * 1440 // minutes


def test_the_seconds_of_many_mailboxes_are_spread_over_the_minute() -> None:
    seconds = [int(ncrontab("acme.1", f"m{number}", 2).partition(" ")[0]) for number in range(6000)]
    counts = [seconds.count(second) for second in range(60)]
    assert min(counts) > 50
    assert max(counts) < 200


def test_ten_thousand_timer_names_keep_the_hosts_rule_and_differ_even_ignoring_case() -> None:
    names = [timer_name(f"tenant-{t}.0a1b2c3d", f"mailbox-{m}") for t in range(100) for m in range(100)]
    assert all(re.fullmatch(r"[a-z][a-z0-9_-]{0,126}", name) for name in names)
    assert len({name.lower() for name in names}) == 10_000


def test_the_longest_names_are_cut_and_still_differ() -> None:
    slug, mailbox = "a" * 40, "b" * 62
    names = {timer_name(f"{slug}.00", f"{mailbox}{letter}") for letter in "0123456789"}
    assert len(names) == 10
    assert all(re.fullmatch(r"[a-z][a-z0-9_-]{0,126}", name) for name in names)


def test_a_timer_name_can_be_read_and_does_not_show_the_generation() -> None:
    assert re.fullmatch(r"poll_acme_support_[0-9a-f]{6}", timer_name("acme.0a1b2c3d", "support"))
    assert timer_name("acme.0a1b2c3d", "support") == timer_name("acme.0a1b2c3d", "support")


@pytest.mark.parametrize(
    ("change", "now", "due"),
    [
        ({}, START, True),
        ({}, START - SLACK, True),
        ({}, START - SLACK - timedelta(seconds=1), False),
        ({"enabled": False}, START + timedelta(days=1), False),
        ({"busy_until": START + timedelta(seconds=90)}, START + timedelta(seconds=89), False),
        ({"busy_until": START + timedelta(seconds=90)}, START + timedelta(seconds=90), True),
    ],
    ids=["on time", "a little early", "too early", "disabled", "polling", "its poll died"],
)
def test_a_mailbox_is_due_when_enabled_and_its_time_has_come_and_nobody_polls(
    change: dict[str, object], now: datetime, due: bool
) -> None:
    assert is_due(replace(slot(), **change), now) is due  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ticked", "after_due", "left"),
    [
        (None, 0, True),
        (-120, 0, False),
        (-120, 90, False),
        (-120, 240, True),
        (-3600, 0, True),
        (-120, -30, False),
    ],
    ids=["has no timer", "timer is alive", "timer is a little late", "timer is late", "timer died", "not due"],
)
def test_the_sweep_leaves_a_mailbox_to_its_own_timer_as_long_as_that_may_still_come(
    ticked: int | None, after_due: int, left: bool
) -> None:
    last = None if ticked is None else START + timedelta(seconds=ticked)
    assert is_left_behind(slot(ticked=last), START + timedelta(seconds=after_due)) is left


@pytest.mark.parametrize("minutes", [1, 2, 7, 45])
def test_the_rhythm_does_not_drift_when_a_thousand_ticks_come_late(minutes: int) -> None:
    now = slot(minutes)
    for tick in range(1000):
        late = timedelta(seconds=tick * 7 % 11)
        now = replace(now, due=next_due(now, START + timedelta(minutes=minutes * tick) + late))
        assert now.due == START + timedelta(minutes=minutes * (tick + 1))


def test_after_a_long_sleep_there_is_one_poll_and_not_one_for_each_that_was_missed() -> None:
    late = START + timedelta(hours=5, seconds=3)
    assert next_due(slot(2), late) == late + timedelta(minutes=2)


@pytest.mark.parametrize(
    ("failures", "minutes", "retry_after", "expected"),
    [
        (1, 2, None, timedelta(minutes=2)),
        (2, 2, None, timedelta(minutes=4)),
        (3, 2, None, timedelta(minutes=8)),
        (6, 2, None, MAX_PAUSE),
        (1000, 2, None, MAX_PAUSE),
        (10**9, 1440, None, timedelta(days=1)),
        (1, 90, None, timedelta(minutes=90)),
        (0, 2, None, timedelta(minutes=2)),
        (1, 2, 600.0, timedelta(minutes=10)),
        (9, 2, 600.0, timedelta(minutes=10)),
        (1, 2, 1.0, timedelta(minutes=2)),
        (1, 2, -5.0, timedelta(minutes=2)),
    ],
)
def test_the_pause_doubles_up_to_an_hour_or_is_what_the_server_said(
    failures: int, minutes: int, retry_after: float | None, expected: timedelta
) -> None:
    assert pause(failures, minutes, retry_after) == expected


@pytest.mark.parametrize("failures", [4, 20])
def test_mailboxes_that_failed_together_do_not_come_back_together(failures: int) -> None:
    plain = pause(failures, 2, None)
    spread = {pause(failures, 2, None, tenth / 10) for tenth in range(11)}
    assert len(spread) == 11
    assert max(abs(one - plain) for one in spread) == plain * JITTER


def test_chance_never_makes_a_pause_shorter_than_the_interval_or_than_what_the_server_asked() -> None:
    assert pause(1, 2, None, 1.0) == timedelta(minutes=2)
    assert pause(1, 2, 600.0, 1.0) == timedelta(minutes=10)


@pytest.mark.parametrize("retry_after", [1e9, 1e15, float("inf")])
def test_no_server_can_put_a_mailbox_to_sleep_for_years(retry_after: float) -> None:
    assert pause(1, 2, retry_after) <= timedelta(days=1)
