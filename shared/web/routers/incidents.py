"""Incidents: the list, one with its notes, how it stands, and downloads."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from shared.errors import Conflict
from shared.flows import reply
from shared.web import lookup, search
from shared.web.callers import NEEDS_KEY, Member, TheApp
from shared.web.download import FILE, download
from shared.web.preconditions import IncidentMatch, incident_changed, incident_read
from shared.web.shapes.incident import (
    NOTES_PER_PAGE,
    IncidentOut,
    IncidentWithNotes,
    etag,
    incident_out,
    incident_with_notes,
)
from shared.web.shapes.lists import IncidentQuery, NotesQuery, Searched
from shared.web.shapes.note import StatusIn

router = APIRouter(prefix="/api/incidents", tags=["incidents"], dependencies=[NEEDS_KEY])

TAGGED: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": {"description": "For If-Match.", "schema": {"type": "string"}}}}
}

IMAGE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            f"image/{kind}": {"schema": {"type": "string", "format": "binary"}}
            for kind in ("png", "gif", "jpeg", "webp")
        }
    }
}


@router.get("")
def list_incidents(app: TheApp, caller: Member, query: Annotated[IncidentQuery, Query()]) -> Searched[IncidentOut]:
    """Incidents, newest activity first."""
    found = search.incidents(app, caller.tenant, query)
    return Searched(items=[incident_out(one) for one in found.items], next=found.next, searched=found.searched)


@router.get("/{number}", responses=TAGGED)
def get_incident(
    number: str, app: TheApp, caller: Member, query: Annotated[NotesQuery, Query()], response: Response
) -> IncidentWithNotes:
    """One incident (``INC-000123`` or ``123``) with up to 100 notes."""
    incident = lookup.incident(app, caller.tenant, number)
    notes, more = lookup.notes(app, caller.tenant, incident.number, query.notes_after, NOTES_PER_PAGE)
    response.headers["ETag"] = etag(incident)
    return incident_with_notes(incident, notes, more, lookup.outbounds(app, caller.tenant, incident.number, notes))


@router.patch("/{number}", responses=TAGGED)
def change_incident(
    number: str, wanted: StatusIn, app: TheApp, caller: Member, response: Response, if_match: IncidentMatch = None
) -> IncidentOut:
    """Change how an incident stands. With If-Match only if it is still as it was read."""
    before = lookup.incident(app, caller.tenant, number)
    version = incident_read(before, if_match)
    try:
        after = reply.set_status(app, caller.tenant, before.number, wanted.status, version)
    except Conflict:
        if version is not None and lookup.incident(app, caller.tenant, number).version != version:
            raise incident_changed() from None
        raise
    response.headers["ETag"] = etag(after)
    return incident_out(after)


@router.get("/{number}/attachments/{attachment}", response_class=Response, responses=FILE)
def get_attachment(number: str, attachment: str, app: TheApp, caller: Member) -> Response:
    """The content of an attachment, always as a download."""
    incident = lookup.incident(app, caller.tenant, number)
    reference, content = lookup.attachment(app, caller.tenant, incident, attachment)
    return download(content, reference.name)


@router.get("/{number}/images/{image}", response_class=Response, responses=IMAGE)
def get_image(number: str, image: str, app: TheApp, caller: Member) -> Response:
    """An attachment, by its id, as an image to be shown: PNG, GIF, JPEG or WebP, judged by its bytes; never SVG."""
    incident = lookup.incident(app, caller.tenant, number)
    content, type_ = lookup.image(app, caller.tenant, incident, image)
    # An attachment never changes; only the reader's own browser may keep it, as long as a session lasts.
    return Response(content, media_type=type_, headers={"Cache-Control": "private, max-age=43200"})
