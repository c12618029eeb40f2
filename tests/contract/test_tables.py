"""What every Tables promises: the fake of the fast tests and the real adapter on Azurite, by the same tests."""

from __future__ import annotations

import secrets
import threading

import pytest
from azure.data.tables import TableServiceClient

from shared.errors import RowChanged, StoreUnavailable, TooLarge
from shared.store.tables import AzureTables, Delete, Insert, Operation, Replace, Tables, Upsert, Where
from tests.support.memory import MemoryTables

T = "desk"


@pytest.fixture(params=["memory", pytest.param("azurite", marks=pytest.mark.azurite)])
def tables(request: pytest.FixtureRequest) -> Tables:
    if request.param == "memory":
        return MemoryTables()
    running = request.getfixturevalue("azurite")
    real = AzureTables(TableServiceClient.from_connection_string(running.connection_string))
    real.create()
    return real


@pytest.fixture
def p() -> str:
    """A partition of its own for each test."""
    return f"t.{secrets.token_hex(6)}"


def test_what_was_inserted_is_read_back_with_its_types(tables: Tables, p: str) -> None:
    values: dict[str, str | int | bool] = {"text": "Grüße ☃ 'quoted'", "count": 42, "yes": True, "empty": ""}
    (etag,) = tables.commit(T, p, [Insert("a", values)])
    row = tables.get(T, p, "a")
    assert row is not None
    assert (row.key, row.partition, row.etag) == ("a", p, etag)
    assert dict(row.values) == values


def test_a_row_that_is_not_there_is_none(tables: Tables, p: str) -> None:
    assert tables.get(T, p, "nothing") is None


def test_inserting_twice_is_refused_and_the_first_stays(tables: Tables, p: str) -> None:
    tables.commit(T, p, [Insert("a", {"n": 1})])
    with pytest.raises(RowChanged):
        tables.commit(T, p, [Insert("a", {"n": 2})])
    assert _number(tables, p, "a") == 1


def test_replacing_needs_the_etag_that_was_read(tables: Tables, p: str) -> None:
    (first,) = tables.commit(T, p, [Insert("a", {"n": 1})])
    (second,) = tables.commit(T, p, [Replace("a", {"n": 2}, first)])
    assert first != second
    with pytest.raises(RowChanged):
        tables.commit(T, p, [Replace("a", {"n": 3}, first)])
    assert _number(tables, p, "a") == 2


def test_replacing_drops_properties_that_are_not_given(tables: Tables, p: str) -> None:
    (etag,) = tables.commit(T, p, [Insert("a", {"n": 1, "old": "x"})])
    tables.commit(T, p, [Replace("a", {"n": 2}, etag)])
    row = tables.get(T, p, "a")
    assert row is not None
    assert dict(row.values) == {"n": 2}


@pytest.mark.parametrize("operation", [Replace("gone", {"n": 1}, 'W/"x"'), Delete("gone"), Delete("gone", 'W/"x"')])
def test_changing_a_row_that_is_not_there_is_refused(tables: Tables, p: str, operation: Operation) -> None:
    with pytest.raises(RowChanged):
        tables.commit(T, p, [operation])


def test_deleting_needs_the_etag_when_one_is_given(tables: Tables, p: str) -> None:
    (first,) = tables.commit(T, p, [Insert("a", {"n": 1})])
    tables.commit(T, p, [Upsert("a", {"n": 2})])
    with pytest.raises(RowChanged):
        tables.commit(T, p, [Delete("a", first)])
    assert tables.commit(T, p, [Delete("a")]) == ("",)
    assert tables.get(T, p, "a") is None


def test_upsert_writes_whatever_is_there(tables: Tables, p: str) -> None:
    tables.commit(T, p, [Upsert("a", {"n": 1, "old": "x"})])
    tables.commit(T, p, [Upsert("a", {"n": 2})])
    row = tables.get(T, p, "a")
    assert row is not None
    assert dict(row.values) == {"n": 2}


@pytest.mark.parametrize("bad", [Insert("a", {"n": 9}), Replace("b", {"n": 9}, 'W/"old"'), Delete("nothing")])
def test_a_commit_happens_whole_or_not_at_all(tables: Tables, p: str, bad: Operation) -> None:
    tables.commit(T, p, [Insert("a", {"n": 1}), Insert("b", {"n": 1})])
    with pytest.raises(RowChanged):
        tables.commit(T, p, [Insert("c", {"n": 1}), bad, Insert("d", {"n": 1})])
    assert [row.key for row in tables.query(T, p)] == ["a", "b"]


