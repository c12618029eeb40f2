"""Every event that the code writes is in the README's table with exactly its fields: alerts and workbooks are made
from it. ``python -m tests.unit.test_events`` prints what the code says."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from shared.log import COUNTED, FIELDS

ROOT = Path(__file__).parents[2]
ADDED = {"trace", "span", "parent", *COUNTED}
"""What ``log.event`` adds itself; the README says so above the table."""


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Each ``log.event(…)`` with the place it stands at."""
    for folder in ("shared", "functions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "log.event":
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def in_code() -> dict[str, set[str]]:
    """Events by name, with the fields of all the places that write them."""
    found: dict[str, set[str]] = defaultdict(set)
    for _, call in calls():
        name = call.args[0]
        assert isinstance(name, ast.Constant)
        found[str(name.value)] |= {str(keyword.arg) for keyword in call.keywords}
    return {**found, "usage": set()}  # log.py's own


def in_readme() -> dict[str, set[str]]:
    """The table in section "Events"."""
    section = (ROOT / "README.md").read_text().partition("\n## Events\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", section, re.M)
    assert len(rows) == len(dict(rows)), "an event is listed twice"
    return {name: set(re.findall(r"\w+", fields)) for name, fields in rows}


def test_names_and_fields_are_written_out_where_they_are_used() -> None:
    places = list(calls())
    assert len(places) > 20
    vague = [
        place
        for place, call in places
        if not (
            call.args and isinstance(call.args[0], ast.Constant) and re.fullmatch(r"[a-z_]+", str(call.args[0].value))
        )
        or len(call.args) > 2
        or any(keyword.arg is None for keyword in call.keywords)
    ]
    assert vague == []


def test_no_event_carries_a_field_that_is_not_allowed() -> None:
    wrong = {place: {keyword.arg for keyword in call.keywords} - (FIELDS - ADDED) for place, call in calls()}
    assert {place: fields for place, fields in wrong.items() if fields} == {}


def test_every_field_that_is_allowed_is_used() -> None:
    used = {field for fields in in_code().values() for field in fields}
    assert FIELDS - ADDED - used == set()


def test_the_readme_lists_every_event_with_exactly_its_fields() -> None:
    assert in_readme() == in_code()


def test_the_readme_names_what_is_added_to_events() -> None:
    section = (ROOT / "README.md").read_text().partition("\n## Events\n")[2].partition("\n| event |")[0]
    assert {field for field in ADDED if f"`{field}`" not in section} == set()


if __name__ == "__main__":
    for name, fields in sorted(in_code().items()):
        print(f"| `{name}` | {', '.join(sorted(fields))} |  |")
