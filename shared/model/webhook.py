"""A tenant's webhooks: who wants to hear of what, how a request is signed, and how delivering one event goes on.

Requests are signed as the Standard Webhooks specification says (github.com/standard-webhooks/standard-webhooks,
spec/standard-webhooks.md), so that receivers may use any library of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class EventType(StrEnum):
    """What a receiver may hear of. ``ping`` is what "send a test event" sends; nobody subscribes to it."""

    INCIDENT_CREATED = "incident.created"
    NOTE_ADDED = "note.added"
    STATUS_CHANGED = "status.changed"
    MAIL_HELD = "mail.held"
    PING = "ping"


SUBSCRIBABLE = tuple(one for one in EventType if one is not EventType.PING)

MAX_HOOKS = 10
"""Of a tenant: each event is sent to all that want it, and what one of them costs grows with their number."""

MAX_URL_CHARS = 2000
"""What servers and proxies take at least in practice (RFC 9110, 4.1, recommends 8000; many stop at 2 KB)."""

MAX_DESCRIPTION_CHARS = 200

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PORT = "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"  # 1 to 65535
URL_PATTERN = rf"^https?://{_LABEL}(?:\.{_LABEL}){{0,20}}(?::{_PORT})?(?:/[!$-;=?-Z_a-z~]*)?$"
"""A host by name or IPv4 address, a port, a path and a query of the characters of RFC 3986, no user name, no fragment.
Plain http is refused later, unless the cloud admin opened the address."""

_URL = re.compile(URL_PATTERN.removesuffix("$"))
_HOST_AND_PORT = re.compile(r"(https?)://([^/:]+)(?::([0-9]+))?(.*)")

SECRET_BYTES = 32
"""The specification asks for 24 to 64."""

SECRET_PREFIX = "whsec_"  # noqa: S105 - what every secret begins with

OLD_SECRET_FOR = timedelta(hours=24)
"""After a rotation requests are signed with both secrets for a day, so that no receiver has to change in the second."""

PAUSES = tuple(timedelta(seconds=one) for one in (5, 60, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 8 * 3600, 8 * 3600))
"""After the first try, the second …: nine tries in 23 hours and 36 minutes. A restart takes seconds, a deployment
minutes, a bad night hours; then a person has to know."""

LONGEST_PAUSE = PAUSES[-1]
"""Also of what a receiver asks for by Retry-After."""

GIVE_UP_AFTER = timedelta(hours=26)
"""Whatever made the tries late: a day, and what jitter adds."""

JITTER = 0.1
"""Each pause is up to a tenth longer, so that what failed together does not come back together."""

LEASE = timedelta(minutes=1)
"""How long a try is believed to go on: it takes 10 seconds at most, and storage some more."""

RESTS_AFTER = 5
"""Tries of a hook, of whatever events, that failed in a row: from then on it is left alone for a while, so that a
receiver that is down or slow neither gets a flood nor takes the time of others."""

FIRST_REST = timedelta(seconds=30)
LONGEST_REST = timedelta(minutes=10)

WIDEST_SPREAD = timedelta(hours=2)
"""Over which what waits for a resting hook comes back, at the latest: ten thousand events that came back together after
each rest would be heard before what other tenants wait for, again and again, for nothing."""

MAX_CAUSE_CHARS = 300


@dataclass(frozen=True, slots=True)
class Hook:
    """Where a tenant's events go.

    ``secret`` and ``old_secret`` are sealed; the latter still signs until ``old_until``. ``ended``: why it was disabled
    without anybody saying so; empty for all others.
    """

    id: str
    url: str
    events: tuple[EventType, ...]
    created: datetime
    secret: str
    enabled: bool = True
    description: str = ""
    old_secret: str = ""
    old_until: datetime | None = None
    ended: str = ""

    @property
    def version(self) -> str:
        """Names what it is now, however its secrets are sealed: 32 hex digits."""
        told = repr(replace(self, secret="", old_secret=""))
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def wants(self, type_: str) -> bool:
        """Whether events of this type are sent to it."""
        return self.enabled and type_ in self.events


@dataclass(frozen=True, slots=True)
class Hooks:
    """All of a tenant, the oldest first. ``gone``: ids of deleted ones that an Idempotency-Key made, so that none comes
    back. ``version``: the row's ETag, empty where there is none."""

    all: tuple[Hook, ...] = ()
    gone: tuple[str, ...] = ()
    version: str = ""

    def get(self, id: str) -> Hook | None:
        """One of them."""
        return next((one for one in self.all if one.id == id), None)

    def wanting(self, type_: str) -> tuple[str, ...]:
        """The ids of those that want an event of this type."""
        return tuple(one.id for one in self.all if one.wants(type_))

    def put(self, hook: Hook) -> Hooks:
        """With this one in its place, or behind the others."""
        if self.get(hook.id) is None:
            return replace(self, all=(*self.all, hook))
        return replace(self, all=tuple(hook if one.id == hook.id else one for one in self.all))


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. ``id`` is the same whenever the same change is told; ``body``: the request's, JSON."""

    id: str
    type: str
    time: datetime
    body: str


