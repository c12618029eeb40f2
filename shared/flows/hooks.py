"""A tenant's webhooks: made, changed, their secrets rotated, deleted; and what the log offers."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared import log
from shared.errors import AddressForbidden, Conflict, Invalid, NotFound, RowChanged, SecretLost
from shared.flows.webhooks import ring_all, secret_place, send_test
from shared.model.webhook import (
    MAX_DESCRIPTION_CHARS,
    MAX_HOOKS,
    OLD_SECRET_FOR,
    SECRET_BYTES,
    SUBSCRIBABLE,
    Attempt,
    EventType,
    Hook,
    Hooks,
    Standing,
    once_more,
    secret_text,
    url_wrong,
)
from shared.ports import App, Page

ATTEMPT_ID = re.compile(r"[0-9]{15}-evt_[0-9a-f]{32}-[0-9]{2}")

ID_BYTES = 6

MAX_GONE = 50
"""Deleted webhooks that are remembered: a program asks again within minutes, not after fifty others."""

TRIES = 5

NO_SUCH_HOOK = ("There is no such webhook.", "Check its id in the list of webhooks.")

_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Control characters, what ends a line or turns text around, and what is no character: it is shown in lists."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an admin says about a webhook."""

    url: str
    events: Sequence[str]
    enabled: bool = True
    description: str = ""


def get(app: App, tenant: str, id: str) -> Hook:
    """Raises ``NotFound``."""
    return _known(app.webhooks.hooks(tenant), id)


def all_of(app: App, tenant: str) -> tuple[tuple[Hook, Standing | None], ...]:
    """All of a tenant, the oldest first, and how each does."""
    standings = app.webhooks.standings(tenant)
    return tuple((one, standings.get(one.id)) for one in app.webhooks.hooks(tenant).all)


def make(app: App, tenant: str, wish: Wish, once: str = "") -> tuple[Hook, str]:
    """A new webhook and its secret, which is shown once. Raises ``Invalid``, ``Conflict``.

    ``once``: who asks, and the Idempotency-Key. Asked again with the same, it is the same webhook with the same secret.
    """
    wish = _checked(app, wish)
    id, secret = _made_of(app, tenant, "make", once) if once else (app.random(ID_BYTES), app.random(SECRET_BYTES))
    text = secret_text(secret)
    sealed = app.secrets.seal(tenant, secret_place(id.hex()), "secret", text)
    made = _with(Hook(id.hex(), "", (), _whole(app.now()), sealed), wish)

    def added(hooks: Hooks) -> Hooks:
        if once and (twin := hooks.get(made.id)) is not None:
            _is_same(app, tenant, twin, made, text)
            return hooks
        if made.id in hooks.gone:
            raise Conflict(
                "The webhook that was made with this Idempotency-Key has been deleted.", "Send another Idempotency-Key."
            )
        if len(hooks.all) >= MAX_HOOKS:
            raise Conflict(f"This desk has {MAX_HOOKS} webhooks.", "Delete those that nobody needs any more.")
        return hooks.put(made)

    return _known(_put(app, tenant, added), made.id), text


def change(app: App, tenant: str, id: str, wish: Wish, expected_version: str | None = None) -> Hook:
    """Change a webhook; its secret stays. Raises ``NotFound``, ``Invalid``, ``Conflict``."""
    get(app, tenant, id)
    wish = _checked(app, wish)

    def changed(hooks: Hooks) -> Hooks:
        hook = _expected(hooks, id, expected_version)
        # Why it was disabled is said until somebody enables it.
        return hooks.put(_with(replace(hook, ended="" if wish.enabled else hook.ended), wish))

    return _known(_put(app, tenant, changed), id)


def switch(app: App, tenant: str, id: str, enabled: bool) -> Hook:
    """Disable a webhook or enable it again. Raises ``NotFound``, ``Conflict``."""
    hook = get(app, tenant, id)
    return change(app, tenant, id, Wish(hook.url, hook.events, enabled, hook.description))


def remove(app: App, tenant: str, id: str, expected_version: str | None = None) -> None:
    """Delete a webhook, its secrets and its log. What waits for it is not sent. Raises ``NotFound``, ``Conflict``."""

    def removed(hooks: Hooks) -> Hooks:
        _expected(hooks, id, expected_version)
        return replace(hooks, all=tuple(one for one in hooks.all if one.id != id), gone=(*hooks.gone, id)[-MAX_GONE:])

    _put(app, tenant, removed)
    app.webhooks.forget(tenant, id)


def rotate(app: App, tenant: str, id: str, once: str = "") -> tuple[Hook, str]:
    """A new secret, shown once; requests are signed with the old one as well for a day. Raises ``NotFound``,
    ``Conflict``. ``once``: as for ``make``."""
    secret = _made_of(app, tenant, f"rotate\n{id}", once)[1] if once else app.random(SECRET_BYTES)
    text = secret_text(secret)

    def rotated(hooks: Hooks) -> Hooks:
        hook = _known(hooks, id)
        if once and _opened(app, tenant, hook) == text:
            return hooks
        sealed = app.secrets.seal(tenant, secret_place(id), "secret", text)
        until = _whole(app.now()) + OLD_SECRET_FOR
        return hooks.put(replace(hook, secret=sealed, old_secret=hook.secret, old_until=until))

    hook = _known(_put(app, tenant, rotated), id)
    log.event("webhook_rotated", tenant=tenant, webhook=id)
    return hook, text


