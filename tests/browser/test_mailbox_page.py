"""Connecting a mailbox, in a real browser."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import Served
from tests.support.app import World
from tests.support.guarded import FIX, PASSWORD, REFUSED, Guarded, imap_found
from tests.support.mails import mail
from tests.support.mailserver import MemoryFolder

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("browser")]

SHOTS = os.environ.get("SCREENSHOTS", "")

CANARY = "canary-p4ssw0rd"


@pytest.fixture
def guarded() -> Guarded:
    return Guarded(found=imap_found())


@pytest.fixture
def world(guarded: Guarded) -> World:
    return guarded.world


def sign_in(page: Page, served: Served, role: str = "admin") -> None:
    page.goto(f"{served.address}/sign-in#key={served.house.keys['acme', role]}")
    page.wait_for_url(f"{served.address}/")


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def no_sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def arrive(served: Served, id: str = "support") -> None:
    """A mail comes and is polled and converted."""
    served.house.clock.advance(seconds=1)
    served.house.world.folders.setdefault(id, MemoryFolder())
    raw = mail("Anna Öz <anna@customer.example>", "Printer on fire", "It burns.", to=f"{id}@acme.example")
    served.house.world.receive(served.house.acme, raw, id)


def fill_by_address(page: Page, password: str) -> None:
    """What a person types where discovery finds the server."""
    page.get_by_label("Group").fill("Support")
    page.get_by_label("Email Address").fill("support@acme.example")
    page.get_by_label("Email Address").press("Tab")
    expect(page.get_by_label("Server", exact=True)).to_have_value("imap.acme.example")
    page.get_by_label("Password", exact=True).fill(password)


@pytest.mark.parametrize("width", [360, 1600])
def test_a_wrong_password_is_shown_mended_tested_saved_and_the_first_incident_seen(
    page: Page, served: Served, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    sign_in(page, served)
    page.get_by_role("link", name="Connect a mailbox").click()
    shoot(page, f"1-new-{width}")
    fill_by_address(page, "wrong")
    expect(page.get_by_text("was found (the provider's autoconfiguration; it answered)")).to_be_visible()
    shoot(page, f"2-found-{width}")

    page.get_by_role("button", name="Test Settings").click()
    failing = page.locator(".step.failed")
    expect(failing).to_contain_text(REFUSED)
    expect(failing).to_contain_text(FIX)
    expect(page.locator(".step.ok")).to_have_count(4)
    expect(failing.get_by_role("link")).to_be_focused()
    shoot(page, f"3-wrong-password-{width}")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Password", exact=True)).to_be_focused()

    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Test Settings").click()
    expect(page.get_by_text("Everything works.")).to_be_visible()
    assert no_sideways(page)
    shoot(page, f"4-green-{width}")

    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_url("**/mailboxes/support**")
    expect(page.get_by_text("Connected. It is polled right now")).to_be_visible()
    expect(page.locator("#live").get_by_text("Not polled yet")).to_be_visible()
    arrive(served)
    expect(page.locator("#live").get_by_text("Connected", exact=True)).to_be_visible(timeout=10_000)
    assert no_sideways(page)
    shoot(page, f"5-connected-{width}")
    page.locator("#live").get_by_role("link", name="Incidents").click()
    page.get_by_role("link", name="Printer on fire").click()
    expect(page.get_by_text("It burns.")).to_be_visible()


def test_steps_appear_while_the_test_goes_on_with_the_time_it_takes(
    page: Page, served: Served, guarded: Guarded
) -> None:
    guarded.stops_at = "login"
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")
    fill_by_address(page, PASSWORD)
    page.get_by_role("button", name="Test Settings").click()
    expect(page.locator(".step.ok")).to_have_count(4)
    expect(page.locator(".step.running")).to_contain_text("Log in")
    expect(page.locator("#elapsed")).to_have_text("1 s")
    shoot(page, "testing")
    guarded.go_on.set()
    expect(page.get_by_text("Everything works.")).to_be_visible()


def test_a_test_can_be_cancelled_and_begun_again(page: Page, served: Served, guarded: Guarded) -> None:
    guarded.stops_at = "tcp"
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")
    fill_by_address(page, PASSWORD)
    page.get_by_role("button", name="Test Settings").click()
    expect(page.locator(".step.running")).to_contain_text("Connect")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    guarded.go_on.set()
    page.get_by_role("button", name="Test Settings").click()
    expect(page.get_by_text("Everything works.")).to_be_visible()


def test_a_test_whose_lines_all_arrive_together_ends_in_the_same_report(page: Page, served: Served) -> None:
    """As they do behind Azure's AsgiMiddleware."""

    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")
    fill_by_address(page, PASSWORD)

    page.route("**/mailboxes/new", lambda route: route.fulfill(response=route.fetch()))
    page.get_by_role("button", name="Test Settings").click()
    expect(page.get_by_text("Everything works.")).to_be_visible()
    expect(page.locator(".step.ok").first).to_contain_text("Look up the server's name")


