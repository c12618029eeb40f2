"""The notes of an incident: write an answer or an internal note, send an answer again, read a note as it came."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Response

from shared.errors import Conflict
from shared.flows import reply
from shared.model.incident import label
from shared.web import drafts, lookup
from shared.web.callers import NEEDS_KEY, Member, TheApp
from shared.web.download import FILE, download
from shared.web.drafts import ANote
from shared.web.idempotency import IdempotencyKey, once
from shared.web.preconditions import IncidentMatch, incident_changed, incident_read
from shared.web.shapes.incident import NoteOut, note_out
from shared.web.shapes.note import request_body

router = APIRouter(prefix="/api/incidents/{number}/notes", tags=["incidents"], dependencies=[NEEDS_KEY])

HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}


@router.post("", status_code=201, openapi_extra=request_body())
def add_note(
    number: str,
    app: TheApp,
    caller: Member,
    body: ANote,
    if_match: IncidentMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> NoteOut:
    """Answer the reporter, or write an internal note. With If-Match only if the incident is still as it was read. With
    the same Idempotency-Key within a day it is the same note."""
    incident = lookup.incident(app, caller.tenant, number)
    wish = once(caller.key_id, idempotency_key)
    # Before If-Match: the note itself changed the incident.
    if (before := reply.known(app, caller.tenant, incident, wish)) is not None:
        return note_out(before, app.answers.outbound(caller.tenant, incident.number, before.seq))
    version = incident_read(incident, if_match)
    draft = replace(drafts.draft(body, drafts.author(app, caller)), wish=wish)
    try:
        note = drafts.add(app, caller, incident.number, draft, version)
    except Conflict:
        if version is not None and lookup.incident(app, caller.tenant, number).version != version:
            raise incident_changed() from None
        raise
    return note_out(note, app.answers.outbound(caller.tenant, incident.number, note.seq))


@router.post("/{seq}/send-again")
def send_again(number: str, seq: str, app: TheApp, caller: Member) -> NoteOut:
    """Send an answer once more that failed, came back or is in doubt. Addresses that mail came back from are written
    to again."""
    incident = lookup.incident(app, caller.tenant, number)
    note = lookup.note(app, caller.tenant, incident, seq)
    return note_out(note, reply.send_again(app, caller.tenant, incident.number, note.seq))


@router.get("/{seq}/raw", response_class=Response, responses=FILE)
def get_raw(number: str, seq: str, app: TheApp, caller: Member) -> Response:
    """The untouched mail behind a note (.eml), always as a download."""
    incident = lookup.incident(app, caller.tenant, number)
    raw = lookup.raw(app, caller.tenant, incident, seq)
    return download(raw, f"{label(incident.number)}-{seq}.eml")


@router.get("/{seq}/html", response_class=Response, responses=HTML)
def get_html(number: str, seq: str, app: TheApp, caller: Member, images: bool = False) -> Response:
    """The mail behind a note as its sender laid it out: cleaned, for a sandboxed frame, under a policy of its own.
    Images from elsewhere are left out unless ``images`` is true."""
    incident = lookup.incident(app, caller.tenant, number)
    found = lookup.as_html(app, caller.tenant, incident, seq, images)
    return Response(
        found.html, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": found.policy}
    )
