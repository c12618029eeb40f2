"""Signing in at Microsoft for a mailbox: begin, come back, keep the token cache.

A sign-in belongs to whoever began it: tenant, mailbox and the key they are signed in with. It is taken out of storage
before its code is redeemed, so a callback that is forged, replayed or somebody else's finds nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from shared.errors import Conflict, NotAllowed, SettingsError
from shared.flows import mailboxes
from shared.flows.probe import probe
from shared.flows.tenants import Caller
from shared.model.mailbox import Mailbox
from shared.ports import App

LASTS = timedelta(minutes=10)
"""Long enough to find a phone for the second factor, short enough that a forgotten window is worth nothing."""

NO_VERDICT = ("unreachable", "timed_out", "throttled", "protocol_violation")
"""Failures of a test that say nothing about whether an account may open a mailbox."""

STALE = "This sign-in was not begun here, or it was finished already."
AGAIN = "Begin it again from the mailbox's settings."

_APP_FIELD = "sign-in"


def begin(app: App, caller: Caller, mailbox: str, redirect_uri: str) -> str:
    """The address at Microsoft that the browser is to be sent to. Raises ``NotFound``, ``Conflict``."""
    settings = mailboxes.get(app, caller.tenant, mailbox)
    if not settings.settings.uses_sign_in:
        raise Conflict("This mailbox is opened by a password.", "Choose Office 365 or OAuth 2.0 in its settings first.")
    flow = dict(app.microsoft.begin_sign_in(settings, redirect_uri))
    about = {"tenant": caller.tenant, "key": caller.key_id, "mailbox": mailbox, "generation": settings.generation}
    now = app.now()
    sealed = app.secrets.seal(caller.tenant, mailbox, _APP_FIELD, json.dumps({"flow": flow, **about}))
    app.sign_ins.begin(flow["state"], _wrapped(caller.tenant, mailbox, sealed), now + LASTS, now)
    return str(flow["auth_uri"])


def finish(app: App, caller: Caller, params: Mapping[str, str]) -> tuple[Mailbox, str]:
    """Redeem a callback: the mailbox, and who signed in. Raises ``NotAllowed`` for a callback that is not this
    caller's own, and ``SettingsError`` when Microsoft refuses or the account may not open the mailbox."""
    mailbox, flow = _take(app, caller, params.get("state", ""))
    username, cache = app.microsoft.finish_sign_in(mailbox, flow, params)
    before, _ = app.sign_ins.cache(mailbox.tenant, mailbox.id)
    _keep(app, mailbox, cache)
    if username.lower() != mailbox.settings.email.lower():
        _must_open(app, mailbox, username, before)
    mailboxes.poll_now(app, mailbox.tenant, mailbox.id)
    return mailbox, username


def end(app: App, caller: Caller, state: str) -> None:
    """Microsoft sent the browser back without a code: the sign-in is over. Raises ``NotAllowed`` as ``finish`` does,
    so that a forged refusal ends nobody's sign-in."""
    _take(app, caller, state)


def _take(app: App, caller: Caller, state: str) -> tuple[Mailbox, Mapping[str, Any]]:
    """The sign-in of this state, out of storage: its mailbox, and what Microsoft's adapter needs to finish it."""
    taken = app.sign_ins.take(state, app.now())
    if taken is None:
        raise NotAllowed(STALE, AGAIN)
    tenant, id, sealed = json.loads(taken)
    if tenant != caller.tenant:
        raise NotAllowed(STALE, AGAIN)
    begun = json.loads(app.secrets.open(tenant, id, _APP_FIELD, sealed))
    mailbox = mailboxes.get(app, tenant, id)
    if begun["key"] != caller.key_id or begun["generation"] != mailbox.generation:
        raise NotAllowed(STALE, AGAIN)
    return mailbox, begun["flow"]


def _keep(app: App, mailbox: Mailbox, cache: str) -> None:
    sealed = app.secrets.seal(mailbox.tenant, mailbox.id, mailbox.settings.sign_in_field(), cache)
    app.sign_ins.forget_cache(mailbox.tenant, mailbox.id)
    app.sign_ins.put_cache(mailbox.tenant, mailbox.id, sealed, "")


def _must_open(app: App, mailbox: Mailbox, username: str, before: str) -> None:
    """Another account than the mailbox's own is right for a shared mailbox, if it may open that; else a mistake."""
    report = probe(app, mailbox)
    failed = next((step for step in report.steps if step.state == "failed"), None)
    if failed is None or failed.code in NO_VERDICT:
        return
    # The sign-in that worked before must not be lost by a mistake.
    app.sign_ins.forget_cache(mailbox.tenant, mailbox.id)
    if before:
        app.sign_ins.put_cache(mailbox.tenant, mailbox.id, before, "")
    raise WrongAccount(
        f"You signed in as {username}, and that account cannot open {mailbox.settings.email}: {failed.cause}",
        "Sign in with the mailbox's own account, or give this account access to the mailbox.",
    )


def _wrapped(tenant: str, mailbox: str, sealed: str) -> str:
    return json.dumps([tenant, mailbox, sealed])


class WrongAccount(SettingsError):
    """Somebody signed in whose account cannot open the mailbox."""

    code = "account_mismatch"
