"""The ledger: every mail ever seen, what became of it and why."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query

from shared.errors import NotFound
from shared.web import lookup
from shared.web.callers import NEEDS_KEY, Member, TheApp
from shared.web.shapes import Listed, MailExplained, MailOut, MailQuery, listed, mail_explained, mail_out

router = APIRouter(prefix="/api/mail", tags=["mail"], dependencies=[NEEDS_KEY])

_ID = re.compile(r"[0-9a-f]{32}")


@router.get("")
def list_mail(app: TheApp, caller: Member, query: Annotated[MailQuery, Query()]) -> Listed[MailOut]:
    """Mails, newest first."""
    page = lookup.ledger(app, caller.tenant, query)
    return listed(page, mail_out)


@router.get("/{id}")
def explain_mail(id: str, app: TheApp, caller: Member) -> MailExplained:
    """One mail, with the rules that were tried and what each of them said."""
    mail = app.desk.inbound(caller.tenant, id) if _ID.fullmatch(id) else None
    if mail is None:
        raise NotFound("There is no such mail.", "Check its id in the list of mail.")
    return mail_explained(mail)
