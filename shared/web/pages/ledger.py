"""The ledger as pages: every mail with what became of it, one mail with why, and what people do about held mail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.flows import held
from shared.model import reason
from shared.model.reason import Outcome
from shared.web import lookup
from shared.web.callers import Admin, Member, TheApp
from shared.web.pages import render
from shared.web.routers.mail import known, who
from shared.web.shapes import MailQuery

router = APIRouter()


@router.get("/mail")
def ledger(request: Request, app: TheApp, caller: Member, query: Annotated[MailQuery, Query()]) -> Response:
    """All mail, newest first."""
    page = lookup.ledger(app, caller.tenant, query)
    return render.page(
        request,
        "mail.html",
        caller=caller,
        mails=page.items,
        older=page.next,
        is_first=not query.after,
        query=query,
        outcomes=tuple(Outcome),
        reasons=reason.BY_CODE,
    )


@router.get("/mail/{id}")
def explained(request: Request, id: str, app: TheApp, caller: Member) -> Response:
    """One mail: what became of it, which rules were tried, and what can be done."""
    mail = held.get(app, caller.tenant, known(id))
    return render.page(request, "explain.html", caller=caller, mail=mail, reason=reason.BY_CODE.get(mail.reason))


@router.post("/mail/{id}/release")
def release(id: str, app: TheApp, caller: Member) -> Response:
    """As if it were allowed."""
    held.release(app, caller.tenant, known(id), who(caller))
    return _back_to(id)


@router.post("/mail/{id}/discard")
def discard(id: str, app: TheApp, caller: Member) -> Response:
    """Not wanted. The mail's page offers to take that back."""
    held.discard(app, caller.tenant, known(id), who(caller))
    return _back_to(id)


@router.post("/mail/{id}/allow")
def always_allow(id: str, app: TheApp, caller: Admin) -> Response:
    """Its sender goes on the whitelist."""
    held.always_allow(app, caller.tenant, known(id), who(caller))
    return _back_to(id)


@router.post("/mail/{id}/retry")
def retry(id: str, app: TheApp, caller: Member) -> Response:
    """Convert it once more."""
    held.retry(app, caller.tenant, known(id))
    return _back_to(id)


def _back_to(id: str) -> Response:
    return RedirectResponse(f"/mail/{id}", 303)
