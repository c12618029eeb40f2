"""What mail servers promise: mail comes in by a Source and goes out by a Courier, and a Watch sees all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self, runtime_checkable

from shared.model.mailbox import Mailbox


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
