"""Tenants and their keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from shared.ports import ApiKey, Tenant


class TenantIn(BaseModel):
    """What the cloud admin says about a tenant."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class TenantOut(BaseModel):
    """A tenant."""

    tenant: str
    name: str
    created: datetime


class KeyIn(BaseModel):
    """A key that is to be made. An admin changes settings, an agent reads incidents."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    role: Literal["admin", "agent"]
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class KeyOut(BaseModel):
    """A new key; its text is shown this once."""

    id: str
    key: str


def tenant_out(tenant: Tenant) -> TenantOut:
    """A tenant as an answer."""
    return TenantOut(tenant=tenant.slug, name=tenant.name, created=tenant.created)


def key_out(key: ApiKey, text: str) -> KeyOut:
    """A new key as an answer."""
    return KeyOut(id=key.id, key=text)
