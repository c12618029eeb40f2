"""One incident as a conversation, with the forms to go on with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from shared.flows import reply
from shared.flows.tenants import Caller
from shared.mail.address import Address, parse_address
from shared.model.incident import MARKS, AttachmentRef, Incident, Note, Status
from shared.model.outbound import Outbound
from shared.ports import App
from shared.web import lookup
from shared.web.callers import Member, TheApp
from shared.web.pages import render
from shared.web.shapes.incident import NOTES_PER_PAGE

router = APIRouter()

MAX_SHOWN_IMAGE = 5_000_000
"""Bytes of a picture in the text that is shown without being asked for: a screenshot of a large screen."""

SHOWN_TYPES = frozenset({"image/png", "image/gif", "image/jpeg", "image/webp"})


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in the forms. ``kind``: which of them is open, ``answer`` or ``internal``; empty: none. ``errors``:
    field and sentence of what has to change."""

    kind: str = ""
    text: str = ""
    to: str = ""
    cc: str = ""
    status: str = ""
    errors: tuple[tuple[str, str], ...] = ()
    files_are_lost: bool = False


@dataclass(frozen=True, slots=True)
class People:
    """Whom an answer goes to unless the agent names others, as the form shows them; ``can_send``: whether the mailbox
    sends mail at all; ``came_back``: addresses among them that mail came back from, and why."""

    to: str
    cc: str
    can_send: bool
    came_back: Mapping[str, str]


@router.get("/incidents/{number}")
def conversation(
    request: Request, number: str, app: TheApp, caller: Member, after: int | None = None, note: int | None = None
) -> Response:
    """The incident with its notes in order: the latest page of them, the one behind ``after``, or that of ``note``."""
    incident = lookup.incident(app, caller.tenant, number)
    return show(request, app, caller, incident, _start(incident, after, note))


def show(
    request: Request,
    app: App,
    caller: Caller,
    incident: Incident,
    start: int | None = None,
    written: Written | None = None,
    status: int = 200,
) -> Response:
    """The page. ``start``: the note before the first one; none: the latest page. ``written``: what an agent sent that
    cannot be taken as it is."""
    start = _start(incident) if start is None else start
    # Asked for every few seconds: mostly these two rows say that nothing changed, and no note is read.
    sent = app.answers.of_incident(caller.tenant, incident.number, start + 1, start + NOTES_PER_PAGE)
    tag = _tag(request, incident, sent)
    if status == 200 and request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    notes, more = lookup.notes(app, caller.tenant, incident.number, start, NOTES_PER_PAGE)
    return render.page(
        request,
        "incident.html",
        status=status,
        tag=tag,
        caller=caller,
        incident=incident,
        notes=notes,
        sent=sent,
        is_sending=any(one.is_open for one in sent.values()),
        later=notes[-1].seq if more else None,
        earlier=max(start - NOTES_PER_PAGE, 0) if start else None,
        marks=MARKS,
        statuses=tuple(Status),
        people=people(app, caller.tenant, incident),
        written=written or Written(),
        pictures_of=_pictures,
    )


def people(app: App, tenant: str, incident: Incident) -> People:
    """Who gets an answer, by the same rule as the flow's."""
    mailbox = app.mailboxes.get(tenant, incident.mailbox)
    if mailbox is None or not mailbox.settings.outgoing.enabled:
        return People("", "", False, {})
    copied = reply.others(incident, mailbox, app.mailboxes.own_addresses(tenant))
    everybody = [one.address for one in (incident.reporter, *copied) if one.address]
    return People(
        to=line((incident.reporter,)),
        cc=line(copied),
        can_send=True,
        came_back=app.answers.undeliverable(tenant, everybody),
    )


def line(people: tuple[Address, ...]) -> str:
    """People as a form shows them and reads them again: with their names where these can be read without doubt."""
    return ", ".join(_one(person) for person in people if person.address)


def _one(person: Address) -> str:
    name = person.name.replace("\\", "").replace('"', "").strip()
    plain = all(letter.isalnum() or letter in " -_'" for letter in name)
    named = f"{name} <{person.address}>" if plain else f'"{name}" <{person.address}>'
    read = parse_address(named) if name else None
    return named if read is not None and read.key == person.key else person.address


def _start(incident: Incident, after: int | None = None, note: int | None = None) -> int:
    if after is not None:
        return max(after, 0)
    seq = note if note is not None and 0 < note <= incident.notes_count else incident.notes_count
    return max(seq - 1, 0) // NOTES_PER_PAGE * NOTES_PER_PAGE


def _tag(request: Request, incident: Incident, sent: Mapping[int, Outbound]) -> str:
    shown = [request.url.path, request.url.query, incident.version, render.VERSION, render.language_of(request)]
    shown += [f"{seq}:{outbound.version}" for seq, outbound in sorted(sent.items())]
    return f'"{hashlib.sha256(chr(10).join(shown).encode()).hexdigest()[:32]}"'


def _pictures(note: Note) -> list[AttachmentRef]:
    """The pictures of the text itself, to be shown below it."""
    return [
        file
        for file in note.body.attachments
        if file.inline and file.content_type in SHOWN_TYPES and file.size <= MAX_SHOWN_IMAGE
    ]
