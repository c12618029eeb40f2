"""Which servers an e-mail address has: what the form of a new mailbox is filled with."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from shared.model.discovery import Kind, Origin, Protocol, Security
from shared.web.callers import DISCOVERY_LIMIT, NEEDS_KEY, Member, TheApp

router = APIRouter(prefix="/api/discover", tags=["mailboxes"], dependencies=[NEEDS_KEY])

MAX_ADDRESS_CHARS = 400
"""RFC 5321 allows 254; with a name around it, as a person pastes it, some more."""


class ServerOut(BaseModel):
    """A server that may be the right one. ``verified``: it answered, with a certificate for this name."""

    model_config = ConfigDict(from_attributes=True)

    server_type: Protocol
    host: str
    port: int
    security: Security
    username: str
    verified: bool
    source: Origin


class DiscoveryOut(BaseModel):
    """Proposals for a mailbox's settings, the best first; ``notes`` are for the user to read."""

    model_config = ConfigDict(from_attributes=True)

    address: str
    kind: Kind
    tenant_id: str | None
    sign_in: bool
    incoming: list[ServerOut]
    outgoing: list[ServerOut]
    notes: list[str]
    seconds: float


@router.get("", dependencies=[DISCOVERY_LIMIT])
def discover(
    app: TheApp,
    caller: Member,
    address: Annotated[str, Query(max_length=MAX_ADDRESS_CHARS, description="The mailbox's e-mail address.")],
) -> DiscoveryOut:
    """Look for the servers of an address. It takes some seconds, and never logs in anywhere."""
    return DiscoveryOut.model_validate(app.discover(address))
