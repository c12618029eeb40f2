from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.web.app import build
from tests.unit.web.house import House


def test_a_tenant_is_created_and_renamed(house: House) -> None:
    cloud = house.cloud_admin()
    answer = cloud.put("/api/tenants/globex", json={"name": "Globex"})
    assert answer.status_code == 201
    made = {"tenant": "globex", "name": "Globex", "created": "2026-11-16T12:00:00Z", "disabled": False}
    made |= {"retention_days": None, "days_kept": 0}
    assert answer.json() == made
    assert cloud.put("/api/tenants/globex", json={"name": "Globex Corp"}).status_code == 200
    assert cloud.get("/api/tenants/globex").json()["name"] == "Globex Corp"


def test_a_made_key_works_at_once_and_is_of_its_tenant_and_role(house: House) -> None:
    cloud = house.cloud_admin()
    cloud.put("/api/tenants/globex", json={"name": "Globex"})
    made = cloud.post("/api/tenants/globex/keys", json={"role": "agent", "name": "Ann"})
    assert made.status_code == 201
    assert set(made.json()) == {"id", "key"}
    client = TestClient(house.web, headers={"Authorization": f"Bearer {made.json()['key']}"})
    assert client.get("/api/incidents").json()["items"] == []
    assert client.post("/api/mailboxes/support/poll").status_code == 403


def test_the_partition_of_a_tenant_is_not_shown(house: House) -> None:
    assert house.acme not in house.cloud_admin().get("/api/tenants/acme").text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "Acme", "plan": "free"}, "plan"),
    ],
)
def test_a_tenant_without_a_proper_name_is_refused(house: House, body: dict[str, Any], field: str) -> None:
    answer = house.cloud_admin().put("/api/tenants/globex", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert house.cloud_admin().get("/api/tenants/globex").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "Ann"}, "role"),
        ({"role": "root", "name": "Ann"}, "role"),
        ({"role": "agent"}, "name"),
        ({"role": "agent", "name": ""}, "name"),
        ({"role": "agent", "name": "Ann", "tenant": "other"}, "tenant"),
    ],
)
def test_a_key_without_role_or_name_is_not_made(house: House, body: dict[str, Any], field: str) -> None:
    answer = house.cloud_admin().post("/api/tenants/acme/keys", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_keys_of_a_tenant_that_is_not_there_cannot_be_made(house: House) -> None:
    answer = house.cloud_admin().post("/api/tenants/nobody/keys", json={"role": "agent", "name": "Ann"})
    assert answer.status_code == 404


def test_an_empty_cloud_admin_key_switches_these_endpoints_off(house: House) -> None:
    web = build(house.app, "")
    for given in ("Bearer ", "Bearer", "Bearer x", ""):
        answer = TestClient(web).get("/api/tenants/acme", headers={"Authorization": given})
        assert answer.status_code == 401


def test_a_session_is_no_cloud_admin(house: House) -> None:
    assert house.browser("admin").get("/api/tenants/acme").status_code == 401
