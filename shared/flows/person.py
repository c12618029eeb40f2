"""Who of a desk signs in with Entra ID, and in which role: the list of people, and app roles.

An account is known by ``oid`` within ``tid``; addresses may be given to somebody else. A listed person is found by
address once, and is that account from then on.

Any desk may name any Entra tenant, and gains nothing by it: the people of that tenant get in where they are listed, one
by one, and only after they saw which desk it is and agreed (``Door.is_new``). Whole groups get in by app roles, and
these count only when somebody who holds ``ADMIN_ROLE`` in that Entra tenant has said so on that desk's page
(``prove``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from shared import log
from shared.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn, RowChanged
from shared.flows.tenants import DISABLED, ROLES, TENANT_SLUG, Caller, changed, get
from shared.ports import App, Identity, Person, Tenant

PERSON_ID = re.compile(r"[0-9a-f]{24}")
"""Twice as long as the id of an API key, so that neither is taken for the other."""

ADMIN_ROLE, AGENT_ROLE = "Inbound.Admin", "Inbound.Agent"
"""Values of the app roles that the cloud admin's app registration has (infra/README.md, section 3)."""

MAX_PEOPLE = 500
"""Listed people of a desk. More are a company, and app roles are made for that."""

ADDRESS = r"[A-Za-z0-9'._!#^~+&-]{1,64}@[A-Za-z0-9.-]{1,255}"
"""A user principal name: letters and digits of ASCII, so that none looks like another
(learn.microsoft.com/entra/identity/hybrid/connect/plan-connect-userprincipalname)."""

OUT = "You have no access to this desk any more."
NO_SUCH_PERSON = "There is no such person on the list."


@dataclass(frozen=True, slots=True)
class Door:
    """A desk that an account may enter. ``is_new``: it was never there."""

    tenant: Tenant
    role: str
    is_new: bool


# ── the list ──────────────────────────────────────────────────────────────────────────────────────────────────────


def people(app: App, slug: str) -> tuple[Person, ...]:
    """Everybody who is listed or was let in by an app role, in order of addresses. Raises ``NotFound``."""
    return app.people.all(get(app, slug).key)


def add(app: App, slug: str, address: str, role: str) -> Person:
    """List somebody. Raises ``Invalid``, ``Conflict``, ``NotFound``."""
    tenant = get(app, slug)
    if role not in ROLES:
        raise Invalid([("role", f"Use one of: {', '.join(ROLES)}.")])
    address = address.strip().lower()
    if not re.fullmatch(ADDRESS, address):
        raise Invalid([("address", "Give the address that this person signs in to Microsoft 365 with.")])
    if not tenant.entra_tenant_id:
        raise Conflict("This desk lets nobody in with Entra ID yet.", "Save the Entra tenant ID first.")
    if app.people.listed(tenant.key, address):
        raise Conflict("This person is listed already.", "Remove the entry first to change it.")
    if sum(not one.by_role for one in app.people.all(tenant.key)) >= MAX_PEOPLE:
        raise Conflict(f"There are {MAX_PEOPLE} people on the list.", "Use app roles for more.")
    person = Person(app.random(12).hex(), address, "", role, app.now())
    try:
        app.people.add(tenant.key, person)
    except RowChanged:
        raise changed() from None
    log.event("sign_in_mapping_changed", tenant=tenant.key, state="person_added", role=role)
    return person


def remove(app: App, slug: str, id: str) -> None:
    """Take somebody off the list and end every session of theirs, at once. Raises ``NotFound``, ``Conflict``."""
    tenant = get(app, slug)
    person = app.people.get(tenant.key, id) if PERSON_ID.fullmatch(id) else None
    if person is None:
        raise NotFound(NO_SUCH_PERSON)
    try:
        app.people.remove(tenant.key, person)
    except RowChanged:
        raise changed() from None
    log.event("sign_in_mapping_changed", tenant=tenant.key, state="person_removed", role=person.role)


def prove(app: App, tenant: Tenant, who: Identity) -> Tenant:
    """From now on app roles of the desk's Entra tenant count: this account of it, with its admin role, says so. Raises
    ``NotAllowed``, ``Conflict``."""
    if not tenant.entra_tenant_id or who.tid != tenant.entra_tenant_id:
        raise NotAllowed(
            "This account belongs to another Entra tenant than the one in the settings.",
            "Sign in with an account of that tenant, or correct the Entra tenant ID.",
        )
    if ADMIN_ROLE not in who.roles:
        raise NotAllowed(
            f"This account does not hold the app role {ADMIN_ROLE}.",
            "An administrator opens Entra > Enterprise applications > Inbound > Users and groups and assigns it. Then "
            "try again.",
        )
    if tenant.has_app_roles:
        return tenant
    try:
        after = app.tenants.configure(tenant, replace(tenant, app_roles_of=who.tid))
    except RowChanged:
        raise changed() from None
    log.event("sign_in_mapping_changed", tenant=tenant.key, state="app_roles")
    return after


