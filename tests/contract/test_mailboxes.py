"""What ``Mailboxes`` promises about the tenant's own addresses, on the memory of the fast tests and on Azurite."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.data.tables import TableServiceClient

from shared.model.mailbox import Mailbox, Settings
from shared.store import keys
from shared.store.mailboxes import REMEMBERED_SECONDS, TableMailboxes
from shared.store.tables import AzureTables, Delete, Tables
from tests.bench.counting import TABLE_READ, CountingTables, Counts
from tests.support.memory import MemoryTables

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)


class Office:
    """One storage, and any number of processes that use it, each with its own memory and clock."""

    def __init__(self, tables: Tables) -> None:
        self.tables, self.tenant = tables, f"t.{secrets.token_hex(6)}"
        self.seconds = 0.0

    def process(self, counts: Counts | None = None) -> TableMailboxes:
        tables = CountingTables(self.tables, counts) if counts is not None else self.tables
        return TableMailboxes(tables, lambda: self.seconds)

    def mailbox(self, id: str, **changes: Any) -> Mailbox:
        fields: dict[str, Any] = {"group": "Support", "host": "imap.example.org", "username": id}
        settings = Settings.model_validate({**fields, "email": f"{id}@desk.example", **changes})
        return Mailbox(self.tenant, id, settings, "0a", NOON)


@pytest.fixture(params=["memory", pytest.param("azurite", marks=pytest.mark.azurite)])
def office(request: pytest.FixtureRequest) -> Office:
    if request.param == "memory":
        return Office(MemoryTables())
    running = request.getfixturevalue("azurite")
    tables = AzureTables(TableServiceClient.from_connection_string(running.connection_string))
    tables.create()
    return Office(tables)


def test_a_tenant_without_mailboxes_has_no_address(office: Office) -> None:
    here = office.process()
    assert here.own_addresses(office.tenant) == frozenset()
    assert here.own_addresses(office.tenant) == frozenset()


def test_one_without_an_address_counts_with_a_user_name_that_is_one(office: Office) -> None:
    here = office.process()
    here.put(office.mailbox("a", email="", username="a@desk.example"))
    here.put(office.mailbox("b", email="", username="DOMAIN\\b"))
    assert here.own_addresses(office.tenant) == {"a@desk.example"}


CHANGES: dict[str, tuple[Callable[[Office, TableMailboxes, Mailbox], object], set[str]]] = {
    "connected": (
        lambda office, there, _: there.put(office.mailbox("sales")),
        {"support@desk.example", "sales@desk.example"},
    ),
    "given another address": (
        lambda office, there, one: there.put(replace(one, settings=office.mailbox("help").settings)),
        {"help@desk.example"},
    ),
    "removed": (lambda _, there, one: there.delete(one), set()),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_mailbox_that_another_process_changed_is_seen_at_once(office: Office, what: str) -> None:
    here, there = office.process(), office.process()
    one = there.put(office.mailbox("support"))
    assert here.own_addresses(office.tenant) == {"support@desk.example"}
    change, expected = CHANGES[what]
    change(office, there, one)
    assert here.own_addresses(office.tenant) == expected


def test_two_changes_within_one_tick_of_the_clock_are_two(office: Office) -> None:
    here, there = office.process(), office.process()
    one = there.put(office.mailbox("support"))
    for number in range(20):
        settings = office.mailbox(f"n{number}").settings
        one = there.put(replace(one, settings=settings))
        assert here.own_addresses(office.tenant) == {f"n{number}@desk.example"}


def test_while_nothing_changes_one_row_is_read_however_many_mailboxes_there_are(office: Office) -> None:
    counts = Counts()
    here, there = office.process(counts), office.process()
    for number in range(30):
        there.put(office.mailbox(f"m{number}"))
    first = here.own_addresses(office.tenant)
    assert len(first) == 30
    counts.clear()
    assert here.own_addresses(office.tenant) == first
    assert counts == {TABLE_READ: 1}


def test_addresses_of_one_tenant_are_never_those_of_another(office: Office) -> None:
    here, other = office.process(), f"{office.tenant}0"
    here.put(office.mailbox("support"))
    assert here.own_addresses(other) == frozenset()
    assert here.own_addresses(office.tenant) == {"support@desk.example"}
    assert here.own_addresses(other) == frozenset()


def test_a_row_that_somebody_changed_by_hand_is_seen_after_half_a_minute(office: Office) -> None:
    here = office.process()
    here.put(office.mailbox("support"))
    assert here.own_addresses(office.tenant)
    office.tables.commit("desk", office.tenant, [Delete(keys.mailbox("support"))])
    office.seconds += REMEMBERED_SECONDS
    assert here.own_addresses(office.tenant) == frozenset()
