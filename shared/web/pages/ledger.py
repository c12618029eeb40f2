"""The ledger as pages: every mail with what became of it, one mail with why, and what people do about held mail."""

from __future__ import annotations

import re
from typing import Annotated, Protocol
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query
from pydantic import StringConstraints
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.flows import held
from shared.model import reason
from shared.model.reason import Outcome
from shared.ports import App
from shared.web import lookup
from shared.web.callers import Admin, Member, TheApp
from shared.web.pages import render
from shared.web.routers.mail import known, who
from shared.web.shapes.lists import MailQuery

router = APIRouter()

_LIST = re.compile(r"/mail(?:\?[A-Za-z0-9_.~%+&=-]{1,500})?")
"""The list with some filters: where an action that was begun there leads back to. Nothing else is an address."""

Back = Annotated[str, Form()]


class LedgerQuery(MailQuery):
    """``did``: the mail that the reader has just done something with."""

    did: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{32})?$")] = ""


class Link(Protocol):
    """Makes the address of the list with other filters; what is not named stays as it is."""

    def __call__(self, **changes: str | None) -> str: ...


@router.get("/mail")
def ledger(request: Request, app: TheApp, caller: Member, query: Annotated[LedgerQuery, Query()]) -> Response:
    """Mail, newest first."""
    page = lookup.ledger(app, caller.tenant, query)
    return render.page(
        request,
        "mail.html",
        caller=caller,
        mails=page.items,
        older=page.next,
        is_first=not query.after,
        query=query,
        did=app.desk.inbound(caller.tenant, query.did) if query.did else None,
        link=_linker(query),
        outcomes=tuple(Outcome),
        reasons=reason.BY_CODE,
        reasons_offered=[one for one in reason.ALL if query.outcome in (None, one.outcome)],
        mailboxes=_mailboxes(app, caller.tenant, query),
    )


def _linker(query: LedgerQuery) -> Link:
    chosen = {"outcome": query.outcome, "reason": query.reason, "mailbox": query.mailbox}

    def link(**changes: str | None) -> str:
        said = urlencode({name: str(value) for name, value in {**chosen, **changes}.items() if value})
        return f"/mail?{said}" if said else "/mail"

    return link


def _mailboxes(app: App, tenant: str, query: LedgerQuery) -> list[str]:
    """The ids that the list can be narrowed to; one that was deleted still has mail."""
    known = {mailbox.id for mailbox in app.mailboxes.all(tenant)}
    return sorted(known | {query.mailbox} if query.mailbox else known)


@router.get("/mail/{id}")
def explained(request: Request, id: str, app: TheApp, caller: Member) -> Response:
    """One mail: what became of it, which rules were tried, and what can be done."""
    mail = held.get(app, caller.tenant, known(id))
    return render.page(request, "explain.html", caller=caller, mail=mail, reason=reason.BY_CODE.get(mail.reason))


@router.post("/mail/{id}/release")
def release(id: str, app: TheApp, caller: Member, back: Back = "") -> Response:
    """As if it were allowed."""
    held.release(app, caller.tenant, known(id), who(caller))
    return _to(back, id)


@router.post("/mail/{id}/discard")
def discard(id: str, app: TheApp, caller: Member, back: Back = "") -> Response:
    """Not wanted. The page offers to take that back."""
    held.discard(app, caller.tenant, known(id), who(caller))
    return _to(back, id)


@router.post("/mail/{id}/allow")
def always_allow(id: str, app: TheApp, caller: Admin, back: Back = "") -> Response:
    """Its sender goes on the whitelist."""
    held.always_allow(app, caller.tenant, known(id), who(caller))
    return _to(back, id)


@router.post("/mail/{id}/retry")
def retry(id: str, app: TheApp, caller: Member, back: Back = "") -> Response:
    """Convert it once more."""
    held.retry(app, caller.tenant, known(id))
    return _to(back, id)


def _to(back: str, id: str) -> Response:
    """Back to the list that the reader was working through, else to the mail's own page."""
    if not _LIST.fullmatch(back):
        return RedirectResponse(f"/mail/{id}", 303)
    return RedirectResponse(f"{back}{'&' if '?' in back else '?'}did={id}", 303)
