"""Every operation that the API describes is tried with another desk's credentials and this desk's ids.

Made from the description, so that a new endpoint is tried by itself; one with a new kind of id fails here until it is
said which of acme's things that is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.flows import forget, person, tenants
from shared.mail.address import Address
from shared.model import reason
from shared.web.app import build
from tests.support.app import World, make_app
from tests.support.people import ANNA, MemoryEntra
from tests.unit.web.house import SETTINGS, House, make_house
from tests.unit.web.test_routes import ROUTES

MARK = "zanzibar"
"""Stands in everything that acme has, and nowhere else."""

OPERATIONS = [
    (method.upper(), path)
    for path, item in build(make_app().app, "").openapi()["paths"].items()
    for method, operation in item.items()
    if operation.get("security")
]
BODIES = {(method, path): body for method, path, _, body in ROUTES}

OWN_ID = {
    # An id that the caller chooses names a thing of his own; acme's of the same name stays as it is.
    ("PUT", "/api/mailboxes/{mailbox}"),
    # Settings that are sent along are tried, and nothing is stored.
    ("POST", "/api/mailboxes/{mailbox}/test"),
}


def _fill(house: House, slug: str, mark: str) -> None:
    """One of everything for a desk."""
    settings = SETTINGS | {"password": f"{mark}-secret", "group": mark, "email": f"{mark}@acme.example"}
    client = house.client("admin", slug)
    assert client.put("/api/mailboxes/support", json=settings).status_code == 201
    files = (("a.pdf", "application/pdf", mark.encode()), ("a.png", "image/png", b"\x89PNG\r\n\x1a\n" + mark.encode()))
    raw = f"From: {mark}@customer.example\r\n\r\n{mark}\r\n".encode()
    sender = Address(mark, f"{mark}@customer.example")
    about: dict[str, Any] = {"sender": sender, "raw": raw, "tenant": slug, "group": mark}
    house.deliver(mark, mark, html=f"<p>{mark}", files=files, **about)
    house.deliver(mark, mark, why=reason.NOT_ON_WHITELIST, **about)
    assert client.post("/api/incidents/1/notes", json={"kind": "internal", "text": mark}).status_code == 201
    client.post("/api/mailboxes/support/transcript", json={"minutes": 5})
    tenants.make_key(house.app, slug, "agent", mark)
    house.hook(slug, mark)
    gone = {"address": "gone@customer.example", "confirm": "gone@customer.example"}
    assert client.post("/api/erasures", json=gone).status_code == 201
    client.put("/api/tenant", json={"entra_tenant_id": ANNA.tid})
    assert client.post("/api/people", json={"address": f"{mark}@acme.example", "role": "agent"}).status_code == 201


@pytest.fixture
def house(world: World) -> House:
    """With Microsoft's sign-in, so that people get in as well."""
    world.app = replace(world.app, entra=MemoryEntra())
    return make_house(world)


@pytest.fixture
def full(house: House) -> House:
    _fill(house, "acme", MARK)
    return house


def _address(house: House, path: str) -> str:
    """The path to acme's thing."""
    first = house.app.desk.notes(house.acme, 1, 0, 1)[0]
    key = next(key for key in house.app.tenants.keys(house.acme) if key.name == MARK)
    things: dict[str, str] = {
        "tenant": "acme",
        "mailbox": "support",
        "number": "INC-000001",
        "seq": "1",
        "id": first.mail,
        "attachment": f"{first.mail}-0",
        "image": f"{first.mail}-1",
        "key": key.id,
        "webhook": house.hook()[0],
        "delivery": house.hook()[1],
        "erasure": forget.listed(house.app, house.acme)[0].id,
        "person_id": house.app.people.all(house.acme)[0].id,
    }
    names = set(re.findall(r"{(\w+)}", path))
    assert names <= set(things), f"say here which of acme's things this is: {names - set(things)}"
    return path.format(**things)


def _by_key(house: House) -> TestClient:
    return house.client("admin", "other")


def _by_session(house: House) -> TestClient:
    return house.browser("admin", "other")


def _by_person(house: House) -> TestClient:
    """Somebody of an Entra tenant that acme lets in too, who has no place at acme."""
    entra = {"entra_tenant_id": ANNA.tid}
    assert house.client("admin", "other").put("/api/tenant", json=entra).status_code == 200
    person.add(house.app, "other", ANNA.address, "admin")
    caller, _ = person.enter(house.app, ANNA, "other")
    client = house.client(None)
    client.headers["Sec-Fetch-Site"] = "same-origin"
    client.cookies.set("session", house.web.state.house.sessions.issue_to(caller, by_role=False))
    assert client.get("/api/me").json()["tenant"] == "other"
    return client


def _rows(house: House) -> dict[Any, Any]:
    tables: Any = house.world.tables
    blobs: Any = house.world.blobs
    found = {key: value for key, value in tables.rows.items() if "acme" in "/".join(key)}
    return found | {key: value for key, value in blobs.content.items() if "acme" in key[1]}


def _bells(house: House) -> list[str]:
    queues = house.world.queues
    return [
        bell
        for queue in (queues.inbound, queues.polls, queues.outbound, queues.webhooks)
        for bell in queue
        if "acme." in bell
    ]


def _ask(client: TestClient, house: House, method: str, path: str) -> Any:
    return client.request(method, _address(house, path), json=BODIES[method, path])


@pytest.mark.parametrize("client", [_by_key, _by_session, _by_person])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_another_desk_finds_nothing_and_changes_nothing(
    full: House, client: Callable[[House], TestClient], method: str, path: str
) -> None:
    stranger = client(full)
    before, rung = _rows(full), _bells(full)
    answer = _ask(stranger, full, method, path)
    if "{" in path and (method, path) not in OWN_ID:
        assert answer.status_code in (401, 403, 404), answer.text
    assert MARK not in answer.text
    assert MARK not in str(answer.headers)
    assert _rows(full) == before
    assert _bells(full) == rung


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_things_of_the_same_name_are_not_mixed_up(full: House, method: str, path: str) -> None:
    _fill(full, "other", "timbuktu")
    stranger = _by_key(full)
    before, rung = _rows(full), _bells(full)
    answer = _ask(stranger, full, method, path)
    assert MARK not in answer.text
    assert _rows(full) == before
    assert _bells(full) == rung


@pytest.mark.parametrize("path", ["/api/incidents", "/api/mail"])
def test_a_place_in_one_desks_list_shows_nothing_of_it_to_another(full: House, path: str) -> None:
    full.deliver(MARK, MARK)
    after = full.client("admin").get(path, params={"limit": 1}).json()["next"]
    assert after
    answer = _by_key(full).get(path, params={"after": after, "mailbox": "support"})
    assert answer.json()["items"] == []


def test_the_mark_is_seen_by_those_who_may(full: House) -> None:
    """Else the tests above could not fail."""
    client = full.client("admin")
    seen = {path for method, path in OPERATIONS if method == "GET" and MARK in client.get(_address(full, path)).text}
    assert {
        "/api/mailboxes",
        "/api/mailboxes/{mailbox}",
        "/api/incidents",
        "/api/incidents/{number}",
        "/api/incidents/{number}/attachments/{attachment}",
        "/api/incidents/{number}/notes/{seq}/raw",
        "/api/incidents/{number}/notes/{seq}/html",
        "/api/mail",
        "/api/mail/{id}",
        "/api/mail/{id}/raw",
        "/api/keys",
        "/api/webhooks",
        "/api/webhooks/{webhook}",
        "/api/people",
    } <= seen
    assert len(_rows(full)) > 10
