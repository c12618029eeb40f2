"""The list of incidents narrowed down, and searched as far as one request reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.flows import reply
from shared.mail.address import Address
from shared.model import reason
from shared.model.incident import Status
from shared.web import search
from shared.web.app import build
from tests.unit.web.house import ADMIN_KEY, House

BEN = Address("Benjamin Weiß", "Ben@Partner.example")


def ask(house: House, **query: Any) -> Any:
    answer = house.client("agent").get("/api/incidents", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def numbers(house: House, **query: Any) -> list[int]:
    return [int(item["number"][4:]) for item in ask(house, **query)["items"]]


@pytest.fixture
def desk(house: House) -> House:
    house.deliver("Printer on fire")
    house.deliver("Invoice ２０２６-1187", sender=BEN, group="Billing", mailbox="billing")
    house.deliver("GRÜSSE aus Köln", sender=BEN)
    return house


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("printer", [1]),
        ("FIRE printer", [1]),
        ("fire invoice", []),
        ("anna", [1]),
        ("customer.example", [1]),
        ("weiss", [3, 2]),
        ("ben@partner.example", [3, 2]),
        ("ben grüsse", [3]),
        ("köln", [3]),
        ("2026-1187", [2]),
        ("INC-000002", [2]),
        ("inc-2", [2]),
        ("2", [2]),
        ("000002", [2]),
        ("2026", [2]),
        ("  ", [3, 2, 1]),
        ("' or 1 eq 1", []),
        ("%", []),
        ("x" * 200, []),
    ],
)
def test_words_are_found_in_numbers_subjects_and_people(desk: House, q: str, found: list[int]) -> None:
    assert numbers(desk, q=q) == found


def test_a_number_stands_before_what_only_mentions_it(desk: House) -> None:
    desk.deliver("About 1 and 2")
    assert numbers(desk, q="2") == [2, 4]
    assert numbers(desk, q="2", limit=1) == [2]
    following = ask(desk, q="2", limit=1)["next"]
    assert numbers(desk, q="2", limit=1, after=following) == [4]


def test_who_takes_part_is_found_as_well(desk: House) -> None:
    desk.deliver(sender=BEN, join=desk.incident(1), why=reason.REPLY_BY_REFERENCE)
    desk.client().post("/api/incidents/1/notes", json={"kind": "internal", "text": "x"})
    assert 1 in numbers(desk, q="anna")


def test_filters_and_words_hold_together(desk: House) -> None:
    assert numbers(desk, reporter="ben@partner.example") == [3, 2]
    assert numbers(desk, reporter="BEN@partner.EXAMPLE", group="Billing") == [2]
    assert numbers(desk, reporter="ben") == []
    assert numbers(desk, q="ben", mailbox="billing") == [2]
    assert numbers(desk, q="2", mailbox="support") == []
    assert numbers(desk, q="2", status="closed") == []
    assert numbers(desk, q="2", reporter="anna@customer.example") == []
    reply.set_status(desk.app, desk.acme, 3, Status.CLOSED)
    assert numbers(desk, q="ben", status="closed") == [3]


def test_without_words_nothing_is_searched(desk: House) -> None:
    assert ask(desk)["searched"] is None
    assert ask(desk, q="printer")["searched"] == 3


def test_pages_of_found_incidents_have_neither_gaps_nor_repeats(house: House) -> None:
    for number in range(1, 31):
        house.deliver("even" if number % 2 == 0 else "odd")
    seen, after = [], ""
    while True:
        page = ask(house, q="even", limit=4, after=after)
        seen += [int(item["number"][4:]) for item in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == list(range(30, 0, -2))


@pytest.mark.parametrize("q", ["", "mail"])
def test_paging_stays_right_while_new_ones_arrive(house: House, q: str) -> None:
    for number in range(1, 8):
        house.deliver(f"Mail {number}")
    first = ask(house, q=q, limit=3)
    house.deliver("Mail 8")
    # One that was on the first page, and one that comes later, are active again.
    house.deliver(join=house.incident(7), why=reason.REPLY_BY_REFERENCE)
    house.deliver(join=house.incident(2), why=reason.REPLY_BY_REFERENCE)
    second = ask(house, q=q, limit=3, after=first["next"])
    assert [item["number"] for item in first["items"]] == ["INC-000007", "INC-000006", "INC-000005"]
    # Number 2 went to the front, where it is new again; nothing is told twice, nothing of the rest is left out.
    assert [item["number"] for item in second["items"]] == ["INC-000004", "INC-000003", "INC-000001"]
    assert second["next"] is None
    assert numbers(house, q=q)[:3] == [2, 7, 8]


def test_a_search_reads_so_many_and_says_that_there_are_more(house: House) -> None:
    house.deliver("needle")
    for _ in range(search.MOST_READ):
        house.deliver("hay")
    browser, client = house.browser(), house.client("agent")
    cut = client.get("/api/incidents", params={"q": "needle"}).json()
    assert (cut["items"], cut["searched"]) == ([], search.MOST_READ)
    rest = client.get("/api/incidents", params={"q": "needle", "after": cut["next"]}).json()
    assert [item["number"] for item in rest["items"]] == ["INC-000001"]
    assert (rest["next"], rest["searched"]) == (None, 1)
    page = browser.get("/", params={"q": "needle"}).text
    assert f"{search.MOST_READ} incidents were searched" in page
    assert "Search older ones" in page
    assert 'id="live" data-every' not in page


def test_a_search_asks_storage_a_few_times_only(house: House) -> None:
    for _ in range(60):
        house.deliver("hay")
    asked: list[int] = []
    desk = house.app.desk

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(desk, name)

        def incidents(self, *arguments: Any) -> Any:
            asked.append(arguments[-1])
            return desk.incidents(*arguments)

    web = build(replace(house.app, desk=Counting()), ADMIN_KEY)
    House(house.world, web, house.keys).client().get("/api/incidents", params={"q": "hay", "limit": 50})
    assert asked == [search.READ_AT_ONCE, 50]


@pytest.mark.parametrize(("name", "value"), [("q", "x" * 201), ("reporter", "x" * 321), ("search", "x")])
def test_a_query_that_cannot_be_is_named(house: House, name: str, value: str) -> None:
    answer = house.client().get("/api/incidents", params={name: value})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [name]


# ── on the page ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_keeps_its_filters_from_link_to_link(desk: House) -> None:
    desk.mailbox("billing", group="Billing")
    browser = desk.browser("agent")
    page = browser.get("/", params={"q": "ben", "group": "Billing"}).text
    assert "Invoice" in page
    assert "Printer" not in page
    assert (
        'href="/?status=closed&amp;group=Billing&amp;q=ben"' in page
        or 'href="/?group=Billing&amp;q=ben&amp;status=closed"' in page
    )
    assert "<option selected>Billing</option>" in page
    assert 'value="ben"' in page
    assert "No incident is like that." in browser.get("/", params={"q": "nothing"}).text
    assert 'name="reporter"' in browser.get("/", params={"reporter": "ben@partner.example"}).text
    assert browser.get("/", params={"after": "x"}).status_code == 422


@pytest.mark.parametrize("text", ['"><script>alert(1)</script>', "'; x", "{{ 7 * 7 }}"])
def test_what_is_searched_for_stays_text(desk: House, text: str) -> None:
    page = desk.browser().get("/", params={"q": text, "group": text, "mailbox": text, "reporter": text}).text
    assert text not in page or text == "{{ 7 * 7 }}"
    assert "<script>" not in page
