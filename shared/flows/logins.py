"""Whether a mail may log in at its mailbox's outgoing server just now: after a refusal one tries at a time, and after
three none does until the settings change.

The count stands in the mailbox's slot of the schedule, beside that of the polls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.errors import ConsentNeeded, InboundError, LoginRefused, RowChanged, SecretExpired
from shared.model import logins
from shared.model.mailbox import Mailbox
from shared.model.schedule import Slot
from shared.ports import App

REFUSALS = (LoginRefused, ConsentNeeded, SecretExpired)
"""Trying these on and on would lock the account, and only the tenant can mend them."""

TRIES = 5
"""Polls and other mails write to the same slot."""

SOON = timedelta(minutes=1)
"""Where even that was not enough, somebody else has got the turn."""

WAITS = (
    "It waits: the outgoing server does not accept the log-in of this mailbox. Correct user name or password in the "
    "mailbox's settings and save them; then it is sent by itself."
)


IN_DOUBT = (
    "login_in_doubt",
    "Whether the outgoing server accepts the log-in of this mailbox is not known: a try did not come to its end.",
    "Wait for the next one. If that stays so, check user name and password in the mailbox's settings.",
)
"""Code, message and fix where a log-in counts as refused and nobody said why."""


@dataclass(frozen=True, slots=True)
class Sending:
    """How sending does for a mailbox. ``state``: off (no outgoing server), ok, or waiting: its log-in was refused, and
    mail waits. ``waiting_since``: the first refusal of these settings. ``error``: code, message, fix. ``next_try``:
    None where it waits for a person, who saves settings or presses "poll now"."""

    state: str
    waiting_since: datetime | None = None
    error: tuple[str, str, str] | None = None
    next_try: datetime | None = None


def sending(mailbox: Mailbox, slot: Slot | None) -> Sending:
    """How sending does, as its slot tells."""
    if not mailbox.settings.outgoing.enabled:
        return Sending("off")
    if slot is None or not logins.is_refused(slot, logins.settings_digest(mailbox)):
        return Sending("ok")
    error = (slot.out_code, slot.out_message, slot.out_fix) if slot.out_code else IN_DOUBT
    return Sending("waiting", slot.out_since, error, logins.next_try(slot))


@dataclass(frozen=True, slots=True)
class Turn:
    """A mail may log in now. ``before``: how the slot was before this try was counted; None where nothing speaks
    against trying, and any number may try at once."""

    before: Slot | None = None


def take_turn(app: App, mailbox: Mailbox) -> Turn | datetime:
    """A turn, or until when to wait. In doubt it is counted as refused before it is made."""
    digest = logins.settings_digest(mailbox)
    for _ in range(TRIES):
        now = app.now()
        slot = app.schedule.get(mailbox.tenant, mailbox.id)
        if slot is None or not logins.is_doubted(slot):
            return Turn()
        if (until := logins.waits_until(slot, digest, now)) is not None:
            return until
        try:
            app.schedule.put(logins.refused(slot, digest, now))
        except RowChanged:
            continue
        return Turn(slot)
    return app.now() + SOON


def refused(app: App, mailbox: Mailbox, turn: Turn, error: InboundError) -> datetime:
    """The server refused the log-in, and said why. Until when the mail waits."""
    digest = logins.settings_digest(mailbox)

    def change(slot: Slot) -> Slot:
        if turn.before is None:
            slot = logins.refused(slot, digest, app.now())
        # Counted beforehand; somebody may have saved other settings meanwhile.
        return logins.told(slot, error) if logins.is_refused(slot, digest) else slot

    _change(app, mailbox, change)
    slot = app.schedule.get(mailbox.tenant, mailbox.id)
    return (logins.waits_until(slot, digest, app.now()) if slot else None) or app.now() + SOON


def undecided(app: App, mailbox: Mailbox, turn: Turn) -> None:
    """The server was not asked to let us in, or did not say."""
    before, digest = turn.before, logins.settings_digest(mailbox)
    if before is not None:
        _change(app, mailbox, lambda slot: logins.undecided(slot, before) if slot.out_settings == digest else slot)


def let_in(app: App, mailbox: Mailbox, turn: Turn) -> bool:
    """The server took the log-in. Whether others waited for that."""
    if turn.before is None:
        return False
    _change(app, mailbox, logins.let_in)
    return True


def _change(app: App, mailbox: Mailbox, change: Callable[[Slot], Slot]) -> None:
    for _ in range(TRIES):
        slot = app.schedule.get(mailbox.tenant, mailbox.id) or _new_slot(app, mailbox)
        after = change(slot) if slot is not None else None
        if after is None or after == slot:
            return
        try:
            app.schedule.put(after)
        except RowChanged:
            continue
        return


def _new_slot(app: App, mailbox: Mailbox) -> Slot | None:
    """A mailbox that is not polled may have none; one that was deleted meanwhile is to get none."""
    if app.mailboxes.get(mailbox.tenant, mailbox.id) is None:
        return None
    settings = mailbox.settings
    return Slot(mailbox.tenant, mailbox.id, settings.polling_minutes, settings.enabled, mailbox.created, app.now())
