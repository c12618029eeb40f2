"""Who asks too often is told when to come back."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from shared.errors import TooManyRequests
from shared.web import limits
from shared.web.limits import Limiter, client_address
from tests.support.app import Clock
from tests.unit.web.house import ADMIN_KEY, SETTINGS, House

SAME = {"Sec-Fetch-Site": "same-origin"}


def _request(forwarded: str | None, client: str | None = "192.0.2.9") -> Request:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded is not None else []
    return Request({"type": "http", "headers": headers, "client": (client, 1) if client else None})


def _wrong(house: House, times: int, address: str = "198.51.100.1") -> list[int]:
    headers = {"Authorization": "Bearer inb_acme_0123456789ab_x", "X-Forwarded-For": address}
    return [house.client(None).get("/api/me", headers=headers).status_code for _ in range(times)]


@pytest.mark.parametrize(
    ("forwarded", "counted"),
    [
        ("203.0.113.7:51234", "203.0.113.7"),
        ("10.0.0.1, 203.0.113.7:51234", "203.0.113.7"),
        ("203.0.113.7", "203.0.113.7"),
        ("[2001:db8:1:2:3::4]:443", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("nonsense" * 100, ("nonsense" * 100)[:64]),
        ("", "192.0.2.9"),
        (None, "192.0.2.9"),
    ],
)
def test_the_address_is_the_one_that_azures_front_end_saw(forwarded: str | None, counted: str) -> None:
    assert client_address(_request(forwarded)) == counted


def test_without_any_address_all_are_counted_as_one() -> None:
    assert client_address(_request(None, None)) == ""


def test_so_many_at_once_and_then_one_by_one() -> None:
    clock = Clock()
    limiter = Limiter(clock, 3, 60)
    for _ in range(3):
        limiter.take("a")
    with pytest.raises(TooManyRequests) as refused:
        limiter.take("a")
    assert refused.value.retry_after == 20
    limiter.take("b")
    clock.advance(seconds=20)
    limiter.take("a")
    with pytest.raises(TooManyRequests):
        limiter.check("a")


def test_waiting_as_long_as_was_said_is_long_enough() -> None:
    clock = Clock()
    limiter = Limiter(clock, 7, 60)
    for _ in range(7):
        limiter.take("a")
    for _ in range(50):
        with pytest.raises(TooManyRequests) as refused:
            limiter.take("a")
        clock.advance(seconds=refused.value.retry_after)
        limiter.take("a")


def test_only_so_many_callers_are_remembered() -> None:
    limiter = Limiter(Clock(), 1, 60)
    for count in range(limits.MAX_REMEMBERED + 10):
        limiter.take(str(count))
    assert len(limiter._buckets) == limits.MAX_REMEMBERED


def test_a_clock_that_is_set_back_locks_nobody_out() -> None:
    clock = Clock()
    limiter = Limiter(clock, 2, 60)
    limiter.take("a")
    clock.advance(hours=-1)
    limiter.take("a")
    clock.advance(minutes=1)
    limiter.take("a")


def test_after_too_many_wrong_keys_an_address_has_to_wait(house: House) -> None:
    assert _wrong(house, limits.WRONG_KEYS + 1) == [401] * limits.WRONG_KEYS + [429]
    assert _wrong(house, 1, "198.51.100.2") == [401]
    house.clock.advance(seconds=2)
    assert _wrong(house, 2) == [401, 429]


def test_the_refusal_says_when_to_come_back(house: House) -> None:
    _wrong(house, limits.WRONG_KEYS)
    headers = {"Authorization": "Bearer inb_acme_0123456789ab_x", "X-Forwarded-For": "198.51.100.1"}
    answer = house.client(None).get("/api/me", headers=headers)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["code"] == "too_many_requests"


def test_a_program_with_an_old_key_does_not_lock_out_those_behind_the_same_address(house: House) -> None:
    same = {"X-Forwarded-For": "198.51.100.1"}
    known, new = house.client("agent"), house.client("admin")
    assert known.get("/api/me", headers=same).status_code == 200
    _wrong(house, limits.WRONG_KEYS)
    assert known.get("/api/me", headers=same).status_code == 200
    # Whether a key that was never seen is right is not even looked up.
    assert new.get("/api/me", headers=same).status_code == 429


def test_a_key_that_was_right_once_and_was_revoked_is_counted_as_wrong(house: House) -> None:
    client = house.client("agent")
    client.get("/api/me")
    house.client("admin").delete(f"/api/keys/{house.keys['acme', 'agent'].split('_')[2]}")
    answers = [client.get("/api/me").status_code for _ in range(limits.WRONG_KEYS + 2)]
    assert answers == [401] * limits.WRONG_KEYS + [429] * 2


def test_after_too_many_attempts_to_sign_in_an_address_has_to_wait(house: House) -> None:
    def attempt(key: str) -> Any:
        return house.client(None).post("/sign-in", data={"key": key}, headers=SAME)

    for _ in range(limits.SIGN_INS):
        assert attempt("wrong").status_code == 401
    refused = attempt(house.keys["acme", "agent"])
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "6"
    assert "set-cookie" not in refused.headers
    house.clock.advance(seconds=6)
    assert attempt(house.keys["acme", "agent"]).status_code == 303


def test_the_cloud_admins_key_cannot_be_guessed_fast_neither_on_the_page_nor_by_the_api(house: House) -> None:
    for count in range(limits.CLOUD_KEYS):
        if count % 2:
            answer = house.client(None).post("/cloud/sign-in", data={"key": f"guess-{count}"}, headers=SAME)
        else:
            answer = house.client(None).get("/api/tenants", headers={"Authorization": f"Bearer guess-{count}"})
        assert answer.status_code == 401
    assert house.cloud_admin().get("/api/tenants").status_code == 429
    assert house.client(None).post("/cloud/sign-in", data={"key": ADMIN_KEY}, headers=SAME).status_code == 429
    house.clock.advance(seconds=12)
    assert house.cloud_admin().get("/api/tenants").status_code == 200


def _until_refused(client: TestClient, method: str, path: str, json: Any = None) -> int:
    for count in range(1000):
        if client.request(method, path, json=json).status_code == 429:
            return count
    raise AssertionError("never refused")


def test_test_settings_is_limited_for_each_desk(house: House) -> None:
    body = SETTINGS | {"password": "secret-7"}
    assert _until_refused(house.client("admin"), "POST", "/api/mailboxes/new/test", body) == limits.PROBES
    assert house.client("admin", "other").post("/api/mailboxes/new/test", json=body).status_code == 200
    # Whoever may not test uses nothing up.
    assert house.client("agent", "other").post("/api/mailboxes/new/test", json=body).status_code == 403


def test_discovery_is_limited_for_each_desk(house: House) -> None:
    path = "/api/discover?address=ann@example.com"
    assert _until_refused(house.client("agent"), "GET", path) == limits.DISCOVERIES
    assert house.client("agent", "other").get(path).status_code == 200
