"""Tell receivers what happened: from the queue, at least once each, in no promised order.

An event lies in storage since the transaction of the change it tells of. Before a receiver hears of it, the row says
that a try goes on, and after it how it ended; whoever finds a try that is too old makes the next one. So a crash costs
a repetition, with the same id, and never an event.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared import log
from shared.errors import RowChanged, SecretLost, ServerError, SettingsError, StoreError, StoreUnavailable
from shared.model import webhook as model
from shared.model.happening import ping
from shared.model.webhook import Attempt, Delivery, DeliveryState, Dispatch, Event, Hook, Standing
from shared.ports import App

RING_AGAIN = timedelta(minutes=3)
"""An event that is due for as long has lost its bell."""

MAX_RINGS = 500
"""Of one tenant in one run: a rescue must not become a flood."""

EARLY_SECONDS = 3.0
"""What the clocks of two machines may differ by: a bell that is heard so much too early rings again. Below the
shortest pause between two tries."""

MAX_TIME = timedelta(seconds=20)
"""Of one message: two receivers that say nothing. The others are told of the event by the next message."""

SETTLE_TRIES = 3
"""Times that an outcome is written when storage does not answer: what is not written down is sent again."""

CLAIM_BYTES = 8

GONE = 410
REDIRECTS = range(300, 400)

DISABLED = "The webhook is disabled."
NO_END = "Nobody knows how the last tries ended: this service was interrupted each time."
TOO_LATE = "It waited for more than a day: its receiver took nothing in that time, or this service was interrupted."
UNREADABLE = "The secret of this webhook cannot be read any more. Rotate it."
SAID_GONE = "Its receiver answered 410 Gone: it wants nothing any more."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one request. ``code``: HTTP's status, or the name of what went wrong."""

    status: int
    code: str
    cause: str
    milliseconds: int
    retry_after: float | None = None

    @property
    def is_good(self) -> bool:
        """Whether the receiver has it."""
        return 200 <= self.status < 300


# ── bells ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def ring_all(app: App, tenant: str, events: Iterable[str]) -> None:
    """Ring for events that were stored just now. Whether it is heard does not matter: the rescue rings as well."""
    for event in events:
        _ring(app, tenant, event)


def rescue(app: App, tenant: str) -> int:
    """Ring for events whose bell was lost. How many."""
    rung = 0
    now = app.now()
    for dispatch in app.webhooks.all_waiting(tenant):
        if now - (dispatch.due or now) >= RING_AGAIN:
            app.queues.ring_webhook(tenant, dispatch.event.id)
            rung += 1
        if rung == MAX_RINGS:
            break
    return rung


def give_up(app: App, tenant: str, event: str) -> None:
    """The queue tried as often as it does; the rescue rings again, for a day. Never raises what storage does: a message
    on a poison queue has nowhere to go."""
    log.event("webhook_gave_up", logging.ERROR, tenant=tenant)
    with suppress(StoreError):  # it stays in the outbox
        dispatch = app.webhooks.waiting(tenant, event)
        late = [one for one in dispatch.deliveries if one.is_open] if dispatch else []
        for delivery in late:
            if dispatch is not None and model.is_used_up(delivery, app.now()):
                dispatch = _end(app, tenant, dispatch, delivery, _why_over(delivery))


def _ring(app: App, tenant: str, event: str, delay: float = 0.0) -> None:
    try:
        app.queues.ring_webhook(tenant, event, delay)
    except StoreError as error:
        log.event("ring_failed", logging.WARNING, tenant=tenant, code=error.code)


# ── delivering ────────────────────────────────────────────────────────────────────────────────────────────────────


def deliver(app: App, tenant: str, event: str) -> None:
    """Tell an event to each webhook that it is due for. Raises ``StoreError``: the queue tries again."""
    dispatch = app.webhooks.waiting(tenant, event)
    if dispatch is None:
        return
    began = app.now()
    if (dispatch.due or began) > began:
        early = ((dispatch.due or began) - began).total_seconds()
        if early <= EARLY_SECONDS:
            _ring(app, tenant, event, early)
        return  # it waits, or somebody is at it: then he rings, or the rescue
    hooks = {one.id: one for one in app.webhooks.hooks(tenant).all}
    standings = app.webhooks.standings(tenant)
    with suppress(RowChanged):  # another delivery of the same bell is at it
        # Whoever answers comes first; who does not, does not take his time.
        for delivery in sorted(dispatch.deliveries, key=lambda one: _failures(standings, one.hook)):
            if not delivery.is_open or delivery.due > began:
                continue
            if app.now() - began >= MAX_TIME:
                _ring(app, tenant, event)
                return
            dispatch = _one(app, tenant, dispatch, delivery, hooks.get(delivery.hook), standings.get(delivery.hook))


