from __future__ import annotations

from typing import Any

import pytest

from shared.model import reason
from shared.model.doorbell import InboundBell
from shared.model.inbound import Inbound
from shared.model.reason import Reason
from tests.support.mails import mail
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


@pytest.mark.parametrize(
    "after", ["x", "1", "0" * 15, "000000000000001:0000000001", "z" * 5000, "0" * 15 + ":" + "G" * 32]
)
def test_a_place_that_is_none_is_refused_by_name(house: House, after: str) -> None:
    answer = house.client().get("/api/mail", params={"after": after})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["after"]


def test_the_list_goes_on_where_it_says_with_the_same_filter(house: House) -> None:
    for number in range(5):
        house.deliver(f"held {number}", why=reason.NOT_ON_WHITELIST)
        house.deliver(f"delivered {number}")
    found, after = [], ""
    while after is not None:
        page = house.client().get("/api/mail", params={"outcome": "held", "limit": 2, "after": after}).json()
        found += [item["subject"] for item in page["items"]]
        after = page["next"]
    assert found == [f"held {number}" for number in (4, 3, 2, 1, 0)]


# ── what people do with held mail ─────────────────────────────────────────────────────────────────────────────────

ANNA = mail("Anna <anna@customer.example>", "Let me in")
ACTIONS = ["release", "discard", "allow", "retry"]


@pytest.fixture
def held(house: House) -> Inbound:
    """Anna's mail, held by an empty whitelist."""
    house.mailbox(whitelist_enabled=True)
    found = house.receive(ANNA)
    assert found.reason == "not_on_whitelist"
    return found


def _post(house: House, id: str, action: str, role: str = "admin", tenant: str = "acme") -> Any:
    return house.client(role, tenant).post(f"/api/mail/{id}/{action}")


@pytest.mark.parametrize("role", ["admin", "agent"])
def test_a_released_mail_becomes_an_incident_whatever_held_it(house: House, held: Inbound, role: str) -> None:
    answer = _post(house, held.id, "release", role)
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["outcome"], answer.json()["reason"]) == (held.id, "pending", "waiting")
    house.world.convert_all()
    found = house.client("agent").get(f"/api/mail/{held.id}").json()
    assert (found["outcome"], found["reason"], found["incident"]) == ("delivered", "new_incident", "INC-000001")
    assert any("released by a person" in step["why"] for step in found["trace"])


@pytest.mark.parametrize("role", ["admin", "agent"])
def test_a_discarded_mail_stays_in_the_ledger_and_says_who_discarded_it(house: House, held: Inbound, role: str) -> None:
    found = _post(house, held.id, "discard", role).json()
    assert (found["outcome"], found["reason"], found["incident"]) == ("discarded", "discarded_by_person", None)
    assert found["trace"][-1]["why"].startswith(f"{role} key ")
    assert _post(house, held.id, "release", role).status_code == 200
    house.world.convert_all()
    assert house.mail(held.id).incident == 1


def test_always_allow_takes_the_sender_and_all_of_his_held_mail(house: House, held: Inbound) -> None:
    house.receive(mail("Anna <ANNA@customer.example>", "And another", message_id="<2@example.com>"))
    house.receive(mail("Eve <eve@elsewhere.example>", "Not me", message_id="<3@example.com>"))
    answer = _post(house, held.id, "allow")
    assert (answer.status_code, answer.json()) == (200, {"released": 2})
    house.world.convert_all()
    assert house.client().get("/api/mailboxes/support").json()["whitelist"] == "anna@customer.example"
    listed = house.client().get("/api/mail").json()["items"]
    outcomes = {item["subject"]: item["outcome"] for item in listed}
    assert outcomes == {"Let me in": "delivered", "And another": "delivered", "Not me": "held"}
    later = house.receive(mail("Anna <anna@customer.example>", "Tomorrow", message_id="<4@example.com>"))
    assert later.outcome == "delivered"


def test_the_whitelist_is_the_admins(house: House, held: Inbound) -> None:
    assert _post(house, held.id, "allow", "agent").status_code == 403
    assert house.mail(held.id) == held
    assert house.client().get("/api/mailboxes/support").json()["whitelist"] == ""


def test_a_mail_that_failed_can_be_tried_again(house: House) -> None:
    house.mailbox()
    house.deliver(why=reason.CONVERSION_FAILED)
    (row,) = house.world.ledger(house.acme)
    assert _post(house, row.id, "retry", "agent").json()["outcome"] == "pending"
    assert [InboundBell.decode(bell).id for bell in house.world.queues.inbound] == [row.id]


@pytest.mark.parametrize("action", ACTIONS)
def test_what_another_tenant_has_held_does_not_exist(house: House, held: Inbound, action: str) -> None:
    answer = _post(house, held.id, action, tenant="other")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert house.mail(held.id) == held


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("id", ["0" * 32, "x", "0" * 31, "G" * 32, "0" * 32 + "%0A", "%F0%9F%92%A5"])
def test_nothing_can_be_done_with_an_id_that_is_none(house: House, held: Inbound, id: str, action: str) -> None:
    assert _post(house, id, action).status_code == 404
    assert house.mail(held.id) == held


@pytest.mark.parametrize(
    ("why", "possible"),
    [
        (reason.NEW_INCIDENT, set()),
        (reason.OWN_MAIL, set()),
        (reason.SAME_MAIL, set()),
        (reason.UNFETCHABLE, set()),
        (reason.CONVERSION_FAILED, {"retry"}),
        (reason.TOO_MANY, {"release", "discard"}),
    ],
    ids=lambda value: value.code if isinstance(value, Reason) else "",
)
def test_what_makes_no_sense_for_a_mail_is_a_409_and_changes_nothing(
    house: House, why: Reason, possible: set[str]
) -> None:
    house.mailbox()
    house.deliver(why=why)
    before = house.mail(house.world.ledger(house.acme)[0].id)
    for action in ACTIONS:
        if action in possible or (why is reason.TOO_MANY and action == "allow"):
            continue
        answer = _post(house, before.id, action)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict"), action
        assert house.mail(before.id) == before


def test_a_mail_is_released_once(house: House, held: Inbound) -> None:
    assert _post(house, held.id, "release").status_code == 200
    assert _post(house, held.id, "release").status_code == 409
    assert _post(house, held.id, "discard").status_code == 409
    house.world.convert_all()
    assert _post(house, held.id, "release").status_code == 409
    assert len(house.world.incidents(house.acme)) == 1