def test_a_hundred_operations_fit_and_one_more_does_not(tables: Tables, p: str) -> None:
    operations = [Insert(f"k{count:03d}", {"n": count}) for count in range(101)]
    with pytest.raises(TooLarge):
        tables.commit(T, p, operations)
    assert list(tables.query(T, p)) == []
    tables.commit(T, p, operations[:100])
    assert len(list(tables.query(T, p))) == 100


def test_ranges_come_in_order_with_the_end_left_out(tables: Tables, p: str) -> None:
    tables.commit(T, p, [Insert(key, {"n": 1}) for key in ("E:b:2", "E:a:9", "E:b:1", "F:1", "E:c:1")])
    assert [row.key for row in tables.query(T, p, "E:b:", "E:c:")] == ["E:b:1", "E:b:2"]
    assert [row.key for row in tables.query(T, p, "E:b:2")] == ["E:b:2", "E:c:1", "F:1"]


def test_ranges_are_read_over_many_pages(tables: Tables, p: str) -> None:
    for start in range(0, 250, 50):
        tables.commit(T, p, [Insert(f"{count:04d}", {"n": count}) for count in range(start, start + 50)])
    assert [row.number("n") for row in tables.query(T, p, page=30)] == list(range(250))


def test_conditions_compare_by_value_and_never_by_filter_text(tables: Tables, p: str) -> None:
    tables.commit(
        T,
        p,
        [
            Insert("1", {"who": "a", "due": "2026-01-01T00:00:00.000Z", "on": True}),
            Insert("2", {"who": "a' or PartitionKey ne 'x", "due": "2026-01-02T00:00:00.000Z", "on": False}),
            Insert("3", {"other": "no who"}),
        ],
    )

    def keys(*where: Where) -> list[str]:
        return [row.key for row in tables.query(T, p, where=where)]

    assert keys(Where("who", "eq", "a")) == ["1"]
    assert keys(Where("who", "eq", "a' or PartitionKey ne 'x")) == ["2"]
    assert keys(Where("due", "le", "2026-01-01T00:00:00.000Z")) == ["1"]
    assert keys(Where("due", "le", "2026-01-01T23:00:00.000Z"), Where("on", "eq", True)) == ["1"]
    assert keys(Where("on", "eq", False)) == ["2"]


def test_without_a_partition_every_partition_is_read(tables: Tables, p: str) -> None:
    mark = secrets.token_hex(6)
    for partition in (f"{p}a", f"{p}b"):
        tables.commit(T, partition, [Insert("k", {"mark": mark})])
    found = [row.partition for row in tables.query(T, None, where=[Where("mark", "eq", mark)])]
    assert found == [f"{p}a", f"{p}b"]


def test_partitions_do_not_see_each_other(tables: Tables, p: str) -> None:
    tables.commit(T, p, [Insert("a", {"n": 1})])
    assert tables.get(T, f"{p}x", "a") is None
    assert list(tables.query(T, f"{p}x")) == []


def test_of_many_that_insert_at_once_one_wins(tables: Tables, p: str) -> None:
    won: list[int] = []
    start = threading.Barrier(6)

    def insert(who: int) -> None:
        start.wait()
        try:
            tables.commit(T, p, [Insert("a", {"n": who})])
        except RowChanged:
            return
        won.append(who)

    threads = [threading.Thread(target=insert, args=(who,)) for who in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert _number(tables, p, "a") == won[0]


def test_storage_that_does_not_answer_is_unavailable() -> None:
    # Port 9 (discard) is never open here; the SDK's own tries are switched off to keep this quick.
    text = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;TableEndpoint=http://127.0.0.1:9/a;"
    dead = AzureTables(TableServiceClient.from_connection_string(text, retry_total=0))
    with pytest.raises(StoreUnavailable):
        dead.get(T, "p", "k")
    with pytest.raises(StoreUnavailable):
        dead.commit(T, "p", [Insert("k", {})])
    with pytest.raises(StoreUnavailable):
        list(dead.query(T, "p"))


def _number(tables: Tables, partition: str, key: str) -> int:
    row = tables.get(T, partition, key)
    assert row is not None
    return row.number("n")
