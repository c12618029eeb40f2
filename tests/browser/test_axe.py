"""axe-core finds nothing wrong on any page, in both schemes, narrow and wide."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Served
from tests.browser.test_pages import fill, sign_in
from tests.support import axe

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("browser")]

PATHS = [
    "/",
    "/incidents/1",
    "/incidents/3",
    "/mail",
    "/mail?outcome=held",
    "/mailboxes",
    "/mailboxes/support",
    "/nope",
]


@pytest.fixture(scope="module")
def axe_text() -> str:
    return axe.script()


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1600, "dark"), (1600, "light")])
def test_pages_have_no_barrier(page: Page, served: Served, axe_text: str, width: int, scheme: str) -> None:
    fill(served)
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{served.address}/sign-in")
    found = {"/sign-in": axe.findings(page, axe_text)}
    sign_in(page, served)
    for path in PATHS:
        page.goto(served.address + path)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        found[path] = axe.findings(page, axe_text)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_form_with_problems_and_a_failed_test_has_no_barrier(
    page: Page, served: Served, axe_text: str, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    sign_in(page, served)
    page.goto(f"{served.address}/mailboxes/new")
    page.get_by_label("Server Type").select_option("office365")
    page.get_by_label("Whitelist", exact=True).check()
    page.get_by_label("Acknowledgement").check()
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("[data-problems]")).to_be_visible()
    assert axe.findings(page, axe_text) == []
