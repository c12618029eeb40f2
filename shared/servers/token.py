"""Tokens of Entra ID, through MSAL: for an app by itself, and for a person who signed in.

One ``Tokens`` serves the process. A token in memory belongs to exactly one (cloud, tenant, client, credential):
whoever changes any of them gets another one. Nothing here writes to a log.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from shared.errors import ConsentNeeded, InboundError, LoginRefused, NotAllowed, ProtocolViolation, SecretExpired
from shared.servers import https
from shared.servers.cloud import Cloud as Cloud
from shared.servers.entra import refusal
from shared.servers.login_web import LoginWeb

MAX_APPS = 1000
"""Apps whose tokens are kept in memory; the one unused for longest goes first (it costs one request then)."""

_TENANT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_NO_TENANT = frozenset({"common", "organizations", "consumers"})
"""Authorities of everybody: an app has no token there, and an account of anybody would do."""

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)

CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class AppLogin:
    """An app and one way to prove that we are it: its secret; its certificate with private key (PEM); or a function
    that makes an assertion which Entra trusts, such as a managed identity's token (then there is no secret at all)."""

    tenant_id: str
    client_id: str
    secret: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    assertion: Callable[[], str] | None = field(default=None, repr=False)

    def credential(self) -> str | dict[str, Any]:
        """As MSAL wants it. Raises ``LoginRefused`` when there is none."""
        if self.assertion:
            return {"client_assertion": self.assertion}
        if self.certificate:
            return {"private_key": self.certificate, "public_certificate": self.certificate}
        if _GUID.fullmatch(self.secret.strip()):
            # Entra shows the id of a secret beside its value, and only the id for ever.
            raise LoginRefused(
                "This client secret looks like the Secret ID, not like its Value.",
                "Paste the text of the column Value from Entra > App registrations > the app > Certificates & secrets. "
                "It is shown only once: make a new secret if it is lost.",
                field="client_secret",
            )
        if self.secret:
            return self.secret
        raise LoginRefused(
            "The client secret is missing.",
            "Paste the secret's Value into the mailbox's settings.",
            field="client_secret",
        )

    def certificate_ends(self) -> datetime | None:
        """The last moment of the certificate; None without one, or when it cannot be read."""
        from cryptography import x509  # costs 50 ms: only where there is a certificate

        try:
            # The first one, as MSAL: others after it are those that vouch for it.
            return x509.load_pem_x509_certificate(self.certificate.encode()).not_valid_after_utc
        except ValueError:
            return None

    def fingerprint(self) -> str:
        """Tells credentials apart without holding them. Assertions change all the time and prove the same app."""
        proof = "assertion" if self.assertion else f"{self.secret}\n{self.certificate}"
        return hashlib.sha256(proof.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Token:
    """An access token. ``claims`` are decoded and **not verified**: for words only (``aud``, ``roles``, ``scp``,
    ``tid``), never to let somebody in."""

    value: str = field(repr=False)
    expires_on: datetime
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    """Who signed in. ``oid`` within ``tid`` names a person for ever; ``username`` is for reading only."""

    oid: str
    tid: str
    username: str


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, not verified; nothing for a token that is none (Graph's are opaque by contract)."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        return https.json_object(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))) or {}
    except ValueError:
        return {}


BAD_CODE = frozenset({54005, 70000, 70002, 70008, 50148, 501481})
"""AADSTS numbers of a code that was redeemed already, ran out, or came with another's PKCE verifier; other providers
say ``invalid_grant`` without a number (RFC 6749, 5.2)."""


class Tokens:
    """Gets tokens and keeps those of apps in memory. Every method raises ``SettingsError`` or ``ServerError``."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._web = LoginWeb()
        self._lock = threading.Lock()
        self._apps: OrderedDict[tuple[str, ...], _App] = OrderedDict()

    def discover(self, cloud: Cloud, tenant_id: str) -> dict[str, Any]:
        """The tenant's openid-configuration: whether there is such a tenant in this cloud."""
        url = f"{cloud.authority}/{_tenant(tenant_id)}/v2.0/.well-known/openid-configuration"
        return https.json_object(self._web.get(url).text) or {}

    # ── an app by itself ──────────────────────────────────────────────────────────────────────────────────────────

    def app_token(self, cloud: Cloud, login: AppLogin, scope: str, force: bool = False) -> Token:
        """A token for the app (client credentials). ``force``: not the one in memory, it was refused."""
        key = (cloud.authority, _tenant(login.tenant_id), login.client_id, login.fingerprint())
        app = self._app(key)
        try:
            with app.lock:
                result = app.acquire(lambda: self._client(cloud, login), scope, force)
                return self._token(result, login)
        except InboundError:
            # MSAL remembers a refusal for a minute; whoever mends the settings must not have to wait.
            with self._lock:
                self._apps.pop(key, None)
            raise

    def _app(self, key: tuple[str, ...]) -> _App:
        with self._lock:
            app = self._apps.setdefault(key, _App())
            self._apps.move_to_end(key)
            while len(self._apps) > MAX_APPS:
                self._apps.popitem(last=False)
            return app

    # ── a person who signed in ────────────────────────────────────────────────────────────────────────────────────

    def delegated_token(
        self, cloud: Cloud, login: AppLogin, cache: str, scopes: Sequence[str], force: bool = False
    ) -> tuple[Token, str | None]:
        """A token from a stored MSAL cache, and the cache's new text when it changed (refresh tokens rotate: it must
        be stored). Always ask for the same ``scopes``. Raises ``ConsentNeeded`` when a person must sign in again."""
        kept = _cache(cache)
        client = self._client(cloud, login, kept)
        accounts = client.get_accounts()
        result = None
        if accounts:
            result = _asked(
                lambda: client.acquire_token_silent_with_error(list(scopes), accounts[0], force_refresh=force)
            )
        if result is None:
            raise refusal({"error": "login_required"})
        token = self._token(result, login)
        return token, kept.serialize() if kept.has_state_changed else None

    def begin_sign_in(
        self, cloud: Cloud, login: AppLogin, redirect_uri: str, scopes: Sequence[str], login_hint: str = ""
    ) -> dict[str, Any]:
        """Begin an authorisation code flow with PKCE (S256), nonce and state: ``auth_uri`` is where the browser goes.

        The whole answer is kept on the server, once, for some minutes, tied to whoever began it.
        The code comes back by GET: our session cookie is SameSite=Lax, and a browser does not send it along with the
        cross-site POST of ``form_post``, so that the callback could not be tied to the person who began. A
        code in a URL is worth nothing without the PKCE verifier, which never leaves the server.
        """
        client = self._client(cloud, login)
        flow = client.initiate_auth_code_flow(
            list(scopes),
            redirect_uri=redirect_uri,
            login_hint=login_hint or None,
            prompt="select_account",
            response_mode="form_post",
        )
        # MSAL warns, by a warning that cannot be silenced for one thread alone, when it is asked for "query" itself.
        return {**flow, "auth_uri": with_query(flow["auth_uri"], response_mode="query")}

    def finish_sign_in(
        self, cloud: Cloud, login: AppLogin, flow: Mapping[str, Any], params: Mapping[str, str]
    ) -> tuple[Account, str]:
        """Redeem the code of a callback: who signed in, and the cache to store. Raises ``NotAllowed`` for a callback
        that does not belong to ``flow`` or that another issuer made."""
        issuer = str(self.discover(cloud, login.tenant_id).get("issuer", ""))
        if params.get("iss", issuer) != issuer:  # RFC 9207: another issuer's code must not reach this one's client
            raise _forged()
        kept = _cache("")
        client = self._client(cloud, login, kept)
        try:
            result = client.acquire_token_by_auth_code_flow(dict(flow), dict(params))
        except (ValueError, RuntimeError):  # state or nonce of something else
            raise _forged() from None
        if result.get("error") == "invalid_grant" and set(result.get("error_codes") or ()) <= BAD_CODE:
            raise ConsentNeeded(
                "Microsoft did not accept this sign-in: it took too long, was used already, or belongs to another one.",
                "Begin anew: sign in with Microsoft once more.",
            )
        self._token(result, login)
        claims = result.get("id_token_claims") or {}
        self._check_person(claims, issuer, login)
        account = Account(str(claims["oid"]), str(claims["tid"]), str(claims.get("preferred_username", "")))
        return account, kept.serialize()

    def _check_person(self, claims: Mapping[str, Any], issuer: str, login: AppLogin) -> None:
        """MSAL checks only the nonce since 1.38: issuer, audience, tenant and time are ours (OIDC Core 3.1.3.7)."""
        tid = str(claims.get("tid", ""))
        fresh = _number(claims.get("exp")) > (self._now() - CLOCK_SKEW).timestamp()
        if claims.get("aud") != login.client_id or not claims.get("oid") or not fresh:
            raise _forged()
        # A tenant may be configured by a domain of its: then the issuer holds its id.
        is_ours = tid.lower() == login.tenant_id.strip().lower() or tid.lower() in issuer.lower()
        if not tid or not issuer or claims.get("iss") != issuer or not is_ours:
            raise ConsentNeeded(
                "The account that signed in belongs to another tenant.",
                "Sign in with an account of the tenant whose Tenant ID is in the settings.",
            )

    # ── MSAL ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _client(self, cloud: Cloud, login: AppLogin, cache: Any = None) -> Any:
        authority = f"{cloud.authority}/{_tenant(login.tenant_id)}"
        self._refuse_ended(login)
        if not login.client_id.strip():
            raise LoginRefused(
                "The Client ID is missing.",
                "Copy the Application (client) ID from Entra > App registrations > the app.",
                field="client_id",
            )
        try:
            return quiet_msal().ConfidentialClientApplication(
                login.client_id.strip(),
                authority=authority,
                client_credential=login.credential(),
                http_client=self._web,
                instance_discovery=False,
                token_cache=cache,
            )
        except ValueError:
            if not login.certificate:
                raise _senseless() from None
            raise LoginRefused(
                "The certificate cannot be read.",
                "Give it as PEM text that holds both the certificate and its private key, without a password.",
                field="client_secret",
            ) from None

    def _token(self, result: Mapping[str, Any], login: AppLogin) -> Token:
        if "access_token" not in result:
            # Entra says of an ended certificate only that it does not like it.
            self._refuse_ended(login)
            raise refusal(result, login.client_id.strip())
        value = str(result["access_token"])
        lasts = timedelta(seconds=_number(result.get("expires_in")))
        return Token(value, self._now() + lasts, claims_of(value))

    def _refuse_ended(self, login: AppLogin) -> None:
        ends = login.certificate_ends() if login.certificate else None
        if ends is not None and ends <= self._now():
            raise SecretExpired(
                f"The certificate of the app ended on {ends:%Y-%m-%d}.",
                "Make a new one, upload it under Entra > App registrations > the app > Certificates & secrets, and "
                "paste it here with its private key.",
                field="client_secret",
            )


class _App:
    """One app with one credential: MSAL keeps its tokens in here."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._client: Any = None

    def acquire(self, make: Callable[[], Any], scope: str, force: bool) -> Mapping[str, Any]:
        self._client = client = self._client or make()
        if force:
            client.remove_tokens_for_client()
        result: Mapping[str, Any] = _asked(lambda: client.acquire_token_for_client([scope]))
        return result


def _asked(ask: Callable[[], Any]) -> Any:
    """What MSAL says; a ``ValueError`` of its is an answer that it cannot read."""
    try:
        return ask()
    except ValueError:
        raise _senseless() from None


def quiet_msal() -> Any:
    """The module ``msal``, imported late and kept from writing to any log."""
    import msal  # type: ignore[import-untyped]  # costs 150 ms of CPU: only where a token is needed

    # At DEBUG it writes codes, PKCE verifiers and cache entries down.
    logging.getLogger("msal").setLevel(logging.CRITICAL)
    return msal


def _senseless() -> ProtocolViolation:
    return ProtocolViolation("Microsoft's sign-in gave an answer that makes no sense.", "The next poll tries again.")


def _cache(text: str) -> Any:
    made = quiet_msal().SerializableTokenCache()
    try:
        made.deserialize(text or None)
    except ValueError:
        raise refusal({"error": "login_required"}) from None
    return made


def _tenant(text: str) -> str:
    """A tenant's GUID or domain, fit for a path. Raises ``LoginRefused``."""
    tenant = text.strip()
    if not _TENANT.fullmatch(tenant) or ".." in tenant or tenant.lower() in _NO_TENANT:
        raise LoginRefused(
            "The Tenant ID names no tenant of Microsoft 365.",
            "Copy the Directory (tenant) ID from Entra > Overview: 32 digits and letters in five groups.",
            field="tenant_id",
        )
    return tenant


def _forged() -> NotAllowed:
    return NotAllowed(
        "This sign-in was not begun here, or it was finished already.", "Begin it again from the mailbox's settings."
    )


def with_query(url: str, **values: str) -> str:
    """The address with these parameters set."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query, keep_blank_values=True)), **values}
    return urlunsplit(parts._replace(query=urlencode(query)))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
