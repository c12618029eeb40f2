"""The first page: incidents, newest activity first, and how the mailboxes do."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from shared.model import whitelist
from shared.model.mailbox import Mailbox
from shared.model.schedule import Slot
from shared.ports import App
from shared.web.callers import Member, TheApp
from shared.web.pages import render
from shared.web.shapes import DEFAULT_LIMIT

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Shown:
    """A mailbox as the page shows it. ``state``: ok, new, failing or disabled."""

    id: str
    address: str
    group: str
    state: str
    message: str
    fix: str
    blocks_everyone: bool


@router.get("/")
def inbox(request: Request, app: TheApp, caller: Member, after: str = "") -> Response:
    """The list of incidents."""
    page = app.desk.incidents(caller.tenant, None, None, None, after, DEFAULT_LIMIT)
    return render.page(
        request,
        "inbox.html",
        caller=caller,
        incidents=page.items,
        older=page.next,
        is_first=not after,
        mailboxes=[_shown(app, mailbox) for mailbox in app.mailboxes.all(caller.tenant)],
    )


def _shown(app: App, mailbox: Mailbox) -> Shown:
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
