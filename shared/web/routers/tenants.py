"""Tenants and their keys: for the cloud admin's key only."""

from __future__ import annotations

import itertools
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from shared.flows import export, tenant_settings
from shared.flows import rotate as rotation
from shared.flows import tenants as flow
from shared.flows.tenant_settings import Wanted
from shared.ports import App, Tenant
from shared.web.callers import NEEDS_CLOUD_KEY, CloudAdmin, TheApp
from shared.web.idempotency import IdempotencyKey, once
from shared.web.routers.export import Place
from shared.web.routers.keys import Force
from shared.web.shapes.export import ExportOut, export_out
from shared.web.shapes.lists import Listed
from shared.web.shapes.tenant import (
    KeyIn,
    KeyListed,
    KeyOut,
    RotationOut,
    TenantIn,
    TenantListed,
    TenantOut,
    key_listed,
    key_out,
    tenant_listed,
    tenant_out,
)

router = APIRouter(prefix="/api/tenants", tags=["tenants"], dependencies=[CloudAdmin, NEEDS_CLOUD_KEY])

MAX_TENANTS = 100
"""Of one answer: each costs a read of its mailboxes and one for each of them."""

Confirm = Annotated[
    str, Query(max_length=10, description="The number of days once more, where that deletes mail that is kept now.")
]

After = Annotated[str, Query(max_length=40, pattern=r"^[a-z0-9-]*$", description="``next`` of the answer before.")]

NewTenant = Annotated[str, Path(json_schema_extra={"pattern": flow.TENANT_SLUG.pattern})]
"""For the description only: what the flow says is in plainer words."""


@router.get("")
def list_tenants(
    app: TheApp, after: After = "", limit: Annotated[int, Query(ge=1, le=MAX_TENANTS)] = 25
) -> Listed[TenantListed]:
    """Tenants in the order of their names in addresses, with how many mailboxes they have and how many of them fail."""
    found = list(itertools.islice(flow.after(app, after), limit + 1))
    items = [tenant_listed(app, flow.overview(app, one)) for one in found[:limit]]
    return Listed(items=items, next=items[-1].tenant if len(found) > limit else None)


@router.get("/{tenant}")
def get_tenant(tenant: str, app: TheApp) -> TenantOut:
    """One tenant."""
    return tenant_out(app, flow.get(app, tenant))


@router.put("/{tenant}", responses={201: {"model": TenantOut, "description": "Created"}})
def put_tenant(tenant: NewTenant, body: TenantIn, app: TheApp, response: Response, confirm: Confirm = "") -> TenantOut:
    """Create or rename a tenant; disable it, or enable it again; say how long its raw mail is kept."""
    before = app.tenants.get(tenant) if flow.TENANT_SLUG.fullmatch(tenant) else None
    if before is not None:
        _keep(app, before, body, confirm)  # it may be refused, and then nothing is changed
    saved, created = flow.put(app, tenant, body.name)
    if before is None:
        saved = _keep(app, saved, body, confirm)
    if body.disabled is not None:
        saved = flow.switch(app, tenant, body.disabled)
    response.status_code = 201 if created else 200
    return tenant_out(app, saved)


@router.delete("/{tenant}", status_code=204)
def delete_tenant(
    tenant: str, app: TheApp, confirm: Annotated[str, Query(description="The tenant once more.")] = ""
) -> None:
    """Delete a tenant for good: its keys, mailboxes and stored passwords. It cannot be taken back."""
    flow.delete(app, tenant, confirm)


@router.get("/{tenant}/export")
def export_tenant(tenant: str, app: TheApp, after: Place = "") -> ExportOut:
    """Everything of a tenant, page by page, as its own admins get it."""
    return export_out(export.part(app, flow.get(app, tenant).key, after))


@router.post("/{tenant}/rotate-key")
def rotate_data_key(tenant: str, app: TheApp) -> RotationOut:
    """Seal all of a tenant's secrets with a new data key. The old one goes about half an hour later, by itself.

    Nothing has to be typed again, and nothing stops meanwhile; asked again, it goes on.
    """
    return RotationOut(resealed=rotation.rotate(app, tenant))


@router.get("/{tenant}/keys")
def list_keys_of(tenant: str, app: TheApp) -> Listed[KeyListed]:
    """All keys of a tenant, the oldest first, without their texts."""
    return Listed(items=[key_listed(key) for key in flow.keys(app, tenant)])


@router.post("/{tenant}/keys", status_code=201)
def make_key(tenant: str, body: KeyIn, app: TheApp, idempotency_key: IdempotencyKey = None) -> KeyOut:
    """Make an API key. Its text is in this answer and nowhere else."""
    key, text = flow.make_key(app, tenant, body.role, body.name, once("cloud admin", idempotency_key))
    return key_out(key, text)


@router.delete("/{tenant}/keys/{key}", status_code=204)
def revoke_key(tenant: str, key: str, app: TheApp, force: Force = False) -> None:
    """End a key and every session that was begun with it, at once. The last admin key needs ``force``."""
    flow.revoke(app, tenant, key, force)


def _keep(app: App, tenant: Tenant, body: TenantIn, confirm: str) -> Tenant:
    if "retention_days" not in body.model_fields_set:
        return tenant
    wanted = Wanted(body.retention_days, tenant.entra_tenant_id, tenant.has_app_roles)
    return tenant_settings.configure(app, tenant, wanted, confirm)
