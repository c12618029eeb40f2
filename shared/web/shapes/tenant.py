"""Tenants and their keys."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.flows.tenants import MAX_NAME_CHARS, Caller, Overview
from shared.ports import ApiKey, Tenant

_SHOWN = r"^ *[^ {0}][^{0}]*$".format(r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff")
"""What ``flows.tenants`` takes for a name, for the description only: its words say better what is wrong."""

Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_NAME_CHARS),
    Field(json_schema_extra={"pattern": _SHOWN}),
]
Role = Literal["admin", "agent"]


class TenantIn(BaseModel):
    """What the cloud admin says about a tenant. ``disabled``: nobody gets in, nothing is polled, everything is kept;
    left out, it stays as it is."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: Name
    disabled: bool | None = None


class TenantOut(BaseModel):
    """A tenant."""

    tenant: str
    name: str
    created: datetime
    disabled: bool


class MailboxCounts(BaseModel):
    """``failing``: those that are polled without success, or wait until the tenant acts."""

    total: int
    failing: int


class TenantListed(TenantOut):
    """A tenant in the list."""

    mailboxes: MailboxCounts


class KeyIn(BaseModel):
    """A key that is to be made. An admin changes settings, an agent reads incidents."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    role: Role
    name: Name


class KeyOut(BaseModel):
    """A new key; its text is shown this once."""

    id: str
    key: str


class KeyListed(BaseModel):
    """A key without its text. ``last_used``: the day (UTC), null if it never was."""

    id: str
    role: Role
    name: str
    created: datetime
    last_used: date | None


class MeOut(BaseModel):
    """Who is calling: which tenant, in which role, with which key."""

    tenant: str
    name: str
    role: Role
    key: str


def tenant_out(tenant: Tenant) -> TenantOut:
    """A tenant as an answer."""
    return TenantOut(tenant=tenant.slug, name=tenant.name, created=tenant.created, disabled=tenant.disabled)


def tenant_listed(found: Overview) -> TenantListed:
    """A tenant as an item of the list."""
    counts = MailboxCounts(total=found.mailboxes, failing=found.failing)
    return TenantListed(**tenant_out(found.tenant).model_dump(), mailboxes=counts)


def key_out(key: ApiKey, text: str) -> KeyOut:
    """A new key as an answer."""
    return KeyOut(id=key.id, key=text)


def key_listed(key: ApiKey) -> KeyListed:
    """A key as an item of the list."""
    return KeyListed.model_validate(
        {"id": key.id, "role": key.role, "name": key.name, "created": key.created, "last_used": key.used}
    )


def me_out(caller: Caller, tenant: Tenant) -> MeOut:
    """The caller as an answer."""
    return MeOut.model_validate({"tenant": caller.slug, "name": tenant.name, "role": caller.role, "key": caller.key_id})
