"""To Microsoft's sign-in and back: a callback works once, for whoever began it, and for nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.model.doorbell import PollBell
from tests.unit.web.house import House

OFFICE: dict[str, Any] = {
    "server_type": "office365",
    "client_id": "11111111-2222-3333-4444-555555555555",
    "tenant_id": "acme.example",
    "client_secret": "an-app-secret",
}
BACK = "/oauth/callback?state=the-state&code=the-code"


@pytest.fixture
def office(house: House) -> House:
    house.mailbox(**OFFICE)
    house.world.queues.polls.clear()
    return house


def _begun(house: House, role: str = "admin") -> TestClient:
    browser = house.browser(role)
    answer = browser.get("/oauth/start?mailbox=support")
    assert answer.status_code == 303
    assert answer.headers["location"] == "https://login.example/?back=http://inbound.test/oauth/callback"
    return browser


def _has_signed_in(house: House) -> bool:
    return house.app.sign_ins.cache(house.acme, "support") != ("", "")


def test_who_began_comes_back_and_the_mailbox_is_polled(office: House) -> None:
    answer = _begun(office).get(BACK)
    assert answer.status_code == 200
    assert "support@acme.example" in answer.text
    assert _has_signed_in(office)
    assert [PollBell.decode(text) for text in office.world.queues.polls] == [PollBell(office.acme, "support")]


def test_neither_code_nor_cache_is_stored_readable(office: House) -> None:
    browser = _begun(office)
    tables: Any = office.world.tables
    assert "the-state" not in repr(tables.rows)
    browser.get(BACK)
    assert "a token cache" not in repr(tables.rows)
    assert "the-code" not in repr(tables.rows)


def test_a_callback_works_once(office: House) -> None:
    browser = _begun(office)
    assert browser.get(BACK).status_code == 200
    again = browser.get(BACK)
    assert again.status_code == 403
    assert "finished already" in again.text


def test_a_callback_that_nobody_began_is_refused(office: House) -> None:
    answer = office.browser().get(BACK)
    assert answer.status_code == 403
    assert not _has_signed_in(office)


@pytest.mark.parametrize("who", [("admin", "other"), ("agent", "acme")])
def test_somebody_elses_callback_is_refused_and_worth_nothing_afterwards(office: House, who: tuple[str, str]) -> None:
    browser = _begun(office)
    assert office.browser(*who).get(BACK).status_code == 403
    assert not _has_signed_in(office)
    if who[1] == "other":
        # It was taken: whoever had the state in hand cannot try again, not even its owner.
        assert browser.get(BACK).status_code == 403


def test_another_key_of_the_same_tenant_cannot_finish_it(office: House) -> None:
    from shared.flows import tenants

    _begun(office)
    office.keys["acme", "second"] = tenants.make_key(office.app, "acme", "admin", "second")[1]
    assert office.browser("second").get(BACK).status_code == 403
    assert not _has_signed_in(office)


def test_signed_out_nobody_begins_and_nobody_comes_back(office: House) -> None:
    for path in ("/oauth/start?mailbox=support", BACK):
        answer = office.client(None).get(path)
        assert answer.status_code in (303, 401)
        assert "login.example" not in answer.headers.get("location", "")


def test_a_sign_in_that_took_too_long_is_refused(office: House) -> None:
    browser = _begun(office)
    office.clock.advance(minutes=11)
    assert browser.get(BACK).status_code == 403


def test_settings_changed_meanwhile_end_the_sign_in(office: House) -> None:
    browser = _begun(office)
    office.mailbox(**OFFICE, folder="Archive")
    assert browser.get(BACK).status_code == 403
    assert not _has_signed_in(office)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("error=access_denied", "cancelled"),
        ("error=consent_required", "administrator"),
        ("error=<script>alert(1)</script>&error_description=<b>evil</b>", "did not sign you in"),
    ],
)
def test_what_microsoft_refuses_is_said_in_our_words(office: House, query: str, words: str) -> None:
    answer = _begun(office).get(f"/oauth/callback?{query}&state=the-state")
    assert answer.status_code == 409
    assert words in answer.text
    assert "evil" not in answer.text
    assert not _has_signed_in(office)


@pytest.mark.parametrize("mailbox", ["", "nothing", "../support", "//evil.example", "https://evil.example"])
def test_a_sign_in_begins_only_for_a_mailbox_that_is_there(office: House, mailbox: str) -> None:
    answer = office.browser().get("/oauth/start", params={"mailbox": mailbox})
    assert answer.status_code in (404, 409)
    assert "location" not in answer.headers


def test_a_mailbox_with_a_password_has_nothing_to_sign_in_for(house: House) -> None:
    house.mailbox()
    assert house.browser().get("/oauth/start?mailbox=support").status_code == 409
