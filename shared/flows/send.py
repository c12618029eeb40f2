"""Send one answer: from the queue, at least once heard, at most once handed over without a person knowing.

Before the server is told the mail, the row says "sending"; after it answered, "sent". Whoever finds "sending" that is
too old does not know, and says so: "it may have been sent". The Message-ID is always the same for the same note.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

from shared import log
from shared.errors import InboundError, NotSent, RowChanged, ServerError, SettingsError, StoreUnavailable
from shared.flows.letter import letter
from shared.model.mailbox import Mailbox
from shared.model.outbound import Outbound, SendKind, SendState, again_later, ended, sending
from shared.ports import App, Courier, Sent

RING_AGAIN_SECONDS = 180
"""A mail that is due and was not rung for as long has lost its bell."""

MAX_REFUSALS = 3

SETTLE_TRIES = 4
"""Times that "sent" is written when storage does not answer: what is not written down is in doubt for ever."""

IN_DOUBT = "It may have been sent: the connection was lost before the server said whether it took the mail."


def send(app: App, tenant: str, incident: int, note: int) -> None:
    """Send the mail of a note if it is queued and due; else nothing. Raises ``StoreError``: the queue tries again."""
    outbound = app.answers.outbound(tenant, incident, note)
    if outbound is None or not outbound.is_open:
        return
    now = app.now()
    if outbound.due is not None and now < outbound.due:
        return  # it waits, or somebody is sending it; the bell rings again
    if outbound.state is SendState.SENDING:
        _settle(app, tenant, outbound, ended(outbound, SendState.IN_DOUBT, IN_DOUBT))
        return
    mailbox = app.mailboxes.get(tenant, outbound.mailbox)
    if mailbox is None or not mailbox.settings.outgoing.enabled:
        said = "Its mailbox was deleted." if mailbox is None else "The mailbox has no outgoing server any more."
        _settle(app, tenant, outbound, ended(outbound, SendState.FAILED, said))
        return
    with suppress(RowChanged):  # another delivery of the same bell is at it
        _try(app, tenant, mailbox, outbound)


def give_up(app: App, tenant: str, incident: int, note: int) -> None:
    """The queue tried as often as it does: the outbox still holds the mail, and the rescue rings for it again."""
    log.event("send_gave_up", logging.ERROR, tenant=tenant, incident=incident)


def rescue(app: App, tenant: str) -> int:
    """Ring for mails whose bell was lost. How many."""
    rung = 0
    now = app.now()
    for outbound in app.answers.open(tenant):
        late = (now - (outbound.due or now)).total_seconds()
        if late >= RING_AGAIN_SECONDS or (outbound.state is SendState.SENDING and late >= 0):
            app.queues.ring_outbound(tenant, outbound.incident, outbound.note)
            rung += 1
    return rung


def _try(app: App, tenant: str, mailbox: Mailbox, outbound: Outbound) -> None:
    raw = letter(app, tenant, mailbox, outbound)
    if raw is None:
        _settle(app, tenant, outbound, ended(outbound, SendState.FAILED, "The note is no longer stored."))
        return
    recipients = _living(app, tenant, outbound)
    if not recipients:
        said = "Mail to every recipient came back before."
        _settle(app, tenant, outbound, ended(outbound, SendState.FAILED, said))
        return
    claimed: Outbound | None = None
    try:
        with app.courier(mailbox) as courier:
            # Only now: a log-in that fails leaves no doubt.
            claimed = app.answers.move(tenant, outbound, sending(outbound, app.now()))
            sent = _hand_over(courier, mailbox, outbound, raw, recipients)
    except (SettingsError, ServerError) as error:
        _failed(app, tenant, claimed or outbound, error)
        return
    _sent(app, tenant, claimed, sent)


def _hand_over(courier: Courier, mailbox: Mailbox, outbound: Outbound, raw: bytes, recipients: Sequence[str]) -> Sent:
    # RFC 3834: what a machine answers has no envelope sender, so that nobody's machine answers that.
    sender = "" if outbound.kind is SendKind.ACKNOWLEDGEMENT else mailbox.settings.email
    return courier.send(raw, sender, recipients)


def _living(app: App, tenant: str, outbound: Outbound) -> tuple[str, ...]:
    dead = app.answers.undeliverable(tenant, outbound.recipients)
    return tuple(one for one in outbound.recipients if one not in dead)


def _sent(app: App, tenant: str, outbound: Outbound, sent: Sent) -> None:
    refused = tuple((address, f"{refusal.status} {refusal.text}".strip()) for address, refusal in sent.refused.items())
    permanent = [address for address, refusal in sent.refused.items() if refusal.permanent]
    taken = [one for one in outbound.recipients if one not in sent.refused]
    if not taken and len(permanent) < len(sent.refused):
        # Greylisting and the like, for everybody who is left: nothing was taken, so nothing is doubled.
        _later(app, tenant, outbound, "; ".join(f"{who}: {why}" for who, why in refused), None)
        return
    said = "; ".join(f"{who} did not get it: {why}" for who, why in refused)
    state = SendState.SENT if taken else SendState.FAILED
    for attempt in range(SETTLE_TRIES):
        try:
            _settle(app, tenant, outbound, ended(outbound, state, said, refused))
        except StoreUnavailable:
            if attempt + 1 == SETTLE_TRIES:
                raise
            app.sleep(0.5 * 2**attempt)
        else:
            return


def _failed(app: App, tenant: str, outbound: Outbound, error: InboundError) -> None:
    said = f"{error.message} {error.fix}".strip()
    if isinstance(error, NotSent) and error.in_doubt:
        _settle(app, tenant, outbound, ended(outbound, SendState.IN_DOUBT, f"{IN_DOUBT} {said}"))
    elif (isinstance(error, NotSent) and error.permanent) or _is_hopeless(outbound, error):
        _settle(app, tenant, outbound, ended(outbound, SendState.FAILED, said))
    else:
        retry_after = error.retry_after if isinstance(error, ServerError) else None
        _later(app, tenant, outbound, said, retry_after)


def _is_hopeless(outbound: Outbound, error: InboundError) -> bool:
    """Settings that are wrong again and again: only a person can help, and more log-ins would lock the account."""
    return isinstance(error, SettingsError) and outbound.attempts + 1 >= MAX_REFUSALS


def _later(app: App, tenant: str, outbound: Outbound, said: str, retry_after: float | None) -> None:
    now = app.now()
    after = again_later(outbound, said, retry_after, now)
    _settle(app, tenant, outbound, after)
    if after.is_open and after.due is not None:
        app.queues.ring_outbound(tenant, outbound.incident, outbound.note, (after.due - now).total_seconds())


def _settle(app: App, tenant: str, before: Outbound, after: Outbound) -> None:
    app.answers.move(tenant, before, after)
    log.event(
        "mail_out",
        tenant=tenant,
        mailbox=before.mailbox,
        incident=before.incident,
        state=after.state.value,
        attempts=after.attempts,
    )
