"""From an e-mail address to the servers of its mailbox: proposals for the form, in seconds.

Everything is asked at once and has three seconds; the first good answer wins in this order: our own table, MX,
Microsoft's realm and tenant, SRV (RFC 6186, 8314), autoconfig files, the usual names. What is found is verified by
connecting, without a log-in. No password is ever sent to a host that was only guessed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from shared.errors import Invalid
from shared.mail.address import parse_address
from shared.model.discovery import Discovery, ranked
from shared.servers import discover_notes as notes
from shared.servers.dial import Dialer
from shared.servers.discover_dns import Dns, is_host
from shared.servers.discover_search import LOOKUP_SECONDS, Found, Search

ALL_SECONDS = 8.0
"""What a caller may rely on: two rounds of three seconds, looking up and verifying, and some for a slow machine."""

MOST_AT_ONCE = 4
"""Discoveries of one process: each has up to twenty connections open for a moment."""

MOST_NOTES = 10

PLACES = threading.BoundedSemaphore(MOST_AT_ONCE)
"""Of the process, however many discoverers it has."""


class Discoverer:
    """Finds the servers of an address; safe to use from several threads.

    ``authority``: Microsoft's login host (of another cloud, or a stand-in). ``nameservers``: address and port of each;
    None: the system's. ``clock`` measures ``Discovery.seconds``.
    """

    def __init__(
        self,
        dialer: Dialer,
        authority: str = "https://login.microsoftonline.com",
        nameservers: Sequence[tuple[str, int]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dialer = dialer
        self._authority = authority.rstrip("/")
        self._nameservers = nameservers
        self._clock = clock

    def discover(self, address: str) -> Discovery:
        """What there is for an address, within ``ALL_SECONDS``. Raises ``Invalid`` when it is none."""
        began = self._clock()
        parsed = parse_address(address)
        if parsed is None:
            raise Invalid([("address", "This is not an e-mail address. It looks like support@example.com.")])
        found = self._look(parsed.address, parsed.domain)
        return Discovery(
            address=parsed.address,
            kind=found.kind,
            tenant_id=found.tenant_id,
            sign_in=found.kind == "office365",
            incoming=ranked([offer for offer in found.offers if offer.server_type != "smtp"]),
            outgoing=ranked([offer for offer in found.offers if offer.server_type == "smtp"]),
            notes=tuple(dict.fromkeys(found.notes))[:MOST_NOTES],
            seconds=round(self._clock() - began, 3),
        )

    def _look(self, address: str, domain: str) -> Found:
        if not is_host(domain):
            return Found(notes=[notes.NO_DOMAIN.format(domain=domain)])
        # Half a second: better an answer that says why than a request that waits.
        if not PLACES.acquire(timeout=0.5):
            return Found(notes=[notes.BUSY])
        try:
            return Search(self._dialer, self._authority, Dns(self._nameservers, LOOKUP_SECONDS), address, domain).run()
        finally:
            PLACES.release()
