"""Sessions and what they may not be used for."""

from __future__ import annotations

from typing import Any

import pytest

from shared.ports import ApiKey
from tests.unit.web.house import ADMIN_KEY, SETTINGS, House

SAME = {"Sec-Fetch-Site": "same-origin"}


def _sign_in(house: House, headers: dict[str, str] = SAME, **form: str) -> Any:
    return house.client(None).post("/sign-in", data={"key": house.keys["acme", "agent"]} | form, headers=headers)


def test_signing_in_opens_the_pages_and_the_api(house: House) -> None:
    house.deliver()
    browser = house.browser("agent")
    assert "Printer on fire" in browser.get("/").text
    assert browser.get("/api/incidents").json()["items"]


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(house: House) -> None:
    cookie = _sign_in(house).headers["set-cookie"]
    assert cookie.startswith("session=")
    parts = {part.strip() for part in cookie.split(";")[1:]}
    assert parts == {"HttpOnly", "Max-Age=43200", "Path=/", "SameSite=lax"}


@pytest.mark.parametrize("forwarded", ["https", "https,http", "HTTPS"])
def test_behind_https_the_cookie_is_secure_and_bound_to_the_host(house: House, forwarded: str) -> None:
    cookie = _sign_in(house, SAME | {"X-Forwarded-Proto": forwarded}).headers["set-cookie"]
    assert cookie.startswith("__Host-session=")
    assert "Secure" in cookie


def test_the_cookie_does_not_hold_the_key(house: House) -> None:
    cookie = _sign_in(house).headers["set-cookie"]
    assert house.keys["acme", "agent"].rpartition("_")[2] not in cookie


@pytest.mark.parametrize("key", ["", "wrong", ADMIN_KEY, "inb_acme_000000000000_x", "x" * 5000, "inb_acme"])
def test_a_key_that_is_not_valid_gets_the_form_again(house: House, key: str) -> None:
    answer = _sign_in(house, key=key)
    assert answer.status_code == 401
    assert "This key is not valid." in answer.text
    assert "set-cookie" not in answer.headers


def test_spaces_around_a_pasted_key_do_not_matter(house: House) -> None:
    assert _sign_in(house, key=f" {house.keys['acme', 'agent']}\n").status_code == 303


@pytest.mark.parametrize("next", ["/", "/mail", "/incidents/INC-000001"])
def test_signing_in_leads_back_to_the_page_that_was_asked_for(house: House, next: str) -> None:
    assert _sign_in(house, next=next).headers["location"] == next
    asked = house.client(None).get(next)
    assert f'value="{next}"' in house.client(None).get(asked.headers["location"]).text


@pytest.mark.parametrize(
    "next",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/api/mail", "/mail\n", "x"],
)
def test_signing_in_leads_nowhere_else(house: House, next: str) -> None:
    assert _sign_in(house, next=next).headers["location"] == "/"


def test_a_session_ends_after_twelve_hours(house: House) -> None:
    browser = house.browser()
    house.clock.advance(hours=12)
    assert browser.get("/api/incidents").status_code == 200
    house.clock.advance(seconds=1)
    assert browser.get("/api/incidents").status_code == 401


def test_a_session_ends_when_its_key_is_revoked(house: House) -> None:
    browser = house.browser()
    tables: Any = house.world.tables
    for address in [address for address in tables.rows if address[2].startswith("K:")]:
        del tables.rows[address]
    assert browser.get("/api/incidents").status_code == 401
    assert browser.get("/").status_code == 303


def test_a_session_has_the_role_that_its_key_has_now(house: House) -> None:
    browser = house.browser("admin")
    id = house.keys["acme", "admin"].split("_")[2]
    before = house.app.tenants.key(house.acme, id)
    assert before is not None
    tables: Any = house.world.tables
    (address,) = [address for address in tables.rows if address[2] == f"K:{id}"]
    del tables.rows[address]
    house.app.tenants.add_key(house.acme, ApiKey(id, "agent", before.name, before.digest, before.created))
    assert browser.post("/api/mailboxes/support/poll").status_code == 403


