"""The first page: incidents, newest activity first, and how the mailboxes do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from shared.model import whitelist
from shared.model.inbound import HeldMail
from shared.model.incident import Status
from shared.model.mailbox import Mailbox
from shared.model.schedule import Slot
from shared.ports import App
from shared.web import search
from shared.web.callers import Member, TheApp
from shared.web.pages import render, standing
from shared.web.shapes.lists import IncidentQuery

router = APIRouter()

MOST_SHOWN = 3
"""Mailboxes that are shown one by one. Of more, those that want nothing are folded away: people came for incidents."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A mailbox as the page shows it. ``state``: ok, new, failing, paused or disabled. ``held``: how many mails are."""

    id: str
    address: str
    group: str
    state: str
    message: str
    fix: str
    blocks_everyone: bool
    held: int

    @property
    def wants_somebody(self) -> bool:
        """Whether a person has to look at it."""
        return self.state in ("failing", "paused") or self.blocks_everyone or self.held > 0


@router.get("/")
def inbox(request: Request, app: TheApp, caller: Member, query: Annotated[IncidentQuery, Query()]) -> Response:
    """The list of incidents, all of them or some."""
    found = search.incidents(app, caller.tenant, query)
    mailboxes = app.mailboxes.all(caller.tenant)
    chosen = _chosen(query)
    with_mailboxes = not chosen and not query.after
    held = app.desk.held(caller.tenant, standing.MOST_HELD_IN_LISTS) if with_mailboxes else HeldMail({})
    shown = _all_shown(app, caller.tenant, mailboxes, held) if with_mailboxes else []
    folds = len(shown) > MOST_SHOWN
    return render.page(
        request,
        "inbox.html",
        caller=caller,
        incidents=found.items,
        searched=found.searched,
        older=_address(chosen | {"after": found.next}) if found.next else None,
        newest=_address(chosen),
        is_first=not query.after,
        is_all=not chosen,
        query=query,
        link=lambda status: _address(chosen | {"status": status}),
        statuses=tuple(Status),
        groups=_offered({mailbox.settings.group for mailbox in mailboxes}, query.group),
        ids=_offered({mailbox.id for mailbox in mailboxes}, query.mailbox),
        mailboxes=shown,
        unfolded=[one for one in shown if one.wants_somebody or not folds],
        folded=[one for one in shown if folds and not one.wants_somebody],
        more_held=not held.complete,
    )


def _chosen(query: IncidentQuery) -> dict[str, str]:
    """The filters that are set, as an address names them."""
    fields = {
        "status": query.status,
        "group": query.group,
        "mailbox": query.mailbox,
        "reporter": query.reporter,
        "q": query.q,
    }
    return {name: str(value) for name, value in fields.items() if value}


def _address(fields: Mapping[str, str | None]) -> str:
    said = urlencode({name: value for name, value in fields.items() if value})
    return f"/?{said}" if said else "/"


def _offered(known: set[str], chosen: str | None) -> list[str]:
    """What the list can be narrowed to; incidents of a group or mailbox that is gone are still there."""
    return sorted(known | {chosen} if chosen else known)


def _all_shown(app: App, tenant: str, mailboxes: Sequence[Mailbox], held: HeldMail) -> list[Shown]:
    slots = app.schedule.of(tenant, {one.id for one in mailboxes})
    return [_shown(one, slots.get(one.id), held.mails.get(one.id, 0)) for one in mailboxes]


def _shown(mailbox: Mailbox, slot: Slot | None, held: int) -> Shown:
    settings = mailbox.settings
    return Shown(
        id=mailbox.id,
        address=settings.email or settings.username,
        group=settings.group,
        state=standing.state(mailbox, slot),
        message=slot.error_message if slot else "",
        fix=slot.error_fix if slot else "",
        blocks_everyone=settings.whitelist_enabled and not whitelist.entries(settings.whitelist),
        held=held,
    )