def test(app: App, tenant: str, id: str) -> Attempt:
    """Send a test event now; what happened. Raises ``NotFound``, ``Invalid``."""
    hook = get(app, tenant, id)
    _judge(app, hook.url)
    return send_test(app, tenant, hook)


def deliveries(app: App, tenant: str, id: str, after: str, limit: int) -> Page[Attempt]:
    """The log, the newest first. Raises ``NotFound``."""
    get(app, tenant, id)
    return app.webhooks.log(tenant, id, after, limit)


def resend(app: App, tenant: str, id: str, attempt: str) -> Attempt:
    """An event is sent to a webhook once more, because a person says so; which one. Raises ``NotFound``, ``Conflict``.

    Said again while it waits, it changes nothing.
    """
    hook = get(app, tenant, id)
    tried = app.webhooks.attempt(tenant, id, attempt) if ATTEMPT_ID.fullmatch(attempt) else None
    if tried is None:
        raise NotFound("There is no such delivery.", "Deliveries are kept for 30 days.")
    if tried.type == EventType.PING:
        raise Conflict("A test event is not kept.", "Send a new test event.")
    if not hook.enabled:
        raise Conflict("This webhook is disabled.", "Enable it first.")
    for _ in range(TRIES):
        dispatch = app.webhooks.waiting(tenant, tried.event)
        dispatch = dispatch or app.webhooks.done_with(tenant, tried.event_time, tried.event)
        if dispatch is None:
            raise NotFound("The event of this delivery is not kept any more.", "Read what it tells of by the API.")
        before, now = dispatch.of(id), app.now()
        if before is None or not before.is_open or before.due > now:
            wanted = dispatch.put(once_more(before, now)) if before else dispatch
            if before is None:
                raise NotFound("This event was not for this webhook.")
            try:
                app.webhooks.move(tenant, dispatch, wanted)
            except RowChanged:
                continue  # a try ended at this moment
        ring_all(app, tenant, [tried.event])
        return tried
    raise Conflict("This event is being sent just now.", "Look at the log in a moment.")


def _put(app: App, tenant: str, after: Callable[[Hooks], Hooks]) -> Hooks:
    for _ in range(TRIES):
        before = app.webhooks.hooks(tenant)
        wanted = after(before)
        if wanted == before:
            return before
        try:
            return app.webhooks.put(tenant, wanted)
        except RowChanged:
            continue
    raise Conflict("Somebody changes this desk's webhooks at this moment.", "Try again.")


def _expected(hooks: Hooks, id: str, version: str | None) -> Hook:
    hook = _known(hooks, id)
    if version is not None and hook.version != version:
        raise Conflict("Somebody changed this webhook meanwhile.", "Read it again, then repeat what you did.")
    return hook


def _known(hooks: Hooks, id: str) -> Hook:
    hook = hooks.get(id)
    if hook is None:
        raise NotFound(*NO_SUCH_HOOK)
    return hook


def _whole(time: datetime) -> datetime:
    """To the millisecond, as it is stored: a webhook's version is made of it."""
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _with(hook: Hook, wish: Wish) -> Hook:
    events = tuple(one for one in SUBSCRIBABLE if one in wish.events)
    return replace(hook, url=wish.url, events=events, enabled=wish.enabled, description=wish.description)


def _checked(app: App, wish: Wish) -> Wish:
    wish = replace(wish, url=wish.url.strip(), description=wish.description.strip())
    wrong: list[tuple[str, str]] = []
    if words := url_wrong(wish.url):
        wrong.append(("url", words))
    if not wish.events or any(one not in SUBSCRIBABLE for one in wish.events):
        wrong.append(("events", f"Choose at least one of: {', '.join(SUBSCRIBABLE)}."))
    if len(wish.description) > MAX_DESCRIPTION_CHARS or _UNFIT.search(wish.description):
        words = f"Use up to {MAX_DESCRIPTION_CHARS} characters on one line, without control characters."
        wrong.append(("description", words))
    if wrong:
        raise Invalid(wrong)
    _judge(app, wish.url)
    return wish


def _judge(app: App, url: str) -> None:
    """Raises ``Invalid`` for a receiver that tenants may not reach."""
    try:
        app.post.judge(url)
    except AddressForbidden as error:
        raise Invalid([("url", f"{error.message} {error.fix}")]) from None


def _made_of(app: App, tenant: str, what: str, once: str) -> tuple[bytes, bytes]:
    """Id and secret, as good as random for everybody who does not know the app's own key."""
    ours = app.secrets.app_key("idempotency")
    id, secret = (
        hmac.digest(ours, f"webhook {label}\n{tenant}\n{what}\n{once}".encode(), "sha256") for label in ("id", "secret")
    )
    return id[:ID_BYTES], secret


def _is_same(app: App, tenant: str, made: Hook, asked: Hook, text: str) -> None:
    """Raises ``Conflict`` unless the earlier wish was the same and its answer is still true."""
    if (made.url, made.events, made.enabled, made.description) != (
        asked.url,
        asked.events,
        asked.enabled,
        asked.description,
    ):
        raise Conflict(
            "This Idempotency-Key was used for another webhook already, or that was changed since.",
            "Send another Idempotency-Key with each new wish.",
        )
    if _opened(app, tenant, made) != text:
        raise Conflict("This webhook was made, and its secret was rotated since.", "Rotate it again if it was lost.")


def _opened(app: App, tenant: str, hook: Hook) -> str:
    try:
        return app.secrets.open(tenant, secret_place(hook.id), "secret", hook.secret)
    except SecretLost:
        return ""  # then a rotation makes a new one
