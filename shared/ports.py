"""Every promise the outside world makes us, on one page.

``tenant`` is always a tenant key ("slug.generation"): it comes from a credential or a queue message of ours, and it is
the partition that everything of the tenant lies in. Times are aware UTC. Errors are those of ``shared.errors``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, Protocol, Self, TypeVar, runtime_checkable

from shared.mail.sender.verdict import DkimCheck
from shared.model.discovery import Discovery
from shared.model.erasing import DataSubject, Erasure, Stretch
from shared.model.inbound import Content, Filed, Filing, Inbound, Kept, Step, ThreadEntry
from shared.model.incident import Incident, Note, Status
from shared.model.limits import Limit, Tally
from shared.model.mailbox import Mailbox, Settings
from shared.model.outbound import Outbound
from shared.model.reason import Outcome
from shared.model.schedule import Slot
from shared.model.webhook import Attempt, Dispatch, Hooks, Standing

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list; ``next`` asks for those after them, None when there are none."""

    items: tuple[Item, ...]
    next: str | None = None


# ── mail servers ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail that a server lists. ``position`` names it for ever within its mailbox; ``size`` in bytes."""

    position: str
    size: int
    received: datetime


class Watch(Protocol):
    """Somebody who looks on while a mailbox is read: Test Settings, or a transcript. It never sees a mail's body."""

    def step(self, name: str) -> None:
        """A step begins: dns, tcp, tls, greeting, token, login, folder, list, …"""
        ...

    def sent(self, line: bytes) -> None:
        """A line of ours."""
        ...

    def received(self, line: bytes) -> None:
        """A line of the server's."""
        ...

    def note(self, text: str) -> None:
        """Something that happened, in words."""
        ...

    def secret(self, value: str) -> None:
        """This must never be seen, in any form."""
        ...

    def private(self, on: bool) -> None:
        """While on, a log-in is going on: of us nothing is written down, of the server only what is no challenge."""
        ...


class Recording(Watch, Protocol):
    """A watch that writes down what it sees, every secret struck out."""

    @property
    def lines(self) -> list[str]:
        """What was said so far, the oldest first."""
        ...


class Nobody:
    """A watch that does not look."""

    def step(self, name: str) -> None: ...

    def sent(self, line: bytes) -> None: ...

    def received(self, line: bytes) -> None: ...

    def note(self, text: str) -> None: ...

    def secret(self, value: str) -> None: ...

    def private(self, on: bool) -> None: ...


NOBODY: Watch = Nobody()


@dataclass(frozen=True, slots=True)
class Finding:
    """What Test Settings found out beside what a poll does. ``detail``: in words; ``is_known``: whether it could be
    found out at all. One with a ``code`` is a warning: mail works, and somebody should act all the same; ``cause`` and
    ``fix`` are whole sentences then."""

    detail: str
    code: str = ""
    cause: str = ""
    fix: str = ""
    is_known: bool = True


NOTHING_FOUND = Finding("")


class Opener(Protocol):
    """Opens a mailbox on its server; connecting begins with ``with``."""

    def __call__(self, mailbox: Mailbox, watch: Watch = NOBODY) -> Source: ...


