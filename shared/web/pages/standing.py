"""How mailboxes do, as far as lists may ask every ten seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from shared.model.mailbox import Mailbox
from shared.model.reason import Outcome
from shared.model.schedule import Slot
from shared.ports import App

MOST_HELD = 100
"""Held mails are counted up to here: it is asked every ten seconds, and beyond it the number changes nothing."""


def held(app: App, tenant: str, mailboxes: Iterable[Mailbox]) -> Mapping[str, int]:
    """Held mails by mailbox, each up to ``MOST_HELD``."""
    newest = app.desk.ledger(tenant, Outcome.HELD, None, None, "", MOST_HELD)
    if newest.next is None:
        return Counter(mail.mailbox for mail in newest.items)
    return {
        mailbox.id: len(app.desk.ledger(tenant, Outcome.HELD, None, mailbox.id, "", MOST_HELD).items)
        for mailbox in mailboxes
    }


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
