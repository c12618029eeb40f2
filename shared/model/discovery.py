"""What an e-mail address tells about where its mail is read and sent. Proposals for a form; nothing is decided here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["office365", "google", "imap", "pop3", "unknown"]
Security = Literal["ssl", "starttls", "none"]
Incoming = Literal["imap", "pop3"]
Protocol = Literal["imap", "pop3", "smtp"]

Origin = Literal["table", "srv", "autoconfig", "guess"]
"""Who says so: our own table, DNS (RFC 6186), the domain's or Mozilla's autoconfig file, or the usual names."""

_ORIGINS: tuple[Origin, ...] = ("table", "srv", "autoconfig", "guess")
_PROTOCOLS: tuple[Protocol, ...] = ("imap", "pop3", "smtp")
_SECURITY: tuple[Security, ...] = ("ssl", "starttls", "none")


@dataclass(frozen=True, slots=True)
class Offer:
    """A server that may be the right one.

    ``verified``: it answered at this name and port, in this protocol, with a certificate for this name. Nobody logged
    in.
    """

    server_type: Protocol
    host: str
    port: int
    security: Security
    username: str
    source: Origin
    verified: bool = False

    @property
    def place(self) -> tuple[Protocol, str, int, Security]:
        """What is connected to: two offers of one place are one."""
        return (self.server_type, self.host, self.port, self.security)


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found for ``address``, the best first.

    ``tenant_id``: the GUID of the domain's Entra tenant, which says nothing yet about where the mailbox is.
    ``sign_in``: send the user to Microsoft's log-in. ``notes``: whole sentences for the user. ``seconds``: how long it
    took.
    """

    address: str
    kind: Kind = "unknown"
    tenant_id: str | None = None
    sign_in: bool = False
    incoming: tuple[Offer, ...] = ()
    outgoing: tuple[Offer, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


def ranked(offers: list[Offer]) -> tuple[Offer, ...]:
    """Each place once, the best first: what answered, then by who says so, IMAP before POP3, TLS from the start before
    STARTTLS (RFC 8314, 3); otherwise as they came, which for DNS is by priority and weight."""
    best: dict[tuple[Protocol, str, int, Security], Offer] = {}
    for offer in sorted(offers, key=_rank):
        best.setdefault(offer.place, offer)
    return tuple(best.values())


def _rank(offer: Offer) -> tuple[bool, int, int, int]:
    return (
        not offer.verified,
        _ORIGINS.index(offer.source),
        _PROTOCOLS.index(offer.server_type),
        _SECURITY.index(offer.security),
    )
