from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import MailRefused, TimedOut
from shared.flows import convert, reconcile
from shared.flows.poll import poll
from shared.model.inbound import MAX_RAW_BYTES
from shared.model.reason import Outcome
from shared.ports import Arrival
from shared.store.reconciled import TableReconciled
from tests.support.app import World
from tests.support.mails import mail
from tests.support.mailserver import MemoryFolder, MemorySource

Told = dict[str, Any]


class Desk:
    """A tenant whose mailboxes are compared, and what was told about it."""

    def __init__(self, world: World, lines: pytest.LogCaptureFixture) -> None:
        self.world = world
        self.tenant, _ = world.tenant()
        self.reconciled = TableReconciled(world.tables)
        self._lines = lines

    @property
    def folder(self) -> MemoryFolder:
        return self.world.folders["support"]

    def deliver(self, number: int, hours: float = 0) -> int:
        """A mail arrives, or arrived some hours ago."""
        received = self.world.clock.now - timedelta(hours=hours)
        return self.folder.deliver(mail(message_id=f"<{number}@example.com>", text=str(number)), received)

    def polled(self, count: int) -> None:
        """So many mails came in and were converted, two days ago."""
        for number in range(count):
            self.deliver(number)
        self.world.poll(self.tenant)
        self.world.convert_all()
        self.world.clock.advance(days=2)
        self.world.poll(self.tenant)

    def lose(self, index: int = 0) -> str:
        """A mail's rows are gone, as no code of ours should ever do it. Its id."""
        gone = sorted(self.world.ledger(self.tenant), key=lambda one: one.id)[index]
        rows: Any = self.world.tables
        for key in [key for key in rows.rows if key[2].rpartition(":")[2] == gone.id]:
            del rows.rows[key]
        return gone.id

    def run(self) -> list[Told]:
        """What is told of the comparisons."""
        self._lines.clear()
        reconcile.reconcile(self.world.app, self.reconciled)
        told = map(json.loads, self._lines.messages)
        return [one for one in told if str(one["event"]).startswith("reconcile")]

    def next_day(self) -> list[Told]:
        self.world.clock.advance(hours=24)
        for slot in self.world.app.schedule.oldest(100):
            poll(self.world.app, slot.tenant, slot.mailbox)
        return self.run()


@pytest.fixture
def desk(world: World, caplog: pytest.LogCaptureFixture) -> Desk:
    caplog.set_level(logging.INFO, "inbound")
    made = Desk(world, caplog)
    world.mailbox(made.tenant)
    return made


def counts(told: list[Told]) -> list[tuple[int, int, int]]:
    return [(one["count"], one["unaccounted"], one["healed"]) for one in told]


def test_a_mailbox_whose_mails_all_have_rows_is_accounted_for(desk: Desk) -> None:
    desk.polled(3)
    desk.folder.fetched.clear()
    assert counts(desk.run()) == [(3, 0, 0)]
    assert desk.folder.fetched == []


def test_a_mail_without_a_row_is_told_taken_in_and_becomes_an_incident(desk: Desk) -> None:
    desk.polled(3)
    id = desk.lose()
    assert counts(desk.run()) == [(3, 1, 1)]
    assert desk.world.convert_all() == 1
    assert desk.world.app.desk.inbound(desk.tenant, id) is not None
    assert len(desk.world.ledger(desk.tenant)) == 3
    assert counts(desk.next_day()) == [(3, 0, 0)]


def test_nothing_is_doubled_by_a_gap_that_is_healed(desk: Desk) -> None:
    desk.polled(3)
    desk.lose()
    desk.run()
    desk.world.convert_all()
    # Its content is known, as it was converted before its row went.
    assert len(desk.world.incidents(desk.tenant)) == 3


def test_what_the_next_poll_will_find_is_no_gap(desk: Desk) -> None:
    desk.polled(1)
    desk.deliver(7, hours=12)
    assert counts(desk.run()) == [(2, 0, 0)]
    desk.world.poll(desk.tenant)
    assert len(desk.world.ledger(desk.tenant)) == 2


