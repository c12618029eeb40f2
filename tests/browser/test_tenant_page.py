"""Keys and tenants, in a real browser: one story from the operator's first sign-in to a revoked key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Served
from tests.unit.web.house import ADMIN_KEY

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("browser")]

SHOTS = os.environ.get("SCREENSHOTS", "")


def shoot(page: Page, name: str) -> None:
    """Both ends of what screens are, if somebody wants to look."""
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{width}.png", full_page=True)


def test_from_a_new_tenant_to_a_revoked_key(page: Page, served: Served, chromium: Browser) -> None:
    page.goto(f"{served.address}/cloud")
    expect(page.get_by_role("heading", name="Cloud admin")).to_be_visible()
    page.get_by_label("Cloud admin's key").fill("a wrong one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not the cloud admin's key.")
    shoot(page, "cloud-sign-in")
    page.get_by_label("Cloud admin's key").fill(ADMIN_KEY)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Tenants")).to_be_visible()

    page.get_by_label("Name", exact=True).fill("Globex Corporation")
    page.get_by_label("Short name").fill("acme")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("alert")).to_contain_text("There is a tenant of this name already.")
    shoot(page, "cloud")
    page.get_by_label("Short name").fill("globex")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="The new key")).to_be_visible()
    key = page.get_by_label("API key").input_value()
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#copy-said")).not_to_be_empty()
    shoot(page, "new-key")
    page.get_by_role("link", name="I have kept it").click()
    expect(page.get_by_role("heading", name="Globex Corporation")).to_be_visible()
    shoot(page, "cloud-tenant")

    # Its admin signs in with the key, makes one for a colleague, and looks at the list.
    page.goto(f"{served.address}/sign-in")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Desk").click()
    page.get_by_label("Name", exact=True).fill("Anna's laptop")
    page.get_by_label("Agent").check()
    page.get_by_role("button", name="Make the key").click()
    annas = page.get_by_label("API key").input_value()
    page.get_by_role("link", name="I have kept it").click()
    expect(page.get_by_text("The last admin key stays.")).to_be_visible()
    row = page.get_by_role("row", name="Anna's laptop")
    expect(row).to_contain_text("never")

    # Anna signs in; when her key is revoked, she is out.
    context = chromium.new_context()
    hers = context.new_page()
    hers.goto(f"{served.address}/sign-in#key={annas}")
    hers.wait_for_url(f"{served.address}/")
    expect(hers.get_by_role("link", name="Desk")).to_have_count(0)
    page.reload()
    expect(row).not_to_contain_text("never")
    row.get_by_text("Revoke…").click()
    shoot(page, "tenant")
    row.get_by_role("button", name="Revoke this key").click()
    expect(page.get_by_role("status").filter(has_text="The key was revoked")).to_be_visible()
    hers.goto(f"{served.address}/")
    expect(hers.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()

    # The operator disables the desk, and deletes it by typing its name.
    page.goto(f"{served.address}/cloud/tenants/globex")
    page.get_by_role("button", name="Disable globex").click()
    expect(page.get_by_role("status").filter(has_text="is disabled")).to_be_visible()
    page.get_by_text("Delete for good…").click()
    page.get_by_label("Type globex to confirm").fill("globe")
    page.get_by_role("button", name="Delete this tenant").click()
    expect(page.get_by_role("alert")).to_contain_text("Type the tenant's name")
    shoot(page, "cloud-delete")
    page.get_by_label("Type globex to confirm").fill("globex")
    page.get_by_role("button", name="Delete this tenant").click()
    expect(page.get_by_role("status").filter(has_text="globex was deleted")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{served.address}/cloud")
    expect(page.get_by_role("heading", name="Cloud admin")).to_be_visible()
