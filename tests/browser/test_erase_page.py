"""Erasing a person in the browser: counted, refused, confirmed, done; and no barrier on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Served
from tests.browser.test_pages import fill, sign_in
from tests.support import axe
from tests.unit.web.house import ANNA

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("more_browser")]


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1600, "dark")])
def test_an_admin_erases_a_person_after_typing_the_address_twice(
    page: Page, served: Served, width: int, scheme: str, tmp_path: Path
) -> None:
    fill(served)
    script = axe.script()
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    sign_in(page, served)
    page.goto(f"{served.address}/tenant")
    page.get_by_role("link", name="Erase a person").click()
    page.get_by_label("Address").fill("anna")
    page.get_by_role("button", name="Count").click()
    expect(page.get_by_role("alert")).to_contain_text("whole mail address")
    assert axe.findings(page, script) == []
    page.get_by_label("Address").fill(ANNA.address)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What would go")).to_be_visible()
    page.screenshot(path=tmp_path / "count.png", full_page=True)
    page.get_by_label("Type the address once more").fill("somebody@else.example")
    page.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_role("alert")).to_contain_text("once more")
    assert axe.findings(page, script) == []
    page.get_by_label("Type the address once more").fill(ANNA.address)
    page.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_role("cell", name="Done")).to_be_visible()
    assert axe.findings(page, script) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=tmp_path / "done.png", full_page=True)
    for path in ("/", "/mail", "/incidents/1"):
        page.goto(served.address + path)
        assert ANNA.address not in page.content()
