from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.errors import Conflict, StoreError, StoreUnavailable
from shared.flows import convert, held, incinerate
from shared.model.inbound import Inbound
from shared.model.reason import Outcome
from shared.model.retention import DECIDED
from shared.store.expired import TableExpired
from shared.store.raw import StoredRawMail
from shared.store.tables import Row, Where
from tests.support.app import World, make_app
from tests.support.checker import Stored, violations
from tests.support.failing import FailingBlobs, FailingQueues, FailingTables, Fault, Kind
from tests.support.mails import mail
from tests.support.memory import MemoryBlobs, MemoryTables

DAYS = 30
ANN = "Ann <ann@example.com>"
BOB = "Bob <bob@else.example>"


class Desk:
    """A tenant with mail of every outcome, and a fire."""

    def __init__(self, world: World, slug: str = "acme") -> None:
        self.world = world
        self.tenant, _ = world.tenant(slug)
        world.mailbox(self.tenant, whitelist_enabled=True, whitelist="example.com")
        self.number = 0

    def receive(self, sender: str = ANN, **fields: str) -> str:
        """A new mail comes and is converted; its id."""
        self.world.clock.advance(seconds=1)
        self.number += 1
        fields = {"message_id": f"<{self.number}@example.com>", "text": f"text {self.number}", **fields}
        self.world.receive(self.tenant, mail(sender, **fields, attachments=(("a.bin", b"\x00\x01"),)))
        return self.world.ledger(self.tenant)[0].id

    def every_outcome(self) -> dict[str, str]:
        """Mails by what became of them."""
        made = {"delivered": self.receive(message_id="<0@example.com>", text="same")}
        made["duplicate"] = self.receive(message_id="<0@example.com>", text="same", subject="Printer on fire")
        made["held"] = self.receive(BOB)
        made["by person"] = self.receive(BOB)
        held.discard(self.world.app, self.tenant, made["by person"], "Kim")
        made["own"] = self.receive("support@example.org")
        made["failed"] = self.pending()
        convert.give_up(self.world.app, self.tenant, made["failed"])
        return made

    def pending(self) -> str:
        """A mail that waits to be converted."""
        self.world.clock.advance(seconds=1)
        self.number += 1
        self.world.folders["support"].deliver(mail(message_id=f"<{self.number}@example.com>", text=str(self.number)))
        self.world.poll(self.tenant)
        self.world.queues.inbound.clear()
        return self.world.ledger(self.tenant)[0].id

    def burn(self, days: int = DAYS) -> bool:
        return incinerate.incinerate(self.world.app, TableExpired(self.world.tables), days)

    def raws(self) -> set[str]:
        """Mails whose raw is there."""
        ids = (one.id for one in self.world.ledger(self.tenant))
        return {id for id in ids if self.world.app.raw.get(self.tenant, id) is not None}

    def reasons(self) -> dict[str, str]:
        return {one.id: one.reason for one in self.world.ledger(self.tenant)}

    def problems(self) -> list[str]:
        """What the checker finds, but for what is meant to be."""
        found = violations(self.world.tables, self.world.blobs, self.tenant)
        return [one for one in found if "has not the raw" not in one and "still pending" not in one]


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


def test_raw_mail_goes_when_its_time_is_over_and_not_a_moment_before(desk: Desk) -> None:
    made = desk.every_outcome()
    raws = desk.raws()
    assert raws == set(made.values())
    desk.world.clock.advance(days=DAYS, seconds=-len(made), milliseconds=1)
    assert desk.burn()
    assert desk.raws() == raws
    for left in reversed(range(len(made))):
        desk.world.clock.advance(seconds=1)
        assert desk.burn()
        assert len(desk.raws()) == left


def test_incident_note_and_attachments_stay_and_so_does_each_mails_row(desk: Desk) -> None:
    made = desk.every_outcome()
    before = [desk.world.notes(desk.tenant, one.number) for one in desk.world.incidents(desk.tenant)]
    incidents = desk.world.incidents(desk.tenant)
    desk.world.clock.advance(days=DAYS * 2)
    desk.burn()
    assert desk.world.incidents(desk.tenant) == incidents
    assert [desk.world.notes(desk.tenant, one.number) for one in incidents] == before
    (attachment,) = before[0][0].body.attachments
    assert desk.world.app.raw.attachment(desk.tenant, attachment.sha256) is not None
    assert set(desk.reasons()) == set(made.values())
    assert desk.problems() == []