# ── who gets in ───────────────────────────────────────────────────────────────────────────────────────────────────


def doors(app: App, who: Identity) -> tuple[Door, ...]:
    """The desks that this account may enter. Raises ``NotAllowed`` when there is none, and says why."""
    found: list[Door] = []
    why: NotAllowed | None = None
    for tenant in app.tenants.of_entra(who.tid):
        try:
            person = _recognise(app, tenant, who)
        except NotAllowed as error:
            why = error
            continue
        if person is not None and tenant.disabled:
            why = NotAllowed(*DISABLED)
        elif person is not None:
            # An entry without an account, or none yet: who is new sees which desk it is before it hears of them.
            found.append(Door(tenant, person.role, not person.oid or not person.version))
    if not found:
        raise why or _nobody(who)
    return tuple(found)


def enter(app: App, who: Identity, slug: str) -> tuple[Caller, Person]:
    """Go into one of these desks: the caller from now on. Raises ``NotAllowed``, ``Conflict``."""
    tenant = app.tenants.get(slug) if TENANT_SLUG.fullmatch(slug) else None
    if tenant is None or not tenant.entra_tenant_id or tenant.entra_tenant_id != who.tid:
        raise NotAllowed(OUT, "Sign in again.")
    for _ in range(3):
        person = _recognise(app, tenant, who)
        if person is None:
            raise _nobody(who)
        if tenant.disabled:
            raise NotAllowed(*DISABLED)
        try:
            person = _settle(app, tenant, who, person)
        except RowChanged:
            continue  # signed in twice at the same moment, or an admin changed the list
        return _caller(tenant, person), person
    raise changed()


def still_valid(app: App, slug: str, id: str) -> Caller:
    """The caller behind a session that this person began. Raises ``NotSignedIn`` when they may not come in any more,
    ``NotAllowed`` when the desk is disabled."""
    tenant = app.tenants.get(slug) if TENANT_SLUG.fullmatch(slug) and PERSON_ID.fullmatch(id) else None
    person = app.people.get(tenant.key, id) if tenant else None
    if app.entra is None or tenant is None or person is None or not person.oid or person.tid != tenant.entra_tenant_id:
        raise NotSignedIn(OUT, "Ask an admin of your desk, or sign in with an API key.")
    if person.by_role and not tenant.has_app_roles:
        raise NotSignedIn(OUT, "Ask an admin of your desk, or sign in with an API key.")
    return _caller(tenant, person)


def _recognise(app: App, tenant: Tenant, who: Identity) -> Person | None:
    """Who of the desk this account is: somebody who was here, a listed person who was not, or a new one with an app
    role (not stored yet: no ``version``); None for nobody. Raises ``NotAllowed`` where the list means another."""
    known = app.people.known(tenant.key, who.tid, who.oid)
    if known is not None and not known.by_role:
        return known
    listed = app.people.listed(tenant.key, who.address) if who.address else None
    if listed is not None and not listed.oid and not who.is_guest:
        return listed
    if role := _app_role(tenant, who):
        new = Person(app.random(12).hex(), who.address, who.name, role, app.now(), who.tid, who.oid, by_role=True)
        return known or new
    if listed is not None and listed.oid:
        raise NotAllowed(
            f"{who.address} is listed, but for another account that had this address before.",
            "An admin of the desk removes the entry on the page Desk and lists the address again, if it is you who is "
            "meant.",
        )
    if listed is not None:
        raise NotAllowed(
            f"{who.address} is listed, and you are a guest there: a guest's address proves nothing.",
            "Sign in with an account of the organisation itself, or have an app role assigned.",
        )
    return None


def _nobody(who: Identity) -> NotAllowed:
    return NotAllowed(
        f"Nobody has given {who.address or 'this account'} access to a desk.",
        "Ask an admin of your desk to list you, or sign in with an API key.",
    )


def _app_role(tenant: Tenant, who: Identity) -> str:
    if not tenant.has_app_roles:
        return ""
    return "admin" if ADMIN_ROLE in who.roles else "agent" if AGENT_ROLE in who.roles else ""


def _settle(app: App, tenant: Tenant, who: Identity, person: Person) -> Person:
    """The person as stored from now on. Raises ``RowChanged``."""
    if not person.version:
        app.people.add(tenant.key, person)
        return person
    name = who.name or who.address
    if not person.oid:
        bound = replace(person, tid=who.tid, oid=who.oid, name=name)
        app.people.bind(tenant.key, bound, app.people.known(tenant.key, who.tid, who.oid))
        return bound
    role = _app_role(tenant, who) if person.by_role else person.role
    address = who.address if person.by_role else person.address
    now = replace(person, name=name, role=role, address=address)
    if now != person:
        app.people.put(tenant.key, now)
    return now


def _caller(tenant: Tenant, person: Person) -> Caller:
    if tenant.disabled:
        raise NotAllowed(*DISABLED)
    return Caller(tenant.key, tenant.slug, person.role, person.id, person.name or person.address, is_person=True)
