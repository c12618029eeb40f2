"""Queue ``outbound``: answers and acknowledgements leave; ``outbound-poison``: the rescue rings for them again."""

from __future__ import annotations

import azure.functions as func

from shared import bootstrap, log, trace
from shared.flows import send as flow
from shared.model.doorbell import NotADoorbell, OutboundBell

bp = func.Blueprint()  # type: ignore[no-untyped-call]


@bp.queue_trigger(arg_name="message", queue_name="outbound", connection="AzureWebJobsStorage")
def send(message: func.QueueMessage) -> None:
    """Send the mail of one note."""
    bell = _bell(message)
    if bell is not None:
        log.begin()
        with trace.caused_by(bell.cause):
            flow.send(bootstrap.app(), bell.tenant, bell.incident, bell.note)


@bp.queue_trigger(arg_name="message", queue_name="outbound-poison", connection="AzureWebJobsStorage")
def send_gave_up(message: func.QueueMessage) -> None:
    """The queue tried as often as it does."""
    bell = _bell(message)
    if bell is not None:
        flow.give_up(bootstrap.app(), bell.tenant, bell.incident, bell.note)


def _bell(message: func.QueueMessage) -> OutboundBell | None:
    try:
        return OutboundBell.decode(message.get_body().decode())
    except (NotADoorbell, UnicodeDecodeError):
        return None  # not ours: trying again would not make it so