def test_what_was_moved_into_the_folder_just_now_is_no_gap_however_old_it_is(desk: Desk) -> None:
    desk.polled(1)
    desk.deliver(7, hours=24 * 30)
    assert counts(desk.run()) == [(2, 0, 0)]


def test_what_came_since_the_last_polls_is_none_of_ours(desk: Desk) -> None:
    desk.polled(1)
    desk.deliver(7)
    desk.world.poll(desk.tenant)
    desk.lose(0)
    desk.lose(0)
    assert counts(desk.run()) == [(2, 1, 1)]


def test_mail_from_before_the_days_to_download_stays_out(desk: Desk) -> None:
    for hours in (24 * 400, 24 * 181, 24 * 100):
        desk.deliver(hours, hours=hours)
    desk.polled(0)
    assert len(desk.world.ledger(desk.tenant)) == 1
    assert counts(desk.run()) == [(1, 0, 0)]


def test_raising_the_days_to_download_later_brings_no_old_mail_in(desk: Desk) -> None:
    desk.world.mailbox(desk.tenant, days_to_download=10)
    desk.deliver(1, hours=24 * 20)
    desk.polled(1)
    desk.run()
    desk.world.mailbox(desk.tenant, days_to_download=100)
    for _ in range(9):
        told = desk.next_day()
    assert (told[0]["unaccounted"], len(desk.world.ledger(desk.tenant))) == (0, 1)


def test_mail_that_was_moved_away_or_deleted_is_not_missed(desk: Desk) -> None:
    desk.polled(3)
    desk.folder.mails.clear()
    assert counts(desk.run()) == [(0, 0, 0)]


def test_a_mail_that_is_not_handed_over_is_told_gets_a_row_and_is_tried_again(desk: Desk) -> None:
    desk.polled(3)
    id = desk.lose()
    desk.folder.refuses = dict.fromkeys(desk.folder.mails, MailRefused("No."))
    assert counts(desk.run()) == [(3, 1, 0)]
    row = desk.world.app.desk.inbound(desk.tenant, id)
    assert row is not None
    assert (row.outcome, row.reason) == (Outcome.FAILED, "unfetchable")
    desk.folder.refuses.clear()
    told = [one for _ in range(8) for one in desk.next_day()]
    assert [sum(one[name] for one in told) for name in ("unaccounted", "healed")] == [0, 1]
    desk.world.convert_all()
    assert {one.outcome for one in desk.world.ledger(desk.tenant)} & {Outcome.FAILED, Outcome.PENDING} == set()


def test_a_mail_that_is_too_large_is_kept_by_its_head(desk: Desk) -> None:
    desk.polled(1)
    (uid,) = desk.folder.mails
    desk.lose()
    desk.folder.sizes[uid] = MAX_RAW_BYTES + 1
    assert counts(desk.run()) == [(1, 1, 1)]
    (row,) = desk.world.ledger(desk.tenant)
    assert row.truncated


def test_each_mailbox_is_compared_once_a_day_and_all_of_it_once_a_week(desk: Desk) -> None:
    desk.polled(5)
    seen = []
    for _ in range(24 * 15):
        desk.world.clock.advance(hours=1)
        poll(desk.world.app, desk.tenant, "support")
        seen += [one["count"] for one in desk.run()]
    # Only the whole ones list mail of two days ago and more.
    assert len(seen) == pytest.approx(24 * 15 / 20, abs=1)
    assert [index for index, count in enumerate(seen) if count == 5] == [0, 9]


def test_a_gap_of_last_week_is_found_within_a_week(desk: Desk) -> None:
    desk.polled(5)
    desk.run()
    for _ in range(4):
        desk.next_day()
    desk.lose()
    told = [one for _ in range(8) for one in desk.next_day()]
    assert sum(one["unaccounted"] for one in told) == sum(one["healed"] for one in told) == 1


