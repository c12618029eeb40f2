from __future__ import annotations

import io
import logging
from dataclasses import replace
from typing import Any

import pytest

from shared.model.doorbell import PollBell
from shared.model.mailbox import Settings
from tests.support.memory import MemoryBlobs, MemoryTables
from tests.unit.web.house import SETTINGS, House

CANARY = "canary-p4ssw0rd"


def test_a_new_mailbox_is_created_and_shown_with_its_defaults(house: House) -> None:
    answer = house.client().put("/api/mailboxes/support", json=SETTINGS | {"password": "secret-7"})
    assert answer.status_code == 201
    shown = answer.json()
    assert shown.items() >= SETTINGS.items()
    assert shown["id"] == "support"
    assert shown["created"] == "2026-11-16T12:00:00Z"
    assert (shown["polling_minutes"], shown["days_to_download"], shown["folder"]) == (2, 180, "INBOX")
    assert set(shown) == {*Settings.model_fields, "id", "created", "password", "client_secret", "warnings"}
    assert house.client().get("/api/mailboxes/support").json() == shown


def test_a_second_put_changes_it(house: House) -> None:
    house.mailbox()
    answer = house.client().put("/api/mailboxes/support", json=SETTINGS | {"polling_minutes": 10})
    assert answer.status_code == 200
    assert answer.json()["polling_minutes"] == 10
    assert answer.json()["password"] == "set"


def test_secrets_are_shown_as_set_or_not_set(house: House) -> None:
    house.mailbox(outgoing={"host": "smtp.acme.example", "password": CANARY})
    shown = house.client().get("/api/mailboxes/support").json()
    assert shown["password"] == "set"
    assert shown["client_secret"] == "not set"
    assert shown["outgoing"]["password"] == "set"


