from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Self

import pytest
from cronsim import CronSim

from shared.errors import (
    FolderNotFound,
    InboundError,
    LoginRefused,
    MailRefused,
    ProtocolViolation,
    StoreUnavailable,
    Throttled,
    TimedOut,
    Unreachable,
)
from shared.flows import mailboxes
from shared.flows.poll import BATCH_BYTES, BATCH_MAILS, BUDGET, MAX_TRIES, Polled, poll, sweep
from shared.model.doorbell import PollBell
from shared.model.inbound import MAX_RAW_BYTES
from shared.model.mailbox import Mailbox
from shared.model.reason import Outcome
from shared.model.schedule import LEASE, MAX_PAUSE, ncrontab
from shared.ports import NOBODY, Arrival, Source, Watch
from tests.support.app import World
from tests.support.checker import Stored, violations
from tests.support.mails import mail
from tests.support.mailserver import MemoryFolder, MemorySource


@pytest.fixture
def tenant(world: World) -> str:
    key, _ = world.tenant()
    world.mailbox(key)
    return key


@pytest.fixture
def folder(world: World, tenant: str) -> MemoryFolder:
    return world.folders["support"]


def numbered(count: int, start: int = 0) -> list[bytes]:
    return [mail(text=f"mail {n}", message_id=f"<{n}@example.com>") for n in range(start, start + count)]


def texts(world: World, tenant: str) -> list[str]:
    return [text for thread in Stored(world.tables, world.blobs, tenant).threads() for text in thread]


def all_is_well(world: World, tenant: str, count: int) -> bool:
    world.convert_all()
    assert violations(world.tables, world.blobs, tenant) == []
    assert sorted(texts(world, tenant)) == sorted(f"mail {n}" for n in range(count))
    return True


class Hooked(MemorySource):
    """A source of a server that needs ``seconds`` to open and for each mail."""

    world: World
    opening: float = 0
    fetching: float = 0

    def __enter__(self) -> Self:
        self.world.clock.advance(seconds=self.opening)
        return super().__enter__()

    def fetch(self, arrival: Arrival) -> bytes | None:
        self.world.clock.advance(seconds=self.fetching)
        return super().fetch(arrival)


def slow(world: World, opening: float = 0, fetching: float = 0) -> None:
    """From now on the mail server takes its time."""

    def open_slowly(mailbox: Mailbox, watch: Watch = NOBODY) -> Source:
        source = Hooked(world.folders[mailbox.id])
        source.world, source.opening, source.fetching = world, opening, fetching
        return source

    world.app = replace(world.app, open=open_slowly)


def during(world: World, uid: int, happens: object) -> None:
    """Something happens just before a mail is fetched."""

    class Interrupted(MemorySource):
        def fetch(self, arrival: Arrival) -> bytes | None:
            if arrival.position.endswith(f":{uid}") and callable(happens):
                happens()
            return super().fetch(arrival)

    world.app = replace(world.app, open=lambda mailbox, watch=NOBODY: Interrupted(world.folders[mailbox.id]))


# ── keeping ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mail_is_kept_whole_and_its_bell_rings(world: World, tenant: str, folder: MemoryFolder) -> None:
    raw = mail() + b"\x00\xff untouched \r\n"
    folder.deliver(raw)
    assert poll(world.app, tenant, "support") == Polled(1, False)
    (kept,) = world.ledger(tenant)
    assert world.app.raw.get(tenant, kept.id) == raw
    assert (kept.outcome, kept.reason, kept.size) == (Outcome.PENDING, "waiting", len(raw))
    assert len(world.queues.inbound) == 1