class DeliveryState(StrEnum):
    """How telling one hook of one event goes.

    queued     it waits for its first try
    delivered  the receiver answered 2xx
    failed     a try failed, and another one follows
    given_up   no further try: tries used up, or the receiver is gone, or the webhook was disabled
    """

    QUEUED = "queued"
    DELIVERED = "delivered"
    FAILED = "failed"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one hook. ``since``: when it was first to be sent; ``due``: the next try, or until when
    one that goes on is believed in; ``claim``: whose try the last one is."""

    hook: str
    since: datetime
    due: datetime
    state: DeliveryState = DeliveryState.QUEUED
    attempts: int = 0
    claim: str = ""

    @property
    def is_open(self) -> bool:
        """Whether something is still going to happen by itself."""
        return self.state in (DeliveryState.QUEUED, DeliveryState.FAILED)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """An event and its deliveries. ``version``: the row's ETag."""

    event: Event
    deliveries: tuple[Delivery, ...]
    version: str = ""

    @property
    def is_open(self) -> bool:
        """Whether something is still going to happen by itself."""
        return any(one.is_open for one in self.deliveries)

    @property
    def due(self) -> datetime | None:
        """The next try of all."""
        return min((one.due for one in self.deliveries if one.is_open), default=None)

    def of(self, hook: str) -> Delivery | None:
        """The delivery to this hook."""
        return next((one for one in self.deliveries if one.hook == hook), None)

    def put(self, delivery: Delivery) -> Dispatch:
        """With this one in its place, or beside the others."""
        others = tuple(one for one in self.deliveries if one.hook != delivery.hook)
        return replace(self, deliveries=(*others, delivery))

    def without(self, hook: str) -> Dispatch:
        """Nobody waits for it there any more."""
        return replace(self, deliveries=tuple(one for one in self.deliveries if one.hook != hook))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of a hook's log: a try and what came of it.

    ``id``: its place in the log, empty before it is stored; ``state``: of the delivery afterwards; ``status``: HTTP's,
    0 where there was none; ``cause``: why it failed, in words; ``milliseconds``: what it took; ``next``: the next try.
    """

    hook: str
    event: str
    type: str
    event_time: datetime
    at: datetime
    number: int
    state: DeliveryState
    status: int = 0
    cause: str = ""
    milliseconds: int = 0
    next: datetime | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a hook does: its last try, how many failed in a row since when, and until when it is left alone."""

    hook: str
    at: datetime
    state: DeliveryState
    status: int = 0
    cause: str = ""
    failures: int = 0
    since: datetime | None = None
    rests_until: datetime | None = None

    def rests(self, now: datetime) -> bool:
        """Whether it is left alone just now."""
        return self.rests_until is not None and now < self.rests_until


# ── what a tenant may ask for ─────────────────────────────────────────────────────────────────────────────────────


def url_wrong(url: str) -> str:
    """What is wrong with a receiver's address, in words; empty when nothing is."""
    if len(url) > MAX_URL_CHARS:
        return f"It is too long: {MAX_URL_CHARS} characters are possible."
    if not url.startswith(("https://", "http://")):
        return "Give an address that begins with https://, such as https://example.com/inbound."
    if not _URL.fullmatch(url):
        return (
            "Give host, path and query only, such as https://example.com/inbound: no user name or password, no blank, "
            "no # and no letters beyond ASCII (write such names as xn--…)."
        )
    return ""


