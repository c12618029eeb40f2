"""Timers that keep the promises when a bell was lost or a step was cut off."""

from __future__ import annotations

import azure.functions as func

from shared import bootstrap
from shared.flows import upkeep as flow

bp = func.Blueprint()  # type: ignore[no-untyped-call]


@bp.timer_trigger(arg_name="timer", schedule="30 */2 * * * *", run_on_startup=False)
def rescue(timer: func.TimerRequest) -> None:
    """Every two minutes: ring again for mails that have been pending for too long."""
    flow.rescue(bootstrap.app())


@bp.timer_trigger(arg_name="timer", schedule="45 7 * * * *", run_on_startup=False)
def heal(timer: func.TimerRequest) -> None:
    """Every hour: a mailbox that has no place in the schedule gets one."""
    flow.heal(bootstrap.app())
