"""The cloud admin's pages: the tenants of this service and how they do; new ones, disabled ones, deleted ones.

Signing in takes API_ADMIN_KEY and begins a session of its own kind: half an hour, for these pages only.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared import log
from shared.errors import Invalid, NotFound, NotSignedIn
from shared.flows import tenant_settings
from shared.flows import tenants as flow
from shared.ports import ApiKey
from shared.web import callers
from shared.web.callers import MAX_CREDENTIAL_CHARS, House, PageAdmin, TheHouse
from shared.web.idempotency import once
from shared.web.pages import render
from shared.web.pages.tenant import keys_shown
from shared.web.sessions import CLOUD

router = APIRouter(prefix="/cloud")

PAGE = 25
"""Tenants of one page: each costs a read of its mailboxes and one for each of them."""

WHO = "cloud admin"

Text = Annotated[str, Form()]


@router.get("/sign-in")
def ask(request: Request, house: TheHouse) -> Response:
    """The form; there is none where no cloud admin's key is set."""
    _switched_on(house)
    return render.page(request, "cloud_signin.html", refused=False)


@router.post("/sign-in")
def sign_in(request: Request, house: TheHouse, key: Text = "") -> Response:
    """Check the key and set the cookie."""
    _switched_on(house)
    callers.refuse_other_sites(request)
    try:
        callers.check_cloud_key(request, house, key.strip()[:MAX_CREDENTIAL_CHARS])
    except NotSignedIn:
        log.event("sign_in_refused", method="cloud", reason="wrong_key")
        return render.page(request, "cloud_signin.html", status=401, refused=True)
    log.event("signed_in", method="cloud", role="cloud admin")
    response = RedirectResponse("/cloud", 303)
    callers.set_cookie(request, response, house.cloud_sessions.issue(), CLOUD)
    return response


@router.post("/sign-out")
def sign_out(request: Request, house: TheHouse) -> Response:
    """End the session."""
    callers.refuse_other_sites(request)
    house.cloud_sessions.end(callers.cookie(request, CLOUD))
    response = RedirectResponse("/cloud/sign-in", 303)
    callers.clear_cookie(request, response, CLOUD)
    return response


@router.get("")
def overview(request: Request, house: PageAdmin, after: str = "", deleted: str = "") -> Response:
    """All tenants."""
    return _overview(request, house, after=after, deleted=deleted)


@router.post("/tenants")
def make(request: Request, house: PageAdmin, tenant: Text = "", name: Text = "", wish: Text = "") -> Response:
    """Make a tenant and its first admin key, and show that key, this once."""
    tenant = tenant.strip()
    try:
        if flow.TENANT_SLUG.fullmatch(tenant) and house.app.tenants.get(tenant) is not None:
            # Sent again, it is the same wish: then the key is the same. Another wish must not rename what is there.
            _refuse_second(house, tenant, wish)
        flow.put(house.app, tenant, name)
        key, text = flow.make_key(house.app, tenant, "admin", "First admin", once(WHO, wish))
    except Invalid as error:
        given = {"tenant": tenant, "name": name}
        return _overview(request, house, status=422, refused=dict(error.errors), given=given)
    return _new_key(request, tenant, key, text)


@router.get("/tenants/{tenant}")
def one(request: Request, house: PageAdmin, tenant: str, done: str = "") -> Response:
    """One tenant."""
    return _one(request, house, tenant, done=done if done in ("enabled", "disabled", "revoked") else "")


@router.post("/tenants/{tenant}/keys")
def make_key(
    request: Request, house: PageAdmin, tenant: str, role: Text = "", name: Text = "", wish: Text = ""
) -> Response:
    """Make a key and show it, this once."""
    try:
        key, text = flow.make_key(house.app, tenant, role, name, once(WHO, wish))
    except Invalid as error:
        return _one(request, house, tenant, 422, refused=dict(error.errors), given={"role": role, "name": name})
    return _new_key(request, tenant, key, text)


@router.post("/tenants/{tenant}/keys/{id}/revoke")
def revoke(house: PageAdmin, tenant: str, id: str) -> Response:
    """End a key, also the last one: here another can be made."""
    flow.revoke(house.app, tenant, id, force=True)
    return RedirectResponse(f"/cloud/tenants/{flow.get(house.app, tenant).slug}?done=revoked", 303)


@router.post("/tenants/{tenant}/switch")
def switch(house: PageAdmin, tenant: str, disabled: Annotated[bool, Form()]) -> Response:
    """Disable it, or enable it again."""
    found = flow.switch(house.app, tenant, disabled)
    done = "disabled" if disabled else "enabled"
    return RedirectResponse(f"/cloud/tenants/{found.slug}?done={done}", 303)


@router.post("/tenants/{tenant}/delete")
def delete(request: Request, house: PageAdmin, tenant: str, confirm: Text = "") -> Response:
    """Delete it for good, if its name was typed."""
    try:
        flow.delete(house.app, tenant, confirm.strip())
    except Invalid as error:
        return _one(request, house, tenant, 422, refused=dict(error.errors))
    return RedirectResponse(f"/cloud?deleted={tenant}", 303)


def _switched_on(house: House) -> None:
    if not house.admin_key:
        raise NotFound("There is nothing at this address.", "Set API_ADMIN_KEY to have the cloud admin's pages.")


def _refuse_second(house: House, tenant: str, wish: str) -> None:
    found = flow.keys(house.app, tenant)
    again = flow.key_id_of(house.app, tenant, once(WHO, wish))
    if all(key.id != again for key in found):
        raise Invalid([("tenant", "There is a tenant of this name already.")])


def _overview(
    request: Request, house: House, status: int = 200, after: str = "", deleted: str = "", **values: Any
) -> Response:
    found = list(itertools.islice(flow.after(house.app, after), PAGE + 1))
    return render.page(
        request,
        "cloud.html",
        status=status,
        tenants=[flow.overview(house.app, tenant) for tenant in found[:PAGE]],
        next=found[PAGE - 1].slug if len(found) > PAGE else None,
        is_first=not after,
        deleted=deleted if flow.TENANT_SLUG.fullmatch(deleted) else "",
        **{
            "wish": house.app.random(16).hex(),
            "refused": {},
            "given": {"tenant": "", "name": ""},
            "most_chars": flow.MAX_NAME_CHARS,
            **values,
        },
    )


def _one(request: Request, house: House, tenant: str, status: int = 200, **values: Any) -> Response:
    found = flow.overview(house.app, flow.get(house.app, tenant))
    kept = tenant_settings.days_kept(house.app, found.tenant)
    shown = {**keys_shown(house.app, tenant), "last_admin": None, "done": "", "days_kept": kept, **values}
    return render.page(request, "cloud_tenant.html", status=status, tenant=found.tenant, found=found, **shown)


def _new_key(request: Request, tenant: str, key: ApiKey, text: str) -> Response:
    back = f"/cloud/tenants/{tenant}"
    return render.page(request, "newkey.html", tenant=tenant, key=key, text=text, back=back)
