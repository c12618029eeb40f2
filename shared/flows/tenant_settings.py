"""What a tenant decides about itself: how long raw mail is kept, and whose people may sign in with Entra ID."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from shared import log
from shared.config import GUID, MAX_RETENTION_DAYS
from shared.errors import Invalid, RowChanged
from shared.flows.tenants import changed
from shared.model.retention import BEGINNING, effective, is_shorter
from shared.ports import App, Tenant

PERSONAL = "9188040d-6c67-4b5b-b112-36a304b66dad"
"""Microsoft's tenant of all personal accounts (learn.microsoft.com/entra/identity-platform/id-token-claims-reference):
nobody's own, so nobody's to let in."""

MOST_COUNTED = 1000
"""One page of storage's answer: whether it is thousands or hundreds of thousands, it is many."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a tenant wants to be. ``retention_days``: None leaves it to the service, 0 is for ever. ``app_roles``:
    whether app roles of its Entra tenant let people in; they begin to by a proof only (``person.prove``)."""

    retention_days: int | None
    entra_tenant_id: str
    app_roles: bool


def configure(app: App, before: Tenant, wanted: Wanted, confirmed: str = "") -> Tenant:
    """Change them. Raises ``Invalid``, also where mail would be deleted and ``confirmed`` is not the number of days;
    ``Conflict`` when the tenant is not as it was read any more."""
    entra = wanted.entra_tenant_id.strip().lower()
    _check_entra(app, before, entra, wanted.app_roles)
    _check_days(app, before, wanted.retention_days, confirmed)
    app_roles_of = entra if wanted.app_roles else ""
    after = replace(before, retention_days=wanted.retention_days, entra_tenant_id=entra, app_roles_of=app_roles_of)
    if after == before:
        return before
    try:
        after = app.tenants.configure(before, after)
    except RowChanged:
        raise changed() from None
    _tell(app, before, after)
    return after


def days_kept(app: App, tenant: Tenant) -> int:
    """How long raw mail of a tenant is kept, in days; 0 for ever."""
    return effective(tenant.retention_days, app.retention_days)


@dataclass(frozen=True, slots=True)
class Loss:
    """What goes when mail is kept for so many ``days`` only: what is older than those, ``mails`` of it (counted up to
    ``MOST_COUNTED``)."""

    days: int
    mails: int

    @property
    def is_more(self) -> bool:
        """Whether counting ended before the mails did."""
        return self.mails >= MOST_COUNTED

    def __str__(self) -> str:
        some = f"{MOST_COUNTED} or more mails" if self.is_more else f"{self.mails} mails"
        return (
            f"In the coming night the raw mail (.eml) of what is older than {_in_days(self.days)} is deleted, and mail "
            f"of that age that is still held or failed is discarded: {'1 mail' if self.mails == 1 else some}. "
            "Incidents, notes and attachments stay. It cannot be taken back."
        )


def loss(app: App, tenant: Tenant, days: int | None) -> Loss | None:
    """What would be deleted if the tenant wanted this; None when that is nothing."""
    new, now = effective(days, app.retention_days), days_kept(app, tenant)
    if not is_shorter(new, now):
        return None
    since = app.now() - timedelta(days=now) if now else BEGINNING
    before = app.now() - timedelta(days=new)
    mails = app.tenants.mails_kept(tenant.key, since, before, MOST_COUNTED)
    return Loss(new, mails) if mails else None


def _check_entra(app: App, before: Tenant, entra: str, app_roles: bool) -> None:
    if entra and (not GUID.fullmatch(entra) or entra == PERSONAL):
        words = "Copy the Directory (tenant) ID from Entra > Overview: 32 digits and letters in five groups."
        raise Invalid([("entra_tenant_id", words)])
    if app_roles and (not entra or before.app_roles_of != entra):
        words = "Prove first that this Entra tenant agrees: on the page Desk, by signing in with Microsoft there."
        raise Invalid([("app_roles", words)])


def _check_days(app: App, before: Tenant, days: int | None, confirmed: str) -> None:
    if days == before.retention_days:
        return
    most = app.retention_days or MAX_RETENTION_DAYS
    if days is not None and not (0 if app.retention_days == 0 else 1) <= days <= most:
        unlimited = "; 0 keeps mail for ever" if app.retention_days == 0 else ", which is the most this service keeps"
        raise Invalid([("retention_days", f"Use a whole number of days up to {most}{unlimited}.")])
    lost = loss(app, before, days)
    if lost is not None and confirmed != str(lost.days):
        raise Invalid([("confirm", f"{lost} Confirm with the number of days, {lost.days}.")])


def _tell(app: App, before: Tenant, after: Tenant) -> None:
    if after.retention_days != before.retention_days:
        log.event("retention_changed", tenant=after.key, days=days_kept(app, after))
    if after.entra_tenant_id != before.entra_tenant_id:
        log.event("sign_in_mapping_changed", tenant=after.key, state="entra_tenant" if after.entra_tenant_id else "off")
    if after.has_app_roles != before.has_app_roles:
        state = "app_roles" if after.has_app_roles else "no_app_roles"
        log.event("sign_in_mapping_changed", tenant=after.key, state=state)


def _in_days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"
