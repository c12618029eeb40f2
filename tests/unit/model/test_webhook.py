"""Signatures as the specification has them, addresses, events without bodies, and how delivering goes on."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.mail.address import Address
from shared.model import happening, webhook
from shared.model.inbound import Inbound
from shared.model.incident import Body, Incident, Note, NoteKind, Status
from shared.model.reason import Outcome
from shared.model.webhook import Delivery, DeliveryState, Event, EventType, Hook, Hooks

NOON = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
ANN = Address("Ann", "ann@example.com")
INCIDENT = Incident(
    7, "Printer on fire", Status.OPEN, "Support", "support", ANN, (ANN,), NOON, NOON, 2, version='W/"1"'
)
NOTE = Note(2, NoteKind.INBOUND, ANN, NOON, Body("The secret text.", "Quoted.", "<p>html"), "a" * 32)
HELD = Inbound("b" * 32, "support", NOON, NOON, 9, "", False, Outcome.HELD, "not_on_whitelist", version='W/"3"')


# ── signing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_signature_is_that_of_the_specifications_own_example() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = webhook.signed(
        [secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), b'{"test": 2432232314}'
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_secrets_give_two_signatures_parted_by_a_blank() -> None:
    one, two = webhook.secret_text(b"1" * 32), webhook.secret_text(b"2" * 32)
    both = webhook.signed([one, two], "evt_1", NOON, b"{}")["webhook-signature"].split(" ")
    assert both == [webhook.signed([each], "evt_1", NOON, b"{}")["webhook-signature"] for each in (one, two)]
    assert all(len(base64.b64decode(each.removeprefix("v1,"))) == 32 for each in both)


# ── addresses ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/",
        "https://hooks.example.com:8443/a/b?c=d&e=%20f",
        "https://xn--bcher-kva.example/~x/(y);z",
        "http://127.0.0.1:8080/in",
    ],
)
def test_an_address_that_a_request_can_be_made_of_is_taken(url: str) -> None:
    assert webhook.url_wrong(url) == ""
    scheme, host, port, path = webhook.url_parts(url)
    assert f"{scheme}://{host}" in url
    assert 0 < port < 65536
    assert path.startswith("/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com/",
        "https://",
        "https:///path",
        "https://user@example.com/",
        "https://user:pass@example.com/",
        "https://example.com/#x",
        "https://example.com/a b",
        "https://example.com/\r\nX: y",
        "https://example.com/\n",
        "https://example.com\n",
        "https://example.com?x=y",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:/",
        "https://[::1]/",
        "https://ex ample.com/",
        "https://bücher.example/",
        "https://example.com/ü",
        "https://-x.example/",
        "https://a..b/",
        'https://example.com/"',
        "https://example.com/\\x",
        "https://example.com@evil.example/",
        "https://example.com/" + "a" * 2000,
    ],
)
def test_an_address_that_could_be_read_in_two_ways_is_refused_with_words(url: str) -> None:
    assert len(webhook.url_wrong(url)) > 20


def test_an_address_of_the_worst_characters_is_judged_in_no_time() -> None:
    for text in ("a" * 1_000_000, "a." * 500_000, "a-" * 500_000, "%" * 1_000_000):
        assert "too long" in webhook.url_wrong(f"https://{text}")
        assert webhook.url_wrong(f"https://{text[:1900]}!")


# ── events ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_change_has_the_same_id_and_another_has_another() -> None:
    before = replace(INCIDENT, status=Status.CLOSED)
    again: list[Callable[[str], Event]] = [
        lambda tenant: happening.incident_created(tenant, INCIDENT, NOTE, NOON),
        lambda tenant: happening.note_added(tenant, INCIDENT, NOTE, NOON),
        lambda tenant: happening.note_added(tenant, INCIDENT, replace(NOTE, seq=3), NOON),
        lambda tenant: happening.status_changed(tenant, before, INCIDENT, NOON),
        lambda tenant: happening.status_changed(tenant, replace(before, version='W/"2"'), INCIDENT, NOON),
        lambda tenant: happening.mail_held(tenant, HELD, HELD, NOON),
        lambda tenant: happening.mail_held(tenant, replace(HELD, version='W/"9"'), HELD, NOON),
    ]
    ids = [make(tenant).id for make in again for tenant in ("acme.1", "acme.2")]
    assert len(set(ids)) == len(ids)
    assert ids == [make(tenant).id for make in again for tenant in ("acme.1", "acme.2")]


def test_an_event_holds_keys_and_a_picture_and_no_body() -> None:
    event = happening.note_added("acme.1", INCIDENT, NOTE, NOON)
    assert json.loads(event.body) == {
        "type": "note.added",
        "timestamp": "2026-11-16T12:00:00.000Z",
        "id": event.id,
        "tenant": "acme",
        "data": {
            "incident": {
                "number": "INC-000007",
                "subject": "Printer on fire",
                "status": "open",
                "group": "Support",
                "mailbox": "support",
            },
            "note": {"seq": 2, "kind": "inbound", "author": "ann@example.com", "mail": "a" * 32},
        },
    }
    held = json.loads(happening.mail_held("acme.1", HELD, HELD, NOON).body)["data"]
    assert held == {"mail": {"id": "b" * 32, "mailbox": "support", "reason": "not_on_whitelist"}}


def test_what_strangers_wrote_fits_and_is_text() -> None:
    long = replace(
        INCIDENT, subject="\ud800" + "ü" * 100_000, group="g" * 10_000, reporter=Address("", "a" * 100_000 + "@x")
    )
    note = replace(NOTE, author=Address("", "\udfff" * 100_000))
    body = happening.incident_created("acme.1", long, note, NOON).body
    assert len(body.encode("utf-16-le")) // 2 < 5_000
    assert json.loads(body.encode().decode())["data"]["incident"]["subject"].startswith("?ü")


# ── delivering ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_receiver_that_never_answers_is_tried_nine_times_within_a_day() -> None:
    delivery, now, pauses = Delivery("h", NOON, NOON), NOON, []
    while delivery.is_open:
        assert not webhook.is_used_up(delivery, now)
        delivery = webhook.failed(webhook.trying(delivery, now, "claim"), now, None, chance=1.0)
        pauses.append(delivery.due - now)
        now = delivery.due
    assert (delivery.state, delivery.attempts) == (DeliveryState.GIVEN_UP, 9)
    assert pauses[:2] == [timedelta(seconds=5.5), timedelta(seconds=66)]
    assert timedelta(hours=23) < now - NOON < timedelta(hours=27)


def test_a_wait_that_is_asked_for_is_honoured_within_reason() -> None:
    tried = webhook.trying(Delivery("h", NOON, NOON), NOON, "claim")
    assert webhook.failed(tried, NOON, 600, 0).due == NOON + timedelta(minutes=10)
    assert webhook.failed(tried, NOON, 0, 0).due == NOON + timedelta(seconds=5)
    assert webhook.failed(tried, NOON, 1e9, 0).due == NOON + timedelta(hours=8)


def test_tries_that_all_died_in_the_middle_are_enough_some_day() -> None:
    delivery = Delivery("h", NOON, NOON)
    for _ in range(9):
        assert not webhook.is_used_up(delivery, NOON)
        delivery = webhook.trying(delivery, NOON, "claim")
    assert webhook.is_used_up(delivery, NOON)
    assert webhook.is_used_up(Delivery("h", NOON, NOON), NOON + timedelta(hours=27))


def test_only_enabled_webhooks_that_subscribed_want_an_event() -> None:
    hook = Hook("1", "https://a.example", (EventType.NOTE_ADDED,), NOON, "sealed")
    hooks = Hooks((hook, replace(hook, id="2", enabled=False), replace(hook, id="3", events=(EventType.MAIL_HELD,))))
    assert hooks.wanting("note.added") == ("1",)
    assert hooks.wanting("ping") == ()
