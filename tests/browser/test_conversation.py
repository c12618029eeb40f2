"""An incident's page in a real browser: the whole conversation, and hostile mail shown as HTML."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from shared.errors import NotSent
from shared.mail.message import parse
from shared.model import reason
from shared.model.incident import Status
from shared.model.outbound import SendState
from tests.browser.conftest import Served
from tests.browser.test_pages import no_sideways, shoot, sign_in
from tests.support.courier import MemoryPost
from tests.support.mails import mail
from tests.unit.mail.html.test_clean import _HREFS, _VECTORS
from tests.unit.web.test_note_html import PNG

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("browser")]

OUT = {"enabled": True, "host": "smtp.acme.example", "from_name": "Acme Desk"}
DESK = "support@acme.example"
ANNA = "Anna Öz <anna@customer.example>"


def open_incident(page: Page, served: Served, role: str = "agent", number: int = 1) -> None:
    sign_in(page, served, role)
    page.goto(f"{served.address}/incidents/{number}")


def given_a_question(served: Served) -> None:
    served.house.mailbox(outgoing=OUT)
    served.house.receive(mail(ANNA, "Printer on fire", "It burns.\n\nAnna", to=DESK, message_id="<1@customer.example>"))


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_conversation_from_the_first_mail_to_the_last(page: Page, served: Served, width: int, scheme: str) -> None:
    house = served.house
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    given_a_question(served)
    open_incident(page, served)
    shoot(page, f"talk-1-question-{width}-{scheme}")

    page.keyboard.press("r")
    expect(page.get_by_label("Your answer")).to_be_focused()
    expect(page.get_by_label("To", exact=True)).to_have_value(ANNA)
    page.keyboard.type("Please use water.\nA jn?r/ bucket is enough.")
    page.get_by_label("Attachments").first.set_input_files(
        {"name": "Anleitung für Eimer.txt", "mimeType": "text/plain", "buffer": b"1. water"}
    )
    assert no_sideways(page)
    shoot(page, f"talk-2-answering-{width}-{scheme}")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("article").nth(1)).to_contain_text("A jn?r/ bucket is enough.")
    expect(page.get_by_text("Waiting to be sent")).to_be_visible()
    expect(page.locator("#standing .pill")).to_have_text("Waiting")
    shoot(page, f"talk-3-queued-{width}-{scheme}")

    house.send_all()
    expect(page.locator("#footer-2 .pill")).to_have_text("Sent", timeout=8000)
    ((raw, _, recipients),) = house.world.posts["support"].sent
    answer = parse(raw)
    assert recipients == ("anna@customer.example",)
    assert "bucket" in answer.text
    assert [one.name for one in answer.attachments] == ["Anleitung für Eimer.txt"]

    page.get_by_role("button", name="Close").click()
    expect(page.locator("#standing .pill")).to_have_text("Closed")
    reply = mail(
        ANNA,
        answer.subject,
        "It works!\n\n> Please use water.",
        to=DESK,
        message_id="<2@c.example>",
        in_reply_to=answer.message_id or "",
    )
    house.receive(reply, received=house.clock.now)
    assert house.incident(1).status is Status.OPEN
    expect(page.get_by_role("article").nth(2)).to_contain_text("It works!", timeout=12_000)
    expect(page.locator("#standing .pill")).to_have_text("Open")

    page.keyboard.press("n")
    page.keyboard.type("She is happy.")
    assert no_sideways(page)
    shoot(page, f"talk-4-noting-{width}-{scheme}")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("article").nth(3)).to_contain_text("She is happy.")
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator("#standing .pill")).to_have_text("Resolved")
    page.get_by_role("button", name="Reopen").click()
    expect(page.locator("#standing .pill")).to_have_text("Open")
    house.send_all()
    assert len(house.world.posts["support"].sent) == 1
    assert no_sideways(page)
    shoot(page, f"talk-5-whole-{width}-{scheme}")


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_mail_as_html_with_its_pictures(page: Page, served: Served, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    served.house.mailbox(outgoing=OUT)
    html = (
        "<h2>Weekly <i>news</i></h2><p>See <a href='https://evil.example/'>https://bank.example</a>."
        "<table border=1 width=100%><tr><th>Floor<th>Printers<tr><td>3<td>2, <b>burning</b></table>"
        "<p><img src='cid:a.png@mail' width=80 height=40 alt=Plan><blockquote>Hello</blockquote>"
        "<img src='https://tracker.example/pixel.png' width=1 height=1>"
    )
    served.house.deliver(html=html, files=(("a.png", "image/png", PNG),), inline=True)
    open_incident(page, served)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    expect(page.locator(".pictures img")).to_be_visible()
    page.get_by_text("Show as HTML").click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Weekly news")).to_be_visible()
    expect(frame.get_by_text("[evil.example]")).to_be_visible()
    loaded = "image => image.complete && image.naturalWidth > 0"
    expect(frame.get_by_alt_text("Plan")).to_be_visible()
    assert frame.get_by_alt_text("Plan").evaluate(loaded)
    assert all(served.address in one or one.startswith("data:") for one in asked)
    assert no_sideways(page)
    shoot(page, f"html-{width}-{scheme}")


def test_images_from_elsewhere_are_asked_for_only_by_the_reader(chromium: Browser, served: Served) -> None:
    served.house.deliver(html="<p>News<img src='http://tracker.example/pixel.png' alt=pixel>")
    context = chromium.new_context()
    asked: list[str] = []
    told: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        told.extend(route.request.headers.keys() & {"referer", "cookie"})
        route.fulfill(body=PNG, content_type="image/png")

    context.route("https://tracker.example/**", answer)
    page = context.new_page()
    open_incident(page, served)
    page.get_by_text("Show as HTML").click()
    expect(page.frame_locator("iframe").get_by_text("News")).to_be_visible()
    assert asked == []
    page.get_by_role("link", name="Show them").click()
    expect(page.frame_locator("iframe").get_by_alt_text("pixel")).to_be_visible()
    page.wait_for_timeout(300)
    assert (asked, told) == (["https://tracker.example/pixel.png"], [])
    context.close()


CORPUS = [*_VECTORS, *(f'<a href="{href}">x</a><img src="{href}">' for href in _HREFS)]


def test_a_hostile_corpus_shown_as_html_runs_nothing_and_asks_for_nothing(page: Page, served: Served) -> None:
    """``watched`` fails this test for a dialog, a script's error, a broken policy and a request that leaves."""
    assert len(CORPUS) >= 60
    house = served.house
    house.mailbox(outgoing=OUT)
    incidents = -(-len(CORPUS) // 20)
    for start in range(0, len(CORPUS), 20):
        for place, source in enumerate(CORPUS[start : start + 20]):
            join = house.incident(start // 20 + 1) if place else None
            why = reason.REPLY_BY_REFERENCE if place else reason.NEW_INCIDENT
            whole = f"{source}<p>end of the mail"
            house.deliver(source[:200], source, html=whole, join=join, why=why, inline=True)
    sign_in(page, served)
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    for number in range(1, incidents + 1):
        page.goto(f"{served.address}/incidents/{number}")
        title = page.title()
        for summary in page.locator(".laid-out > summary").all():
            summary.click()
        page.wait_for_load_state("networkidle")
        expected = min(20, len(CORPUS) - (number - 1) * 20)
        for _ in range(100):
            # A frame loads when it comes near the window, which takes a moment on a busy machine.
            shown = [frame for frame in page.frames if "/html" in frame.url]
            if len(shown) == expected:
                break
            page.wait_for_timeout(100)
        assert len(shown) == expected
        for frame in shown:
            assert frame.evaluate("[document.scripts.length, self.origin]") == [0, "null"]
            assert (
                frame.evaluate(
                    "document.querySelectorAll('form, input, iframe, object, embed, svg, link, base').length"
                )
                == 0
            )
        assert page.title() == title
        assert page.url == f"{served.address}/incidents/{number}"
        assert len(page.context.pages) == 1
    own = [one for one in asked if re.sub(r"\?.*", "", one).startswith(served.address)]
    assert {one for one in asked if not one.startswith("data:")} == set(own)
    assert all(re.search(r"/(incidents/\d+|html|static/[\w.]+)$", one) for one in own), own


def test_the_same_corpus_by_itself_in_a_tab_is_of_no_origin(page: Page, served: Served) -> None:
    served.house.deliver(html="<script>document.title = 'ours'</script><p>mail<img src=x onerror=alert(1)>")
    sign_in(page, served)
    page.goto(f"{served.address}/api/incidents/1/notes/1/html")
    expect(page.get_by_text("mail")).to_be_visible()
    assert page.title() == "Mail"
    assert page.evaluate("self.origin") == "null"


def test_another_site_cannot_frame_a_mail_or_a_page(chromium: Browser, served: Served) -> None:
    served.house.deliver(html="<p>secret")
    context = chromium.new_context()
    page = context.new_page()
    sign_in(page, served)
    for path in ("/api/incidents/1/notes/1/html", "/incidents/1"):
        page.goto("about:blank")
        page.set_content(f"<iframe src='{served.address}{path}'></iframe>")
        page.wait_for_timeout(300)
        assert all(
            "secret" not in frame.content() and "Printer" not in frame.content()
            for frame in page.frames
            if frame.url.startswith("http")
        )
    context.close()


def test_a_draft_stays_until_it_is_sent(page: Page, served: Served) -> None:
    given_a_question(served)
    open_incident(page, served)
    page.keyboard.press("r")
    page.keyboard.type("Half an answer")
    page.get_by_label("Cc").fill("ben@x.example")
    page.get_by_role("link", name="← Incidents").click()
    page.get_by_role("link", name="Printer on fire").click()
    expect(page.get_by_label("Your answer")).to_have_value("Half an answer")
    expect(page.get_by_label("Cc")).to_have_value("ben@x.example")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("article")).to_have_count(2)
    page.reload()
    expect(page.get_by_label("Your answer")).to_be_hidden()
    page.keyboard.press("r")
    expect(page.get_by_label("Your answer")).to_have_value("")


def test_what_is_wrong_is_told_at_its_field_and_files_stay_chosen(page: Page, served: Served) -> None:
    given_a_question(served)
    open_incident(page, served)
    page.keyboard.press("r")
    page.keyboard.type("Use water.")
    page.get_by_label("Attachments").first.set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"x"})
    page.get_by_label("To", exact=True).fill("nobody")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("Not an e-mail address: nobody")
    expect(page.get_by_role("alert")).not_to_contain_text("files again")
    shoot(page, "talk-wrong-address")
    page.get_by_role("link", name="Not an e-mail address: nobody").click()
    expect(page.get_by_label("To", exact=True)).to_be_focused()
    expect(page.get_by_label("To", exact=True)).to_have_attribute("aria-invalid", "true")
    page.get_by_label("To", exact=True).fill("ben@x.example")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("article").nth(1)).to_contain_text("a.txt")
    assert served.house.incident(1).notes_count == 2


