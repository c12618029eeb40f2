"""What people do with the pages, in a real browser."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from shared.mail.address import Address
from shared.model import reason
from shared.model.doorbell import PollBell
from tests.browser.conftest import Served
from tests.support.mails import mail

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("browser")]

SHOTS = os.environ.get("SCREENSHOTS", "")

WIDTHS = [360, 768, 1600]

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script><svg onload=alert(3)>'


def sign_in(page: Page, served: Served, role: str = "admin") -> None:
    page.goto(f"{served.address}/sign-in#key={served.house.keys['acme', role]}")
    page.wait_for_url(f"{served.address}/")


def fill(served: Served) -> None:
    """A desk as it looks after a morning."""
    house = served.house
    house.mailbox(polling_minutes=2)
    house.mailbox("billing", email="billing@acme.example", group="Billing", whitelist_enabled=True)
    house.deliver(
        "Printer on fire",
        "Hello,\n\nthe printer on the third floor is on fire. Again.\nShould we call somebody?\n\nAnna",
        files=(
            ("Übersicht Drucker 3. OG.pdf", "application/pdf", b"x" * 345_678),
            ("IMG_2041.jpeg", "image/jpeg", b"x" * 2_345_678),
        ),
    )
    house.deliver(
        "Invoice 2026-1187 is wrong",
        "It says 200, we ordered 20.",
        sender=Address("", "accounts.payable@a-customer-with-a-long-name.example"),
        group="Billing",
        mailbox="billing",
    )
    house.deliver(
        "Re: Printer on fire",
        "It is out now.\nThank you!",
        quoted="> Hello,\n>\n> the printer on the third floor is on fire. Again.",
        join=house.incident(1),
        why=reason.REPLY_BY_REFERENCE,
    )
    house.deliver(
        "Wo finde ich das Formular für die Reisekostenabrechnung? Ich habe schon überall gesucht und nichts gefunden",
        "Grüße",
        sender=Address("Jörg Müller-Lüdenscheidt", "joerg@kunde.example"),
        related=(1, 2),
    )
    house.deliver("Cheap watches", why=reason.NOT_ON_WHITELIST, sender=Address("", "win@spam.example"))
    house.deliver("Out of office", why=reason.CONVERSION_FAILED, sender=Address("Mia", "mia@customer.example"))


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def no_sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_a_sign_in_link_signs_in_and_leaves_no_key_behind(page: Page, served: Served) -> None:
    sign_in(page, served)
    expect(page.get_by_role("heading", name="Incidents")).to_be_visible()
    page.go_back()
    assert "key=" not in page.url


def test_a_sign_in_link_works_where_the_form_is_open_already(page: Page, served: Served) -> None:
    page.goto(f"{served.address}/sign-in")
    sign_in(page, served)


def test_typing_the_key_signs_in_and_leads_to_the_page_that_was_asked_for(page: Page, served: Served) -> None:
    served.house.deliver()
    page.goto(f"{served.address}/incidents/INC-000001")
    expect(page.get_by_label("API key")).to_be_focused()
    page.keyboard.type(served.house.keys["acme", "agent"])
    page.keyboard.press("Enter")
    page.wait_for_url(f"{served.address}/incidents/INC-000001")
    expect(page.get_by_role("heading", name="Printer on fire")).to_be_visible()


def test_a_wrong_key_is_told_in_words_and_can_be_mended(page: Page, served: Served) -> None:
    page.goto(f"{served.address}/sign-in")
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("This key is not valid.")
    expect(page.get_by_label("API key")).to_have_accessible_description(re.compile("This key is not valid"))
    shoot(page, "sign-in-refused")
    page.get_by_label("API key").fill(served.house.keys["acme", "agent"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{served.address}/")


def test_signing_in_and_out_works_where_the_browser_does_not_trust_plain_http(page: Page, served: Served) -> None:
    """There it sends no Sec-Fetch-Site, so the Origin of our own forms has to arrive."""
    page.goto(f"http://inbound.test:{served.port}/sign-in")
    page.get_by_label("API key").fill(served.house.keys["acme", "agent"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")


def test_after_signing_out_the_pages_are_closed(page: Page, served: Served) -> None:
    sign_in(page, served)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{served.address}/sign-in")
    page.goto(served.address)
    expect(page.get_by_label("API key")).to_be_visible()


def test_from_the_list_to_a_conversation_and_its_downloads(page: Page, served: Served) -> None:
    fill(served)
    sign_in(page, served)
    page.get_by_role("link", name="Printer on fire").click()
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.get_by_role("article").nth(1)).to_contain_text("It is out now.")
    expect(page.get_by_text("> Hello,")).to_be_hidden()
    page.get_by_text("Quoted text").click()
    expect(page.get_by_text("> Hello,")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Übersicht Drucker 3. OG.pdf").click()
    assert download.value.suggested_filename == "Übersicht Drucker 3. OG.pdf"
    with page.expect_download() as download:
        page.get_by_role("link", name="Original mail").first.click()
    assert download.value.suggested_filename == "INC-000001-1.eml"


def test_related_incidents_are_a_click_away(page: Page, served: Served) -> None:
    fill(served)
    sign_in(page, served)
    page.get_by_role("link", name="Reisekostenabrechnung").click()
    page.get_by_role("link", name="INC-000002").click()
    expect(page.get_by_role("heading", name="Invoice 2026-1187 is wrong")).to_be_visible()


def test_times_are_shown_in_the_readers_zone(page: Page, served: Served) -> None:
    served.house.deliver()
    sign_in(page, served)
    expect(page.locator("time").first).to_have_text(re.compile("16 Nov 2026.*13:00"))


def test_the_list_keeps_up_by_itself_and_leaves_the_focus_where_it_is(page: Page, served: Served) -> None:
    served.house.deliver("First")
    page.clock.install()
    sign_in(page, served)
    page.get_by_role("link", name="First").focus()
    served.house.deliver("Second")
    page.clock.run_for(11_000)
    expect(page.get_by_role("link", name="Second")).to_be_visible()
    expect(page.get_by_role("link", name="First")).to_be_focused()


def test_a_session_that_ended_leads_to_the_sign_in_page_by_itself(page: Page, served: Served) -> None:
    page.clock.install()
    sign_in(page, served)
    served.house.clock.advance(hours=13)
    page.clock.run_for(11_000)
    expect(page.get_by_label("API key")).to_be_visible()


def test_poll_now_asks_for_mail_and_says_so(page: Page, served: Served) -> None:
    fill(served)
    sign_in(page, served)
    served.house.world.queues.polls.clear()
    page.get_by_role("button", name="Poll support@acme.example now").click()
    expect(page.get_by_role("status")).to_contain_text("Asked.")
    assert [PollBell.decode(bell).mailbox for bell in served.house.world.queues.polls] == ["support"]


def test_poll_now_says_why_it_did_not_work(page: Page, served: Served) -> None:
    served.house.mailbox()
    sign_in(page, served)
    served.house.mailbox(enabled=False)
    page.get_by_role("button", name="Poll now").or_(page.locator("[data-poll]")).first.click()
    expect(page.get_by_role("status")).to_contain_text("disabled")


def test_hostile_mail_stays_text(page: Page, served: Served) -> None:
    stranger = Address(HOSTILE, f"{HOSTILE}@evil.example")
    served.house.mailbox(group=HOSTILE)
    served.house.deliver(
        HOSTILE,
        HOSTILE,
        quoted=HOSTILE,
        html=HOSTILE,
        sender=stranger,
        group=HOSTILE,
        files=((HOSTILE, HOSTILE, b"x"),),
    )
    served.house.deliver(HOSTILE, sender=stranger, why=reason.NOT_ON_WHITELIST)
    sign_in(page, served)
    for path in ("/", "/incidents/1", "/mail"):
        page.goto(served.address + path)
        expect(page.locator("main")).to_contain_text("onerror=alert(1)")
        assert page.locator("main img, main svg, main script").count() == 0
        assert no_sideways(page)


def test_an_attachment_that_is_a_page_is_not_shown(page: Page, served: Served) -> None:
    served.house.deliver(files=(("x.html", "text/html", b"<script>alert(1)</script>"),))
    sign_in(page, served)
    page.goto(f"{served.address}/incidents/1")
    address = page.get_by_role("link", name="x.html").get_attribute("href")
    with page.expect_download():
        page.evaluate("address => { location.href = address }", address)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_every_width(page: Page, served: Served, width: int, scheme: str) -> None:
    fill(served)
    long = "unbreakable" * 40
    served.house.deliver(
        long, long, sender=Address(long, f"{long}@{long}.example"), group="G" * 80, files=((long, "a/" + long, b"x"),)
    )
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{served.address}/sign-in")
    assert no_sideways(page)
    shoot(page, f"sign-in-{width}-{scheme}")
    sign_in(page, served)
    for path in ("/", "/incidents/1", "/incidents/3", "/incidents/4", "/mail", "/mail?outcome=failed", "/nope"):
        page.goto(served.address + path)
        assert no_sideways(page), path
        shoot(page, f"{re.sub(r'[^a-z0-9]+', '-', path).strip('-') or 'list'}-{width}-{scheme}")


@pytest.mark.parametrize("width", [360, 1280])
def test_a_held_mail_is_found_its_sender_allowed_and_its_incident_appears(
    page: Page, served: Served, width: int
) -> None:
    house = served.house
    page.set_viewport_size({"width": width, "height": 800})
    house.mailbox(whitelist_enabled=True, whitelist="partner.example")
    house.mailbox("billing", email="billing@acme.example", group="Billing")
    house.receive(mail("Anna Öz <anna@customer.example>", "Printer on fire", "It burns."))
    house.receive(mail("Anna Öz <anna@customer.example>", "And the other one", "Too.", message_id="<2@c.example>"))
    house.receive(mail("Eve <eve@elsewhere.example>", "Cheap watches", "Buy.", message_id="<3@e.example>"))

    sign_in(page, served)
    shoot(page, f"held-1-counted-{width}")
    page.get_by_role("link", name="3 held mails").click()
    expect(page.get_by_role("row")).to_have_count(4 if width > 700 else 3)
    assert no_sideways(page)
    shoot(page, f"held-2-listed-{width}")
    page.get_by_role("link", name="Cheap watches").click()
    expect(page.get_by_text("no entry matches eve@elsewhere.example").first).to_be_visible()
    shoot(page, f"held-6-why-{width}")
    page.go_back()
    row = page.get_by_role("row").filter(has_text="Printer on fire")
    button = row.get_by_role("button", name="Always allow this sender")
    expect(button).to_have_accessible_description("Printer on fire")
    button.click()

    expect(page.get_by_role("status")).to_contain_text("Printer on fire")
    expect(page.get_by_role("status")).to_contain_text("Pending")
    shoot(page, f"held-3-allowed-{width}")
    assert house.world.convert_all() == 2
    expect(page.get_by_role("status")).to_contain_text("Delivered")
    expect(page.get_by_role("link", name="Cheap watches")).to_be_visible()
    expect(page.get_by_role("link", name="And the other one")).to_have_count(0)
    shoot(page, f"held-4-delivered-{width}")
    page.get_by_role("status").get_by_role("link", name=re.compile("INC-00000")).click()
    expect(page.get_by_role("heading", name="Printer on fire")).to_be_visible()
    expect(page.get_by_text("It burns.")).to_be_visible()
    page.get_by_role("link", name="Why is this here?").click()
    expect(page.get_by_text("Decided", exact=True)).to_be_visible()
    assert no_sideways(page)
    shoot(page, f"held-5-explained-{width}")
    page.goto(served.address)
    expect(page.get_by_role("link", name="And the other one")).to_be_visible()
    expect(page.get_by_role("link", name="1 held mail")).to_be_visible()


def test_held_mail_is_released_by_keyboard_alone(page: Page, served: Served) -> None:
    house = served.house
    house.mailbox(whitelist_enabled=True)
    house.receive(mail(subject="Let me in"))
    sign_in(page, served)
    page.goto(f"{served.address}/mail?outcome=held")
    reached = page.evaluate("document.activeElement")
    for _ in range(30):
        page.keyboard.press("Tab")
        reached = page.evaluate("document.activeElement.innerText")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        if reached == "Release":
            break
    assert reached == "Release"
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Let me in")
    house.world.convert_all()
    expect(page.get_by_role("status").get_by_role("link", name="INC-000001")).to_be_visible()


def test_the_list_of_mail_is_narrowed_down_by_its_form(page: Page, served: Served) -> None:
    fill(served)
    served.house.deliver("Flood", why=reason.TOO_MANY, mailbox="billing")
    sign_in(page, served)
    page.goto(f"{served.address}/mail")
    page.get_by_role("link", name="Held", exact=True).click()
    page.get_by_label("Mailbox").select_option("billing")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("link", name="Flood")).to_be_visible()
    expect(page.get_by_role("link", name="Cheap watches")).to_have_count(0)
    page.get_by_label("Reason").select_option("not_on_whitelist")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No mail is like that.")).to_be_visible()
    expect(page.get_by_label("Mailbox")).to_have_value("billing")
    page.get_by_role("link", name="Show all mail").click()
    expect(page.get_by_role("link", name="Cheap watches")).to_be_visible()


def test_buttons_do_not_move_away_from_under_the_pointer(page: Page, served: Served) -> None:
    served.house.deliver("First", why=reason.NOT_ON_WHITELIST)
    page.clock.install()
    sign_in(page, served)
    page.goto(f"{served.address}/mail")
    page.get_by_role("button", name="Discard").hover()
    served.house.deliver("Second", why=reason.NOT_ON_WHITELIST)
    page.clock.run_for(11_000)
    expect(page.get_by_role("link", name="Second")).to_have_count(0)
    page.get_by_role("heading", name="Mail").hover()
    page.clock.run_for(11_000)
    expect(page.get_by_role("link", name="Second")).to_be_visible()


def test_empty_pages_say_what_to_do_next(page: Page, served: Served) -> None:
    sign_in(page, served)
    expect(page.get_by_text("No mailbox is connected yet")).to_be_visible()
    shoot(page, "empty-no-mailbox")
    served.house.mailbox()
    page.reload()
    expect(page.locator(".empty").get_by_role("link", name="support@acme.example")).to_be_visible()
    shoot(page, "empty-no-incident")
    page.get_by_role("link", name="Mail", exact=True).click()
    expect(page.get_by_text("No mail yet")).to_be_visible()
    shoot(page, "empty-no-mail")


def test_everything_is_reached_by_keyboard_and_the_focus_shows(page: Page, served: Served) -> None:
    fill(served)
    sign_in(page, served)
    page.goto(served.address)
    reached: list[str] = []
    while "Printer on fire" not in reached and len(reached) < 40:
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.innerText")
        )
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert reached[0] == "Skip to content"
    assert [text.strip() for text in reached[1:6]] == ["Inbound", "Incidents", "Mail", "Mailboxes", "Desk"]
    assert "Poll support@acme.example now" in reached
    assert "Printer on fire" in reached
    page.get_by_role("link", name="Printer on fire").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Printer on fire")).to_be_visible()


def test_skip_to_content_skips_the_navigation(page: Page, served: Served) -> None:
    sign_in(page, served)
    page.goto(served.address)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_pages_work_without_script(chromium: Browser, served: Served) -> None:
    fill(served)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served.address)
    page.get_by_label("API key").fill(served.house.keys["acme", "agent"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Printer on fire").click()
    expect(page.get_by_text("Should we call somebody?")).to_be_visible()
    context.close()
