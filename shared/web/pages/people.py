"""Who signs in to the desk with Microsoft: the part of the desk's page for that."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.errors import Conflict, Invalid
from shared.flows import person, tenant_settings
from shared.flows.tenant_settings import Wanted
from shared.web.callers import Admin, TheApp, TheHouse
from shared.web.pages.signin import leave
from shared.web.pages.tenant import as_read, page

router = APIRouter(prefix="/tenant")

Text = Annotated[str, Form()]


@router.post("/entra")
def map_to(request: Request, app: TheApp, caller: Admin, entra: Text = "", version: Text = "") -> Response:
    """Name the Entra tenant whose people may be let in; empty: nobody's."""
    tenant = as_read(app, caller, version)
    same = entra.strip().lower() == tenant.entra_tenant_id
    try:
        wanted = Wanted(tenant.retention_days, entra, tenant.has_app_roles and same)
        after = tenant_settings.configure(app, tenant, wanted)
    except Invalid as error:
        return page(request, app, caller, 422, entra=entra, wrong_entra=error.errors[0][1])
    return _done("mapped" if after.entra_tenant_id else "unmapped")


@router.get("/prove")
def prove(request: Request, house: TheHouse, caller: Admin) -> Response:
    """To Microsoft, to come back with an admin of that Entra tenant: then its app roles count."""
    return leave(request, house, "/tenant", prover=caller)


@router.post("/app-roles/off")
def app_roles_off(app: TheApp, caller: Admin, version: Text = "") -> Response:
    """App roles let nobody in any more; who came in by one is out at once."""
    tenant = as_read(app, caller, version)
    tenant_settings.configure(app, tenant, Wanted(tenant.retention_days, tenant.entra_tenant_id, False))
    return _done("no_roles")


@router.post("/people")
def add(request: Request, app: TheApp, caller: Admin, address: Text = "", role: Text = "") -> Response:
    """List somebody."""
    try:
        person.add(app, caller.slug, address, role)
    except Invalid as error:
        return page(request, app, caller, 422, wrong_person=error.errors[0][1], new=(address, role))
    except Conflict as error:
        return page(request, app, caller, 409, wrong_person=f"{error.message} {error.fix}", new=(address, role))
    return _done("listed")


@router.post("/people/{id}/remove")
def remove(app: TheApp, caller: Admin, id: str) -> Response:
    """Take somebody off the list and end their sessions."""
    person.remove(app, caller.slug, id)
    return _done("removed")


def _done(what: str) -> Response:
    return RedirectResponse(f"/tenant?done={what}#people", 303)
