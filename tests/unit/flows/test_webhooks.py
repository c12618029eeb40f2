"""Sending events: again after failures, resting, who holds up whom, what ends it; and what is told at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import RowChanged, StoreUnavailable, TimedOut
from shared.flows import hooks, incinerate, reply, upkeep, webhooks
from shared.flows.reply import Draft
from shared.model.doorbell import WebhookBell
from shared.model.incident import Status
from shared.model.webhook import SUBSCRIBABLE, Attempt, DeliveryState, Hook, Hooks
from shared.ports import Answered
from shared.store.expired import TableExpired
from shared.store.webhooks import TableWebhooks
from tests.support.app import World, make_app
from tests.support.failing import FailingTables, Fault
from tests.support.mails import mail
from tests.support.memory import MemoryTables

ONE, TWO, THREE = "https://one.example/in", "https://two.example/in", "https://three.example/in"
SLOW = TimedOut("It did not answer within 10 seconds.", "Answer at once.")


class Desk:
    """A desk with webhooks, whose queue is answered by hand."""

    def __init__(self, *urls: str, events: Any = SUBSCRIBABLE, **settings: Any) -> None:
        self.world: World = make_app()
        self.app = self.world.app
        self.tenant, _ = self.world.tenant()
        self.world.mailbox(self.tenant, **settings)
        self.hooks = [hooks.make(self.app, self.tenant, hooks.Wish(url, events))[0] for url in urls]
        self.receiver = self.world.receiver
        self.count = 0

    def happen(self) -> None:
        """A mail opens an incident."""
        self.count += 1
        self.world.receive(self.tenant, mail(text=f"Mail {self.count}", message_id=f"<{self.count}@example.com>"))

    def hear(self) -> int:
        queue = self.world.queues.webhooks
        bells = [queue.popleft() for _ in range(len(queue))]
        for text in bells:
            bell = WebhookBell.decode(text)
            webhooks.deliver(self.app, bell.tenant, bell.event)
        return len(bells)

    def wait(self, **by: float) -> None:
        """Time goes by, with the rescue's bells."""
        self.world.clock.advance(**by)
        upkeep.rescue(self.app)
        self.hear()

    def log(self, hook: int = 0) -> tuple[Attempt, ...]:
        return tuple(reversed(self.app.webhooks.log(self.tenant, self.hooks[hook].id, "", 1000).items))

    def hook(self, hook: int = 0) -> Hook:
        return hooks.get(self.app, self.tenant, self.hooks[hook].id)


# ── what is told ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_webhooks_nothing_is_written_and_nothing_rings() -> None:
    desk = Desk()
    desk.happen()
    reply.set_status(desk.app, desk.tenant, 1, Status.CLOSED)
    assert not desk.world.queues.webhooks
    tables: Any = desk.world.tables
    assert [key for _, _, key in tables.rows if key.startswith("W")] == []


def test_only_what_somebody_wants_is_written() -> None:
    desk = Desk(ONE, events=["status.changed"])
    desk.happen()
    assert desk.hear() == 0
    reply.set_status(desk.app, desk.tenant, 1, Status.CLOSED)
    reply.set_status(desk.app, desk.tenant, 1, Status.CLOSED)  # as it was
    desk.hear()
    assert desk.receiver.types() == ["status.changed"]


def test_a_disabled_webhook_wants_nothing_and_gets_nothing_that_waited() -> None:
    desk = Desk(ONE)
    desk.happen()
    hooks.switch(desk.app, desk.tenant, desk.hooks[0].id, False)
    desk.happen()
    desk.hear()
    assert desk.receiver.got == []
    assert [(one.state, one.cause) for one in desk.log()] == [(DeliveryState.GIVEN_UP, webhooks.DISABLED)]
    assert list(desk.app.webhooks.all_waiting(desk.tenant)) == []


def test_an_answer_that_changes_the_status_tells_both() -> None:
    desk = Desk(ONE, outgoing={"enabled": True, "host": "smtp.example.org"})
    desk.happen()
    reply.add(desk.app, desk.tenant, 1, Draft("Use water.", True, "Kim"))
    desk.hear()
    assert sorted(desk.receiver.types()) == ["incident.created", "note.added", "status.changed"]


