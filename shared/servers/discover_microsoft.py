"""Does Microsoft know this address's domain? Asked at the login host that the operator configured.

These hosts are not a tenant's choice, so they are reached like every other of Microsoft's: by requests, with the
operator's certificate authorities and proxy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

import requests
import urllib3

from shared.errors import InboundError
from shared.servers import https

MOST_BYTES = 64 * 1024
"""An openid-configuration has 2 KB."""

_GUID = re.compile(r"/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(/|$)", re.I)


@dataclass(frozen=True, slots=True)
class Knows:
    """What Microsoft says. ``tenant``: the domain belongs to one. ``tenant_id``: its GUID. ``trouble``: it could not be
    asked."""

    tenant: bool = False
    tenant_id: str | None = None
    trouble: bool = False


def realm(authority: str, address: str, seconds: float) -> Knows:
    """Where somebody of this address would sign in. Managed or Federated: in a tenant (MSAL asks the same)."""
    status, body = _get(f"{authority}/common/userrealm/{quote(address, safe='@')}?api-version=1.0", seconds)
    if status != 200 or body is None:
        return Knows(trouble=status not in (400, 404))
    # Version 1 says account_type, version 2 NameSpaceType.
    kind = str(body.get("account_type") or body.get("NameSpaceType") or "")
    return Knows(tenant=kind.lower() in ("managed", "federated"))


def tenant(authority: str, domain: str, seconds: float) -> Knows:
    """The tenant that a domain is verified in: its GUID stands in the issuer. 400 (AADSTS90002) means none."""
    status, body = _get(f"{authority}/{quote(domain, safe='')}/v2.0/.well-known/openid-configuration", seconds)
    if status != 200 or body is None:
        return Knows(trouble=status not in (400, 404))
    found = _GUID.search(str(body.get("issuer", "")))
    return Knows(tenant=found is not None, tenant_id=found[1].lower() if found else None, trouble=found is None)


def _get(url: str, seconds: float) -> tuple[int, dict[str, object] | None]:
    """Status and JSON object; status 0 where there is no answer, None where it is no JSON object."""
    try:
        with (
            https.session() as session,
            session.get(url, timeout=seconds, stream=True, allow_redirects=False) as answer,
        ):
            body = https.read(answer, MOST_BYTES, seconds)
            return answer.status_code, https.json_object(body) if body is not None else None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, InboundError):
        return 0, None
