"""One incident as a conversation."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from shared.model.incident import MARKS
from shared.web import lookup
from shared.web.callers import Member, TheApp
from shared.web.pages import render
from shared.web.shapes.incident import NOTES_PER_PAGE

router = APIRouter()


@router.get("/incidents/{number}")
def conversation(request: Request, number: str, app: TheApp, caller: Member, after: int = 0) -> Response:
    """The incident with its notes in order."""
    incident = lookup.incident(app, caller.tenant, number)
    notes, more = lookup.notes(app, caller.tenant, incident.number, max(after, 0), NOTES_PER_PAGE)
    return render.page(
        request,
        "incident.html",
        caller=caller,
        incident=incident,
        notes=notes,
        later=notes[-1].seq if more else None,
        is_first=after <= 0,
        marks=MARKS,
    )
