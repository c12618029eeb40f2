"""What every page weighs, what it may load, and that it holds at every zoom and for who wants no motion."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, Response

from tests.browser.conftest import ARGUMENTS, CHROMIUM, Served
from tests.browser.test_pages import fill, no_sideways, sign_in
from tests.unit.web.house import ADMIN_KEY

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("browser")]

MOST_BYTES = 100_000
"""Of a page with its style and scripts, without images, nothing compressed."""

PATHS = [
    "/",
    "/incidents/1",
    "/mail",
    "/mail?outcome=held",
    "/mailboxes",
    "/mailboxes/new",
    "/mailboxes/support",
    "/tenant",
    "/nope",
]


def all_pages(served: Served) -> list[str]:
    """The pages of a desk, with one mail explained."""
    return [*PATHS, f"/mail/{served.house.world.ledger(served.house.acme)[0].id}"]


def recorded(page: Page) -> list[Response]:
    """What the page gets from now on."""
    answers: list[Response] = []
    page.on("response", lambda one: answers.append(one))
    return answers


def test_no_page_weighs_more_than_100_kb_or_loads_anything_from_elsewhere(page: Page, served: Served) -> None:
    """``watched`` fails this test for every request to another host."""
    fill(served)
    for count in range(60):
        served.house.deliver(f"{count} {'long subject ' * 12}"[:200])
    sign_in(page, served)
    for path in all_pages(served):
        answers = recorded(page)
        page.goto(served.address + path)
        page.wait_for_load_state("networkidle")
        kinds = {one.request.resource_type for one in answers}
        assert kinds <= {"document", "stylesheet", "script", "image", "fetch", "other"}, path
        weight = sum(
            len(one.body()) for one in answers if one.request.resource_type in ("document", "stylesheet", "script")
        )
        assert weight < MOST_BYTES, (path, weight)
        print(f"{path}: {weight} bytes")


def test_every_page_has_the_strict_policy(page: Page, served: Served) -> None:
    fill(served)
    sign_in(page, served)
    for path in (*all_pages(served), "/sign-in", "/cloud/sign-in"):
        answer = page.goto(served.address + path)
        assert answer is not None
        said = answer.headers["content-security-policy"]
        policy = {part.split()[0]: part.split()[1:] for part in said.split(";")}
        assert "unsafe" not in said, path
        assert policy["default-src"] == ["'none'"], path
        assert policy["script-src"] == policy["style-src"] == ["'self'"], path
        for name in ("frame-ancestors", "base-uri"):
            assert policy[name] == ["'none'"], (path, name)
        assert policy["form-action"] == ["'self'"], path
        assert page.locator("style, script:not([src]), [style], [onclick]").count() == 0, path


@pytest.mark.parametrize("width", [320, 640])
def test_at_200_and_400_percent_nothing_is_cut_or_scrolls_sideways(
    chromium: Browser, served: Served, width: int
) -> None:
    """A window of 1280 pixels has these widths then (WCAG 1.4.4 and 1.4.10)."""
    fill(served)
    context = chromium.new_context(
        viewport={"width": width, "height": width * 5 // 8}, device_scale_factor=1280 / width
    )
    page = context.new_page()
    sign_in(page, served)
    for path in all_pages(served):
        page.goto(served.address + path)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert no_sideways(page), path
    context.close()


def test_letters_of_twice_the_size_fit_all_the_same(chromium: Browser, served: Served) -> None:
    """The reader's own letter size (WCAG 1.4.4), which the style must follow."""
    fill(served)
    large = [*ARGUMENTS, "--blink-settings=defaultFontSize=32"]
    with chromium.browser_type.launch(executable_path=CHROMIUM, args=large) as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        sign_in(page, served)
        for path in all_pages(served):
            page.goto(served.address + path)
            assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") == 32, path
            assert no_sideways(page), path


def test_who_wants_no_motion_gets_none(page: Page, served: Served) -> None:
    fill(served)
    moving = """() => [...document.querySelectorAll('*')].filter((one) => {
        const style = getComputedStyle(one);
        return style.transitionDuration !== '0s' || style.animationName !== 'none' || style.scrollBehavior === 'smooth';
    }).length"""
    sign_in(page, served)
    assert page.evaluate(moving) > 0, "else this test could not fail"
    page.emulate_media(reduced_motion="reduce")
    for path in all_pages(served):
        page.goto(served.address + path)
        assert page.evaluate(moving) == 0, path


def test_the_cloud_admins_pages_are_as_light(page: Page, served: Served) -> None:
    page.goto(f"{served.address}/cloud/sign-in")
    page.get_by_label("Cloud admin's key").fill(ADMIN_KEY)
    page.get_by_role("button", name="Sign in").click()
    for path in ("/cloud", "/cloud/tenants/acme"):
        answer = page.goto(served.address + path)
        assert answer is not None
        assert len(answer.body()) < MOST_BYTES
        assert "unsafe" not in answer.headers["content-security-policy"]