def old(desk: Desk, number: int, answers: int = 0) -> None:
    """A mail from a month before the mailbox was connected."""
    raw = mail(text=f"Old {number}", message_id=f"<old{number}@example.com>", in_reply_to=f"<old{answers}@example.com>")
    desk.world.folders["support"].deliver(raw, desk.world.clock.now - timedelta(days=30))
    desk.world.poll(desk.tenant)
    desk.world.convert_all()


def test_old_mail_that_becomes_closed_incidents_tells_nobody() -> None:
    desk = Desk(ONE, old_mail="closed")
    old(desk, 1)
    old(desk, 2, answers=1)
    desk.hear()
    assert [(one.status, one.notes_count) for one in desk.world.incidents(desk.tenant)] == [(Status.CLOSED, 2)]
    assert desk.receiver.types() == []


def test_old_mail_that_is_to_be_worked_on_is_told() -> None:
    desk = Desk(ONE)
    old(desk, 1)
    desk.hear()
    assert desk.receiver.types() == ["incident.created"]


def test_old_mail_that_joins_an_open_incident_is_told() -> None:
    desk = Desk(ONE, old_mail="closed")
    old(desk, 1)
    reply.set_status(desk.app, desk.tenant, 1, Status.OPEN)
    old(desk, 2, answers=1)
    desk.hear()
    assert sorted(desk.receiver.types()) == ["note.added", "status.changed"]


def test_an_acknowledgement_is_a_note_that_was_added() -> None:
    settings = {"outgoing": {"enabled": True, "host": "smtp.example.org"}, "acknowledge": True}
    desk = Desk(ONE, **settings)
    desk.happen()
    desk.hear()
    notes = len(desk.world.notes(desk.tenant, 1))
    assert desk.receiver.types().count("note.added") == notes - 1


# ── again and again ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_receiver_that_fails_is_tried_again_with_growing_pauses_until_it_is_given_up() -> None:
    desk = Desk(ONE)
    desk.receiver.always = 500
    desk.happen()
    desk.hear()
    for _ in range(27 * 60):
        desk.wait(minutes=1)
    log = desk.log()
    assert [one.number for one in log] == list(range(1, 10))
    assert [one.state for one in log] == [DeliveryState.FAILED] * 8 + [DeliveryState.GIVEN_UP]
    assert log[-1].at - log[0].at > timedelta(hours=23)
    assert log[-1].next is None
    assert "500" in log[0].cause
    assert len({request.headers["webhook-id"] for request in desk.receiver.got}) == 1
    assert len({request.headers["webhook-timestamp"] for request in desk.receiver.got}) == 9
    assert list(desk.app.webhooks.all_waiting(desk.tenant)) == []


def test_retry_after_is_honoured() -> None:
    desk = Desk(ONE)
    desk.receiver.answers = [Answered(503, 600.0)]
    desk.happen()
    desk.hear()
    (first,) = desk.log()
    assert first.next is not None
    assert timedelta(minutes=10) <= first.next - first.at <= timedelta(minutes=11)
    desk.wait(minutes=9)
    assert len(desk.receiver.got) == 1
    desk.wait(minutes=6)
    assert [one.status for one in desk.log()] == [503, 200]


@pytest.mark.parametrize("status", [300, 301, 307, 400, 401, 404, 429, 500, 503])
def test_everything_but_2xx_and_gone_is_tried_again(status: int) -> None:
    desk = Desk(ONE)
    desk.receiver.answers = [status]
    desk.happen()
    desk.hear()
    desk.wait(minutes=5)
    first, second = desk.log()
    assert (first.state, first.status, second.state) == (DeliveryState.FAILED, status, DeliveryState.DELIVERED)
    assert str(status) in first.cause


def test_a_bell_that_comes_twice_or_too_early_sends_nothing_twice() -> None:
    desk = Desk(ONE)
    desk.receiver.answers = [500]
    desk.happen()
    bells = list(desk.world.queues.webhooks)
    desk.hear()
    desk.world.queues.webhooks.extend(bells)
    desk.hear()
    assert len(desk.receiver.got) == 1
    desk.world.clock.advance(seconds=6)
    desk.world.queues.webhooks.extend(bells * 2)
    desk.hear()
    assert len(desk.receiver.got) == 2


