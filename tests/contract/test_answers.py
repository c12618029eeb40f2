"""What ``Answers`` promises, on the memory of the fast tests and on Azurite, by the same tests."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from shared.errors import RowChanged, StoreError
from shared.mail.address import Address
from shared.model import outbound as model
from shared.model import reason
from shared.model.inbound import Decision, Filing, Kept, Step
from shared.model.incident import Body, Incident, Note, NoteKind, Status
from shared.model.outbound import Outbound, SendKind, SendState
from shared.store.answers import TableAnswers
from shared.store.desk import TableDesk
from shared.store.raw import AzureBlobs, Blobs
from shared.store.tables import AzureTables, Tables
from tests.support.checker import violations
from tests.support.memory import MemoryBlobs, MemoryTables

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
ANN, BOB = Address("Ann", "ann@example.com"), Address("Bob", "")
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass
class Shelf:
    """Answers and the desk on one storage, in a partition of its own, with one incident."""

    tables: Tables
    blobs: Blobs
    tenant: str

    def __post_init__(self) -> None:
        self.desk, self.answers = TableDesk(self.tables, self.blobs), TableAnswers(self.tables, self.blobs)
        id = secrets.token_hex(16)
        self.blobs.write("raw", f"{self.tenant}/{id}.eml", b"")
        self.desk.keep(self.tenant, [Kept(id, "support", NOON, 0, EMPTY)], NOON)
        mail = self.desk.inbound(self.tenant, id)
        assert mail is not None
        decision = Decision(reason.NEW_INCIDENT, (Step("rule", True, "why"),))
        self.desk.file(
            self.tenant, Filing(mail, decision, "Support", NOON, "ann", "Fire", ANN, Body("Fire."), digest=id)
        )

    def incident(self) -> Incident:
        found = self.desk.incident(self.tenant, 1)
        assert found is not None
        return found

    def write(self, text: str = "Water.", before: Incident | None = None, sends: bool = True) -> Note:
        before = before or self.incident()
        seq = before.notes_count + 1
        kind = NoteKind.ANSWER if sends else NoteKind.INTERNAL
        note = Note(seq, kind, BOB, NOON + timedelta(seconds=seq), Body(text))
        after = replace(before, status=Status.WAITING, notes_count=seq, updated=note.created)
        self.answers.add(self.tenant, before, after, note, mail(seq) if sends else None)
        return note

    def read(self, note: int = 2) -> Outbound:
        found = self.answers.outbound(self.tenant, 1, note)
        assert found is not None
        return found

    def open(self) -> list[int]:
        return [one.note for one in self.answers.open(self.tenant)]

    def texts(self) -> list[str]:
        return [note.body.text for note in self.desk.notes(self.tenant, 1, 0, 100)]

    def problems(self) -> list[str]:
        return violations(self.tables, self.blobs, self.tenant)


def mail(note: int, **fields: object) -> Outbound:
    made = Outbound(1, note, "support", SendKind.ANSWER, (ANN,), since=NOON, due=NOON, rung=NOON)
    return replace(made, **fields)  # type: ignore[arg-type]


@pytest.fixture(params=["memory", pytest.param("azurite", marks=pytest.mark.azurite)])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    tenant = f"t.{secrets.token_hex(6)}"
    if request.param == "memory":
        return Shelf(MemoryTables(), MemoryBlobs(), tenant)
    running = request.getfixturevalue("azurite")
    tables = AzureTables(TableServiceClient.from_connection_string(running.connection_string))
    blobs = AzureBlobs(BlobServiceClient.from_connection_string(running.connection_string))
    tables.create()
    blobs.create()
    return Shelf(tables, blobs, tenant)


def test_a_note_its_incident_and_its_mail_appear_together(shelf: Shelf) -> None:
    note = shelf.write()
    assert shelf.desk.notes(shelf.tenant, 1, 1, 1) == (note,)
    assert (shelf.incident().status, shelf.incident().notes_count) == (Status.WAITING, 2)
    assert replace(shelf.read(), version="") == mail(2)
    assert shelf.open() == [2]
    assert shelf.problems() == []


def test_a_mail_is_read_back_as_it_was_written(shelf: Shelf) -> None:
    everything = mail(
        2,
        kind=SendKind.ANSWER,
        to=(Address('Grüße "☃" <b>', "ann@example.com"),),
        cc=(Address("", "bob@example.net"),),
        answers="<q@example.com>",
        references=("<1@x>", '<"odd\\"@x>'),
        state=SendState.SENT,
        due=NOON + timedelta(milliseconds=1),
        attempts=3,
        said="bob@example.net did not get it",
        refused=(("bob@example.net", "5.1.1 no"),),
        got=("ann@example.com",),
        claim="c1",
    )
    shelf.write()
    stored = shelf.answers.move(shelf.tenant, shelf.read(), everything)
    assert shelf.read() == stored
    assert replace(stored, version="") == everything
    assert shelf.problems() == []


def test_the_outbox_holds_what_is_still_going_to_happen_and_nothing_else(shelf: Shelf) -> None:
    shelf.write()
    shelf.write(sends=False)
    shelf.write()
    assert shelf.open() == [2, 4]
    for state, expected in (
        (SendState.SENDING, [2, 4]),
        (SendState.QUEUED, [2, 4]),
        (SendState.SENT, [4]),
        (SendState.BOUNCED, [4]),
        (SendState.QUEUED, [2, 4]),
        (SendState.IN_DOUBT, [4]),
    ):
        shelf.answers.move(shelf.tenant, shelf.read(), replace(shelf.read(), state=state))
        assert shelf.open() == expected
        assert shelf.problems() == []


def test_of_two_who_write_at_once_one_loses_and_leaves_no_wrong_text(shelf: Shelf) -> None:
    before, long = shelf.incident(), "x" * 40_000
    shelf.write(f"first {long}", before)
    with pytest.raises(RowChanged):
        shelf.write(f"second {long}", before)
    assert shelf.texts() == ["Fire.", f"first {long}"]
    shelf.write(f"second {long}")
    assert shelf.texts() == ["Fire.", f"first {long}", f"second {long}"]
    assert shelf.problems() == []


def test_of_two_who_claim_a_mail_one_loses(shelf: Shelf) -> None:
    shelf.write()
    before = shelf.read()
    shelf.answers.move(shelf.tenant, before, model.sending(before, NOON, "one"))
    with pytest.raises(RowChanged):
        shelf.answers.move(shelf.tenant, before, model.sending(before, NOON, "two"))
    assert shelf.read().claim == "one"


def test_of_many_at_once_exactly_one_claims_and_each_answer_gets_a_number_of_its_own(shelf: Shelf) -> None:
    shelf.write()
    before = shelf.read()

    def claim(number: int) -> None:
        shelf.answers.move(shelf.tenant, before, model.sending(before, NOON, str(number)))

    def write(number: int) -> None:
        for _ in range(50):
            try:
                shelf.write(f"answer {number}")
                return
            except StoreError:
                continue
        raise AssertionError("lost fifty times")

    assert sorted(at_once(6, claim)) == ["RowChanged"] * 5
    assert at_once(4, write) == []
    assert sorted(shelf.texts()[2:]) == [f"answer {number}" for number in range(4)]
    assert shelf.problems() == []


def at_once(count: int, work: Callable[[int], None]) -> list[str]:
    """What those threads raised."""
    raised: list[str] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        try:
            work(number)
        except Exception as error:  # noqa: BLE001 - handed to the test
            raised.append(type(error).__name__)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_the_mails_of_some_notes_are_found_by_their_notes(shelf: Shelf) -> None:
    for sends in (True, False, True, True):
        shelf.write(sends=sends)
    assert sorted(shelf.answers.of_incident(shelf.tenant, 1, 2, 4)) == [2, 4]
    assert shelf.answers.of_incident(shelf.tenant, 2, 1, 100) == {}
    assert shelf.answers.outbound(shelf.tenant, 1, 3) is None


def test_an_address_that_mail_came_back_from_is_remembered_whatever_its_letters(shelf: Shelf) -> None:
    answers, tenant = shelf.answers, shelf.tenant
    answers.note_undeliverable(tenant, "Gone@Example.com", "5.1.1 no such user")
    answers.note_undeliverable(tenant, "gone@example.com", "5.1.1 still not")
    people = ["gone@EXAMPLE.com", "ann@example.com", "gone@EXAMPLE.com"]
    assert answers.undeliverable(tenant, people) == {"gone@EXAMPLE.com": "5.1.1 still not"}
    answers.forget_undeliverable(tenant, "GONE@example.com")
    answers.forget_undeliverable(tenant, "GONE@example.com")
    assert answers.undeliverable(tenant, people) == {}


def test_the_longest_mail_fits_into_its_row(shelf: Shelf) -> None:
    people = tuple(Address("N" * 300, f"{number:03d}{'a' * 60}@{'d' * 60}.example") for number in range(100))
    refused = tuple((one.address, "5.1.1 " + "no " * 200) for one in people)
    ids = tuple(f"<{'i' * 900}{number}@x>" for number in range(20))
    longest = mail(2, to=people[:1], cc=people[1:], refused=refused, references=ids, said="x" * 5000)
    shelf.write()
    shelf.answers.move(shelf.tenant, shelf.read(), replace(longest, got=tuple(one.address for one in people)))
    stored = shelf.read()
    assert stored.recipients == longest.recipients == stored.got
    assert stored.references == ids
    assert 50 < len(stored.refused) <= 100


def test_a_mail_that_is_over_from_the_beginning_is_in_no_outbox(shelf: Shelf) -> None:
    before = shelf.incident()
    note = Note(2, NoteKind.ANSWER, BOB, NOON, Body("x"))
    after = replace(before, notes_count=2)
    shelf.answers.add(shelf.tenant, before, after, note, mail(2, state=SendState.FAILED, said="nobody"))
    assert shelf.open() == []
    assert shelf.problems() == []
