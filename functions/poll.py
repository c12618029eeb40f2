"""Timers that poll: one function per mailbox, and the sweep that finds whatever those leave behind."""

from __future__ import annotations

from collections.abc import Callable

import azure.functions as func

from shared import bootstrap, log
from shared.flows import poll as flow
from shared.model import schedule
from shared.model.doorbell import NotADoorbell, PollBell

bp = func.Blueprint()  # type: ignore[no-untyped-call]


@bp.timer_trigger(arg_name="timer", schedule="0 * * * * *", run_on_startup=False)
def sweep(timer: func.TimerRequest) -> None:
    """Every minute: ring for each mailbox that is due and has no timer of its own that ticks."""
    flow.sweep(bootstrap.app())


@bp.queue_trigger(arg_name="message", queue_name="polls", connection="AzureWebJobsStorage")
def poll_mailbox(message: func.QueueMessage) -> None:
    """Poll the mailbox that the sweep, or a person, rang for."""
    bell = _bell(message)
    if bell is not None:
        log.begin()
        flow.poll(bootstrap.app(), bell.tenant, bell.mailbox)


def register_timers(blueprint: func.Blueprint) -> None:
    """A timer function for each of the first mailboxes, so that the portal shows, measures and stops each."""
    for slot in bootstrap.dedicated_slots():
        name = schedule.timer_name(slot.tenant, slot.mailbox)
        cron = schedule.ncrontab(slot.tenant, slot.mailbox, slot.minutes)
        body = _poll_one(slot.tenant, slot.mailbox)
        blueprint.function_name(name)(blueprint.timer_trigger(arg_name="timer", schedule=cron)(body))


def _poll_one(tenant: str, mailbox: str) -> Callable[[func.TimerRequest], None]:
    def poll(timer: func.TimerRequest) -> None:
        log.begin()
        flow.poll(bootstrap.app(), tenant, mailbox, own_timer=True)

    return poll


def _bell(message: func.QueueMessage) -> PollBell | None:
    try:
        return PollBell.decode(message.get_body().decode())
    except (NotADoorbell, UnicodeDecodeError):
        return None  # not ours: trying again would not make it so


register_timers(bp)
