"""Signing in with an API key, and out."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.errors import NotSignedIn
from shared.flows import tenants
from shared.web import callers
from shared.web.callers import MAX_CREDENTIAL_CHARS, TheHouse
from shared.web.pages import render

router = APIRouter()

_OWN_PAGE = re.compile(r"/(?:tenant|mail(?:/[0-9a-f]{32})?|incidents/[A-Za-z0-9-]{1,20})?")
"""Where signing in may lead. Anything else could be another site in disguise."""


@router.get("/sign-in")
def ask(request: Request, next: str = "/") -> Response:
    """The form."""
    return render.page(request, "signin.html", next=_own(next), refused=False)


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
        return render.page(request, "signin.html", status=401, next=_own(next), refused=True)
    response = RedirectResponse(_own(next), 303)
    callers.set_cookie(request, response, house.sessions.issue(caller))
    return response


@router.post("/sign-out")
def sign_out(request: Request, house: TheHouse) -> Response:
    """End the session, here and for whoever kept a copy of the cookie."""
    callers.refuse_other_sites(request)
    house.sessions.end(callers.cookie(request))
    response = RedirectResponse("/sign-in", 303)
    callers.clear_cookie(request, response)
    return response


def _own(path: str) -> str:
    return path if _OWN_PAGE.fullmatch(path) else "/"
