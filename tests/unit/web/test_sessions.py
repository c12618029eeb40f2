"""When sessions end."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.web.app import build
from tests.unit.web.house import ADMIN_KEY, House

SAME = {"Sec-Fetch-Site": "same-origin"}


def _copy(house: House, browser: TestClient) -> TestClient:
    """Somebody who kept the cookie."""
    copy = TestClient(house.web, base_url="http://inbound.test", headers=SAME, follow_redirects=False)
    for name, value in browser.cookies.items():
        copy.cookies.set(name, value)
    return copy


def _cloud(house: House, key: str = ADMIN_KEY) -> TestClient:
    client = TestClient(house.web, base_url="http://inbound.test", headers=SAME, follow_redirects=False)
    client.post("/cloud/sign-in", data={"key": key})
    return client


def test_signing_out_ends_the_session_for_whoever_kept_the_cookie(house: House) -> None:
    browser = house.browser()
    copy = _copy(house, browser)
    assert copy.get("/api/me").status_code == 200
    browser.post("/sign-out")
    assert copy.get("/api/me").status_code == 401
    assert copy.get("/").status_code == 303


def test_signing_out_leaves_the_other_sessions_of_the_same_key(house: House) -> None:
    one, other = house.browser(), house.browser()
    one.post("/sign-out")
    assert other.get("/api/me").status_code == 200


def test_a_session_is_good_in_every_process(house: House) -> None:
    browser = house.browser()
    other = TestClient(build(house.app, ADMIN_KEY), base_url="http://inbound.test")
    other.cookies.set("session", browser.cookies["session"])
    assert other.get("/api/me").status_code == 200
    browser.post("/sign-out")
    assert other.get("/api/me").status_code == 401


def test_sessions_that_are_over_leave_nothing_behind(house: House) -> None:
    for _ in range(3):
        house.browser()
    house.clock.advance(hours=13)
    house.browser()
    tables: Any = house.world.tables
    assert len([key for key in tables.rows if key[2].startswith("KS:")]) == 1


def test_signing_out_without_a_session_does_no_harm(house: House) -> None:
    for cookie in ("", "session=x", "session=WyJhY21lIl0.aaaa"):
        headers = SAME | {"Cookie": cookie}
        assert house.client(None).post("/sign-out", headers=headers).status_code == 303


def test_a_disabled_desk_ends_its_sessions_and_keys_until_it_is_enabled_again(house: House) -> None:
    browser, client, cloud = house.browser(), house.client("agent"), house.cloud_admin()
    cloud.put("/api/tenants/acme", json={"name": "Acme", "disabled": True})
    for one in (browser, client):
        answer = one.get("/api/me")
        assert (answer.status_code, answer.json()["detail"]) == (403, "This desk has been disabled.")
    assert house.client("agent", "other").get("/api/me").status_code == 200
    # A wrong key must not find out that the desk is disabled.
    wrong = TestClient(house.web, headers={"Authorization": f"Bearer {house.keys['acme', 'agent']}x"})
    assert wrong.get("/api/me").status_code == 401
    cloud.put("/api/tenants/acme", json={"name": "Acme", "disabled": False})
    assert browser.get("/api/me").status_code == client.get("/api/me").status_code == 200


def test_a_deleted_desk_ends_its_sessions_and_keys_also_for_one_of_the_same_name(house: House) -> None:
    browser, client, cloud = house.browser(), house.client("agent"), house.cloud_admin()
    assert cloud.delete("/api/tenants/acme?confirm=acme").status_code == 204
    cloud.put("/api/tenants/acme", json={"name": "Acme again"})
    assert browser.get("/api/me").status_code == client.get("/api/me").status_code == 401


# ── the cloud admin's ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_cloud_admins_session_is_for_his_pages_only(house: House) -> None:
    cloud = _cloud(house)
    assert cloud.get("/cloud").status_code == 200
    assert cloud.get("/api/tenants").status_code == 401
    assert cloud.get("/").status_code == 303
    assert cloud.get("/api/me").status_code == 401


def test_a_desks_session_opens_none_of_the_cloud_admins_pages(house: House) -> None:
    browser = house.browser("admin")
    browser.cookies.set("cloud", browser.cookies["session"])
    for path in ("/cloud", "/cloud/tenants/acme"):
        answer = browser.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/cloud/sign-in")
    assert browser.post("/cloud/tenants/acme/delete", data={"confirm": "acme"}).status_code == 401


def test_the_cloud_admins_cookie_stays_on_this_site_and_ends_soon(house: House) -> None:
    client = house.client(None)
    answer = client.post("/cloud/sign-in", data={"key": ADMIN_KEY}, headers=SAME)
    name, *parts = (part.strip() for part in answer.headers["set-cookie"].split(";"))
    assert name.startswith("cloud=")
    assert set(parts) == {"HttpOnly", "Max-Age=1800", "Path=/", "SameSite=strict"}
    secure = client.post("/cloud/sign-in", data={"key": ADMIN_KEY}, headers=SAME | {"X-Forwarded-Proto": "https"})
    assert secure.headers["set-cookie"].startswith("__Host-cloud=")
    assert "Secure" in secure.headers["set-cookie"]


def test_the_cloud_admin_is_signed_out_after_half_an_hour(house: House) -> None:
    cloud = _cloud(house)
    house.clock.advance(minutes=30)
    assert cloud.get("/cloud").status_code == 200
    house.clock.advance(seconds=1)
    assert cloud.get("/cloud").headers["location"] == "/cloud/sign-in"


def test_the_cloud_admin_signs_out_for_whoever_kept_the_cookie(house: House) -> None:
    cloud = _cloud(house)
    copy = _copy(house, cloud)
    cloud.post("/cloud/sign-out")
    assert copy.get("/cloud").status_code == 303


def test_another_cloud_admins_key_ends_the_sessions_of_the_old_one(house: House) -> None:
    cloud = _cloud(house)
    changed = TestClient(
        build(house.app, "another-key-of-the-cloud-admin"), base_url="http://inbound.test", follow_redirects=False
    )
    changed.cookies.set("cloud", cloud.cookies["cloud"])
    assert changed.get("/cloud").status_code == 303


@pytest.mark.parametrize("key", ["", "wrong", ADMIN_KEY + "x", "x" * 5000])
def test_a_wrong_cloud_admins_key_begins_no_session(house: House, key: str) -> None:
    answer = house.client(None).post("/cloud/sign-in", data={"key": key}, headers=SAME)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_a_desks_key_is_no_cloud_admins_key(house: House) -> None:
    assert _cloud(house, house.keys["acme", "admin"]).get("/cloud").status_code == 303


def test_without_a_cloud_admins_key_there_are_no_such_pages(house: House) -> None:
    client = TestClient(build(house.app, ""), base_url="http://inbound.test", headers=SAME, follow_redirects=False)
    assert client.get("/cloud/sign-in").status_code == 404
    assert client.post("/cloud/sign-in", data={"key": ""}).status_code == 404
    assert client.get("/cloud").status_code == 303


@pytest.mark.parametrize(
    "path",
    [
        "/tenant/keys",
        "/tenant/keys/0123456789ab/revoke",
        "/cloud/sign-in",
        "/cloud/sign-out",
        "/cloud/tenants",
        "/cloud/tenants/acme/keys",
        "/cloud/tenants/acme/keys/0123456789ab/revoke",
        "/cloud/tenants/acme/switch",
        "/cloud/tenants/acme/delete",
    ],
)
def test_no_form_of_another_site_is_taken(house: House, path: str) -> None:
    form = {"key": ADMIN_KEY, "role": "admin", "name": "x", "tenant": "x", "disabled": "true", "confirm": "acme"}
    browser, cloud = house.browser("admin"), _cloud(house)
    for client in (browser, cloud):
        for site in ("cross-site", "same-site"):
            answer = client.post(path, data=form, headers={"Sec-Fetch-Site": site})
            assert answer.status_code in (401, 403)
            assert "set-cookie" not in answer.headers
    assert [key.name for key in house.app.tenants.keys(house.acme)] == ["admin's laptop", "agent's laptop"]
    assert [one.slug for one in house.app.tenants.all()] == ["acme", "other"]
