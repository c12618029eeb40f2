"""The first page: incidents, newest activity first, and how the mailboxes do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from shared.model import whitelist
from shared.model.mailbox import Mailbox
from shared.model.reason import Outcome
from shared.model.schedule import Slot
from shared.ports import App
from shared.web.callers import Member, TheApp
from shared.web.pages import render
from shared.web.shapes.lists import DEFAULT_LIMIT, IncidentPlace

router = APIRouter()

MOST_HELD = 100
"""Held mails are counted up to here: it is asked every ten seconds, and beyond it the number changes nothing."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A mailbox as the page shows it. ``state``: ok, new, failing, paused or disabled. ``held``: how many mails are,
    up to ``MOST_HELD``."""

    id: str
    address: str
    group: str
    state: str
    message: str
    fix: str
    blocks_everyone: bool
    held: int


@router.get("/")
def inbox(request: Request, app: TheApp, caller: Member, after: IncidentPlace = "") -> Response:
    """The list of incidents."""
    page = app.desk.incidents(caller.tenant, None, None, None, after, DEFAULT_LIMIT)
    mailboxes = app.mailboxes.all(caller.tenant)
    held = _held(app, caller.tenant, mailboxes) if not after else {}
    return render.page(
        request,
        "inbox.html",
        caller=caller,
        incidents=page.items,
        older=page.next,
        is_first=not after,
        mailboxes=[_shown(app, mailbox, held.get(mailbox.id, 0)) for mailbox in mailboxes],
        most_held=MOST_HELD,
    )


def _held(app: App, tenant: str, mailboxes: Iterable[Mailbox]) -> Mapping[str, int]:
    """Held mails by mailbox, each up to ``MOST_HELD``."""
    newest = app.desk.ledger(tenant, Outcome.HELD, None, None, "", MOST_HELD)
    if newest.next is None:
        return Counter(mail.mailbox for mail in newest.items)
    return {
        mailbox.id: len(app.desk.ledger(tenant, Outcome.HELD, None, mailbox.id, "", MOST_HELD).items)
        for mailbox in mailboxes
    }


def _shown(app: App, mailbox: Mailbox, held: int) -> Shown:
    settings = mailbox.settings
    slot = app.schedule.get(mailbox.tenant, mailbox.id)
    return Shown(
        id=mailbox.id,
        address=settings.email or settings.username,
        group=settings.group,
        state=_state(mailbox, slot),
        message=slot.error_message if slot else "",
        fix=slot.error_fix if slot else "",
        blocks_everyone=settings.whitelist_enabled and not whitelist.entries(settings.whitelist),
        held=held,
    )


def _state(mailbox: Mailbox, slot: Slot | None) -> str:
    # Not ``flows.mailboxes.status``: it counts mail as well, too much for what is asked every ten seconds.
    if not mailbox.settings.enabled:
        return "disabled"
    if slot is None or slot.last_poll is None:
        return "new"
    if slot.paused:
        return "paused"
    return "failing" if slot.failures else "ok"
