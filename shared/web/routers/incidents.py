"""Incidents: the list, one with its notes, and downloads."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from shared.model.incident import label
from shared.web import lookup
from shared.web.callers import NEEDS_KEY, Member, TheApp
from shared.web.download import download
from shared.web.shapes.incident import (
    NOTES_PER_PAGE,
    IncidentOut,
    IncidentWithNotes,
    incident_out,
    incident_with_notes,
)
from shared.web.shapes.lists import IncidentQuery, Listed, NotesQuery, listed

router = APIRouter(prefix="/api/incidents", tags=["incidents"], dependencies=[NEEDS_KEY])

FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("")
def list_incidents(app: TheApp, caller: Member, query: Annotated[IncidentQuery, Query()]) -> Listed[IncidentOut]:
    """Incidents, newest activity first."""
    page = app.desk.incidents(caller.tenant, query.status, query.mailbox, query.group, query.after, query.limit)
    return listed(page, incident_out)


@router.get("/{number}")
def get_incident(number: str, app: TheApp, caller: Member, query: Annotated[NotesQuery, Query()]) -> IncidentWithNotes:
    """One incident (``INC-000123`` or ``123``) with up to 100 notes."""
    incident = lookup.incident(app, caller.tenant, number)
    notes, more = lookup.notes(app, caller.tenant, incident.number, query.notes_after, NOTES_PER_PAGE)
    return incident_with_notes(incident, notes, more)


@router.get("/{number}/attachments/{attachment}", response_class=Response, responses=FILE)
def get_attachment(number: str, attachment: str, app: TheApp, caller: Member) -> Response:
    """The content of an attachment, always as a download."""
    incident = lookup.incident(app, caller.tenant, number)
    reference, content = lookup.attachment(app, caller.tenant, incident, attachment)
    return download(content, reference.name)


@router.get("/{number}/notes/{seq}/raw", response_class=Response, responses=FILE)
def get_raw(number: str, seq: str, app: TheApp, caller: Member) -> Response:
    """The untouched mail behind a note (.eml), always as a download."""
    incident = lookup.incident(app, caller.tenant, number)
    raw = lookup.raw(app, caller.tenant, incident, seq)
    return download(raw, f"{label(incident.number)}-{seq}.eml")
