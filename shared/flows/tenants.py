"""Tenants and API keys: made by the cloud admin, recognised at every request."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from shared.errors import Conflict, Invalid, NotFound, NotSignedIn, RowChanged
from shared.ports import ApiKey, App, Tenant

TENANT_SLUG = re.compile(r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")
"""Slugs appear in function names, row keys and API keys: the letters that all of these allow."""

ROLES = ("admin", "agent")

SECRET_BYTES = 32
"""256 bits from the system's random source: a plain SHA-256 is enough to store it, there is nothing to guess."""

NOT_VALID = "This API key is not valid. Check that all of it was copied, or ask for a new one."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling: ``tenant`` is the tenant key that everything is read and written under."""

    tenant: str
    slug: str
    role: str
    key_id: str


def put(app: App, slug: str, name: str) -> tuple[Tenant, bool]:
    """Create or rename a tenant; whether it is new. Raises ``Invalid``, ``Conflict``."""
    if not TENANT_SLUG.fullmatch(slug):
        raise Invalid([("tenant", "Use 1 to 40 small letters, digits and hyphens, beginning with a letter.")])
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise Invalid([("name", "Give a name of 1 to 100 characters.")])
    try:
        return app.tenants.put(slug, name, app.random(4).hex(), app.now())
    except RowChanged:
        raise Conflict("Somebody else changed this tenant at the same moment. Try again.") from None


def get(app: App, slug: str) -> Tenant:
    """Raises ``NotFound``."""
    tenant = app.tenants.get(slug) if TENANT_SLUG.fullmatch(slug) else None
    if tenant is None:
        raise NotFound("There is no tenant of this name.")
    return tenant


def make_key(app: App, slug: str, role: str, name: str) -> tuple[ApiKey, str]:
    """A new API key and its text, which is shown once and not stored. Raises ``NotFound``, ``Invalid``."""
    tenant = get(app, slug)
    name = name.strip()
    if role not in ROLES:
        raise Invalid([("role", f"Use one of: {', '.join(ROLES)}.")])
    if not 1 <= len(name) <= 100:
        raise Invalid([("name", "Give a name of 1 to 100 characters, such as the person or program that uses it.")])
    secret = base64.urlsafe_b64encode(app.random(SECRET_BYTES)).rstrip(b"=").decode()
    key = ApiKey(app.random(6).hex(), role, name, _digest(secret), app.now())
    app.tenants.add_key(tenant.key, key)
    return key, f"inb_{slug}_{key.id}_{secret}"


def recognise(app: App, text: str) -> Caller:
    """The caller behind an API key. Raises ``NotSignedIn``, the same for every way of being wrong."""
    parts = text.split("_", 3)
    if len(parts) != 4 or parts[0] != "inb":
        raise NotSignedIn(NOT_VALID)
    caller, key = _look_up(app, parts[1], parts[2])
    if not hmac.compare_digest(key.digest, _digest(parts[3])):
        raise NotSignedIn(NOT_VALID)
    return caller


def still_valid(app: App, slug: str, key_id: str) -> Caller:
    """The caller behind a session that was signed in with this key. Raises ``NotSignedIn`` when the key is gone."""
    return _look_up(app, slug, key_id)[0]


def _look_up(app: App, slug: str, key_id: str) -> tuple[Caller, ApiKey]:
    if not TENANT_SLUG.fullmatch(slug) or not re.fullmatch(r"[0-9a-f]{12}", key_id):
        raise NotSignedIn(NOT_VALID)
    tenant = app.tenants.get(slug)
    key = app.tenants.key(tenant.key, key_id) if tenant else None
    if tenant is None or key is None:
        raise NotSignedIn(NOT_VALID)
    return Caller(tenant.key, slug, key.role, key.id), key


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