class Source(Protocol):
    """A mailbox that is open for reading (``with … as source``). Reading changes nothing on the server.

    Every method may raise ``ServerError`` or ``SettingsError``.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def new(self, cursor: str) -> Iterator[Arrival]:
        """What is not settled by ``cursor``, oldest first; mails put off earlier come last.

        An empty cursor means a first connection: everything of the days to download.
        """
        ...

    def fetch(self, arrival: Arrival) -> bytes | None:
        """The raw mail (RFC 5322); None when it is gone."""
        ...

    def fetch_head(self, arrival: Arrival) -> bytes | None:
        """Only its header block, for mail that is too large; None when it is gone."""
        ...

    def settle(self, arrival: Arrival) -> None:
        """It is kept whole: the cursor may pass it, and ``act`` may do with it what the mailbox wants."""
        ...

    def skip(self, arrival: Arrival) -> None:
        """We are done with it although it is not kept whole: the cursor may pass it, and it stays where it is."""
        ...

    def act(self) -> None:
        """Mark, move or delete what was settled, as the mailbox wants it after import.

        Called only when a cursor that covers those mails is saved. What is still to do is part of the cursor, so a
        crash repeats it; a mail that is gone counts as done.
        """
        ...

    def may_act(self) -> None:
        """Raise ``SettingsError`` if this account may not do what the mailbox wants after import. Changes nothing."""
        ...

    def listing(self, since: datetime) -> Iterator[str]:
        """Positions of what the server holds now, whatever any cursor says, oldest first as a rule: all that it
        received since then, and perhaps more. Neither ``new`` nor the cursor takes notice of it."""
        ...

    def look_up(self, positions: Sequence[str]) -> Iterator[Arrival]:
        """Those of them that are still there, in no order; ``fetch`` and ``fetch_head`` take them. A mail for which the
        server knows no time has that of its Date field."""
        ...

    def put_off(self, arrival: Arrival) -> int:
        """It could not be fetched: the cursor passes it, and remembers to try again. The tries so far."""
        ...

    def cursor(self) -> str:
        """Covers exactly what was settled or put off; opaque."""
        ...

    @property
    def starts_over(self) -> bool:
        """Whether ``new`` lists mails that may be known already (the server renumbered, or the cursor was lost)."""
        ...


@runtime_checkable
class Scoped(Protocol):
    """A source whose sign-in may open more than its own mailbox, so that it has something to prove."""

    def scope(self, other: str, meant: frozenset[str]) -> Finding:
        """Whether it opens other mailboxes too, found out by trying, after ``new`` was read. Reads no mail in them.

        ``other``: an address to try; empty: those that are at hand. ``meant``: addresses in small letters that the same
        sign-in is meant to open: they are not tried of our own accord.
        """
        ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a server does not take mail for a recipient.

    ``code``: SMTP's reply code (RFC 5321, 4.2); ``status``: the enhanced one, such as "5.1.1" (RFC 3463), or empty;
    ``text``: the server's own words, cut, without control characters and secrets; ``permanent``: trying again is
    useless."""

    code: int
    status: str
    text: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a mail. The server has taken it for everybody who is not in ``refused``.

    When all are in ``refused`` nobody gets it, and ``response`` is empty; else that is what the server said last.
    """

    refused: Mapping[str, Refusal]
    response: str


class Courier(Protocol):
    """The way out for a mailbox's answers (``with … as courier``: connected and logged in). Serves several mails.

    Every method may raise ``SettingsError`` (the tenant acts) or ``ServerError`` (later).
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def may_send(self) -> None:
        """Raise if this account may not send as the mailbox's address. Changes nothing, sends nothing."""
        ...

    def send(self, message: bytes, sender: str, recipients: Sequence[str]) -> Sent:
        """Hand over one mail (RFC 5322), whatever its line ends. Never tried a second time in here.

        ``sender``: the envelope's, empty for mail that must not be answered by a machine; Office 365 knows no envelope
        and takes the mailbox, as do servers that take no mail without one. ``recipients``: addr-specs, at least one.
        Raises ``NotSent`` when the mail as a whole is not taken; after any other error it was not sent either.
        """
        ...


class CourierOpener(Protocol):
    """Opens the way out of a mailbox; connecting begins with ``with``."""

    def __call__(self, mailbox: Mailbox, watch: Watch = NOBODY) -> Courier: ...


# ── receivers of webhooks ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Answered:
    """What a receiver answered: HTTP's status, and the seconds after which it wants to be asked again, if it says."""

    status: int
    retry_after: float | None = None


class Post(Protocol):
    """Sends requests to addresses that tenants chose; never to one that they may not reach."""

    def judge(self, url: str) -> None:
        """Raises ``AddressForbidden`` for a receiver that tenants may not reach, as far as that can be told now."""
        ...

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """One POST of JSON, judged anew, within 10 seconds; redirects are not followed. Raises ``SettingsError``,
        ``ServerError``."""
        ...


