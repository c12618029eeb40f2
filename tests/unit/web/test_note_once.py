"""The same request sent again, because its answer was lost, writes one note."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.web.house import House

NOTE = {"kind": "answer", "text": "Use water."}


@pytest.fixture
def desk(house: House) -> House:
    house.mailbox(outgoing={"enabled": True, "host": "smtp.acme.example"})
    house.deliver()
    return house


def write(house: House, key: str, role: str = "agent", number: int = 1, **headers: str) -> Any:
    path = f"/api/incidents/{number}/notes"
    return house.client(role).post(path, json=NOTE, headers={"Idempotency-Key": key, **headers})


def test_the_same_key_is_the_same_note_and_one_mail(desk: House) -> None:
    tag = desk.client().get("/api/incidents/1").headers["etag"]
    first = write(desk, "a-1", **{"If-Match": tag})
    again = write(desk, "a-1", **{"If-Match": tag})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    desk.send_all()
    assert write(desk, "a-1").json()["delivery"]["state"] == "sent"
    assert len(desk.world.posts["support"].sent) == 1


def test_another_key_another_caller_and_another_incident_are_others(desk: House) -> None:
    desk.deliver()
    assert [write(desk, key, role).json()["seq"] for key, role in (("a", "agent"), ("b", "agent"), ("a", "admin"))] == [
        2,
        3,
        4,
    ]
    assert write(desk, "a", number=2).json()["seq"] == 2
    assert desk.client("agent").post("/api/incidents/1/notes", json=NOTE).json()["seq"] == 5


def test_after_a_day_a_key_is_new_again(desk: House) -> None:
    assert write(desk, "a").json()["seq"] == 2
    desk.clock.advance(hours=23)
    assert write(desk, "a").json()["seq"] == 2
    desk.clock.advance(hours=2)
    assert write(desk, "a").json()["seq"] == 3