def test_what_nobody_decided_about_is_discarded_with_a_reason_and_can_be_released_no_more(desk: Desk) -> None:
    made = desk.every_outcome()
    desk.world.clock.advance(days=DAYS * 2)
    desk.burn()
    reasons = desk.reasons()
    assert {name: reasons[id] for name, id in made.items()} == {
        "delivered": "new_incident",
        "duplicate": "same_mail",
        "held": "retention_over",
        "by person": "retention_over",
        "own": "own_mail",
        "failed": "retention_over",
    }
    for name in ("held", "by person", "failed"):
        with pytest.raises(Conflict):
            held.release(desk.world.app, desk.tenant, made[name], "Kim")
        with pytest.raises(Conflict):
            held.retry(desk.world.app, desk.tenant, made[name])
    found = desk.world.app.desk.inbound(desk.tenant, made["by person"])
    assert found is not None
    assert [step.rule for step in found.trace][-2:] == ["discarded_by_person", "retention_over"]


def test_pending_mail_stays_whole_however_old_and_holds_back_nothing_older(desk: Desk) -> None:
    first = desk.receive()
    desk.world.clock.advance(seconds=1)
    waiting = desk.pending()
    desk.world.clock.advance(seconds=1)
    later = desk.receive()
    desk.world.clock.advance(days=DAYS * 2)
    desk.burn()
    assert desk.raws() == {waiting, later}
    convert.convert(desk.world.app, desk.tenant, waiting)
    desk.burn()
    assert desk.raws() == set()
    assert first in desk.reasons()


def test_without_a_retention_mail_is_kept_for_ever(desk: Desk) -> None:
    raws = set(desk.every_outcome().values())
    desk.world.clock.advance(days=36_000)
    assert desk.burn(days=0)
    assert desk.raws() == raws
    assert "retention_over" not in desk.reasons().values()


def test_a_shorter_retention_takes_more_and_a_longer_one_brings_nothing_back(desk: Desk) -> None:
    desk.receive()
    desk.world.clock.advance(days=10)
    second = desk.receive()
    desk.world.clock.advance(days=10)
    desk.burn(days=15)
    assert desk.raws() == {second}
    desk.burn(days=100)
    desk.burn(days=5)
    assert desk.raws() == set()


def test_what_was_burnt_is_not_looked_at_again(desk: Desk) -> None:
    for _ in range(20):
        desk.receive()
    desk.world.clock.advance(days=DAYS + 1)
    desk.burn()
    counting = CountingTables()
    counting.rows = desk.world.tables.rows  # type: ignore[attr-defined]
    assert incinerate.incinerate(desk.world.app, TableExpired(counting), DAYS)
    assert (counting.ledger_rows, desk.raws()) == (0, set())


class CountingTables(MemoryTables):
    """Counts rows of the ledger's index that are read."""

    ledger_rows = 0

    def query(
        self,
        table: str,
        partition: str | None,
        start: str = "",
        end: str = "",
        where: Sequence[Where] = (),
        page: int = 1000,
        columns: Sequence[str] = (),
    ) -> Iterator[Row]:
        for row in super().query(table, partition, start, end, where, page, columns):
            self.ledger_rows += row.key.startswith("E:")
            yield row


def test_a_run_ends_when_its_time_is_over_and_the_next_ones_go_on(desk: Desk) -> None:
    made = [desk.receive(ANN if number % 3 else BOB) for number in range(60)]
    desk.world.clock.advance(days=DAYS + 1)
    runs = []
    while True:
        before = len(desk.raws())
        done = burn_at_most(desk, 25)
        runs.append(before - len(desk.raws()))
        if done:
            break
        assert len(runs) < 10
    assert max(runs) <= 25
    assert sum(runs) == len(made)
    assert desk.problems() == []


class Slow(StoredRawMail):
    """Every deletion takes its time."""

    def __init__(self, world: World, seconds: float) -> None:
        super().__init__(world.blobs)
        self.world, self.seconds = world, seconds

    def discard(self, tenant: str, id: str) -> None:
        super().discard(tenant, id)
        self.world.clock.advance(seconds=self.seconds)


def burn_at_most(desk: Desk, most: int) -> bool:
    """A run whose time is over after this many deletions."""
    slow = Slow(desk.world, incinerate.BUDGET.total_seconds() / most)
    app = replace(desk.world.app, raw=slow)
    return incinerate.incinerate(app, TableExpired(desk.world.tables), DAYS)


def test_each_night_begins_with_another_tenant(world: World) -> None:
    desks = [Desk(world, slug) for slug in ("one", "two")]
    for desk in desks * 3:
        desk.receive()
    world.clock.advance(days=DAYS + 1)
    left = [[len(desk.raws()) for desk in desks]]
    for _ in range(2):
        burn_at_most(desks[0], 1)
        left.append([len(desk.raws()) for desk in desks])
        world.clock.advance(days=1)
    burnt = [[before - after for before, after in zip(*nights, strict=True)] for nights in itertools.pairwise(left)]
    assert sorted(burnt) == [[0, 1], [1, 0]]


