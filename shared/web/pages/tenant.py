"""The desk's own page, for its admins: who is signed in, which keys there are, new ones, and their end."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.errors import Invalid
from shared.flows import tenants as flow
from shared.ports import ApiKey, App
from shared.web.callers import Admin, TheApp
from shared.web.idempotency import once
from shared.web.pages import render

router = APIRouter()

Text = Annotated[str, Form()]


@router.get("/tenant")
def show(request: Request, app: TheApp, caller: Admin, revoked: bool = False) -> Response:
    """The page."""
    return _page(request, app, caller, revoked=revoked)


@router.post("/tenant/keys")
def make(request: Request, app: TheApp, caller: Admin, role: Text = "", name: Text = "", wish: Text = "") -> Response:
    """Make a key and show it, this once. The form holds a word of its own (``wish``): reloading the answer shows the
    same key again and makes no second one."""
    try:
        key, text = flow.make_key(app, caller.slug, role, name, once(caller.key_id, wish))
    except Invalid as error:
        return _page(request, app, caller, status=422, refused=dict(error.errors), given={"role": role, "name": name})
    return render.page(request, "newkey.html", caller=caller, tenant=None, key=key, text=text, back="/tenant")


@router.post("/tenant/keys/{id}/revoke")
def revoke(app: TheApp, caller: Admin, id: str) -> Response:
    """End a key. Whoever ended his own signs in anew."""
    flow.revoke(app, caller.slug, id)
    return RedirectResponse("/tenant?revoked=true", 303)


def _page(request: Request, app: App, caller: flow.Caller, status: int = 200, **values: Any) -> Response:
    return render.page(
        request,
        "tenant.html",
        status=status,
        caller=caller,
        tenant=flow.get(app, caller.slug),
        **{**keys_shown(app, caller.slug), "revoked": False, **values},
    )


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
