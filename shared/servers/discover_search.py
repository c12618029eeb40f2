"""The questions of one discovery, all asked at once, and what follows from the answers, in order."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TypeVar

from shared.errors import AddressForbidden, InboundError, ProtocolViolation, ServerError, SettingsError
from shared.model import providers
from shared.model.discovery import Kind, Offer, Protocol, Security, ranked
from shared.model.providers import Provider
from shared.servers import discover_autoconfig as autoconfig
from shared.servers import discover_microsoft as microsoft
from shared.servers import discover_notes as notes
from shared.servers.dial import Dialer
from shared.servers.discover_dns import SERVICES, Dns, Exchangers, Service, is_host
from shared.servers.discover_microsoft import Knows
from shared.servers.discover_probe import MAIL_PORTS, probe
from shared.servers.discover_web import fetch

LOOKUP_SECONDS = 3.0
"""For one look-up or one connection. Who needs longer is not one to be proposed."""

SLACK_SECONDS = 0.3
"""How much longer a look-up is waited for than it may take: its own end gives a better answer than ours."""

MOST_ASKED = 20
"""Questions of the first round: MX, Microsoft twice, six services, three files, eight guesses."""

MOST_VERIFIED = 12

MOZILLA = "https://autoconfig.thunderbird.net/v1.1/{domain}"
"""Mozilla's directory of providers; it is told the domain, not the address."""

GUESSES: tuple[tuple[str, Protocol, int, Security], ...] = (
    ("imap", "imap", 993, "ssl"),
    ("mail", "imap", 993, "ssl"),
    ("pop", "pop3", 995, "ssl"),
    ("mail", "pop3", 995, "ssl"),
    ("smtp", "smtp", 465, "ssl"),
    ("mail", "smtp", 465, "ssl"),
    ("smtp", "smtp", 587, "starttls"),
    ("mail", "smtp", 587, "starttls"),
)

_NAMES: dict[tuple[Protocol, Security], str] = {
    ("imap", "ssl"): "IMAP with SSL",
    ("imap", "starttls"): "IMAP with STARTTLS",
    ("pop3", "ssl"): "POP3 with SSL",
    ("pop3", "starttls"): "POP3 with STARTTLS",
    ("smtp", "ssl"): "sending with SSL",
    ("smtp", "starttls"): "sending with STARTTLS",
}

T = TypeVar("T")