def test_transcripts_go_after_a_day_also_of_mailboxes_that_are_gone(desk: Desk) -> None:
    app = desk.world.app
    for mailbox in ("support", "gone"):
        for number in range(120):
            app.transcripts.add(
                desk.tenant, mailbox, [f"line {number}"], desk.world.clock.now + timedelta(seconds=number)
            )
    desk.world.clock.advance(days=1, minutes=1)
    app.transcripts.add(desk.tenant, "support", ["today"], desk.world.clock.now)
    desk.burn(days=0)
    stored = Stored(desk.world.tables, desk.world.blobs, desk.tenant)
    assert len(stored.rows("X")) == 1 + 2 * 59  # those of the second minute are not a day old
    desk.world.clock.advance(hours=1)
    desk.burn(days=0)
    assert len(Stored(desk.world.tables, desk.world.blobs, desk.tenant).rows("X")) == 1


def test_counts_of_limits_go_a_day_after_their_window(desk: Desk) -> None:
    desk.receive()
    kept = len(limit_rows(desk))
    assert kept > 0
    desk.world.clock.advance(hours=21)  # the mail was received at nine, its window ended at ten
    desk.burn(days=0)
    assert len(limit_rows(desk)) == kept
    desk.world.clock.advance(hours=2)
    desk.burn(days=0)
    assert limit_rows(desk) == set()


def limit_rows(desk: Desk) -> set[str]:
    return set(Stored(desk.world.tables, desk.world.blobs, desk.tenant).rows("R"))


def test_sign_ins_that_nobody_finished_go(desk: Desk) -> None:
    app, now = desk.world.app, desk.world.clock.now
    for number in range(5):
        app.sign_ins.begin(f"old {number}", "sealed", now + timedelta(minutes=10), now)
    desk.world.clock.advance(minutes=5)
    app.sign_ins.begin("young", "sealed", now + timedelta(minutes=15), now + timedelta(minutes=5))
    desk.world.clock.advance(minutes=5)
    desk.burn(days=0)
    assert app.sign_ins.take("young", desk.world.clock.now) == "sealed"
    rows = list(desk.world.tables.query("tenants", "sign-in"))
    assert rows == []


def test_who_releases_a_mail_at_this_very_moment_finds_it_whole(world: World) -> None:
    """Somebody presses the button just before each single storage operation of the run."""
    operations = _operations()
    for at in range(1, operations + 1):
        scene = Scene()

        def press(scene: Scene = scene) -> None:
            for name in ("held", "by person"):
                try:
                    held.release(scene.world.app, scene.tenant, scene.made[name], "Kim")
                except Conflict:
                    continue  # its time was over a moment before

        scene.fault.arm(at, instead=press)
        scene.burn()
        scene.fault.disarm()
        scene.world.convert_all()
        released = [id for id, why in scene.reasons().items() if why == "new_incident"]
        assert "raw_lost" not in scene.reasons().values(), at
        scene.burn()
        scene.burn()
        assert (scene.raws(), scene.problems()) == (set(), []), at
        assert set(released) <= {id for id, why in scene.reasons().items() if why == "new_incident"}


class Racing(TableExpired):
    """Something happens just before the n-th step of a run."""

    def __init__(self, world: World, happens: dict[str, Callable[[], object]]) -> None:
        super().__init__(world.tables)
        self.happens = happens
        self.count: Counter[str] = Counter()

    def settle(self, tenant: str, id: str) -> bool:
        self._step("settle")
        return super().settle(tenant, id)

    def oldest_pending(self, tenant: str) -> datetime | None:
        self._step("pending")
        return super().oldest_pending(tenant)

    def decided(
        self, tenant: str, outcome: Outcome, since: datetime, before: datetime, place: str
    ) -> Iterator[tuple[str, Inbound]]:
        self._step("decided")
        yield from super().decided(tenant, outcome, since, before, place)

    def _step(self, name: str) -> None:
        self.count[name] += 1
        self.happens.pop(f"{name} {self.count[name]}", lambda: None)()


@pytest.mark.parametrize("step", ["decided 1", "decided 2", "decided 3"])
def test_a_discarded_mail_that_is_released_and_delivered_meanwhile_burns_as_well(desk: Desk, step: str) -> None:
    made = desk.every_outcome()
    desk.world.clock.advance(days=DAYS + 1)

    def release() -> None:
        with suppress(Conflict):
            held.release(desk.world.app, desk.tenant, made["by person"], "Kim")
        desk.world.convert_all()

    incinerate.incinerate(desk.world.app, Racing(desk.world, {step: release}), DAYS)
    desk.burn()
    assert (desk.raws(), desk.problems()) == (set(), [])


