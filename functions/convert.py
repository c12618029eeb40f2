"""Queue ``inbound``: kept mail becomes incidents and notes; ``inbound-poison``: its row says that it failed."""

from __future__ import annotations

import azure.functions as func

from shared import bootstrap, log, trace
from shared.flows import convert as flow
from shared.model.doorbell import InboundBell, NotADoorbell

bp = func.Blueprint()  # type: ignore[no-untyped-call]


@bp.queue_trigger(arg_name="message", queue_name="inbound", connection="AzureWebJobsStorage")
def convert(message: func.QueueMessage) -> None:
    """Decide about one kept mail."""
    bell = _bell(message)
    if bell is not None:
        log.begin()
        with trace.caused_by(trace.traceparent(bell.id, trace.ACCEPTED)):
            flow.convert(bootstrap.app(), bell.tenant, bell.id)


@bp.queue_trigger(arg_name="message", queue_name="inbound-poison", connection="AzureWebJobsStorage")
def give_up(message: func.QueueMessage) -> None:
    """The queue tried as often as it does: write that down."""
    bell = _bell(message)
    if bell is not None:
        flow.give_up(bootstrap.app(), bell.tenant, bell.id)


def _bell(message: func.QueueMessage) -> InboundBell | None:
    try:
        return InboundBell.decode(message.get_body().decode())
    except (NotADoorbell, UnicodeDecodeError):
        return None  # not ours: trying again would not make it so
