"""Tenants and their keys: for the cloud admin's key only."""

from __future__ import annotations

import itertools
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from shared.flows import tenants as flow
from shared.web.callers import NEEDS_CLOUD_KEY, CloudAdmin, TheApp
from shared.web.idempotency import IdempotencyKey, once
from shared.web.routers.keys import Force
from shared.web.shapes.lists import Listed
from shared.web.shapes.tenant import (
    KeyIn,
    KeyListed,
    KeyOut,
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

After = Annotated[str, Query(max_length=40, pattern=r"^[a-z0-9-]*$", description="``next`` of the answer before.")]

NewTenant = Annotated[str, Path(json_schema_extra={"pattern": flow.TENANT_SLUG.pattern})]
"""For the description only: what the flow says is in plainer words."""


@router.get("")
def list_tenants(
    app: TheApp, after: After = "", limit: Annotated[int, Query(ge=1, le=MAX_TENANTS)] = 25
) -> Listed[TenantListed]:
    """Tenants in the order of their names in addresses, with how many mailboxes they have and how many of them fail."""
    found = list(itertools.islice(flow.after(app, after), limit + 1))
    items = [tenant_listed(flow.overview(app, one)) for one in found[:limit]]
    return Listed(items=items, next=items[-1].tenant if len(found) > limit else None)


@router.get("/{tenant}")
def get_tenant(tenant: str, app: TheApp) -> TenantOut:
    """One tenant."""
    return tenant_out(flow.get(app, tenant))


@router.put("/{tenant}", responses={201: {"model": TenantOut, "description": "Created"}})
def put_tenant(tenant: NewTenant, body: TenantIn, app: TheApp, response: Response) -> TenantOut:
    """Create or rename a tenant; disable it, or enable it again."""
    saved, created = flow.put(app, tenant, body.name)
    if body.disabled is not None:
        saved = flow.switch(app, tenant, body.disabled)
    response.status_code = 201 if created else 200
    return tenant_out(saved)


@router.delete("/{tenant}", status_code=204)
def delete_tenant(
    tenant: str, app: TheApp, confirm: Annotated[str, Query(description="The tenant once more.")] = ""
) -> None:
    """Delete a tenant for good: its keys, mailboxes and stored passwords. It cannot be taken back."""
    flow.delete(app, tenant, confirm)


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
