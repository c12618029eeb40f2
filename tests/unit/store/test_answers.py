"""What only storage in memory can show of answers; their promises are in tests/contract/test_answers.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.errors import RowChanged
from shared.mail.address import Address
from shared.model.incident import TEXT_LOST, Body, Incident, Note, NoteKind, Status
from shared.model.outbound import Outbound, SendKind, SendState
from shared.store import keys, rows
from shared.store.answers import TableAnswers
from shared.store.desk import TableDesk
from shared.store.tables import Delete, Insert, Replace
from tests.support.checker import violations
from tests.support.memory import MemoryBlobs, MemoryTables

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
ANN, BOB = Address("Ann", "ann@example.com"), Address("Bob", "")
TENANT = "acme.1"
LONG = "x" * 40_000


class Shelf(TableAnswers):
    """Answers in memory, beside one incident."""

    def __init__(self) -> None:
        self.tables, self.blobs = MemoryTables(), MemoryBlobs()
        super().__init__(self.tables, self.blobs)
        self.desk = TableDesk(self.tables, self.blobs)
        first = Incident(1, "Fire", Status.OPEN, "Support", "support", ANN, (ANN,), NOON, NOON, 0)
        values = rows.incident_values(first)
        row, place = keys.incident(1), keys.listed(first.status, first.updated, 1)
        self.tables.commit("desk", TENANT, [Insert(row, values), Insert(place, values)])

    def incident(self) -> Incident:
        found = self.desk.incident(TENANT, 1)
        assert found is not None
        return found

    def write(self, text: str, before: Incident | None = None) -> None:
        before = before or self.incident()
        seq = before.notes_count + 1
        note = Note(seq, NoteKind.ANSWER, BOB, NOON, Body(text))
        mail = Outbound(1, seq, "support", SendKind.ANSWER, (ANN,), since=NOON, due=NOON, rung=NOON)
        self.add(TENANT, before, replace(before, notes_count=seq), note, mail)


def test_a_short_text_needs_no_blob_and_a_long_one_has_one_of_its_own() -> None:
    shelf = Shelf()
    shelf.write("short")
    assert shelf.blobs.content == {}
    shelf.write(LONG)
    assert len(shelf.blobs.content) == 1


def test_who_loses_a_race_leaves_a_blob_that_no_row_names() -> None:
    shelf = Shelf()
    before = shelf.incident()
    shelf.write("short", before)
    with pytest.raises(RowChanged):
        shelf.write(f"lost {LONG}", before)
    shelf.write(f"kept {LONG}")
    assert [note.body.text[:5] for note in shelf.desk.notes(TENANT, 1, 0, 9)] == ["short", "kept "]
    assert len(shelf.blobs.content) == 2


def test_a_text_that_storage_lost_is_said_to_be_lost() -> None:
    shelf = Shelf()
    shelf.write(LONG)
    shelf.blobs.content.clear()
    assert shelf.desk.notes(TENANT, 1, 0, 9)[0].body.text == TEXT_LOST


def test_an_older_row_without_what_was_added_since_is_read() -> None:
    shelf = Shelf()
    shelf.write("short")
    row = shelf.tables.get("desk", TENANT, keys.outbound(1, 1))
    assert row is not None
    older = {name: value for name, value in row.values.items() if name not in ("got", "claim")}
    shelf.tables.commit("desk", TENANT, [Replace(row.key, older, row.etag)])
    found = shelf.outbound(TENANT, 1, 1)
    assert found is not None
    assert (found.got, found.claim) == ((), "")


@pytest.mark.parametrize("leak", ["place without a mail", "mail without its place", "mail of no note"])
def test_the_checker_sees_an_outbox_that_leaks(leak: str) -> None:
    shelf = Shelf()
    shelf.write("short")
    if leak == "place without a mail":
        row = shelf.tables.get("desk", TENANT, keys.outbound(1, 1))
        assert row is not None
        shelf.tables.commit("desk", TENANT, [Replace(row.key, {**row.values, "state": "sent"}, row.etag)])
    elif leak == "mail without its place":
        shelf.tables.commit("desk", TENANT, [Delete(keys.waiting_outbound(1, 1))])
    else:
        shelf.tables.commit("desk", TENANT, [Delete(keys.note(1, 1))])
    said = " ".join(violations(shelf.tables, shelf.blobs, TENANT))
    assert ("sends a note that is not there" if leak == "mail of no note" else "outbox") in said


def test_a_place_in_the_outbox_whose_mail_is_over_is_passed_by() -> None:
    shelf = Shelf()
    shelf.write("short")
    shelf.tables.commit("desk", TENANT, [Insert(keys.waiting_outbound(1, 9), {"incident": 1, "note": 9})])
    assert [one.note for one in shelf.open(TENANT)] == [1]
    found = shelf.outbound(TENANT, 1, 1)
    assert found is not None
    shelf.move(TENANT, found, replace(found, state=SendState.SENT))
    assert list(shelf.open(TENANT)) == []
