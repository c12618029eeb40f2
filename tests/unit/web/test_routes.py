"""Every route times every kind of caller."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from shared.flows import forget, person, tenants
from shared.model import reason
from tests.unit.web.house import SETTINGS, House

MAILBOX = SETTINGS | {"password": "secret-7"}
HOOK = {"url": "https://receiver.example/inbound", "events": ["incident.created"]}
NOBODY, AGENT, ADMIN, CLOUD = range(4)

ROUTES: list[tuple[str, str, int, dict[str, Any] | None]] = [
    ("GET", "/api/mailboxes", AGENT, None),
    ("GET", "/api/mailboxes/{mailbox}", AGENT, None),
    ("GET", "/api/mailboxes/{mailbox}/status", AGENT, None),
    ("POST", "/api/mailboxes/{mailbox}/poll", ADMIN, None),
    ("POST", "/api/mailboxes/{mailbox}/test", ADMIN, MAILBOX),
    ("POST", "/api/mailboxes/{mailbox}/what-if", ADMIN, {"settings": SETTINGS}),
    ("POST", "/api/mailboxes/{mailbox}/transcript", ADMIN, {"minutes": 5}),
    ("GET", "/api/mailboxes/{mailbox}/transcript", ADMIN, None),
    ("PUT", "/api/mailboxes/{mailbox}", ADMIN, MAILBOX),
    ("DELETE", "/api/mailboxes/{mailbox}", ADMIN, None),
    ("GET", "/api/discover", AGENT, None),
    ("GET", "/api/incidents", AGENT, None),
    ("GET", "/api/incidents/{number}", AGENT, None),
    ("PATCH", "/api/incidents/{number}", AGENT, {"status": "closed"}),
    ("GET", "/api/incidents/{number}/attachments/{attachment}", AGENT, None),
    ("GET", "/api/incidents/{number}/images/{image}", AGENT, None),
    ("POST", "/api/incidents/{number}/notes", AGENT, {"kind": "internal", "text": "Seen."}),
    ("POST", "/api/incidents/{number}/notes/{seq}/send-again", AGENT, None),
    ("GET", "/api/incidents/{number}/notes/{seq}/raw", AGENT, None),
    ("GET", "/api/incidents/{number}/notes/{seq}/html", AGENT, None),
    ("GET", "/api/mail", AGENT, None),
    ("GET", "/api/mail/{id}", AGENT, None),
    ("GET", "/api/mail/{id}/raw", AGENT, None),
    ("POST", "/api/mail/{id}/release", AGENT, None),
    ("POST", "/api/mail/{id}/discard", AGENT, None),
    ("POST", "/api/mail/{id}/allow", ADMIN, None),
    ("POST", "/api/mail/{id}/retry", AGENT, None),
    ("GET", "/api/me", AGENT, None),
    ("GET", "/api/keys", ADMIN, None),
    ("POST", "/api/keys", ADMIN, {"role": "agent", "name": "Ann"}),
    ("DELETE", "/api/keys/{key}", ADMIN, None),
    ("GET", "/api/tenant", ADMIN, None),
    ("PUT", "/api/tenant", ADMIN, {"retention_days": None}),
    ("GET", "/api/people", ADMIN, None),
    ("POST", "/api/people", ADMIN, {"address": "anna@acme.example", "role": "agent"}),
    ("DELETE", "/api/people/{person_id}", ADMIN, None),
    ("GET", "/api/tenants", CLOUD, None),
    ("GET", "/api/tenants/{tenant}", CLOUD, None),
    ("GET", "/api/tenants/{tenant}/keys", CLOUD, None),
    ("DELETE", "/api/tenants/{tenant}/keys/{key}", CLOUD, None),
    ("PUT", "/api/tenants/{tenant}", CLOUD, {"name": "Acme"}),
    ("POST", "/api/tenants/{tenant}/keys", CLOUD, {"role": "agent", "name": "Ann"}),
    ("POST", "/api/tenants/{tenant}/rotate-key", CLOUD, None),
    ("DELETE", "/api/tenants/{tenant}", CLOUD, None),
    ("GET", "/api/export", ADMIN, None),
    ("GET", "/api/tenants/{tenant}/export", CLOUD, None),
    ("POST", "/api/erasures", ADMIN, {"address": "nobody@customer.example"}),
    ("GET", "/api/erasures", ADMIN, None),
    ("GET", "/api/erasures/{erasure}", ADMIN, None),
    ("GET", "/tenant/erase", ADMIN, None),
    ("GET", "/api/webhooks", ADMIN, None),
    ("POST", "/api/webhooks", ADMIN, HOOK),
    ("GET", "/api/webhooks/{webhook}", ADMIN, None),
    ("PUT", "/api/webhooks/{webhook}", ADMIN, HOOK),
    ("DELETE", "/api/webhooks/{webhook}", ADMIN, None),
    ("POST", "/api/webhooks/{webhook}/rotate", ADMIN, None),
    ("POST", "/api/webhooks/{webhook}/test", ADMIN, None),
    ("GET", "/api/webhooks/{webhook}/deliveries", ADMIN, None),
    ("POST", "/api/webhooks/{webhook}/deliveries/{delivery}/resend", ADMIN, None),
    ("GET", "/tenant/webhooks", ADMIN, None),
    ("GET", "/api/health", NOBODY, None),
    ("GET", "/api/openapi.json", NOBODY, None),
    ("GET", "/", AGENT, None),
    ("GET", "/mail", AGENT, None),
    ("GET", "/mail/{id}", AGENT, None),
    ("GET", "/tenant", ADMIN, None),
    ("GET", "/incidents/{number}", AGENT, None),
]

ELSEWHERE = {
    ("GET", "/oauth/start"),
    ("GET", "/oauth/callback"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("POST", "/sign-out"),
    ("GET", "/sign-in/microsoft"),
    ("POST", "/sign-in/desk"),
    ("POST", "/tenant/keys"),
    ("POST", "/tenant/erase"),
    ("POST", "/tenant/retention"),
    ("POST", "/tenant/entra"),
    ("GET", "/tenant/prove"),
    ("POST", "/tenant/app-roles/off"),
    ("POST", "/tenant/people"),
    ("POST", "/tenant/people/{id}/remove"),
    ("POST", "/tenant/keys/{id}/revoke"),
    ("POST", "/tenant/webhooks"),
    ("GET", "/tenant/webhooks/{id}"),
    ("POST", "/tenant/webhooks/{id}"),
    ("POST", "/tenant/webhooks/{id}/switch"),
    ("POST", "/tenant/webhooks/{id}/rotate"),
    ("POST", "/tenant/webhooks/{id}/test"),
    ("POST", "/tenant/webhooks/{id}/deliveries/{delivery}/resend"),
    ("POST", "/tenant/webhooks/{id}/delete"),
    ("GET", "/cloud"),
    ("GET", "/cloud/sign-in"),
    ("POST", "/cloud/sign-in"),
    ("POST", "/cloud/sign-out"),
    ("POST", "/cloud/tenants"),
    ("GET", "/cloud/tenants/{tenant}"),
    ("POST", "/cloud/tenants/{tenant}/keys"),
    ("POST", "/cloud/tenants/{tenant}/keys/{id}/revoke"),
    ("POST", "/cloud/tenants/{tenant}/switch"),
    ("POST", "/cloud/tenants/{tenant}/delete"),
    ("GET", "/static/{name}"),
    ("GET", "/mailboxes"),
    ("GET", "/mailboxes/new"),
    ("GET", "/mailboxes/{id}"),
    ("POST", "/mailboxes/new"),
    ("POST", "/mailboxes/{id}"),
    ("POST", "/mailboxes/{id}/delete"),
    ("POST", "/mailboxes/{id}/enabled"),
    ("POST", "/mailboxes/{id}/poll"),
    ("POST", "/mailboxes/{id}/transcript"),
    ("POST", "/mail/{id}/release"),
    ("POST", "/mail/{id}/discard"),
    ("POST", "/mail/{id}/allow"),
    ("POST", "/mail/{id}/retry"),
    ("POST", "/incidents/{number}/notes"),
    ("POST", "/incidents/{number}/status"),
    ("POST", "/incidents/{number}/notes/{seq}/send-again"),
}
"""Open to everybody by their nature, or forms of pages; test_signin.py, test_pages.py, test_held_pages.py,
test_writing.py, test_tenant_pages.py, test_webhook_pages.py, test_people_pages.py and test_microsoft.py look at them."""

API = [route for route in ROUTES if route[1].startswith("/api/")]
KEYED = [route for route in API if route[2] != NOBODY]


def _walk(routes: Any) -> Iterator[tuple[str, str]]:
    for route in routes:
        if hasattr(route, "original_router"):
            yield from _walk(route.original_router.routes)
        else:
            yield from ((method, route.path) for method in route.methods - {"HEAD"})


def _all(web: FastAPI) -> set[tuple[str, str]]:
    return set(_walk(web.routes))


def _name(route: tuple[str, str, int, Any]) -> str:
    return f"{route[0]} {route[1]}"


@pytest.fixture
def full(house: House) -> House:
    """Acme has one of everything."""
    house.mailbox(outgoing={"enabled": True, "host": "smtp.acme.example"})
    files = (("plan.pdf", "application/pdf", b"%PDF"), ("a.png", "image/png", b"\x89PNG\r\n\x1a\n"))
    house.subscribe()
    house.deliver(html="<p>It burns.", files=files)
    house.hook()
    forget.order(house.app, house.acme, "gone@customer.example", "gone@customer.example", "key")
    return house


def _address(house: House, path: str) -> str:
    """The path to a thing that acme has; what is done with mail once only is done with a new one each time."""
    if path.startswith("/api/mail/{id}/") and not path.endswith("/raw"):
        why = reason.CONVERSION_FAILED if path.endswith("/retry") else reason.NOT_ON_WHITELIST
        house.deliver(why=why, raw=b"From: Anna <anna@customer.example>\r\n\r\nHello.\r\n")
    if path == "/api/discover":
        return f"{path}?address=ann@example.com"
    if path == "/api/tenants/{tenant}":
        return "/api/tenants/acme?confirm=acme"
    if path.startswith("/api/people"):
        entra = {"entra_tenant_id": "11111111-2222-3333-4444-555555555555"}
        assert house.client("admin").put("/api/tenant", json=entra).status_code == 200
        listed = person.people(house.app, "acme")
        for one in listed if path == "/api/people" else ():  # an earlier try listed the one that this one lists
            person.remove(house.app, "acme", one.id)
    if path.endswith("{person_id}"):
        spare = house.app.random(4).hex()
        return path.format(person_id=person.add(house.app, "acme", f"{spare}@acme.example", "agent").id)
    if path.endswith("{erasure}"):
        return path.format(erasure=forget.listed(house.app, house.acme)[0].id)
    if "{webhook}" in path:
        hook, delivery = house.hook()
        return path.format(webhook=hook, delivery=delivery)
    if path.endswith("{key}"):
        return path.format(tenant="acme", key=tenants.make_key(house.app, "acme", "agent", "spare")[0].id)
    mail = house.app.desk.ledger(house.acme, None, None, None, "", 1).items[0].id
    things = {"attachment": f"{mail}-0", "image": f"{mail}-1", "id": mail, "tenant": "acme", "mailbox": "support"}
    seq = house.failed_answer() if path.endswith("/send-again") else 1
    return path.format(number="INC-000001", seq=seq, **things)


def test_every_route_is_in_this_table(house: House) -> None:
    assert _all(house.web) == {(method, path) for method, path, *_ in ROUTES} | ELSEWHERE


@pytest.mark.parametrize("route", KEYED, ids=_name)
def test_nobody_gets_in_without_a_key(full: House, route: tuple[str, str, int, Any]) -> None:
    method, path, _, body = route
    for headers in (
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer inb_acme_0_0"},
        {"Cookie": "session=x"},
    ):
        answer = full.client(None).request(method, _address(full, path), json=body, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("route", KEYED, ids=_name)
def test_a_route_takes_the_roles_it_is_for_and_no_others(full: House, route: tuple[str, str, int, Any]) -> None:
    method, path, least, body = route
    clients = {AGENT: full.client("agent"), ADMIN: full.client("admin"), CLOUD: full.cloud_admin()}
    for role, client in clients.items():
        allowed = role == CLOUD if least == CLOUD else least <= role < CLOUD
        refusal = 401 if CLOUD in (least, role) else 403
        answer = client.request(method, _address(full, path), json=body)
        assert answer.is_success if allowed else answer.status_code == refusal, (role, answer.text)


@pytest.mark.parametrize("route", [route for route in KEYED if "{" in route[1] and route[2] != CLOUD], ids=_name)
def test_another_tenants_things_do_not_exist(full: House, route: tuple[str, str, int, Any]) -> None:
    method, path, _, body = route
    address = _address(full, path)
    before = _everything(full)
    answer = full.client("admin", "other").request(method, address, json=body)
    if (method, path) == ("PUT", "/api/mailboxes/{mailbox}"):
        # It makes a mailbox of its own tenant; the one of the same name stays as it was.
        assert answer.status_code == 201
    elif path.endswith("{mailbox}/test"):
        # It tries settings that are sent along, and stores nothing.
        assert answer.status_code == 200
    else:
        assert answer.status_code == 404
        assert "acme" not in answer.text
    assert _everything(full) == before


@pytest.mark.parametrize("path", ["/api/mailboxes", "/api/incidents", "/api/mail"])
def test_lists_show_nothing_of_another_tenant(full: House, path: str) -> None:
    assert full.client("agent").get(path).json()["items"]
    assert full.client("admin", "other").get(path).json()["items"] == []


@pytest.mark.parametrize("path", ["/", "/mail", "/incidents/INC-000001"])
def test_pages_lead_the_signed_out_to_the_sign_in_page(full: House, path: str) -> None:
    answer = full.client(None).get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=")


def test_pages_show_nothing_of_another_tenant(full: House) -> None:
    browser = full.browser("admin", "other")
    assert "Printer" not in browser.get("/").text
    assert "Printer" not in browser.get("/mail").text
    assert browser.get("/incidents/INC-000001").status_code == 404


@pytest.mark.parametrize("route", [route for route in ROUTES if route[0] == "GET"], ids=_name)
def test_reading_changes_nothing(full: House, route: tuple[str, str, int, Any]) -> None:
    _, path, least, _ = route
    client = full.cloud_admin() if least == CLOUD else full.client("admin")
    before = _everything(full)
    assert client.get(_address(full, path)).status_code == 200
    assert _everything(full) == before


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api"), ("GET", "/api/nope"), ("POST", "/api/incidents/1/close")]
)
def test_an_unknown_address_of_the_api_is_a_problem_404(house: House, method: str, path: str) -> None:
    answer = house.client().request(method, path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


def test_a_wrong_method_is_a_problem_405_that_names_the_right_ones(house: House) -> None:
    answer = house.client().delete("/api/incidents")
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["allow"] == "GET, HEAD"


def test_an_address_outside_the_api_answers_with_a_page(house: House) -> None:
    answer = house.client(None).get("/nope")
    assert answer.status_code == 404
    assert "There is nothing at this address." in answer.text


def _everything(house: House) -> dict[Any, Any]:
    """All rows of acme, with their versions; but not on which day its keys were used."""
    rows = house.world.tables.rows  # type: ignore[attr-defined]
    return {key: value for key, value in rows.items() if key[1].startswith("acme") and not key[2].startswith("KU:")}
