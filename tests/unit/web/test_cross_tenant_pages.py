"""Every page and every form is tried with another desk's cookie and this desk's ids: 404 or 403, or the stranger's own
page; nothing of this desk is shown, and its storage stays as it was, byte by byte.

Made from the routes, so that a new page is tried by itself.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from shared.flows import tenants
from shared.mail.address import Address
from shared.model import reason
from shared.web.app import build
from tests.support.app import make_app
from tests.unit.web.house import SETTINGS, House

MARK = "zanzibar"
"""Stands in everything that acme has, and nowhere else."""

OPEN = re.compile(r"/(api|cloud|oauth|sign-in|sign-out|static)(/|$)")
"""The API has test_cross_tenant.py; the others take no desk's ids, or another kind of session."""


def _routes() -> list[tuple[str, str]]:
    found = sorted(set(_walk(build(make_app().app, "").routes)))
    return [(method, path) for method, path in found if not OPEN.match(path)]


def _walk(routes: Any) -> Iterator[tuple[str, str]]:
    for route in routes:
        if hasattr(route, "original_router"):
            yield from _walk(route.original_router.routes)
        else:
            yield from ((method, route.path) for method in route.methods - {"HEAD"})


PAGES = _routes()
FORM = {
    "kind": "internal",
    "text": "from elsewhere",
    "seen": "1",
    "status": "closed",
    "do": "save",
    "group": "from elsewhere",
    "confirm": "support",
    "on": "1",
    "role": "admin",
    "name": "from elsewhere",
    "wish": "w",
}
"""What all forms together ask for."""


@pytest.fixture
def full(house: House) -> House:
    """Acme has one of everything, with the mark in it."""
    outgoing = {"enabled": True, "host": "smtp.acme.example", "from_name": MARK}
    settings = {"group": MARK, "email": f"{MARK}@acme.example", "username": MARK, "outgoing": outgoing}
    house.mailbox(**SETTINGS | settings)
    files = ((f"{MARK}.png", "image/png", b"\x89PNG\r\n\x1a\n" + MARK.encode()),)
    about: dict[str, Any] = {"sender": Address(MARK, f"{MARK}@customer.example"), "group": MARK}
    house.deliver(MARK, MARK, html=f"<p>{MARK}", files=files, because=MARK, **about)
    house.deliver(MARK, MARK, why=reason.NOT_ON_WHITELIST, because=MARK, **about)
    house.deliver(MARK, MARK, why=reason.CONVERSION_FAILED, **about)
    house.failed_answer(said=MARK)
    tenants.make_key(house.app, "acme", "agent", MARK)
    hook = {"url": f"https://{MARK}.example/hook", "events": ["incident.created"], "description": MARK, "wish": MARK}
    assert house.browser().post("/tenant/webhooks", data=hook).status_code == 200
    return house


def _addresses(house: House, path: str) -> list[str]:
    """The path to acme's things: what ``{id}`` is, its beginning says."""
    if "{" not in path:
        return [path]
    if path.startswith("/mail/"):
        return [path.format(id=mail.id) for mail in house.world.ledger(house.acme)]
    if path.startswith("/tenant/keys/"):
        return [path.format(id=key.id) for key in house.app.tenants.keys(house.acme)]
    hook = re.search(r"/tenant/webhooks/([0-9a-z-]{8,})", house.browser().get("/tenant/webhooks").text)
    assert hook is not None
    if path.startswith("/tenant/webhooks/"):
        # No delivery is needed: the webhook it is of is looked up first, and that is not theirs.
        return [path.format(id=hook[1], delivery="0" * 32)]
    # Nobody signs in with Microsoft here, so there is nobody to be removed.
    things = {"number": "INC-000001", "seq": "2", "id": "0" * 32 if path.startswith("/tenant/people/") else "support"}
    names = set(re.findall(r"{(\w+)}", path))
    assert names <= set(things), f"say here which of acme's things this is: {path}"
    return [path.format(**things)]


def _storage(house: House) -> Any:
    """All that is acme's, byte by byte, but not on which day its keys were used."""
    tables: Any = house.world.tables
    blobs: Any = house.world.blobs
    rows = {key: row for key, row in tables.rows.items() if "acme" in "/".join(key) and "KU:" not in "/".join(key)}
    kept = {key: content for key, content in blobs.content.items() if "acme" in "/".join(map(str, key))}
    queues = house.world.queues
    bells = [bell for queue in (queues.inbound, queues.polls, queues.outbound) for bell in queue if "acme." in bell]
    return copy.deepcopy((rows, kept, bells))


def _ask(house: House, method: str, address: str, role: str = "admin", tenant: str = "other") -> Any:
    browser = house.browser(role, tenant)
    return browser.get(address) if method == "GET" else browser.post(address, data=FORM)


@pytest.mark.parametrize("role", ["admin", "agent"])
@pytest.mark.parametrize(("method", "path"), PAGES)
def test_another_desks_cookie_shows_and_changes_nothing(full: House, method: str, path: str, role: str) -> None:
    addresses = _addresses(full, path)
    before = _storage(full)
    for address in addresses:
        answer = _ask(full, method, address, role)
        assert answer.status_code < 500
        if "{" in path:
            assert answer.status_code in (403, 404), (address, answer.status_code)
        assert MARK not in answer.text, address
        assert MARK not in str(answer.headers)
        assert _storage(full) == before, address


@pytest.mark.parametrize("query", ["q", "mailbox", "group", "reporter", "after", "did"])
@pytest.mark.parametrize("path", ["/", "/mail"])
def test_no_filter_and_no_place_in_a_list_reaches_into_another_desk(full: House, path: str, query: str) -> None:
    mail = full.world.ledger(full.acme)[0].id
    page = full.browser().get(path).text
    cursor = re.search(r"after=([^&\"]+)", page)
    values = [MARK, "support", mail, "INC-000001", f"{MARK}@customer.example", *([cursor[1]] if cursor else [])]
    for value in values:
        text = full.browser("admin", "other").get(path, params={query: value}).text
        found = re.sub(r'value="[^"]*"|<option[^>]*>[^<]*|href="[^"]*"', "", text)
        assert MARK not in found, value


def test_the_mark_is_seen_by_those_who_may(full: House) -> None:
    """Else the tests above could not fail."""
    seen = {
        path
        for method, path in PAGES
        if method == "GET" and MARK in _ask(full, method, _addresses(full, path)[0], "admin", "acme").text
    }
    assert {"/", "/incidents/{number}", "/mail", "/mail/{id}", "/mailboxes", "/mailboxes/{id}", "/tenant"} <= seen
    rows, kept, _ = _storage(full)
    assert len(rows) > 10
    assert kept


def test_the_forms_do_change_things_for_those_who_may(full: House) -> None:
    """Else nothing would be shown by storage that stays as it was."""
    full.browser()
    before = _storage(full)
    for path in ("/incidents/{number}/status", "/mailboxes/{id}/poll", "/tenant/keys"):
        answer = _ask(full, "POST", _addresses(full, path)[0], "admin", "acme")
        assert answer.status_code in (200, 303), path
        after = _storage(full)
        assert after != before, path
        before = after
