"""What DNS says about a domain's mail: its exchangers, and the servers it names for reading and sending (RFC 6186).

Every question ends within ``seconds``, and none raises: no DNS is an answer too.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import dns.exception
import dns.nameserver
import dns.resolver

from shared.model.discovery import Protocol, Security
from shared.servers.address_guard import Resolve

Trouble = Literal["", "no_such_name", "silent", "refused", "odd"]
"""Why there is no answer: no such name, nobody answered, SERVFAIL and the like, or an answer without sense."""

TRY_SECONDS = 1.2
"""For one datagram: a lost one is sent again twice within a look-up's three seconds."""

PAUSE_SECONDS = 0.4
"""dnspython pauses after a try even when the time is up; this is its longest pause within three seconds."""

MOST_EXCHANGERS = 20
MOST_SERVERS = 3
"""Of one service. A domain that names 500 gets the first three looked at."""

SERVICES: tuple[tuple[str, Protocol, Security], ...] = (
    ("_imaps", "imap", "ssl"),
    ("_imap", "imap", "starttls"),
    ("_pop3s", "pop3", "ssl"),
    ("_pop3", "pop3", "starttls"),
    ("_submissions", "smtp", "ssl"),
    ("_submission", "smtp", "starttls"),
)
"""RFC 6186, and RFC 8314 for ``_submissions``. Those without an s never mean clear text here."""

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})?(\.[a-z0-9_-]{1,63})*\.[a-z][a-z0-9-]{0,62}")


def is_host(name: str) -> bool:
    """Whether this is a full host name in small letters: no address, no single word, nothing to be escaped."""
    return _HOST.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Exchangers:
    """A domain's MX, by preference. ``refuses_mail``: it says that it takes none (null MX, RFC 7505)."""

    hosts: tuple[str, ...] = ()
    refuses_mail: bool = False
    trouble: Trouble = ""


@dataclass(frozen=True, slots=True)
class Service:
    """Where one service is, by priority and then weight. ``refused``: the domain says that there is none (RFC 6186,
    3.4)."""

    servers: tuple[tuple[str, int], ...] = ()
    refused: bool = False
    trouble: Trouble = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    records: list[Any] = field(default_factory=list)
    trouble: Trouble = ""


class Dns:
    """Asks the system's name servers, or ``nameservers`` (address and port)."""

    def __init__(self, nameservers: Sequence[tuple[str, int]] | None, seconds: float) -> None:
        self._seconds = seconds
        self._resolver = _resolver(nameservers)

    def exchangers(self, domain: str) -> Exchangers:
        """The MX of a domain. One without MX may still take mail (RFC 5321, 5.1), but says nothing of its provider."""
        answer = self._ask(domain, "MX")
        found = sorted((record.preference, _text(record.exchange)) for record in answer.records)
        hosts = tuple(host for _, host in found if is_host(host))[:MOST_EXCHANGERS]
        odd: Trouble = "odd" if found and not hosts and found[0][1] else answer.trouble
        return Exchangers(hosts, refuses_mail=[host for _, host in found] == [""], trouble=odd)

    def service(self, label: str, domain: str) -> Service:
        """The SRV records of ``label`` ("_imaps") under a domain.

        By priority, then weight: the heaviest is proposed, where RFC 2782 would draw lots among equals.
        """
        answer = self._ask(f"{label}._tcp.{domain}", "SRV")
        found = sorted(
            (record.priority, -record.weight, _text(record.target), record.port) for record in answer.records
        )
        servers = tuple((host, port) for _, _, host, port in found if is_host(host) and port)
        refused = bool(found) and all(not host for _, _, host, _ in found)
        return Service(servers[:MOST_SERVERS], refused, answer.trouble)

    def resolver(self, until: float) -> Resolve:
        """For ``AddressGuard``: addresses of a name, before ``until`` (``time.monotonic``); getaddrinfo has no limit.

        What the guard has to judge is what a name resolves to, so a text that is an address itself is no name here.
        """

        def resolve(host: str, port: int) -> list[str]:
            four = self._ask(host, "A", until)
            # A name that is not there has no IPv6 either, and where DNS is silent the time is up.
            six = self._ask(host, "AAAA", until) if four.trouble in ("", "refused") else four
            found = [str(record.address) for answer in (four, six) for record in answer.records]
            if found:
                return list(dict.fromkeys(found))
            again = {"silent", "refused", "odd"} & {four.trouble, six.trouble}
            raise socket.gaierror(socket.EAI_AGAIN if again else socket.EAI_NONAME, "")

        return resolve

    def _ask(self, name: str, kind: str, until: float | None = None) -> _Answer:
        if self._resolver is None:
            return _Answer(trouble="silent")
        left = min(self._seconds, self._seconds if until is None else until - time.monotonic()) - PAUSE_SECONDS
        if left <= 0:
            return _Answer(trouble="silent")
        try:
            answer = self._resolver.resolve(name, kind, raise_on_no_answer=False, lifetime=left, search=False)
        except dns.resolver.NXDOMAIN:
            return _Answer(trouble="no_such_name")
        except dns.resolver.NoNameservers as error:
            return _Answer(trouble=_why(error))
        except dns.exception.Timeout:
            return _Answer(trouble="silent")
        except (dns.exception.DNSException, ValueError):
            return _Answer(trouble="odd")  # the name cannot be asked for, or the answer leads in circles
        return _Answer(list(answer.rrset or ()))


def _resolver(nameservers: Sequence[tuple[str, int]] | None) -> dns.resolver.Resolver | None:
    try:
        made = dns.resolver.Resolver(configure=nameservers is None)
    except dns.resolver.NoResolverConfiguration:
        return None
    if nameservers is not None:
        made.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in nameservers]
    made.timeout = TRY_SECONDS
    return made


def _why(error: dns.resolver.NoNameservers) -> Trouble:
    """All name servers failed: because of what the last one said."""
    tried = error.kwargs.get("errors") or [(None, None, None, None, None)]
    last = tried[-1][3]
    if isinstance(last, OSError):
        return "silent"
    return "odd" if isinstance(last, Exception) else "refused"


def _text(name: Any) -> str:
    return str(name).rstrip(".").lower()
