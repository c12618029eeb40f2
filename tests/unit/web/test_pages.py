from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.mail.address import Address
from shared.model import reason
from tests.unit.web.house import House

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "--><script>alert(1)</script>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_write_stays_text_everywhere(house: House, text: str) -> None:
    """Subject, text, quote, names, addresses, groups, attachment names and types."""
    house.mailbox(group=text[:100])
    stranger = Address(text, f"{text}@evil.example")
    house.deliver(text, text, quoted=text, html=text, sender=stranger, files=((text, text, b"x"),), group=text)
    house.deliver(text, sender=stranger, why=reason.NOT_ON_WHITELIST)
    browser = house.browser()
    for path in ("/", "/incidents/1", "/mail"):
        page = browser.get(path).text
        assert "alert(1)" in page or "7 * 7" in page
        assert re.findall(r"<script[^>]*>", page) == re.findall(r'<script src="/static/\w+\.\w+\.js" defer>', page)
        assert "<svg" not in page
        assert re.findall(r"<img[^>]*>", page) == re.findall(
            r'<img src="/static/[^"]*" alt="" width="24" height="24">', page
        )
        assert "49" not in re.sub(r"[0-9a-f]{12,}", "", page)


def test_links_in_a_mail_are_not_live(house: House) -> None:
    house.deliver(text="See https://evil.example/ and javascript:alert(1)")
    page = house.browser().get("/incidents/1").text
    assert "https://evil.example/" in page
    assert 'href="http' not in page
    assert 'href="javascript' not in page


def test_the_list_shows_what_an_agent_needs_to_choose(house: House) -> None:
    house.mailbox()
    house.deliver("Printer on fire", group="Facility")
    page = house.browser("agent").get("/").text
    for text in (
        "INC-000001",
        "Printer on fire",
        "Anna Öz",
        "Open",
        "Facility",
        '<time datetime="2026-11-16T12:00:01Z">',
    ):
        assert text in page


def test_an_incident_is_a_conversation_in_order_with_everything_that_came(house: House) -> None:
    house.deliver("Printer on fire", "It burns.", files=(("plan.pdf", "application/pdf", b"x" * 1500),))
    house.deliver(text="Still burns.", quoted="> It burns.", join=house.incident(1), why=reason.REPLY_BY_REFERENCE)
    page = house.browser("agent").get("/incidents/INC-000001").text
    assert page.index("It burns.") < page.index("Still burns.")
    assert "<summary>Quoted text</summary>" in page
    assert "anna@customer.example" in page
    assert re.search(r'href="/api/incidents/INC-000001/attachments/\w+-0" download', page)
    assert "application/pdf, 1.5 kB" in page
    assert 'href="/api/incidents/INC-000001/notes/2/raw"' in page


def test_related_incidents_are_linked(house: House) -> None:
    house.deliver()
    house.deliver(related=(1,))
    assert '<a href="/incidents/INC-000001">INC-000001</a>' in house.browser().get("/incidents/2").text


def test_a_long_conversation_is_paged(house: House) -> None:
    house.deliver()
    for number in range(100):
        house.deliver(text=f"Note {number}.", join=house.incident(1), why=reason.REPLY_BY_REFERENCE)
    browser = house.browser()
    newest = browser.get("/incidents/1").text
    assert "Note 99." in newest
    assert "Note 98." not in newest
    assert 'href="/incidents/INC-000001?after=0" rel="prev"' in newest
    first = browser.get("/incidents/1?after=0").text
    assert "Note 98." in first
    assert 'href="/incidents/INC-000001?after=100" rel="next"' in first
    # Where somebody answers, he has the newest notes before him.
    assert ("<textarea" in newest, "<textarea" in first) == (True, False)


def test_a_link_to_a_note_shows_the_page_that_it_is_on(house: House) -> None:
    house.deliver()
    for number in range(100):
        house.deliver(text=f"Note {number}.", join=house.incident(1), why=reason.REPLY_BY_REFERENCE)
    browser = house.browser()
    for note, shown in ((1, "It burns."), (100, "Note 98."), (101, "Note 99.")):
        page = browser.get(f"/incidents/1?note={note}").text
        assert f'id="note-{note}"' in page
        assert shown in page
    assert "Note 99." in browser.get("/incidents/1?note=5000").text


def test_older_incidents_are_a_page_further(house: House) -> None:
    for number in range(51):
        house.deliver(f"Mail number {number}.")
    browser = house.browser()
    first = browser.get("/").text
    assert "Mail number 0." not in first
    older = re.search(r'href="(/\?after=[^"]+)"', first)
    assert older is not None
    assert "Mail number 0." in browser.get(older[1]).text


