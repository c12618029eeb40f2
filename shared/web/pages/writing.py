"""What agents do on an incident's page: answer, write an internal note, change the status, send an answer again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Form as Field
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.errors import Conflict, Invalid
from shared.flows import reply
from shared.flows.tenants import Caller
from shared.model.incident import Incident, Note, NoteKind, Status, label
from shared.ports import App
from shared.web import drafts, lookup
from shared.web.callers import Member, TheApp
from shared.web.drafts import AForm, Form
from shared.web.pages.conversation import People, Written, people, show
from shared.web.shapes.note import addresses
from shared.web.wording import in_words

router = APIRouter()

NEW_MEANWHILE = (
    "Something new came in while you wrote: look at it above. Send what you wrote if it still holds, or change it."
)


@router.post("/incidents/{number}/notes")
def write(request: Request, number: str, app: TheApp, caller: Member, form: AForm) -> Response:
    """An answer or an internal note. What cannot be taken comes back in the form, nothing of it lost but files."""
    incident = lookup.incident(app, caller.tenant, number)
    shown = people(app, caller.tenant, incident)
    if form.value("seen") != str(incident.notes_count):
        twin = _twin(app, caller, incident, form)
        return _to(incident, twin.seq) if twin else _again(request, app, caller, incident, form, _unseen())
    try:
        draft = drafts.draft(_without_page_fields(form, shown), drafts.author(app, caller))
        note = drafts.add(app, caller, incident.number, draft, incident.version)
    except RequestValidationError as error:
        return _again(request, app, caller, incident, form, tuple(in_words(one) for one in error.errors()))
    except Invalid as error:
        return _again(request, app, caller, incident, form, tuple(error.errors))
    except Conflict as error:
        now = lookup.incident(app, caller.tenant, number)
        found = _unseen() if now.version != incident.version else (("text", f"{error.message} {error.fix}".strip()),)
        return _again(request, app, caller, now, form, found)
    return _to(incident, note.seq)


@router.post("/incidents/{number}/status")
def change_status(number: str, app: TheApp, caller: Member, status: Annotated[Status, Field()]) -> Response:
    """One press of a button."""
    incident = lookup.incident(app, caller.tenant, number)
    reply.set_status(app, caller.tenant, incident.number, status)
    return RedirectResponse(f"/incidents/{label(incident.number)}", 303)


@router.post("/incidents/{number}/notes/{seq}/send-again")
def send_again(number: str, seq: str, app: TheApp, caller: Member) -> Response:
    """Because a person says so."""
    incident = lookup.incident(app, caller.tenant, number)
    note = lookup.note(app, caller.tenant, incident, seq)
    reply.send_again(app, caller.tenant, incident.number, note.seq)
    return RedirectResponse(f"/incidents/{label(incident.number)}?note={note.seq}#note-{note.seq}", 303)


def _without_page_fields(form: Form, shown: People) -> Form:
    """As the API takes it. Recipients that were left as they were are the flow's to choose: it leaves out those that
    mail came back from, where it stops for one that an agent names."""
    values = {name: given for name, given in form.values.items() if name != "seen"}
    to, cc = (addresses(form.value(name)) for name in ("to", "cc"))
    if form.value("kind") != "answer" or (to, cc) == (addresses(shown.to), addresses(shown.cc)):
        values = {name: given for name, given in values.items() if name not in ("to", "cc")}
    elif not to and not cc:
        raise Invalid([("to", "Name somebody who is to get it.")])
    return Form(values, form.files)


def _again(
    request: Request, app: App, caller: Caller, incident: Incident, form: Form, errors: tuple[tuple[str, str], ...]
) -> Response:
    kind = "internal" if form.value("kind") == "internal" else "answer"
    text, to, cc, status = (form.value(name) for name in ("text", "to", "cc", "status"))
    written = Written(kind, text, to, cc, status, errors, bool(form.files))
    return show(request, app, caller, incident, written=written, status=422)


def _twin(app: App, caller: Caller, incident: Incident, form: Form) -> Note | None:
    """The note that this very form made already: somebody pressed twice, or went back and sent it again."""
    seen = form.value("seen")
    notes = app.desk.notes(caller.tenant, incident.number, int(seen), 1) if seen.isdecimal() and len(seen) < 7 else ()
    kind = NoteKind.ANSWER if form.value("kind") == "answer" else NoteKind.INTERNAL
    same = form.value("text").replace("\r\n", "\n")
    author = drafts.author(app, caller)
    return next((one for one in notes if (one.kind, one.author.name, one.body.text) == (kind, author, same)), None)


def _unseen() -> tuple[tuple[str, str], ...]:
    return (("text", NEW_MEANWHILE),)


def _to(incident: Incident, seq: int) -> Response:
    number = label(incident.number)
    return RedirectResponse(f"/incidents/{number}?note={seq}&written={seq}#note-{seq}", 303)
