"""The ledger as a page: every mail with what became of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from shared.model import reason
from shared.model.reason import Outcome
from shared.web import lookup
from shared.web.callers import Member, TheApp
from shared.web.pages import render
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
        outcome=query.outcome,
        outcomes=tuple(Outcome),
        reasons=reason.BY_CODE,
    )
