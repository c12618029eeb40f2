"""The desk's own page, for its admins: keys, people who sign in with Microsoft (``people``), how long mail is kept."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.errors import Conflict, Invalid
from shared.flows import person, tenant_settings
from shared.flows import tenants as flow
from shared.flows.tenant_settings import Wanted
from shared.ports import ApiKey, App, Tenant
from shared.web.callers import Admin, TheApp
from shared.web.idempotency import once
from shared.web.pages import render

router = APIRouter()

Text = Annotated[str, Form()]

DONE = ("revoked", "kept", "mapped", "unmapped", "listed", "removed", "proven", "no_roles")
"""What the page tells was done; the words are its own."""

MOST_DIGITS = 6
"""Of a number of days: more is none, and Python needs long to read thousands."""


@router.get("/tenant")
def show(request: Request, app: TheApp, caller: Admin, done: str = "") -> Response:
    """The page."""
    return page(request, app, caller, done=done if done in DONE else "")


@router.post("/tenant/keys")
def make(request: Request, app: TheApp, caller: Admin, role: Text = "", name: Text = "", wish: Text = "") -> Response:
    """Make a key and show it, this once. The form holds a word of its own (``wish``): reloading the answer shows the
    same key again and makes no second one."""
    try:
        key, text = flow.make_key(app, caller.slug, role, name, once(caller.key_id, wish))
    except Invalid as error:
        return page(request, app, caller, status=422, refused=dict(error.errors), given={"role": role, "name": name})
    return render.page(request, "newkey.html", caller=caller, tenant=None, key=key, text=text, back="/tenant")


@router.post("/tenant/keys/{id}/revoke")
def revoke(app: TheApp, caller: Admin, id: str) -> Response:
    """End a key. Whoever ended his own signs in anew."""
    flow.revoke(app, caller.slug, id)
    return RedirectResponse("/tenant?done=revoked", 303)


@router.post("/tenant/retention")
def keep(
    request: Request, app: TheApp, caller: Admin, days: Text = "", confirm: Text = "", version: Text = ""
) -> Response:
    """Change how long raw mail is kept; what that deletes is said first, and confirmed with the number of days."""
    tenant = as_read(app, caller, version)
    wanted = None
    try:
        wanted = _days(days)
        wants = Wanted(wanted, tenant.entra_tenant_id, tenant.has_app_roles)
        tenant_settings.configure(app, tenant, wants, confirm.strip())
    except Invalid as error:
        wrong = dict(error.errors)
        lost = tenant_settings.loss(app, tenant, wanted) if "confirm" in wrong else None
        return page(request, app, caller, 422, days=days, wrong_days=wrong, lost=lost, confirmed=confirm)
    return RedirectResponse("/tenant?done=kept#retention", 303)


def as_read(app: App, caller: flow.Caller, version: str) -> Tenant:
    """The caller's desk, if it is still what the page showed. Raises ``Conflict``."""
    tenant = flow.get(app, caller.slug)
    if tenant.version != version:
        raise Conflict("Somebody changed this desk's settings meanwhile.", "Go back, reload the page and try again.")
    return tenant


def page(request: Request, app: App, caller: flow.Caller, status: int = 200, **values: Any) -> Response:
    """The whole page; ``values``: what a form on it was sent with, and what is wrong with that."""
    tenant = flow.get(app, caller.slug)
    days = tenant.retention_days
    shown = {
        **keys_shown(app, caller.slug),
        "done": "",
        "with_microsoft": app.entra is not None,
        "people": person.people(app, caller.slug),
        "entra": tenant.entra_tenant_id,
        "wrong_entra": "",
        "wrong_person": "",
        "new": ("", "agent"),
        "days": "" if days is None else str(days),
        "wrong_days": {},
        "lost": None,
        "confirmed": "",
        "days_kept": tenant_settings.days_kept(app, tenant),
        "service_days": app.retention_days,
    }
    return render.page(request, "tenant.html", status=status, caller=caller, tenant=tenant, **{**shown, **values})


def _days(text: str) -> int | None:
    text = text.strip()
    if text and not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise Invalid([("retention_days", "Use a whole number of days, or leave it empty.")])
    return int(text) if text else None


def keys_shown(app: App, slug: str) -> dict[str, Any]:
    """What the list of keys and the form of a new one need."""
    found: tuple[ApiKey, ...] = flow.keys(app, slug)
    admins = [key.id for key in found if key.role == "admin"]
    return {
        "keys": found,
        "last_admin": admins[0] if len(admins) == 1 else None,
        "wish": app.random(16).hex(),
        "refused": {},
        "given": {"role": "agent", "name": ""},
        "most_chars": flow.MAX_NAME_CHARS,
    }
