"""axe-core finds nothing wrong on any page, in both schemes, narrow and wide: folded out, with problems, with a test's
report, and with a dialog open."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from shared.model import reason
from shared.model.outbound import SendState
from tests.browser.conftest import Served
from tests.browser.test_mailbox_page import fill_by_address
from tests.browser.test_pages import fill, sign_in
from tests.support import axe
from tests.support.app import World
from tests.support.guarded import PASSWORD, Guarded, imap_found
from tests.unit.web.house import ADMIN_KEY

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("more_browser")]

PATHS = [
    "/",
    "/?q=nothing+like+that",
    "/incidents/1",
    "/incidents/3",
    "/mail",
    "/mail?outcome=held",
    "/mailboxes",
    "/mailboxes/new",
    "/mailboxes/support",
    "/tenant",
    "/nope",
]

LOOKS = [(width, scheme) for width in (360, 1600) for scheme in ("light", "dark")]


@pytest.fixture
def guarded() -> Guarded:
    return Guarded(found=imap_found())


@pytest.fixture
def world(guarded: Guarded) -> World:
    return guarded.world


@pytest.fixture(scope="module")
def axe_text() -> str:
    return axe.script()


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def look(page: Page, request: pytest.FixtureRequest) -> Page:
    width, scheme = request.param
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    return page


def test_pages_have_no_barrier(look: Page, served: Served, axe_text: str) -> None:
    fill(served)
    served.house.mailbox(outgoing={"enabled": True, "host": "smtp.acme.example"}, password=PASSWORD)
    for state in (SendState.FAILED, SendState.BOUNCED, SendState.IN_DOUBT):
        served.house.failed_answer(state)
    look.goto(f"{served.address}/sign-in")
    found = {"/sign-in": axe.findings(look, axe_text)}
    sign_in(look, served)
    why = [f"/mail/{mail.id}" for mail in served.house.world.ledger(served.house.acme)[:2]]
    for path in (*PATHS, *why):
        look.goto(served.address + path)
        look.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        found[path] = axe.findings(look, axe_text)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def test_empty_pages_have_no_barrier(look: Page, served: Served, axe_text: str) -> None:
    sign_in(look, served)
    for path in ("/", "/mail", "/mailboxes"):
        look.goto(served.address + path)
        assert axe.findings(look, axe_text) == [], path


def test_a_form_with_problems_and_a_tests_report_have_no_barrier(look: Page, served: Served, axe_text: str) -> None:
    sign_in(look, served)
    look.goto(f"{served.address}/mailboxes/new")
    look.get_by_label("Server Type").select_option("office365")
    look.get_by_label("Whitelist", exact=True).check()
    look.get_by_label("Acknowledgement").check()
    look.get_by_role("button", name="Connect", exact=True).click()
    expect(look.locator("[data-problems]")).to_be_visible()
    assert axe.findings(look, axe_text) == []
    look.get_by_label("Server Type").select_option("imap")
    look.get_by_label("Acknowledgement").uncheck()
    fill_by_address(look, "wrong")
    for password, verdict in (("wrong", "Something does not work yet."), (PASSWORD, "Everything works.")):
        look.get_by_label("Password", exact=True).fill(password)
        look.get_by_role("button", name="Test Settings").click()
        expect(look.get_by_text(verdict)).to_be_visible()
        look.evaluate("document.getElementById('said-with').open = true")
        assert axe.findings(look, axe_text) == [], verdict


def test_dialogs_and_forms_of_a_conversation_have_no_barrier(look: Page, served: Served, axe_text: str) -> None:
    house = served.house
    house.mailbox(outgoing={"enabled": True, "host": "smtp.acme.example"}, password=PASSWORD)
    house.deliver(html="<h1>News</h1><p><a href='https://x.example/'>here</a><img src='https://x.example/a.png'>")
    house.deliver(text="More.", join=house.incident(1), why=reason.REPLY_BY_REFERENCE)
    sign_in(look, served)
    look.goto(f"{served.address}/incidents/1")
    look.keyboard.press("?")
    expect(look.get_by_role("dialog")).to_be_visible()
    assert axe.findings(look, axe_text) == []
    look.keyboard.press("Escape")
    look.get_by_text("Show as HTML").click()
    look.keyboard.press("r")
    look.keyboard.type("Use water.")
    look.get_by_label("To", exact=True).fill("nobody")
    look.get_by_role("button", name="Send answer").click()
    expect(look.get_by_role("alert")).to_be_focused()
    assert axe.findings(look, axe_text) == []
    look.locator("#internal > summary").click()
    assert axe.findings(look, axe_text) == []


def test_the_cloud_admins_pages_have_no_barrier(look: Page, served: Served, axe_text: str) -> None:
    look.goto(f"{served.address}/cloud/sign-in")
    assert axe.findings(look, axe_text) == []
    look.get_by_label("Cloud admin's key").fill(ADMIN_KEY)
    look.get_by_role("button", name="Sign in").click()
    for path in ("/cloud", "/cloud/tenants/acme"):
        look.goto(served.address + path)
        look.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert axe.findings(look, axe_text) == [], path