def test_a_held_mail_that_is_released_at_once_and_delivered_later_burns_as_well(desk: Desk) -> None:
    made = desk.receive(BOB)
    desk.world.clock.advance(days=DAYS + 1)
    happens: dict[str, Callable[[], object]] = {
        "settle 1": lambda: held.release(desk.world.app, desk.tenant, made, "Kim"),
        "decided 3": desk.world.convert_all,
        "pending 3": desk.world.convert_all,
    }
    incinerate.incinerate(desk.world.app, Racing(desk.world, happens), DAYS)
    desk.world.convert_all()
    assert desk.reasons() == {made: "new_incident"}
    desk.burn()
    assert desk.raws() == set()


def test_a_mail_that_is_held_while_a_run_goes_on_burns_even_if_the_next_run_is_cut_off(desk: Desk) -> None:
    waiting = desk.pending()
    app = desk.world.app
    desk.world.clock.advance(days=DAYS + 1)
    happens: dict[str, Callable[[], object]] = {"pending 2": lambda: convert.give_up(app, desk.tenant, waiting)}
    incinerate.incinerate(app, Racing(desk.world, happens), DAYS)

    class Cut(StoredRawMail):
        def discard(self, tenant: str, id: str) -> None:
            raise StoreUnavailable("cut off")

    with pytest.raises(StoreUnavailable):
        incinerate.incinerate(replace(app, raw=Cut(desk.world.blobs)), TableExpired(desk.world.tables), DAYS)
    assert desk.reasons() == {waiting: "retention_over"}
    desk.burn()
    assert desk.raws() == set()


class Scene(Desk):
    """A desk whose storage can fail, with mail past its time."""

    def __init__(self) -> None:
        self.fault = Fault()
        tables, blobs = FailingTables(MemoryTables(), self.fault), FailingBlobs(MemoryBlobs(), self.fault)
        world = make_app(tables, blobs, FailingQueues(fault=self.fault))
        world.clock.now += timedelta(microseconds=750_250)
        super().__init__(world)
        self.made = self.every_outcome()
        self.world.app.transcripts.add(self.tenant, "support", ["line"], self.world.clock.now)
        self.world.app.sign_ins.begin("state", "sealed", self.world.clock.now, self.world.clock.now)
        self.world.clock.advance(days=DAYS + 1)

    def state(self) -> object:
        """Everything that is stored, but for what the transcripts' and rows' versions are."""
        rows = [
            (row.partition, row.key, {**row.values, "sha256": ""})  # each mail has boundaries of its own
            for table in ("desk", "tenants")
            for row in self.world.tables.query(table, None)
            if row.partition != "data-key"
            and not row.key.startswith(("MB:", "MV:"))  # sealed, or drawn, anew each time
        ]
        return sorted(rows, key=str), self.raws()


def _operations() -> int:
    scene = Scene()
    scene.fault.arm(0)
    scene.burn()
    return scene.fault.count


@pytest.mark.parametrize("kind", ["before", "after", "outage"])
def test_a_fault_at_any_storage_operation_is_made_good_by_the_next_run(kind: Kind) -> None:
    whole = Scene()
    whole.burn()
    assert whole.raws() == set()
    for at in range(1, _operations() + 1):
        scene = Scene()
        scene.fault.arm(at, kind)
        with pytest.raises(StoreError):
            scene.burn()
        scene.fault.disarm()
        assert scene.burn(), at
        assert scene.problems() == []
        assert scene.state() == whole.state(), at


def test_mail_of_every_outcome_is_accounted_for(desk: Desk) -> None:
    """The run names outcomes one by one: a new one must not be forgotten."""
    assert {*DECIDED, Outcome.HELD, Outcome.FAILED, Outcome.PENDING} == set(Outcome)


class _ManyTold(TableExpired):
    """A desk with so many rows of webhooks past their time, and a minute for each piece of them."""

    def __init__(self, world: World, tenant: str, left: int) -> None:
        super().__init__(world.tables)
        self._world, self._tenant, self.left = world, tenant, left

    def webhooks(self, tenant: str, now: datetime, most: int) -> int:
        if tenant != self._tenant:
            return super().webhooks(tenant, now, most)
        self._world.clock.advance(seconds=60)
        removed = min(most, self.left)
        self.left -= removed
        return removed


def test_more_events_than_one_piece_go_in_one_night_as_far_as_its_time_allows() -> None:
    """A busy desk makes more rows in a day than one piece holds: else they would grow for ever."""
    busy, other = Desk(make_app()), "other"
    busy.world.tenant(other)
    expired = _ManyTold(busy.world, busy.tenant, incinerate.MAX_ROWS * 2 + 5)
    assert incinerate.incinerate(busy.world.app, expired, DAYS)
    assert expired.left == 0
    expired = _ManyTold(busy.world, busy.tenant, incinerate.MAX_ROWS * 20)
    assert not incinerate.incinerate(busy.world.app, expired, DAYS)
    assert expired.left == incinerate.MAX_ROWS * 15
