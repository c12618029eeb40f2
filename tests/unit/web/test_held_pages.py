"""Held mail on the pages: seen, counted, found, released, discarded, allowed, explained."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from shared.mail.address import Address
from shared.model import reason
from shared.model.inbound import Inbound
from shared.model.reason import Outcome
from shared.store import keys
from shared.store.tables import Insert
from shared.web.pages.standing import MOST_HELD, MOST_HELD_IN_LISTS
from tests.support.mails import mail
from tests.unit.web.house import House
from tests.unit.web.test_pages import HOSTILE

ANNA = mail("Anna <anna@customer.example>", "Let me in")
ACTIONS = ["release", "discard", "allow", "retry"]


@pytest.fixture
def held(house: House) -> Inbound:
    """Anna's mail, held by an empty whitelist."""
    house.mailbox(whitelist_enabled=True)
    return house.receive(ANNA)


def forms(page: str) -> dict[str, dict[str, str]]:
    """What can be done on a page: address of each form, with its fields."""
    found = re.findall(r'<form method="post" action="(/mail/[^"]+)">(.*?)</form>', page, re.DOTALL)
    return {
        action: dict(
            re.findall(r'name="(\w+)" value="([^"]*)"', html.unescape(inner).replace("&amp;", "&")),
        )
        for action, inner in found
    }


def main(page: str) -> str:
    return page[page.index("<main") : page.index("</main>")]


# ── how many ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_page_counts_what_each_mailbox_holds_and_leads_there(house: House) -> None:
    house.mailbox()
    house.mailbox("billing", email="billing@acme.example")
    house.mailbox("sales", email="sales@acme.example")
    house.deliver("one", why=reason.NOT_ON_WHITELIST)
    house.deliver("two", why=reason.TOO_MANY)
    house.deliver("three", why=reason.NOT_ON_WHITELIST, mailbox="billing")
    house.deliver("four")
    browser = house.browser("agent")
    page = browser.get("/").text
    links = re.findall(r'<a class="held" href="([^"]+)">([^<]+)</a>', page)
    assert [(html.unescape(href), text) for href, text in links] == [
        ("/mail?outcome=held&mailbox=billing", "1 held mail"),
        ("/mail?outcome=held&mailbox=support", "2 held mails"),
    ]
    assert set(_subjects(browser.get(html.unescape(links[1][0])).text)) == {"one", "two"}


def hold(house: House, count: int) -> None:
    """So many more held mails of mailbox support, as far as counting looks at them."""
    for start in range(0, count, 100):
        rows = [
            Insert(keys.entry(Outcome.HELD, house.clock.now, f"{number:032x}"), {"mailbox": "support"})
            for number in range(start, min(start + 100, count))
        ]
        house.world.tables.commit("desk", house.acme, rows)


def test_lists_count_held_mail_up_to_a_point(house: House) -> None:
    house.mailbox()
    house.mailbox("billing", email="billing@acme.example")
    hold(house, MOST_HELD_IN_LISTS - 1)
    house.deliver(why=reason.NOT_ON_WHITELIST, mailbox="billing")
    for path in ("/", "/mailboxes"):
        page = house.browser().get(path).text
        assert ">1 held mail<" in page
        assert f">{MOST_HELD_IN_LISTS - 1} held mails<" in page
    house.deliver(why=reason.NOT_ON_WHITELIST, mailbox="billing")
    for path in ("/", "/mailboxes"):
        page = house.browser().get(path).text
        assert ">2+ held mails<" in page
        assert f">{MOST_HELD_IN_LISTS - 2}+ held mails<" in page


def test_the_page_of_a_mailbox_counts_further_and_says_where_it_stopped(house: House) -> None:
    house.mailbox()
    hold(house, MOST_HELD)
    assert f">{MOST_HELD} held mails<" in house.browser().get("/mailboxes/support").text
    house.deliver(why=reason.NOT_ON_WHITELIST)
    assert f">{MOST_HELD}+ held mails<" in house.browser().get("/mailboxes/support").text


def test_status_says_of_which_outcomes_there_may_be_more(house: House) -> None:
    house.mailbox()
    hold(house, 10_001)
    status = house.client().get("/api/mailboxes/support/status").json()
    assert (status["counts"]["held"], status["counts_at_least"]) == (10_000, ["held"])


def test_a_mailbox_that_is_paused_says_so(house: House) -> None:
    house.mailbox()
    slot = house.app.schedule.get(house.acme, "support")
    assert slot is not None
    house.app.schedule.put(
        replace(slot, last_poll=slot.created, failures=3, paused=True, error_message="Refused.", error_fix="Enter it.")
    )
    page = house.browser().get("/").text
    assert "paused until you act" in page
    assert "Refused. Enter it." in page


