"""Signing people in to the pages with Entra ID: the app registration of the cloud admin, people of any organisation.

Only who somebody is is asked for: no access to anything of theirs, and no token is kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.errors import ConsentNeeded, LoginRefused, NotAllowed, ServerError, SettingsError, Unreachable
from shared.ports import Identity
from shared.servers import https
from shared.servers.cloud import Cloud
from shared.servers.entra import TRANSIENT, refusal
from shared.servers.login_web import LoginWeb
from shared.servers.token import BAD_CODE, CLOCK_SKEW, AppLogin, quiet_msal, with_query

AUDIENCE = "organizations"
"""Work and school accounts of every organisation, and no personal ones."""

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TID = "{tenantid}"
"""Stands in the issuer of AUDIENCE where a tenant's id stands in its tokens."""

MAX_CHARS = 320
"""Of an address (RFC 3696, errata 1690); a name may be as long. What is longer is cut: it is for reading."""

MAX_ROLES = 100


@dataclass(frozen=True, slots=True)
class PageSignIn:
    """``ports.Entra`` by MSAL. ``login``: the app; its tenant does not matter here."""

    cloud: Cloud
    login: AppLogin
    now: Callable[[], datetime]
    web: LoginWeb = field(default_factory=LoginWeb)

    def begin(self, redirect_uri: str, state: str) -> Mapping[str, Any]:
        """See ``ports.Entra.begin``. The account is chosen each time: who signs out on a shared computer is out."""
        flow = self._guarded(
            lambda: self._client().initiate_auth_code_flow(
                [], redirect_uri=redirect_uri, state=state, prompt="select_account", response_mode="form_post"
            )
        )
        # By GET, as for mailboxes (``token``): a cross-site POST brings no SameSite=Lax cookie along.
        return {**flow, "auth_uri": with_query(flow["auth_uri"], response_mode="query")}

    def finish(self, flow: Mapping[str, Any], params: Mapping[str, str]) -> Identity:
        """See ``ports.Entra.finish``."""
        issuer = self._issuer()
        if "iss" in params and not _is_of(params["iss"], issuer):  # RFC 9207: before the code goes anywhere
            raise forged()
        result = self._guarded(lambda: self._redeem(flow, params))
        if "error" in result:
            raise self._refused(result)
        return self._judged(result.get("id_token_claims") or {}, issuer)

    def _redeem(self, flow: Mapping[str, Any], params: Mapping[str, str]) -> Mapping[str, Any]:
        client = self._client()
        try:
            result: Mapping[str, Any] = client.acquire_token_by_auth_code_flow(dict(flow), dict(params))
        except (ValueError, RuntimeError):  # state or nonce of something else, or no ID token that can be read
            raise forged() from None
        return result

    def _judged(self, claims: Mapping[str, Any], issuer: str) -> Identity:
        """Who this is. The token came from Microsoft over TLS that was checked, so its signature need not be (OpenID
        Connect Core 3.1.3.7, 6). MSAL has compared the nonce and nothing else: the rest is ours."""
        tid, oid = str(claims.get("tid", "")).lower(), str(claims.get("oid", "")).lower()
        is_ours = claims.get("aud") == self.login.client_id and claims.get("iss") == issuer.replace(_TID, tid)
        if not is_ours or not _GUID.fullmatch(tid) or not _GUID.fullmatch(oid):
            raise forged()
        now = self.now()
        if _seconds(claims.get("exp")) <= (now - CLOCK_SKEW).timestamp():
            raise forged()
        if _seconds(claims.get("nbf") or claims.get("iat")) > (now + CLOCK_SKEW).timestamp():
            raise forged()
        roles = claims.get("roles")
        return Identity(
            tid=tid,
            oid=oid,
            address=_shown(claims.get("preferred_username")).lower(),
            name=_shown(claims.get("name")),
            roles=frozenset(one for one in roles[:MAX_ROLES] if isinstance(one, str))
            if isinstance(roles, list)
            else frozenset(),
            # Only there when somebody else than this tenant has checked who it is: a guest's address is not of here.
            is_guest=claims.get("idp", claims["iss"]) != claims["iss"],
        )

    def _issuer(self) -> str:
        url = f"{self.cloud.authority}/{AUDIENCE}/v2.0/.well-known/openid-configuration"
        return str((https.json_object(self.web.get(url).text) or {}).get("issuer", ""))

    def _client(self) -> Any:
        return quiet_msal().ConfidentialClientApplication(
            self.login.client_id,
            authority=f"{self.cloud.authority}/{AUDIENCE}",
            client_credential=self.login.credential(),
            http_client=self.web,
            instance_discovery=False,
            # Nobody needs a refresh token: nothing is done in this person's name later.
            exclude_scopes=["offline_access"],
        )

    def _guarded(self, ask: Callable[[], Any]) -> Any:
        """What MSAL says, or an error for the person at the browser: polls and mailboxes are not the point here."""
        try:
            return ask()
        except ServerError as error:
            raise Unreachable(
                "Microsoft's sign-in does not answer just now.", "Try again in a moment.", error.retry_after
            ) from None
        except (SettingsError, ValueError) as error:
            raise _not_set_up(error.message if isinstance(error, SettingsError) else "") from None

    def _refused(self, result: Mapping[str, Any]) -> Exception:
        if result["error"] == "invalid_grant" and set(result.get("error_codes") or ()) <= BAD_CODE:
            return NotAllowed(
                "Microsoft did not accept this sign-in: it took too long, was used already, or belongs to another one.",
                "Begin anew.",
            )
        if result["error"] in TRANSIENT:
            return Unreachable("Microsoft's sign-in does not work just now.", "Try again in a moment.")
        error = refusal(result, self.login.client_id)
        # A policy or a missing consent is for this person's own organisation; the rest is the app's registration.
        return error if isinstance(error, ConsentNeeded) else _not_set_up(error.message)


def forged() -> NotAllowed:
    """What somebody is told whose sign-in does not belong here."""
    return NotAllowed("This sign-in was not begun here, or it was finished already.", "Begin anew on the sign-in page.")


def _not_set_up(why: str) -> LoginRefused:
    return LoginRefused(
        f"Signing in with Microsoft does not work at this service. {why}".strip(),
        "Tell the operator of this service, who checks SIGN_IN_CLIENT_ID and SIGN_IN_CLIENT_SECRET; sign in with an "
        "API key meanwhile.",
    )


def _is_of(said: str, issuer: str) -> bool:
    before, tid, after = issuer.partition(_TID)
    middle = said[len(before) : len(said) - len(after)]
    return said == issuer if not tid else said == f"{before}{middle}{after}" and bool(_GUID.fullmatch(middle.lower()))


def _shown(value: Any) -> str:
    text = "".join(char for char in str(value or "") if char.isprintable())
    return text.strip()[:MAX_CHARS]


def _seconds(value: Any) -> float:
    """A time of a claim; 0 for what is none, so that it counts as over."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0
