"""Entra ID: tenants, apps, people; discovery, authorize and token endpoints."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import jwt

from tests.support.microsoft.wire import Reply, Request, as_json, entra_error

GRAPH = "https://graph.microsoft.com"
OUTLOOK = "https://outlook.office365.com"
TOKEN_MINUTES = 60
EVERYBODY = "organizations"
"""The authority of all work accounts: whoever signs in there comes from a tenant of their own."""

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)


@dataclass
class App:
    """An app registration, as one tenant sees it."""

    client_id: str
    secrets: dict[str, datetime] = field(default_factory=dict)
    certificate: Any = None
    assertions: set[str] = field(default_factory=set)
    roles: set[str] = field(default_factory=set)
    added: bool = True
    redirect_uris: set[str] = field(default_factory=set)
    delegated: set[str] = field(default_factory=set)
    only: set[str] | None = None
    """Mailboxes that an application access policy limits it to."""
    assigned: set[str] = field(default_factory=set)
    """Mailboxes that RBAC for Applications opens to it; nothing of it is in a token."""
    object_id: str = field(default_factory=lambda: f"{secrets.token_hex(4)}-4444-4444-8444-{secrets.token_hex(6)}")
    """Of its enterprise application, in this tenant."""
    owns_itself: bool = False


@dataclass
class Person:
    """An account. ``roles``: app roles of an app that has them; ``idp``: who vouches for a guest."""

    username: str
    oid: str
    name: str = ""
    roles: list[str] = field(default_factory=list)
    idp: str = ""


@dataclass
class Tenant:
    """A directory."""

    id: str
    domain: str
    apps: dict[str, App] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)


@dataclass
class Issued:
    """An access token that is out there."""

    tenant: str
    client_id: str
    audience: str
    expires: datetime
    person: Person | None
    granted: set[str]


@dataclass
class _Grant:
    tenant: str
    client_id: str
    person: Person
    scopes: list[str]
    redirect_uri: str = ""
    challenge: str = ""
    nonce: str = ""


class Entra:
    """The sign-in service. ``signs_in``: whoever sits at the browser, None cancels."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.tenants: dict[str, Tenant] = {}
        self.base = ""
        self.signs_in: str | None = None
        self.one_use_refresh_tokens = False
        self.tokens: dict[str, Issued] = {}
        self.violations: list[str] = []
        self._now = now
        self._key = secrets.token_bytes(32)
        self._codes: dict[str, _Grant] = {}
        self._refresh: dict[str, _Grant] = {}

    def add_tenant(self, domain: str) -> Tenant:
        tenant = Tenant(f"{secrets.token_hex(4)}-1111-4111-8111-{secrets.token_hex(6)}", domain)
        self.tenants[tenant.id] = self.tenants[domain] = tenant
        return tenant

    def add_app(self, tenant: Tenant, secret: str, *roles: str) -> App:
        app = App(f"{secrets.token_hex(4)}-2222-4222-8222-{secrets.token_hex(6)}", roles=set(roles))
        app.secrets[secret] = self._now() + timedelta(days=180)
        tenant.apps[app.client_id] = app
        return app

    def add_app_for_everybody(self, secret: str, redirect_uri: str) -> App:
        """A registration for accounts of any organisation, as the page's own sign-in has one."""
        everybody = self.tenants.setdefault(EVERYBODY, Tenant(EVERYBODY, ""))
        app = self.add_app(everybody, secret)
        app.redirect_uris.add(redirect_uri)
        return app

    def add_person(self, tenant: Tenant, username: str) -> Person:
        person = Person(username, f"{secrets.token_hex(4)}-3333-4333-8333-{secrets.token_hex(6)}")
        tenant.people[username.lower()] = person
        return person

    def revoke_tokens(self) -> None:
        """All access tokens die at once (continuous access evaluation, or a key of Microsoft's is rolled)."""
        self.tokens.clear()

    def revoke_sign_ins(self) -> None:
        """All refresh tokens die: passwords changed."""
        self._refresh.clear()

    def handle(self, request: Request, kind: str) -> Reply:
        name = request.parts[0]
        if kind == "instance discovery":
            self.violations.append("instance discovery, although the authority is configured")
            return as_json({"error": "invalid_instance"}, 400)
        tenant = self.tenants.get(name)
        if tenant is None:
            return self._no_tenant(name, kind)
        routes = {"discovery": self._discovery, "authorize": self._authorize, "token": self._token}
        return routes[kind](request, tenant)

    # ── discovery ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _no_tenant(self, name: str, kind: str) -> Reply:
        if not _GUID.fullmatch(name) and "." not in name:
            return entra_error(400, "invalid_request", 900023, f"Specified tenant identifier '{name}' is neither …")
        error = "invalid_tenant" if kind == "discovery" else "invalid_request"
        return entra_error(400, error, 90002, f"Tenant '{name}' not found.")

    def _discovery(self, request: Request, tenant: Tenant) -> Reply:
        root = f"{self.base}/{tenant.id}"
        issuer = f"{self.base}/{{tenantid}}/v2.0" if tenant.id == EVERYBODY else self._issuer(tenant)
        return as_json(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{root}/discovery/v2.0/keys",
                "response_modes_supported": ["query", "fragment", "form_post"],
            }
        )

    def _issuer(self, tenant: Tenant) -> str:
        return f"{self.base}/{tenant.id}/v2.0"

    # ── the browser ───────────────────────────────────────────────────────────────────────────────────────────────

    def _authorize(self, request: Request, tenant: Tenant) -> Reply:
        query = request.query
        app = tenant.apps.get(query.get("client_id", ""))
        if app is None:
            return Reply(400, b"AADSTS700016: no such app", {"Content-Type": "text/html"})
        if query.get("redirect_uri") not in app.redirect_uris:
            return Reply(400, b"AADSTS50011: redirect URI mismatch", {"Content-Type": "text/html"})
        for name, wanted in (("response_type", "code"), ("code_challenge_method", "S256"), ("response_mode", "query")):
            if query.get(name) != wanted:
                self.violations.append(f"authorize with {name}={query.get(name)}")
        for name in ("state", "nonce", "code_challenge"):
            if len(query.get(name, "")) < 16:
                self.violations.append(f"authorize with a short {name}")
        return self._back(query, self._sign_in(query, tenant, app))

    def _sign_in(self, query: dict[str, str], tenant: Tenant, app: App) -> dict[str, str]:
        if self.signs_in is None:
            text = "AADSTS65004: User declined to consent to access the app."
            return {"error": "access_denied", "error_subcode": "cancel", "error_description": text}
        tenant = self._home(self.signs_in.lower()) if tenant.id == EVERYBODY else tenant
        person = tenant.people[self.signs_in.lower()]
        scopes = query["scope"].split()
        code = secrets.token_urlsafe(32)
        grant = _Grant(tenant.id, app.client_id, person, scopes, query["redirect_uri"])
        grant.challenge, grant.nonce = query.get("code_challenge", ""), query.get("nonce", "")
        self._codes[code] = grant
        app.delegated |= {_permission(scope) for scope in scopes}
        return {"code": code, "session_state": secrets.token_hex(8)}

    def _home(self, username: str) -> Tenant:
        return next(one for one in self.tenants.values() if username in one.people)

    def _back(self, query: dict[str, str], answer: dict[str, str]) -> Reply:
        url = f"{query['redirect_uri']}?{urlencode({**answer, 'state': query.get('state', '')})}"
        return Reply(302, b"", {"Location": url})

    # ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _token(self, request: Request, tenant: Tenant) -> Reply:
        if request.headers.get("content-type", "").split(";")[0] != "application/x-www-form-urlencoded":
            return entra_error(400, "invalid_request", 900144, "The request body must be form encoded.")
        form = request.form
        app = tenant.apps.get(form.get("client_id", ""))
        if app is None:
            text = f"Application with identifier '{form.get('client_id')}' was not found in the directory."
            return entra_error(400, "unauthorized_client", 700016, text)
        if refused := self._check_client(form, app, tenant):
            return refused
        grants = {
            "client_credentials": self._client_credentials,
            "authorization_code": self._redeem_code,
            "refresh_token": self._redeem_refresh,
        }
        grant = grants.get(form.get("grant_type", ""))
        return grant(form, tenant, app) if grant else entra_error(400, "unsupported_grant_type", 70003, "No.")

    def _check_client(self, form: dict[str, str], app: App, tenant: Tenant) -> Reply | None:
        if assertion := form.get("client_assertion"):
            return self._check_assertion(assertion, app, tenant)
        secret = form.get("client_secret", "")
        ends = app.secrets.get(secret)
        if ends is None:
            text = f"Invalid client secret provided. Ensure the secret being sent ({secret}) is the secret value."
            return entra_error(401, "invalid_client", 7000215, text)
        if ends <= self._now():
            return entra_error(401, "invalid_client", 7000222, "The provided client secret keys are expired.")
        if not app.added:
            return entra_error(401, "invalid_client", 7000229, "The client application is missing service principal.")
        return None

    def _check_assertion(self, assertion: str, app: App, tenant: Tenant) -> Reply | None:
        if assertion in app.assertions:
            return None
        try:
            jwt.decode(
                assertion,
                app.certificate,
                algorithms=["PS256", "RS256"],
                audience=f"{self.base}/{tenant.id}/oauth2/v2.0/token",
                issuer=app.client_id,
            )
        except (jwt.PyJWTError, TypeError, ValueError):
            return entra_error(401, "invalid_client", 700027, "Client assertion failed signature validation.")
        return None

    def _client_credentials(self, form: dict[str, str], tenant: Tenant, app: App) -> Reply:
        audience = form.get("scope", "").removesuffix("/.default")
        if audience not in (GRAPH, OUTLOOK) or form.get("scope") == audience:
            return entra_error(
                400, "invalid_scope", 1002012, f"The provided value for scope {form.get('scope')} is not …"
            )
        claims: dict[str, Any] = {"idtyp": "app", "oid": app.object_id, "sub": app.object_id}
        if app.roles:
            claims["roles"] = sorted(app.roles)
        token = self._issue(tenant, app, audience, None, app.roles, claims)
        return as_json({"token_type": "Bearer", "expires_in": TOKEN_MINUTES * 60 - 1, "access_token": token})

    def _issue(
        self, tenant: Tenant, app: App, audience: str, person: Person | None, granted: set[str], more: dict[str, Any]
    ) -> str:
        expires = self._now() + timedelta(minutes=TOKEN_MINUTES)
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant.id}/",
            "tid": tenant.id,
            "appid": app.client_id,
            "exp": int(expires.timestamp()),
            "uti": secrets.token_hex(8),
            **more,
        }
        token = jwt.encode(claims, self._key, algorithm="HS256")
        self.tokens[token] = Issued(tenant.id, app.client_id, audience, expires, person, set(granted))
        return token

    def _redeem_code(self, form: dict[str, str], tenant: Tenant, app: App) -> Reply:
        grant = self._codes.pop(form.get("code", ""), None)
        if grant is None:
            return entra_error(400, "invalid_grant", 54005, "OAuth2 Authorization code was already redeemed.")
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() != grant.challenge:
            return entra_error(400, "invalid_grant", 501481, "The Code_Verifier does not match.")
        if form.get("redirect_uri") != grant.redirect_uri:
            return entra_error(400, "invalid_grant", 500112, "The reply address does not match.")
        if grant.client_id != app.client_id or tenant.id not in (grant.tenant, EVERYBODY):
            return entra_error(400, "invalid_grant", 700005, "Provided Authorization Code is for another tenant.")
        return self._delegated(grant, grant.scopes, tenant, app, form)

    def _redeem_refresh(self, form: dict[str, str], tenant: Tenant, app: App) -> Reply:
        token = form.get("refresh_token", "")
        grant = self._refresh.get(token)
        if grant is None or (grant.tenant, grant.client_id) != (tenant.id, app.client_id):
            text = "The provided grant has expired due to it being revoked, a fresh auth token is needed."
            return entra_error(400, "invalid_grant", 50173, text, "bad_token")
        if self.one_use_refresh_tokens:
            del self._refresh[token]
        return self._delegated(grant, form.get("scope", "").split(), tenant, app, form)

    def _delegated(self, grant: _Grant, scopes: list[str], tenant: Tenant, app: App, form: dict[str, str]) -> Reply:
        wanted = {_permission(scope) for scope in scopes}
        if missing := wanted - app.delegated:
            text = f"The user or administrator has not consented to use the application for {sorted(missing)}."
            return entra_error(400, "invalid_grant", 65001, text, "consent_required")
        audiences = {scope.rpartition("/")[0] for scope in scopes if "://" in scope}
        if not audiences:
            audiences = {GRAPH}  # who signs in and wants nothing else may ask Graph who they are
        if len(audiences) != 1:
            return entra_error(400, "invalid_request", 28000, "Scopes of more than one resource.")
        audience = audiences.pop()
        granted = {_permission(scope) for scope in scopes if "://" in scope}
        person = grant.person
        claims = {"scp": " ".join(sorted(granted)), "oid": person.oid, "upn": person.username}
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": " ".join(scopes),
            "expires_in": TOKEN_MINUTES * 60 - 1,
            "access_token": self._issue(tenant, app, audience, person, granted, claims),
        }
        if "offline_access" in scopes:
            refresh = f"1.{secrets.token_urlsafe(40)}"
            self._refresh[refresh] = grant
            answer["refresh_token"] = refresh
        if "openid" in scopes:
            answer["id_token"] = self._id_token(grant, self.tenants[grant.tenant], app)
        if form.get("client_info") == "1":
            info = json.dumps({"uid": person.oid, "utid": tenant.id}).encode()
            answer["client_info"] = base64.urlsafe_b64encode(info).rstrip(b"=").decode()
        return as_json(answer)

    def _id_token(self, grant: _Grant, tenant: Tenant, app: App) -> str:
        now = datetime.now(UTC)
        claims = {
            "aud": app.client_id,
            "iss": self._issuer(tenant),
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(hours=1)).timestamp()),
            "oid": grant.person.oid,
            "sub": secrets.token_hex(8),
            "tid": tenant.id,
            "preferred_username": grant.person.username,
            "nonce": grant.nonce,
        }
        person = grant.person
        more = {"name": person.name, "roles": person.roles, "idp": person.idp}
        claims |= {name: value for name, value in more.items() if value}
        return jwt.encode(claims, self._key, algorithm="HS256")


def _permission(scope: str) -> str:
    return scope.rpartition("/")[2]