def url_parts(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path with query of an address that ``url_wrong`` finds nothing wrong with."""
    found = _HOST_AND_PORT.fullmatch(url)
    assert found is not None
    scheme, host, port, rest = found.groups()
    return scheme, host, int(port or (443 if scheme == "https" else 80)), rest or "/"


# ── signing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def secret_text(secret: bytes) -> str:
    """A secret as it is shown, once."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signed(secrets: Sequence[str], id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers that prove a request: one signature for each of the secrets (as ``secret_text`` gives them)."""
    stamp = str(int(at.timestamp()))
    content = f"{id}.{stamp}.".encode() + body
    signatures = (hmac.digest(base64.b64decode(one.removeprefix(SECRET_PREFIX)), content, "sha256") for one in secrets)
    return {
        "webhook-id": id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(one).decode()}" for one in signatures),
    }


# ── how delivering goes on ────────────────────────────────────────────────────────────────────────────────────────


def trying(delivery: Delivery, now: datetime, claim: str) -> Delivery:
    """From now on the receiver may hear of it. ``claim``: unguessable; by it the sender knows his own write again."""
    return replace(delivery, attempts=delivery.attempts + 1, due=now + LEASE, claim=claim)


def is_used_up(delivery: Delivery, now: datetime) -> bool:
    """Whether there was enough of it: also where each try died in the middle, and none could say how it ended."""
    return had_all_tries(delivery) or now - delivery.since > GIVE_UP_AFTER


def had_all_tries(delivery: Delivery) -> bool:
    """Whether no pause is left; else it is its age that ends it."""
    return delivery.attempts > len(PAUSES)


def delivered(delivery: Delivery) -> Delivery:
    """The receiver has it."""
    return replace(delivery, state=DeliveryState.DELIVERED)


def given_up(delivery: Delivery) -> Delivery:
    """There is no further try."""
    return replace(delivery, state=DeliveryState.GIVEN_UP)


def failed(delivery: Delivery, now: datetime, retry_after: float | None, chance: float) -> Delivery:
    """A try failed in a way that may pass. ``chance``: 0 to 1, by which part of the jitter the pause is longer."""
    if had_all_tries(delivery):
        return given_up(delivery)
    pause = PAUSES[max(delivery.attempts - 1, 0)]
    if retry_after is not None:
        pause = max(pause, timedelta(seconds=min(max(retry_after, 0), LONGEST_PAUSE.total_seconds())))
    due = now + pause * (1 + JITTER * chance)
    if due - delivery.since > GIVE_UP_AFTER:
        return given_up(delivery)
    return replace(delivery, state=DeliveryState.FAILED, due=due)


def postponed(delivery: Delivery, until: datetime, chance: float) -> Delivery:
    """Its hook rests; what waits for it comes back one after the other, spread the wider the longer it waits."""
    spread = min(max(until - delivery.since, FIRST_REST), WIDEST_SPREAD)
    return replace(delivery, due=until + spread * chance)


def once_more(delivery: Delivery, now: datetime) -> Delivery:
    """A person says "send again"."""
    return Delivery(delivery.hook, now, now)


def stood(before: Standing | None, attempt: Attempt) -> Standing:
    """How a hook does after this try."""
    if attempt.state is DeliveryState.DELIVERED:
        return Standing(attempt.hook, attempt.at, attempt.state, attempt.status)
    failures = (before.failures if before else 0) + 1
    since = before.since if before and before.since else attempt.at
    beyond = failures - RESTS_AFTER
    rest = min(LONGEST_REST, FIRST_REST * 2 ** min(beyond, 10)) if beyond >= 0 else None
    return Standing(
        hook=attempt.hook,
        at=attempt.at,
        state=attempt.state,
        status=attempt.status,
        cause=attempt.cause,
        failures=failures,
        since=since,
        rests_until=attempt.at + rest if rest else None,
    )
