from __future__ import annotations

import pytest

from shared.errors import RowChanged, TooLarge
from shared.store.tables import (
    MAX_COMMIT_BYTES,
    MAX_OPERATIONS,
    MAX_PROPERTIES,
    MAX_ROW_BYTES,
    MAX_TEXT,
    Delete,
    Insert,
    Operation,
    Replace,
    Upsert,
    Value,
    Where,
    check_limits,
)
from tests.support.memory import MemoryTables


def row(size: int) -> dict[str, Value]:
    """Values of exactly so many bytes, as they are counted (two a letter, names too)."""
    values: dict[str, Value] = {}
    left = size
    while left > 0:
        name = f"p{len(values):03d}"
        units = min(MAX_TEXT, left // 2 - len(name))
        values[name] = "x" * units
        left -= (units + len(name)) * 2
    assert left == 0
    return values


def fits(operations: list[Operation]) -> bool:
    try:
        check_limits(operations)
    except TooLarge:
        return False
    return True


@pytest.mark.parametrize(("count", "ok"), [(0, False), (1, True), (99, True), (100, True), (101, False)])
def test_a_commit_has_one_to_a_hundred_operations(count: int, ok: bool) -> None:
    assert MAX_OPERATIONS == 100
    assert fits([Delete(f"k{number}") for number in range(count)]) is ok


@pytest.mark.parametrize("letter", ["x", "😀"], ids=["one unit", "two units"])
@pytest.mark.parametrize(("over", "ok"), [(-1, True), (0, True), (1, False)])
def test_a_text_is_measured_in_utf_16_units(letter: str, over: int, ok: bool) -> None:
    units = 2 if letter == "😀" else 1
    assert fits([Insert("k", {"text": letter * (MAX_TEXT // units + over)})]) is ok


@pytest.mark.parametrize(
    ("count", "ok"), [(MAX_PROPERTIES - 1, True), (MAX_PROPERTIES, True), (MAX_PROPERTIES + 1, False)]
)
def test_a_row_has_at_most_252_properties(count: int, ok: bool) -> None:
    assert MAX_PROPERTIES == 252
    assert fits([Insert("k", {f"p{number}": 1 for number in range(count)})]) is ok


@pytest.mark.parametrize(("over", "ok"), [(-2, True), (0, True), (2, False)])
def test_a_row_is_less_than_a_megabyte(over: int, ok: bool) -> None:
    assert MAX_ROW_BYTES < 1024 * 1024
    for operation in (Insert("k", row(MAX_ROW_BYTES + over)), Upsert("k", row(MAX_ROW_BYTES + over))):
        assert fits([operation]) is ok


@pytest.mark.parametrize(("over", "ok"), [(-2, True), (0, True), (2, False)])
def test_a_commit_is_less_than_four_megabytes(over: int, ok: bool) -> None:
    assert MAX_COMMIT_BYTES < 4 * 1024 * 1024
    whole, rest = divmod(MAX_COMMIT_BYTES + over, MAX_ROW_BYTES)
    rows: list[Operation] = [Insert(f"k{number}", row(MAX_ROW_BYTES)) for number in range(whole)]
    assert fits([*rows, Replace("rest", row(rest), "e")]) is ok


def test_a_row_is_touched_once_in_a_commit() -> None:
    assert not fits([Delete("k"), Insert("k", {})])


@pytest.mark.parametrize(
    "key", ["", "a/b", "a\\b", "a#b", "a?b", "a b", "a\n", "\na", "a\x00", "ä", "a%b", "a+b", "a'b", "a" * 501]
)
def test_a_key_that_azure_refuses_or_that_makes_trouble_is_refused(key: str) -> None:
    assert not fits([Insert(key, {})])
    assert not fits([Delete(key)])


@pytest.mark.parametrize("key", ["S:0af9", "E:held:00012:ab", "acme.1:sales-emea", "a_b", "a" * 500])
def test_a_key_of_ours_is_taken(key: str) -> None:
    assert fits([Insert(key, {})])


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 2**63])
def test_a_number_that_the_sdk_cannot_write_is_refused_here_too(number: int) -> None:
    # azure-data-tables raises TypeError beyond 32 bits: an error that no seam translates.
    assert not fits([Insert("k", {"size": number})])
    assert fits([Insert("k", {"size": 2**31 - 1})])


# ── memory ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "bad",
    [
        Insert("there", {}),
        Replace("there", {}, "other"),
        Replace("gone", {}, ""),
        Delete("gone"),
        Delete("there", "other"),
    ],
    ids=lambda one: f"{type(one).__name__} {one.key}",
)
def test_a_commit_of_which_one_operation_fails_changes_nothing(bad: Operation) -> None:
    tables = MemoryTables()
    tables.commit("desk", "p", [Insert("there", {"n": 1})])
    before = dict(tables.rows)
    with pytest.raises(RowChanged):
        tables.commit("desk", "p", [Insert("new", {}), bad, Upsert("also", {})])
    assert tables.rows == before


def test_every_write_has_an_etag_of_its_own_and_a_deletion_has_none() -> None:
    tables = MemoryTables()
    (first,) = tables.commit("desk", "p", [Insert("k", {"n": 1})])
    (second,) = tables.commit("desk", "p", [Replace("k", {"n": 1}, first)])
    assert first != second
    with pytest.raises(RowChanged):
        tables.commit("desk", "p", [Replace("k", {}, first)])
    assert tables.commit("desk", "p", [Delete("k", second)]) == ("",)
    assert tables.get("desk", "p", "k") is None


def test_a_query_finds_its_range_in_order_and_nothing_of_other_partitions() -> None:
    tables = MemoryTables()
    for key in "dacb":
        tables.commit("desk", "p", [Insert(key, {"n": key})])
    tables.commit("desk", "q", [Insert("b", {"n": "other"})])
    tables.commit("schedule", "p", [Insert("b", {"n": "other"})])
    assert [one.key for one in tables.query("desk", "p", "b", "d")] == ["b", "c"]
    assert [one.text("n") for one in tables.query("desk", "p", where=[Where("n", "le", "b")])] == ["a", "b"]
    assert [one.text("n") for one in tables.query("desk", None, "b", "c")] == ["b", "other"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Where("n", "eq", 7), True),
        (Where("n", "eq", 8), False),
        (Where("t", "eq", "b"), True),
        (Where("t", "le", "b"), True),
        (Where("t", "le", "a"), False),
        (Where("none", "eq", ""), False),
        (Where("none", "le", "z"), False),
        (Where("f", "eq", True), True),
        (Where("f", "eq", False), False),
    ],
)
def test_a_condition_holds_as_the_service_would_say(condition: Where, holds: bool) -> None:
    assert condition.holds({"n": 7, "t": "b", "f": True}) is holds
