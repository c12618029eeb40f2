"""Signing in to the pages against oidc-provider, which the OpenID Foundation certified and nobody here wrote: codes,
PKCE, nonce, redirect URI and a signed ID token by its own opinion, through the real web app."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.bootstrap import utc_now
from shared.flows import person, tenant_settings, tenants
from shared.flows.tenant_settings import Wanted
from shared.servers.cloud import Cloud
from shared.servers.page_signin import AUDIENCE, PageSignIn
from shared.servers.token import AppLogin
from tests.support.app import World
from tests.support.oidc import Browser, Provider, missing
from tests.support.oidc.browser import altered, query
from tests.support.oidc.desk import ACME_ID, ANNA, CALLBACK, EVE, GLOBEX_ID, SECRET
from tests.support.oidc.provider import Account, Client
from tests.unit.web.house import House, make_house

if TYPE_CHECKING:
    from starlette.testclient import TestClient

pytestmark = pytest.mark.xdist_group("oidc")  # one provider for all of them

PAGE = Client(AUDIENCE, "cccccccc-2222-4222-8222-222222222222", SECRET, CALLBACK, [ANNA, EVE])
BACK = {"Sec-Fetch-Site": "cross-site"}
NOT_HERE = "This sign-in was not begun"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    if why := missing():
        pytest.skip(why)
    with Provider(tmp_path_factory.mktemp("oidc"), PAGE) as provider:
        yield provider


@dataclass
class Page:
    """The app with two desks, each of an Entra tenant: acme lists Anna."""

    house: House
    provider: Provider

    def browser(self) -> TestClient:
        made = self.house.client(None)
        made.headers["Sec-Fetch-Site"] = "same-origin"
        return made

    def start(self, browser: TestClient) -> str:
        answer = browser.get("/sign-in/microsoft?next=/mail")
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def at_provider(self, address: str, account: Account = ANNA) -> str:
        with Browser(CALLBACK) as there:
            return there.sign_in(address, account.username)

    def come_back(self, browser: TestClient, account: Account = ANNA) -> Any:
        return browser.get(self.at_provider(self.start(browser), account), headers=BACK)


@pytest.fixture
def page(world: World, running: Provider) -> Iterator[Page]:
    running.forget()
    login = AppLogin("", PAGE.client_id, SECRET)
    entra = PageSignIn(Cloud.custom(running.url, "https://graph.microsoft.com/v1.0"), login, utc_now)
    world.app = replace(world.app, entra=entra)
    world.clock.now = utc_now()
    house = make_house(world)
    for slug, tid in (("acme", ACME_ID), ("other", GLOBEX_ID)):
        tenant_settings.configure(house.app, tenants.get(house.app, slug), Wanted(None, tid, False))
    person.add(house.app, "acme", ANNA.username, "agent")
    yield Page(house, running)
    assert running.bugs() == []


def refused(answer: Any, words: str = NOT_HERE) -> None:
    assert answer.status_code == 403, answer.text
    assert words in answer.text
    assert "set-cookie" not in answer.headers


def test_a_listed_person_signs_in_and_is_known_from_then_on(page: Page) -> None:
    browser = page.browser()
    shown = page.come_back(browser)
    assert "Enter this desk?" in shown.text
    (ticket,) = re.findall(r'name="ticket" value="([^"]+)"', shown.text)
    entered = browser.post("/sign-in/desk", data={"ticket": ticket, "desk": "acme"})
    assert entered.headers["location"] == "/mail"
    me = browser.get("/api/me").json()
    assert (me["tenant"], me["role"], me["signed_in_as"]) == ("acme", "agent", ANNA.username)
    (listed,) = page.house.app.people.all(page.house.acme)
    assert (listed.tid, listed.oid) == (ANNA.tid, ANNA.oid)
    again = page.browser()
    assert page.come_back(again).headers["location"] == "/mail"
    assert page.provider.verdicts() == ["ok", "ok"]


def test_the_provider_is_asked_who_it_is_and_for_nothing_else(page: Page) -> None:
    asked = query(page.start(page.browser()))
    assert set(asked["scope"].split()) == {"openid", "profile"}
    assert (asked["prompt"], asked["code_challenge_method"]) == ("select_account", "S256")


def test_somebody_of_another_entra_tenant_is_nobody_here(page: Page) -> None:
    person.add(page.house.app, "acme", EVE.username, "admin")  # whoever listed her took her for one of acme's
    browser = page.browser()
    refused(page.come_back(browser, EVE), "Nobody has given eve@globex.example access")
    assert browser.get("/api/me").status_code == 401


def test_a_callback_pushed_into_another_browser_signs_nobody_in(page: Page) -> None:
    callback = page.at_provider(page.start(page.browser()))
    victim = page.browser()
    page.start(victim)
    refused(victim.get(callback, headers=BACK))
    assert victim.get("/api/me").status_code == 401
    assert page.provider.verdicts() == []


def test_a_forged_or_missing_state_redeems_nothing(page: Page) -> None:
    browser = page.browser()
    callback = page.at_provider(page.start(browser))
    for state in ("page.forged", "page." + "0" * 48):
        refused(browser.get(altered(callback, state=state), headers=BACK))
    assert browser.get(altered(callback, state=None), headers=BACK).status_code in (303, 401, 403)
    assert page.provider.verdicts() == []


def test_a_callback_works_once(page: Page) -> None:
    browser = page.browser()
    callback = page.at_provider(page.start(browser))
    assert browser.get(callback, headers=BACK).status_code == 200
    refused(browser.get(callback, headers=BACK))
    assert page.provider.verdicts() == ["ok"]


def test_a_code_of_one_sign_in_is_worth_nothing_in_another(page: Page) -> None:
    """The code is injected into a sign-in with another PKCE verifier and nonce: the provider refuses it."""
    thief, victim = page.browser(), page.browser()
    stolen = query(page.at_provider(page.start(victim)))["code"]
    own = page.at_provider(page.start(thief))
    refused(thief.get(altered(own, code=stolen), headers=BACK), "Microsoft did not accept this sign-in")
    assert page.provider.verdicts() == ["PKCE verification failed"]
    assert thief.get("/api/me").status_code == 401


def test_a_code_that_names_another_issuer_goes_nowhere(page: Page) -> None:
    browser = page.browser()
    callback = page.at_provider(page.start(browser))
    refused(browser.get(altered(callback, iss="https://evil.example"), headers=BACK))
    assert page.provider.verdicts() == []


def test_who_cancels_sees_the_form_again(page: Page) -> None:
    browser = page.browser()
    with Browser(CALLBACK) as there:
        callback = there.cancel(page.start(browser))
    answer = browser.get(callback, headers=BACK)
    assert answer.status_code == 200
    assert "you cancelled it" in answer.text


def test_a_wrong_secret_is_for_the_operator_to_mend(page: Page) -> None:
    entra = page.house.app.entra
    assert isinstance(entra, PageSignIn)
    wrong = replace(entra, login=replace(entra.login, secret="wrong"))
    page.house.world.app = replace(page.house.app, entra=wrong)
    house = make_house_again(page)
    answer = Page(house, page.provider).come_back(Page(house, page.provider).browser())
    assert answer.status_code == 422
    assert "SIGN_IN_CLIENT_SECRET" in answer.text
    assert "wrong" not in answer.text


def make_house_again(page: Page) -> House:
    """The same storage behind an app that was started with another setting."""
    from shared.web.app import build

    return House(page.house.world, build(page.house.world.app, "", later=lambda job: job()), page.house.keys)
