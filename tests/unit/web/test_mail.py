from __future__ import annotations

import pytest

from shared.model import reason
from tests.unit.web.house import House


def test_a_mail_in_the_ledger_has_exactly_these_fields(house: House) -> None:
    house.deliver("Printer on fire", raw=b"x" * 39)
    (item,) = house.client("agent").get("/api/mail").json()["items"]
    assert len(item.pop("id")) == 32
    assert item == {
        "mailbox": "support",
        "received": "2026-11-16T12:00:01Z",
        "from": "anna@customer.example",
        "subject": "Printer on fire",
        "outcome": "delivered",
        "reason": "new_incident",
        "incident": "INC-000001",
        "note": 1,
        "size": 39,
    }


def test_a_mail_by_itself_explains_what_was_tried(house: House) -> None:
    house.deliver(why=reason.NOT_ON_WHITELIST)
    (item,) = house.client("agent").get("/api/mail").json()["items"]
    found = house.client("agent").get(f"/api/mail/{item['id']}").json()
    assert found == item | {"trace": [{"rule": "rule", "hit": True, "why": "because <b>"}]}
    assert (item["outcome"], item["reason"], item["incident"]) == ("held", "not_on_whitelist", None)


def test_mail_is_filtered_by_outcome_reason_and_mailbox(house: House) -> None:
    house.deliver("one")
    house.deliver("two", why=reason.NOT_ON_WHITELIST)
    house.deliver("three", mailbox="sales")

    def subjects(query: str) -> set[str]:
        return {item["subject"] for item in house.client().get(f"/api/mail?{query}").json()["items"]}

    assert subjects("outcome=held") == {"two"}
    assert subjects("reason=new_incident") == {"one", "three"}
    assert subjects("mailbox=sales") == {"three"}
    assert subjects("outcome=delivered&mailbox=support") == {"one"}
    assert subjects("outcome=&reason=&mailbox=") == {"one", "two", "three"}


@pytest.mark.parametrize(
    ("query", "field"), [("outcome=lost", "outcome"), ("limit=201", "limit"), ("outcom=held", "outcom")]
)
def test_a_wrong_query_is_named(house: House, query: str, field: str) -> None:
    answer = house.client().get(f"/api/mail?{query}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("id", ["0" * 32, "x", "0" * 31, "0" * 33, "G" * 32, "..", "0" * 32 + "%0A"])
def test_an_id_that_is_none_is_a_404(house: House, id: str) -> None:
    assert house.client().get(f"/api/mail/{id}").status_code == 404
