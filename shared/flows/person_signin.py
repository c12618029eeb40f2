"""Signing in to the pages with Entra ID: begin, come back, choose a desk.

A sign-in belongs to the browser that began it (``browser``: what its cookie holds), and each step of it is taken out of
storage before it is used. So a callback that is forged, replayed or pushed into somebody else's browser finds nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from shared import log
from shared.errors import CallerError, NotAllowed, NotFound
from shared.flows import person
from shared.flows.person import Door
from shared.flows.tenants import Caller, get
from shared.ports import App, Entra, Identity, Person, Tenant

LASTS = timedelta(minutes=10)
"""Long enough to find a phone for the second factor, short enough that a forgotten window is worth nothing."""

STATE = "page."
"""What the state of these sign-ins begins with; those for mailboxes (``signin``) have no dot. They share one callback,
so that an app registration needs one redirect URI for both."""

_OWNER, _FIELD = "app", "page-sign-in"
"""Sealed under the app's own data key: whose desk it will be is not known yet."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An account that may enter these desks; ``ticket`` is given back with the one that was chosen."""

    who: Identity
    doors: tuple[Door, ...]
    ticket: str
    next: str


@dataclass(frozen=True, slots=True)
class Entered:
    """An account that is in: who it is from now on, where to go, and whether an app role let it in."""

    caller: Caller
    person: Person
    next: str


def begin(app: App, browser: str, redirect_uri: str, next: str, prover: Caller | None = None) -> str:
    """The address at Microsoft that the browser is to be sent to. ``prover``: an admin who does this to prove that an
    Entra tenant agrees (``person.prove``), not to sign in. Raises ``NotFound`` where it is not set up."""
    state = f"{STATE}{app.random(24).hex()}"
    flow = dict(_entra(app).begin(redirect_uri, state))
    proves = [prover.tenant, prover.key_id] if prover else None
    _keep(app, state, browser, {"flow": flow, "next": next, "proves": proves})
    return str(flow["auth_uri"])


def finish(app: App, browser: str, params: Mapping[str, str], caller: Caller | None) -> Entered | Choice | Tenant:
    """Redeem a callback: somebody is in, has to choose, or (``begin`` with ``prover``) has proven something.

    ``caller``: who this browser is signed in as already. Raises ``NotAllowed``, and what Microsoft's sign-in raises.
    """
    begun = _take(app, browser, params.get("state", ""))
    if "flow" not in begun:  # the ticket of a choice
        raise _stale()
    who = _entra(app).finish(begun["flow"], params)
    if begun["proves"]:
        if caller is None or [caller.tenant, caller.key_id] != begun["proves"]:
            raise _stale()
        return person.prove(app, get(app, caller.slug), who)
    try:
        doors = person.doors(app, who)
        # Straight in where there is nothing to choose, and nothing to agree to.
        if len(doors) == 1 and not doors[0].is_new:
            return _enter(app, who, doors[0].tenant.slug, begun["next"])
    except CallerError:
        _tell_refused("not_mapped", who)
        raise
    ticket = f"{STATE}{app.random(24).hex()}"
    _keep(app, ticket, browser, {"who": {**asdict(who), "roles": sorted(who.roles)}, "next": begun["next"]})
    return Choice(who, doors, ticket, begun["next"])


def choose(app: App, browser: str, ticket: str, slug: str) -> Entered:
    """Enter the desk that was chosen. Raises ``NotAllowed``, ``Conflict``."""
    begun = _take(app, browser, ticket)
    if "who" not in begun:  # the state of a sign-in that has not come back yet
        raise _stale()
    who = Identity(**{**begun["who"], "roles": frozenset(begun["who"]["roles"])})
    try:
        return _enter(app, who, slug, begun["next"])
    except CallerError:
        _tell_refused("not_mapped", who)
        raise


def end(app: App, browser: str, state: str) -> None:
    """Microsoft sent the browser back without a code: the sign-in is over. Raises ``NotAllowed`` as ``finish`` does, so
    that a forged refusal ends nobody's sign-in."""
    _take(app, browser, state)
    log.event("sign_in_refused", method="entra", reason="cancelled")


def _enter(app: App, who: Identity, slug: str, next: str) -> Entered:
    caller, entered = person.enter(app, who, slug)
    log.event("signed_in", tenant=caller.tenant, method="entra", role=caller.role, person=hashed(who))
    return Entered(caller, entered, next)


def _entra(app: App) -> Entra:
    if app.entra is None:
        raise NotFound("Signing in with Microsoft is not set up at this service.", "Sign in with an API key.")
    return app.entra


def _keep(app: App, state: str, browser: str, begun: Mapping[str, Any]) -> None:
    now = app.now()
    text = json.dumps({**begun, "browser": _digest(browser)})
    app.sign_ins.begin(state, app.secrets.seal(_OWNER, "", _FIELD, text), now + LASTS, now)


def _take(app: App, browser: str, state: str) -> dict[str, Any]:
    """What was begun under this state in this browser, gone for everybody else. Raises ``NotAllowed``."""
    taken = app.sign_ins.take(state, app.now()) if state.startswith(STATE) else None
    if taken is None:
        raise _stale()
    begun: dict[str, Any] = json.loads(app.secrets.open(_OWNER, "", _FIELD, taken))
    if not browser or not hmac.compare_digest(begun["browser"], _digest(browser)):
        raise _stale()
    return begun


def _stale() -> NotAllowed:
    _tell_refused("not_begun_here", None)
    return NotAllowed(
        "This sign-in was not begun in this browser, took longer than ten minutes, or was finished already.",
        "Begin anew on the sign-in page.",
    )


def _tell_refused(reason: str, who: Identity | None) -> None:
    log.event("sign_in_refused", method="entra", reason=reason, person=hashed(who) if who else None)


def hashed(who: Identity) -> str:
    """An account in the log: the same at each sign-in, and nobody's name."""
    return hashlib.sha256(f"{who.tid}/{who.oid}".encode()).hexdigest()[:16]


def _digest(browser: str) -> str:
    return hashlib.sha256(browser.encode("utf-8", "surrogatepass")).hexdigest()
