"""Signing in with Microsoft, in a real browser against the stand-in of Entra: one story from the mapping to the end of
somebody's access."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from shared.servers.cloud import Cloud
from shared.servers.page_signin import PageSignIn
from shared.servers.token import AppLogin
from tests.browser.conftest import Served, Watched, watch
from tests.support import axe
from tests.support.app import World, make_app
from tests.support.microsoft import Microsoft
from tests.support.microsoft.entra import App, Person, Tenant
from tests.unit.web.house import House

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("more_browser")]

SHOTS = os.environ.get("SCREENSHOTS", "")
SECRET = "the~page's.own-secret"


@dataclass
class Organisation:
    """Acme's Entra tenant with Anna and Bob in it, and the page's app."""

    microsoft: Microsoft
    app: App
    tenant: Tenant
    anna: Person
    bob: Person

    def sits(self, person: Person | None) -> None:
        """Whoever signs in at Microsoft from now on; None cancels."""
        self.microsoft.entra.signs_in = person.username if person else None


@pytest.fixture
def organisation(tmp_path: Path) -> Iterator[Organisation]:
    with Microsoft(tmp_path) as microsoft:
        entra = microsoft.entra
        app = entra.add_app_for_everybody(SECRET, "set when it is served")
        tenant = entra.add_tenant("acme.example")
        anna, bob = (entra.add_person(tenant, f"{name}@acme.example") for name in ("anna.bergstroem-lindqvist", "bob"))
        anna.name, bob.name = "Anna Bergström-Lindqvist", "Bob"
        yield Organisation(microsoft, app, tenant, anna, bob)
        assert microsoft.violations == []


@pytest.fixture
def world(organisation: Organisation) -> World:
    """An app in memory whose sign-in is at the stand-in."""
    world = make_app()
    microsoft = organisation.microsoft
    login = AppLogin("", organisation.app.client_id, SECRET)
    entra = PageSignIn(Cloud.custom(microsoft.authority, microsoft.graph_url), login, microsoft.now)
    world.app = replace(world.app, entra=entra, retention_days=180)
    return world


@pytest.fixture
def browsers(chromium: Browser, served: Served, organisation: Organisation) -> Iterator[list[Page]]:
    """Two people's browsers. They may go to Microsoft as well, and trust what the tests' authority signed."""
    organisation.app.redirect_uris.add(f"{served.address}/oauth/callback")
    pages, troubles = [], []
    for _ in range(2):
        context = chromium.new_context(locale="en-GB", timezone_id="Europe/Berlin", ignore_https_errors=True)
        found = Watched(context.new_page(), [])
        watch(context, found, str(served.port))
        pages.append(found.page)
        troubles.append(found.trouble)
    yield pages
    for page, trouble in zip(pages, troubles, strict=True):
        page.context.close()
        assert [one for one in trouble if not one.startswith(organisation.microsoft.authority)] == []


@pytest.fixture(scope="module")
def axe_text() -> str:
    return axe.script()


def shoot(page: Page, name: str, axe_text: str) -> None:
    """Both ends of what screens are, if somebody wants to look; nothing sticks out on either, axe-core finds nothing."""
    for width, scheme in ((360, "dark"), (360, "light"), (1600, "dark"), (1600, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")  # colours fade over
        assert axe.findings(page, axe_text) == [], f"{name}, {width} px, {scheme}"
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"entra-{name}-{width}.png", full_page=True)


def by_key(page: Page, address: str, house: House) -> None:
    page.goto(f"{address}/sign-in")
    page.get_by_label("API key").fill(house.keys["acme", "admin"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("link", name="Desk").click()


def test_from_the_mapping_to_the_end_of_somebodys_access(
    browsers: list[Page], served: Served, organisation: Organisation, axe_text: str
) -> None:
    admin, annas = browsers
    house = served.house
    house.deliver()

    # The desk's admin names the Entra tenant, wrong at first, and lists Anna.
    by_key(admin, served.address, house)
    admin.get_by_label("Entra tenant ID").fill("acme.example")
    admin.locator("#people").get_by_role("button", name="Save").click()
    expect(admin.get_by_role("alert")).to_contain_text("Directory (tenant) ID")
    admin.get_by_label("Entra tenant ID").fill(organisation.tenant.id)
    admin.locator("#people").get_by_role("button", name="Save").click()
    expect(admin.get_by_role("status").filter(has_text="List the people")).to_be_visible()
    admin.get_by_label("Address").fill(organisation.anna.username)
    admin.get_by_role("button", name="List", exact=True).click()
    row = admin.get_by_role("row", name=organisation.anna.username)
    expect(row).to_contain_text("has not signed in yet")

    # Anna cancels, then signs in, sees which desk it is, and is in with her name.
    organisation.sits(None)
    annas.goto(f"{served.address}/mail")
    shoot(annas, "sign-in", axe_text)
    annas.get_by_role("link", name="Sign in with Microsoft").click()
    expect(annas.get_by_role("status")).to_contain_text("you cancelled it")
    organisation.sits(organisation.anna)
    annas.goto(f"{served.address}/mail")
    annas.get_by_role("link", name="Sign in with Microsoft").click()
    expect(annas.get_by_role("heading", name="Enter this desk?")).to_be_visible()
    shoot(annas, "enter", axe_text)
    annas.get_by_role("button", name="Acme").click()
    annas.wait_for_url(f"{served.address}/mail")
    expect(annas.locator(".who")).to_contain_text("Anna Bergström-Lindqvist · acme")
    shoot(annas, "signed-in", axe_text)
    expect(annas.get_by_role("link", name="Desk")).to_have_count(0)

    # What she writes bears her name.
    annas.goto(f"{served.address}/incidents/INC-000001")
    annas.locator("#internal > summary").click()
    annas.get_by_label("Your note").fill("I look after it.")
    annas.get_by_role("button", name="Keep internal note").click()
    expect(annas.locator("#notes")).to_contain_text("Anna Bergström-Lindqvist")

    # Signed out and in again, nobody asks for the desk; the next one at the same computer is somebody else.
    annas.get_by_role("button", name="Sign out").click()
    annas.get_by_role("link", name="Sign in with Microsoft").click()
    annas.wait_for_url(f"{served.address}/")
    annas.get_by_role("button", name="Sign out").click()
    organisation.sits(organisation.bob)
    annas.get_by_role("link", name="Sign in with Microsoft").click()
    expect(annas.get_by_text("Nobody has given bob@acme.example access to a desk.")).to_be_visible()
    shoot(annas, "refused", axe_text)
    organisation.sits(organisation.anna)
    annas.goto(f"{served.address}/sign-in")
    annas.get_by_role("link", name="Sign in with Microsoft").click()
    annas.wait_for_url(f"{served.address}/")

    # App roles count after a proof.
    organisation.bob.roles = ["Inbound.Admin"]
    organisation.sits(organisation.bob)
    admin.get_by_role("link", name="Prove it with Microsoft").click()
    expect(admin.get_by_role("status").filter(has_text="Proven.")).to_be_visible()
    expect(row).to_contain_text("Anna Bergström-Lindqvist")

    # Shorter retention is said first.
    admin.get_by_label("Days").fill("3000")
    admin.locator("#retention").get_by_role("button", name="Save").click()
    expect(admin.get_by_role("alert")).to_contain_text("up to 180")
    house.clock.advance(days=20)
    by_key(admin, served.address, house)
    admin.get_by_label("Days").fill("7")
    admin.locator("#retention").get_by_role("button", name="Save").click()
    expect(admin.get_by_role("alert")).to_contain_text("older than 7 days is deleted")
    shoot(admin, "desk", axe_text)
    admin.get_by_label("Type 7 to confirm").fill("7")
    admin.get_by_role("button", name="Delete older mail").click()
    expect(admin.locator("#retention")).to_contain_text("for 7 days")

    # Anna leaves: her next click ends on the sign-in page.
    organisation.sits(organisation.anna)
    annas.goto(f"{served.address}/sign-in")
    annas.get_by_role("link", name="Sign in with Microsoft").click()
    annas.wait_for_url(f"{served.address}/")
    row.get_by_text("Remove…").click()
    row.get_by_role("button", name="Remove").click()
    expect(admin.get_by_role("status").filter(has_text="Removed, and locked out.")).to_be_visible()
    annas.get_by_role("link", name="Mail", exact=True).click()
    expect(annas.get_by_role("heading", name="Sign in")).to_be_visible()