def test_a_second_poll_of_the_same_mail_fetches_and_changes_nothing(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    folder.deliver(mail())
    world.poll(tenant)
    before = Stored(world.tables, world.blobs, tenant).kinds
    world.poll(tenant)
    assert folder.fetched == [1]
    assert Stored(world.tables, world.blobs, tenant).kinds == before
    assert len(world.queues.inbound) == 1


def test_mails_beyond_one_batch_are_all_kept(world: World, tenant: str, folder: MemoryFolder) -> None:
    for raw in numbered(2 * BATCH_MAILS + 3):
        folder.deliver(raw)
    assert poll(world.app, tenant, "support") == Polled(2 * BATCH_MAILS + 3, False)
    assert all_is_well(world, tenant, 2 * BATCH_MAILS + 3)


def test_a_poll_that_dies_at_a_mail_has_kept_and_accounted_for_the_batches_before_it(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    for raw in numbered(BATCH_MAILS + 2):
        folder.deliver(raw)

    def die() -> None:
        raise KeyboardInterrupt

    during(world, BATCH_MAILS + 2, die)
    with pytest.raises(KeyboardInterrupt):
        poll(world.app, tenant, "support")
    assert len(world.ledger(tenant)) == BATCH_MAILS
    slow(world)
    world.clock.advance(minutes=5)
    folder.fetched.clear()
    world.poll(tenant)
    assert folder.fetched == [BATCH_MAILS + 1, BATCH_MAILS + 2]
    assert all_is_well(world, tenant, BATCH_MAILS + 2)


def test_large_mails_are_accounted_for_before_many_of_them_fill_the_memory(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    big = b"x" * (BATCH_BYTES // 2 + 1)
    for number in range(3):
        folder.deliver(mail(message_id=f"<{number}@example.com>") + big)

    kept_before_third: list[int] = []
    during(world, 3, lambda: kept_before_third.append(len(world.ledger(tenant))))
    poll(world.app, tenant, "support")
    assert kept_before_third == [2]


def test_a_mail_deleted_before_it_was_fetched_is_no_mail_and_stops_nothing(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    for raw in (mail(text="gone"), *numbered(1)):
        folder.deliver(raw)
    during(world, 1, lambda: folder.mails.pop(1, None))
    poll(world.app, tenant, "support")
    assert all_is_well(world, tenant, 1)


def test_of_a_mail_that_is_too_large_only_the_headers_are_kept_and_it_is_held(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    uid = folder.deliver(mail(subject="Huge", text="secret body"))
    folder.sizes[uid] = MAX_RAW_BYTES + 1
    fits = folder.deliver(mail(text="mail 0", message_id="<0@example.com>"))
    folder.sizes[fits] = MAX_RAW_BYTES
    poll(world.app, tenant, "support")
    assert all_is_well(world, tenant, 1)
    held = next(one for one in world.ledger(tenant) if one.reason == "too_large")
    assert (held.outcome, held.subject, held.size, held.truncated) == (Outcome.HELD, "Huge", MAX_RAW_BYTES + 1, True)
    assert b"secret body" not in (world.app.raw.get(tenant, held.id) or b"")


# ── mail that does not come ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", [MailRefused("No."), Unreachable("Cut."), TimedOut("Slow.")], ids=lambda e: e.code)
def test_a_mail_that_cannot_be_fetched_does_not_stop_the_others_and_is_said_to_be_unfetchable_after_five_polls(
    world: World, tenant: str, folder: MemoryFolder, error: InboundError
) -> None:
    folder.deliver(mail(text="mail 0", message_id="<0@example.com>"))
    bad = folder.deliver(mail(text="bad"))
    for raw in numbered(2, 1):
        folder.deliver(raw)
    folder.refuses[bad] = error
    for tries in range(1, MAX_TRIES + 1):
        assert "unfetchable" not in Stored(world.tables, world.blobs, tenant).outcomes()
        world.poll(tenant)
        assert folder.fetched.count(bad) == tries
    world.poll(tenant)
    assert folder.fetched.count(bad) == MAX_TRIES, "settled: it is not asked for again"
    assert [folder.fetched.count(uid) for uid in (1, 3, 4)] == [1, 1, 1]
    assert Stored(world.tables, world.blobs, tenant).outcomes()["unfetchable"] == 1
    assert all_is_well(world, tenant, 3)


def test_a_mail_that_comes_at_the_third_try_is_delivered_and_leaves_no_failure(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    (raw,) = numbered(1)
    bad = folder.deliver(raw)
    folder.refuses[bad] = MailRefused("No.")
    world.poll(tenant)
    world.poll(tenant)
    folder.refuses.clear()
    world.poll(tenant)
    assert all_is_well(world, tenant, 1)


def test_an_unfetchable_mail_that_the_server_hands_over_after_renumbering_is_delivered_once(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    (raw,) = numbered(1)
    folder.refuses[folder.deliver(raw)] = MailRefused("No.")
    for _ in range(MAX_TRIES):
        world.poll(tenant)
    folder.refuses.clear()
    folder.renumber()
    world.poll(tenant)
    assert all_is_well(world, tenant, 1)


def test_a_refused_mail_is_no_failure_of_the_mailbox_and_a_broken_connection_is(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    bad = folder.deliver(mail())
    folder.refuses[bad] = MailRefused("No.")
    world.poll(tenant)
    assert mailboxes.status(world.app, tenant, "support").state == "ok"
    folder.refuses[bad] = Unreachable("Cut.")
    world.poll(tenant)
    assert mailboxes.status(world.app, tenant, "support").state == "failing"


# ── UIDVALIDITY ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_after_the_server_renumbered_nothing_is_lost_and_nothing_doubled(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    for raw in numbered(4):
        folder.deliver(raw)
    world.poll(tenant)
    world.convert_all()
    del folder.mails[2]
    folder.renumber()
    for raw in numbered(3, 4):
        folder.deliver(raw)
    world.poll(tenant)
    assert all_is_well(world, tenant, 7)
    assert Stored(world.tables, world.blobs, tenant).outcomes() == {"new_incident": 7, "same_mail": 3}
    for raw in numbered(1, 7):
        folder.deliver(raw)
    world.poll(tenant)
    assert all_is_well(world, tenant, 8)


def test_a_server_that_renumbers_in_the_middle_of_a_poll_loses_and_doubles_nothing(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    for raw in numbered(4):
        folder.deliver(raw)
    during(world, 3, lambda: folder.renumber() if folder.validity == 1 else None)
    poll(world.app, tenant, "support")
    slow(world)
    world.poll(tenant)
    assert all_is_well(world, tenant, 4)


# ── the budget ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_when_the_time_is_over_the_rest_comes_next_time_and_that_is_at_once(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    for raw in numbered(10):
        folder.deliver(raw)
    slow(world, fetching=BUDGET.total_seconds() / 4)
    assert poll(world.app, tenant, "support") == Polled(4, True)
    assert [PollBell.decode(text) for text in world.queues.polls] == [PollBell(tenant, "support")]
    assert poll(world.app, tenant, "support") == Polled(4, True)
    assert poll(world.app, tenant, "support") == Polled(2, False)
    assert poll(world.app, tenant, "support") is None, "there was no more: not due"
    assert folder.fetched == list(range(1, 11))
    assert all_is_well(world, tenant, 10)


def test_a_server_that_is_slow_to_open_makes_progress_in_each_poll(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    for raw in numbered(2):
        folder.deliver(raw)
    slow(world, opening=BUDGET.total_seconds() + 1)
    for _ in range(3):
        world.poll(tenant)
    assert all_is_well(world, tenant, 2)


# ── who polls ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_second_poll_while_one_runs_does_nothing(world: World, tenant: str, folder: MemoryFolder) -> None:
    for raw in numbered(2):
        folder.deliver(raw)
    second: list[Polled | None] = []
    during(world, 2, lambda: second.append(poll(world.app, tenant, "support")))
    poll(world.app, tenant, "support")
    assert second == [None]
    assert folder.fetched == [1, 2]
    assert all_is_well(world, tenant, 2)


def test_a_poll_that_died_frees_its_mailbox_after_the_lease(world: World, tenant: str, folder: MemoryFolder) -> None:
    folder.deliver(numbered(1)[0])

    def die() -> None:
        raise KeyboardInterrupt

    during(world, 1, die)
    with pytest.raises(KeyboardInterrupt):
        poll(world.app, tenant, "support")
    slow(world)
    mailboxes.poll_now(world.app, tenant, "support")
    assert poll(world.app, tenant, "support") is None
    world.clock.advance(seconds=LEASE.total_seconds())
    assert poll(world.app, tenant, "support") == Polled(1, False)


def test_a_poll_overtaken_by_a_new_folder_stops_and_leaves_the_new_one_due(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    for raw in numbered(3 * BATCH_MAILS):
        folder.deliver(raw)
    during(world, 2, lambda: world.mailbox(tenant, folder="Elsewhere"))
    assert poll(world.app, tenant, "support") is None
    assert len(world.ledger(tenant)) <= BATCH_MAILS
    slot = world.app.schedule.get(tenant, "support")
    assert slot is not None
    assert slot.busy_until is None
    assert slot.due <= world.clock.now
    generation = mailboxes.get(world.app, tenant, "support").generation
    assert world.app.desk.cursor(tenant, "support", generation) == ("", "")


def test_new_minutes_saved_while_a_poll_runs_hold_and_the_poll_goes_on(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    for raw in numbered(2 * BATCH_MAILS):
        folder.deliver(raw)
    during(world, BATCH_MAILS + 2, lambda: world.mailbox(tenant, polling_minutes=7))
    assert poll(world.app, tenant, "support") == Polled(2 * BATCH_MAILS, False)
    slot = world.app.schedule.get(tenant, "support")
    assert slot is not None
    assert (slot.minutes, slot.busy_until) == (7, None)
    assert slot.last_success is not None


def test_a_disabled_mailbox_is_not_polled(world: World, tenant: str, folder: MemoryFolder) -> None:
    folder.deliver(mail())
    world.mailbox(tenant, enabled=False)
    world.clock.advance(days=1)
    assert poll(world.app, tenant, "support") is None
    assert poll(world.app, tenant, "support", own_timer=True) is None
    assert sweep(world.app) == 0
    assert folder.fetched == []


def test_a_deleted_mailbox_is_not_polled_even_if_its_place_in_the_schedule_was_left(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    folder.deliver(mail())
    world.app.mailboxes.delete(mailboxes.get(world.app, tenant, "support"))
    assert poll(world.app, tenant, "support") is None
    assert world.app.schedule.get(tenant, "support") is None
    assert folder.fetched == []


def test_nobody_polls_a_mailbox_that_never_was(world: World, tenant: str) -> None:
    assert poll(world.app, tenant, "nothing") is None


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────

FAILURES = [LoginRefused("Not accepted.", "Give it again."), ProtocolViolation("What?"), Unreachable("Cut.")]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: error.code)
def test_what_the_server_says_becomes_the_mailboxes_state_and_is_gone_after_a_success(
    world: World, tenant: str, folder: MemoryFolder, error: InboundError
) -> None:
    folder.closed_with = error
    assert poll(world.app, tenant, "support") is None
    status = mailboxes.status(world.app, tenant, "support")
    assert (status.state, status.polling, status.last_success) == ("failing", False, None)
    assert status.error == (error.code, error.message, error.fix)
    folder.closed_with = None
    world.poll(tenant)
    status = mailboxes.status(world.app, tenant, "support")
    assert (status.state, status.error) == ("ok", None)
    assert status.last_success is not None


def test_a_mailbox_that_fails_is_tried_less_and_less_and_at_its_rhythm_after_a_success(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    folder.closed_with = LoginRefused("Not accepted.")
    tries = 0
    for _ in range(6 * 60):
        slot = world.app.schedule.get(tenant, "support")
        assert slot is not None
        before = slot.failures
        poll(world.app, tenant, "support")
        after = world.app.schedule.get(tenant, "support")
        assert after is not None
        tries += after.failures - before
        world.clock.advance(minutes=1)
    assert tries <= 12, "no account is locked by our hammering"
    folder.closed_with = None
    world.poll(tenant)
    slot = world.app.schedule.get(tenant, "support")
    assert slot is not None
    assert slot.failures == 0
    assert slot.due - world.clock.now <= timedelta(minutes=2)


def test_a_server_that_asks_to_wait_is_left_alone_for_that_long(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    folder.closed_with = Throttled("Slow down.", retry_after=1800)
    poll(world.app, tenant, "support")
    folder.closed_with = None
    folder.deliver(mail())
    world.clock.advance(minutes=29)
    assert poll(world.app, tenant, "support") is None
    world.clock.advance(minutes=1)
    assert poll(world.app, tenant, "support") == Polled(1, False)


def test_no_error_of_a_server_makes_a_poll_raise(world: World, tenant: str, folder: MemoryFolder) -> None:
    for _ in range(40):
        folder.closed_with = Throttled("Slow down.", retry_after=1e18)
        world.poll(tenant)
    slot = world.app.schedule.get(tenant, "support")
    assert slot is not None
    assert slot.due - world.clock.now <= max(MAX_PAUSE, timedelta(days=1))


def test_our_own_storages_failure_is_no_state_of_the_mailbox(world: World, tenant: str, folder: MemoryFolder) -> None:
    folder.deliver(mail())

    def fail() -> None:
        raise StoreUnavailable("Table storage.")

    during(world, 1, fail)
    with pytest.raises(StoreUnavailable):
        poll(world.app, tenant, "support")
    assert mailboxes.status(world.app, tenant, "support").error is None


# ── own timer and sweep ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_sweep_rings_for_those_who_are_left_behind_and_for_nobody_else(world: World) -> None:
    tenant, _ = world.tenant()
    for id in ("has-timer", "no-timer", "disabled", "busy", "not-due"):
        world.mailbox(tenant, id, enabled=id != "disabled")
    poll(world.app, tenant, "has-timer", own_timer=True)
    poll(world.app, tenant, "not-due")
    busy = world.app.schedule.get(tenant, "busy")
    assert busy is not None
    world.app.schedule.put(replace(busy, busy_until=world.clock.now + timedelta(minutes=10)))
    assert sweep(world.app) == 1
    assert PollBell.decode(world.queues.polls.popleft()) == PollBell(tenant, "no-timer")
    world.clock.advance(minutes=2, seconds=30)
    assert sweep(world.app) == 2
    assert {PollBell.decode(text).mailbox for text in world.queues.polls} == {"no-timer", "not-due"}


def own_ticks(tenant: str, minutes: int, start: datetime, end: datetime) -> Iterator[datetime]:
    second, _, rest = ncrontab(tenant, "support", minutes).partition(" ")
    for time in CronSim(rest, start - timedelta(minutes=1)):
        tick = time + timedelta(seconds=int(second) + time.minute % 5)  # some seconds late, as timers are
        if tick >= end:
            return
        if tick >= start:
            yield tick


def live(
    world: World, tenant: str, minutes: int, hours: int = 24, dead: tuple[int, int] = (0, 0)
) -> tuple[list[datetime], list[datetime]]:
    """Some hours of an own timer (dead between two of them) and of sweeps with their bells: when each of them polled."""
    start = world.clock.now
    stopped, back = (start + timedelta(hours=hour) for hour in dead)
    end = start + timedelta(hours=hours)
    events = [(tick, "own") for tick in own_ticks(tenant, minutes, start, end) if not stopped <= tick < back]
    minute = (start + timedelta(minutes=1)).replace(second=0, microsecond=0)
    events += [(minute + timedelta(minutes=count), "sweep") for count in range(60 * hours)]
    polls: dict[str, list[datetime]] = {"own": [], "sweep": []}
    for time, who in sorted(events):
        world.clock.now = time
        if who == "own":
            done = poll(world.app, tenant, "support", own_timer=True) is not None
        else:
            sweep(world.app)
            done = sum(poll(world.app, tenant, "support") is not None for _ in world.queues.polls) > 0
            world.queues.polls.clear()
        if done:
            polls[who].append(time)
    return polls["own"], polls["sweep"]


@pytest.mark.parametrize("dead", [(0, 0), (8, 16), (0, 24)], ids=["alive", "dead for eight hours", "never there"])
@pytest.mark.parametrize("minutes", [1, 2, 7, 15, 45, 90])
def test_own_timer_and_sweep_together_poll_once_in_each_interval(
    world: World, minutes: int, dead: tuple[int, int]
) -> None:
    tenant, _ = world.tenant()
    world.mailbox(tenant, polling_minutes=minutes)
    own, swept = live(world, tenant, minutes, dead=dead)
    times = sorted([*own, *swept])
    assert abs(len(times) - 24 * 60 / minutes) <= 3
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    # Sweeps come on the minute. More than that is unusual: where the timer takes over, or dies.
    unusual = [gap for gap in gaps if abs(gap - timedelta(minutes=minutes)) > timedelta(seconds=70)]
    assert len(unusual) <= 3
    assert max(gaps) <= timedelta(minutes=2 * minutes + 4)


@pytest.mark.parametrize("minutes", [1, 2, 5, 15, 45, 240])
def test_a_mailbox_whose_own_timer_lives_is_polled_by_it_and_not_by_the_sweep(world: World, minutes: int) -> None:
    # Whatever moment it was saved at: an admin who stops the function in the portal means to stop the polls.
    for saved_at in (7, 14, 28, 42):
        world.clock.now = world.clock.now.replace(minute=saved_at, second=saved_at)
        tenant, _ = world.tenant(f"saved-{saved_at}")
        world.mailbox(tenant, polling_minutes=minutes)
        own, swept = live(world, tenant, minutes)
        mailboxes.remove(world.app, tenant, "support")
        assert len(swept) <= 3, f"saved at minute {saved_at}: {len(swept)} by the sweep, {len(own)} by its timer"


# ── after import ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_what_is_kept_and_accounted_for_is_marked_moved_or_deleted(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    folder.acts = True
    for raw in numbered(3):
        folder.deliver(raw)
    folder.refuses[2] = MailRefused("not this one")
    poll(world.app, tenant, "support")
    assert folder.acted == {1, 3}


def test_a_folder_that_mail_cannot_be_moved_to_is_told_and_holds_nothing_up(
    world: World, tenant: str, folder: MemoryFolder
) -> None:
    folder.acts = True
    folder.refuses_to_act = FolderNotFound("There is no folder Done.")
    count = BATCH_MAILS * 2 + 5
    for raw in numbered(count):
        folder.deliver(raw)
    assert poll(world.app, tenant, "support") == Polled(count, False)
    slot = world.app.schedule.get(tenant, "support")
    assert slot is not None
    assert (slot.error_code, slot.failures, slot.paused) == ("folder_not_found", 1, False)
    assert slot.due - world.clock.now <= timedelta(minutes=slot.minutes)
    # Mended, everything that was left undone is done.
    folder.refuses_to_act = None
    world.poll(tenant)
    assert folder.acted == set(range(1, count + 1))
    slot = world.app.schedule.get(tenant, "support")
    assert slot is not None
    assert slot.error_code == ""
