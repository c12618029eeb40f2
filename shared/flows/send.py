"""Send one answer: from the queue, at least once heard, at most once handed over without a person knowing.

Before the server is told the mail, the row says "sending"; after it answered, "sent". Whoever finds "sending" that is
too old does not know, and says so: "it may have been sent". The Message-ID is always the same for the same note.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from shared import log
from shared.errors import InboundError, NotSent, RowChanged, ServerError, SettingsError, StoreError, StoreUnavailable
from shared.flows.letter import letter
from shared.model.mailbox import Mailbox
from shared.model.outbound import GIVE_UP_AFTER, Outbound, SendKind, SendState, again_later, ended, given_up, sending
from shared.ports import App, Courier, Sent

RING_AGAIN_SECONDS = 180
"""A mail that is due and was not rung for as long has lost its bell."""

MAX_RINGS = 500
"""Of one tenant in one run: a rescue must not become a flood."""

EARLY_SECONDS = 30.0
"""What the clocks of two machines may differ by: a bell that is heard so much too early rings again. Below the
shortest pause between two tries."""

MAX_REFUSALS = 3
"""Times that wrong settings are tried: more log-ins would lock the account."""

SETTLE_TRIES = 4
"""Times that an outcome is written when storage does not answer: what is not written down is in doubt for ever."""

CLAIM_BYTES = 8

IN_DOUBT = "It may have been sent: the connection was lost before the server said whether it took the mail."
INTERRUPTED = "It may have been sent: sending it was interrupted, and nobody knows how far it had come."
CAME_BACK = "mail to this address came back before"

Next = Callable[[Outbound], Outbound]
"""What a row becomes, from what it is."""


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
            _settle(app, tenant, outbound, ended(outbound, SendState.IN_DOUBT, INTERRUPTED))
            return
        mailbox = app.mailboxes.get(tenant, outbound.mailbox)
        if mailbox is None or not mailbox.settings.outgoing.enabled:
            said = "Its mailbox was deleted." if mailbox is None else "The mailbox has no outgoing server any more."
            _settle(app, tenant, outbound, _not_sent(outbound, said))
            return
        _try(app, tenant, mailbox, outbound)


def ring(app: App, tenant: str, incident: int, note: int, delay: float = 0.0) -> None:
    """Ring for a mail that is stored. Whether it is heard does not matter: what is stored is sent, by the rescue."""
    try:
        app.queues.ring_outbound(tenant, incident, note, delay)
    except StoreError as error:
        log.event("ring_failed", logging.WARNING, tenant=tenant, incident=incident, note=note, code=error.code)


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
            _settle(app, tenant, outbound, given_up(outbound, said))
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


def _try(app: App, tenant: str, mailbox: Mailbox, outbound: Outbound) -> None:
    outbound, recipients = _living(app, tenant, outbound)
    if not recipients:
        said = _refusals(outbound) or "There is nobody to send it to."
        _settle(app, tenant, outbound, _not_sent(outbound, said))
        return
    try:
        raw = letter(app, tenant, mailbox, outbound, recipients)
    except NotSent as error:
        _settle(app, tenant, outbound, _not_sent(outbound, _words(error)))
        return
    claimed: Outbound | None = None
    sent: Sent | None = None
    try:
        with app.courier(mailbox) as courier:
            # Only now: a log-in that fails leaves no doubt.
            claimed = _claim(app, tenant, outbound)
            sent = _hand_over(courier, mailbox, outbound, raw, recipients)
    except (SettingsError, ServerError) as error:
        if sent is None:
            _failed(app, tenant, outbound, claimed, error)
            return
        # The server has taken it; what went wrong at saying goodbye takes nothing of that away.
    assert claimed is not None
    assert sent is not None
    _sent(app, tenant, claimed, recipients, sent)


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


def _sent(app: App, tenant: str, claimed: Outbound, recipients: Sequence[str], sent: Sent) -> None:
    words = {one: f"{why.status} {why.text}".strip() for one, why in sent.refused.items()}
    later = [one for one in recipients if one in sent.refused and not sent.refused[one].permanent]

    def told(before: Outbound) -> Outbound:
        got = (*before.got, *(one for one in recipients if one not in sent.refused))
        never = ((one, words[one]) for one in recipients if one in sent.refused and one not in later)
        return replace(before, got=got, refused=(*claimed.refused, *never))

    if later:
        # Greylisting and the like. Only they are written to again: nothing is doubled.
        said = "; ".join(f"{one} is tried again: {words[one]}" for one in later)
        _later(app, tenant, claimed, told, said, None)
        return

    def done(before: Outbound) -> Outbound:
        after = told(before)
        return ended(after, SendState.SENT if after.got else SendState.FAILED, _refusals(after))

    _settle_claimed(app, tenant, claimed, done)


def _failed(app: App, tenant: str, outbound: Outbound, claimed: Outbound | None, error: InboundError) -> None:
    said = _words(error)
    tried = claimed.attempts if claimed else outbound.attempts + 1
    if isinstance(error, NotSent) and error.in_doubt:
        _end(app, tenant, outbound, claimed, lambda one: ended(one, SendState.IN_DOUBT, f"{IN_DOUBT} {said}"))
    elif (isinstance(error, NotSent) and error.permanent) or (
        isinstance(error, SettingsError) and tried >= MAX_REFUSALS
    ):
        _end(app, tenant, outbound, claimed, lambda one: _not_sent(one, said))
    else:
        retry_after = error.retry_after if isinstance(error, ServerError) else None
        if claimed:
            _later(app, tenant, claimed, lambda one: one, said, retry_after)
        else:
            after = again_later(outbound, said, retry_after, app.now())
            _settle(app, tenant, outbound, after)
            _ring_later(app, tenant, after)


def _end(app: App, tenant: str, outbound: Outbound, claimed: Outbound | None, after: Next) -> None:
    if claimed:
        _settle_claimed(app, tenant, claimed, after)
    else:
        _settle(app, tenant, outbound, after(outbound))


def _later(app: App, tenant: str, claimed: Outbound, told: Next, said: str, retry_after: float | None) -> None:
    now = app.now()
    settled = _settle_claimed(
        app,
        tenant,
        claimed,
        lambda one: again_later(replace(told(one), state=SendState.SENDING), said, retry_after, now),
    )
    _ring_later(app, tenant, settled)


def _ring_later(app: App, tenant: str, after: Outbound) -> None:
    if after.state is SendState.QUEUED and after.due is not None:
        ring(app, tenant, after.incident, after.note, max(0.0, (after.due - app.now()).total_seconds()))


def _not_sent(outbound: Outbound, said: str) -> Outbound:
    """Nobody who still waits for it gets it; some may have got it before."""
    refused = outbound.refused
    if outbound.got:
        refused = (*refused, *((one, said) for one in outbound.waiting))
    return ended(replace(outbound, refused=refused), SendState.SENT if outbound.got else SendState.FAILED, said)


def _refusals(outbound: Outbound) -> str:
    return "; ".join(f"{one} did not get it: {why}" for one, why in outbound.refused)


def _words(error: InboundError) -> str:
    return f"{error.message} {error.fix}".strip()


def _settle_claimed(app: App, tenant: str, claimed: Outbound, after: Next) -> Outbound:
    """Write down what became of a mail that was handed over, however storage behaves meanwhile: what is known now,
    nobody else knows. Returns it as it is stored then."""
    before = claimed
    for attempt in range(SETTLE_TRIES):
        try:
            return _settle(app, tenant, before, after(before))
        except (RowChanged, StoreUnavailable):
            if attempt + 1 == SETTLE_TRIES:
                raise
        app.sleep(0.5 * 2**attempt)
        with suppress(StoreUnavailable):
            found = app.answers.outbound(tenant, claimed.incident, claimed.note)
            if found is None or found.claim != claimed.claim:
                return claimed  # a person had it sent again meanwhile
            if found.state not in (SendState.SENDING, SendState.IN_DOUBT):
                return found  # it was written, and only the answer was lost; or a bounce came already
            before = found
    raise AssertionError("the last try returns or raises")


def _settle(app: App, tenant: str, before: Outbound, after: Outbound) -> Outbound:
    moved = app.answers.move(tenant, before, after)
    log.event(
        "mail_out",
        tenant=tenant,
        mailbox=before.mailbox,
        incident=before.incident,
        note=before.note,
        state=after.state.value,
        attempts=after.attempts,
    )
    return moved
