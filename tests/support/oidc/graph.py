"""Makes the stand-in of Graph trust the provider: it opens mailboxes for the tokens that the provider signed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jwt

from tests.support.microsoft.entra import App, Issued, Person, Tenant
from tests.support.microsoft.server import Microsoft
from tests.support.oidc.provider import GRAPH, Client, Provider


class _Trusted(dict[str, Issued]):
    """In the place of the tokens that the stand-in of Entra issued. Clearing it ends all that were seen so far."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self._provider = provider
        self._seen: set[str] = set()
        self._ended: set[str] = set()

    def get(self, token: str, default: Any = None) -> Any:
        """What the token is good for; nothing when Graph would refuse it."""
        if token in self._ended:
            return default
        try:
            claims = self._provider.verified(token)
        except jwt.PyJWTError:
            return default
        self._seen.add(token)
        ends = datetime.fromtimestamp(claims["exp"], UTC)
        person = Person(claims["upn"], claims["oid"])
        granted = {scope.rpartition("/")[2] for scope in claims["scope"].split()}
        granted -= {name for name in granted if name.endswith(".Shared")}  # nobody has Full Access to another's mailbox
        return Issued(claims["tid"], claims["client_id"], GRAPH, ends, person, granted)

    def clear(self) -> None:
        """Every token that came by is revoked."""
        self._ended |= self._seen


def trust(microsoft: Microsoft, provider: Provider, *clients: Client) -> None:
    """From now on Graph knows the provider's tenants and apps, and takes its access tokens and no others."""
    for client in clients:
        app = App(client.client_id, delegated=set())
        microsoft.entra.tenants[client.tenant_id] = Tenant(client.tenant_id, "", {client.client_id: app})
    microsoft.entra.tokens = _Trusted(provider)
