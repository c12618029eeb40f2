"""Tenants and their first keys: for the cloud admin's key only."""

from __future__ import annotations

from fastapi import APIRouter, Response

from shared.flows import tenants as flow
from shared.web.callers import NEEDS_CLOUD_KEY, CloudAdmin, TheApp
from shared.web.shapes.tenant import KeyIn, KeyOut, TenantIn, TenantOut, key_out, tenant_out

router = APIRouter(prefix="/api/tenants", tags=["tenants"], dependencies=[CloudAdmin, NEEDS_CLOUD_KEY])


@router.get("/{tenant}")
def get_tenant(tenant: str, app: TheApp) -> TenantOut:
    """One tenant."""
    return tenant_out(flow.get(app, tenant))


@router.put("/{tenant}", responses={201: {"model": TenantOut, "description": "Created"}})
def put_tenant(tenant: str, body: TenantIn, app: TheApp, response: Response) -> TenantOut:
    """Create or rename a tenant."""
    saved, created = flow.put(app, tenant, body.name)
    response.status_code = 201 if created else 200
    return tenant_out(saved)


@router.post("/{tenant}/keys", status_code=201)
def make_key(tenant: str, body: KeyIn, app: TheApp) -> KeyOut:
    """Make an API key. Its text is in this answer and nowhere else."""
    key, text = flow.make_key(app, tenant, body.role, body.name)
    return key_out(key, text)
