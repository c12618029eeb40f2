"""What a desk decides about itself, for its own admins: how long mail is kept, who signs in with Entra ID."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Response

from shared.flows import person, tenant_settings
from shared.flows import tenants as flow
from shared.flows.tenant_settings import Wanted
from shared.ports import App, Tenant
from shared.web.callers import NEEDS_KEY, Admin, TheApp
from shared.web.preconditions import Changed
from shared.web.routers.tenants import Confirm
from shared.web.shapes.lists import Listed
from shared.web.shapes.tenant import OwnTenantIn, OwnTenantOut, PersonIn, PersonOut, own_tenant_out, person_out

router = APIRouter(prefix="/api", tags=["tenant"], dependencies=[NEEDS_KEY])

TenantMatch = Annotated[str | None, Header(alias="If-Match", description="The ETag of the settings that you read.")]


@router.get("/tenant")
def get_own_tenant(app: TheApp, caller: Admin, response: Response) -> OwnTenantOut:
    """The caller's own desk."""
    return _answer(app, flow.get(app, caller.slug), response)


@router.put("/tenant")
def put_own_tenant(
    body: OwnTenantIn,
    app: TheApp,
    caller: Admin,
    response: Response,
    if_match: TenantMatch = None,
    confirm: Confirm = "",
) -> OwnTenantOut:
    """Change how long raw mail is kept, and whose people may sign in with Entra ID. Mail is never deleted by that
    without ``confirm``: without it the answer says what would be deleted."""
    tenant = flow.get(app, caller.slug)
    if if_match is not None and if_match.strip() not in ("*", _etag(app, tenant)):
        raise Changed("Somebody changed this desk's settings meanwhile.", "Read them again and repeat your change.")
    given = body.model_fields_set
    entra = body.entra_tenant_id if "entra_tenant_id" in given else tenant.entra_tenant_id
    same = entra.strip().lower() == tenant.entra_tenant_id
    wanted = Wanted(
        retention_days=body.retention_days if "retention_days" in given else tenant.retention_days,
        entra_tenant_id=entra,
        app_roles=body.app_roles if "app_roles" in given else tenant.has_app_roles and same,
    )
    return _answer(app, tenant_settings.configure(app, tenant, wanted, confirm), response)


@router.get("/people")
def list_people(app: TheApp, caller: Admin) -> Listed[PersonOut]:
    """Everybody who may sign in with Entra ID, and whom an app role has let in, in the order of their addresses."""
    return Listed(items=[person_out(one) for one in person.people(app, caller.slug)])


@router.post("/people", status_code=201)
def add_person(body: PersonIn, app: TheApp, caller: Admin) -> PersonOut:
    """List somebody. An address is listed once, so a request that is sent twice lists nobody twice."""
    return person_out(person.add(app, caller.slug, body.address, body.role))


@router.delete("/people/{person_id}", status_code=204)
def remove_person(person_id: str, app: TheApp, caller: Admin) -> None:
    """Take somebody off the list, and end every session of theirs, at once."""
    person.remove(app, caller.slug, person_id)


def _answer(app: App, tenant: Tenant, response: Response) -> OwnTenantOut:
    response.headers["ETag"] = _etag(app, tenant)
    return own_tenant_out(app, tenant)


def _etag(app: App, tenant: Tenant) -> str:
    """Of the settings as they are answered: how long mail is kept depends on the service as well."""
    shown = f"{tenant.version}\n{app.retention_days}"
    return f'"{hashlib.sha256(shown.encode()).hexdigest()[:32]}"'
