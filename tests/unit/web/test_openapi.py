from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from tests.unit.web.house import House
from tests.unit.web.test_routes import API


def test_the_description_names_every_operation_of_the_api(house: House) -> None:
    described = house.client(None).get("/api/openapi.json").json()
    operations = {(method.upper(), path) for path, item in described["paths"].items() for method in item}
    assert operations == {(method, path) for method, path, *_ in API} - {("GET", "/api/openapi.json")}


def test_every_operation_but_health_says_which_key_it_needs(house: House) -> None:
    for path, item in _schema(house.web)["paths"].items():
        for operation in item.values():
            needed = [name for entry in operation.get("security", []) for name in entry]
            if path == "/api/health":
                assert needed == []
            else:
                assert needed == (["CloudAdmin"] if path.startswith("/api/tenants") else ["HTTPBearer"])


def test_errors_are_described_as_problems(house: House) -> None:
    for item in _schema(house.web)["paths"].values():
        for operation in item.values():
            for status in ("4XX", "422", "5XX"):
                assert list(operation["responses"][status]["content"]) == ["application/problem+json"]


def test_every_reference_leads_somewhere(house: House) -> None:
    schema = _schema(house.web)

    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [one for value in node.values() for one in references(value)]
        return [one for value in node for one in references(value)] if isinstance(node, list) else []

    for reference in references(schema):
        found: Any = schema
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_no_answer_has_a_place_for_a_secret(house: House) -> None:
    shown = _schema(house.web)["components"]["schemas"]["MailboxOut"]["properties"]
    assert shown["password"]["enum"] == ["set", "not set"]
    assert shown["client_secret"]["enum"] == ["set", "not set"]


def _schema(web: FastAPI) -> dict[str, Any]:
    return web.openapi()
