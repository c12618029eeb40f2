"""Tenants and their keys."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.config import MAX_RETENTION_DAYS
from shared.flows import tenant_settings
from shared.flows.person import ADDRESS
from shared.flows.tenants import MAX_NAME_CHARS, Caller, Overview
from shared.ports import ApiKey, App, Person, Tenant

_SHOWN = r"^ *[^ {0}][^{0}]*$".format(r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff")
"""What ``flows.tenants`` takes for a name, for the description only: its words say better what is wrong."""

Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_NAME_CHARS),
    Field(json_schema_extra={"pattern": _SHOWN}),
]
Role = Literal["admin", "agent"]
Days = Annotated[int, Field(ge=0, le=MAX_RETENTION_DAYS)]


class TenantIn(BaseModel):
    """What the cloud admin says about a tenant. ``disabled``: nobody gets in, nothing is polled, everything is kept;
    left out, it stays as it is. ``retention_days``: as in ``/api/tenant``."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: Name
    disabled: bool | None = None
    retention_days: Days | None = None


class TenantOut(BaseModel):
    """A tenant. ``retention_days``: what it wants, null leaves it to the service; ``days_kept``: how long raw mail is
    kept therefore. 0 is for ever."""

    tenant: str
    name: str
    created: datetime
    disabled: bool
    retention_days: int | None
    days_kept: int


class OwnTenantIn(BaseModel):
    """What a desk decides about itself; what is left out stays as it is.

    ``retention_days``: days that raw mail is kept, no more than the service keeps it; 0 is for ever, null leaves it to
    the service. ``entra_tenant_id``: whose people may be let in by Entra ID, empty for nobody's. ``app_roles``: false
    ends that app roles let people in; they begin to on the page, by a proof.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    retention_days: Days | None = None
    entra_tenant_id: Annotated[str, Field(max_length=100)] = ""
    app_roles: bool = False


class OwnTenantOut(TenantOut):
    """The caller's own desk."""

    entra_tenant_id: str
    app_roles: bool


class PersonIn(BaseModel):
    """Somebody who may sign in with Entra ID. ``address``: what they sign in to Microsoft 365 with."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    address: Annotated[str, Field(min_length=1, max_length=320, json_schema_extra={"pattern": f"^{ADDRESS}$"})]
    role: Role


class PersonOut(BaseModel):
    """Somebody who may sign in with Entra ID. ``account``: the object ID that the entry is tied to, null before the
    first sign-in. ``by_role``: not listed, an app role let them in. ``last_here``: the day (UTC)."""

    id: str
    address: str
    name: str
    role: Role
    account: str | None
    by_role: bool
    added: datetime
    last_here: date | None


class MailboxCounts(BaseModel):
    """``failing``: those that are polled without success, or wait until the tenant acts."""

    total: int
    failing: int


class TenantListed(TenantOut):
    """A tenant in the list."""

    mailboxes: MailboxCounts


class RotationOut(BaseModel):
    """``resealed``: secrets that were sealed with the new data key just now."""

    resealed: int


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
    """Who is calling: which tenant, in which role, with which key, or which person. ``signed_in_as``: the name of
    either."""

    tenant: str
    name: str
    role: Role
    key: str
    signed_in_as: str


def tenant_out(app: App, tenant: Tenant) -> TenantOut:
    """A tenant as an answer."""
    return TenantOut(
        tenant=tenant.slug,
        name=tenant.name,
        created=tenant.created,
        disabled=tenant.disabled,
        retention_days=tenant.retention_days,
        days_kept=tenant_settings.days_kept(app, tenant),
    )


def own_tenant_out(app: App, tenant: Tenant) -> OwnTenantOut:
    """A tenant as its own admins see it."""
    shown = tenant_out(app, tenant).model_dump()
    return OwnTenantOut(**shown, entra_tenant_id=tenant.entra_tenant_id, app_roles=tenant.has_app_roles)


def tenant_listed(app: App, found: Overview) -> TenantListed:
    """A tenant as an item of the list."""
    counts = MailboxCounts(total=found.mailboxes, failing=found.failing)
    return TenantListed(**tenant_out(app, found.tenant).model_dump(), mailboxes=counts)


def person_out(person: Person) -> PersonOut:
    """A person as an answer."""
    return PersonOut.model_validate(
        {
            "id": person.id,
            "address": person.address,
            "name": person.name,
            "role": person.role,
            "account": person.oid or None,
            "by_role": person.by_role,
            "added": person.added,
            "last_here": person.used,
        }
    )


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
    who = {"key": caller.key_id, "signed_in_as": caller.name}
    return MeOut.model_validate({"tenant": caller.slug, "name": tenant.name, "role": caller.role, **who})
