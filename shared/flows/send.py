"""Send one answer: from the queue, at least once heard, at most once handed over without a person knowing.

Before the server is told the mail, the row says "sending"; after it answered, "sent". Whoever finds "sending" that is
too old does not know, and says so: "it may have been sent". The Message-ID is always the same for the same note.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from shared import log
from shared.errors import InboundError, NotSent, RowChanged, ServerError, SettingsError, StoreError, StoreUnavailable
from shared.flows import logins
from shared.flows.letter import letter
from shared.flows.logins import Turn
from shared.flows.settling import not_sent, not_taken, refusals_of, ring, settle, taken, wait, words_of
from shared.model.mailbox import Mailbox
from shared.model.outbound import (
    GIVE_UP_AFTER,
    Outbound,
    SendKind,
    SendState,
    ended,
    given_up,
    sending,
)
from shared.ports import App, Courier, Sent

RING_AGAIN_SECONDS = 180
"""A mail that is due and was not rung for as long has lost its bell."""

MAX_RINGS = 500
"""Of one tenant in one run: a rescue must not become a flood."""

EARLY_SECONDS = 30.0
"""What the clocks of two machines may differ by: a bell that is heard so much too early rings again. Below the
shortest pause between two tries."""

MAX_HURRIED = 50
"""Mails that are rung for while somebody who saved settings waits for the answer; the others come by themselves."""

CLAIM_BYTES = 8

INTERRUPTED = "It may have been sent: sending it was interrupted, and nobody knows how far it had come."
CAME_BACK = "mail to this address came back before"


def send(app: App, tenant: str, incident: int, note: int) -> None:
    """Send the mail of a note if it is queued and due; else nothing. Raises ``StoreError``: the queue tries again."""
    outbound = app.answers.outbound(tenant, incident, note)
    if outbound is None or not outbound.is_open:
        return
    early = (outbound.due - app.now()).total_seconds() if outbound.due is not None else 0.0
    if early > 0:  # it waits, or somebody is sending it: then the rescue rings
        if outbound.state is SendState.QUEUED and early <= EARLY_SECONDS:
            app.queues.ring_outbound(tenant, incident, note, early)
        return
    with suppress(RowChanged):  # another delivery of the same bell is at it
        if outbound.state is SendState.SENDING:
            settle(app, tenant, outbound, ended(outbound, SendState.IN_DOUBT, INTERRUPTED))
            return
        mailbox = app.mailboxes.get(tenant, outbound.mailbox)
        if mailbox is None or not mailbox.settings.outgoing.enabled:
            said = "Its mailbox was deleted." if mailbox is None else "The mailbox has no outgoing server any more."
            settle(app, tenant, outbound, not_sent(outbound, said))
            return
        _try(app, tenant, mailbox, outbound)


def give_up(app: App, tenant: str, incident: int, note: int) -> None:
    """The queue tried as often as it does. For a day the rescue rings again; then the mail is given up. Never raises
    what storage does: a message on a poison queue has nowhere to go."""
    log.event("send_gave_up", logging.ERROR, tenant=tenant, incident=incident, note=note)
    try:
        outbound = app.answers.outbound(tenant, incident, note)
        if outbound is None or outbound.state is not SendState.QUEUED or outbound.since is None:
            return
        if app.now() - outbound.since > GIVE_UP_AFTER:
            said = outbound.said or "Sending it failed within Inbound: tell whoever runs this service."
            settle(app, tenant, outbound, given_up(outbound, said))
    except StoreError as error:
        log.event("give_up_failed", logging.ERROR, tenant=tenant, incident=incident, note=note, code=error.code)


def rescue(app: App, tenant: str) -> int:
    """Ring for mails whose bell was lost. How many."""
    rung = 0
    now = app.now()
    for outbound in app.answers.open(tenant):
        late = (now - (outbound.due or now)).total_seconds()
        if late >= RING_AGAIN_SECONDS or (outbound.state is SendState.SENDING and late >= 0):
            app.queues.ring_outbound(tenant, outbound.incident, outbound.note)
            rung += 1
        if rung == MAX_RINGS:
            break
    return rung


def hurry(app: App, tenant: str, mailbox: str, most: int = MAX_RINGS) -> int:
    """The mails of a mailbox that wait for their next try are due now: what stopped them may be mended. How many."""
    rung, now = 0, app.now()
    for outbound in app.answers.open(tenant):
        waits = outbound.state is SendState.QUEUED and outbound.due is not None and outbound.due > now
        if outbound.mailbox != mailbox or not waits:
            continue
        with suppress(RowChanged):  # something happens to it, so it does not wait
            app.answers.move(tenant, outbound, replace(outbound, due=now, rung=now))
            ring(app, tenant, outbound.incident, outbound.note)
            rung += 1
        if rung == most:
            break
    return rung


def _try(app: App, tenant: str, mailbox: Mailbox, outbound: Outbound) -> None:
    outbound, recipients = _living(app, tenant, outbound)
    if not recipients:
        said = refusals_of(outbound) or "There is nobody to send it to."
        settle(app, tenant, outbound, not_sent(outbound, said))
        return
    # First, as thousands may wait, and each of them is read with its attachments to be written.
    turn = logins.take_turn(app, mailbox)
    if isinstance(turn, datetime):
        wait(app, tenant, outbound, logins.WAITS, turn)
        return
    try:
        raw = letter(app, tenant, mailbox, outbound, recipients)
    except BaseException as error:
        logins.undecided(app, mailbox, turn)
        if not isinstance(error, NotSent):
            raise
        settle(app, tenant, outbound, not_sent(outbound, words_of(error)))
        return
    claimed: Outbound | None = None
    sent: Sent | None = None
    try:
        with app.courier(mailbox) as courier:
            # Only now: a log-in that fails leaves no doubt.
            claimed = _claim(app, tenant, outbound)
            sent = _hand_over(courier, mailbox, outbound, raw, recipients)
    except StoreError:
        logins.undecided(app, mailbox, turn)
        raise
    except (SettingsError, ServerError) as error:
        if sent is None:
            _failed(app, tenant, mailbox, outbound, claimed, error, turn)
            return
        # The server has taken it; what went wrong at saying goodbye takes nothing of that away.
    assert claimed is not None
    assert sent is not None
    taken(app, tenant, claimed, recipients, sent)
    _let_in(app, tenant, mailbox, turn)


def _let_in(app: App, tenant: str, mailbox: Mailbox, turn: Turn) -> None:
    if logins.let_in(app, mailbox, turn):
        hurry(app, tenant, mailbox.id)


def _living(app: App, tenant: str, outbound: Outbound) -> tuple[Outbound, tuple[str, ...]]:
    """Who is to get it now; the others of those who wait for it are said to have been left out."""
    dead = app.answers.undeliverable(tenant, outbound.waiting)
    refused = (*outbound.refused, *((one, f"{CAME_BACK} ({why})") for one, why in dead.items()))
    living = replace(outbound, refused=refused)
    return living, living.waiting


def _claim(app: App, tenant: str, outbound: Outbound) -> Outbound:
    """From now on it is ours to send. Raises ``StoreError``: then nothing may be sent."""
    wanted = sending(outbound, app.now(), app.random(CLAIM_BYTES).hex())
    try:
        return app.answers.move(tenant, outbound, wanted)
    except (RowChanged, StoreUnavailable):
        # It may be our own write whose answer was lost.
        found = app.answers.outbound(tenant, outbound.incident, outbound.note)
        if found is None or found.claim != wanted.claim:
            raise
        return found


def _hand_over(courier: Courier, mailbox: Mailbox, outbound: Outbound, raw: bytes, recipients: Sequence[str]) -> Sent:
    # RFC 3834: what a machine answers has no envelope sender, so that nobody's machine answers that.
    sender = "" if outbound.kind is SendKind.ACKNOWLEDGEMENT else mailbox.settings.email
    return courier.send(raw, sender, recipients)


def _failed(
    app: App,
    tenant: str,
    mailbox: Mailbox,
    outbound: Outbound,
    claimed: Outbound | None,
    error: InboundError,
    turn: Turn,
) -> None:
    if isinstance(error, logins.REFUSALS):
        until = logins.refused(app, mailbox, turn, error)
        tried = claimed or replace(outbound, attempts=outbound.attempts + 1)
        wait(app, tenant, tried, f"{words_of(error)} {logins.WAITS}", until)
        return
    not_taken(app, tenant, outbound, claimed, error)
    if claimed:
        _let_in(app, tenant, mailbox, turn)
    else:
        logins.undecided(app, mailbox, turn)
