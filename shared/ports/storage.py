"""Mailboxes and what they need: schedule, secrets, transcripts, queues."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from shared.model.mailbox import Mailbox
from shared.model.schedule import Slot


class Mailboxes(Protocol):
    """Settings of mailboxes."""

    def get(self, tenant: str, mailbox: str) -> Mailbox | None: ...

    def all(self, tenant: str) -> tuple[Mailbox, ...]:
        """In order of their ids."""
        ...

    def own_addresses(self, tenant: str) -> frozenset[str]:
        """``model.mailbox.own_addresses`` of all of them as they are now, without reading them all each time."""
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

    def of(self, tenant: str, mailboxes: Collection[str]) -> dict[str, Slot]:
        """The slots of these mailboxes of a tenant, by mailbox, in few requests however many they are."""
        ...

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
        """Data keys that an older version of the wrapping key has wrapped are wrapped by its newest; how many were.

        Raises ``StoreUnavailable`` or ``ConfigError`` at the end: one that cannot be unwrapped holds up no other.
        """
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