# ── storage ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Tenant:
    """Our customer. ``key`` is the partition: slug and a generation that never comes back after a deletion.

    ``disabled``: nobody of it gets in and none of its mailboxes is polled; everything is kept. ``retention_days``: how
    long it wants raw mail to be kept, 0 for ever; None leaves it to the service. ``entra_tenant_id``: whose people may
    be let in, empty for nobody's; ``app_roles_of``: the Entra tenant whose app roles count, which was proven to agree.
    ``version`` names this state of it.
    """

    slug: str
    key: str
    name: str
    created: datetime
    disabled: bool = False
    retention_days: int | None = None
    entra_tenant_id: str = ""
    app_roles_of: str = ""
    version: str = field(default="", compare=False)

    @property
    def has_app_roles(self) -> bool:
        """Whether app roles of its Entra tenant let people in."""
        return bool(self.entra_tenant_id) and self.app_roles_of == self.entra_tenant_id


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A credential without its secret: ``digest`` is the SHA-256 (hex) of it. ``role``: admin or agent.

    ``used``: the last day (UTC) on which it was; known only from ``Tenants.keys``.
    """

    id: str
    role: str
    name: str
    digest: str
    created: datetime
    used: date | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs in to a desk with Entra ID. ``role``: admin or agent.

    ``oid`` within ``tid`` names an account for ever; both are empty until somebody has signed in as ``address``, which
    a listed person was given as, and which may be another's some day. ``by_role``: not listed, let in by an app role.
    ``used``: the last day (UTC) on which they were here; known only from ``People.all``. ``version`` names this state.
    """

    id: str
    address: str
    name: str
    role: str
    added: datetime
    tid: str = ""
    oid: str = ""
    by_role: bool = False
    used: date | None = None
    version: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """An account of Entra's that has just signed in, as Microsoft says. ``address`` and ``name`` are for reading, and
    to find a listed person the first time. ``roles``: app roles given to it in its own tenant. ``is_guest``: its
    address is of somewhere else."""

    tid: str
    oid: str
    address: str
    name: str = ""
    roles: frozenset[str] = frozenset()
    is_guest: bool = False


class People(Protocol):
    """Who may sign in to a desk with Entra ID. Sessions are kept by ``Tenants``, under a person's id."""

    def get(self, tenant: str, id: str) -> Person | None: ...

    def listed(self, tenant: str, address: str) -> Person | None:
        """Who is listed under this address (small letters)."""
        ...

    def known(self, tenant: str, tid: str, oid: str) -> Person | None:
        """Who of the desk this account is."""
        ...

    def all(self, tenant: str) -> tuple[Person, ...]:
        """In order of their addresses."""
        ...

    def add(self, tenant: str, person: Person) -> None:
        """Somebody new. Raises ``RowChanged``, also when the address is listed or the account is known."""
        ...

    def bind(self, tenant: str, person: Person, instead_of: Person | None) -> None:
        """A listed person has an account from now on. ``instead_of``: that same account when an app role had let it in;
        this one goes. Raises ``RowChanged``."""
        ...

    def put(self, tenant: str, person: Person) -> None:
        """Another name or role, if it is still as it was read. Raises ``RowChanged``."""
        ...

    def remove(self, tenant: str, person: Person) -> None:
        """Gone, and the sessions too. Raises ``RowChanged``."""
        ...


class Tenants(Protocol):
    """Tenants, their API keys, and the sessions that were begun with these."""

    def get(self, slug: str) -> Tenant | None: ...

    def put(self, slug: str, name: str, generation: str, now: datetime) -> tuple[Tenant, bool]:
        """Create or rename; whether it was created. ``generation`` serves only a new one."""
        ...

    def switch(self, slug: str, disabled: bool) -> None:
        """Disable it or enable it again. Raises ``RowChanged``, also when it is not there."""
        ...

    def configure(self, before: Tenant, after: Tenant) -> Tenant:
        """Its retention and who of Entra ID gets in, if it is still as it was read. Raises ``RowChanged``."""
        ...

    def of_entra(self, tid: str) -> tuple[Tenant, ...]:
        """Those that let people of this Entra tenant in, in order of their slugs; disabled ones too."""
        ...

    def mails_kept(self, tenant: str, since: datetime, before: datetime, most: int) -> int:
        """How many mails were kept from ``since`` to just before ``before``, counted up to ``most``."""
        ...

    def remove(self, tenant: Tenant, now: datetime) -> None:
        """It, its keys and its sessions are gone; that it was there, and until when, stays written down. Raises
        ``RowChanged``."""
        ...

    def all(self) -> Iterator[Tenant]:
        """In order of their slugs, disabled ones too."""
        ...

    def add_key(self, tenant: str, key: ApiKey, once: bool = False) -> None:
        """A new key. ``once``: a key of this id can never be made again, not even when it was revoked. Raises
        ``RowChanged``."""
        ...

    def key(self, tenant: str, id: str) -> ApiKey | None: ...

    def keys(self, tenant: str) -> tuple[ApiKey, ...]:
        """All of a tenant, the oldest first."""
        ...

    def revoke(self, tenant: str, id: str, besides: str) -> None:
        """Remove a key, and with it its sessions. ``besides``: a key that must still be there when that happens; empty:
        none. Raises ``RowChanged``."""
        ...

    def note_use(self, tenant: str, id: str, day: date) -> None:
        """The key was used on this day: written once, whoever says it how often."""
        ...

    def begin_session(self, tenant: str, key: str, session: str, until: datetime, now: datetime) -> None:
        """Keep a session that was begun with a key; those of the same key that are over go."""
        ...

    def has_session(self, tenant: str, key: str, session: str, until: datetime) -> bool:
        """Whether it was begun, and not ended since. ``until`` as it was when it was begun."""
        ...

    def end_session(self, tenant: str, key: str, session: str, until: datetime) -> None:
        """Nobody can use it any more; nothing if it was over."""
        ...


