from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

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


def test_keys_are_listed_with_the_day_of_their_last_use(tenants: TableTenants) -> None:
    second = replace(KEY, id="0a1c", created=NOON + timedelta(seconds=1))
    for key in (second, KEY):
        tenants.add_key("acme.01", key)
    tenants.add_key("other.01", KEY)
    tenants.note_use("acme.01", second.id, date(2026, 11, 17))
    assert tenants.keys("acme.01") == (KEY, replace(second, used=date(2026, 11, 17)))


def test_a_day_of_use_is_written_once_and_never_set_back(tenants: TableTenants) -> None:
    tenants.add_key("acme.01", KEY)
    for day in (17, 17, 16, 18):
        tenants.note_use("acme.01", KEY.id, date(2026, 11, day))
    (key,) = tenants.keys("acme.01")
    assert key.used == date(2026, 11, 18)
    tables: Any = tenants._tables
    before = dict(tables.rows)
    tenants.note_use("acme.01", KEY.id, date(2026, 11, 18))
    assert tables.rows == before


def test_the_use_of_a_revoked_key_brings_it_not_back(tenants: TableTenants) -> None:
    tenants.add_key("acme.01", KEY)
    tenants.revoke("acme.01", KEY.id, "")
    tenants.note_use("acme.01", KEY.id, NOON.date())
    assert tenants.keys("acme.01") == ()
    assert tenants.key("acme.01", KEY.id) is None


def test_a_key_that_can_be_made_once_cannot_be_made_again_when_it_is_revoked(tenants: TableTenants) -> None:
    tenants.add_key("acme.01", KEY, once=True)
    tenants.revoke("acme.01", KEY.id, "")
    with pytest.raises(RowChanged):
        tenants.add_key("acme.01", KEY, once=True)
    assert tenants.key("acme.01", KEY.id) is None


def test_a_key_is_revoked_only_while_the_other_one_is_there(tenants: TableTenants) -> None:
    tenants.add_key("acme.01", KEY)
    with pytest.raises(RowChanged):
        tenants.revoke("acme.01", KEY.id, "0a1c")
    assert tenants.key("acme.01", KEY.id) == KEY


def test_a_session_is_there_until_it_is_ended(tenants: TableTenants) -> None:
    until = NOON + timedelta(hours=12)
    tenants.begin_session("acme.01", KEY.id, "5e55", until, NOON)
    assert tenants.has_session("acme.01", KEY.id, "5e55", until)
    for other in (("acme.02", KEY.id, "5e55"), ("acme.01", "0a1c", "5e55"), ("acme.01", KEY.id, "5e56")):
        assert not tenants.has_session(*other, until)
    for _ in range(2):
        tenants.end_session("acme.01", KEY.id, "5e55", until)
        assert not tenants.has_session("acme.01", KEY.id, "5e55", until)


def test_a_new_session_clears_those_of_its_key_that_are_over_and_no_others(tenants: TableTenants) -> None:
    later = NOON + timedelta(hours=13)
    for count, until in enumerate([NOON + timedelta(hours=1), NOON + timedelta(hours=14)]):
        tenants.begin_session("acme.01", KEY.id, f"5e5{count}", until, NOON)
        tenants.begin_session("acme.01", "0a1c", f"5e5{count}", until, NOON)
    tenants.begin_session("acme.01", KEY.id, "5e59", later + timedelta(hours=12), later)
    tables: Any = tenants._tables
    assert sorted(key[2].split(":")[1] + key[2][-1] for key in tables.rows) == ["0a1b1", "0a1b9", "0a1c0", "0a1c1"]


def test_a_deleted_tenant_is_written_down_and_not_listed(tenants: TableTenants) -> None:
    made, _ = tenants.put("acme", "Acme", "01", NOON)
    tenants.add_key(made.key, KEY, once=True)
    tenants.begin_session(made.key, KEY.id, "5e55", NOON, NOON)
    tenants.remove(made, NOON)
    assert tenants.get("acme") is None
    assert list(tenants.all()) == []
    tables: Any = tenants._tables
    assert list(tables.rows) == [("tenants", "tenant", "DELETED:acme.01")]
    again, _ = tenants.put("acme", "Acme", "02", NOON)
    with pytest.raises(RowChanged):
        tenants.remove(made, NOON)
    assert tenants.get("acme") == again


def test_a_tenant_is_disabled_and_enabled(tenants: TableTenants) -> None:
    tenants.put("acme", "Acme", "01", NOON)
    tenants.switch("acme", True)
    renamed, _ = tenants.put("acme", "Acme Ltd", "02", NOON)
    assert renamed.disabled
    tenants.switch("acme", False)
    assert [one.disabled for one in tenants.all()] == [False]
    with pytest.raises(RowChanged):
        tenants.switch("nobody", True)
