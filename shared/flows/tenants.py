"""Tenants and their API keys: made, recognised at every request, revoked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from shared import log
from shared.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn, RowChanged
from shared.flows import mailboxes
from shared.ports import ApiKey, App, Tenant

TENANT_SLUG = re.compile(r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")
"""Slugs appear in function names, row keys and API keys: the letters that all of these allow."""

KEY_ID = re.compile(r"[0-9a-f]{12}")

ROLES = ("admin", "agent")

SECRET_BYTES = 32
"""256 bits from the system's random source: a plain SHA-256 is enough to store it, there is nothing to guess."""

MAX_NAME_CHARS = 100
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Control characters, what ends a line or turns text around, and what is no character: names are shown in lists."""

MAX_KEYS = 200
"""Of a tenant: a key for each person and program of a large desk. More are a script that runs wild."""

NOT_VALID = "This API key is not valid. Check that all of it was copied, or ask for a new one."
DISABLED = ("This desk has been disabled.", "Ask the operator of this service.")
NO_SUCH_KEY = "There is no such key. It may have been revoked already."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling: ``tenant`` is the tenant key that everything is read and written under.

    ``key_id``: the API key, or the person who signed in with Entra ID (``is_person``). ``name``: of either.
    """

    tenant: str
    slug: str
    role: str
    key_id: str
    name: str = ""
    is_person: bool = False


@dataclass(frozen=True, slots=True)
class Overview:
    """A tenant with how many mailboxes it has, and how many of them fail or wait for somebody to act."""

    tenant: Tenant
    mailboxes: int
    failing: int


# ── tenants ───────────────────────────────────────────────────────────────────────────────────────────────────────


def put(app: App, slug: str, name: str) -> tuple[Tenant, bool]:
    """Create or rename a tenant; whether it is new. Raises ``Invalid``, ``Conflict``."""
    if not TENANT_SLUG.fullmatch(slug):
        raise Invalid([("tenant", "Use 1 to 40 small letters, digits and hyphens, beginning with a letter.")])
    name = _name(name)
    try:
        tenant, created = app.tenants.put(slug, name, app.random(4).hex(), app.now())
    except RowChanged:
        raise changed() from None
    log.event("tenant_changed", tenant=tenant.key, state="made" if created else "named")
    return tenant, created


def get(app: App, slug: str) -> Tenant:
    """Raises ``NotFound``."""
    tenant = app.tenants.get(slug) if TENANT_SLUG.fullmatch(slug) else None
    if tenant is None:
        raise NotFound("There is no tenant of this name.")
    return tenant


def after(app: App, slug: str) -> Iterator[Tenant]:
    """The tenants behind this slug in their order; all of them for an empty one."""
    return (tenant for tenant in app.tenants.all() if tenant.slug > slug)


def overview(app: App, tenant: Tenant) -> Overview:
    """How a tenant does."""
    found = app.mailboxes.all(tenant.key)
    slots = app.schedule.of(tenant.key, {one.id for one in found if one.settings.enabled})
    return Overview(tenant, len(found), sum(1 for slot in slots.values() if slot.paused or slot.failures))


def switch(app: App, slug: str, disabled: bool) -> Tenant:
    """Disable a tenant, or enable it again. Raises ``NotFound``, ``Conflict``.

    A disabled one is locked out at once, its sessions too, and its mailboxes are polled no more. Answers that are on
    their way still leave. It may be repeated.
    """
    tenant = get(app, slug)
    if tenant.disabled != disabled:
        try:
            app.tenants.switch(slug, disabled)
        except RowChanged:
            raise changed() from None
        log.event("tenant_changed", tenant=tenant.key, state="disabled" if disabled else "enabled")
    if disabled:
        for mailbox in app.mailboxes.all(tenant.key):
            _stop(app, tenant.key, mailbox.id)
    else:
        mailboxes.heal_schedule(app, tenant.key)
    return replace(tenant, disabled=disabled)


def delete(app: App, slug: str, confirmed: str) -> None:
    """Delete a tenant for good: its credentials, mailboxes and stored passwords. Raises ``NotFound``, ``Invalid``,
    ``Conflict``.

    Its incidents and raw mail are out of reach at once, and the upkeep erases them (``flows.erase``): a tenant that is
    made under the same name is another one. Cut off, it is disabled, and can be repeated.
    """
    tenant = get(app, slug)
    if confirmed != slug:
        raise Invalid([("confirm", f"Type the tenant's name, {slug}, to confirm.")])
    switch(app, slug, True)
    for mailbox in app.mailboxes.all(tenant.key):
        mailboxes.remove(app, tenant.key, mailbox.id)
    app.secrets.destroy(tenant.key)
    try:
        app.tenants.remove(tenant, app.now())
    except RowChanged:
        raise changed() from None
    log.event("tenant_changed", tenant=tenant.key, state="deleted")


def _stop(app: App, tenant: str, mailbox: str) -> None:
    for _ in range(5):
        slot = app.schedule.get(tenant, mailbox)
        if slot is None or not slot.enabled:
            return
        try:
            app.schedule.put(replace(slot, enabled=False))
        except RowChanged:
            continue  # a poll claimed or ended meanwhile
        return
    raise Conflict("A mailbox is busy.", "Try again in a moment.")


# ── keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def make_key(app: App, slug: str, role: str, name: str, once: str = "") -> tuple[ApiKey, str]:
    """A new API key and its text, which is shown once and not stored. Raises ``NotFound``, ``Invalid``, ``Conflict``.

    ``once``: who asks, and the Idempotency-Key. Asked again with the same, it is the same key: its id and secret are
    made of it, so that nothing has to be kept to show it again.
    """
    tenant = get(app, slug)
    if role not in ROLES:
        raise Invalid([("role", f"Use one of: {', '.join(ROLES)}.")])
    name = _name(name, ", such as the person or program that uses it")
    id, secret = _made_of(app, tenant, once) if once else (app.random(6), app.random(SECRET_BYTES))
    text = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    key = ApiKey(id.hex(), role, name, _digest(text), app.now())
    if once and (made := app.tenants.key(tenant.key, key.id)) is not None:
        key = _same(made, key)
    else:
        key = _add(app, tenant, key, bool(once))
        log.event("key_made", tenant=tenant.key, credential=key.id, role=key.role)
    return key, f"inb_{slug}_{key.id}_{text}"


def key_id_of(app: App, slug: str, once: str) -> str:
    """The id that ``make_key`` gives, or gave, to the key of this wish. Raises ``NotFound``."""
    return _made_of(app, get(app, slug), once)[0].hex()


def keys(app: App, slug: str) -> tuple[ApiKey, ...]:
    """All keys of a tenant, the oldest first. Raises ``NotFound``."""
    return app.tenants.keys(get(app, slug).key)


def revoke(app: App, slug: str, id: str, force: bool = False) -> None:
    """End a key, and every session that was begun with it, at once. Raises ``NotFound``, ``Conflict``.

    The last admin key of a tenant goes only with ``force``: without one, only the cloud admin can make another.
    """
    tenant = get(app, slug)
    for _ in range(5):
        found = app.tenants.keys(tenant.key)
        if (key := next((one for one in found if one.id == id), None)) is None:
            raise NotFound(NO_SUCH_KEY)
        others = [one.id for one in found if one.role == "admin" and one.id != id]
        if key.role == "admin" and not others and not force:
            raise Conflict(
                "This is the last admin key of this desk.",
                "Make another admin key first, or revoke it with force=true: then only the cloud admin can let you in.",
            )
        try:
            app.tenants.revoke(tenant.key, id, others[0] if key.role == "admin" and others and not force else "")
        except RowChanged:
            continue  # another key was revoked meanwhile
        log.event("key_revoked", tenant=tenant.key, credential=id, role=key.role)
        return
    raise changed()


def recognise(app: App, text: str) -> Caller:
    """The caller behind an API key. Raises ``NotSignedIn``, the same for every way of being wrong; ``NotAllowed`` when
    the tenant is disabled."""
    parts = text.split("_", 3)
    if len(parts) != 4 or parts[0] != "inb":
        raise NotSignedIn(NOT_VALID)
    tenant, key = _look_up(app, parts[1], parts[2])
    if not hmac.compare_digest(key.digest, _digest(parts[3])):
        raise NotSignedIn(NOT_VALID)
    return _caller(tenant, key)


def still_valid(app: App, slug: str, key_id: str) -> Caller:
    """The caller behind a session that was signed in with this key. Raises ``NotSignedIn`` when the key is gone;
    ``NotAllowed`` when the tenant is disabled."""
    return _caller(*_look_up(app, slug, key_id))


def _look_up(app: App, slug: str, key_id: str) -> tuple[Tenant, ApiKey]:
    if not TENANT_SLUG.fullmatch(slug) or not KEY_ID.fullmatch(key_id):
        raise NotSignedIn(NOT_VALID)
    tenant = app.tenants.get(slug)
    key = app.tenants.key(tenant.key, key_id) if tenant else None
    if tenant is None or key is None:
        raise NotSignedIn(NOT_VALID)
    return tenant, key


def _caller(tenant: Tenant, key: ApiKey) -> Caller:
    if tenant.disabled:
        raise NotAllowed(*DISABLED)
    return Caller(tenant.key, tenant.slug, key.role, key.id, key.name)


def _made_of(app: App, tenant: Tenant, once: str) -> tuple[bytes, bytes]:
    """Id and secret of a key, as good as random for everybody who does not know the app's own key."""
    ours = app.secrets.app_key("idempotency")
    id, secret = (hmac.digest(ours, f"{label}\n{tenant.key}\n{once}".encode(), "sha256") for label in ("id", "secret"))
    return id[:6], secret


def _same(made: ApiKey, asked: ApiKey) -> ApiKey:
    if (made.role, made.name) != (asked.role, asked.name):
        raise Conflict(
            "This Idempotency-Key was used for another key already.", "Send another Idempotency-Key with each new wish."
        )
    return made


def _add(app: App, tenant: Tenant, key: ApiKey, once: bool) -> ApiKey:
    if len(app.tenants.keys(tenant.key)) >= MAX_KEYS:
        raise Conflict(f"This desk has {MAX_KEYS} keys.", "Revoke those that nobody uses any more.")
    try:
        app.tenants.add_key(tenant.key, key, once)
    except RowChanged:
        made = app.tenants.key(tenant.key, key.id)
        if not once or made is None:
            raise Conflict(
                "The key that was made with this Idempotency-Key has been revoked.", "Send another Idempotency-Key."
            ) from None
        return _same(made, key)
    return key


def _name(name: str, whose: str = "") -> str:
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME_CHARS or _UNFIT.search(name):
        words = f"Give a name of 1 to {MAX_NAME_CHARS} characters{whose}, on one line and without control characters."
        raise Invalid([("name", words)])
    return name


def changed() -> Conflict:
    """What somebody is told who was not the only one."""
    return Conflict("Somebody else changed this tenant at the same moment.", "Try again.")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
