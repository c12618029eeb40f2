"""What keeps the promises when a bell was lost or a step was cut off."""

from __future__ import annotations

from datetime import timedelta

from shared import log
from shared.flows import mailboxes, send, webhooks
from shared.flows.everyone import for_each
from shared.ports import App

RING_AGAIN = timedelta(minutes=2)
"""A mail that is still pending after this may have lost its bell (a crash before ringing, a purged queue). Longer
than a busy queue's normal delay, so that a backlog is not rung for again and again; each further ring waits twice
as long."""

MAX_DOUBLINGS = 5
"""The longest pause between rings is then about an hour."""

MAX_RINGS = 500
"""Of one tenant in one run: a rescue must not become a flood."""


def rescue(app: App) -> int:
    """Ring again for mails that have been pending for too long, coming in or going out, and for events that webhooks
    have not heard of, of every tenant. How many."""
    kinds = (_rescue_tenant, send.rescue, webhooks.rescue)
    return for_each(app, lambda tenant: sum(rescue_some(app, tenant.key) for rescue_some in kinds))


def heal(app: App) -> int:
    """Give every mailbox its place in the schedule; those of a disabled tenant have none. How many had none."""
    return for_each(app, lambda tenant: 0 if tenant.disabled else mailboxes.heal_schedule(app, tenant.key))


def _rescue_tenant(app: App, tenant: str) -> int:
    now = app.now()
    rung = 0
    for key, last, rings in app.desk.pending(tenant):
        if now - last < RING_AGAIN * 2 ** min(rings, MAX_DOUBLINGS):
            continue
        if rung == MAX_RINGS:
            break
        app.queues.ring_inbound(tenant, key.mailbox, key.id)
        app.desk.note_ring(tenant, key.id, now)
        rung += 1
    if rung:
        log.event("rescued", tenant=tenant, count=rung)
    return rung
