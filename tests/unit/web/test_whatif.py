"""What the kept mail would have become under other settings."""

from __future__ import annotations

from typing import Any

import pytest

from shared.flows import whatif
from tests.support.mails import mail
from tests.unit.web.house import SETTINGS, House

ANNA = mail("Anna <anna@customer.example>", "From Anna", message_id="<1@customer.example>")
EVE = mail("Eve <eve@elsewhere.example>", "<script>From Eve</script>", message_id="<2@elsewhere.example>")
CUSTOMERS: dict[str, Any] = {"whitelist_enabled": True, "whitelist": "customer.example"}
NOTHING_MORE = {"incident": None, "status": None, "reporter": None}
OPEN = NOTHING_MORE | {"status": "open"}
NONE = {"pending": 0, "delivered": 0, "held": 0, "discarded": 0, "duplicate": 0, "failed": 0}


@pytest.fixture
def desk(house: House) -> House:
    """A mailbox that lets everybody in, and two mails that it let in."""
    house.mailbox()
    house.receive(ANNA)
    house.receive(EVE)
    return house


def ask(house: House, settings: dict[str, Any], role: str = "admin", **more: Any) -> Any:
    body = {"settings": SETTINGS | settings, **more}
    return house.client(role).post("/api/mailboxes/support/what-if", json=body)


def test_it_names_the_mails_that_would_become_something_else_and_why(desk: House) -> None:
    answer = ask(desk, CUSTOMERS)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["looked_at"], found["complete"]) == (2, True)
    assert found["before"] == NONE | {"delivered": 2}
    assert found["after"] == NONE | {"delivered": 1, "held": 1}
    (difference,) = found["differences"]
    eves = next(item for item in desk.client().get("/api/mail").json()["items"] if "Eve" in item["subject"])
    assert difference["mail"] == eves
    assert difference["would"] == {"outcome": "held", "reason": "not_on_whitelist"} | NOTHING_MORE
    assert difference["trace"][-1] == {
        "rule": "on_whitelist",
        "hit": True,
        "why": "no entry matches eve@elsewhere.example",
    }


def test_it_changes_nothing(desk: House) -> None:
    rows = desk.world.tables.rows  # type: ignore[attr-defined]
    before, rung = dict(rows), list(desk.world.queues.inbound)
    assert ask(desk, CUSTOMERS).json()["differences"]
    assert dict(rows) == before
    assert list(desk.world.queues.inbound) == rung
    assert desk.client().get("/api/mailboxes/support").json()["whitelist_enabled"] is False


def test_settings_as_they_are_make_no_difference(desk: House) -> None:
    found = ask(desk, {}).json()
    assert found["differences"] == []
    assert found["before"] == found["after"] == NONE | {"delivered": 2}


def test_a_mail_that_a_whitelist_held_would_be_let_in_without_it(house: House) -> None:
    house.mailbox(**CUSTOMERS)
    house.receive(EVE)
    (difference,) = ask(house, {}).json()["differences"]
    assert difference["mail"]["outcome"] == "held"
    assert difference["would"] == {"outcome": "delivered", "reason": "new_incident"} | OPEN


def test_an_answer_that_would_join_its_incident_says_which(house: House) -> None:
    house.mailbox(**CUSTOMERS)
    question = mail("Anna <anna@customer.example>", message_id="<1@customer.example>", cc="bob@partner.example")
    house.receive(question)
    bob = "Bob <bob@partner.example>"
    house.receive(mail(bob, "Re: Printer", message_id="<9@p.example>", in_reply_to="<1@customer.example>"))
    (difference,) = ask(house, {}).json()["differences"]
    joined = {"outcome": "delivered", "reason": "reply_by_reference", "incident": "INC-000001"}
    assert difference["would"] == NOTHING_MORE | joined  # older than the mailbox: it opens nothing again


def test_old_mail_that_would_become_closed_incidents_says_so(desk: House) -> None:
    found = ask(desk, {"old_mail": "closed"}).json()
    verdicts = [difference["would"] for difference in found["differences"]]
    closed = {"outcome": "delivered", "reason": "old_incident", "status": "closed"}
    assert verdicts == [NOTHING_MORE | closed] * 2
    assert found["before"] == found["after"]


def test_only_the_days_that_were_asked_for_are_looked_at(desk: House) -> None:
    desk.clock.advance(days=3)
    desk.receive(mail("Mia <mia@elsewhere.example>", "New", message_id="<3@elsewhere.example>"))
    assert ask(desk, CUSTOMERS, days=2).json()["looked_at"] == 1
    assert ask(desk, CUSTOMERS, days=4).json()["looked_at"] == 3
    assert ask(desk, CUSTOMERS).json()["looked_at"] == 3
    desk.clock.advance(days=5)
    assert ask(desk, CUSTOMERS).json()["looked_at"] == 1


def test_it_says_when_it_did_not_come_to_the_end(desk: House) -> None:
    for number in range(whatif.MAX_MAILS):
        desk.deliver(f"Mail {number}")
    found = ask(desk, {}).json()
    assert (found["looked_at"], found["complete"]) == (whatif.MAX_MAILS, False)


def test_secrets_are_not_needed_and_not_looked_at(desk: House) -> None:
    """Another server would ask for the password again; here nothing is connected to."""
    assert ask(desk, {"host": "imap.elsewhere.example"}).status_code == 200
    assert ask(desk, {"password": "canary-p4ss"}).status_code == 200
    mailbox = desk.app.mailboxes.get(desk.acme, "support")
    sealed = mailbox.secret("password") if mailbox else None
    assert sealed is not None
    assert desk.app.secrets.open(desk.acme, "support", "password", sealed) == "secret-7"


@pytest.mark.parametrize("id", ["nope", "Support", "a%0A", "..%2Fsupport"])
def test_a_mailbox_that_is_not_there_is_a_404(desk: House, id: str) -> None:
    answer = desk.client().post(f"/api/mailboxes/{id}/what-if", json={"settings": SETTINGS})
    assert answer.status_code == 404


def test_another_tenants_mailbox_is_not_there(desk: House) -> None:
    answer = desk.client("admin", "other").post("/api/mailboxes/support/what-if", json={"settings": SETTINGS})
    assert answer.status_code == 404
    assert "Anna" not in answer.text


def test_it_is_for_admins(desk: House) -> None:
    assert ask(desk, {}, "agent").status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "settings"),
        ({"settings": SETTINGS, "days": 0}, "days"),
        ({"settings": SETTINGS, "days": 366}, "days"),
        ({"settings": SETTINGS, "days": "7"}, "days"),
        ({"settings": SETTINGS, "days": True}, "days"),
        ({"settings": SETTINGS, "dais": 7}, "dais"),
        ({"settings": SETTINGS | {"host": ""}}, "settings.host"),
        ({"settings": SETTINGS | {"whitelist": "a@b@c"}}, "settings.whitelist"),
        ({"settings": SETTINGS | {"whitelist_enabled": "yes"}}, "settings.whitelist_enabled"),
        ({"settings": "off"}, "settings"),
    ],
)
def test_bad_input_is_named(desk: House, body: dict[str, Any], field: str) -> None:
    answer = desk.client().post("/api/mailboxes/support/what-if", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert answer.json()["errors"][0]["message"] != "This value cannot be used here."