# ── finding it ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_list_is_narrowed_by_outcome_reason_and_mailbox_and_stays_so_when_paged(house: House) -> None:
    house.mailbox()
    for number in range(51):
        house.deliver(f"mail {number}", why=reason.NOT_ON_WHITELIST, mailbox="old box")
    house.deliver("other reason", why=reason.TOO_MANY, mailbox="old box")
    house.deliver("other mailbox", why=reason.NOT_ON_WHITELIST)
    house.deliver("other outcome", mailbox="old box")
    browser = house.browser("agent")
    query = "outcome=held&reason=not_on_whitelist&mailbox=old+box"
    first = browser.get(f"/mail?{query}").text
    assert _subjects(first) == [f"mail {number}" for number in range(50, 0, -1)]
    (older,) = re.findall(r'href="([^"]+)" rel="next"', first)
    older = html.unescape(older)
    assert older.startswith(f"/mail?{query}&after=")
    second = browser.get(older).text
    assert _subjects(second) == ["mail 0"]
    assert f'<a href="{html.escape("/mail?" + query)}">Newest</a>' in second


def test_the_filters_show_what_is_chosen(house: House) -> None:
    house.mailbox()
    page = house.browser().get("/mail?outcome=held&reason=too_many&mailbox=gone").text
    assert re.findall(r"<option[^>]* selected>([^<]+)", page) == ["Too many", "gone"]
    assert re.findall(r'aria-current="true">([^<]+)', page) == ["Held"]
    assert '<input type="hidden" name="outcome" value="held">' in page
    offered = set(re.findall(r'<option value="(\w+)"', page))
    assert offered == {one.code for one in reason.ALL if one.outcome == "held"}
    assert "No mail is like that." in page


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_filter_stays_text(house: House, text: str) -> None:
    page = house.browser().get("/mail", params={"mailbox": text, "reason": text}).text
    assert f"<option selected>{html.escape(text).replace('&quot;', '&#34;').replace('&#x27;', '&#39;')}" in page
    assert text not in page or text in ("javascript:alert(1)", "{{ 7 * 7 }}{% raw %}")


def test_a_place_that_is_none_is_a_page_that_says_so(house: House) -> None:
    answer = house.browser().get("/mail?after=nonsense")
    assert answer.status_code == 422
    assert "no place in this list" in answer.text


# ── doing something about it ──────────────────────────────────────────────────────────────────────────────────────


def test_the_list_offers_what_each_mail_needs_and_leads_back_to_itself(house: House, held: Inbound) -> None:
    query = "outcome=held&mailbox=support"
    found = forms(house.browser().get(f"/mail?{query}").text)
    assert set(found) == {f"/mail/{held.id}/{action}" for action in ("release", "allow", "discard")}
    browser = house.browser()
    answer = browser.post(f"/mail/{held.id}/release", data=found[f"/mail/{held.id}/release"])
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/mail?{query}&did={held.id}"
    back = browser.get(answer.headers["location"]).text
    assert 'role="status"' in back
    assert "Let me in" in back
    assert 'data-every="2"' in back
    house.world.convert_all()
    now = browser.get(answer.headers["location"]).text
    assert 'href="/incidents/INC-000001' in now
    assert 'data-every="10"' in now


@pytest.mark.parametrize("action", ["release", "discard", "allow"])
def test_from_its_own_page_one_comes_back_to_its_own_page(house: House, held: Inbound, action: str) -> None:
    browser = house.browser()
    address = f"/mail/{held.id}/{action}"
    found = forms(browser.get(f"/mail/{held.id}").text)
    assert found[address] == {}
    answer = browser.post(address)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/mail/{held.id}")
    outcome = {"release": "Pending", "discard": "Discarded", "allow": "Pending"}[action]
    assert f">{outcome}</span>" in browser.get(f"/mail/{held.id}").text


def test_what_was_discarded_can_still_be_released(house: House, held: Inbound) -> None:
    browser = house.browser("agent")
    browser.post(f"/mail/{held.id}/discard")
    assert set(forms(browser.get(f"/mail/{held.id}").text)) == {f"/mail/{held.id}/release"}


def test_a_mail_that_failed_can_be_tried_again(house: House) -> None:
    house.mailbox()
    house.deliver(why=reason.CONVERSION_FAILED)
    (row,) = house.world.ledger(house.acme)
    browser = house.browser("agent")
    assert set(forms(browser.get("/mail").text)) == {f"/mail/{row.id}/retry"}
    assert browser.post(f"/mail/{row.id}/retry").status_code == 303
    assert house.mail(row.id).outcome == "pending"


