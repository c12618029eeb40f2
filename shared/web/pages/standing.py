"""How mailboxes do, as far as pages may ask every ten seconds."""

from __future__ import annotations

from shared.model.mailbox import Mailbox
from shared.model.schedule import Slot

MOST_HELD_IN_LISTS = 1_000
"""Held mails of the tenant that lists look at: one request, asked every ten seconds."""

MOST_HELD = 5_000
"""The same for the page of a mailbox, which has the number as its subject."""


def state(mailbox: Mailbox, slot: Slot | None) -> str:
    """disabled, new (never polled), ok, failing (tried again later) or paused (the tenant must act first)."""
    # Not ``flows.mailboxes.status``: it counts mail as well, too much for what is asked every ten seconds.
    if not mailbox.settings.enabled:
        return "disabled"
    if slot is None or slot.last_poll is None:
        return "new"
    if slot.paused:
        return "paused"
    return "failing" if slot.failures else "ok"