@dataclass
class Found:
    """What is known so far."""

    kind: Kind = "unknown"
    tenant_id: str | None = None
    offers: list[Offer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _File:
    """What one autoconfig address gave."""

    offers: tuple[Offer, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Tried:
    """What came of connecting."""

    offer: Offer | None = None
    note: str = ""


class Search:
    """One discovery, of a domain that DNS can be asked about."""

    def __init__(self, dialer: Dialer, authority: str, dns: Dns, address: str, domain: str) -> None:
        self._dialer = dialer
        self._authority = authority
        self._dns = dns
        self._address = address
        self._domain = domain
        self._found = Found()
        # A thread for each question of both rounds: none waits for another's place.
        self._pool = ThreadPoolExecutor(MOST_ASKED + MOST_VERIFIED, "discover")
        self._until = time.monotonic() + LOOKUP_SECONDS + SLACK_SECONDS

    def run(self) -> Found:
        """In the order of the module's docstring, as soon as a good answer is there."""
        try:
            if provider := providers.by_domain(self._domain):
                self._of(provider)
            else:
                self._ask()
            return self._found
        finally:
            # What is still asked ends by itself within its three seconds; nobody waits for it.
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self) -> None:
        """All look-ups begin now; they are listened to in order, and no longer than needed."""
        exchangers = self._pool.submit(self._dns.exchangers, self._domain)
        knows = [
            self._pool.submit(microsoft.realm, self._authority, self._address, LOOKUP_SECONDS),
            self._pool.submit(microsoft.tenant, self._authority, self._domain, LOOKUP_SECONDS),
        ]
        services = [self._pool.submit(self._dns.service, label, self._domain) for label, _, _ in SERVICES]
        files = [self._pool.submit(self._file, url) for url in self._addresses_of_files()]
        guesses = [self._pool.submit(self._try, offer) for offer in self._guesses()]

        mx = self._wait(exchangers, Exchangers(trouble="silent"))
        if provider := providers.by_exchangers(mx.hosts):
            if provider.kind == "office365":
                self._microsoft(knows)
            self._of(provider)
            return
        tenant = self._microsoft(knows)
        self._note_exchangers(mx)
        if tenant and (not mx.hosts or providers.filter_behind(mx.hosts)):
            self._settle_on_microsoft()
            return
        for service, (_, protocol, security) in zip(services, SERVICES, strict=True):
            self._take_service(self._wait(service, Service(trouble="silent")), protocol, security)
        self._take_file([self._wait(one, _File()) for one in files])
        tried = [self._wait(one, _Tried()) for one in guesses]
        self._conclude(tenant, [one.offer for one in tried if one.offer and one.offer.verified])
        if not self._found.offers:
            # The usual names lead inside: the answer to "why does it not find our server".
            self._found.notes += [one.note for one in tried if one.offer is None and one.note]

    # ── the answers ───────────────────────────────────────────────────────────────────────────────────────────────

    def _of(self, provider: Provider) -> None:
        """A provider that we know: its servers are right, whether or not they answer just now."""
        found = self._found
        found.kind = provider.kind
        found.tenant_id = found.tenant_id or provider.tenant_id
        found.notes += provider.notes
        offers, _ = self._verified(provider.offers(self._address), [])
        found.offers = offers
        if offers and not any(offer.verified for offer in offers):
            self._note(notes.USUAL)

    def _microsoft(self, knows: list[Future[Knows]]) -> bool:
        """Whether the domain belongs to an Entra tenant, as far as Microsoft could be asked."""
        answers = [self._wait(one, Knows(trouble=True)) for one in knows]
        self._found.tenant_id = next((answer.tenant_id for answer in answers if answer.tenant_id), None)
        if all(answer.trouble for answer in answers):
            self._note(notes.MICROSOFT_SILENT)
        return any(answer.tenant for answer in answers)

    def _note_exchangers(self, mx: Exchangers) -> None:
        if mx.trouble:
            self._note(notes.DNS_TROUBLE[mx.trouble])
        elif mx.refuses_mail:
            self._note(notes.NO_MAIL)
        elif not mx.hosts:
            self._note(notes.NO_MX)
        elif name := providers.filter_behind(mx.hosts):
            self._note(notes.FILTER, filter=name)

    def _take_service(self, service: Service, protocol: Protocol, security: Security) -> None:
        if service.refused:
            self._note(notes.NO_SERVICE, service=_NAMES[protocol, security])
        if service.trouble and service.trouble != "no_such_name" and not self._found.notes:
            self._note(notes.DNS_PARTLY)
        for host, port in service.servers:
            self._found.offers.append(Offer(protocol, host, port, security, self._address, "srv"))

    def _take_file(self, files: list[_File]) -> None:
        """The first file with servers: the domain's own before Mozilla's."""
        self._found.notes += [one.note for one in files if one.note]
        self._found.offers += next((one.offers for one in files if one.offers), ())

    def _conclude(self, tenant: bool, guesses: list[Offer]) -> None:
        found = self._found
        named = providers.by_server([offer.host for offer in found.offers if offer.server_type != "smtp"])
        if named and named.kind == "office365":
            self._of(named)
            return
        found.offers, failures = self._verified(found.offers, guesses)
        incoming = ranked([offer for offer in [*found.offers, *guesses] if offer.server_type != "smtp"])
        if tenant and not any(offer.verified for offer in incoming):
            self._settle_on_microsoft()
            return
        found.offers += guesses
        found.notes += failures
        if named:
            found.kind = named.kind
            found.notes += named.notes
        elif incoming:
            found.kind = "imap" if incoming[0].server_type == "imap" else "pop3"
        else:
            self._note(notes.NOTHING)
        if tenant:
            self._note(notes.TENANT_ALSO)
        self._warn(found.offers)

    def _settle_on_microsoft(self) -> None:
        """The domain signs in at Microsoft, and no other server of it answers."""
        self._found.offers = []
        self._note(notes.TENANT_LIKELY)
        self._of(replace(providers.MICROSOFT, notes=()))

    def _warn(self, offers: list[Offer]) -> None:
        for offer in offers:
            # DNS may be forged, and a name in another domain has a valid certificate all the same (RFC 6186, 6).
            if offer.source == "srv" and not f".{offer.host}".endswith(f".{self._domain}"):
                self._note(notes.ELSEWHERE, host=offer.host)
            if offer.security == "none":
                self._note(notes.CLEAR, host=offer.host)

    # ── the questions ─────────────────────────────────────────────────────────────────────────────────────────────

    def _guesses(self) -> list[Offer]:
        return [
            Offer(protocol, f"{label}.{self._domain}", port, security, self._address, "guess")
            for label, protocol, port, security in GUESSES
            if is_host(f"{label}.{self._domain}")
        ]

    def _addresses_of_files(self) -> list[str]:
        domain = self._domain
        return [
            f"https://autoconfig.{domain}/mail/config-v1.1.xml",
            f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
            MOZILLA.format(domain=domain),
        ]

    def _file(self, url: str) -> _File:
        host = url.split("/")[2]
        try:
            content = fetch(self._dialing(), url, LOOKUP_SECONDS)
            return _File(tuple(autoconfig.read(content, self._address)) if content is not None else ())
        except AddressForbidden:
            return _File(note=notes.INTERNAL.format(host=host))
        except ProtocolViolation:
            return _File(note=notes.BAD_FILE.format(host=host))
        except (SettingsError, ServerError):
            return _File()  # most domains have no such host, or a web server of another name there

    def _try(self, offer: Offer) -> _Tried:
        """The offer, verified if its server answers; none if it must not be connected to."""
        try:
            probe(self._dialing(), offer, LOOKUP_SECONDS)
        except AddressForbidden:
            return _Tried(note=notes.INTERNAL.format(host=offer.host))
        except InboundError as error:
            return _Tried(offer, error.message)
        return _Tried(replace(offer, verified=True))

    def _verified(self, offers: list[Offer], known: list[Offer]) -> tuple[list[Offer], list[str]]:
        """The offers, connected to at once; and what went wrong. ``known`` are verified already."""
        self._until = time.monotonic() + LOOKUP_SECONDS + SLACK_SECONDS
        places = {offer.place for offer in known}
        asked = [offer for offer in offers if offer.place not in places and offer.port in MAIL_PORTS][:MOST_VERIFIED]
        tries = {offer.place: self._pool.submit(self._try, offer) for offer in asked}
        found: list[Offer] = []
        failures: list[str] = []
        for offer in offers:
            if offer.place in tries:
                tried = self._wait(
                    tries[offer.place], _Tried(offer, notes.SLOW.format(host=offer.host, port=offer.port))
                )
            else:
                tried = _Tried(replace(offer, verified=offer.place in places))
            found += [replace(offer, verified=tried.offer.verified)] if tried.offer else []
            failures += [tried.note] if tried.note else []
        return found, failures

    def _dialing(self) -> Dialer:
        """The dialer, with names looked up within the time of one look-up."""
        resolve = self._dns.resolver(time.monotonic() + LOOKUP_SECONDS)
        return replace(self._dialer, guard=replace(self._dialer.guard, resolve=resolve))

    def _wait(self, future: Future[T], otherwise: T) -> T:
        done, _ = wait([future], max(self._until - time.monotonic(), 0.0))
        return future.result() if done else otherwise

    def _note(self, text: str, **words: str) -> None:
        self._found.notes.append(text.format(domain=self._domain, **words))