# The last letter is left alone: base64 lets several of them stand for the same signature.
@pytest.mark.parametrize("place", [0, 5, -2])
def test_a_cookie_that_was_tampered_with_is_worth_nothing(house: House, place: int) -> None:
    token = _sign_in(house).cookies["session"]
    letter = "A" if token[place] != "A" else "B"
    forged = token[:place] + letter + token[place:][1:]
    answer = house.client(None).get("/api/incidents", headers={"Cookie": f"session={forged}"})
    assert answer.status_code == 401


@pytest.mark.parametrize("token", ["", "x", ".", "..", "x" * 2000, "WyJhY21lIl0.aaaa.bbbb", "é"])
def test_rubbish_in_the_cookie_is_worth_nothing(house: House, token: str) -> None:
    headers = {"Cookie": f"session={token}".encode("latin-1")}
    assert house.client(None).get("/api/incidents", headers=headers).status_code == 401


def test_signing_out_takes_the_cookie_away(house: House) -> None:
    browser = house.browser()
    answer = browser.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert browser.get("/api/incidents").status_code == 401


OTHER_SITES = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://inbound.test"},
    {"Sec-Fetch-Site": ""},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "https://inbound.test"},
    {"Origin": "http://inbound.test:81"},
    {"Origin": "http://inbound.test.evil.example"},
    {"Referer": "http://inbound.test/"},
    {},
]
OWN_PAGES = [
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://inbound.test"},
    {"Origin": "https://inbound.test", "X-Forwarded-Proto": "https"},
]

CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("PUT", "/api/mailboxes/support", {"json": SETTINGS | {"polling_minutes": 7}}),
    ("DELETE", "/api/mailboxes/support", {}),
    ("POST", "/api/mailboxes/support/poll", {}),
    ("POST", "/api/mailboxes/support/poll", {"data": {"a": "b"}}),
    ("POST", "/api/mailboxes/support/poll", {"files": {"a": b"b"}}),
    ("POST", "/api/mailboxes/support/poll", {"content": b"{}", "headers": {"Content-Type": "text/plain"}}),
]


@pytest.mark.parametrize("headers", OTHER_SITES, ids=str)
@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_another_sites_page_changes_nothing_with_the_browsers_session(
    house: House, method: str, path: str, body: dict[str, Any], headers: dict[str, str]
) -> None:
    house.mailbox()
    token = _sign_in(house, key=house.keys["acme", "admin"]).cookies["session"]
    tables: Any = house.world.tables
    before = dict(tables.rows)
    given = headers | {"Cookie": f"session={token}"} | body.get("headers", {})
    answer = house.client(None).request(method, path, **{**body, "headers": given})
    assert answer.status_code == 403
    assert tables.rows == before


@pytest.mark.parametrize("headers", OWN_PAGES, ids=str)
def test_our_own_pages_may_change_things(house: House, headers: dict[str, str]) -> None:
    house.mailbox()
    https = {name: value for name, value in headers.items() if name == "X-Forwarded-Proto"}
    answer = _sign_in(house, SAME | https, key=house.keys["acme", "admin"])
    name, _, token = answer.headers["set-cookie"].partition(";")[0].partition("=")
    answer = house.client(None).post("/api/mailboxes/support/poll", headers=headers | {"Cookie": f"{name}={token}"})
    assert answer.status_code == 202


@pytest.mark.parametrize("headers", OTHER_SITES, ids=str)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_another_site_can_neither_sign_the_browser_in_nor_out(house: House, path: str, headers: dict[str, str]) -> None:
    answer = house.client(None).post(path, data={"key": house.keys["acme", "agent"]}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_key_in_the_header_needs_no_such_proof(house: House) -> None:
    house.mailbox()
    answer = house.client().post("/api/mailboxes/support/poll", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 202


def test_a_wrong_key_in_the_header_is_not_made_good_by_a_cookie(house: House) -> None:
    browser = house.browser()
    assert browser.get("/api/incidents", headers={"Authorization": "Bearer wrong"}).status_code == 401
