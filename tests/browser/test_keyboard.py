"""Everything by keyboard alone: a day at the desk without a mouse, and where the focus is meanwhile."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from shared.model import reason
from tests.browser.conftest import Served
from tests.browser.test_conversation import given_a_question
from tests.browser.test_pages import fill, sign_in

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("browser")]

FOCUS = """() => {
    const one = document.activeElement;
    const label = one.labels?.[0]?.innerText;
    return (one.getAttribute("aria-label") || label || one.innerText || one.name || one.tagName).trim().split("\\n")[0];
}"""
SHOWS = """() => {
    const style = getComputedStyle(document.activeElement);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
}"""
IN_VIEW = """() => {
    const place = document.activeElement.getBoundingClientRect();
    const over = document.elementFromPoint(place.x + Math.min(place.width, 20) / 2, place.y + Math.min(place.height, 20) / 2);
    return document.activeElement.contains(over) || over?.contains(document.activeElement) || false;
}"""


def tab_to(page: Page, name: str, most: int = 60) -> None:
    """Tab until this has the focus; the focus shows on all the way, and nothing hides what has it."""
    for _ in range(most):
        page.keyboard.press("Tab")
        said = page.evaluate(FOCUS)
        assert page.evaluate(SHOWS), said
        assert page.evaluate(IN_VIEW), f"{said} is hidden"
        if re.fullmatch(name, said):
            return
    raise AssertionError(f"never came to {name}")


def enter(page: Page) -> None:
    """Enter, and whatever it leads to."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_a_day_at_the_desk_without_a_mouse(page: Page, served: Served) -> None:
    house = served.house
    given_a_question(served)
    page.goto(f"{served.address}/sign-in")
    page.keyboard.type(house.keys["acme", "admin"])
    enter(page)
    page.wait_for_url(f"{served.address}/")

    tab_to(page, "Printer on fire")
    enter(page)
    expect(page.get_by_role("heading", name="Printer on fire")).to_be_visible()
    page.wait_for_load_state()
    tab_to(page, "Answer.*")
    page.keyboard.press("Enter")
    tab_to(page, "Your answer")
    page.keyboard.type("Use water.")
    tab_to(page, "Attachments")
    tab_to(page, "Then it is.*")
    page.keyboard.press("r")
    tab_to(page, "Send answer")
    enter(page)
    expect(page.get_by_role("article").nth(1)).to_contain_text("Use water.")
    expect(page.locator("#standing .pill")).to_have_text("Resolved")

    tab_to(page, "Close")
    enter(page)
    expect(page.locator("#standing .pill")).to_have_text("Closed")
    tab_to(page, "Reopen")
    enter(page)
    expect(page.locator("#standing .pill")).to_have_text("Open")

    house.deliver("Cheap watches", why=reason.NOT_ON_WHITELIST, raw=b"From: eve@evil.example\r\n\r\nBuy.\r\n")
    tab_to(page, "Mail")
    enter(page)
    tab_to(page, "Cheap watches")
    enter(page)
    tab_to(page, "Discard")
    enter(page)
    expect(page.locator("#live .pill").first).to_have_text("Discarded")

    tab_to(page, "Mailboxes")
    enter(page)
    tab_to(page, "support@acme.example")
    enter(page)
    tab_to(page, "Delete this mailbox", 80)
    page.keyboard.press("Enter")
    tab_to(page, "Type support to confirm")
    page.keyboard.type("support")
    enter(page)
    expect(page.get_by_text("The mailbox was deleted")).to_be_visible()
    tab_to(page, "Sign out")
    enter(page)
    expect(page.get_by_label("API key")).to_be_focused()


@pytest.mark.parametrize("path", ["/", "/incidents/1", "/mail", "/mailboxes", "/mailboxes/support", "/tenant"])
def test_the_help_opens_on_every_page_keeps_the_focus_and_gives_it_back(page: Page, served: Served, path: str) -> None:
    fill(served)
    sign_in(page, served)
    page.goto(served.address + path)
    opener = page.get_by_role("button", name="Keyboard shortcuts")
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    for _ in range(6):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    page.keyboard.press("?")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close help").press("Enter")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


def test_the_lists_of_mail_and_mailboxes_are_walked_through_by_single_keys(page: Page, served: Served) -> None:
    fill(served)
    sign_in(page, served)
    for path, first in (("/mail", "Out of office"), ("/mailboxes", "billing@acme.example")):
        page.goto(served.address + path)
        page.keyboard.press("j")
        expect(page.get_by_role("link", name=first)).to_be_focused()
        page.keyboard.press("j")
        page.keyboard.press("k")
        expect(page.get_by_role("link", name=first)).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()


def test_problems_are_announced_focused_and_lead_to_their_fields(page: Page, served: Served) -> None:
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")
    tab_to(page, "Connect")
    page.keyboard.press("Enter")
    summary = page.get_by_role("alert").filter(has_text="Nothing was saved.")
    expect(summary).to_be_focused()
    links = summary.get_by_role("link")
    for place in range(links.count()):
        target = (links.nth(place).get_attribute("href") or "").removeprefix("#")
        page.keyboard.press("Tab")
        expect(links.nth(place)).to_be_focused()
        page.keyboard.press("Enter")
        field = page.locator(f"[id='{target}']")
        expect(field).to_be_focused()
        assert page.evaluate(IN_VIEW), target
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile(".+"))
        links.nth(place).focus()
