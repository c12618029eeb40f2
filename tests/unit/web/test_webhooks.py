"""Webhooks over the API: made, seen, changed, rotated, tested, deleted; their log, and what it may not show."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.errors import TimedOut
from shared.flows import webhooks
from shared.model.doorbell import WebhookBell
from shared.model.webhook import MAX_HOOKS, SUBSCRIBABLE
from tests.unit.web.house import House

BODY: dict[str, Any] = {"url": "https://receiver.example/in?token=t0p", "events": ["incident.created", "mail.held"]}


def make(client: TestClient, **changes: Any) -> dict[str, Any]:
    answer = client.post("/api/webhooks", json=BODY | changes)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_the_secret_is_in_the_answer_that_makes_it_and_nowhere_else(house: House) -> None:
    client = house.client()
    made = make(client)
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert made["last"] is None
    shown = client.get(f"/api/webhooks/{made['id']}")
    assert shown.json() == made
    assert client.get("/api/webhooks").json() == {"items": [made], "next": None}
    assert secret not in str(house.world.tables.rows)  # type: ignore[attr-defined]


def test_it_is_told_signed_with_that_secret(house: House) -> None:
    make(house.client())
    house.deliver()
    house.hear()
    (request,) = house.world.receiver.got
    assert request.url == BODY["url"]
    assert request.event["data"]["incident"]["number"] == "INC-000001"
    assert request.headers["webhook-id"] == request.event["id"]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("url", "ftp://receiver.example/"),
        ("url", "https://user:password@receiver.example/"),
        ("url", "https://receiver.example/#part"),
        ("url", "https://receiver.example/a b"),
        ("url", "https://receiver.example:99999/"),
        ("url", "https://receiver.example/\nHost: other"),
        ("url", "https://" + "a" * 2000 + ".example/"),
        ("events", []),
        ("events", ["ping"]),
        ("events", ["incident.deleted"]),
        ("description", "x" * 201),
        ("description", "a\nb"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(house: House, field: str, wrong: Any) -> None:
    answer = house.client().post("/api/webhooks", json=BODY | {field: wrong})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {one["field"].partition(".")[0] for one in answer.json()["errors"]} == {field}
    assert house.client().get("/api/webhooks").json()["items"] == []


def test_an_address_that_may_not_be_reached_is_refused_when_saved_and_when_tested(house: House) -> None:
    client = house.client()
    made = make(client)
    house.world.receiver.forbidden = ("https://",)
    for answer in (
        client.post("/api/webhooks", json=BODY),
        client.put(f"/api/webhooks/{made['id']}", json=BODY),
        client.post(f"/api/webhooks/{made['id']}/test"),
    ):
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == ["url"]
    assert house.world.receiver.got == []


def test_an_eleventh_is_refused(house: House) -> None:
    client = house.client()
    for _ in range(MAX_HOOKS):
        make(client)
    answer = client.post("/api/webhooks", json=BODY)
    assert answer.status_code == 409
    assert str(MAX_HOOKS) in answer.json()["detail"]


def test_the_same_wish_makes_one_and_shows_the_same_secret(house: House) -> None:
    client, key = house.client(), {"Idempotency-Key": "wish-1"}
    first = client.post("/api/webhooks", json=BODY, headers=key)
    again = client.post("/api/webhooks", json=BODY, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(client.get("/api/webhooks").json()["items"]) == 1
    other = client.post("/api/webhooks", json=BODY | {"description": "other"}, headers=key)
    assert other.status_code == 409
    client.delete(f"/api/webhooks/{first.json()['id']}")
    assert client.post("/api/webhooks", json=BODY, headers=key).status_code == 409
    assert client.get("/api/webhooks").json()["items"] == []


def test_a_secret_that_was_rotated_does_not_come_out_by_the_old_wish(house: House) -> None:
    client, key = house.client(), {"Idempotency-Key": "wish-1"}
    first = client.post("/api/webhooks", json=BODY, headers=key).json()
    client.post(f"/api/webhooks/{first['id']}/rotate")
    answer = client.post("/api/webhooks", json=BODY, headers=key)
    assert answer.status_code == 409
    assert "rotated" in answer.json()["detail"]


def test_who_read_something_else_changes_nothing(house: House) -> None:
    client = house.client()
    id = make(client)["id"]
    tag = client.get(f"/api/webhooks/{id}").headers["etag"]
    changed = client.put(f"/api/webhooks/{id}", json=BODY | {"description": "CRM"}, headers={"If-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert changed.headers["etag"] == client.get(f"/api/webhooks/{id}").headers["etag"]
    for method, body in (("PUT", BODY), ("DELETE", None)):
        late = client.request(method, f"/api/webhooks/{id}", json=body, headers={"If-Match": tag})
        assert (late.status_code, late.json()["code"]) == (412, "conflict")
    assert client.get(f"/api/webhooks/{id}").json()["description"] == "CRM"
    now = changed.headers["etag"]
    assert client.delete(f"/api/webhooks/{id}", headers={"If-Match": now}).status_code == 204
    assert client.get(f"/api/webhooks/{id}").status_code == 404


def test_changing_one_webhook_leaves_the_tag_of_another(house: House) -> None:
    client = house.client()
    one, two = make(client)["id"], make(client)["id"]
    tag = client.get(f"/api/webhooks/{one}").headers["etag"]
    client.put(f"/api/webhooks/{two}", json=BODY | {"enabled": False})
    assert client.put(f"/api/webhooks/{one}", json=BODY, headers={"If-Match": tag}).status_code == 200


def test_after_a_rotation_both_secrets_sign_for_a_day(house: House) -> None:
    client = house.client()
    made = make(client)
    rotated = client.post(f"/api/webhooks/{made['id']}/rotate", headers={"Idempotency-Key": "r1"}).json()
    assert rotated["secret"] != made["secret"]
    again = client.post(f"/api/webhooks/{made['id']}/rotate", headers={"Idempotency-Key": "r1"}).json()
    assert again == rotated
    client.post(f"/api/webhooks/{made['id']}/test")
    house.clock.advance(hours=24)
    client.post(f"/api/webhooks/{made['id']}/test")
    both, one = (request.headers["webhook-signature"].split() for request in house.world.receiver.got)
    assert (len(both), len(one)) == (2, 1)
    assert client.get(f"/api/webhooks/{made['id']}").json()["old_secret_until"] is None


def test_a_test_event_tells_at_once_what_happened(house: House) -> None:
    client = house.client()
    id = make(client)["id"]
    good = client.post(f"/api/webhooks/{id}/test").json()
    assert (good["type"], good["state"], good["status"], good["cause"]) == ("ping", "delivered", 200, "")
    house.world.receiver.answers = [500, TimedOut("It did not answer within 10 seconds.", "Answer at once.")]
    assert client.post(f"/api/webhooks/{id}/test").json()["status"] == 500
    slow = client.post(f"/api/webhooks/{id}/test").json()
    assert (slow["state"], slow["status"]) == ("given_up", None)
    assert "did not answer" in slow["cause"]
    listed = client.get(f"/api/webhooks/{id}/deliveries").json()["items"]
    assert sorted(one["id"] for one in listed) == sorted({good["id"], slow["id"], *(one["id"] for one in listed)})
    assert len(listed) == 3
    last = client.get(f"/api/webhooks/{id}").json()["last"]
    assert (last["state"], last["failures"]) == ("given_up", 2)


def test_the_log_is_paged_and_each_delivery_can_be_sent_again(house: House) -> None:
    client = house.client()
    id = make(client)["id"]
    for _ in range(5):
        house.deliver()
        house.hear()
    seen: list[dict[str, Any]] = []
    after = ""
    while True:
        page = client.get(f"/api/webhooks/{id}/deliveries", params={"limit": 2, "after": after}).json()
        seen += page["items"]
        if not (after := page["next"] or ""):
            break
    assert len({one["event"] for one in seen}) == len(seen) == 5
    assert [one["time"] for one in seen] == sorted((one["time"] for one in seen), reverse=True)
    oldest = seen[-1]
    answer = client.post(f"/api/webhooks/{id}/deliveries/{oldest['id']}/resend")
    assert (answer.status_code, answer.json()) == (202, {"event": oldest["event"], "queued": True})
    client.post(f"/api/webhooks/{id}/deliveries/{oldest['id']}/resend")  # pressed twice
    house.hear()
    assert house.world.receiver.ids()[oldest["event"]] == 2
    bodies = {one.body for one in house.world.receiver.got if one.headers["webhook-id"] == oldest["event"]}
    assert len(bodies) == 1


def test_what_cannot_be_sent_again_says_why(house: House) -> None:
    client = house.client()
    id, delivery = house.hook()
    ping = client.post(f"/api/webhooks/{id}/test").json()["id"]
    assert client.post(f"/api/webhooks/{id}/deliveries/{ping}/resend").status_code == 409
    for unknown in ("x", "0" * 15 + "-evt_" + "0" * 32 + "-01", "..%2f.."):
        assert client.post(f"/api/webhooks/{id}/deliveries/{unknown}/resend").status_code == 404
    client.put(f"/api/webhooks/{id}", json=BODY | {"enabled": False})
    answer = client.post(f"/api/webhooks/{id}/deliveries/{delivery}/resend")
    assert (answer.status_code, answer.json()["fix"]) == (409, "Enable it first.")


def test_a_receiver_that_is_gone_disables_its_webhook_which_says_so(house: House) -> None:
    client = house.client()
    id = make(client)["id"]
    house.world.receiver.always = 410
    house.deliver()
    house.deliver()
    house.hear()
    shown = client.get(f"/api/webhooks/{id}").json()
    assert shown["enabled"] is False
    assert "410" in shown["disabled_because"]
    assert len(house.world.receiver.got) == 1
    enabled = client.put(f"/api/webhooks/{id}", json=BODY).json()
    assert (enabled["enabled"], enabled["disabled_because"]) == (True, "")


def test_deleting_it_takes_its_secrets_and_its_log_and_stops_what_waits(house: House) -> None:
    client = house.client()
    id = make(client)["id"]
    house.deliver()
    assert client.delete(f"/api/webhooks/{id}").status_code == 204
    bell = WebhookBell.decode(house.world.queues.webhooks[0])
    webhooks.deliver(house.app, bell.tenant, bell.event)
    assert house.world.receiver.got == []
    rows: Any = house.world.tables.rows  # type: ignore[attr-defined]
    left = [key for table, _, key in rows if table == "desk" and (key.startswith(("WL:", "WS:", "WP:")))]
    assert left == []
    assert "whsec_" not in str(rows)


def test_only_known_words_are_events(house: House) -> None:
    schema = house.client().get("/api/openapi.json").json()["components"]["schemas"]["HookIn"]
    assert schema["properties"]["events"]["items"]["enum"] == list(SUBSCRIBABLE)
