"""Schemathesis makes requests from the API's own description, proper and improper ones: every answer is as described,
none is a fault of ours, what the description allows is taken and what it does not allow is refused."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from shared.web.app import build
from tests.support.app import make_app
from tests.unit.web.house import ADMIN_KEY, House

EXAMPLES = 8
"""Of each operation and mode: all of it takes less than a minute."""

SCHEMA = schemathesis.openapi.from_asgi("/api/openapi.json", build(make_app().app, ""))
OPERATIONS = [(method.upper(), path) for path, item in SCHEMA.raw_schema["paths"].items() for method in item]
for _item in SCHEMA.raw_schema["paths"].values():
    for _operation in _item.values():
        # Else it leaves out the key, which we send along all the same; test_routes.py tries every operation without it.
        _operation.pop("security", None)
GOOD, BAD = GenerationMode.POSITIVE, GenerationMode.NEGATIVE

ALSO_REFUSED = {
    # Which settings belong together is not in the description: an IMAP mailbox has a host, a move a folder to move to.
    ("PUT", "/api/mailboxes/{mailbox}"),
    ("POST", "/api/mailboxes/{mailbox}/test"),
    ("POST", "/api/mailboxes/{mailbox}/what-if"),
    # JSON Schema takes 51.0 for a whole number; we want to see 51.
    ("POST", "/api/mailboxes/{mailbox}/transcript"),
    ("GET", "/api/export"),
    ("GET", "/api/tenants/{tenant}/export"),
    # What confirms an erasure is the address itself.
    ("POST", "/api/erasures"),
    # A place in a list is what an earlier answer called "next".
    ("GET", "/api/incidents"),
    ("GET", "/api/mail"),
    ("GET", "/api/webhooks/{webhook}/deliveries"),
}
"""Operations that refuse some of what their description allows, always with a 422 that names the field."""

ALSO_TAKEN = {
    # ?address=a&address=b: the last one counts.
    ("GET", "/api/discover"),
    # Spaces around a name do not count.
    ("POST", "/api/keys"),
    ("POST", "/api/people"),
    ("POST", "/api/erasures"),
    ("PUT", "/api/tenant"),
    ("PUT", "/api/tenants/{tenant}"),
    ("POST", "/api/tenants/{tenant}/keys"),
}
"""Operations that take some of what their description does not allow."""


def _parameters(method: str, path: str) -> list[Any]:
    return list(SCHEMA.raw_schema["paths"][path][method.lower()].get("parameters", []))


def _can_be_wrong(method: str, path: str) -> bool:
    """Any text is a proper part of a path, and a proper If-Match: it takes a body or a query."""
    has_body = "requestBody" in SCHEMA.raw_schema["paths"][path][method.lower()]
    return has_body or any(one["in"] == "query" for one in _parameters(method, path))


CASES = [(*one, GOOD) for one in OPERATIONS] + [(*one, BAD) for one in OPERATIONS if _can_be_wrong(*one)]


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_every_answer_is_as_described(house: House, method: str, path: str, mode: GenerationMode) -> None:
    house.mailbox()
    house.deliver()
    SCHEMA.app = house.web
    operation = SCHEMA[path][method]
    key = ADMIN_KEY if path.startswith("/api/tenants") else house.keys["acme", "admin"]
    # Whoever sends If-Match with what he has not read is refused with 412.
    is_conditional = any(one["name"].lower() in ("if-match", "if-none-match") for one in _parameters(method, path))
    lenient = [positive_data_acceptance] if is_conditional or (method, path) in ALSO_REFUSED else []
    lenient += [negative_data_rejection] if (method, path) in ALSO_TAKEN else []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def run(data: Any) -> None:
        house.clock.advance(minutes=1)  # the limits are tested elsewhere
        case = data.draw(operation.as_strategy(generation_mode=mode))
        answer = case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, excluded_checks=lenient)
        assert answer.status_code != 401
        if answer.status_code == 422:
            assert answer.json()["errors"]

    run()
