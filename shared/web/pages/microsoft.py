"""To Microsoft's sign-in and back: ``/oauth/start`` for a mailbox, ``/oauth/callback`` for it and for people who sign
in to the pages (``signin``).

Neither takes an address to go to afterwards: there is nothing to redirect elsewhere.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.errors import Conflict, NotAllowed
from shared.flows import person_signin, signin
from shared.flows.tenants import Caller
from shared.model.mailbox import MAILBOX_ID
from shared.ports import App
from shared.web import callers
from shared.web.callers import Admin, TheApp, TheHouse
from shared.web.pages import render
from shared.web.pages.signin import CALLBACK, come_back

router = APIRouter()

_REFUSED = {
    "access_denied": ("The sign-in was cancelled. Nothing changed.", "Begin again when you are ready."),
    "consent_required": (
        "Microsoft wants an administrator's consent first.",
        "An administrator opens Entra > Enterprise applications > the app > Permissions and grants it.",
    ),
}
"""What Microsoft sends back instead of a code (RFC 6749, 4.1.2.1), in words; its own text is not shown: anybody could
have written it into the address."""


@router.get("/oauth/start")
def start(request: Request, app: TheApp, caller: Admin, mailbox: str = "") -> Response:
    """Send the browser to Microsoft for this mailbox."""
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise NotAllowed("This sign-in was not begun on Inbound's own pages.", "Begin from the mailbox's settings.")
    if not MAILBOX_ID.fullmatch(mailbox):
        raise Conflict("No mailbox was named.", "Begin from the mailbox's settings.")
    back = f"{callers.own_origin(request)}{CALLBACK}"
    return RedirectResponse(signin.begin(app, caller, mailbox, back), 303)


@router.get(CALLBACK)
def callback(request: Request, house: TheHouse) -> Response:
    """Microsoft sent the browser back, with a code or with a reason why not."""
    if request.query_params.get("state", "").startswith(person_signin.STATE):
        return come_back(request, house)
    return _for_mailbox(request, house.app, callers.admin_of(request))


def _for_mailbox(request: Request, app: App, caller: Caller) -> Response:
    params = {name: value for name, value in request.query_params.items() if len(value) < 10_000}
    if "error" in params:
        signin.end(app, caller, params.get("state", ""))
        message, fix = _REFUSED.get(
            params["error"], ("Microsoft did not sign you in.", "Begin again from the mailbox's settings.")
        )
        raise Conflict(message, fix)
    mailbox, username = signin.finish(app, caller, params)
    return render.page(request, "signedin.html", mailbox=mailbox.id, username=username)
