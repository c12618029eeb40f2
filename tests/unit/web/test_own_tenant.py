"""What a desk decides about itself, over the API and on its page; and what the cloud admin decides for it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.flows import tenants
from tests.support.app import World
from tests.unit.web.house import ADMIN_KEY, House, make_house

TID = "aaaaaaaa-1111-4111-8111-111111111111"


@pytest.fixture
def house(world: World) -> House:
    """A service that keeps raw mail for 180 days, and one mail of 40 days ago."""
    world.app = replace(world.app, retention_days=180)
    house = make_house(world)
    house.deliver()
    house.clock.advance(days=40)
    return house


def _put(client: TestClient, headers: dict[str, str] | None = None, confirm: str = "", **body: Any) -> Any:
    return client.put("/api/tenant", json=body, headers=headers or {}, params={"confirm": confirm} if confirm else {})


def test_a_desk_reads_its_own_settings(house: House) -> None:
    assert house.client().get("/api/tenant").json() == {
        "tenant": "acme",
        "name": "Acme",
        "created": "2026-11-16T12:00:00Z",
        "disabled": False,
        "retention_days": None,
        "days_kept": 180,
        "entra_tenant_id": "",
        "app_roles": False,
    }


def test_what_is_left_out_stays_as_it_is(house: House) -> None:
    assert _put(house.client(), entra_tenant_id=TID.upper()).json()["entra_tenant_id"] == TID
    assert _put(house.client(), retention_days=90).json()["entra_tenant_id"] == TID
    after = _put(house.client(), entra_tenant_id="").json()
    assert (after["entra_tenant_id"], after["retention_days"]) == ("", 90)
    assert _put(house.client(), retention_days=None).json()["days_kept"] == 180


def test_two_admins_do_not_overwrite_each_other(house: House) -> None:
    tag = house.client().get("/api/tenant").headers["etag"]
    first = _put(house.client(), {"If-Match": tag}, retention_days=90)
    assert first.status_code == 200
    assert first.headers["etag"] not in (tag, "")
    second = _put(house.client(), {"If-Match": tag}, retention_days=80)
    assert (second.status_code, second.json()["code"]) == (412, "conflict")
    assert _put(house.client(), {"If-Match": first.headers["etag"]}, retention_days=80).status_code == 200
    assert _put(house.client(), {"If-Match": "*"}, retention_days=70).status_code == 200


def test_mail_is_not_deleted_without_the_number_of_days(house: House) -> None:
    answer = _put(house.client(), retention_days=30)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "confirm"
    assert "1 mail." in error["message"]
    assert _put(house.client(), retention_days=30, confirm="30").json()["days_kept"] == 30


@pytest.mark.parametrize(
    "body",
    [
        {"retention_days": 181},
        {"retention_days": 0},
        {"entra_tenant_id": "acme.example"},
        {"app_roles": True},
        {"x": 1},
    ],
)
def test_what_cannot_be_is_refused_by_field(house: House, body: dict[str, Any]) -> None:
    answer = _put(house.client(), **body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == list(body)


def test_app_roles_cannot_be_claimed_over_the_api(house: House) -> None:
    answer = _put(house.client(), entra_tenant_id=TID, app_roles=True)
    assert answer.status_code == 422
    assert "signing in with Microsoft" in answer.json()["errors"][0]["message"]
    assert not tenants.get(house.app, "acme").has_app_roles


def test_the_cloud_admin_sets_it_for_a_desk_with_the_same_confirmation(house: House) -> None:
    cloud = house.cloud_admin()
    shorter = {"name": "Acme Ltd", "retention_days": 30}
    refused = cloud.put("/api/tenants/acme", json=shorter)
    assert refused.status_code == 422
    assert cloud.get("/api/tenants/acme").json()["name"] == "Acme"  # nothing of it was done
    done = cloud.put("/api/tenants/acme?confirm=30", json=shorter).json()
    assert (done["name"], done["retention_days"], done["days_kept"]) == ("Acme Ltd", 30, 30)
    assert cloud.put("/api/tenants/acme", json={"name": "Acme"}).json()["retention_days"] == 30
    new = cloud.put("/api/tenants/globex", json={"name": "Globex", "retention_days": 7})
    assert (new.status_code, new.json()["days_kept"]) == (201, 7)


def test_renaming_and_disabling_keep_what_the_desk_decided(house: House) -> None:
    _put(house.client(), retention_days=90, entra_tenant_id=TID)
    cloud = house.cloud_admin()
    cloud.put("/api/tenants/acme", json={"name": "New", "disabled": True})
    cloud.put("/api/tenants/acme", json={"name": "New", "disabled": False})
    kept = house.client().get("/api/tenant").json()
    assert (kept["retention_days"], kept["entra_tenant_id"], kept["name"]) == (90, TID, "New")


def _version(page: str) -> str:
    found = re.findall(r'name="version" value="([^"]+)"', page)
    return str(found[0]).replace("&#34;", '"')


def _save(admin: TestClient, **form: str) -> Any:
    return admin.post("/tenant/retention", data={"version": _version(admin.get("/tenant").text), **form})


def test_the_page_says_what_goes_and_asks_for_the_number(house: House) -> None:
    admin = house.browser("admin")
    assert "is kept for <strong>180 days</strong>" in admin.get("/tenant").text
    asked = _save(admin, days="30")
    assert asked.status_code == 422
    assert "older than 30 days is deleted" in asked.text
    assert "Type <code>30</code> to confirm" in asked.text
    assert _save(admin, days="30", confirm="3").status_code == 422
    assert _save(admin, days="30", confirm="30").headers["location"] == "/tenant?done=kept#retention"
    assert "is kept for <strong>30 days</strong>" in admin.get("/tenant").text
    assert _save(admin, days="").status_code == 303
    assert "is kept for <strong>180 days</strong>" in admin.get("/tenant").text


@pytest.mark.parametrize("days", ["0", "181", "-1", "1.5", "many", "9" * 400, "٣"])
def test_a_number_that_cannot_be_is_refused_on_the_page(house: House, days: str) -> None:
    answer = _save(house.browser("admin"), days=days)
    assert answer.status_code == 422
    assert 'href="#days"' in answer.text
    assert tenants.get(house.app, "acme").retention_days is None


def test_the_cloud_admins_page_of_a_desk_says_both(house: House) -> None:
    cloud = TestClient(
        house.web, base_url="http://inbound.test", headers={"Sec-Fetch-Site": "same-origin"}, follow_redirects=False
    )
    cloud.post("/cloud/sign-in", data={"key": ADMIN_KEY})
    page = cloud.get("/cloud/tenants/acme").text
    assert "raw mail kept for 180 days" in page
    assert "no Entra tenant" in page
    _put(house.client(), retention_days=90, entra_tenant_id=TID)
    page = cloud.get("/cloud/tenants/acme").text
    assert "raw mail kept for 90 days" in page
    assert TID in page