def test_discovery_leaves_a_server_that_was_typed_alone(page: Page, served: Served) -> None:
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")
    page.get_by_label("Server", exact=True).fill("mine.acme.example")
    page.get_by_label("Email Address").fill("support@acme.example")
    page.get_by_label("Email Address").press("Tab")
    page.get_by_label("Group").fill("Support")
    expect(page.locator("#found")).to_be_empty()
    expect(page.get_by_label("Server", exact=True)).to_have_value("mine.acme.example")
    page.get_by_role("button", name="Find the server").click()
    expect(page.get_by_label("Server", exact=True)).to_have_value("imap.acme.example")


def test_discovery_that_finds_nothing_says_so_and_everything_stays_usable(
    page: Page, served: Served, guarded: Guarded
) -> None:
    guarded.found = None
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")
    page.get_by_label("Email Address").fill("support@acme.example")
    page.get_by_label("Email Address").press("Tab")
    expect(page.get_by_text("Nothing was found for support@acme.example")).to_be_visible()
    page.get_by_label("Server", exact=True).fill("mine.acme.example")
    expect(page.get_by_role("button", name="Find the server")).to_be_enabled()


def test_the_port_follows_the_security_until_somebody_types_one(page: Page, served: Served) -> None:
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")
    port, security, kind = (page.get_by_label(name, exact=True) for name in ("Port", "SSL/TLS", "Server Type"))
    expect(port).to_have_value("993")
    for chosen, value in (("starttls", "143"), ("ssl", "993")):
        security.select_option(chosen)
        expect(port).to_have_value(value)
    kind.select_option("pop3")
    expect(port).to_have_value("995")
    port.fill("1995")
    security.select_option("starttls")
    expect(port).to_have_value("1995")


SHOWN = {
    "imap": {"Server", "Port", "SSL/TLS", "User Name", "Password", "Folder", "Log in with"},
    "pop3": {"Server", "Port", "SSL/TLS", "User Name", "Password", "Log in with"},
    "office365": {"Client ID", "Tenant ID", "Client Secret", "Folder"},
}


@pytest.mark.parametrize("script", [True, False])
def test_each_server_type_shows_its_own_fields_and_no_others(chromium: Browser, served: Served, script: bool) -> None:
    context = chromium.new_context(java_script_enabled=script)
    page = context.new_page()
    page.goto(served.address)
    page.get_by_label("API key").fill(served.house.keys["acme", "admin"])
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{served.address}/mailboxes/new")
    everything = set().union(*SHOWN.values())
    for kind, shown in SHOWN.items():
        page.get_by_label("Server Type").select_option(kind)
        for label in sorted(everything):
            expect(page.get_by_label(label, exact=True)).to_be_visible(visible=label in shown)
        for label in ("Polling Frequency (minutes)", "Number of days to download", "Group", "Email Address"):
            expect(page.get_by_label(label)).to_be_visible()
    context.close()


def test_an_empty_whitelist_is_warned_of_before_it_is_saved(page: Page, served: Served) -> None:
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")
    warning = page.get_by_text("An empty whitelist blocks all mail")
    expect(page.get_by_label("Domains and Emails")).to_be_hidden()
    page.get_by_label("Whitelist", exact=True).check()
    expect(warning).to_be_visible()
    shoot(page, "whitelist")
    page.get_by_label("Domains and Emails").fill("acme.example")
    expect(warning).to_be_hidden()


