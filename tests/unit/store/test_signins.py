from __future__ import annotations

from datetime import timedelta

from shared.store.signins import TableSignIns
from tests.support.app import NOON
from tests.support.failing import FailingTables, Fault
from tests.support.memory import MemoryTables

LATER = NOON + timedelta(minutes=30)
END = LATER + timedelta(minutes=10)


def test_two_who_begin_at_the_same_moment_and_clear_away_the_same_old_one_both_do() -> None:
    """In the morning a whole company signs in, and some sign-ins of before were never finished."""
    for at in range(1, 4):
        tables, fault = MemoryTables(), Fault()
        TableSignIns(tables).begin("old", "sealed", NOON, NOON)
        fault.arm(at, instead=lambda tables=tables: TableSignIns(tables).begin("other", "theirs", END, LATER))  # type: ignore[misc]
        TableSignIns(FailingTables(tables, fault)).begin("mine", "ours", END, LATER)
        found = [TableSignIns(tables).take(state, LATER) for state in ("mine", "other", "old")]
        assert found[0] == "ours"
        assert found[1:] == ["theirs" if fault.count >= at else None, None]