def test_a_server_that_fails_is_told_and_does_not_stop_the_others(desk: Desk) -> None:
    for id in ("a", "b", "c"):
        desk.world.mailbox(desk.tenant, id)
        desk.world.poll(desk.tenant, id)
    desk.world.poll(desk.tenant)
    desk.world.clock.advance(minutes=5)
    desk.world.folders["b"].closed_with = TimedOut("No answer.")
    told = desk.run()
    assert [(one["event"], one["mailbox"]) for one in told] == [
        ("reconciled", "a"),
        ("reconcile_failed", "b"),
        ("reconciled", "c"),
        ("reconciled", "support"),
    ]
    assert told[[one["mailbox"] for one in told].index("b")]["code"] == "timed_out"
    assert desk.run() == []


def test_a_mailbox_that_fails_or_was_never_polled_or_is_disabled_is_left_alone(desk: Desk) -> None:
    desk.world.mailbox(desk.tenant, "off")
    desk.world.poll(desk.tenant, "off")
    desk.world.mailbox(desk.tenant, "off", enabled=False)
    desk.world.mailbox(desk.tenant, "bad")
    desk.world.poll(desk.tenant, "bad")
    desk.world.folders["bad"].closed_with = TimedOut("No answer.")
    desk.world.poll(desk.tenant, "bad")
    assert desk.run() == []


def test_a_mailbox_that_is_being_polled_is_left_for_the_next_hour_and_nobody_polls_while_it_is_compared(
    desk: Desk,
) -> None:
    desk.polled(1)
    slot = desk.world.app.schedule.get(desk.tenant, "support")
    assert slot is not None
    held = desk.world.app.schedule.put(replace(slot, busy_until=desk.world.clock.now + timedelta(minutes=1)))
    assert desk.run() == []
    desk.world.app.schedule.put(replace(held, busy_until=None, due=desk.world.clock.now))
    busy: list[Any] = []

    class Looking(MemorySource):
        def listing(self, since: Any) -> Iterator[str]:
            busy.append(poll(desk.world.app, desk.tenant, "support"))
            now = desk.world.app.schedule.get(desk.tenant, "support")
            busy.append(now is not None and now.busy_until is not None)
            return super().listing(since)

    app = replace(desk.world.app, open=lambda mailbox, watch=None: Looking(desk.folder))
    assert reconcile.reconcile(app, desk.reconciled) == 1
    assert busy == [None, True]
    after = desk.world.app.schedule.get(desk.tenant, "support")
    assert after is not None
    assert after.busy_until is None
    assert after.due == desk.world.clock.now.replace(microsecond=750000)
    assert poll(desk.world.app, desk.tenant, "support") is not None


def test_a_mailbox_that_is_far_behind_is_not_judged(desk: Desk) -> None:
    desk.polled(1)
    for number in range(reconcile.MAX_EXPECTED + 1):
        desk.folder.deliver(mail(message_id=f"<{number}@x>"), desk.world.clock.now - timedelta(days=1))
    (told,) = desk.run()
    assert (told["unaccounted"], told["more"]) == (0, True)


def test_the_time_of_one_mailbox_and_of_one_run_is_bounded(desk: Desk) -> None:
    desk.polled(20)
    for _ in range(20):
        desk.lose()

    class Slow(MemorySource):
        def fetch(self, arrival: Arrival) -> bytes | None:
            desk.world.clock.advance(seconds=20)
            return super().fetch(arrival)

    world = replace(desk.world, app=replace(desk.world.app, open=lambda mailbox, watch=None: Slow(desk.folder)))
    (told,) = map(json.loads, run_with(world, desk))
    assert (told["more"], told["healed"], told["seconds"]) == (True, 3, 60)


def test_the_time_in_which_a_server_names_what_the_next_poll_will_find_is_bounded(desk: Desk) -> None:
    desk.polled(1)
    for number in range(30):
        desk.deliver(100 + number, hours=5)
    given: list[str] = []

    class Slow(MemorySource):
        def new(self, cursor: str) -> Iterator[Arrival]:
            for arrival in super().new(cursor):
                given.append(arrival.position)
                desk.world.clock.advance(seconds=20)
                yield arrival

    world = replace(desk.world, app=replace(desk.world.app, open=lambda mailbox, watch=None: Slow(desk.folder)))
    (told,) = map(json.loads, run_with(world, desk))
    assert (told["more"], told["unaccounted"]) == (True, 0)
    assert len(given) <= 4