def test_what_is_wrong_is_summed_up_linked_and_costs_no_password(page: Page, served: Served) -> None:
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")
    fill_by_address(page, PASSWORD)
    page.get_by_label("Polling Frequency (minutes)").fill("soon")
    page.get_by_text("Advanced", exact=True).click()
    page.get_by_label("Agents", exact=True).fill("nobody")
    page.get_by_text("Advanced", exact=True).click()
    page.get_by_role("button", name="Connect", exact=True).click()
    summary = page.locator("[data-problems]")
    expect(summary).to_be_focused()
    page.get_by_label("Polling Frequency (minutes)").fill("5")
    page.get_by_role("button", name="Connect", exact=True).click()
    summary.get_by_role("link", name="Agents").click()
    expect(page.get_by_label("Agents", exact=True)).to_be_focused()
    expect(page.get_by_label("Agents", exact=True)).to_have_accessible_description(re.compile("Not an e-mail address"))
    shoot(page, "problems")
    expect(page.get_by_label("Password", exact=True)).to_have_value(PASSWORD)
    page.get_by_label("Agents", exact=True).fill("")
    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_url("**/mailboxes/support**")


def test_secrets_are_in_no_source_and_no_address(page: Page, served: Served) -> None:
    served.house.mailbox(password=CANARY, outgoing={"host": "smtp.acme.example", "password": CANARY})
    sign_in(page, served)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{served.address}/mailboxes/support")
    expect(page.get_by_label("Password", exact=True)).to_have_value("")
    expect(page.get_by_label("Password", exact=True)).to_have_accessible_description(re.compile("^Set\\."))
    page.get_by_label("Folder", exact=True).fill("Elsewhere")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Test Settings").click()
    expect(page.get_by_text("Everything works.")).to_be_visible()
    for text in (page.content(), *asked):
        assert CANARY not in text
        assert PASSWORD not in text


def test_somebody_elses_change_is_shown_and_nothing_typed_is_lost(page: Page, served: Served) -> None:
    served.house.mailbox(password=PASSWORD)
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/support")
    page.get_by_label("Folder", exact=True).fill("Mine")
    page.get_by_label("Password", exact=True).fill(CANARY)
    served.house.mailbox(polling_minutes=9)
    page.get_by_role("button", name="Save", exact=True).click()
    summary = page.locator("[data-problems]")
    expect(summary).to_contain_text("Polling Frequency (minutes) is saved as 9, you have 2.")
    shoot(page, "changed-meanwhile")
    expect(page.get_by_label("Folder", exact=True)).to_have_value("Mine")
    expect(page.get_by_label("Password", exact=True)).to_have_value(CANARY)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved. It is polled right now.")).to_be_visible()
    expect(page.get_by_label("Folder", exact=True)).to_have_value("Mine")


def test_what_is_pressed_beside_the_form_leaves_what_is_typed_in_it(page: Page, served: Served) -> None:
    served.house.mailbox(password=PASSWORD)
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/support")
    page.get_by_label("Folder", exact=True).fill("Mine")
    for button, said in (
        ("Poll now", "New mail appears"),
        ("Write down 30 minutes", "The next 30 minutes"),
        ("Stop writing down", "Nothing is written down"),
        ("Disable", "Nothing is fetched"),
        ("Enable", "It is polled right now"),
    ):
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.locator("#did")).to_contain_text(said)
        expect(page.get_by_label("Folder", exact=True)).to_have_value("Mine")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved. It is polled right now.")).to_be_visible()


def test_a_mailbox_is_deleted_once_its_id_is_typed(page: Page, served: Served) -> None:
    served.house.mailbox()
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/support")
    page.get_by_text("Delete this mailbox").click()
    page.get_by_label("Type support to confirm").fill("wrong")
    page.get_by_role("button", name="Delete").click()
    assert page.url.endswith("/mailboxes/support")
    page.get_by_label("Type support to confirm").fill("support")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The mailbox was deleted")).to_be_visible()
    expect(page.get_by_text("No mailbox is connected yet")).to_be_visible()