class Mailboxes(Protocol):
    """Settings of mailboxes."""

    def get(self, tenant: str, mailbox: str) -> Mailbox | None: ...

    def all(self, tenant: str) -> tuple[Mailbox, ...]:
        """In order of their ids."""
        ...

    def put(self, mailbox: Mailbox) -> Mailbox:
        """Store it if it is still as it was read (``version``; empty: it must not exist). Raises ``RowChanged``."""
        ...

    def delete(self, mailbox: Mailbox) -> None:
        """Settings and secrets go; incidents and the ledger stay. Raises ``RowChanged``."""
        ...


class Schedule(Protocol):
    """Who is polled when. Claimed by ETag; everything in it can be made anew."""

    def get(self, tenant: str, mailbox: str) -> Slot | None: ...

    def put(self, slot: Slot) -> Slot:
        """Store it if it is still as it was read (``version``; empty: it must not exist). Raises ``RowChanged``."""
        ...

    def delete(self, slot: Slot) -> None:
        """Remove it if it is still as it was read; nothing if it is not."""
        ...

    def due(self, now: datetime) -> Iterator[Slot]:
        """Enabled mailboxes whose due time has come (some seconds early counts), of all tenants."""
        ...

    def oldest(self, count: int) -> tuple[Slot, ...]:
        """The enabled mailboxes that were made first: they get timers of their own."""
        ...


class Desk(Protocol):
    """A tenant's mail, threads and incidents. Each writing method is one transaction: all of it or nothing.

    After ``RowChanged`` or ``StoreUnavailable`` it is unknown whether the write happened: read again, decide again.
    """

    def cursor(self, tenant: str, mailbox: str, generation: str) -> tuple[str, str]:
        """The stored cursor and its version; two empty strings where there is none."""
        ...

    def move_cursor(self, tenant: str, mailbox: str, generation: str, cursor: str, version: str) -> str:
        """Replace it if it is still at ``version``; the new version. Raises ``RowChanged``."""
        ...

    def keep(self, tenant: str, mails: Sequence[Kept], now: datetime) -> tuple[str, ...]:
        """Rows "pending" for mails that have none yet, or only one that says that their raw was never had or is lost;
        the ids that became pending. Their raw is stored already."""
        ...

    def keep_unfetched(self, tenant: str, mail: Kept, now: datetime) -> None:
        """A row "failed: unfetchable" for a mail that the server does not hand over; nothing if there is one."""
        ...

    def known(self, tenant: str, ids: Iterable[str]) -> frozenset[str]:
        """Which of these mails have a row and need not be fetched (again)."""
        ...

    def inbound(self, tenant: str, id: str) -> Inbound | None: ...

    def pending(self, tenant: str) -> Iterator[tuple[InboundKey, datetime, int]]:
        """The outbox: every undecided mail, oldest first, when its bell was rung last and how often."""
        ...

    def note_ring(self, tenant: str, id: str, now: datetime) -> None:
        """Remember that the bell of a pending mail was rung again; nothing if it is decided by now."""
        ...

    def lose_raw(self, tenant: str, inbound: Inbound, generation: str, trace: Step) -> None:
        """A pending mail whose raw is gone becomes "failed: raw_lost", and the cursor goes back to the beginning, so
        that the server is asked again. Raises ``RowChanged``."""
        ...

    def give_up(self, tenant: str, id: str, now: datetime) -> bool:
        """A pending mail becomes "failed: conversion_failed"; whether it did."""
        ...

    def retry(self, tenant: str, id: str, now: datetime) -> bool:
        """A failed mail whose raw is kept becomes pending again; whether it did."""
        ...

    def release(self, tenant: str, id: str, by: str, now: datetime) -> bool:
        """A held mail, or one that a person discarded, becomes pending, to be taken as if allowed; whether it did.
        ``by``: who said so."""
        ...

    def discard(self, tenant: str, id: str, by: str) -> bool:
        """A held mail becomes "discarded: discarded_by_person"; whether it did. ``by``: who said so."""
        ...

    def thread(self, tenant: str, group: str, message_id: str) -> ThreadEntry | None: ...

    def content(self, tenant: str, digest: str) -> Content:
        """Who holds mail of this content."""
        ...

    def tallies(self, tenant: str, limits: Iterable[Limit]) -> tuple[Tally, ...]:
        """How far each of these limits is used."""
        ...

    def incident(self, tenant: str, number: int) -> Incident | None: ...

    def notes(self, tenant: str, number: int, after: int, limit: int) -> tuple[Note, ...]:
        """Notes with ``seq`` above ``after``, in order."""
        ...

    def file(self, tenant: str, filing: Filing) -> Filed:
        """Outcome, incident, note, thread index, number: in one transaction. Raises ``RowChanged``."""
        ...

    def incidents(
        self,
        tenant: str,
        status: Status | None,
        mailbox: str | None,
        group: str | None,
        after: str,
        limit: int,
    ) -> Page[Incident]:
        """Newest activity first."""
        ...

    def ledger(
        self,
        tenant: str,
        outcome: Outcome | None,
        reason: str | None,
        mailbox: str | None,
        after: str,
        limit: int,
    ) -> Page[Inbound]:
        """Newest first."""
        ...

    def counts(self, tenant: str, mailbox: str) -> dict[Outcome, int]:
        """How many mails of a mailbox have each outcome."""
        ...