def test_two_that_hear_the_same_bell_at_the_same_time_send_it_once() -> None:
    desk = Desk(ONE)
    desk.happen()
    bell = WebhookBell.decode(desk.world.queues.webhooks.popleft())
    desk.receiver.takes = lambda request: webhooks.deliver(desk.app, bell.tenant, bell.event)
    webhooks.deliver(desk.app, bell.tenant, bell.event)
    assert len(desk.receiver.got) == 1


# ── who holds up whom ─────────────────────────────────────────────────────────────────────────────────────────────


def test_one_that_fails_changes_nothing_for_the_others() -> None:
    desk = Desk(ONE, TWO, THREE)
    desk.receiver.by_url = {ONE: 500, TWO: SLOW}
    for _ in range(3):
        desk.happen()
        desk.hear()
    assert [one.status for one in desk.log(2)] == [200] * 3
    assert sum(1 for one in desk.receiver.got if one.url == THREE) == 3


def test_slow_receivers_take_a_message_some_seconds_only_and_come_last() -> None:
    desk = Desk(*(f"https://slow{number}.example/" for number in range(5)), ONE)
    desk.receiver.by_url = {ONE: 200}
    desk.receiver.always = SLOW

    def takes_its_time(request: Any) -> None:
        if request.url != ONE:
            desk.world.clock.advance(seconds=10)

    desk.receiver.takes = takes_its_time
    desk.happen()
    began = desk.world.clock.now
    bell = WebhookBell.decode(desk.world.queues.webhooks.popleft())
    webhooks.deliver(desk.app, bell.tenant, bell.event)
    assert desk.world.clock.now - began <= webhooks.MAX_TIME + timedelta(seconds=10)
    assert desk.world.queues.webhooks, "the others are told by another message"
    for _ in range(5):
        desk.hear()
    desk.receiver.got.clear()
    desk.happen()
    desk.hear()
    assert desk.receiver.got[0].url == ONE


def test_a_receiver_that_is_down_is_left_alone_between_tries_and_hears_of_all_when_it_is_back() -> None:
    desk = Desk(ONE)
    desk.receiver.always = 500
    for _ in range(50):
        desk.happen()
        desk.hear()
    assert len(desk.receiver.got) == 5
    for _ in range(60):
        desk.wait(minutes=1)
    assert len(desk.receiver.got) < 5 + 20
    desk.receiver.always = 200
    for _ in range(60 * 10):
        desk.wait(minutes=1)
    told = [one.event for one in desk.log() if one.state is DeliveryState.DELIVERED]
    assert len(set(told)) == len(told) == 50


