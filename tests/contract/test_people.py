"""What ``People`` promises, and ``Tenants`` about Entra ID, on the memory of the fast tests and on Azurite: no two people
share an address or an account."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from azure.data.tables import TableServiceClient

from shared.errors import RowChanged
from shared.ports import Person
from shared.store.people import TablePeople
from shared.store.tables import AzureTables, Tables
from shared.store.tenants import TableTenants
from tests.support.memory import MemoryTables

NOON = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
RUN = secrets.token_hex(4)
"""Others use the same Azurite: slugs and Entra tenants of this run."""
TID, OID = f"{RUN}-1111-4111-8111-111111111111", "aaaaaaaa-3333-4333-8333-000000000001"


@pytest.fixture(params=["memory", pytest.param("azurite", marks=pytest.mark.azurite)])
def tables(request: pytest.FixtureRequest) -> Tables:
    if request.param == "memory":
        return MemoryTables()
    azurite = request.getfixturevalue("azurite")
    found = AzureTables(TableServiceClient.from_connection_string(azurite.connection_string))
    found.create()
    return found


@pytest.fixture
def tenant() -> str:
    """A partition of the test's own."""
    return f"acme.{secrets.token_hex(4)}"


def person(number: int = 1, **fields: object) -> Person:
    made = Person(f"{number:024x}", f"p{number}@acme.example", "", "agent", NOON)
    return replace(made, **fields)  # type: ignore[arg-type]


def test_a_person_comes_back_as_stored_by_id_address_and_account(tables: Tables, tenant: str) -> None:
    people = TablePeople(tables)
    one = person(tid=TID, oid=OID, name="Anna Berg", role="admin")
    people.add(tenant, one)
    for found in (
        people.get(tenant, one.id),
        people.listed(tenant, one.address),
        people.known(tenant, TID, OID),
        people.all(tenant)[0],
    ):
        assert found == one
        assert found is not None
        assert found.version


def test_another_tenant_finds_nobody(tables: Tables, tenant: str) -> None:
    people = TablePeople(tables)
    one = person(tid=TID, oid=OID)
    people.add(tenant, one)
    other = f"other.{secrets.token_hex(4)}"
    assert people.get(other, one.id) is None
    assert people.listed(other, one.address) is None
    assert people.known(other, TID, OID) is None
    assert people.all(other) == ()


@pytest.mark.parametrize("same", [{"address": "p1@acme.example"}, {"tid": TID, "oid": OID}])
def test_nobody_is_added_whose_address_or_account_is_taken(tables: Tables, tenant: str, same: dict[str, str]) -> None:
    people = TablePeople(tables)
    people.add(tenant, person(1, tid=TID, oid=OID))
    with pytest.raises(RowChanged):
        people.add(tenant, person(2, **same))
    assert len(people.all(tenant)) == 1


def test_who_came_by_an_app_role_does_not_take_the_address(tables: Tables, tenant: str) -> None:
    people = TablePeople(tables)
    people.add(tenant, person(1, tid=TID, oid=OID, by_role=True))
    assert people.listed(tenant, "p1@acme.example") is None
    people.add(tenant, person(2, address="p1@acme.example"))


def test_of_two_that_bind_the_same_entry_one_wins(tables: Tables, tenant: str) -> None:
    people = TablePeople(tables)
    people.add(tenant, person())
    read = people.all(tenant)[0]
    people.bind(tenant, replace(read, tid=TID, oid=OID), None)
    with pytest.raises(RowChanged):
        people.bind(tenant, replace(read, tid=TID, oid=OID[::-1]), None)
    assert people.all(tenant)[0].oid == OID


def test_bound_in_place_of_another_leaves_one_and_ends_its_sessions(tables: Tables, tenant: str) -> None:
    people, tenants = TablePeople(tables), TableTenants(tables)
    by_role = person(1, tid=TID, oid=OID, by_role=True)
    people.add(tenant, by_role)
    until = NOON + timedelta(hours=1)
    tenants.begin_session(tenant, by_role.id, "s1", until, NOON)
    people.add(tenant, person(2))
    listed = people.get(tenant, person(2).id)
    before = people.get(tenant, by_role.id)
    assert listed is not None
    people.bind(tenant, replace(listed, tid=TID, oid=OID), before)
    assert [one.id for one in people.all(tenant)] == [listed.id]
    found = people.known(tenant, TID, OID)
    assert found is not None
    assert found.id == listed.id
    assert not tenants.has_session(tenant, by_role.id, "s1", until)


def test_removed_a_person_leaves_nothing(tables: Tables, tenant: str) -> None:
    people, tenants = TablePeople(tables), TableTenants(tables)
    people.add(tenant, person(tid=TID, oid=OID))
    one = people.all(tenant)[0]
    tenants.begin_session(tenant, one.id, "s1", NOON + timedelta(hours=1), NOON)
    tenants.note_use(tenant, one.id, date(2026, 11, 16))
    people.remove(tenant, one)
    assert list(tables.query("desk", tenant)) == []
    with pytest.raises(RowChanged):
        people.remove(tenant, one)


def test_when_somebody_was_here_last_is_known_from_the_list(tables: Tables, tenant: str) -> None:
    people = TablePeople(tables)
    people.add(tenant, person(2))
    people.add(tenant, person(1))
    TableTenants(tables).note_use(tenant, person(2).id, date(2026, 11, 16))
    assert [(one.address, one.used) for one in people.all(tenant)] == [
        ("p1@acme.example", None),
        ("p2@acme.example", date(2026, 11, 16)),
    ]


def test_tenants_are_found_by_their_entra_tenant(tables: Tables) -> None:
    tenants = TableTenants(tables)
    for slug, tid in (("acme", TID), ("field", TID), ("other", OID), ("none", "")):
        made, _ = tenants.put(f"{slug}-{RUN}", slug, "1", NOON)
        tenants.configure(made, replace(made, entra_tenant_id=tid))
    assert [one.name for one in tenants.of_entra(TID)] == ["acme", "field"]
    assert tenants.of_entra(TID.upper() + "x") == ()


def test_what_a_tenant_decided_survives_and_can_be_taken_back(tables: Tables) -> None:
    tenants = TableTenants(tables)
    made, _ = tenants.put(f"globex-{RUN}", "Globex", "1", NOON)
    after = tenants.configure(made, replace(made, retention_days=0, entra_tenant_id=TID, app_roles_of=TID))
    assert tenants.get(made.slug) == after
    with pytest.raises(RowChanged):
        tenants.configure(made, replace(made, retention_days=5))
    assert after.has_app_roles
    tenants.configure(after, made)
    assert tenants.get(made.slug) == made
