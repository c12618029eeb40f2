"""DKIM checked here, for mailboxes whose provider writes no Authentication-Results: the keys come from DNS.

Says nothing rather than stops a mail: DNS that does not answer, a hostile record, a mail too large are "none".
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from shared.mail.sender import dkim
from shared.mail.sender.verdict import DkimCheck

MOST_SIGNATURES = 5
"""Of one mail, the topmost. A mail through two services and a list has three; each may cost a look-up."""

MOST_BYTES = 35 * 1024 * 1024
"""Of one mail: the largest that Exchange Online lets in by default. More would be held in memory twice."""

LOOKUP_SECONDS = 3.0
TRY_SECONDS = 1.2
"""For one datagram: a lost one is sent again twice within a look-up."""

PAUSE_SECONDS = 0.4
"""dnspython pauses after a try even when the time is up; this is its longest pause within three seconds."""

BUDGET_SECONDS = 5.0
"""For all look-ups of one mail."""

KEY_SECONDS = 3600.0
"""How long a key is remembered. Owners leave old keys in DNS for days after they change them (RFC 6376 section 3.1)."""

MOST_KEYS = 1000
"""Keys remembered, 4 KB each at most."""

Lookup = Callable[[str], bytes | None]
"""The TXT record of a name, its strings joined; None if there is none. Raises ``LookupFailed``."""


class LookupFailed(Exception):
    """Nobody knows whether there is such a record. The text says why."""


def check_dkim(raw: bytes, lookup: Lookup, now: datetime | None = None) -> tuple[DkimCheck, ...]:
    """Every signature of the mail, topmost first, at most ``MOST_SIGNATURES``. Never raises.

    ``now``: for signatures that end; the present if None.
    """
    try:
        return _check(raw, lookup, int((now or datetime.now(UTC)).timestamp()))
    except Exception:  # noqa: BLE001 - a mail must never stop its mailbox; "none" claims nothing
        return (DkimCheck("", "", "none", "the check itself failed"),)


def _check(raw: bytes, lookup: Lookup, now: int) -> tuple[DkimCheck, ...]:
    if len(raw) > MOST_BYTES:
        return (DkimCheck("", "", "none", "mail too large to be checked"),)
    mail = dkim.read_mail(raw)
    if mail is None:
        return (DkimCheck("", "", "none", "header malformed"),)
    found = dkim.signatures(mail, now)[:MOST_SIGNATURES]
    return tuple(_checked(mail, signature, lookup) for signature in found)


def _checked(mail: dkim.Mail, signature: dkim.Signature, lookup: Lookup) -> DkimCheck:
    try:
        record = None if signature.refused else lookup(signature.key_name)
    except LookupFailed as error:
        return DkimCheck(signature.domain, signature.selector, "none", f"key not found out: {error}")
    result, reason = dkim.verify(mail, signature, record)
    return DkimCheck(signature.domain, signature.selector, result, reason)


class DkimChecker:
    """``check_dkim`` with the system's name servers, or ``nameservers`` (address and port). Remembers keys; threads
    may share it. ``clock``: seconds, only growing.
    """

    def __init__(
        self,
        nameservers: Sequence[tuple[str, int]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._resolver = _resolver(nameservers)
        self._keys: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, raw: bytes, now: datetime) -> tuple[DkimCheck, ...]:
        """As ``check_dkim``; all look-ups together end within ``BUDGET_SECONDS``."""
        until = self._clock() + BUDGET_SECONDS
        return check_dkim(raw, lambda name: self._key(name, until), now)

    def _key(self, name: str, until: float) -> bytes | None:
        with self._lock:
            expires, record = self._keys.get(name, (0.0, b""))
        if expires > self._clock():
            return record
        # Only keys are remembered: one that is missing may be published the next minute.
        asked = self._ask(name, min(LOOKUP_SECONDS, until - self._clock()) - PAUSE_SECONDS)
        if asked is not None and len(asked) <= dkim.RECORD_BYTES:
            with self._lock:
                self._keys[name] = (self._clock() + KEY_SECONDS, asked)
                self._keys.move_to_end(name)
                while len(self._keys) > MOST_KEYS:
                    self._keys.popitem(last=False)
        return asked

    def _ask(self, name: str, seconds: float) -> bytes | None:
        if self._resolver is None:
            raise LookupFailed("no name server")
        if seconds <= 0:
            raise LookupFailed("out of time")
        try:
            answer = self._resolver.resolve(
                dns.name.from_text(name), "TXT", raise_on_no_answer=False, lifetime=seconds, search=False
            )
        except dns.resolver.NXDOMAIN:
            return None
        except dns.exception.Timeout:
            raise LookupFailed("no answer in time") from None
        except (dns.exception.DNSException, ValueError, OSError):
            raise LookupFailed("no sensible answer") from None
        records = [b"".join(record.strings) for record in answer.rrset or ()]
        # RFC 6376 section 3.6.2.2 leaves open which of several counts. Other uses of the name have no p=.
        keys = [record for record in records if b"p=" in record]
        if len(keys) > 1:
            raise LookupFailed("several keys under one name")
        return next(iter(keys or records), None)


def _resolver(nameservers: Sequence[tuple[str, int]] | None) -> dns.resolver.Resolver | None:
    try:
        made = dns.resolver.Resolver(configure=nameservers is None)
    except dns.resolver.NoResolverConfiguration:
        return None
    if nameservers is not None:
        made.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in nameservers]
    made.timeout = TRY_SECONDS
    return made
