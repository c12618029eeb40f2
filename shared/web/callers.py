"""Who is calling: an API key (Bearer), or the session cookie of somebody who signed in with one.

The tenant always comes from here, never from an address or a body.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPBearer
from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import NotAllowed, NotSignedIn
from shared.flows import tenants
from shared.flows.tenants import Caller
from shared.ports import App
from shared.web.edge import is_https

SESSION_SECONDS = 12 * 60 * 60
"""A working day: nobody signs in twice in one, and a forgotten browser is signed out the next morning."""

MAX_CREDENTIAL_CHARS = 1000
"""Keys are below 100 characters; longer ones are not worth hashing."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Sessions:
    """Signed cookies that name a key, never hold it; the key is looked up at each request."""

    def __init__(self, app: App) -> None:
        self._app = app

    def issue(self, caller: Caller) -> str:
        """A cookie's value for this caller, good for ``SESSION_SECONDS``."""
        return str(self._serializer.dumps([caller.slug, caller.key_id]))

    def caller(self, token: str) -> Caller:
        """Who the cookie belongs to; raises ``NotSignedIn`` when it is forged or old, or its key is gone."""
        try:
            slug, key_id = self._serializer.loads(token, max_age=SESSION_SECONDS)
        except (BadData, ValueError):
            raise NotSignedIn("Your session has ended.", "Sign in again.") from None
        return tenants.still_valid(self._app, str(slug), str(key_id))

    @cached_property
    def _serializer(self) -> URLSafeTimedSerializer:
        now = self._app.now

        class Signer(TimestampSigner):
            """By the app's clock."""

            def get_timestamp(self) -> int:
                return int(now().timestamp())

        return URLSafeTimedSerializer(
            self._app.secrets.app_key("session"),
            salt="session",
            signer=Signer,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


@dataclass(frozen=True, slots=True)
class House:
    """What the routes share."""

    app: App
    admin_key: str
    sessions: Sessions


def _house(request: Request) -> House:
    house = request.app.state.house
    assert isinstance(house, House)
    return house


def _app(request: Request) -> App:
    return _house(request).app


def caller(request: Request) -> Caller:
    """Who calls. Raises ``NotSignedIn``, and ``NotAllowed`` for a change that another site asked for."""
    house = _house(request)
    if (key := bearer(request)) is not None:
        return tenants.recognise(house.app, key)
    token = request.cookies.get(cookie_name(request), "")
    if not token or len(token) > MAX_CREDENTIAL_CHARS:
        raise NotSignedIn("You are not signed in.", "Sign in, or send the header Authorization: Bearer <API key>.")
    found = house.sessions.caller(token)
    if request.method not in SAFE_METHODS:
        refuse_other_sites(request)
    return found


def _admin(found: Annotated[Caller, Depends(caller)]) -> Caller:
    if found.role != "admin":
        raise NotAllowed("This needs an admin's key.", "Ask an admin of your desk.")
    return found


def _cloud_admin(request: Request) -> None:
    expected, given = _house(request).admin_key, bearer(request)
    # Compared as digests: of equal length, so that not even the length shows in the time it takes.
    if not expected or given is None or not hmac.compare_digest(_digest(given), _digest(expected)):
        raise NotSignedIn("This needs the cloud admin's key.", "It is the setting API_ADMIN_KEY of this service.")


def bearer(request: Request) -> str | None:
    """The key in ``Authorization: Bearer`` (RFC 6750); None when there is none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    key = key.strip()
    if not key or len(key) > MAX_CREDENTIAL_CHARS:
        raise NotSignedIn("This API key is not valid.", "Check that the whole key was copied.")
    return key


def refuse_other_sites(request: Request) -> None:
    """Raises ``NotAllowed`` when the request may come from another site's page (CSRF).

    Browsers say in Sec-Fetch-Site who asked; others (plain http, old ones) send Origin with a POST.
    """
    if (site := request.headers.get("sec-fetch-site")) is not None:
        ours = site in ("same-origin", "none")
    else:
        ours = request.headers.get("origin", "") == own_origin(request)
    if not ours:
        raise NotAllowed("This request did not come from Inbound's own pages.", "Reload the page and try again.")


def own_origin(request: Request) -> str:
    """Scheme and host as the browser sees them (RFC 6454)."""
    scheme = "https" if is_https(request.scope) else "http"
    return f"{scheme}://{request.headers.get('host', '')}"


def cookie_name(request: Request) -> str:
    """With https the name itself forbids that another host or plain http sets it (RFC 6265bis, 4.1.3.2)."""
    return "__Host-session" if is_https(request.scope) else "session"


def set_cookie(request: Request, response: Response, token: str) -> None:
    """Sign the browser in."""
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=SESSION_SECONDS,
        path="/",
        secure=is_https(request.scope),
        httponly=True,
        samesite="lax",
    )


def clear_cookie(request: Request, response: Response) -> None:
    """Sign the browser out."""
    response.delete_cookie(
        cookie_name(request), path="/", secure=is_https(request.scope), httponly=True, samesite="lax"
    )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


# Only so that the API's description says how to sign in; ``caller`` does the work.
_described = HTTPBearer(auto_error=False, description="An API key of a tenant.")
_described_cloud = HTTPBearer(auto_error=False, scheme_name="CloudAdmin", description="The cloud admin's key.")
NEEDS_KEY = Security(_described)
NEEDS_CLOUD_KEY = Security(_described_cloud)

TheApp = Annotated[App, Depends(_app)]
TheHouse = Annotated[House, Depends(_house)]
Member = Annotated[Caller, Depends(caller)]
Admin = Annotated[Caller, Depends(_admin)]
CloudAdmin = Depends(_cloud_admin)
