"""A tenant's mail and incidents: one partition, one transaction for each step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.model.erasing import DataSubject, Erasure, Stretch
from shared.model.inbound import Content, Counts, Filed, Filing, HeldMail, Inbound, Kept, Step, ThreadEntry
from shared.model.incident import Incident, Note, Status
from shared.model.limits import Limit, Tally
from shared.model.outbound import Outbound
from shared.model.reason import Outcome
from shared.ports.paging import Page


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

    def counts(self, tenant: str, mailbox: str) -> Counts:
        """How many mails of a mailbox have each outcome, as far as a bounded look at the tenant's newest tells."""
        ...

    def held(self, tenant: str, most: int) -> HeldMail:
        """How many of the tenant's newest held mails, ``most`` at most, each mailbox has."""
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