def test_secrets_go_in_and_never_come_out(house: House) -> None:
    """Not in an answer, not in a row, not in the log."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        client = house.client()
        secrets = {"password": CANARY, "client_secret": CANARY, "outgoing": {"password": CANARY}}
        answers = [
            client.put("/api/mailboxes/support", json=SETTINGS | secrets),
            client.put("/api/mailboxes/support", json=SETTINGS | secrets | {"polling_minutes": CANARY}),
            client.put("/api/mailboxes/support", json=SETTINGS | {"password": [CANARY]}),
            client.put("/api/mailboxes/support", json=SETTINGS | {"password": CANARY * 100}),
            client.put("/api/mailboxes/support", json=SETTINGS | {"password": f"{CANARY}\n"}),
            client.put("/api/mailboxes/support", content=f'{{"password": "{CANARY}"'.encode()),
            client.get("/api/mailboxes/support"),
            client.get("/api/mailboxes"),
            client.get("/api/mailboxes/support/status"),
            house.browser().get("/"),
        ]
    finally:
        logging.getLogger().removeHandler(handler)
    assert CANARY not in "".join(answer.text for answer in answers)
    assert CANARY not in log.getvalue()
    tables, blobs = house.world.tables, house.world.blobs
    assert isinstance(tables, MemoryTables)
    assert isinstance(blobs, MemoryBlobs)
    assert CANARY not in repr(tables.rows)
    assert CANARY not in repr(blobs)
    mailbox = house.app.mailboxes.get(house.acme, "support")
    assert mailbox is not None
    sealed = mailbox.secret("password")
    assert sealed is not None
    assert house.app.secrets.open(house.acme, "support", "password", sealed) == CANARY


def test_spaces_around_a_password_belong_to_it(house: House) -> None:
    house.mailbox(password=" two spaces ")
    mailbox = house.app.mailboxes.get(house.acme, "support")
    sealed = mailbox.secret("password") if mailbox else None
    assert sealed is not None
    assert house.app.secrets.open(house.acme, "support", "password", sealed) == " two spaces "


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"group": ""}, "group"),
        ({"group": None}, "group"),
        ({"host": "https://imap.acme.example/"}, "host"),
        ({"host": ""}, "host"),
        ({"username": "a\r\nb"}, "username"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"port": "imap"}, "port"),
        ({"security": "tls"}, "security"),
        ({"polling_minutes": 0}, "polling_minutes"),
        ({"polling_minutes": 1441}, "polling_minutes"),
        ({"polling_minutes": 2.5}, "polling_minutes"),
        ({"days_to_download": -1}, "days_to_download"),
        ({"whitelist": "example.com, b@d@e"}, "whitelist"),
        ({"enabled": "perhaps"}, "enabled"),
        ({"enabled": "yes"}, "enabled"),
        ({"enabled": 1}, "enabled"),
        ({"port": True}, "port"),
        ({"port": "993"}, "port"),
        ({"polling_minutes": 2.0}, "polling_minutes"),
        ({"outgoing": {"enabled": "no"}}, "outgoing.enabled"),
        ({"outgoing": {"port": True}}, "outgoing.port"),
        ({"agents": "ann"}, "agents"),
        ({"old_mail": "delete"}, "old_mail"),
        ({"max_incidents_per_hour": 0}, "max_incidents_per_hour"),
        ({"email": "support"}, "email"),
        ({"server_type": "exchange"}, "server_type"),
        ({"polling_minuts": 3}, "polling_minuts"),
        ({"outgoing": {"port": 70000}}, "outgoing.port"),
        ({"outgoing": {"smtp": "x"}}, "outgoing.smtp"),
        ({"outgoing": {"password": ""}}, "outgoing.password"),
        ({"outgoing": "none"}, "outgoing"),
        ({"password": ""}, "password"),
        ({"password": "set"}, "password"),
        ({"password": 7}, "password"),
        ({"password": "a\nb"}, "password"),
        ({"password": "\ud800"}, "password"),
        ({"client_secret": "x" * 1001}, "client_secret"),
        ({"id": "sales"}, "id"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(house: House, change: dict[str, Any], field: str) -> None:
    house.mailbox()
    client = house.client()
    before = client.get("/api/mailboxes/support")
    answer = client.put(
        "/api/mailboxes/support",
        content=_ascii_json(SETTINGS | {"password": "other"} | change),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert answer.json()["errors"][0]["message"].endswith((".", "?", "b@d@e", ": ann"))
    after = client.get("/api/mailboxes/support")
    assert (after.json(), after.headers["etag"]) == (before.json(), before.headers["etag"])


def test_all_wrong_fields_are_named_at_once(house: House) -> None:
    answer = house.client().put("/api/mailboxes/support", json={"port": 0, "security": "tls", "colour": "red"})
    assert {error["field"] for error in answer.json()["errors"]} == {"group", "port", "security", "colour"}
    words = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert words == {
        "group": "This field is needed.",
        "port": "Give 1 or more.",
        "security": "Give one of: ssl, starttls or none.",
        "colour": "There is no such field. Check its spelling.",
    }


@pytest.mark.parametrize("id", ["Support", "a_b", "-a", "a-", "a" * 64, "ä", "a%0A", "a%20b"])
def test_an_id_that_cannot_be_is_named(house: House, id: str) -> None:
    answer = house.client().put(f"/api/mailboxes/{id}", json=SETTINGS | {"password": "secret-7"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["mailbox"]
    assert house.client().get("/api/mailboxes").json()["items"] == []
    assert house.client().get(f"/api/mailboxes/{id}").status_code == 404


@pytest.mark.parametrize(
    "content", [b"", b"{", b"nope", b'{"group": "\xff"}', b"[" * 100_000, b'{"group": "a"} {}', b'"\\ud8"']
)
def test_what_is_no_json_is_a_400(house: House, content: bytes) -> None:
    answer = house.client().put("/api/mailboxes/support", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == (422 if content == b"" else 400)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "type_", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_what_does_not_say_that_it_is_json_is_a_415(house: House, type_: str) -> None:
    """The three types that a form of another site can send."""
    answer = house.client().put("/api/mailboxes/support", content=b'{"group": "a"}', headers={"Content-Type": type_})
    assert answer.status_code == 415


@pytest.mark.parametrize("content", [b"[]", b"7", b"null", b'"text"'])
def test_json_that_is_no_object_is_a_422(house: House, content: bytes) -> None:
    answer = house.client().put("/api/mailboxes/support", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body"


def test_a_change_of_what_somebody_else_changed_meanwhile_is_refused(house: House) -> None:
    house.mailbox()
    client = house.client()
    read = client.get("/api/mailboxes/support").headers["etag"]
    first = client.put("/api/mailboxes/support", json=SETTINGS | {"polling_minutes": 5}, headers={"If-Match": read})
    assert first.status_code == 200
    second = client.put("/api/mailboxes/support", json=SETTINGS | {"polling_minutes": 9}, headers={"If-Match": read})
    assert second.status_code == 412
    assert client.get("/api/mailboxes/support").json()["polling_minutes"] == 5
    assert client.get("/api/mailboxes/support").headers["etag"] == first.headers["etag"]


def test_if_match_takes_a_list_and_a_star_and_refuses_what_is_not_there(house: House) -> None:
    client = house.client()
    body = SETTINGS | {"password": "secret-7"}
    assert client.put("/api/mailboxes/support", json=body, headers={"If-Match": "*"}).status_code == 412
    house.mailbox()
    tag = client.get("/api/mailboxes/support").headers["etag"]
    for given, status in ((f'"other", {tag}', 200), ("*", 200), ('"other"', 412), ("", 412), (f"W/{tag}", 412)):
        answer = client.put("/api/mailboxes/support", json=body, headers={"If-Match": given})
        assert answer.status_code == status, given


def test_the_password_is_asked_for_again_when_the_server_changes(house: House) -> None:
    house.mailbox()
    answer = house.client().put("/api/mailboxes/support", json=SETTINGS | {"host": "imap.evil.example"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "password"


def test_delete_forgets_a_mailbox_and_a_second_one_finds_none(house: House) -> None:
    house.mailbox()
    answer = house.client().delete("/api/mailboxes/support")
    assert (answer.status_code, answer.content) == (204, b"")
    assert house.client().get("/api/mailboxes/support").status_code == 404
    assert house.client().delete("/api/mailboxes/support").status_code == 404


def test_poll_now_rings_the_bell(house: House) -> None:
    house.mailbox()
    house.world.queues.polls.clear()
    answer = house.client().post("/api/mailboxes/support/poll")
    assert (answer.status_code, answer.json()) == (202, {"queued": True})
    assert PollBell.decode(house.world.queues.polls[0]) == PollBell(house.acme, "support")


def test_a_disabled_mailbox_is_not_polled(house: House) -> None:
    house.mailbox(enabled=False)
    answer = house.client().post("/api/mailboxes/support/poll")
    assert answer.status_code == 409
    assert answer.json()["code"] == "conflict"


def test_status_has_a_count_for_every_outcome(house: House) -> None:
    house.mailbox()
    house.deliver()
    status = house.client().get("/api/mailboxes/support/status").json()
    assert status == {
        "state": "new",
        "failing_since": None,
        "transcript_until": None,
        "last_poll": None,
        "last_success": None,
        "last_error": None,
        "next_poll": status["next_poll"],
        "polling": False,
        "sending": {"state": "off", "waiting_since": None, "last_error": None, "next_try": None},
        "counts": {"pending": 0, "delivered": 1, "held": 0, "discarded": 0, "duplicate": 0, "failed": 0},
        "counts_at_least": [],
    }


def test_mailboxes_are_listed_by_their_ids(house: House) -> None:
    house.mailbox("support")
    house.mailbox("billing", email="billing@acme.example")
    listed = house.client().get("/api/mailboxes").json()
    assert [item["id"] for item in listed["items"]] == ["billing", "support"]
    assert listed["next"] is None


def test_delete_honours_if_match(house: House) -> None:
    house.mailbox()
    client = house.client()
    old = client.get("/api/mailboxes/support").headers["etag"]
    house.mailbox(polling_minutes=7)
    refused = client.delete("/api/mailboxes/support", headers={"If-Match": old})
    assert (refused.status_code, refused.json()["code"]) == (412, "conflict")
    now = client.get("/api/mailboxes/support").headers["etag"]
    assert client.delete("/api/mailboxes/support", headers={"If-Match": f'"x", {now}'}).status_code == 204
    assert client.delete("/api/mailboxes/support", headers={"If-Match": "*"}).status_code == 412
    assert client.get("/api/mailboxes/support").status_code == 404


def test_if_none_match_star_creates_and_never_changes(house: House) -> None:
    client, body = house.client(), SETTINGS | {"password": "secret-7"}
    only_new = {"If-None-Match": "*"}
    assert client.put("/api/mailboxes/support", json=body, headers=only_new).status_code == 201
    tag = client.get("/api/mailboxes/support").headers["etag"]
    again = client.put("/api/mailboxes/support", json=body | {"polling_minutes": 9}, headers=only_new)
    assert (again.status_code, again.json()["code"]) == (412, "conflict")
    assert "already" in again.json()["detail"]
    assert client.get("/api/mailboxes/support").headers["etag"] == tag
    for given, status in ((tag, 412), (f"W/{tag}", 412), ('"other"', 200)):
        answer = client.put("/api/mailboxes/support", json=body, headers={"If-None-Match": given})
        assert answer.status_code == status, given


def test_a_row_that_an_older_version_wrote_is_still_read(house: House) -> None:
    """What the API refuses today may be stored: strictness is for what comes in."""
    house.mailbox()
    mailbox = house.app.mailboxes.get(house.acme, "support")
    assert mailbox is not None
    odd = Settings.stored({**mailbox.settings.model_dump(), "polling_minutes": 5000, "whitelist": "a@b@c"})
    house.app.mailboxes.put(replace(mailbox, settings=odd))
    answer = house.client().get("/api/mailboxes/support")
    assert (answer.status_code, answer.json()["polling_minutes"], answer.json()["whitelist"]) == (200, 5000, "a@b@c")
    assert house.client().get("/api/mailboxes").json()["items"] == [answer.json()]


def test_what_may_surprise_is_said_wherever_settings_are_shown(house: House) -> None:
    body = SETTINGS | {"password": "secret-7", "whitelist_enabled": True, "days_to_download": 7}
    said = ["The whitelist is on and empty: every mail is held."]
    client = house.client()
    assert client.put("/api/mailboxes/support", json=body).json()["warnings"] == said
    assert client.get("/api/mailboxes/support").json()["warnings"] == said
    assert client.get("/api/mailboxes").json()["items"][0]["warnings"] == said
    calm = client.put("/api/mailboxes/support", json=body | {"whitelist": "customer.example"})
    assert calm.json()["warnings"] == []


def _ascii_json(value: Any) -> bytes:
    import json

    return json.dumps(value).encode("ascii")
