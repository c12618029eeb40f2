"""The desk's page of its webhooks, for its admins: which there are, how they do, new ones, and the log of each."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.errors import CallerError, Invalid
from shared.flows import hooks as flow
from shared.flows.tenants import Caller
from shared.model.webhook import MAX_DESCRIPTION_CHARS, MAX_HOOKS, MAX_URL_CHARS, SUBSCRIBABLE, DeliveryState
from shared.ports import App
from shared.web.callers import PROBE_LIMIT, Admin, TheApp
from shared.web.idempotency import once
from shared.web.pages import render
from shared.web.shapes.lists import DeliveryPlace

router = APIRouter(prefix="/tenant/webhooks")

Text = Annotated[str, Form()]
Several = Annotated[list[str] | None, Form()]

SHOWN = 50
"""Deliveries of one page of the log."""

DID = frozenset({"saved", "enabled", "disabled", "deleted", "resent"})


@router.get("")
def show_all(request: Request, app: TheApp, caller: Admin, did: str = "") -> Response:
    """All webhooks, and the form of a new one."""
    return _list(request, app, caller, did=did if did in DID else "")


@router.post("")
def make(
    request: Request,
    app: TheApp,
    caller: Admin,
    url: Text = "",
    description: Text = "",
    events: Several = None,
    wish: Text = "",
) -> Response:
    """Make a webhook and show its secret, this once. The form holds a word of its own (``wish``): reloading the answer
    shows the same secret again and makes no second webhook."""
    given = flow.Wish(url, tuple(events or ()), True, description)
    try:
        hook, secret = flow.make(app, caller.tenant, given, once(caller.key_id, wish))
    except Invalid as error:
        return _list(request, app, caller, status=422, refused=dict(error.errors), given=given)
    return render.page(request, "webhook_secret.html", caller=caller, hook=hook, secret=secret, is_new=True)


@router.get("/{id}")
def show(
    request: Request, app: TheApp, caller: Admin, id: str, after: Annotated[DeliveryPlace, Query()] = "", did: str = ""
) -> Response:
    """One webhook with its log."""
    return _one(request, app, caller, id, after, did=did if did in DID else "")


@router.post("/{id}")
def change(
    request: Request,
    app: TheApp,
    caller: Admin,
    id: str,
    url: Text = "",
    description: Text = "",
    events: Several = None,
    version: Text = "",
) -> Response:
    """Save what was changed; whether it is enabled has a button of its own."""
    given = flow.Wish(url, tuple(events or ()), flow.get(app, caller.tenant, id).enabled, description)
    try:
        flow.change(app, caller.tenant, id, given, version or None)
    except Invalid as error:
        return _one(request, app, caller, id, status=422, refused=dict(error.errors), given=given)
    return _back(id, "saved")


@router.post("/{id}/switch")
def switch(app: TheApp, caller: Admin, id: str, on: Text = "") -> Response:
    """Disable it, or enable it again."""
    flow.switch(app, caller.tenant, id, on == "true")
    return _back(id, "enabled" if on == "true" else "disabled")


@router.post("/{id}/rotate")
def rotate(request: Request, app: TheApp, caller: Admin, id: str, wish: Text = "") -> Response:
    """Make a new secret and show it, this once."""
    hook, secret = flow.rotate(app, caller.tenant, id, once(caller.key_id, wish))
    return render.page(request, "webhook_secret.html", caller=caller, hook=hook, secret=secret, is_new=False)


@router.post("/{id}/test", dependencies=[PROBE_LIMIT])
def test(request: Request, app: TheApp, caller: Admin, id: str) -> Response:
    """Send a test event now, and show what happened."""
    try:
        tested = flow.test(app, caller.tenant, id)
    except Invalid as error:
        return _one(request, app, caller, id, status=422, refused=dict(error.errors))
    return _one(request, app, caller, id, tested=tested)


@router.post("/{id}/deliveries/{delivery}/resend")
def resend(request: Request, app: TheApp, caller: Admin, id: str, delivery: str) -> Response:
    """Send an event once more."""
    try:
        flow.resend(app, caller.tenant, id, delivery)
    except CallerError as error:
        flow.get(app, caller.tenant, id)  # of another desk's, nothing is shown
        return _one(request, app, caller, id, status=error.status, refused={"resend": f"{error.message} {error.fix}"})
    return _back(id, "resent")


@router.post("/{id}/delete")
def delete(app: TheApp, caller: Admin, id: str) -> Response:
    """Delete it with its log."""
    flow.remove(app, caller.tenant, id)
    return RedirectResponse("/tenant/webhooks?did=deleted", 303)


def _back(id: str, did: str) -> Response:
    return RedirectResponse(f"/tenant/webhooks/{id}?{urlencode({'did': did})}", 303)


def _list(request: Request, app: App, caller: Caller, status: int = 200, **values: Any) -> Response:
    shown: dict[str, Any] = {
        **_form(app),
        "hooks": flow.all_of(app, caller.tenant),
        "most": MAX_HOOKS,
        "did": "",
        "given": flow.Wish("", SUBSCRIBABLE),
        **values,
    }
    return render.page(request, "webhooks.html", status=status, caller=caller, **shown)


def _one(
    request: Request, app: App, caller: Caller, id: str, after: str = "", status: int = 200, **values: Any
) -> Response:
    hook = flow.get(app, caller.tenant, id)
    shown: dict[str, Any] = {
        **_form(app),
        "hook": hook,
        "standing": app.webhooks.standings(caller.tenant).get(id),
        "log": flow.deliveries(app, caller.tenant, id, after, SHOWN),
        "after": after,
        "given": flow.Wish(hook.url, hook.events, hook.enabled, hook.description),
        "tested": None,
        "did": "",
        **values,
    }
    return render.page(request, "webhook.html", status=status, caller=caller, **shown)


def _form(app: App) -> dict[str, Any]:
    """What the form needs."""
    return {
        "types": [one.value for one in SUBSCRIBABLE],
        "States": DeliveryState,
        "now": app.now(),
        "wish": app.random(16).hex(),
        "refused": {},
        "most_chars": MAX_DESCRIPTION_CHARS,
        "most_url": MAX_URL_CHARS,
    }
