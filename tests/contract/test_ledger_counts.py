"""What ``Desk`` promises about counting, on the memory of the fast tests and on Azurite."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from shared.model.inbound import HeldMail
from shared.model.reason import Outcome
from shared.store import keys
from shared.store.desk import MOST_COUNTED, TableDesk
from shared.store.raw import AzureBlobs, Blobs
from shared.store.tables import MAX_OPERATIONS, AzureTables, Insert, Tables
from tests.bench.counting import TABLE_READ, CountingTables, Counts
from tests.support.memory import MemoryBlobs, MemoryTables

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
PAGE = 1000
FEW = dict.fromkeys(Outcome, 5) | {Outcome.HELD: 8}


@dataclass
class Ledger:
    """The ledger's index alone, of a tenant of its own."""

    tables: Tables
    blobs: Blobs
    tenant: str = field(default_factory=lambda: f"t.{secrets.token_hex(6)}")
    count: int = 0

    def add(self, outcome: Outcome, mailbox: str = "support", times: int = 1) -> None:
        rows = [self._row(outcome, mailbox) for _ in range(times)]
        for start in range(0, times, MAX_OPERATIONS):
            self.tables.commit("desk", self.tenant, rows[start : start + MAX_OPERATIONS])

    def _row(self, outcome: Outcome, mailbox: str) -> Insert:
        self.count += 1
        kept = NOON + timedelta(seconds=self.count)
        return Insert(keys.entry(outcome, kept, f"{self.count:032x}"), {"mailbox": mailbox})

    def desk(self, counts: Counts | None = None, few: bool = True) -> TableDesk:
        tables = CountingTables(self.tables, counts) if counts is not None else self.tables
        return TableDesk(tables, self.blobs, FEW) if few else TableDesk(tables, self.blobs)


@pytest.fixture(params=["memory", pytest.param("azurite", marks=pytest.mark.azurite)])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    if request.param == "memory":
        return Ledger(MemoryTables(), MemoryBlobs())
    running = request.getfixturevalue("azurite")
    tables = AzureTables(TableServiceClient.from_connection_string(running.connection_string))
    tables.create()
    return Ledger(tables, AzureBlobs(BlobServiceClient.from_connection_string(running.connection_string)))


def test_a_ledger_with_nothing_in_it_has_no_mail_of_any_outcome(ledger: Ledger) -> None:
    counts = ledger.desk().counts(ledger.tenant, "support")
    assert (counts.mails, counts.at_least) == (dict.fromkeys(Outcome, 0), frozenset())


def test_a_mailbox_has_its_own_mails_and_not_those_of_another(ledger: Ledger) -> None:
    ledger.add(Outcome.DELIVERED, times=3)
    ledger.add(Outcome.DELIVERED, "sales", times=2)
    ledger.add(Outcome.FAILED, "sales")
    counts = ledger.desk().counts(ledger.tenant, "sales")
    assert {one: count for one, count in counts.mails.items() if count} == {Outcome.DELIVERED: 2, Outcome.FAILED: 1}
    assert counts.at_least == frozenset()


def test_as_many_as_are_looked_at_are_counted_exactly(ledger: Ledger) -> None:
    ledger.add(Outcome.DELIVERED, times=5)
    counts = ledger.desk().counts(ledger.tenant, "support")
    assert (counts.mails[Outcome.DELIVERED], counts.at_least) == (5, frozenset())


def test_one_more_is_said_to_be_at_least_so_many_and_the_others_stay_exact(ledger: Ledger) -> None:
    ledger.add(Outcome.DELIVERED, times=6)
    ledger.add(Outcome.HELD, times=7)
    counts = ledger.desk().counts(ledger.tenant, "support")
    assert (counts.mails[Outcome.DELIVERED], counts.mails[Outcome.HELD]) == (5, 7)
    assert counts.at_least == {Outcome.DELIVERED}


def test_the_newest_are_those_that_are_looked_at(ledger: Ledger) -> None:
    ledger.add(Outcome.DELIVERED, "old", times=4)
    ledger.add(Outcome.DELIVERED, "new", times=4)
    desk = ledger.desk()
    for mailbox, count in (("new", 4), ("old", 1), ("none", 0)):
        counts = desk.counts(ledger.tenant, mailbox)
        assert (counts.mails[Outcome.DELIVERED], counts.at_least) == (count, frozenset({Outcome.DELIVERED}))


def test_held_mail_is_counted_for_all_mailboxes_in_one_look(ledger: Ledger) -> None:
    ledger.add(Outcome.HELD, "old", times=2)
    ledger.add(Outcome.HELD, "new", times=2)
    ledger.add(Outcome.DELIVERED, "new", times=2)
    assert ledger.desk().held(ledger.tenant, 4) == HeldMail({"old": 2, "new": 2}, complete=True)
    assert ledger.desk().held(ledger.tenant, 3) == HeldMail({"old": 1, "new": 2}, complete=False)


def test_a_ledger_of_any_length_takes_a_bounded_number_of_requests() -> None:
    ledger = Ledger(MemoryTables(), MemoryBlobs())
    for outcome in Outcome:
        ledger.add(outcome, times=MOST_COUNTED[outcome] + 2 * PAGE)
    asked = Counts()
    counts = ledger.desk(asked, few=False).counts(ledger.tenant, "support")
    assert counts.mails == MOST_COUNTED
    assert counts.at_least == set(Outcome)
    # One row more than is counted is looked at, to know whether there are more.
    assert asked[TABLE_READ] == sum(most // PAGE + 1 for most in MOST_COUNTED.values()) == 51


def test_a_quiet_mailbox_takes_no_more_requests_than_a_busy_one() -> None:
    """Asked for the rows of one mailbox only, storage would look through all of them."""
    ledger = Ledger(MemoryTables(), MemoryBlobs())
    ledger.add(Outcome.HELD, "busy", times=3 * PAGE)
    asked = Counts()
    desk = ledger.desk(asked, few=False)
    assert desk.held(ledger.tenant, PAGE) == HeldMail({"busy": PAGE}, complete=False)
    assert asked[TABLE_READ] == 2
    asked.clear()
    assert desk.counts(ledger.tenant, "quiet").mails[Outcome.HELD] == 0
    assert asked[TABLE_READ] == 3 + len(Outcome) - 1


def test_a_small_tenant_is_counted_with_a_request_for_each_outcome() -> None:
    ledger = Ledger(MemoryTables(), MemoryBlobs())
    for outcome in Outcome:
        ledger.add(outcome, times=10)
    asked = Counts()
    counts = ledger.desk(asked, few=False).counts(ledger.tenant, "support")
    assert (counts.mails, counts.at_least) == (dict.fromkeys(Outcome, 10), frozenset())
    assert asked[TABLE_READ] == len(Outcome)
