"""Signing in to the pages with Microsoft, and the part of the desk's page that says who may."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from shared.flows import person, tenants
from shared.flows.person import ADMIN_ROLE, AGENT_ROLE
from shared.ports import Identity
from tests.support.app import World
from tests.support.people import ACME_TID, ANNA, BOB, EVE, OTHER_TID, MemoryEntra
from tests.unit.web.house import House, make_house

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
BACK = {"Sec-Fetch-Site": "cross-site"}
NOT_HERE = "This sign-in was not begun in this browser"


@pytest.fixture
def entra() -> MemoryEntra:
    return MemoryEntra()


@pytest.fixture
def house(world: World, entra: MemoryEntra) -> House:
    """Acme lists Anna as an agent; other lists nobody."""
    world.app = replace(world.app, entra=entra)
    house = make_house(world)
    for slug in ("acme", "other"):
        tid = ACME_TID if slug == "acme" else OTHER_TID
        assert house.client("admin", slug).put("/api/tenant", json={"entra_tenant_id": tid}).status_code == 200
    person.add(house.app, "acme", ANNA.address, "agent")
    return house


def stranger(house: House) -> TestClient:
    """A browser without a past."""
    return TestClient(
        house.web, base_url="http://inbound.test", headers={"Sec-Fetch-Site": "same-origin"}, follow_redirects=False
    )


def at_microsoft(answer: Any) -> str:
    """Sign in there: the address that the browser is sent back to."""
    assert answer.status_code == 303, answer.text
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked["redirect_uri"] == ["http://inbound.test/oauth/callback"]
    (state,) = asked["state"]
    return f"/oauth/callback?state={state}&code={state[::-1]}"


def come_back(browser: TestClient, next: str = "") -> Any:
    """From the button to the answer of the callback."""
    return browser.get(at_microsoft(browser.get(f"/sign-in/microsoft?next={next}")), headers=BACK)


def chosen(browser: TestClient, page: Any, slug: str = "acme") -> Any:
    """Press the button of that desk."""
    assert page.status_code == 200, page.text
    (ticket, *_) = re.findall(r'name="ticket" value="([^"]+)"', page.text)
    return browser.post("/sign-in/desk", data={"ticket": ticket, "desk": slug})


def signed_in(house: House) -> TestClient:
    """Anna, who agreed to the desk."""
    browser = stranger(house)
    assert chosen(browser, come_back(browser)).status_code == 303
    return browser


def me(browser: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = browser.get("/api/me").json()
    return found


# ── signing in ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_where_it_is_not_set_up_there_is_no_button(world: World) -> None:
    house = make_house(world)
    browser = stranger(house)
    assert "Microsoft" not in browser.get("/sign-in").text
    assert browser.get("/sign-in/microsoft").status_code == 404
    assert "not set up for it yet" in house.browser("admin").get("/tenant").text


def test_a_listed_person_agrees_to_the_desk_once_and_is_straight_in_from_then_on(house: House) -> None:
    browser = stranger(house)
    assert "Sign in with Microsoft" in browser.get("/sign-in").text
    page = come_back(browser, "/mail")
    assert "Enter this desk?" in page.text
    assert "its admins will see your name" in page.text
    assert chosen(browser, page).headers["location"] == "/mail"
    assert me(browser)["signed_in_as"] == "Anna Berg"
    again = stranger(house)
    assert come_back(again).headers["location"] == "/"
    assert me(again) == me(browser)


def test_the_name_stands_in_the_header_and_at_what_somebody_writes(house: House) -> None:
    house.mailbox()
    house.deliver()
    browser = signed_in(house)
    assert "<bdi>Anna Berg</bdi> · acme" in browser.get("/").text
    answer = browser.post("/api/incidents/1/notes", json={"kind": "internal", "text": "Seen."})
    assert answer.json()["author"]["name"] == "Anna Berg"


def test_an_agent_stays_an_agent(house: House) -> None:
    browser = signed_in(house)
    assert browser.get("/tenant").status_code == 403
    assert browser.get("/api/keys").status_code == 403
    assert browser.post("/tenant/people", data={"address": "x@acme.example", "role": "admin"}).status_code == 403


def test_the_cookie_holds_neither_name_nor_account_and_works_by_the_same_rules(house: House) -> None:
    browser = stranger(house)
    cookie = chosen(browser, come_back(browser)).headers["set-cookie"]
    for private in (ANNA.oid, ANNA.tid, "anna", "Anna"):
        assert private not in cookie
    assert {part.strip() for part in cookie.split(";")[1:]} == {"HttpOnly", "Max-Age=43200", "Path=/", "SameSite=lax"}


def test_a_session_ends_after_twelve_hours_and_by_signing_out(house: House) -> None:
    browser = signed_in(house)
    house.clock.advance(hours=11, minutes=59)
    assert browser.get("/api/me").status_code == 200
    house.clock.advance(minutes=2)
    assert browser.get("/api/me").status_code == 401
    browser = signed_in_again(house)
    kept = dict(browser.cookies)
    browser.post("/sign-out")
    copy = stranger(house)
    copy.cookies.update(kept)
    assert copy.get("/api/me").status_code == 401


def signed_in_again(house: House) -> TestClient:
    """Anna, who was there before."""
    browser = stranger(house)
    assert come_back(browser).status_code == 303
    return browser


def test_who_came_by_an_app_role_is_asked_again_after_an_hour(house: House, entra: MemoryEntra) -> None:
    prove(house, entra)
    entra.who = replace(EVE, tid=ACME_TID, roles=frozenset({AGENT_ROLE}))
    browser = stranger(house)
    assert chosen(browser, come_back(browser)).status_code == 303
    house.clock.advance(minutes=59)
    assert me(browser)["role"] == "agent"
    house.clock.advance(minutes=2)
    assert browser.get("/api/me").status_code == 401
    entra.who = replace(entra.who, roles=frozenset())
    assert come_back(browser).status_code == 403


def test_removed_somebody_is_out_at_the_next_request(house: House) -> None:
    browser = signed_in(house)
    assert browser.get("/").status_code == 200
    admin = house.browser("admin")
    (one,) = admin.get("/api/people").json()["items"]
    assert one["name"] == "Anna Berg"
    assert one["last_here"] == "2026-11-16"
    assert admin.post(f"/tenant/people/{one['id']}/remove").headers["location"] == "/tenant?done=removed#people"
    assert browser.get("/api/me").status_code == 401
    assert browser.get("/").headers["location"].startswith("/sign-in")
    assert come_back(browser).status_code == 403


def test_nobody_else_gets_in_and_is_told_why(house: House, entra: MemoryEntra) -> None:
    for who, why in (
        (BOB, "Nobody has given bob@acme.example access to a desk."),
        (EVE, "Nobody has given eve@globex.example access to a desk."),
        (replace(ANNA, is_guest=True), "a guest&#39;s address proves nothing"),
    ):
        entra.who = who
        browser = stranger(house)
        answer = come_back(browser)
        assert answer.status_code == 403
        assert why in answer.text
        assert browser.get("/api/me").status_code == 401


def test_an_address_that_is_anothers_now_is_refused_in_plain_words(house: House, entra: MemoryEntra) -> None:
    signed_in(house)
    entra.who = replace(BOB, address=ANNA.address)
    answer = come_back(stranger(house))
    assert answer.status_code == 403
    assert "for another account that had this address before" in answer.text


def test_of_several_desks_the_person_chooses(house: House, entra: MemoryEntra) -> None:
    signed_in(house)
    house.client("admin", "other").put("/api/tenant", json={"entra_tenant_id": ACME_TID})
    person.add(house.app, "other", ANNA.address, "admin")
    browser = stranger(house)
    page = come_back(browser)
    assert "Choose a desk" in page.text
    assert chosen(browser, page, "other").status_code == 303
    assert (me(browser)["tenant"], me(browser)["role"]) == ("other", "admin")


def test_a_desk_that_was_not_offered_cannot_be_chosen(house: House) -> None:
    for slug in ("other", "", "nobody", "acme\n"):
        browser = stranger(house)
        assert chosen(browser, come_back(browser), slug).status_code == 403
        assert browser.get("/api/me").status_code == 401


def test_who_is_listed_until_the_choice_and_no_longer_does_not_get_in(house: House) -> None:
    browser = stranger(house)
    page = come_back(browser)
    (one,) = person.people(house.app, "acme")
    person.remove(house.app, "acme", one.id)
    assert chosen(browser, page).status_code == 403


def test_signing_in_as_somebody_else_ends_the_session_before(house: House) -> None:
    browser = house.browser("admin")
    kept = dict(browser.cookies)
    chosen(browser, come_back(browser))
    assert me(browser)["role"] == "agent"
    copy = stranger(house)
    copy.cookies.update(kept)
    assert copy.get("/api/me").status_code == 401


# ── callbacks that are not one's own ──────────────────────────────────────────────────────────────────────────────


def refused(answer: Any, words: str = NOT_HERE) -> None:
    assert answer.status_code == 403, answer.text
    assert words in answer.text
    assert "set-cookie" not in answer.headers


def test_a_callback_in_another_browser_is_refused_before_its_code_is_redeemed(house: House, entra: MemoryEntra) -> None:
    """Login CSRF: Eve lets Anna's browser open the callback of Eve's own sign-in."""
    callback = at_microsoft(stranger(house).get("/sign-in/microsoft"))
    victim = stranger(house)
    refused(victim.get(callback, headers=BACK))
    at_microsoft(victim.get("/sign-in/microsoft"))  # and with a sign-in of her own under way
    other = at_microsoft(stranger(house).get("/sign-in/microsoft"))
    refused(victim.get(other, headers=BACK))
    assert entra.redeemed == []


@pytest.mark.parametrize("state", ["page.forged", "page.", "page." + "0" * 48, "page.\u00e9\u202e"])
def test_a_forged_state_is_refused(house: House, entra: MemoryEntra, state: str) -> None:
    browser = stranger(house)
    at_microsoft(browser.get("/sign-in/microsoft"))
    refused(browser.get("/oauth/callback", params={"state": state, "code": "x"}, headers=BACK))
    assert entra.redeemed == []


def test_a_callback_works_once(house: House) -> None:
    browser = stranger(house)
    callback = at_microsoft(browser.get("/sign-in/microsoft"))
    assert browser.get(callback, headers=BACK).status_code == 200
    refused(browser.get(callback, headers=BACK))


def test_a_callback_that_took_too_long_is_refused(house: House) -> None:
    browser = stranger(house)
    callback = at_microsoft(browser.get("/sign-in/microsoft"))
    house.clock.advance(minutes=10)
    refused(browser.get(callback, headers=BACK))


def test_a_code_of_another_sign_in_is_refused(house: House) -> None:
    browser = stranger(house)
    one, other = (at_microsoft(browser.get("/sign-in/microsoft")) for _ in range(2))
    mixed = f"{one.partition('&code=')[0]}&code={other.partition('&code=')[2]}"
    assert browser.get(mixed, headers=BACK).status_code == 403
    assert browser.get("/api/me").status_code == 401


def test_two_windows_do_not_push_each_other_out(house: House) -> None:
    browser = stranger(house)
    one, other = (at_microsoft(browser.get("/sign-in/microsoft")) for _ in range(2))
    assert browser.get(one, headers=BACK).status_code == 200
    assert browser.get(other, headers=BACK).status_code == 200


def test_a_ticket_works_once_in_its_own_browser_and_is_no_state(house: House) -> None:
    browser = stranger(house)
    page = come_back(browser)
    (ticket, *_) = re.findall(r'name="ticket" value="([^"]+)"', page.text)
    refused(stranger(house).post("/sign-in/desk", data={"ticket": ticket, "desk": "acme"}))
    refused(browser.post("/sign-in/desk", data={"ticket": ticket, "desk": "acme"}))  # the other try has used it up
    page = come_back(browser)
    (ticket, *_) = re.findall(r'name="ticket" value="([^"]+)"', page.text)
    refused(browser.get("/oauth/callback", params={"state": ticket, "code": "x"}, headers=BACK))


def test_a_state_is_no_ticket(house: House) -> None:
    browser = stranger(house)
    state = parse_qs(urlsplit(browser.get("/sign-in/microsoft").headers["location"]).query)["state"][0]
    refused(browser.post("/sign-in/desk", data={"ticket": state, "desk": "acme"}))


def test_choosing_is_not_done_for_another_site(house: House) -> None:
    browser = stranger(house)
    page = come_back(browser)
    (ticket, *_) = re.findall(r'name="ticket" value="([^"]+)"', page.text)
    answer = browser.post("/sign-in/desk", data={"ticket": ticket, "desk": "acme"}, headers=BACK)
    assert answer.status_code == 403
    assert browser.get("/sign-in/microsoft", headers=BACK).status_code == 403


def test_who_cancels_at_microsoft_sees_the_form_again(house: House) -> None:
    browser = stranger(house)
    callback = at_microsoft(browser.get("/sign-in/microsoft")).partition("&code")[0]
    answer = browser.get(f"{callback}&error=access_denied&error_description={HOSTILE}", headers=BACK)
    assert answer.status_code == 200
    assert "you cancelled it" in answer.text
    assert HOSTILE not in answer.text
    refused(browser.get(f"{callback}&error=access_denied", headers=BACK))


def test_the_state_of_a_mailboxs_sign_in_is_of_no_use_here_and_the_reverse(house: House) -> None:
    admin = house.browser("admin")
    state = parse_qs(urlsplit(admin.get("/sign-in/microsoft").headers["location"]).query)["state"][0]
    plain = state.removeprefix("page.")
    assert admin.get("/oauth/callback", params={"state": plain, "code": "x"}, headers=BACK).status_code == 403
    assert admin.post("/sign-in/desk", data={"ticket": "the-state", "desk": "acme"}).status_code == 403


def test_what_is_stored_of_a_sign_in_cannot_be_read(house: House) -> None:
    browser = stranger(house)
    come_back(browser)
    at_microsoft(browser.get("/sign-in/microsoft"))
    tables: Any = house.world.tables
    stored = repr([row for key, row in tables.rows.items() if key[1] == "sign-in"])
    assert stored.count("part0") == 2
    for readable in ("the-verifier", ANNA.oid, ANNA.address, "page."):
        assert readable not in stored


def test_one_address_cannot_begin_without_end(house: House) -> None:
    browser = stranger(house)
    answers = [browser.get("/sign-in/microsoft").status_code for _ in range(125)]
    assert answers[0] == 303
    assert answers[-1] == 429


@pytest.mark.parametrize(
    "next", ["https://evil.example/", "//evil.example", "/\\evil.example", "/cloud", "/oauth/start"]
)
def test_signing_in_leads_nowhere_but_to_the_pages(house: House, next: str) -> None:
    signed_in(house)
    browser = stranger(house)
    callback = at_microsoft(browser.get("/sign-in/microsoft", params={"next": next}))
    assert browser.get(callback, headers=BACK).headers["location"] == "/"


# ── the desk's page ───────────────────────────────────────────────────────────────────────────────────────────────


def version(page: str) -> str:
    found = re.findall(r'name="version" value="([^"]+)"', page)
    return str(found[0]).replace("&#34;", '"')


def prove(house: House, entra: MemoryEntra, who: Identity = ANNA, browser: TestClient | None = None) -> Any:
    entra.who = replace(who, roles=who.roles | {ADMIN_ROLE})
    browser = browser or house.browser("admin")
    return browser.get(at_microsoft(browser.get("/tenant/prove")), headers=BACK)


def test_an_admin_maps_an_entra_tenant_and_lists_people(house: House) -> None:
    admin = house.browser("admin", "other")
    page = admin.get("/tenant").text
    gone = admin.post("/tenant/entra", data={"entra": "", "version": version(page)})
    assert gone.headers["location"] == "/tenant?done=unmapped#people"
    wrong = admin.post("/tenant/entra", data={"entra": HOSTILE, "version": version(admin.get("/tenant").text)})
    assert wrong.status_code == 422
    assert "Directory (tenant) ID" in wrong.text
    assert HOSTILE not in wrong.text
    right = {"entra": OTHER_TID.upper(), "version": version(admin.get("/tenant").text)}
    assert admin.post("/tenant/entra", data=right).headers["location"] == "/tenant?done=mapped#people"
    assert admin.post("/tenant/people", data={"address": "eve@globex.example", "role": "agent"}).status_code == 303
    page = admin.get("/tenant?done=listed").text
    assert "They can sign in with Microsoft now." in page
    assert "eve@globex.example" in page
    assert "has not signed in yet" in page


@pytest.mark.parametrize(("address", "status"), [(HOSTILE, 422), (ANNA.address, 409)])
def test_what_cannot_be_listed_is_said_on_the_page(house: House, address: str, status: int) -> None:
    answer = house.browser("admin").post("/tenant/people", data={"address": address, "role": "agent"})
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert HOSTILE not in answer.text


def test_a_form_of_an_old_page_changes_nothing(house: House) -> None:
    admin = house.browser("admin")
    old = version(admin.get("/tenant").text)
    house.client("admin").put("/api/tenant", json={"retention_days": 90})
    for path, form in (("entra", {"entra": ""}), ("app-roles/off", {}), ("retention", {"days": "5"})):
        answer = admin.post(f"/tenant/{path}", data={**form, "version": old})
        assert answer.status_code == 409
        assert "Somebody changed" in answer.text
    tenant = tenants.get(house.app, "acme")
    assert (tenant.entra_tenant_id, tenant.retention_days) == (ACME_TID, 90)


def test_an_admin_of_the_entra_tenant_proves_that_app_roles_count(house: House, entra: MemoryEntra) -> None:
    assert prove(house, entra).headers["location"] == "/tenant?done=proven#people"
    page = house.browser("admin").get("/tenant").text
    assert "for an hour at a time" in page
    admin = house.browser("admin")
    off = admin.post("/tenant/app-roles/off", data={"version": version(page)})
    assert off.status_code == 303
    assert not tenants.get(house.app, "acme").has_app_roles


def test_a_proof_signs_nobody_in_and_takes_the_right_account(house: House, entra: MemoryEntra) -> None:
    admin = house.browser("admin")
    before = me(admin)
    answer = prove(house, entra, replace(EVE, roles=frozenset()), admin)
    assert answer.status_code == 403
    assert "another Entra tenant" in answer.text
    assert me(admin) == before
    entra.who = ANNA
    answer = admin.get(at_microsoft(admin.get("/tenant/prove")), headers=BACK)
    assert "does not hold the app role Inbound.Admin" in answer.text


def test_a_proof_that_another_began_is_not_finished(house: House, entra: MemoryEntra) -> None:
    """A browser that is signed in elsewhere by the time it comes back proves nothing for either desk."""
    entra.who = replace(ANNA, roles=frozenset({ADMIN_ROLE}))
    browser = house.browser("admin")
    callback = at_microsoft(browser.get("/tenant/prove"))
    browser.post("/sign-in", data={"key": house.keys["other", "admin"]})
    refused(browser.get(callback, headers=BACK))
    browser = house.browser("admin")
    callback = at_microsoft(browser.get("/tenant/prove"))
    browser.post("/sign-out")
    refused(browser.get(callback, headers=BACK))
    assert not any(tenants.get(house.app, slug).has_app_roles for slug in ("acme", "other"))


def test_an_agent_can_prove_nothing(house: House) -> None:
    assert house.browser("agent").get("/tenant/prove").status_code == 403


def test_what_a_person_is_called_is_shown_and_does_nothing(house: House, entra: MemoryEntra) -> None:
    entra.who = replace(ANNA, name=HOSTILE)
    browser = signed_in(house)
    for page in (browser.get("/").text, house.browser("admin").get("/tenant").text, come_back(stranger(house)).text):
        assert HOSTILE not in page
    assert "&lt;script&gt;" in browser.get("/").text


# ── the log ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_log_tells_who_came_in_and_who_did_not_without_names(
    house: House, entra: MemoryEntra, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "inbound")
    signed_in(house)
    entra.who = BOB
    come_back(stranger(house))
    browser = stranger(house)
    browser.get("/oauth/callback?state=page.forged&code=x", headers=BACK)
    browser.post("/sign-in", data={"key": "wrong"})
    house.browser("agent")
    told = [json.loads(record.getMessage()) for record in caplog.records]
    seen = [(one["event"], one["method"], one.get("reason", one.get("role"))) for one in told if "method" in one]
    assert seen == [
        ("signed_in", "entra", "agent"),
        ("sign_in_refused", "entra", "not_mapped"),
        ("sign_in_refused", "entra", "not_begun_here"),
        ("sign_in_refused", "key", "wrong_key"),
        ("signed_in", "key", "agent"),
    ]
    assert len({one["person"] for one in told if "person" in one}) == 2
    for private in (ANNA.address, ANNA.name, ANNA.oid, BOB.address, BOB.oid, BOB.name):
        assert private not in caplog.text
