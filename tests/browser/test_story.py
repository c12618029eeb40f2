"""The whole way of a desk in one browser: from a password that is wrong to an incident that is reopened by mail."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from shared.mail.message import parse
from shared.model.incident import Status
from tests.browser.conftest import Served
from tests.browser.test_mailbox_page import arrive, fill_by_address
from tests.browser.test_pages import no_sideways, shoot, sign_in
from tests.support.app import World
from tests.support.guarded import FIX, PASSWORD, REFUSED, Guarded, imap_found
from tests.support.mails import mail

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("more_browser")]


@pytest.fixture
def guarded() -> Guarded:
    return Guarded(found=imap_found())


@pytest.fixture
def world(guarded: Guarded) -> World:
    return guarded.world


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1600, "light")])  # test_axe has all four
def test_from_a_wrong_password_to_an_incident_that_is_reopened_by_mail(
    page: Page, served: Served, guarded: Guarded, width: int, scheme: str
) -> None:
    house = served.house

    def look(name: str) -> None:
        assert no_sideways(page), name
        shoot(page, f"story-{name}-{width}-{scheme}")

    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    sign_in(page, served)
    look("01-empty")

    # Connected: what is wrong is shown where it is wrong, before anything is saved.
    page.get_by_role("link", name="Connect a mailbox").click()
    fill_by_address(page, "wrong")
    look("02-form")
    page.get_by_role("button", name="Test Settings").click()
    failing = page.locator(".step.failed")
    expect(failing).to_contain_text(REFUSED)
    expect(failing).to_contain_text(FIX)
    expect(page.locator(".step.skipped").first).to_be_visible()
    look("03-wrong-password")
    failing.get_by_role("link", name="Go to the field Password").click()
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Send mail from this mailbox").check()
    page.get_by_label("Acknowledgement").check()
    expect(page.locator("#preview-subject")).to_contain_text("INC-000123")
    page.get_by_role("button", name="Test Settings").click()
    expect(page.get_by_text("Everything works.")).to_be_visible()
    assert house.app.mailboxes.all(house.acme) == ()
    look("04-green")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text("Connected. It is polled right now")).to_be_visible()

    # The first mail is the first incident, and it appears by itself.
    page.get_by_role("link", name="Incidents", exact=True).first.click()
    expect(page.get_by_text("No incidents yet")).to_be_visible()
    look("05-waiting")
    arrive(served)
    expect(page.get_by_role("link", name="Printer on fire")).to_be_visible(timeout=15_000)
    look("06-first-incident")
    page.get_by_role("link", name="Printer on fire").click()
    page.wait_for_load_state()
    expect(page.get_by_text("It burns.")).to_be_visible()
    expect(page.locator("#standing .pill")).to_have_text("Open")
    look("07-conversation")

    # Answered, and closed.
    house.world.queues.outbound.clear()
    page.keyboard.press("r")
    expect(page.get_by_label("Your answer")).to_be_focused()
    page.keyboard.type("Please use water.")
    look("08-answering")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("article").nth(1)).to_contain_text("Please use water.")
    house.send_all()
    expect(page.locator("#footer-2 .pill")).to_have_text("Sent", timeout=15_000)
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator("#standing .pill")).to_have_text("Closed")
    look("09-closed")

    # The reporter writes back: it is open again, on the page that is open all the time.
    ((raw, _, recipients),) = house.world.posts["support"].sent
    assert recipients == ("anna@customer.example",)
    answer = parse(raw)
    house.receive(
        mail(
            "Anna Öz <anna@customer.example>",
            f"Re: {answer.subject}",
            "It burns again.\n\n> Please use water.",
            to="support@acme.example",
            message_id="<2@customer.example>",
            in_reply_to=answer.message_id or "",
        ),
        received=house.clock.now,
    )
    assert house.incident(1).status is Status.OPEN
    expect(page.get_by_role("article").nth(2)).to_contain_text("It burns again.", timeout=15_000)
    expect(page.locator("#standing .pill")).to_have_text("Open")
    look("10-reopened")
    page.goto(f"{served.address}/mail")
    expect(page.get_by_role("link", name="Re: Printer on fire").or_(page.get_by_text("It burns")).first).to_be_visible()
    look("11-ledger")
    page.locator("#live .item").first.click()
    expect(page.get_by_text("Decided", exact=True)).to_be_visible()
    look("12-explained")
