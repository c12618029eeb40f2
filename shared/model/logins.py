"""Log-ins that the outgoing server of a mailbox refused: counted for all of its mails together, so that no account is
locked however many of them wait."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from shared.errors import InboundError
from shared.model.mailbox import Mailbox
from shared.model.schedule import MAX_REFUSALS, Slot

PAUSE = timedelta(minutes=5)
"""After the first refusal; twice that after the second. Longer than a conversation with a server may take, so that
whoever tries alone is done when the next one may."""

LOOK_AGAIN = timedelta(minutes=15)
"""How often a mail that waits for other settings looks for them by itself. Saving settings wakes it at once."""


def settings_digest(mailbox: Mailbox) -> str:
    """What log-ins are made with: another server, user name or secret is another log-in."""
    settings = mailbox.settings
    outgoing = (settings.server_type, settings.email, settings.username, settings.client_id, settings.tenant_id)
    told = repr((outgoing, settings.outgoing.model_dump(exclude={"from_name"}), mailbox.secrets))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def is_doubted(slot: Slot) -> bool:
    """Whether the last log-in was refused, with these settings or earlier ones: then one mail tries at a time."""
    return slot.out_refusals > 0


def waits_until(slot: Slot, digest: str, now: datetime) -> datetime | None:
    """Until when no mail of the mailbox may log in; None when one may."""
    if not is_doubted(slot) or slot.out_settings != digest:
        return None
    if slot.out_refusals >= MAX_REFUSALS:
        return now + LOOK_AGAIN
    return slot.out_not_before if slot.out_not_before is not None and slot.out_not_before > now else None


def is_refused(slot: Slot, digest: str) -> bool:
    """Whether the last log-in with these settings was refused: mail waits. Not known of settings that nobody tried."""
    return is_doubted(slot) and slot.out_settings == digest


def next_try(slot: Slot) -> datetime | None:
    """When a mail that waits may log in; None where it waits for other settings."""
    return slot.out_not_before if slot.out_refusals < MAX_REFUSALS else None


def refused(slot: Slot, digest: str, now: datetime) -> Slot:
    """One more refusal; also written before a try that is in doubt, so that a crash in it is counted."""
    again = is_refused(slot, digest)
    refusals = 1 + (slot.out_refusals if again else 0)
    pause = PAUSE * 2 ** (min(refusals, MAX_REFUSALS) - 1)
    since = slot.out_since if again else now
    return replace(slot, out_refusals=refusals, out_settings=digest, out_not_before=now + pause, out_since=since)


def told(slot: Slot, error: InboundError) -> Slot:
    """What the outgoing server, or who gives the tokens for it, said when it refused."""
    return replace(slot, out_code=error.code, out_message=error.message, out_fix=error.fix)


def undecided(slot: Slot, before: Slot) -> Slot:
    """A try that was counted beforehand did not come to its log-in: as if it had not been made."""
    return replace(
        slot,
        out_refusals=before.out_refusals,
        out_settings=before.out_settings,
        out_not_before=before.out_not_before,
        out_since=before.out_since,
    )


def let_in(slot: Slot) -> Slot:
    """The server took the log-in: nobody needs to wait."""
    return _untold(replace(slot, out_refusals=0, out_settings="", out_not_before=None, out_since=None))


def mended(slot: Slot) -> Slot:
    """A person saved settings or asked for a poll: the count begins anew, one mail at a time until one was let in."""
    return _untold(replace(slot, out_settings="", out_not_before=None, out_since=None))


def _untold(slot: Slot) -> Slot:
    return replace(slot, out_code="", out_message="", out_fix="")