def test_without_a_mailbox_the_page_says_how_to_connect_one(house: House) -> None:
    assert "PUT /api/mailboxes/" in house.browser("admin").get("/").text
    assert "Ask an admin of your desk" in house.browser("agent").get("/").text


def test_without_incidents_the_page_says_where_to_write_to(house: House) -> None:
    house.mailbox()
    page = house.browser("agent").get("/").text
    assert "No incidents yet" in page
    assert 'href="mailto:support%40acme.example"' in page


def test_only_admins_can_poll_now(house: House) -> None:
    house.mailbox()
    assert 'data-poll="support"' in house.browser("admin").get("/").text
    assert "data-poll=" not in house.browser("agent").get("/").text


def test_a_failing_mailbox_says_why_and_what_to_do(house: House) -> None:
    house.mailbox()
    slot = house.app.schedule.get(house.acme, "support")
    assert slot is not None
    house.app.schedule.put(
        replace(
            slot,
            last_poll=slot.created + timedelta(minutes=2),
            failures=3,
            error_code="login_refused",
            error_message="The server refused the password.",
            error_fix="Enter it again.",
        )
    )
    page = house.browser("agent").get("/").text
    assert "polling fails" in page
    assert "The server refused the password. Enter it again." in page


def test_a_whitelist_that_blocks_everyone_is_pointed_out(house: House) -> None:
    house.mailbox(whitelist_enabled=True, whitelist=" , ")
    assert "every mail is held back" in house.browser().get("/").text


def test_the_ledger_page_says_what_became_of_each_mail_and_what_to_do(house: House) -> None:
    house.deliver("Fine")
    house.deliver("Stranger", why=reason.NOT_ON_WHITELIST)
    browser = house.browser("agent")
    everything = browser.get("/mail").text
    assert "Fine" in everything
    assert "Stranger" in everything
    held = browser.get("/mail?outcome=held").text
    assert "Fine" not in held
    assert reason.NOT_ON_WHITELIST.what_to_do.split(".")[0].replace("'", "&#39;") in held
    assert "No mail is failed." in browser.get("/mail?outcome=failed").text


def test_a_ledger_page_with_a_wrong_filter_is_a_page_that_says_so(house: House) -> None:
    answer = house.browser().get("/mail?outcome=lost")
    assert answer.status_code == 422
    assert "Give one of:" in answer.text


def test_a_page_that_did_not_change_is_not_sent_again(house: House) -> None:
    house.deliver()
    browser = house.browser()
    tag = browser.get("/").headers["etag"]
    again = browser.get("/", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    house.deliver("Another")
    assert browser.get("/", headers={"If-None-Match": tag}).status_code == 200


CONVERSATION = ("conversation.css", "conversation.js")


def test_what_does_not_change_on_a_page_weighs_little(house: House) -> None:
    for number in range(50):
        house.deliver(f"Mail number {number}")
    browser = house.browser()
    from shared.web.pages import static

    shared = ("style.css", "page.js", "keys.js", "icon.svg")
    files = {name: len(browser.get(static.address(name)).content) for name in (*shared, *CONVERSATION)}
    assert len(browser.get("/").content) + sum(files[name] for name in shared) < 100_000
    assert len(browser.get("/incidents/1").content) + sum(files.values()) < 100_000


def test_templates_hold_neither_inline_script_nor_inline_style(house: House) -> None:
    """The policy would block them, silently."""
    from pathlib import Path

    from shared.web.pages import render

    for template in (Path(render.__file__).parent / "templates").iterdir():
        text = template.read_text()
        assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?! src)|\|\s*safe", text), template.name


@pytest.mark.parametrize("path", ["/incidents/999", "/nothing/here", "/mail/" + "0" * 32])
def test_an_error_leaves_whoever_is_signed_in_a_way_on(house: House, path: str) -> None:
    answer = house.browser().get(path)
    assert answer.status_code == 404
    assert '<a href="/mail">Mail</a>' in answer.text
    assert "Sign out" in answer.text


def test_an_error_shows_a_stranger_no_pages(house: House) -> None:
    stranger = house.browser()
    stranger.cookies.clear()
    answer = stranger.get("/nothing/here")
    assert answer.status_code == 404
    assert 'href="/mail"' not in answer.text
    assert "Sign out" not in answer.text


def test_what_an_agent_may_not_do_is_said_on_a_page_of_his_own(house: House) -> None:
    answer = house.browser("agent").get("/tenant")
    assert answer.status_code == 403
    assert '<a href="/mail">Mail</a>' in answer.text
    assert 'href="/tenant"' not in answer.text
