"""How often one caller may ask: token buckets in the memory of this process.

Each process counts for itself, so an app that runs on several allows as many times more: these limits keep one caller
from wearing out the others, and make guessing slow; they are no billing.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TypeVar

from starlette.requests import Request

from shared.errors import NotSignedIn, TooManyRequests

Found = TypeVar("Found")

MAX_REMEMBERED = 10_000
"""Callers that are counted at a time, some 2 MB; whoever was not seen for longest is forgotten first."""

MINUTE = 60

WRONG_KEYS = 30
"""Wrong API keys of one address in a minute: a program with an old key is told to slow down."""
SIGN_INS = 10
"""Keys typed wrong on the sign-in page from one address in a minute: people, no program."""
CLOUD_KEYS = 5
"""Wrong cloud admin's keys of one address in a minute: that key may be of 16 characters only."""
MICROSOFT = 120
"""Steps of signing in with Microsoft from one address in a minute: each writes to storage, and anybody may. It takes
two or three to get in, and a whole company begins its day behind one address."""
PROBES = 10
"""Test Settings of one tenant in a minute: each logs in at a mail server, which locks accounts for less."""
DISCOVERIES = 30
"""Of one tenant in a minute: each asks a dozen servers."""


class Limiter:
    """``most`` requests of one caller at once, and as many again each ``seconds``."""

    def __init__(self, now: Callable[[], datetime], most: int, seconds: float = MINUTE) -> None:
        self._now = now
        self._most = most
        self._pace = most / seconds
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, caller: str) -> None:
        """Count one request. Raises ``TooManyRequests``; then it is not counted."""
        with self._lock:
            left = self._left(caller)
            self._refuse_below_one(left)
            self._keep(caller, left - 1)

    def check(self, caller: str) -> None:
        """Raises ``TooManyRequests`` when ``take`` would."""
        with self._lock:
            self._refuse_below_one(self._left(caller))

    def count(self, caller: str) -> None:
        """Count one request, whether or not there is one left."""
        with self._lock:
            self._keep(caller, max(0.0, self._left(caller) - 1))

    def _left(self, caller: str) -> float:
        left, then = self._buckets.get(caller, (float(self._most), 0.0))
        # A clock that was set back gives nothing and takes nothing.
        return min(self._most, left + max(0.0, self._time() - then) * self._pace)

    def _keep(self, caller: str, left: float) -> None:
        self._buckets[caller] = (left, self._time())
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MAX_REMEMBERED:
            self._buckets.popitem(last=False)

    def _refuse_below_one(self, left: float) -> None:
        # The smallest rounding error of a float must not cost anybody his turn.
        if left < 1 - 1e-6:
            wait = math.ceil((1 - left) / self._pace)
            unit = "second" if wait == 1 else "seconds"
            raise TooManyRequests("That was too often.", f"Try again in {wait} {unit}.", wait)

    def _time(self) -> float:
        return self._now().timestamp()


class Guard:
    """Makes guessing slow: after too many wrong credentials an address has to wait, before anything is looked up.

    What was right a while ago is let through all the same: one program with an old key must not lock out the others
    behind the same address.
    """

    def __init__(self, now: Callable[[], datetime], most: int) -> None:
        self._wrong = Limiter(now, most)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def try_key(self, request: Request, key: str, look_up: Callable[[], Found]) -> Found:
        """What ``look_up`` finds; it raises ``NotSignedIn`` for a wrong key. Raises ``TooManyRequests`` instead."""
        address, digest = client_address(request), hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        if digest not in self._right:
            self._wrong.check(address)
        try:
            found = look_up()
        except NotSignedIn:
            self._wrong.count(address)
            with self._lock:
                self._right.pop(digest, None)  # it was revoked
            raise
        with self._lock:
            self._right[digest] = None
            self._right.move_to_end(digest)
            if len(self._right) > MAX_REMEMBERED:
                self._right.popitem(last=False)
        return found


class Limits:
    """The limits of one app."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.keys = Guard(now, WRONG_KEYS)
        self.cloud = Guard(now, CLOUD_KEYS)
        self.sign_ins = Guard(now, SIGN_INS)
        self.microsoft = Limiter(now, MICROSOFT)
        self.probes = Limiter(now, PROBES)
        self.discoveries = Limiter(now, DISCOVERIES)


def client_address(request: Request) -> str:
    """Who is counted: the address that connected to Azure's front end, which appends it to X-Forwarded-For; without
    that header the one that connected to us. Of IPv6 the first 64 bits, which one customer has as a whole."""
    forwarded = request.headers.get("x-forwarded-for", "")
    text = forwarded.rpartition(",")[2].strip() or (request.client.host if request.client else "")
    # With a port: 192.0.2.1:5678, [2001:db8::1]:5678.
    host = text.partition("]")[0].removeprefix("[") if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return host[:64]
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
    return str(address)
