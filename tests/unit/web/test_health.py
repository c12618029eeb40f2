from __future__ import annotations

from dataclasses import replace

from starlette.testclient import TestClient

from shared.web.app import build
from tests.unit.web.house import House


def test_a_healthy_app_says_so_and_nothing_else(house: House) -> None:
    answer = house.client(None).get("/api/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_an_app_whose_storage_does_not_answer_is_a_503(house: House) -> None:
    web = build(replace(house.app, healthy=lambda: False), "")
    answer = TestClient(web).get("/api/health")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})
