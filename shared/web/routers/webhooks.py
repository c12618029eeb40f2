"""Webhooks: who hears of what happens at the desk."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from shared.errors import Conflict
from shared.flows import hooks as flow
from shared.web.callers import NEEDS_KEY, PROBE_LIMIT, Admin, TheApp
from shared.web.idempotency import IdempotencyKey, once
from shared.web.preconditions import HookMatch, hook_changed, hook_read
from shared.web.shapes.lists import DeliveryQuery, Listed, listed
from shared.web.shapes.webhook import (
    DeliveryOut,
    HookIn,
    HookOut,
    HookWithSecret,
    Resent,
    delivery_out,
    etag,
    hook_out,
    hook_with_secret,
)

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"], dependencies=[NEEDS_KEY])


@router.get("")
def list_webhooks(app: TheApp, caller: Admin) -> Listed[HookOut]:
    """All webhooks of the tenant, the oldest first, and how each does."""
    now = app.now()
    return Listed(items=[hook_out(hook, standing, now) for hook, standing in flow.all_of(app, caller.tenant)])


@router.post("", status_code=201)
def make_webhook(
    body: HookIn, app: TheApp, caller: Admin, response: Response, idempotency_key: IdempotencyKey = None
) -> HookWithSecret:
    """Make a webhook. Its secret is in this answer and nowhere else."""
    hook, secret = flow.make(app, caller.tenant, body.wish(), once(caller.key_id, idempotency_key))
    response.headers["ETag"] = etag(hook)
    return hook_with_secret(hook, secret, app.now())


@router.get("/{webhook}")
def get_webhook(webhook: str, app: TheApp, caller: Admin, response: Response) -> HookOut:
    """A webhook, and how it does."""
    hook = flow.get(app, caller.tenant, webhook)
    response.headers["ETag"] = etag(hook)
    return hook_out(hook, app.webhooks.standings(caller.tenant).get(hook.id), app.now())


@router.put("/{webhook}")
def change_webhook(
    webhook: str, body: HookIn, app: TheApp, caller: Admin, response: Response, if_match: HookMatch = None
) -> HookOut:
    """Change a webhook. Its secret stays as it is; enabling it takes back that it was disabled."""
    version = hook_read(flow.get(app, caller.tenant, webhook), if_match)
    try:
        hook = flow.change(app, caller.tenant, webhook, body.wish(), version)
    except Conflict as conflict:
        raise (hook_changed() if version is not None else conflict) from None
    response.headers["ETag"] = etag(hook)
    return hook_out(hook, app.webhooks.standings(caller.tenant).get(hook.id), app.now())


@router.delete("/{webhook}", status_code=204)
def delete_webhook(webhook: str, app: TheApp, caller: Admin, if_match: HookMatch = None) -> None:
    """Delete a webhook with its secrets and its log. What waits for it is not sent."""
    version = hook_read(flow.get(app, caller.tenant, webhook), if_match)
    try:
        flow.remove(app, caller.tenant, webhook, version)
    except Conflict as conflict:
        raise (hook_changed() if version is not None else conflict) from None


@router.post("/{webhook}/rotate")
def rotate_webhook_secret(
    webhook: str, app: TheApp, caller: Admin, idempotency_key: IdempotencyKey = None
) -> HookWithSecret:
    """Make a new secret, which is in this answer and nowhere else. For 24 hours requests are signed with both."""
    hook, secret = flow.rotate(app, caller.tenant, webhook, once(caller.key_id, idempotency_key))
    return hook_with_secret(hook, secret, app.now())


@router.post("/{webhook}/test", dependencies=[PROBE_LIMIT])
def send_test_event(webhook: str, app: TheApp, caller: Admin) -> DeliveryOut:
    """Send an event of type `ping` now, and tell what happened."""
    return delivery_out(flow.test(app, caller.tenant, webhook))


@router.get("/{webhook}/deliveries")
def list_deliveries(
    webhook: str, app: TheApp, caller: Admin, query: Annotated[DeliveryQuery, Query()]
) -> Listed[DeliveryOut]:
    """What was sent in the last 30 days, try by try, the newest first."""
    return listed(flow.deliveries(app, caller.tenant, webhook, query.after, query.limit), delivery_out)


@router.post("/{webhook}/deliveries/{delivery}/resend", status_code=202)
def resend_delivery(webhook: str, delivery: str, app: TheApp, caller: Admin) -> Resent:
    """Send the event of a delivery once more, with the same id. Said again while it waits, it changes nothing."""
    return Resent(event=flow.resend(app, caller.tenant, webhook, delivery).event)
