"""Who is calling: an API key (Bearer), or the session cookie of somebody who signed in with one or with Entra ID.

The tenant always comes from here, never from an address or a body.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import NotAllowed, NotSignedIn
from shared.flows import tenants
from shared.flows.tenants import Caller
from shared.ports import App
from shared.web.edge import is_https
from shared.web.lastused import LastUsed, Later
from shared.web.limits import Limits
from shared.web.sessions import CLOUD, CLOUD_SECONDS, SESSION_SECONDS, CloudSessions, Sessions

MAX_CREDENTIAL_CHARS = 1000
"""Keys are below 100 characters; longer ones are not worth hashing."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class House:
    """What the routes share."""

    app: App
    admin_key: str
    sessions: Sessions
    cloud_sessions: CloudSessions
    limits: Limits
    last_used: LastUsed


def make_house(app: App, admin_key: str, later: Later) -> House:
    """``later`` runs what no request waits for."""
    sessions, cloud = Sessions(app), CloudSessions(app, admin_key)
    return House(app, admin_key, sessions, cloud, Limits(app.now), LastUsed(app, later))


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
        found = house.limits.keys.try_key(request, key, lambda: tenants.recognise(house.app, key))
    else:
        token = cookie(request)
        if not token:
            raise NotSignedIn("You are not signed in.", "Sign in, or send the header Authorization: Bearer <API key>.")
        found = house.sessions.caller(token)
        if request.method not in SAFE_METHODS:
            refuse_other_sites(request)
    house.last_used.note(found)
    # For an error page's navigation, should it come to that.
    request.state.caller = found
    return found


def admin_of(request: Request) -> Caller:
    """Who calls, an admin of a desk. Raises ``NotSignedIn``, ``NotAllowed``."""
    return _admin(caller(request))


def whoever(request: Request) -> Caller | None:
    """Who this browser is signed in as; None for nobody."""
    try:
        return caller(request)
    except (NotSignedIn, NotAllowed):
        return None


def _admin(found: Annotated[Caller, Depends(caller)]) -> Caller:
    if found.role != "admin":
        raise NotAllowed("This needs an admin.", "Ask an admin of your desk.")
    return found


def _cloud_admin(request: Request) -> None:
    house, given = _house(request), bearer(request)
    if given is None:
        raise not_cloud_admin()
    check_cloud_key(request, house, given)


def check_cloud_key(request: Request, house: House, given: str) -> None:
    """Raises ``NotSignedIn`` unless this is the cloud admin's key; ``TooManyRequests`` after too many wrong ones."""

    def compare() -> None:
        # Compared as digests: of equal length, so that not even the length shows in the time it takes.
        if not house.admin_key or not hmac.compare_digest(_digest(given), _digest(house.admin_key)):
            raise not_cloud_admin()

    house.limits.cloud.try_key(request, given, compare)


def not_cloud_admin() -> NotSignedIn:
    """What everybody else is told."""
    return NotSignedIn("This needs the cloud admin's key.", "It is the setting API_ADMIN_KEY of this service.")


def _page_admin(request: Request) -> House:
    """The cloud admin on the page: by a session of its own kind, which the API does not take. Raises ``NotSignedIn``,
    and ``NotAllowed`` for a change that another site asked for."""
    house = _house(request)
    house.cloud_sessions.check(cookie(request, CLOUD))
    if request.method not in SAFE_METHODS:
        refuse_other_sites(request)
    return house


def count_probe(request: Request, found: Annotated[Caller, Depends(_admin)]) -> None:
    """Raises ``TooManyRequests`` when the caller's tenant tests settings too often."""
    _house(request).limits.probes.take(found.tenant)


def count_discovery(request: Request, found: Annotated[Caller, Depends(caller)]) -> None:
    """Raises ``TooManyRequests`` when the caller's tenant looks for servers too often."""
    _house(request).limits.discoveries.take(found.tenant)


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


def cookie_name(request: Request, kind: str = "session") -> str:
    """With https the name itself forbids that another host or plain http sets it (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{kind}" if is_https(request.scope) else kind


def cookie(request: Request, kind: str = "session") -> str:
    """The value of the browser's cookie; empty when there is none that could be one of ours."""
    token = request.cookies.get(cookie_name(request, kind), "")
    return token if len(token) <= MAX_CREDENTIAL_CHARS else ""


SIGNING = "signing"
"""The cookie of a browser in which a sign-in at Microsoft was begun: whoever comes back must bring it along."""

_SIGNING_SECONDS = 600
"""As long as a sign-in may take (``person_signin.LASTS``)."""


def mark_browser(request: Request, response: Response, value: str) -> None:
    """Make this browser known again when it comes back from Microsoft."""
    response.set_cookie(
        cookie_name(request, SIGNING),
        value,
        max_age=_SIGNING_SECONDS,
        path="/",
        secure=is_https(request.scope),
        httponly=True,
        # Not strict: the way back begins on Microsoft's site.
        samesite="lax",
    )


def set_cookie(request: Request, response: Response, token: str, kind: str = "session") -> None:
    """Sign the browser in. The cloud admin's is not even sent along by a link from elsewhere."""
    response.set_cookie(
        cookie_name(request, kind),
        token,
        max_age=CLOUD_SECONDS if kind == CLOUD else SESSION_SECONDS,
        path="/",
        secure=is_https(request.scope),
        httponly=True,
        samesite="strict" if kind == CLOUD else "lax",
    )


def clear_cookie(request: Request, response: Response, kind: str = "session") -> None:
    """Sign the browser out."""
    response.delete_cookie(
        cookie_name(request, kind), path="/", secure=is_https(request.scope), httponly=True, samesite="lax"
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
PageAdmin = Annotated[House, Depends(_page_admin)]
PROBE_LIMIT = Depends(count_probe)
DISCOVERY_LIMIT = Depends(count_discovery)
