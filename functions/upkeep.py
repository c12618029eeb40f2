"""Timers that keep the promises when a bell was lost or a step was cut off, clear away, and watch."""

from __future__ import annotations

from datetime import UTC, datetime

import azure.functions as func

from shared import bootstrap
from shared.flows import erase as eraser
from shared.flows import forget as forgetter
from shared.flows import incinerate as fire
from shared.flows import reconcile as comparison
from shared.flows import rotate as rotation
from shared.flows import upkeep as flow
from shared.flows import watch as eyes

bp = func.Blueprint()  # type: ignore[no-untyped-call]


@bp.timer_trigger(arg_name="timer", schedule="30 */2 * * * *", run_on_startup=False)
def rescue(timer: func.TimerRequest) -> None:
    """Every two minutes: ring again for mails that have been pending for too long."""
    flow.rescue(bootstrap.app())


@bp.timer_trigger(arg_name="timer", schedule="45 7 * * * *", run_on_startup=False)
def heal(timer: func.TimerRequest) -> None:
    """Every hour: a mailbox that has no place in the schedule gets one."""
    flow.heal(bootstrap.app())


@bp.timer_trigger(arg_name="timer", schedule="15 23 2 * * *", run_on_startup=False)
def incinerate(timer: func.TimerRequest) -> None:
    """Every night: what is kept no longer than it has to be goes."""
    fire.incinerate(bootstrap.app(), bootstrap.expired(), bootstrap.settings().retention_days)
    rotation.rewrap(bootstrap.app())


@bp.timer_trigger(arg_name="timer", schedule="20 41 * * * *", run_on_startup=False)
def watch(timer: func.TimerRequest) -> None:
    """Every hour: tell what somebody should know, once a day each."""
    eyes.watch(bootstrap.app(), _last(timer))


@bp.timer_trigger(arg_name="timer", schedule="50 17 * * * *", run_on_startup=False)
def reconcile(timer: func.TimerRequest) -> None:
    """Every hour: compare mailboxes with what their servers hold, each about once a day."""
    comparison.reconcile(bootstrap.app(), bootstrap.reconciled())


@bp.timer_trigger(arg_name="timer", schedule="35 */10 * * * *", run_on_startup=False)
def erase(timer: func.TimerRequest) -> None:
    """Every ten minutes: what was deleted for good goes, some more of it each time."""
    app = bootstrap.app()
    # What holds up one of them must not hold up the others; the one without a budget of time is the shortest.
    try:
        rotation.finish(app)
    finally:
        try:
            forgetter.forget(app)
        finally:
            eraser.erase(app, bootstrap.erasing())


def _last(timer: func.TimerRequest) -> datetime | None:
    """When the host ran this timer before."""
    try:
        last = datetime.fromisoformat(str(timer.schedule_status.get("Last")))  # type: ignore[attr-defined]
    except ValueError:
        return None
    return last if last.tzinfo else last.replace(tzinfo=UTC)