def test_a_mailbox_that_stops_the_run_each_time_does_not_stop_the_others_for_good(desk: Desk) -> None:
    for id in ("a", "b", "c"):
        desk.world.mailbox(desk.tenant, id)
        desk.world.poll(desk.tenant, id)
    desk.world.poll(desk.tenant)
    desk.world.clock.advance(minutes=5)

    def opened(mailbox: Any, watch: Any = None) -> MemorySource:
        if mailbox.id == "a":
            raise ZeroDivisionError
        return MemorySource(desk.world.folders[mailbox.id])

    world = replace(desk.world, app=replace(desk.world.app, open=opened))
    seen = []
    for _ in range(24):
        with contextlib.suppress(ZeroDivisionError):
            run_with(world, desk)
        seen += [json.loads(line)["mailbox"] for line in desk._lines.messages if '"reconciled"' in line]
        desk.world.clock.advance(hours=1)
    assert {"b", "c", "support"} <= set(seen)


def test_what_one_run_does_not_reach_is_the_next_ones(desk: Desk) -> None:
    for index in range(30):
        desk.world.mailbox(desk.tenant, f"m{index}")
        desk.world.poll(desk.tenant, f"m{index}")

    class Slow(MemorySource):
        def listing(self, since: Any) -> Iterator[str]:
            desk.world.clock.advance(seconds=30)
            return super().listing(since)

    world = replace(desk.world, app=replace(desk.world.app, open=lambda mailbox, watch=None: Slow(desk.folder)))
    seen = [[json.loads(line)["mailbox"] for line in run_with(world, desk)] for _ in range(5)]
    assert [len(some) for some in seen] == [8, 8, 8, 6, 0]
    assert len({mailbox for some in seen for mailbox in some}) == 30


def run_with(world: World, desk: Desk) -> list[str]:
    desk._lines.clear()
    reconcile.reconcile(world.app, desk.reconciled)
    return [line for line in desk._lines.messages if '"reconciled"' in line]


@pytest.mark.parametrize("at", range(1, 40))
def test_a_run_that_is_cut_off_anywhere_is_made_good_by_the_next(at: int) -> None:
    from shared.errors import StoreUnavailable
    from tests.support.app import make_app
    from tests.support.failing import FailingBlobs, FailingTables, Fault
    from tests.support.memory import MemoryBlobs, MemoryTables

    fault = Fault()
    inner = MemoryTables()
    world = make_app(FailingTables(inner, fault), FailingBlobs(MemoryBlobs(), fault))
    tenant, _ = world.tenant()
    world.mailbox(tenant)
    for number in range(3):
        world.receive(tenant, mail(message_id=f"<{number}@x>", text=str(number)))
    world.clock.advance(days=1)
    gone = world.ledger(tenant)[0]
    for key in [key for key in inner.rows if key[2].rpartition(":")[2] == gone.id or key[2].startswith("D:")]:
        del inner.rows[key]
    world.poll(tenant)
    fault.arm(at, "after" if at % 2 else "before")
    reconciled = TableReconciled(world.tables)
    with contextlib.suppress(StoreUnavailable):
        reconcile.reconcile(world.app, reconciled)
    fault.disarm()
    for _ in range(3):
        world.clock.advance(hours=24)
        world.poll(tenant)
        reconcile.reconcile(world.app, reconciled)
    for waiting, _, _ in list(world.app.desk.pending(tenant)):
        convert.convert(world.app, tenant, waiting.id)
    found = world.ledger(tenant)
    assert len({one.id for one in found}) == len(found) == 3
    assert {one.outcome for one in found} == {Outcome.DELIVERED}
