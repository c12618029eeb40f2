"""What Test Settings takes beside the settings, and secrets of many lines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.flows.probe import ProbeReport
from shared.model.mailbox import Mailbox
from shared.ports import NOBODY, Finding, Watch
from shared.web.shapes.polling import probe_out
from shared.web.shapes.secret import MAX_PEM_CHARS, MAX_SECRET_CHARS
from tests.support.app import World
from tests.support.mailserver import MemoryFolder, MemorySource
from tests.unit.web.house import SETTINGS, House, make_house

OFFICE: dict[str, Any] = {
    "group": "Support",
    "server_type": "office365",
    "email": "support@acme.example",
    "client_id": "11111111-2222-4333-8444-555555555555",
    "tenant_id": "acme.example",
}
PEM = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\r\n-----BEGIN CERTIFICATE-----\nAAAA\n"


class ScopedSource(MemorySource):
    """A source that is asked what else it opens."""

    asked: list[tuple[str, frozenset[str]]]

    def scope(self, other: str, meant: frozenset[str]) -> Finding:
        self.asked.append((other, meant))
        cause, fix = "It opens another one too.", "Limit it."
        return Finding(f"Proved over-privileged: {other}", "over_privileged", cause, fix)


@pytest.fixture
def asked() -> list[tuple[str, frozenset[str]]]:
    return []


@pytest.fixture
def office(world: World, asked: list[tuple[str, frozenset[str]]]) -> House:
    """A house whose mailboxes have something to prove."""

    def opens(mailbox: Mailbox, watch: Watch = NOBODY) -> ScopedSource:
        source = ScopedSource(MemoryFolder(), watch=watch)
        source.asked = asked
        return source

    world.app = replace(world.app, open=opens)
    return make_house(world)


def _test(house: House, body: dict[str, Any] | None) -> Any:
    return house.client().post("/api/mailboxes/support/test", json=body)


def test_the_address_of_another_mailbox_is_tried_and_its_verdict_shown(
    office: House, asked: list[tuple[str, frozenset[str]]]
) -> None:
    body = OFFICE | {"client_secret": "value-1", "other_address": " Ann@ACME.example "}
    answer = _test(office, body)
    assert answer.status_code == 200, answer.text
    assert asked == [("Ann@acme.example", frozenset())]
    (step,) = [one for one in answer.json()["steps"] if one["name"] == "scope"]
    assert (step["state"], step["code"], step["fix"]) == ("ok", "over_privileged", "Limit it.")
    assert "over-privileged" in step["detail"]
    assert answer.json()["ok"]


@pytest.mark.parametrize("body", [OFFICE | {"client_secret": "value-1"}, None])
def test_without_it_nothing_is_named(
    office: House, asked: list[tuple[str, frozenset[str]]], body: dict[str, Any] | None
) -> None:
    saved = office.client().put("/api/mailboxes/support", json=OFFICE | {"client_secret": "value-1"})
    assert saved.status_code == 201
    assert _test(office, body).status_code == 200
    assert asked == [("", frozenset({"support@acme.example"}))]


@pytest.mark.parametrize("address", ["ann", "ann@", "a@b@c.example", "ann@acme.example\nx", 7, "SUPPORT@acme.example"])
def test_an_address_that_is_none_or_the_mailboxs_own_is_refused_by_name(
    office: House, asked: list[tuple[str, frozenset[str]]], address: Any
) -> None:
    answer = _test(office, OFFICE | {"client_secret": "value-1", "other_address": address})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["other_address"]
    assert asked == []


def test_imap_has_nothing_to_prove_and_says_so(house: House) -> None:
    answer = _test(house, SETTINGS | {"password": "secret-7", "other_address": "ann@acme.example"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["other_address"]
    assert _test(house, SETTINGS | {"password": "secret-7", "other_address": ""}).status_code == 200


def test_it_is_no_setting_and_is_never_stored(office: House) -> None:
    body = OFFICE | {"client_secret": "value-1", "other_address": "ann@acme.example"}
    answer = office.client().put("/api/mailboxes/support", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "other_address"


# ── certificates ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_certificate_with_its_key_is_taken_with_all_its_lines(house: House) -> None:
    answer = house.client().put("/api/mailboxes/support", json=OFFICE | {"client_secret": PEM})
    assert answer.status_code == 201, answer.text
    mailbox = house.app.mailboxes.get(house.acme, "support")
    sealed = mailbox.secret("client_secret") if mailbox else None
    assert sealed is not None
    assert house.app.secrets.open(house.acme, "support", "client_secret", sealed) == PEM


def test_a_chain_of_certificates_fits_a_row(house: House) -> None:
    pem = "-----BEGIN CERTIFICATE-----\n" + "A" * (MAX_PEM_CHARS - 28)
    assert len(pem) == MAX_PEM_CHARS
    assert house.client().put("/api/mailboxes/support", json=OFFICE | {"client_secret": pem}).status_code == 201
    mailbox = house.app.mailboxes.get(house.acme, "support")
    # 32,766 UTF-16 units are what a property of Azure Tables holds.
    assert mailbox is not None
    assert len(mailbox.secret("client_secret") or "") < 32_000


@pytest.mark.parametrize(
    "secret",
    [
        "value\nwith a line",
        PEM + "\x00",
        PEM + "\x1b",
        "-----BEGIN " + "A" * MAX_PEM_CHARS,
        "x" * (MAX_SECRET_CHARS + 1),
        "",
    ],
)
def test_any_other_secret_is_one_short_line(house: House, secret: str) -> None:
    answer = house.client().put("/api/mailboxes/support", json=OFFICE | {"client_secret": secret})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["client_secret"]
    assert answer.json()["errors"][0]["message"].endswith(".")


def test_a_password_stays_one_line_whatever_it_begins_with(house: House) -> None:
    answer = house.client().put("/api/mailboxes/support", json=SETTINGS | {"password": PEM})
    assert answer.status_code == 422


def test_a_test_of_settings_tells_the_name_under_which_senders_are_judged() -> None:
    report = ProbeReport(True, (), (), authserv_id="mx.provider.example")
    assert probe_out(report).model_dump()["authserv_id"] == "mx.provider.example"