@dataclass(frozen=True, slots=True)
class InboundKey:
    """Which mail: what a doorbell says."""

    mailbox: str
    id: str


class Answers(Protocol):
    """What people write at an incident, and the mail that goes out for it. Each writing method is one transaction.

    After ``RowChanged`` or ``StoreUnavailable`` it is unknown whether the write happened: read again, decide again.
    """

    def add(
        self, tenant: str, before: Incident, after: Incident, note: Note, outbound: Outbound | None
    ) -> tuple[str, ...]:
        """A new note, its incident as it is with it, and the mail that sends it; the ids of the events that webhooks
        are to hear of. Raises ``RowChanged``."""
        ...

    def change(self, tenant: str, before: Incident, after: Incident) -> tuple[str, ...]:
        """The incident's status or people, without a note; the ids of the events that webhooks are to hear of. Raises
        ``RowChanged``."""
        ...

    def outbound(self, tenant: str, incident: int, note: int) -> Outbound | None: ...

    def of_incident(self, tenant: str, incident: int, first: int, last: int) -> dict[int, Outbound]:
        """The mails that send the notes ``first`` to ``last``, by note."""
        ...

    def move(self, tenant: str, before: Outbound, after: Outbound) -> Outbound:
        """The next state of a mail, as it is stored. Raises ``RowChanged``."""
        ...

    def open(self, tenant: str) -> Iterator[Outbound]:
        """The outbox: every mail that is queued or being sent."""
        ...

    def undeliverable(self, tenant: str, addresses: Iterable[str]) -> dict[str, str]:
        """Which of these addresses mail came back from, and why."""
        ...

    def note_undeliverable(self, tenant: str, address: str, why: str) -> None:
        """Not written to any more."""
        ...

    def forget_undeliverable(self, tenant: str, address: str) -> None:
        """Written to again; nothing if it was all the time."""
        ...


