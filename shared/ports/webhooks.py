"""Receivers of webhooks, and what is kept of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.model.webhook import Attempt, Dispatch, Hooks, Standing
from shared.ports.paging import Page


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