def _failures(standings: dict[str, Standing], hook: str) -> int:
    return standings[hook].failures if hook in standings else 0


def _one(
    app: App, tenant: str, dispatch: Dispatch, delivery: Delivery, hook: Hook | None, standing: Standing | None
) -> Dispatch:
    now = app.now()
    if hook is None:
        return app.webhooks.move(tenant, dispatch, dispatch.without(delivery.hook))
    if not hook.enabled:
        return _end(app, tenant, dispatch, delivery, DISABLED)
    if model.is_used_up(delivery, now):
        return _end(app, tenant, dispatch, delivery, _why_over(delivery))
    if standing is not None and standing.rests(now):
        later = model.postponed(delivery, standing.rests_until or now, _chance(app))
        moved = app.webhooks.move(tenant, dispatch, dispatch.put(later))
        _ring(app, tenant, dispatch.event.id, (later.due - now).total_seconds())
        return moved
    claimed = model.trying(delivery, now, app.random(CLAIM_BYTES).hex())
    dispatch = app.webhooks.move(tenant, dispatch, dispatch.put(claimed))
    outcome = request(app, tenant, hook, dispatch.event)
    after = _after(app, claimed, outcome)
    tried = _attempt(app, dispatch.event, after, outcome)
    dispatch = _settle(app, tenant, dispatch, after, tried, model.stood(standing, tried))
    _tell(tenant, tried, outcome.code)
    if outcome.status == GONE:
        _disable(app, tenant, hook.id)
    if after.state is DeliveryState.FAILED:
        _ring(app, tenant, dispatch.event.id, (after.due - app.now()).total_seconds())
    return dispatch


def _why_over(delivery: Delivery) -> str:
    return NO_END if model.had_all_tries(delivery) else TOO_LATE


def _after(app: App, claimed: Delivery, outcome: Outcome) -> Delivery:
    if outcome.is_good:
        return model.delivered(claimed)
    if outcome.status == GONE:
        return model.given_up(claimed)
    return model.failed(claimed, app.now(), outcome.retry_after, _chance(app))


def _end(app: App, tenant: str, dispatch: Dispatch, delivery: Delivery, cause: str) -> Dispatch:
    """There is no further try, and the log says why."""
    after = model.given_up(delivery)
    tried = _attempt(app, dispatch.event, after, Outcome(0, "given_up", cause, 0))
    moved = app.webhooks.move(tenant, dispatch, dispatch.put(after), tried)
    _tell(tenant, tried, "given_up")
    return moved


def _settle(app: App, tenant: str, dispatch: Dispatch, after: Delivery, tried: Attempt, stood: Standing) -> Dispatch:
    """Write down what became of a try, however storage behaves meanwhile: what is known now, nobody else knows."""
    for attempt in range(SETTLE_TRIES):
        try:
            return app.webhooks.move(tenant, dispatch, dispatch.put(after), tried, stood)
        except (RowChanged, StoreUnavailable):
            if attempt + 1 == SETTLE_TRIES:
                raise
        app.sleep(0.2 * 2**attempt)
        with suppress(StoreUnavailable):
            found = app.webhooks.waiting(tenant, dispatch.event.id)
            ours = found.of(after.hook) if found else None
            if found is None or ours is None or ours.claim != after.claim or ours == after:
                # It was written, and only the answer was lost; or a person had it sent again meanwhile.
                return found or dispatch.put(after)
            dispatch = found
    raise AssertionError("the last try returns or raises")