def test_a_mail_that_comes_in_while_somebody_writes_is_shown_and_disturbs_nobody(page: Page, served: Served) -> None:
    given_a_question(served)
    page.clock.install()
    open_incident(page, served)
    page.get_by_text("Quoted text").or_(page.locator("body")).first.hover()
    page.keyboard.press("r")
    page.keyboard.type("Use wa")
    served.house.deliver(text="It is out again.", join=served.house.incident(1), why=reason.REPLY_BY_REFERENCE)
    page.clock.run_for(11_000)
    expect(page.get_by_text("It is out again.")).to_be_visible()
    expect(page.locator("#news")).to_contain_text("Something new came in while you wrote")
    shoot(page, "talk-news")
    page.keyboard.type("ter.")
    expect(page.get_by_label("Your answer")).to_have_value("Use water.")
    expect(page.get_by_label("Your answer")).to_be_focused()
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("article").nth(2)).to_contain_text("Use water.")


def test_who_was_not_told_of_a_new_mail_is_asked_once(page: Page, served: Served) -> None:
    given_a_question(served)
    open_incident(page, served)
    page.keyboard.press("r")
    page.keyboard.type("Use water.")
    served.house.deliver(text="It is out again.", join=served.house.incident(1), why=reason.REPLY_BY_REFERENCE)
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("alert")).to_contain_text("Something new came in while you wrote")
    expect(page.get_by_text("It is out again.")).to_be_visible()
    expect(page.get_by_label("Your answer")).to_have_value("Use water.")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("article").nth(2)).to_contain_text("Use water.")


