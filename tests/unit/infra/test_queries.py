"""Alerts and workbook ask for exactly the events, fields and functions that the code has."""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

import pytest

from shared import log
from shared.model.reason import Outcome
from tests.unit.infra import promises, sources, wiring

QUERIES = {path: text for path, text in sources.read().items() if path.endswith(".kql")}

AWAITED: Mapping[str, set[str]] = {}
"""Events that a query asks for already and the code does not write yet. Empty when the work is done."""

BY_THE_HOST = ("Message has reached MaxDequeueCount",)
"""Beginnings of lines that Azure's host writes (azure-webjobs-sdk, QueueProcessor)."""


@functools.cache
def emitted() -> dict[str, set[str]]:
    """The fields of each event that the code writes."""
    found: dict[str, set[str]] = defaultdict(set)
    for room in ("shared", "functions"):
        for path in (promises.ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and node.args and _is_event(node.func):
                    first = node.args[0]
                    if isinstance(first, ast.Constant):
                        fields = {one.arg for one in node.keywords if one.arg}
                        found[str(first.value)] |= fields | set(log.COUNTED) | {"trace", "span", "parent"}
    return found


def _is_event(function: ast.expr) -> bool:
    return ast.unparse(function) in ("log.event", "event")


@functools.cache
def functions() -> set[str]:
    """The names of the registered functions, a mailbox's own timer aside."""
    return {
        node.name
        for path in (promises.ROOT / "functions").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.decorator_list
    }


def strings_compared(column: str, text: str) -> set[str]:
    """The literals that a query compares this column with."""
    found = set(re.findall(rf'\b{column}\)? (?:==|startswith) "([^"]*)"', text))
    for group in re.findall(rf"\b{column}\)? in \(([^)]*)\)", text):
        found |= set(re.findall(r'"([^"]*)"', group))
    return found


def problems(queries: Mapping[str, str]) -> list[str]:
    """What a query asks for that nobody says."""
    return [f"{path}: {text}" for path, query in queries.items() for text in _problems(query)]


def _problems(query: str) -> Iterator[str]:
    code = re.sub(r"(?m)^//.*$", "", query)
    known = {**emitted(), **AWAITED}
    names = strings_compared("event", code)
    yield from (f"no event {name!r}" for name in names - known.keys())
    fields = set().union(*(known.get(name, set()) for name in names or known))
    asked = set(re.findall(r"\be\.(\w+)", code)) - {"event"}
    yield from (f"no field {field!r} of {sorted(names)}" for field in asked - fields)
    if "by tenant, mailbox" in code and names and not any({"tenant", "mailbox"} <= known[name] for name in names):
        yield "no mailbox in these events"
    yield from (f"no function {name!r}" for name in strings_compared("name", code) - functions())
    yield from (f"no outcome {name!r}" for name in strings_compared("outcome", code) - {*Outcome})
    yield from (f"no line {name!r}" for name in strings_compared("message", code) - {*BY_THE_HOST})


def test_queries_ask_for_what_the_code_says() -> None:
    assert problems(QUERIES) == []


def test_a_mailbox_polled_once_a_day_is_told_silent_by_the_watch_as_two_days_of_events_cannot() -> None:
    query = QUERIES["modules/queries/mailbox-silent.kql"]
    assert strings_compared("event", query) == {"polled", "poll_failed", "mailbox_silent"}


def test_a_parameter_that_a_query_of_the_workbook_asks_for_is_one_that_it_has() -> None:
    workbook = sources.read()["modules/workbook.bicep"]
    asked = {name for text in QUERIES.values() for name in re.findall(r'"\{(\w+)\}"', text)}
    assert asked == {"Mail"}
    assert all(f"name: '{name}'" in workbook for name in asked)


def test_nothing_is_awaited_that_is_there() -> None:
    assert AWAITED.keys() & emitted().keys() == set()


def test_our_events_are_told_by_how_their_lines_begin(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="inbound"):
        log.event("swept", count=1)
    (prefix,) = re.findall(r"startswith '([^']+)'", QUERIES["modules/queries/events.kql"])
    assert caplog.messages[0].startswith(prefix)


def test_the_columns_that_alerts_are_split_by_are_in_their_queries() -> None:
    text = sources.read()["modules/alerts.bicep"]
    rules = re.findall(r"splitBy: (.+)\n    query: loadTextContent\('(.+)'\)", text)
    assert len(rules) == text.count("loadTextContent(") - 1
    for split, path in rules:
        columns = ["tenant", "mailbox"] if split == "perMailbox" else re.findall(r"'(\w+)'", split)
        last = QUERIES[f"modules/{path}"].rsplit("summarize", 1)[-1]
        assert [column for column in columns if not re.search(rf"\b{column}\b", last)] == []


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("poison", '"send_gave_up"', '"send_given_up"', "no event 'send_given_up'"),
        ("held-rising", '"converted"', '"convert"', "no event 'convert'"),
        ("held-rising", '"held"', '"hold"', "no outcome 'hold'"),
        ("show-polls", "e.kept", "e.keept", "no field 'keept'"),
        ("show-outgoing", "e.state", "e.outcome", "no field 'outcome'"),
        ("sweep-not-running", 'name == "sweep"', 'name == "sweeper"', "no function 'sweeper'"),
        ("poison", "Message has reached", "A message reached", "no line"),
    ],
)
def test_a_wrong_name_in_a_query_is_found(path: str, old: str, new: str, said: str) -> None:
    found = problems(sources.damaged(QUERIES, f"modules/queries/{path}.kql", old, new))
    assert any(said in one for one in found), found


def test_every_alert_of_the_runbook_is_there() -> None:
    rules = set(re.findall(r"name: '([a-z-]+)'\n    title", sources.read()["modules/alerts.bicep"]))
    assert rules == {
        *("mailbox-silent", "mailbox-failing", "queue-age", "poison", "held-rising", "sweep-not-running"),
        *("secret-expiring", "damage", "health", "unaccounted"),
    }
    assert wiring.problems(sources.read()) == []
