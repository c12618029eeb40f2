"""API keys: seen, made, revoked, and on which day they were used last."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.errors import StoreUnavailable
from shared.flows import tenants
from shared.web.app import build
from tests.unit.web.house import ADMIN_KEY, House


def _id(house: House, role: str, tenant: str = "acme") -> str:
    return house.keys[tenant, role].split("_")[2]


def _make(client: TestClient, name: str = "Ann", role: str = "agent", **headers: str) -> Any:
    return client.post("/api/keys", json={"role": role, "name": name}, headers=headers)


def _with(house: House, key: str) -> TestClient:
    return TestClient(house.web, headers={"Authorization": f"Bearer {key}"})


def test_an_admin_sees_the_keys_of_his_desk_oldest_first_without_their_secrets(house: House) -> None:
    answer = house.client("admin").get("/api/keys")
    assert [(key["id"], key["role"], key["name"]) for key in answer.json()["items"]] == [
        (_id(house, "admin"), "admin", "admin's laptop"),
        (_id(house, "agent"), "agent", "agent's laptop"),
    ]
    assert not any(text.split("_", 3)[3] in answer.text for text in house.keys.values())
    assert "digest" not in answer.text


def test_a_key_that_an_admin_makes_works_at_once(house: House) -> None:
    made = _make(house.client("admin"))
    assert made.status_code == 201
    assert _with(house, made.json()["key"]).get("/api/me").json() == {
        "tenant": "acme",
        "name": "Acme",
        "role": "agent",
        "key": made.json()["id"],
        "signed_in_as": "Ann",
    }


def test_a_revoked_key_ends_at_once(house: House) -> None:
    client = house.client("agent")
    assert client.get("/api/me").status_code == 200
    assert house.client("admin").delete(f"/api/keys/{_id(house, 'agent')}").status_code == 204
    assert client.get("/api/me").status_code == 401
    assert house.client("admin").delete(f"/api/keys/{_id(house, 'agent')}").status_code == 404


def test_a_revoked_key_takes_its_sessions_along(house: House) -> None:
    browser = house.browser("agent")
    house.client("admin").delete(f"/api/keys/{_id(house, 'agent')}")
    assert browser.get("/api/me").status_code == 401
    assert not [row for row in _rows(house) if row.startswith("KS:")]


def test_the_last_admin_key_goes_only_by_force(house: House) -> None:
    client = house.client("admin")
    refused = client.delete(f"/api/keys/{_id(house, 'admin')}")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert client.get("/api/me").status_code == 200
    assert client.delete(f"/api/keys/{_id(house, 'admin')}?force=true").status_code == 204
    assert client.get("/api/me").status_code == 401


def test_one_of_two_admin_keys_goes_without_force(house: House) -> None:
    _make(house.client("admin"), role="admin")
    assert house.client("admin").delete(f"/api/keys/{_id(house, 'admin')}").status_code == 204


@pytest.mark.parametrize("id", ["0" * 12, "x", "..", "%00", "K:1", "0" * 500])
def test_a_key_that_is_not_there_cannot_be_revoked(house: House, id: str) -> None:
    assert house.client("admin").delete(f"/api/keys/{id}").status_code in (404, 405)


def test_the_key_of_another_desk_cannot_be_revoked(house: House) -> None:
    assert house.client("admin", "other").delete(f"/api/keys/{_id(house, 'agent')}").status_code == 404
    assert house.client("agent").get("/api/me").status_code == 200


def test_the_cloud_admin_sees_makes_and_revokes_the_keys_of_every_desk(house: House) -> None:
    cloud = house.cloud_admin()
    made = cloud.post("/api/tenants/other/keys", json={"role": "admin", "name": "Spare"}).json()
    assert made["id"] in [key["id"] for key in cloud.get("/api/tenants/other/keys").json()["items"]]
    assert cloud.delete(f"/api/tenants/other/keys/{made['id']}").status_code == 204
    assert _with(house, made["key"]).get("/api/me").status_code == 401
    assert cloud.delete(f"/api/tenants/other/keys/{_id(house, 'agent')}").status_code == 404
    assert cloud.get("/api/tenants/nobody/keys").status_code == 404


def test_a_wish_that_is_sent_again_makes_no_second_key(house: House) -> None:
    client = house.client("admin")
    first, second = (_make(client, **{"Idempotency-Key": "wish-1"}) for _ in range(2))
    assert first.json() == second.json()
    assert len(client.get("/api/keys").json()["items"]) == 3
    assert _with(house, first.json()["key"]).get("/api/me").status_code == 200


def test_another_wish_with_the_same_words_is_refused(house: House) -> None:
    client = house.client("admin")
    _make(client, **{"Idempotency-Key": "wish-1"})
    assert _make(client, name="Bob", **{"Idempotency-Key": "wish-1"}).status_code == 409


def test_a_revoked_key_does_not_come_back_by_its_wish(house: House) -> None:
    client = house.client("admin")
    made = _make(client, **{"Idempotency-Key": "wish-1"}).json()
    client.delete(f"/api/keys/{made['id']}")
    assert _make(client, **{"Idempotency-Key": "wish-1"}).status_code == 409
    assert _with(house, made["key"]).get("/api/me").status_code == 401


def test_the_same_words_of_others_are_wishes_of_their_own(house: House) -> None:
    wish = {"Idempotency-Key": "wish-1"}
    made = {_make(house.client("admin", tenant), **wish).json()["key"] for tenant in ("acme", "other")}
    body = {"role": "agent", "name": "Ann"}
    made.add(house.cloud_admin().post("/api/tenants/acme/keys", json=body, headers=wish).json()["key"])
    assert len(made) == 3


@pytest.mark.parametrize("words", ["", " ", "a b", "x" * 256, "\x7f"])
def test_an_idempotency_key_that_is_none_is_refused(house: House, words: str) -> None:
    answer = _make(house.client("admin"), **{"Idempotency-Key": words})
    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["a\nb", "a\x00b", "\x1b[31m", "a\u202eb", "a\u2028b", "\x85x"])
def test_names_without_control_characters_only(house: House, name: str) -> None:
    answers = [
        _make(house.client("admin"), name=f"x{name}x"),
        house.cloud_admin().put("/api/tenants/acme", json={"name": f"x{name}x"}),
    ]
    for answer in answers:
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["name"]


def test_a_desk_has_so_many_keys_and_no_more(house: House) -> None:
    for count in range(tenants.MAX_KEYS - 2):
        tenants.make_key(house.app, "acme", "agent", f"Key {count}")
    answer = _make(house.client("admin"))
    assert answer.status_code == 409
    assert "Revoke" in answer.json()["fix"]


def test_it_is_known_on_which_day_a_key_was_used_last(house: House) -> None:
    client = house.client("admin")
    assert [key["last_used"] for key in client.get("/api/keys").json()["items"]] == ["2026-11-16", None]
    house.clock.advance(days=1)
    house.client("agent").get("/api/me")
    assert [key["last_used"] for key in client.get("/api/keys").json()["items"]] == ["2026-11-17", "2026-11-17"]


def test_it_is_written_once_a_day_by_however_many_processes(house: House) -> None:
    house.client("agent").get("/api/me")
    before = _rows(house)
    again = build(house.app, ADMIN_KEY, later=lambda job: job())
    for web in (house.web, again, again):
        TestClient(web, headers=house.client("agent").headers).get("/api/me")
    assert _rows(house) == before


def test_no_request_waits_for_it_or_fails_with_it(house: House) -> None:
    put_off: list[Any] = []
    web = build(house.app, ADMIN_KEY, later=put_off.append)
    assert TestClient(web, headers=house.client("agent").headers).get("/api/me").status_code == 200
    (job,) = put_off
    assert not [row for row in _rows(house) if row.startswith("KU:")]

    tables: Any = house.world.tables
    commit = tables.commit

    def away(*_: object) -> Any:
        raise StoreUnavailable("away")

    tables.commit = away
    job()
    tables.commit = commit
    assert TestClient(web, headers=house.client("agent").headers).get("/api/me").status_code == 200


def _rows(house: House) -> dict[str, Any]:
    rows: Any = house.world.tables
    return {key[2]: value for key, value in rows.rows.items() if key[1] == house.acme}
