"""Queue ``webhooks``: receivers hear what happened; ``webhooks-poison``: the rescue rings for them again."""

from __future__ import annotations

import azure.functions as func

from shared import bootstrap, log, trace
from shared.flows import webhooks as flow
from shared.model.doorbell import NotADoorbell, WebhookBell

bp = func.Blueprint()  # type: ignore[no-untyped-call]


@bp.queue_trigger(arg_name="message", queue_name="webhooks", connection="AzureWebJobsStorage")
def webhook(message: func.QueueMessage) -> None:
    """Tell one event to the webhooks that wait for it."""
    bell = _bell(message)
    if bell is not None:
        log.begin()
        with trace.caused_by(bell.cause):
            flow.deliver(bootstrap.app(), bell.tenant, bell.event)


@bp.queue_trigger(arg_name="message", queue_name="webhooks-poison", connection="AzureWebJobsStorage")
def webhook_gave_up(message: func.QueueMessage) -> None:
    """The queue tried as often as it does."""
    bell = _bell(message)
    if bell is not None:
        flow.give_up(bootstrap.app(), bell.tenant, bell.event)


def _bell(message: func.QueueMessage) -> WebhookBell | None:
    try:
        return WebhookBell.decode(message.get_body().decode())
    except (NotADoorbell, UnicodeDecodeError):
        return None  # not ours: trying again would not make it so
