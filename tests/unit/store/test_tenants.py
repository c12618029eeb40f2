from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.errors import RowChanged
from shared.ports import ApiKey
from shared.store.tenants import TableTenants
from tests.support.memory import MemoryTables

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
KEY = ApiKey("0a1b", "admin", "Anna's laptop", "digest", NOON)


@pytest.fixture
def tenants() -> TableTenants:
    return TableTenants(MemoryTables())


def test_the_generation_serves_only_a_new_tenant(tenants: TableTenants) -> None:
    made, is_new = tenants.put("acme", "Acme", "01", NOON)
    again, is_new_again = tenants.put("acme", "Acme Ltd", "02", NOON.replace(year=2027))
    assert (is_new, is_new_again) == (True, False)
    assert (again.key, again.name, again.created) == ("acme.01", "Acme Ltd", NOON)
    assert tenants.get("acme") == again
    assert made.key == again.key


def test_data_keys_in_the_same_table_are_no_tenants(tenants: TableTenants) -> None:
    tenants.put("acme", "Acme", "01", NOON)
    tenants.put("b", "B", "02", NOON)
    assert [one.slug for one in tenants.all()] == ["acme", "b"]
    assert tenants.get("data-key") is None


def test_a_key_lies_with_its_tenant_and_is_made_once(tenants: TableTenants) -> None:
    tenants.add_key("acme.01", KEY)
    assert tenants.key("acme.01", KEY.id) == KEY
    assert tenants.key("acme.02", KEY.id) is None
    assert tenants.key("acme.01", "other") is None
    with pytest.raises(RowChanged):
        tenants.add_key("acme.01", KEY)
