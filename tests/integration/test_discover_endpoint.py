"""``GET /api/discover``: who may ask, what comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.errors import Invalid
from shared.model.discovery import Discovery, Offer
from tests.support.app import World
from tests.unit.web.house import House, make_house

FOUND = Discovery(
    address="ann@firm.example",
    kind="imap",
    tenant_id="11111111-2222-3333-4444-555555555555",
    incoming=(Offer("imap", "imap.firm.example", 993, "ssl", "ann", "srv", True),),
    outgoing=(Offer("smtp", "smtp.firm.example", 587, "starttls", "ann@firm.example", "guess"),),
    notes=("Look.",),
    seconds=1.25,
)


@pytest.fixture
def house(world: World) -> House:
    def found(address: str) -> Discovery:
        if address == "nobody":
            raise Invalid([("address", "This is not an e-mail address.")])
        return FOUND

    world.app = replace(world.app, discover=found)
    return make_house(world)


@pytest.mark.parametrize("role", ["admin", "agent"])
def test_everybody_who_signed_in_may_ask(house: House, role: str) -> None:
    answer = house.client(role).get("/api/discover", params={"address": "ann@firm.example"})
    assert answer.status_code == 200
    assert answer.json() == {
        "address": "ann@firm.example",
        "kind": "imap",
        "tenant_id": "11111111-2222-3333-4444-555555555555",
        "sign_in": False,
        "incoming": [
            {
                "server_type": "imap",
                "host": "imap.firm.example",
                "port": 993,
                "security": "ssl",
                "username": "ann",
                "verified": True,
                "source": "srv",
            }
        ],
        "outgoing": [
            {
                "server_type": "smtp",
                "host": "smtp.firm.example",
                "port": 587,
                "security": "starttls",
                "username": "ann@firm.example",
                "verified": False,
                "source": "guess",
            }
        ],
        "notes": ["Look."],
        "seconds": 1.25,
    }


def test_nobody_else_may(house: House) -> None:
    assert house.client(None).get("/api/discover", params={"address": "ann@firm.example"}).status_code == 401


@pytest.mark.parametrize("query", [{}, {"address": "nobody"}, {"address": "a" * 401}], ids=["none", "odd", "long"])
def test_what_is_no_address_names_its_field(house: House, query: dict[str, Any]) -> None:
    answer = house.client().get("/api/discover", params=query)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["address"]
