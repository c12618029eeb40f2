from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import RowChanged
from shared.model.schedule import SHARDS, SLACK, Slot
from shared.store.schedule import TableSchedule
from tests.bench.counting import TABLE_READ, CountingTables, Counts
from tests.support.memory import MemoryTables

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)


def slot(mailbox: str = "support", tenant: str = "acme.1", **changes: object) -> Slot:
    return replace(Slot(tenant, mailbox, 2, True, NOON, NOON), **changes)  # type: ignore[arg-type]


@pytest.fixture
def schedule() -> TableSchedule:
    return TableSchedule(MemoryTables())


def test_a_slot_reads_back_as_it_was_put(schedule: TableSchedule) -> None:
    for one in (
        slot(),
        slot("full", busy_until=NOON, ticked=NOON, last_poll=NOON, last_success=NOON, failures=3, error_code="x"),
        slot("told", error_message="Nö.", error_fix="Do."),
    ):
        put = schedule.put(one)
        assert put.version
        assert schedule.get(one.tenant, one.mailbox) == put


@pytest.mark.parametrize("field", ["due", "busy_until", "ticked", "last_poll", "created"])
def test_what_put_returns_is_what_get_reads_whatever_the_clock_shows(schedule: TableSchedule, field: str) -> None:
    shown: dict[str, object] = {field: NOON + timedelta(microseconds=123_456)}
    put = schedule.put(replace(slot(), **shown))  # type: ignore[arg-type]
    assert getattr(schedule.get("acme.1", "support"), field) == getattr(put, field)


def test_of_two_that_claim_one_slot_one_gets_it(schedule: TableSchedule) -> None:
    read = schedule.put(slot())
    schedule.put(replace(read, failures=1))
    with pytest.raises(RowChanged):
        schedule.put(replace(read, failures=2))
    with pytest.raises(RowChanged):
        schedule.put(slot())
    found = schedule.get("acme.1", "support")
    assert found is not None
    assert found.failures == 1


@pytest.mark.parametrize("count", [1, SHARDS, SHARDS + 1, 200])
def test_the_slots_of_many_mailboxes_take_few_requests(count: int) -> None:
    counts = Counts()
    schedule = TableSchedule(CountingTables(MemoryTables(), counts))
    for number in range(count):
        schedule.put(slot(f"m{number}"))
        schedule.put(slot(f"m{number}", "acme.10"))
    counts.clear()
    asked = {f"m{number}" for number in range(count)}
    found = schedule.of("acme.1", asked)
    assert found == {mailbox: schedule.get("acme.1", mailbox) for mailbox in asked}
    counts.clear()
    assert set(schedule.of("acme.1", asked - {"m0"} | {"gone"})) == asked - {"m0"}
    assert counts[TABLE_READ] <= SHARDS


def test_a_slot_that_was_changed_meanwhile_is_not_deleted(schedule: TableSchedule) -> None:
    read = schedule.put(slot())
    schedule.put(read)
    schedule.delete(read)
    assert schedule.get("acme.1", "support") is not None


def test_a_deleted_slot_is_gone_and_may_be_deleted_again(schedule: TableSchedule) -> None:
    read = schedule.put(slot())
    schedule.delete(read)
    schedule.delete(read)
    assert schedule.get("acme.1", "support") is None
    with pytest.raises(RowChanged):
        schedule.put(read)


def test_due_are_the_enabled_whose_time_has_come_in_every_shard_and_tenant(schedule: TableSchedule) -> None:
    for number in range(60):
        schedule.put(slot(f"m{number}", f"t{number % 3}.1"))
    schedule.put(slot("early", due=NOON + SLACK))
    schedule.put(slot("later", due=NOON + SLACK + timedelta(seconds=1)))
    schedule.put(slot("disabled", enabled=False))
    due = {one.mailbox for one in schedule.due(NOON)}
    assert due == {f"m{number}" for number in range(60)} | {"early"}


def test_the_first_made_get_timers_and_the_disabled_do_not(schedule: TableSchedule) -> None:
    for number in (5, 3, 1, 4, 2):
        schedule.put(slot(f"m{number}", created=NOON + timedelta(days=number), enabled=number != 2))
    assert [one.mailbox for one in schedule.oldest(3)] == ["m1", "m3", "m4"]
    assert schedule.oldest(0) == ()