def _disable(app: App, tenant: str, id: str) -> None:
    """Nothing more is sent to a receiver that is gone. Who is not heard says it again at the next event."""
    for _ in range(SETTLE_TRIES):
        hooks = app.webhooks.hooks(tenant)
        hook = hooks.get(id)
        if hook is None or not hook.enabled:
            return
        with suppress(RowChanged):
            app.webhooks.put(tenant, hooks.put(replace(hook, enabled=False, ended=SAID_GONE)))
            log.event("webhook_disabled", logging.WARNING, tenant=tenant, webhook=id, code=str(GONE))
            return


# ── one request ───────────────────────────────────────────────────────────────────────────────────────────────────


def request(app: App, tenant: str, hook: Hook, event: Event) -> Outcome:
    """Send an event to a webhook, once, signed. Raises ``StoreError`` only."""
    began = app.now()
    try:
        secrets = _secrets(app, tenant, hook, began)
        body = event.body.encode()
        headers = {"content-type": "application/json", **model.signed(secrets, event.id, began, body)}
        answer = app.post.send(hook.url, headers, body)
    except SecretLost as error:
        return Outcome(0, error.code, UNREADABLE, 0)
    except (SettingsError, ServerError) as error:
        return Outcome(0, error.code, f"{error.message} {error.fix}".strip(), _milliseconds(began, app.now()))
    took = _milliseconds(began, app.now())
    return Outcome(answer.status, str(answer.status), _cause(answer.status), took, answer.retry_after)


def send_test(app: App, tenant: str, hook: Hook) -> Attempt:
    """Send a test event now, also to a webhook that is disabled or rests, and write it into the log."""
    event = ping(tenant, app.random(CLAIM_BYTES), app.now())
    delivery = model.trying(Delivery(hook.id, event.time, event.time), event.time, "")
    outcome = request(app, tenant, hook, event)
    after = model.delivered(delivery) if outcome.is_good else model.given_up(delivery)
    tried = _attempt(app, event, after, outcome)
    tried = app.webhooks.note(tenant, tried, model.stood(app.webhooks.standings(tenant).get(hook.id), tried))
    _tell(tenant, tried, outcome.code)
    return tried


def secret_place(hook: str) -> str:
    """What a webhook's secrets are bound to. No mailbox can be called so: a colon is in no mailbox's id."""
    return f"webhook:{hook}"


def _secrets(app: App, tenant: str, hook: Hook, now: datetime) -> list[str]:
    """What it is signed with. Raises ``SecretLost``; one from before a rotation that is lost is left out."""
    secrets = [app.secrets.open(tenant, secret_place(hook.id), "secret", hook.secret)]
    if hook.old_until is not None and now < hook.old_until:
        with suppress(SecretLost):
            secrets.append(app.secrets.open(tenant, secret_place(hook.id), "secret", hook.old_secret))
    return secrets


def _cause(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if status == GONE:
        return SAID_GONE
    if status in REDIRECTS:
        return f"The receiver answered {status}, a redirect: these are not followed. Give the new address instead."
    if status in (401, 403):
        return f"The receiver refused the request ({status}). Check its address and whether it knows the secret."
    if status in (404, 405):
        return f"The receiver takes no such requests at this address ({status}). Check host and path."
    if status in (429, 503):
        return f"The receiver asked to wait ({status})."
    return f"The receiver answered {status}. Its own log should tell why."


def _attempt(app: App, event: Event, after: Delivery, outcome: Outcome) -> Attempt:
    return Attempt(
        hook=after.hook,
        event=event.id,
        type=event.type,
        event_time=event.time,
        at=app.now(),
        number=after.attempts,
        state=after.state,
        status=outcome.status,
        cause=outcome.cause[: model.MAX_CAUSE_CHARS],
        milliseconds=outcome.milliseconds,
        next=after.due if after.state is DeliveryState.FAILED else None,
    )


def _tell(tenant: str, tried: Attempt, code: str) -> None:
    log.event(
        "webhook_out",
        tenant=tenant,
        webhook=tried.hook,
        state=tried.state.value,
        code=code,
        attempts=tried.number,
        seconds=tried.milliseconds / 1000,
    )


def _milliseconds(began: datetime, ended: datetime) -> int:
    return max(0, round((ended - began).total_seconds() * 1000))


def _chance(app: App) -> float:
    return int.from_bytes(app.random(2), "big") / 0xFFFF
