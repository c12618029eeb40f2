"""What ``Webhooks`` promises, and that events lie in the transaction of their change, on memory and on Azurite."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from shared.errors import RowChanged
from shared.mail.address import Address
from shared.model import reason, webhook
from shared.model.inbound import Decision, Filed, Filing, Kept, Step
from shared.model.incident import Body, Incident, Note, NoteKind, Status
from shared.model.webhook import (
    SUBSCRIBABLE,
    Attempt,
    DeliveryState,
    Dispatch,
    Event,
    EventType,
    Hook,
    Hooks,
    Standing,
)
from shared.store.answers import TableAnswers
from shared.store.desk import TableDesk
from shared.store.raw import AzureBlobs, Blobs
from shared.store.tables import AzureTables, Tables
from shared.store.webhooks import TableWebhooks
from tests.support.memory import MemoryBlobs, MemoryTables

NOON = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
ANN = Address("Ann", "ann@example.com")
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass
class Shelf:
    """Webhooks, desk and answers on one storage, in a partition of its own."""

    tables: Tables
    blobs: Blobs
    tenant: str
    count: int = field(default=0)

    def __post_init__(self) -> None:
        self.webhooks = TableWebhooks(self.tables)
        self.desk, self.answers = TableDesk(self.tables, self.blobs), TableAnswers(self.tables, self.blobs)

    def subscribe(self, *types: EventType, id: str = "aaaaaaaaaaaa") -> None:
        hooks = self.webhooks.hooks(self.tenant)
        self.webhooks.put(self.tenant, hooks.put(hook(id, events=types or SUBSCRIBABLE)))

    def file(self, why: reason.Reason = reason.NEW_INCIDENT, join: Incident | None = None) -> Filed:
        self.count += 1
        id = secrets.token_hex(16)
        self.desk.keep(self.tenant, [Kept(id, "support", NOON, 0, EMPTY)], NOON)
        mail = self.desk.inbound(self.tenant, id)
        assert mail is not None
        decision = Decision(why, (Step("rule", True, "why"),), join=join)
        filing = Filing(mail, decision, "Support", NOON, "ann", "Fire", ANN, Body("Fire."), digest=id, now=NOON)
        return self.desk.file(self.tenant, filing)

    def incident(self) -> Incident:
        found = self.desk.incident(self.tenant, 1)
        assert found is not None
        return found

    def waiting(self) -> list[Dispatch]:
        return list(self.webhooks.all_waiting(self.tenant))

    def event(self, **fields: object) -> Dispatch:
        """An event of a new incident that waits."""
        filed = self.file()
        found = self.webhooks.waiting(self.tenant, filed.events[0])
        assert found is not None
        return found


def hook(id: str = "aaaaaaaaaaaa", **fields: object) -> Hook:
    made = Hook(id, f"https://{id}.example/?q=1", SUBSCRIBABLE, NOON, "sealed")
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


def test_webhooks_are_read_back_as_they_were_written_with_the_same_version(shelf: Shelf) -> None:
    assert shelf.webhooks.hooks(shelf.tenant) == Hooks()
    everything = hook(
        "bbbbbbbbbbbb",
        description='Grüße "☃" <b>',
        url="https://b.example/" + "x" * 1900,
        events=(EventType.MAIL_HELD,),
        enabled=False,
        created=NOON + timedelta(milliseconds=7),
        old_secret="old",
        old_until=NOON + timedelta(days=1),
        ended="It is gone.",
    )
    many = tuple(hook(f"{count:012x}", created=NOON + timedelta(seconds=1 + count)) for count in range(9))
    stored = shelf.webhooks.put(shelf.tenant, Hooks((hook(), everything, *many), ("dddddddddddd",)))
    found = shelf.webhooks.hooks(shelf.tenant)
    assert found == stored
    assert [one.version for one in found.all] == [one.version for one in (hook(), everything, *many)]


def test_of_two_that_change_webhooks_at_once_the_second_reads_again(shelf: Shelf) -> None:
    first = shelf.webhooks.put(shelf.tenant, Hooks((hook(),)))
    with pytest.raises(RowChanged):
        shelf.webhooks.put(shelf.tenant, Hooks((hook("bbbbbbbbbbbb"),)))
    shelf.webhooks.put(shelf.tenant, first.put(hook(enabled=False)))
    with pytest.raises(RowChanged):
        shelf.webhooks.put(shelf.tenant, first.put(hook(description="late")))


def test_a_change_and_its_events_appear_together_or_not_at_all(shelf: Shelf) -> None:
    shelf.subscribe()
    filed = shelf.file()
    before = shelf.incident()
    closed = replace(before, status=Status.CLOSED, updated=NOON + timedelta(seconds=1))
    (changed,) = shelf.answers.change(shelf.tenant, before, closed)
    with pytest.raises(RowChanged):
        shelf.answers.change(shelf.tenant, before, replace(before, status=Status.WAITING))
    incident = shelf.incident()
    note = Note(2, NoteKind.INTERNAL, ANN, NOON + timedelta(seconds=2), Body("Aside."))
    after = replace(incident, notes_count=2, status=Status.OPEN, updated=note.created)
    added = shelf.answers.add(shelf.tenant, incident, after, note, None)
    with pytest.raises(RowChanged):
        shelf.answers.add(shelf.tenant, incident, after, note, None)
    held = shelf.file(reason.NOT_ON_WHITELIST)
    assert (len(filed.events), len(added), len(held.events)) == (1, 2, 1)
    found = {one.event.id: one for one in shelf.waiting()}
    assert set(found) == {*filed.events, changed, *added, *held.events}
    assert sorted(one.event.type for one in found.values()) == sorted(
        ["incident.created", "status.changed", "note.added", "status.changed", "mail.held"]
    )
    assert {one.deliveries[0].hook for one in found.values()} == {"aaaaaaaaaaaa"}
    whole = [shelf.webhooks.waiting(shelf.tenant, id) for id in found]
    assert all(one is not None and one.event.id in one.event.body for one in whole)


def test_only_what_a_webhook_wants_is_written(shelf: Shelf) -> None:
    shelf.file()
    shelf.subscribe(EventType.MAIL_HELD)
    shelf.subscribe(EventType.NOTE_ADDED, id="bbbbbbbbbbbb")
    shelf.file()
    shelf.file(reason.OWN_MAIL)
    joined = shelf.file(reason.REPLY_BY_REFERENCE, shelf.incident())
    assert [one.event.id for one in shelf.waiting()] == list(joined.events)
    assert [one.hook for one in shelf.waiting()[0].deliveries] == ["bbbbbbbbbbbb"]


def test_an_event_leaves_the_outbox_with_its_last_delivery_and_can_come_back(shelf: Shelf) -> None:
    shelf.subscribe()
    shelf.subscribe(id="bbbbbbbbbbbb")
    dispatch = shelf.event()
    one, two = dispatch.deliveries
    claimed = replace(webhook.trying(one, NOON, "c1"), due=NOON + timedelta(milliseconds=1))
    moved = shelf.webhooks.move(shelf.tenant, dispatch, dispatch.put(claimed))
    assert shelf.webhooks.waiting(shelf.tenant, dispatch.event.id) == moved
    with pytest.raises(RowChanged):
        shelf.webhooks.move(shelf.tenant, dispatch, dispatch.put(claimed))
    half = shelf.webhooks.move(shelf.tenant, moved, moved.put(webhook.delivered(claimed)))
    assert len(shelf.waiting()) == 1
    done = shelf.webhooks.move(shelf.tenant, half, half.put(webhook.given_up(two)))
    assert shelf.waiting() == []
    kept = shelf.webhooks.done_with(shelf.tenant, dispatch.event.time, dispatch.event.id)
    assert kept == done
    assert kept is not None
    again = shelf.webhooks.move(shelf.tenant, kept, kept.put(webhook.once_more(claimed, NOON)))
    assert [(one.event.id, one.deliveries) for one in shelf.waiting()] == [(again.event.id, again.deliveries)]
    assert shelf.webhooks.done_with(shelf.tenant, dispatch.event.time, dispatch.event.id) is None
    with pytest.raises(RowChanged):
        shelf.webhooks.move(shelf.tenant, kept, kept.put(webhook.once_more(claimed, NOON)))


def test_of_many_that_claim_a_delivery_at_once_one_does(shelf: Shelf) -> None:
    shelf.subscribe()
    dispatch = shelf.event()
    won: list[int] = []

    def claim(number: int) -> None:
        claimed = webhook.trying(dispatch.deliveries[0], NOON, f"c{number}")
        try:
            shelf.webhooks.move(shelf.tenant, dispatch, dispatch.put(claimed))
        except RowChanged:
            return
        won.append(number)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def _attempt(count: int, at: datetime, hook: str = "aaaaaaaaaaaa") -> Attempt:
    event = Event(f"evt_{count:032x}", "ping", NOON, "{}")
    return Attempt(hook, event.id, event.type, NOON, at, 1, DeliveryState.FAILED, 500, "Why ☃", 12, at)


def test_the_log_is_read_newest_first_page_by_page(shelf: Shelf) -> None:
    standing = Standing("aaaaaaaaaaaa", NOON, DeliveryState.FAILED, 500, "Why ☃", 2, NOON, NOON + timedelta(seconds=30))
    stored = [
        shelf.webhooks.note(shelf.tenant, _attempt(count, NOON + timedelta(milliseconds=count // 2)), standing)
        for count in range(7)
    ]
    shelf.webhooks.note(shelf.tenant, _attempt(99, NOON, "bbbbbbbbbbbb"), replace(standing, hook="bbbbbbbbbbbb"))
    seen: list[Attempt] = []
    after: str | None = ""
    while after is not None:
        page = shelf.webhooks.log(shelf.tenant, "aaaaaaaaaaaa", after, 3)
        assert len(page.items) <= 3
        seen += page.items
        after = page.next
    assert sorted(seen, key=lambda one: one.id) == seen
    assert {one.id: one for one in seen} == {one.id: one for one in stored}
    assert shelf.webhooks.attempt(shelf.tenant, "aaaaaaaaaaaa", seen[3].id) == seen[3]
    assert shelf.webhooks.attempt(shelf.tenant, "bbbbbbbbbbbb", seen[3].id) is None
    assert shelf.webhooks.standings(shelf.tenant)["aaaaaaaaaaaa"] == standing


def test_a_deleted_webhooks_log_goes_and_that_of_others_stays(shelf: Shelf) -> None:
    for id in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
        shelf.webhooks.note(shelf.tenant, _attempt(1, NOON, id), Standing(id, NOON, DeliveryState.DELIVERED))
    for _ in range(2):
        shelf.webhooks.forget(shelf.tenant, "aaaaaaaaaaaa")
    assert shelf.webhooks.log(shelf.tenant, "aaaaaaaaaaaa", "", 9).items == ()
    assert len(shelf.webhooks.log(shelf.tenant, "bbbbbbbbbbbb", "", 9).items) == 1
    assert set(shelf.webhooks.standings(shelf.tenant)) == {"bbbbbbbbbbbb"}


def test_what_is_older_than_thirty_days_goes_some_at_a_time(shelf: Shelf) -> None:
    shelf.subscribe()
    dispatch = shelf.event()
    shelf.webhooks.move(shelf.tenant, dispatch, dispatch.put(webhook.delivered(dispatch.deliveries[0])))
    for id in ("aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"):
        for count, days in enumerate((0, 0, 20)):
            at = NOON + timedelta(days=days)
            shelf.webhooks.note(shelf.tenant, _attempt(count, at, id), Standing(id, at, DeliveryState.DELIVERED))
    later = NOON + timedelta(days=31)
    assert shelf.webhooks.sweep(shelf.tenant, later, 3) == 3
    assert shelf.webhooks.sweep(shelf.tenant, later, 100) == 4
    assert shelf.webhooks.sweep(shelf.tenant, later, 100) == 0
    for id in ("aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"):
        assert len(shelf.webhooks.log(shelf.tenant, id, "", 9).items) == 1
    assert shelf.webhooks.done_with(shelf.tenant, dispatch.event.time, dispatch.event.id) is None
