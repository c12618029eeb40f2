"""Write down what became of a mail that goes out, and ring for what is still to be done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from shared import log
from shared.errors import InboundError, NotSent, RowChanged, ServerError, SettingsError, StoreError, StoreUnavailable
from shared.model.outbound import Outbound, SendState, again_later, ended, put_off
from shared.ports import App, Sent

SETTLE_TRIES = 4
"""Times that an outcome is written when storage does not answer: what is not written down is in doubt for ever."""

MAX_REFUSALS = 3
"""Times that one mail tries settings that are wrong otherwise than by their log-in (a certificate, an address)."""

NO_SUCH_LETTERS = "5.6.7"
"""Enhanced status code (RFC 6531, 3.5): the server has no SMTPUTF8, and an address or a header needs it."""

IN_DOUBT = "It may have been sent: the connection was lost before the server said whether it took the mail."

Next = Callable[[Outbound], Outbound]
"""What a row becomes, from what it is."""


def settle(app: App, tenant: str, before: Outbound, after: Outbound) -> Outbound:
    """The next state of a mail, as it is stored. Raises ``RowChanged``."""
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


def settle_claimed(app: App, tenant: str, claimed: Outbound, after: Next) -> Outbound:
    """What became of a mail that was handed over, however storage behaves meanwhile: what is known now, nobody else
    knows. Returns it as it is stored then."""
    before = claimed
    for attempt in range(SETTLE_TRIES):
        try:
            return settle(app, tenant, before, after(before))
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


def taken(app: App, tenant: str, claimed: Outbound, recipients: Sequence[str], sent: Sent) -> None:
    """The server took a mail for some of these recipients at least, or refused each of them."""
    words = {one: f"{why.status} {why.text}".strip() for one, why in sent.refused.items()}
    later = [one for one in recipients if one in sent.refused and not sent.refused[one].permanent]

    def told(before: Outbound) -> Outbound:
        got = (*before.got, *(one for one in recipients if one not in sent.refused))
        never = ((one, words[one]) for one in recipients if one in sent.refused and one not in later)
        return replace(before, got=got, refused=(*claimed.refused, *never))

    if later:
        # Greylisting and the like. Only they are written to again: nothing is doubled.
        said = "; ".join(f"{one} is tried again: {words[one]}" for one in later)
        try_later(app, tenant, claimed, told, said, None)
        return

    def done(before: Outbound) -> Outbound:
        after = told(before)
        return ended(after, SendState.SENT if after.got else SendState.FAILED, refusals_of(after))

    settle_claimed(app, tenant, claimed, done)


def not_taken(app: App, tenant: str, outbound: Outbound, claimed: Outbound | None, error: InboundError) -> None:
    """The server took nothing, or nobody knows. ``claimed``: the mail as it was when it was handed over, if it was."""
    said = words_of(error)
    if claimed and (others := _beyond_ascii(outbound, error)):
        left_out = tuple((one, f"{NO_SUCH_LETTERS} {error.message}") for one in others)
        try_later(app, tenant, claimed, lambda one: replace(one, refused=(*one.refused, *left_out)), said, None)
        return
    tried = claimed or replace(outbound, attempts=outbound.attempts + 1)
    if isinstance(error, NotSent) and error.in_doubt:
        end(app, tenant, outbound, claimed, lambda one: ended(one, SendState.IN_DOUBT, f"{IN_DOUBT} {said}"))
    elif (isinstance(error, NotSent) and error.permanent) or (
        isinstance(error, SettingsError) and tried.attempts >= MAX_REFUSALS
    ):
        end(app, tenant, tried, claimed, lambda one: not_sent(one, said))
    else:
        retry_after = error.retry_after if isinstance(error, ServerError) else None
        if claimed:
            try_later(app, tenant, claimed, lambda one: one, said, retry_after)
        else:
            after = again_later(outbound, said, retry_after, app.now())
            settle(app, tenant, outbound, after)
            ring_later(app, tenant, after)


def _beyond_ascii(outbound: Outbound, error: InboundError) -> tuple[str, ...]:
    """Those whose addresses the server cannot carry, where that is why and others are left: each mail names all whom it
    goes to, so that one such address stops it for everybody."""
    if not (isinstance(error, NotSent) and error.status == NO_SUCH_LETTERS):
        return ()
    found = tuple(one for one in outbound.waiting if not one.isascii())
    return found if len(found) < len(outbound.waiting) else ()


def ring(app: App, tenant: str, incident: int, note: int, delay: float = 0.0) -> None:
    """Ring for a mail that is stored. Whether it is heard does not matter: what is stored is sent, by the rescue."""
    try:
        app.queues.ring_outbound(tenant, incident, note, delay)
    except StoreError as error:
        log.event("ring_failed", logging.WARNING, tenant=tenant, incident=incident, note=note, code=error.code)


def end(app: App, tenant: str, outbound: Outbound, claimed: Outbound | None, after: Next) -> None:
    """Nothing more happens to it by itself, whether it was ``claimed`` already or not."""
    if claimed:
        settle_claimed(app, tenant, claimed, after)
    else:
        settle(app, tenant, outbound, after(outbound))


def try_later(app: App, tenant: str, claimed: Outbound, told: Next, said: str, retry_after: float | None) -> None:
    """A mail that was claimed waits for its next try. ``told``: what else the server said of it."""
    now = app.now()
    settled = settle_claimed(
        app,
        tenant,
        claimed,
        lambda one: again_later(replace(told(one), state=SendState.SENDING), said, retry_after, now),
    )
    ring_later(app, tenant, settled)


def wait(app: App, tenant: str, outbound: Outbound, said: str, until: datetime) -> None:
    """It waits for another mail's log-in, or for other settings."""
    now = app.now()
    if outbound.state is SendState.SENDING:
        settled = settle_claimed(app, tenant, outbound, lambda one: put_off(one, said, until, now))
    else:
        settled = settle(app, tenant, outbound, put_off(outbound, said, until, now))
    ring_later(app, tenant, settled)


def ring_later(app: App, tenant: str, after: Outbound) -> None:
    """Ring for a mail when its next try is due."""
    if after.state is SendState.QUEUED and after.due is not None:
        ring(app, tenant, after.incident, after.note, max(0.0, (after.due - app.now()).total_seconds()))


def not_sent(outbound: Outbound, said: str) -> Outbound:
    """Nobody who still waits for it gets it; some may have got it before."""
    refused = outbound.refused
    if outbound.got:
        refused = (*refused, *((one, said) for one in outbound.waiting))
    return ended(replace(outbound, refused=refused), SendState.SENT if outbound.got else SendState.FAILED, said)


def refusals_of(outbound: Outbound) -> str:
    """Who did not get it, and why."""
    return "; ".join(f"{one} did not get it: {why}" for one, why in outbound.refused)


def words_of(error: InboundError) -> str:
    """What an error says, and what to do."""
    return f"{error.message} {error.fix}".strip()