def test_agents_are_not_offered_what_only_admins_may_do(house: House, held: Inbound) -> None:
    browser = house.browser("agent")
    for path in ("/mail", f"/mail/{held.id}"):
        assert f"/mail/{held.id}/allow" not in forms(browser.get(path).text)
    answer = browser.post(f"/mail/{held.id}/allow")
    assert answer.status_code == 403
    assert "admin" in answer.text
    assert house.mail(held.id) == held


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example/",
        "/mail//evil.example",
        "/mail?outcome=held\r\nSet-Cookie: a=b",
        "/mail?outcome=held#x",
        "/mailx",
        "/",
        "javascript:alert(1)",
        "/mail?" + "a" * 5000,
    ],
)
def test_no_form_leads_to_another_site(house: House, held: Inbound, back: str) -> None:
    answer = house.browser().post(f"/mail/{held.id}/release", data={"back": back})
    assert answer.headers["location"] == f"/mail/{held.id}"


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {}],
)
def test_another_sites_form_does_nothing(house: House, held: Inbound, headers: dict[str, str], action: str) -> None:
    browser = house.browser()
    del browser.headers["Sec-Fetch-Site"]
    answer = browser.post(f"/mail/{held.id}/{action}", headers=headers)
    assert answer.status_code == 403
    assert house.mail(held.id) == held
    assert not house.world.queues.inbound


@pytest.mark.parametrize("action", ACTIONS)
def test_the_signed_out_and_other_tenants_do_nothing(house: House, held: Inbound, action: str) -> None:
    path = f"/mail/{held.id}/{action}"
    assert house.client(None).post(path).status_code == 401
    assert house.browser("admin", "other").post(path).status_code == 404
    assert house.browser("admin", "other").get(f"/mail/{held.id}").status_code == 404
    assert house.browser().get(path).status_code == 405
    assert house.mail(held.id) == held


@pytest.mark.parametrize("id", ["0" * 32, "x", "...", "0" * 33, "G" * 32])
def test_an_id_that_is_none_is_a_page_404(house: House, held: Inbound, id: str) -> None:
    browser = house.browser()
    assert browser.get(f"/mail/{id}").status_code == 404
    for action in ACTIONS:
        assert browser.post(f"/mail/{id}/{action}").status_code in (404, 405)
    assert browser.get("/mail", params={"did": id}).status_code in (200, 422)


def test_what_is_too_late_is_told_in_words(house: House, held: Inbound) -> None:
    browser = house.browser()
    assert browser.post(f"/mail/{held.id}/discard").status_code == 303
    answer = browser.post(f"/mail/{held.id}/discard")
    assert answer.status_code == 409
    assert "This mail is not held (any more): it is discarded." in answer.text


def test_signing_in_leads_to_the_mail_that_was_asked_for(house: House, held: Inbound) -> None:
    path = f"/mail/{held.id}"
    asked = house.client(None).get(path)
    assert asked.headers["location"] == f"/sign-in?next=%2Fmail%2F{held.id}"
    answer = house._client({"Sec-Fetch-Site": "same-origin"}).post(
        "/sign-in", data={"key": house.keys["acme", "agent"], "next": path}
    )
    assert answer.headers["location"] == path


# ── why ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mails_page_tells_outcome_reason_and_the_rules_in_order(house: House, held: Inbound) -> None:
    page = main(house.browser("agent").get(f"/mail/{held.id}").text)
    for text in ("Let me in", ">Held</span>", reason.NOT_ON_WHITELIST.meaning, "<code>not_on_whitelist</code>"):
        assert text in page
    rules = re.findall(r"<tr[^>]*><td><code>(\w+)</code></td>", page)
    assert rules == [step.rule for step in held.trace]
    (decided,) = re.findall(r'<tr class="hit"><td><code>(\w+)</code></td><td><strong>Decided</strong>', page)
    assert decided == "on_whitelist"
    assert "no entry matches anna@customer.example" in page


def test_a_released_mails_page_says_who_released_it(house: House, held: Inbound) -> None:
    house.browser().post(f"/mail/{held.id}/release")
    house.world.convert_all()
    page = house.browser().get(f"/mail/{held.id}").text
    assert re.search(r"Released by <bdi>admin key [0-9a-f]+</bdi>", page)
    assert 'href="/incidents/INC-000001' in page


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_mail_stays_text_where_it_is_explained(house: House, text: str) -> None:
    """Subject, sender and what the rules quote of them."""
    house.mailbox()
    stranger = Address(text, f"{text}@evil.example")
    house.deliver(text, sender=stranger, why=reason.NOT_ON_WHITELIST, because=f"no entry matches {text}")
    (row,) = house.world.ledger(house.acme)
    browser = house.browser()
    for path in (f"/mail/{row.id}", "/mail?outcome=held", f"/mail?did={row.id}"):
        page = browser.get(path).text
        assert "alert(1)" in page or "7 * 7" in page
        assert re.findall(r"<script[^>]*>", page) == re.findall(r'<script src="/static/\w+\.\w+\.js" defer>', page)
        assert "<svg" not in page
        assert "<img" not in main(page)


def _subjects(page: str) -> list[str]:
    return re.findall(r'<td class="subject">\s*<a [^>]+><bdi>([^<]+)</bdi>', page)