class Webhooks(Protocol):
    """A tenant's webhooks, the events that wait for them, and the log of what was tried.

    Events are written by ``Desk.file``, ``Answers.add`` and ``Answers.change``, together with the change they tell of.
    """

    def hooks(self, tenant: str) -> Hooks:
        """All of them."""
        ...

    def put(self, tenant: str, hooks: Hooks) -> Hooks:
        """Store them if they are still as they were read. Raises ``RowChanged``."""
        ...

    def forget(self, tenant: str, hook: str) -> None:
        """A deleted webhook's log goes, and how it did."""
        ...

    def standings(self, tenant: str) -> dict[str, Standing]:
        """How those do that were ever tried, by their ids."""
        ...

    def waiting(self, tenant: str, event: str) -> Dispatch | None:
        """An event that some webhook is still to hear of."""
        ...

    def all_waiting(self, tenant: str) -> Iterator[Dispatch]:
        """The outbox: all of them, without their bodies."""
        ...

    def done_with(self, tenant: str, time: datetime, event: str) -> Dispatch | None:
        """An event of this time of which nothing waits any more."""
        ...

    def move(
        self,
        tenant: str,
        before: Dispatch,
        after: Dispatch,
        tried: Attempt | None = None,
        stood: Standing | None = None,
    ) -> Dispatch:
        """The next state of an event, as it is stored, and what is written down with it. Raises ``RowChanged``."""
        ...

    def note(self, tenant: str, tried: Attempt, stood: Standing) -> Attempt:
        """Write down a try that belongs to no stored event: a test. As it is stored."""
        ...

    def log(self, tenant: str, hook: str, after: str, limit: int) -> Page[Attempt]:
        """What was tried at a webhook in the last 30 days, the newest first."""
        ...

    def attempt(self, tenant: str, hook: str, id: str) -> Attempt | None:
        """One line of it."""
        ...


class RawMail(Protocol):
    """Untouched originals and attachments. Written before any row that names them; never changed."""

    def keep(self, tenant: str, id: str, raw: bytes) -> str:
        """Store a mail; storing it again changes nothing. The SHA-256 (hex) of what is stored."""
        ...

    def discard(self, tenant: str, id: str) -> None:
        """Remove a mail that was damaged in storage, so that it can be stored anew."""
        ...

    def get(self, tenant: str, id: str) -> bytes | None: ...

    def keep_attachment(self, tenant: str, sha256: str, content: bytes) -> None:
        """Store content under its own digest, once."""
        ...

    def attachment(self, tenant: str, sha256: str) -> bytes | None: ...


class Secrets(Protocol):
    """Encryption under a key per tenant. A sealed text opens only for the same tenant, mailbox and field."""

    def seal(self, tenant: str, mailbox: str, field: str, text: str) -> str: ...

    def open(self, tenant: str, mailbox: str, field: str, sealed: str) -> str: ...

    def destroy(self, tenant: str) -> None:
        """A deleted tenant's data key goes: nobody can read any of its secrets again."""
        ...

    def begin_rotation(self, tenant: str, now: datetime) -> bool:
        """From now on texts are sealed with a new data key, and the one before still opens. False while a rotation is
        going on, and where there is no key."""
        ...

    def rotating(self) -> Iterator[tuple[str, datetime]]:
        """Tenants whose rotation is not at its end, and since when it goes on."""
        ...

    def is_current(self, tenant: str, mailbox: str, field: str, sealed: str) -> bool:
        """Whether it is sealed with the newest data key."""
        ...

    def end_rotation(self, tenant: str) -> None:
        """The data key from before goes: what is still sealed with it is lost."""
        ...

    def rewrap(self, most: int) -> int:
        """Data keys that an older version of the wrapping key has wrapped are wrapped by its newest; how many were."""
        ...

    def app_key(self, purpose: str) -> bytes:
        """32 bytes that only this app knows, the same for ever, another for each purpose."""
        ...


class Transcripts(Protocol):
    """Conversations with mail servers, kept for a day."""

    def add(self, tenant: str, mailbox: str, lines: Sequence[str], now: datetime) -> None:
        """Keep one conversation; those older than a day go."""
        ...

    def read(self, tenant: str, mailbox: str, now: datetime) -> list[str]:
        """All lines of the last day, the oldest conversation first."""
        ...

    def forget(self, tenant: str, mailbox: str) -> None:
        """Remove all of a mailbox."""
        ...


class SignIns(Protocol):
    """Sign-ins at Microsoft that were begun, each taken once; and the sealed token caches of those that succeeded."""

    def begin(self, state: str, sealed: str, until: datetime, now: datetime) -> None:
        """Keep what is needed to finish it."""
        ...

    def take(self, state: str, now: datetime) -> str | None:
        """What ``begin`` kept, gone for everybody else from now on; None when unknown, taken or too old."""
        ...

    def cache(self, tenant: str, mailbox: str) -> tuple[str, str]:
        """The sealed token cache and its version; two empty strings where nobody signed in."""
        ...

    def put_cache(self, tenant: str, mailbox: str, sealed: str, version: str) -> str:
        """Replace it if it is still at ``version``; the new version. Raises ``RowChanged``."""
        ...

    def forget_cache(self, tenant: str, mailbox: str) -> None: ...


