"""Webhooks in a real browser: made, the secret kept, tested, failing, sent again, rotated and deleted; with the keyboard
where that is quicker, at both ends of what screens are, and without a barrier."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from shared.errors import TimedOut
from tests.browser.conftest import Served
from tests.browser.test_pages import sign_in
from tests.browser.test_tenant_page import shoot
from tests.support import axe

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("more_browser")]

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LONG = "https://receiver.example/a/very/long/path/" + "x" * 120 + "?token=t0p"


@pytest.fixture(scope="module")
def axe_text() -> str:
    return axe.script()


def _looked_at(page: Page, axe_text: str) -> Callable[[str], None]:
    def look(name: str) -> None:
        shoot(page, name)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            assert axe.findings(page, axe_text) == [], name

    return look


def test_from_the_desk_to_a_webhook_that_works_and_is_deleted(page: Page, served: Served, axe_text: str) -> None:
    look = _looked_at(page, axe_text)
    sign_in(page, served)
    page.get_by_role("link", name="Desk").click()
    page.get_by_role("link", name="Set up webhooks").click()
    look("webhooks-none")
    page.get_by_label("Address").fill("http://user@receiver.example/")
    for box in page.get_by_role("checkbox").all():
        box.uncheck()
    page.get_by_role("button", name="Make the webhook").click()
    expect(page.get_by_role("alert")).to_have_count(2)
    look("webhooks-wrong")
    page.get_by_label("Address").fill(LONG)
    page.get_by_label("Description").fill("CRM")
    page.get_by_label("incident.created").check()
    page.keyboard.press("Enter")
    secret = page.get_by_label("Secret")
    expect(secret).to_have_value(re.compile("^whsec_"))
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#copy-said")).not_to_be_empty()
    look("webhook-secret")
    page.get_by_role("link", name="I have kept it").click()
    expect(page.get_by_text("Nothing was sent yet.")).to_be_visible()

    page.get_by_role("button", name="Send a test event").click()
    expect(page.get_by_text("The receiver took the test event.")).to_be_visible()
    served.house.world.receiver.answers = [500, TimedOut("It did not answer within 10 seconds.", "Answer at once.")]
    served.house.deliver()
    served.house.hear()
    page.get_by_role("button", name="Send a test event").click()
    expect(page.get_by_text("The test event was not taken.")).to_contain_text("within 10 seconds")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    look("webhook-log")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status").first).to_contain_text("on its way once more")
    served.house.clock.advance(seconds=10)
    served.house.hear()
    page.reload()
    expect(page.get_by_text("Delivered", exact=True)).to_have_count(2)

    page.get_by_text("Rotate the secret…").click()
    page.get_by_role("button", name="Rotate it").click()
    expect(page.get_by_role("heading", name="The new secret")).to_be_visible()
    page.get_by_role("link", name="I have kept it").click()
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_text("nothing is sent to it")).to_be_visible()
    page.get_by_role("link", name="← Webhooks").click()
    look("webhooks")
    page.locator("table a").first.click()
    page.get_by_text("Delete this webhook…").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("There is no webhook yet.")).to_be_visible()


def test_without_javascript_the_same_forms_do_all_of_it(chromium: Browser, served: Served) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    try:
        page.goto(f"{served.address}/sign-in")
        page.get_by_label("API key").fill(served.house.keys["acme", "admin"])
        page.get_by_role("button", name="Sign in").first.click()
        expect(page.get_by_role("link", name="Desk")).to_be_visible()
        page.goto(f"{served.address}/tenant/webhooks")
        page.get_by_label("Address").fill("https://receiver.example/in")
        page.get_by_role("button", name="Make the webhook").click()
        expect(page.get_by_label("Secret")).to_have_value(re.compile("^whsec_"))
        page.get_by_role("link", name="I have kept it").click()
        page.get_by_role("button", name="Send a test event").click()
        expect(page.get_by_text("The receiver took the test event.")).to_be_visible()
        page.get_by_text("Delete this webhook…").click()
        page.get_by_role("button", name="Delete it").click()
        expect(page.get_by_text("There is no webhook yet.")).to_be_visible()
    finally:
        context.close()
