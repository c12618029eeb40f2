"""On which day a key was used last: known to the day, written at most once a day, and no request waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import date

from shared.errors import StoreError
from shared.flows.tenants import Caller
from shared.ports import App

MAX_REMEMBERED = 10_000
"""Keys of which this process knows that it is written down; then it begins anew, and reads it once more each."""

Later = Callable[[Callable[[], None]], None]
"""Runs something some time."""


def in_background(job: Callable[[], None]) -> None:
    """On a thread of its own: one for each key and day, so there are few."""
    threading.Thread(target=job, daemon=True).start()


class LastUsed:
    """Writes down which keys are in use."""

    def __init__(self, app: App, later: Later) -> None:
        self._app = app
        self._later = later
        self._known: dict[str, date] = {}

    def note(self, caller: Caller) -> None:
        """This caller's key is being used. Returns at once, and never fails."""
        today = self._app.now().date()
        name = f"{caller.tenant}/{caller.key_id}"
        if self._known.get(name) == today:
            return
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[name] = today

        def write() -> None:
            # It is only for people to look at: if storage is away now, another process or another day says it.
            with suppress(StoreError):
                self._app.tenants.note_use(caller.tenant, caller.key_id, today)

        self._later(write)
