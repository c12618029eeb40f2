"""Signing in with an API key or with Microsoft, and out."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared import log
from shared.errors import NotAllowed, NotSignedIn
from shared.flows import person_signin, tenants
from shared.flows.person_signin import Choice, Entered
from shared.web import callers
from shared.web.callers import MAX_CREDENTIAL_CHARS, House, TheHouse
from shared.web.limits import client_address
from shared.web.pages import render

router = APIRouter()

CALLBACK = "/oauth/callback"
"""Where Microsoft sends the browser back to, whatever for: one redirect URI for each app registration."""

_OWN_PAGE = re.compile(
    r"/(?:tenant|mailboxes(?:/[a-z0-9-]{1,40})?|mail(?:/[0-9a-f]{32})?|incidents/[A-Za-z0-9-]{1,20})?"
)
"""Where signing in may lead. Anything else could be another site in disguise."""

_BROWSER = re.compile(r"[0-9a-f]{64}")


@router.get("/sign-in")
def ask(request: Request, house: TheHouse, next: str = "/") -> Response:
    """The form."""
    return _form(request, house, next)


@router.post("/sign-in")
def sign_in(
    request: Request, house: TheHouse, key: Annotated[str, Form()] = "", next: Annotated[str, Form()] = "/"
) -> Response:
    """Check the key and set the cookie."""
    callers.refuse_other_sites(request)
    given = key.strip()[:MAX_CREDENTIAL_CHARS]
    try:
        caller = house.limits.sign_ins.try_key(request, given, lambda: tenants.recognise(house.app, given))
    except NotSignedIn:
        log.event("sign_in_refused", method="key", reason="wrong_key")
        return _form(request, house, next, refused=True, status=401)
    log.event("signed_in", tenant=caller.tenant, method="key", role=caller.role, credential=caller.key_id)
    response = RedirectResponse(own(next), 303)
    callers.set_cookie(request, response, house.sessions.issue(caller))
    return response


@router.get("/sign-in/microsoft")
def to_microsoft(request: Request, house: TheHouse, next: str = "/") -> Response:
    """Send the browser to Microsoft, to come back as somebody."""
    return leave(request, house, own(next))


@router.post("/sign-in/desk")
def choose(
    request: Request, house: TheHouse, ticket: Annotated[str, Form()] = "", desk: Annotated[str, Form()] = ""
) -> Response:
    """Enter the desk that was chosen."""
    callers.refuse_other_sites(request)
    house.limits.microsoft.take(client_address(request))
    return enter(request, house, person_signin.choose(house.app, _browser(request), ticket, desk))


@router.post("/sign-out")
def sign_out(request: Request, house: TheHouse) -> Response:
    """End the session, here and for whoever kept a copy of the cookie. At Microsoft somebody stays signed in."""
    callers.refuse_other_sites(request)
    house.sessions.end(callers.cookie(request))
    response = RedirectResponse("/sign-in", 303)
    callers.clear_cookie(request, response)
    return response


def leave(request: Request, house: House, next: str, prover: tenants.Caller | None = None) -> Response:
    """To Microsoft. By GET: browsers apply form-action to where a form's answer leads, and that is not ours."""
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise NotAllowed("This sign-in was not begun on Inbound's own pages.", "Begin on the sign-in page.")
    house.limits.microsoft.take(client_address(request))
    # Kept if there is one, so that two windows do not push each other out.
    browser = _browser(request) or house.app.random(32).hex()
    back = f"{callers.own_origin(request)}{CALLBACK}"
    response = RedirectResponse(person_signin.begin(house.app, browser, back, next, prover), 303)
    callers.mark_browser(request, response, browser)
    return response


def come_back(request: Request, house: House) -> Response:
    """From Microsoft, with a code or with a reason why not."""
    house.limits.microsoft.take(client_address(request))
    params = {name: value for name, value in request.query_params.items() if len(value) < 10_000}
    if "error" in params:
        person_signin.end(house.app, _browser(request), params.get("state", ""))
        return _form(request, house, "/", cancelled=True)
    done = person_signin.finish(house.app, _browser(request), params, callers.whoever(request))
    if isinstance(done, Entered):
        return enter(request, house, done)
    if isinstance(done, Choice):
        return render.page(request, "desks.html", choice=done)
    return RedirectResponse("/tenant?done=proven#people", 303)


def enter(request: Request, house: House, entered: Entered) -> Response:
    """Set the cookie. Somebody else may have been signed in in this browser: that session ends."""
    house.sessions.end(callers.cookie(request))
    response = RedirectResponse(own(entered.next), 303)
    callers.set_cookie(request, response, house.sessions.issue_to(entered.caller, entered.person.by_role))
    return response


def own(path: str) -> str:
    """The path if it is one of our pages, else the first page."""
    return path if _OWN_PAGE.fullmatch(path) else "/"


def _form(
    request: Request, house: House, next: str, refused: bool = False, cancelled: bool = False, status: int = 200
) -> Response:
    return render.page(
        request,
        "signin.html",
        status=status,
        next=own(next),
        refused=refused,
        cancelled=cancelled,
        with_microsoft=house.app.entra is not None,
    )


def _browser(request: Request) -> str:
    """What the browser's cookie of a sign-in that was begun holds; empty when there is none that could be ours."""
    value = callers.cookie(request, callers.SIGNING)
    return value if _BROWSER.fullmatch(value) else ""