class Microsoft(Protocol):
    """Microsoft's sign-in page, for the app that a mailbox names. Raises ``SettingsError``, ``ServerError``."""

    def begin_sign_in(self, mailbox: Mailbox, redirect_uri: str) -> Mapping[str, Any]:
        """What is needed to finish it; ``auth_uri`` is where the browser goes, ``state`` comes back with it."""
        ...

    def finish_sign_in(self, mailbox: Mailbox, flow: Mapping[str, Any], params: Mapping[str, str]) -> tuple[str, str]:
        """Who signed in (for people to read), and the token cache. Raises ``NotAllowed`` for a forged callback."""
        ...

    def credential_end(self, mailbox: Mailbox, watch: Watch) -> Finding:
        """When the app's client secret or certificate ends, where that can be read. Never says that it failed."""
        ...


class Entra(Protocol):
    """Microsoft's sign-in for the page itself, by the app that the cloud admin registered. Raises ``SettingsError``
    and ``ServerError``."""

    def begin(self, redirect_uri: str, state: str) -> Mapping[str, Any]:
        """What is needed to finish it; ``auth_uri`` is where the browser goes, ``state`` comes back with it."""
        ...

    def finish(self, flow: Mapping[str, Any], params: Mapping[str, str]) -> Identity:
        """Who signed in. Raises ``NotAllowed`` for a callback that does not belong to ``flow``, and for an identity
        that is old, for another app or of another issuer."""
        ...


class Queues(Protocol):
    """Doorbells."""

    def ring_inbound(self, tenant: str, mailbox: str, id: str) -> None: ...

    def ring_poll(self, tenant: str, mailbox: str) -> None: ...

    def ring_outbound(self, tenant: str, incident: int, note: int, delay: float = 0) -> None:
        """``delay``: seconds until it is heard, at most 7 days."""
        ...

    def ring_webhook(self, tenant: str, event: str, delay: float = 0) -> None:
        """``delay``: as above."""
        ...


class Forgetting(Protocol):
    """A person's traces in storage, and the orders to erase them."""

    def all(self, tenant: str | None = None) -> Iterator[Erasure]:
        """The erasures of a tenant, or of all."""
        ...

    def get(self, tenant: str, id: str) -> Erasure | None: ...

    def save(self, erasure: Erasure) -> Erasure:
        """Store it if it is still as it was read (``version``; empty: it must not exist). Raises ``RowChanged``."""
        ...

    def stretch(
        self, tenant: str, id: str, phase: str, person: DataSubject, place: str, most: int, dry: bool
    ) -> Stretch:
        """Erase the person from some rows of this phase, those behind ``place``. ``dry``: only count."""
        ...


# ── the whole ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class App:
    """Everything a flow may use.

    ``now`` is the clock; ``random`` gives that many unguessable bytes; ``sleep`` waits some seconds; ``open`` opens a
    mailbox on its server, ``courier`` the way out for its answers, ``post`` that to receivers of webhooks; ``record``
    makes a watch that writes down what it sees; ``discover`` finds the servers of an address; ``needs_no_secret`` says
    whether the app that a tenant names at Microsoft trusts our own identity; ``judge_host`` raises ``AddressForbidden``
    for a server that tenants may not reach; ``healthy`` says whether storage answers; ``entra`` signs people in to the
    pages, None where that is not set up; ``retention_days`` is how long the service keeps raw mail at most, 0 for ever.
    """

    tenants: Tenants
    people: People
    mailboxes: Mailboxes
    schedule: Schedule
    desk: Desk
    answers: Answers
    webhooks: Webhooks
    raw: RawMail
    secrets: Secrets
    forgetting: Forgetting
    queues: Queues
    now: Callable[[], datetime]
    random: Callable[[int], bytes]
    sleep: Callable[[float], None]
    open: Opener
    courier: CourierOpener
    post: Post
    record: Callable[[], Recording]
    transcripts: Transcripts
    sign_ins: SignIns
    microsoft: Microsoft
    discover: Callable[[str], Discovery]
    needs_no_secret: Callable[[str, Settings], bool]
    judge_host: Callable[[str, int], None]
    healthy: Callable[[], bool]
    check_dkim: Callable[[bytes], tuple[DkimCheck, ...]]
    entra: Entra | None = None
    retention_days: int = 0
