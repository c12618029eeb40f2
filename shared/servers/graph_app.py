"""When the credential of an app ends, for Test Settings: a certificate says it itself, of a secret Entra ID knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from shared.errors import InboundError
from shared.ports import NOTHING_FOUND, Finding, Watch
from shared.servers.cloud import Cloud
from shared.servers.graph_folders import query, segment
from shared.servers.graph_http import GraphHttp
from shared.servers.graph_state import moment
from shared.servers.token import AppLogin, Token

READS_APPS = frozenset(
    {"Application.Read.All", "Application.ReadWrite.All", "Application.ReadWrite.OwnedBy", "Directory.Read.All"}
)
"""Application permissions with which an app may read its own registration (Microsoft's page "Get application")."""

SOON = timedelta(days=30)
"""From then on a warning: whoever may make a new secret is often somebody else, and on holiday."""

HINT_CHARS = 3
"""Characters of a secret that Entra ID keeps readable (passwordCredential, ``hint``)."""

_PLACE = "Entra > App registrations > the app > Certificates & secrets"


def credential_end(
    login: AppLogin, cloud: Cloud, token: Callable[[], Token] | None, now: Callable[[], datetime], watch: Watch
) -> Finding:
    """When the app's certificate or client secret ends. ``token``: the app's own for Graph; None where it has none.

    Never raises: not to know it is no reason why mail should not be read.
    """
    if login.assertion:
        return NOTHING_FOUND
    if login.certificate:
        ends = login.certificate_ends()
        return _in_words("certificate", ends, now()) if ends else NOTHING_FOUND
    ends = _secret_end(login, cloud, token, now, watch) if token else None
    if ends is None:
        return Finding(f"The client secret's end date cannot be read by this app; note it: {_PLACE}.")
    return _in_words("client secret", ends, now())


def _in_words(what: str, ends: datetime, now: datetime) -> Finding:
    left = ends - now
    days = f"{left.days} day{'' if left.days == 1 else 's'}" if left.days > 0 else "less than a day"
    if left > SOON:
        return Finding(f"The {what} is good for {days}, until {ends:%Y-%m-%d}.")
    cause = f"The {what} ends in {days}, on {ends:%Y-%m-%d}; from then on no mail is fetched."
    fix = f"Make a new one in {_PLACE}, and save it here before that day."
    return Finding(cause, "secret_ends_soon", cause, fix)


def _secret_end(
    login: AppLogin, cloud: Cloud, token: Callable[[], Token], now: Callable[[], datetime], watch: Watch
) -> datetime | None:
    """When the secret in use ends; None where it cannot be told."""
    try:
        own = token()
        roles = own.claims.get("roles")
        if not isinstance(roles, list) or not READS_APPS & {str(role) for role in roles}:
            return None
        secrets = _secrets(GraphHttp(cloud, lambda force: own.value, now, watch), login.client_id.strip())
    except InboundError:
        return None
    # It let us in, so it is none of those that ended. Of two that begin alike the one that ends first is to be feared.
    return min((ends for hint, ends in secrets if hint == login.secret[:HINT_CHARS] and ends > now()), default=None)


def _secrets(http: GraphHttp, client_id: str) -> list[tuple[str, datetime]]:
    """Hint and end of each secret; those without an end date or a hint are left out."""
    http.step("token")
    try:
        options = query(select="passwordCredentials")
        answer = http.get(f"{http.base}/applications(appId='{segment(client_id)}')?{options}")
        found = answer.json().get("passwordCredentials") if answer.ok else []
    finally:
        http.close()
    return [read for one in found if (read := _secret(one))] if isinstance(found, list) else []


def _secret(one: object) -> tuple[str, datetime] | None:
    if not isinstance(one, dict) or not isinstance(one.get("hint"), str):
        return None
    try:
        return one["hint"], moment(str(one.get("endDateTime")))
    except ValueError:
        return None