def test_signing_in_with_microsoft_saves_and_leads_there(page: Page, served: Served) -> None:
    gone: list[str] = []

    def microsoft(route: Route) -> None:
        gone.append(route.request.url)
        route.fulfill(body="Microsoft")

    page.route("**/oauth/start**", microsoft)
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")
    page.get_by_label("Group").fill("Support")
    page.get_by_label("Server Type").select_option("office365")
    page.get_by_label("Email Address").fill("support@acme.example")
    for label in ("Client ID", "Tenant ID", "Client Secret"):
        page.get_by_label(label, exact=True).fill("8f14e45f-ceea-467f-9cb0-2ae4f8e0b1a1")
    shoot(page, "office365")
    page.get_by_role("button", name="Save and sign in with Microsoft").click()
    page.wait_for_url("**/oauth/start?mailbox=support")
    assert len(gone) == 1


def test_a_mailbox_is_connected_by_keyboard_alone(page: Page, served: Served) -> None:
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")

    def focused() -> str:
        return str(page.evaluate("document.activeElement.name || document.activeElement.textContent"))

    def tab_to(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", focused()
            if focused().strip() == name:
                return
        raise AssertionError(name)

    tab_to("group")
    page.keyboard.type("Support")
    tab_to("email")
    page.keyboard.type("support@acme.example")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Server", exact=True)).to_have_value("imap.acme.example")
    tab_to("password")
    page.keyboard.type(PASSWORD)
    tab_to("whitelist_enabled")
    page.keyboard.press("Space")
    tab_to("whitelist")
    page.keyboard.type("customer.example")
    page.get_by_label("Group").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/mailboxes/support**")
    expect(page.get_by_text("Connected. It is polled right now")).to_be_visible()


def test_a_mailbox_is_connected_without_script(chromium: Browser, served: Served) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served.address)
    page.get_by_label("API key").fill(served.house.keys["acme", "admin"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Connect a mailbox").click()
    page.get_by_label("Group").fill("Support")
    page.get_by_label("Email Address").fill("support@acme.example")
    page.get_by_role("button", name="Find the server").click()
    expect(page.get_by_label("Server", exact=True)).to_have_value("imap.acme.example")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Test Settings").click()
    expect(page.locator(".step.failed")).to_contain_text(REFUSED)
    shoot(page, "without-script")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text("Connected. It is polled right now")).to_be_visible()
    context.close()


def test_agents_read_and_press_nothing(page: Page, served: Served) -> None:
    served.house.mailbox(whitelist_enabled=True, whitelist="a.example\nb.example")
    sign_in(page, served, "agent")
    page.get_by_role("navigation").get_by_role("link", name="Mailboxes").click()
    page.get_by_role("link", name="support@acme.example").click()
    expect(page.get_by_text("imap.acme.example")).to_be_visible()
    expect(page.locator("main button, main input")).to_have_count(0)
    shoot(page, "agent")


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_mailbox_pages_fit_every_width(page: Page, served: Served, width: int, scheme: str) -> None:
    house = served.house
    long = "unbreakable" * 8
    house.mailbox(acknowledge=True, outgoing={"enabled": True, "host": "smtp.acme.example"}, whitelist_enabled=True)
    house.mailbox("long", group=long, email=f"{long}@acme.example"[-60:], username=long, folder=long)
    slot = house.app.schedule.get(house.acme, "support")
    assert slot is not None
    house.app.schedule.put(
        replace(
            slot,
            last_poll=slot.created + timedelta(minutes=2),
            failures=3,
            paused=True,
            error_code="login_refused",
            error_message=REFUSED,
            error_fix=FIX,
        )
    )
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    sign_in(page, served)
    for path in ("/mailboxes", "/mailboxes/new", "/mailboxes/support", "/mailboxes/long"):
        page.goto(served.address + path)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert no_sideways(page), path
        shoot(page, f"{path[1:].replace('/', '-')}-{width}-{scheme}")