@pytest.mark.parametrize("width", [360, 1280])
def test_an_answer_in_doubt_is_sent_again_only_after_a_question(page: Page, served: Served, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    given_a_question(served)
    house = served.house
    house.failed_answer(
        SendState.IN_DOUBT,
        "It may have been sent: the connection was lost before the server said whether it took the mail.",
    )
    house.failed_answer(SendState.BOUNCED, "anna@customer.example: 550 5.1.1 no such user")
    house.failed_answer(SendState.FAILED, "The server refused the password. Enter it again.")
    house.world.queues.outbound.clear()
    open_incident(page, served)
    shoot(page, f"talk-doubt-{width}")
    doubtful = page.locator("#note-2")
    expect(doubtful.get_by_role("button", name="Send it again")).to_be_hidden()
    doubtful.get_by_text("Send again").click()
    expect(doubtful.get_by_text("then it arrives twice")).to_be_visible()
    doubtful.get_by_role("button", name="Send it again").click()
    expect(page.locator("#note-2").get_by_text("Waiting to be sent")).to_be_visible()
    refused = NotSent("554 5.7.1 looks like spam.", "Write less.", permanent=True)
    house.world.posts["support"] = MemoryPost(refuses_mail=refused)
    house.send_all()
    expect(page.locator("#note-2").get_by_text("554 5.7.1 looks like spam.")).to_be_visible(timeout=8000)


def test_single_keys_walk_and_help_and_can_be_switched_off(page: Page, served: Served) -> None:
    given_a_question(served)
    served.house.deliver(text="Second.", join=served.house.incident(1), why=reason.REPLY_BY_REFERENCE)
    served.house.deliver("Another")
    sign_in(page, served)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Printer on fire")).to_be_visible()
    page.wait_for_load_state()
    for key, note in (("j", 1), ("j", 2), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(page.get_by_role("article", name=f"Note {note}")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    shoot(page, "talk-keys")
    page.get_by_label("Use single keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    expect(page.get_by_label("Your answer")).to_be_hidden()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    page.get_by_label("Use single keys").check()
    page.get_by_role("button", name="Close help").click()
    page.keyboard.press("n")
    expect(page.get_by_label("Your note")).to_be_focused()
    expect(page.get_by_label("Your answer")).to_be_hidden()
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    expect(page.get_by_label("Your note")).to_be_hidden()
    page.goto(served.address)
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()


def test_without_script_answers_leave_all_the_same(chromium: Browser, served: Served) -> None:
    given_a_question(served)
    served.house.deliver(html="<p>Laid out", join=served.house.incident(1), why=reason.REPLY_BY_REFERENCE)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served.address}/incidents/1")
    page.get_by_label("API key").fill(served.house.keys["acme", "agent"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Show as HTML").click()
    expect(page.frame_locator("iframe").get_by_text("Laid out")).to_be_visible()
    page.locator("#answer > summary").click()
    page.get_by_label("Your answer").fill("Use water.")
    page.get_by_label("To", exact=True).fill("nobody")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("alert")).to_contain_text("Not an e-mail address: nobody")
    expect(page.get_by_label("Your answer")).to_have_value("Use water.")
    page.get_by_label("To", exact=True).fill("anna@customer.example")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("article").nth(2)).to_contain_text("Use water.")
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator("#standing .pill")).to_have_text("Closed")
    context.close()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_list_is_searched_and_narrowed_down(page: Page, served: Served, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    given_a_question(served)
    served.house.deliver("Invoice 2026-1187", group="Billing")
    sign_in(page, served)
    shoot(page, f"list-all-{width}-{scheme}")
    page.get_by_label("Search").fill("printer")
    page.keyboard.press("Enter")
    expect(page.locator("a.item")).to_have_count(1)
    assert no_sideways(page)
    shoot(page, f"list-found-{width}-{scheme}")
    page.get_by_role("link", name="Closed", exact=True).click()
    expect(page.get_by_text("No incident is like that.")).to_be_visible()
    page.get_by_role("link", name="Show all incidents").click()
    expect(page.locator("a.item")).to_have_count(2)
    page.get_by_role("link", name="Printer on fire").click()
    page.get_by_role("link", name="anna@customer.example").first.click()
    expect(page.get_by_label("Reporter")).to_have_value("anna@customer.example")


def test_a_picture_opens_by_itself(chromium: Browser, served: Served) -> None:
    """Not watched: Chromium's own viewer complains that its style is not let in."""
    served.house.deliver(files=(("a.png", "image/png", PNG),), inline=True)
    context = chromium.new_context()
    page = context.new_page()
    open_incident(page, served)
    with context.expect_page() as opened:
        page.locator(".pictures a").click()
    opened.value.wait_for_load_state()
    assert opened.value.evaluate("[document.contentType, self.origin]") == ["image/png", "null"]
    context.close()
