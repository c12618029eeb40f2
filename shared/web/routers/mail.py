"""The ledger: every mail ever seen, what became of it and why."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query, Response

from shared.errors import NotFound
from shared.flows import held
from shared.flows.tenants import Caller
from shared.web import lookup
from shared.web.callers import NEEDS_KEY, Admin, Member, TheApp
from shared.web.download import FILE, download
from shared.web.shapes.lists import Listed, MailQuery, listed
from shared.web.shapes.mail import MailExplained, MailOut, Released, mail_explained, mail_out

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
    return mail_explained(held.get(app, caller.tenant, known(id)))


@router.get("/{id}/raw", response_class=Response, responses=FILE)
def get_raw_mail(id: str, app: TheApp, caller: Member) -> Response:
    """The untouched mail (.eml), whatever became of it, always as a download. Of mail that is too large only the
    headers are kept."""
    mail = held.get(app, caller.tenant, known(id))
    return download(lookup.raw_of_mail(app, caller.tenant, mail), f"mail-{mail.id[:8]}.eml")


@router.post("/{id}/release")
def release_mail(id: str, app: TheApp, caller: Member) -> MailExplained:
    """Take a held mail as if it were allowed. It becomes an incident or a note within seconds."""
    return mail_explained(held.release(app, caller.tenant, known(id), who(caller)))


@router.post("/{id}/discard")
def discard_mail(id: str, app: TheApp, caller: Member) -> MailExplained:
    """A held mail is not wanted. It stays in the ledger, and can still be released."""
    return mail_explained(held.discard(app, caller.tenant, known(id), who(caller)))


@router.post("/{id}/allow")
def always_allow_sender(id: str, app: TheApp, caller: Admin) -> Released:
    """Put the sender of a held mail on the mailbox's whitelist, and release all that it held of him."""
    return Released(released=held.always_allow(app, caller.tenant, known(id), who(caller)))


@router.post("/{id}/retry")
def retry_mail(id: str, app: TheApp, caller: Member) -> MailExplained:
    """Try again to convert a mail that failed."""
    return mail_explained(held.retry(app, caller.tenant, known(id)))


def known(id: str) -> str:
    """The id, if it can be one. Raises ``NotFound``: ids end in row keys."""
    if not _ID.fullmatch(id):
        raise NotFound("There is no such mail.", "Check its id in the list of mail.")
    return id


def who(caller: Caller) -> str:
    """Who did it, as the trace says."""
    return f"{caller.role} {caller.name}" if caller.is_person else f"{caller.role} key {caller.key_id}"