def test_what_waits_for_a_receiver_that_is_down_comes_back_spread_wider_and_wider() -> None:
    desk = Desk(ONE)
    desk.receiver.always = 500
    for _ in range(60):
        desk.happen()
    for _ in range(4 * 60):
        desk.wait(minutes=1)
    waiting = [one.due for one in desk.app.webhooks.all_waiting(desk.tenant) if one.deliveries[0].attempts == 0]
    due = sorted(one for one in waiting if one is not None)
    # Else all of them were heard within each half minute after a rest, ahead of what other desks wait for.
    assert len(due) > 20
    assert due[len(due) * 9 // 10] - due[len(due) // 10] > timedelta(minutes=45)


def test_an_event_whose_turn_never_came_is_given_up_with_the_true_cause() -> None:
    desk = Desk(ONE)
    desk.receiver.always = 500
    for _ in range(20):
        desk.happen()
    for _ in range(30 * 4):
        desk.wait(minutes=15)
    assert list(desk.app.webhooks.all_waiting(desk.tenant)) == []
    ended = [one for one in desk.log() if one.state is DeliveryState.GIVEN_UP]
    assert len({one.event for one in ended}) == 20
    late = [one for one in ended if one.status == 0]
    assert late
    assert {one.cause for one in late} == {webhooks.TOO_LATE}


class _Busy(TableWebhooks):
    """Somebody changes the second webhook just before the first write."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.world.tables)
        self._desk: Desk | None = desk

    def put(self, tenant: str, hooks_: Hooks) -> Hooks:
        desk, self._desk = self._desk, None
        if desk is not None:
            changed = hooks.Wish(TWO, SUBSCRIBABLE, True, "changed")
            hooks.change(desk.world.app, tenant, desk.hooks[1].id, changed)
        return super().put(tenant, hooks_)


# ── what ends it ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_gone_disables_the_webhook_also_when_somebody_changes_another_at_that_moment() -> None:
    desk = Desk(ONE, TWO)
    desk.receiver.by_url = {ONE: 410}
    desk.app = replace(desk.app, webhooks=_Busy(desk))
    desk.happen()
    desk.hear()
    assert (desk.hook(0).enabled, desk.hook(1).description) == (False, "changed")
    assert "410" in desk.hook(0).ended
    assert hooks.switch(desk.app, desk.tenant, desk.hooks[0].id, True).ended == ""


def test_a_bug_that_fails_each_time_is_given_up_after_a_day_and_said() -> None:
    desk = Desk(ONE)
    desk.receiver.always = ZeroDivisionError()
    desk.happen()
    for _ in range(28 * 20):
        queue = desk.world.queues.webhooks
        for text in [queue.popleft() for _ in range(len(queue))]:
            bell = WebhookBell.decode(text)
            try:
                webhooks.deliver(desk.app, bell.tenant, bell.event)
            except ZeroDivisionError:
                webhooks.give_up(desk.app, bell.tenant, bell.event)
        desk.world.clock.advance(minutes=3)
        upkeep.rescue(desk.app)
    assert [(one.state, one.cause) for one in desk.log()] == [(DeliveryState.GIVEN_UP, webhooks.NO_END)]
    assert len(desk.receiver.got) <= 10


def test_giving_up_never_raises_what_storage_does() -> None:
    fault = Fault()
    world = make_app(FailingTables(MemoryTables(), fault))
    tenant, _ = world.tenant()
    fault.arm(1, "outage")
    webhooks.give_up(world.app, tenant, "evt_" + "0" * 32)
    with pytest.raises(StoreUnavailable):
        webhooks.deliver(world.app, tenant, "evt_" + "0" * 32)


def test_an_unknown_event_is_nothing_to_do() -> None:
    desk = Desk(ONE)
    webhooks.deliver(desk.app, desk.tenant, "evt_" + "0" * 32)
    webhooks.deliver(desk.app, desk.tenant, "../x")
    assert desk.receiver.got == []


def test_sending_again_starts_anew_also_what_was_given_up() -> None:
    desk = Desk(ONE)
    desk.receiver.always = 500
    desk.happen()
    for _ in range(27 * 60):
        desk.wait(minutes=1)
    desk.receiver.always = 200
    hooks.resend(desk.app, desk.tenant, desk.hooks[0].id, desk.log()[0].id)
    desk.wait(minutes=11)  # it rests after so many failures
    desk.wait(minutes=1)
    assert desk.log()[-1].state is DeliveryState.DELIVERED
    assert desk.log()[-1].number == 1


def test_a_secret_that_cannot_be_read_any_more_is_said_and_rotating_mends_it() -> None:
    desk = Desk(ONE)
    stored = desk.app.webhooks.hooks(desk.tenant)
    of_another = desk.app.secrets.seal(desk.tenant, "webhook:other", "secret", "whsec_MTIz")
    desk.app.webhooks.put(desk.tenant, stored.put(replace(stored.all[0], secret=of_another)))
    desk.happen()
    desk.hear()
    assert desk.receiver.got == []
    assert [one.cause for one in desk.log()] == [webhooks.UNREADABLE]
    hooks.rotate(desk.app, desk.tenant, desk.hooks[0].id, "once")
    assert hooks.test(desk.app, desk.tenant, desk.hooks[0].id).status == 200


# ── thirty days ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_logs_and_events_go_after_thirty_days_and_younger_ones_stay() -> None:
    desk = Desk(ONE, TWO)
    desk.happen()
    desk.hear()
    desk.world.clock.advance(days=20)
    desk.happen()
    desk.hear()
    desk.world.clock.advance(days=10, seconds=1)
    expired = TableExpired(desk.world.tables)
    incinerate.incinerate(desk.app, expired, 0)
    assert [len(desk.log(hook)) for hook in (0, 1)] == [1, 1]
    tables: Any = desk.world.tables
    assert sum(1 for _, _, key in tables.rows if key.startswith("WE:")) == 1
    assert expired.webhooks(desk.tenant, desk.app.now(), 1000) == 0
    hooks.resend(desk.app, desk.tenant, desk.hooks[0].id, desk.log()[0].id)
    desk.hear()
    assert len(desk.log()) == 2
    with pytest.raises(RowChanged):
        desk.app.webhooks.put(desk.tenant, Hooks())
