"""The mailboxes of a tenant by group, and the form that connects one (the Inbound Email page)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError
from pydantic import StringConstraints
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.errors import Conflict, Invalid, NotFound
from shared.flows import logins
from shared.flows import mailboxes as flow
from shared.flows.probe import probe
from shared.flows.tenants import Caller
from shared.mail.writing import template
from shared.model.discovery import Discovery
from shared.model.inbound import HeldMail
from shared.model.mailbox import DEFAULT_PORTS, MAILBOX_ID, OUTGOING_PORTS, RESERVED_ID, Mailbox
from shared.model.schedule import Slot
from shared.ports import App
from shared.web.callers import Admin, Member, TheApp, count_discovery, count_probe
from shared.web.drafts import AForm, Form
from shared.web.pages import mailbox_form, render, standing
from shared.web.pages.mailbox_form import Sheet
from shared.web.preconditions import version_read
from shared.web.surprises import surprises
from shared.web.told import NDJSON, ToldProbe
from shared.web.wording import in_words

router = APIRouter(prefix="/mailboxes")

FIELD_OF = {"mailbox": "id", "address": "email"}
"""Fields that the form calls otherwise than the flows do."""

Did = Annotated[str, StringConstraints(pattern=r"^[a-z-]{0,20}$"), Query()]
"""What the reader has just done: one of the words that the page has a sentence for."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A mailbox in the list, or on its page. ``more_held``: there may be more held mails than ``held``."""

    mailbox: Mailbox
    slot: Slot | None
    state: str
    held: int
    more_held: bool
    warnings: list[str]


@router.get("")
def mailboxes(request: Request, app: TheApp, caller: Member, did: Did = "") -> Response:
    """All mailboxes by group."""
    found = app.mailboxes.all(caller.tenant)
    held = app.desk.held(caller.tenant, standing.MOST_HELD_IN_LISTS)
    slots = app.schedule.of(caller.tenant, {one.id for one in found})
    groups: dict[str, list[Shown]] = {}
    for mailbox in sorted(found, key=lambda one: (one.settings.group.lower(), one.id)):
        groups.setdefault(mailbox.settings.group, []).append(_shown(mailbox, slots.get(mailbox.id), held))
    return render.page(request, "mailboxes.html", caller=caller, groups=groups, did=did)


@router.get("/new")
def new_mailbox(request: Request, app: TheApp, caller: Admin, group: str = "") -> Response:
    """An empty form; ``group``: whose mailbox it is going to be."""
    return _page(request, app, caller, Sheet("", {**mailbox_form.new(), "group": group[:100]}))


@router.post("/new")
def create(request: Request, app: TheApp, caller: Admin, form: AForm) -> Response:
    """Whatever the form of a new mailbox was sent for."""
    return _answered(request, app, caller, form, None)


@router.get("/{id}")
def mailbox(request: Request, id: str, app: TheApp, caller: Member, did: Did = "") -> Response:
    """One mailbox: how it does, and its settings."""
    stored = known(app, caller, id)
    return _page(request, app, caller, Sheet(id, mailbox_form.shown(stored.settings), stored), did=did)


@router.post("/{id}")
def change(request: Request, id: str, app: TheApp, caller: Admin, form: AForm) -> Response:
    """Whatever the form was sent for."""
    return _answered(request, app, caller, form, known(app, caller, id))


def known(app: App, caller: Caller, id: str) -> Mailbox:
    """Raises ``NotFound``."""
    if not MAILBOX_ID.fullmatch(id):
        raise NotFound("There is no such mailbox.", "Choose one in the list of mailboxes.")
    return flow.get(app, caller.tenant, id)


def _on_its_page(app: App, mailbox: Mailbox) -> Shown:
    slot = app.schedule.get(mailbox.tenant, mailbox.id)
    return _shown(mailbox, slot, app.desk.held(mailbox.tenant, standing.MOST_HELD))


def _shown(mailbox: Mailbox, slot: Slot | None, held: HeldMail) -> Shown:
    settings = mailbox.settings
    if slot is not None and slot.last_success is not None:
        # Old mail came with the first connection: that warning has had its time.
        settings = settings.model_copy(update={"old_mail": "closed"})
    count, more = held.mails.get(mailbox.id, 0), not held.complete
    return Shown(mailbox, slot, standing.state(mailbox, slot), count, more, surprises(settings))


def _page(request: Request, app: App, caller: Caller, sheet: Sheet, *, status: int = 200, did: str = "") -> Response:
    stored = sheet.stored
    shown = _on_its_page(app, stored) if stored else None
    return render.page(
        request,
        "mailbox.html",
        status=status,
        caller=caller,
        sheet=sheet,
        did=did,
        shown=shown,
        sending=logins.sending(shown.mailbox, shown.slot) if shown else None,
        signed_in=bool(stored and stored.settings.uses_sign_in and app.sign_ins.cache(stored.tenant, stored.id)[0]),
        now=app.now(),
        groups=sorted({one.settings.group for one in app.mailboxes.all(caller.tenant)}),
        ports={**DEFAULT_PORTS, "outgoing": OUTGOING_PORTS},
        templates=(template.DEFAULT_SUBJECT, template.DEFAULT_TEXT),
        sample=mailbox_form.SAMPLE,
    )


def _answered(request: Request, app: App, caller: Caller, form: Form, stored: Mailbox | None) -> Response:
    """What a button of the form asks for. What cannot be taken comes back in the form, nothing of it lost but
    secrets."""
    sheet = Sheet(stored.id if stored else form.value("id").strip(), mailbox_form.typed(form, stored), stored)
    sheet = replace(sheet, lost=bool(mailbox_form.secrets(form)))
    try:
        match form.value("do"):
            case "discover":
                count_discovery(request, caller)
                return _page(request, app, caller, _discovered(app, caller, sheet))
            case "test":
                return _tested(request, app, caller, form, sheet)
            case _:
                return _saved(app, caller, form, sheet)
    except RequestValidationError as error:
        wrong = tuple(in_words(one) for one in error.errors())
    except Invalid as error:
        wrong = tuple((FIELD_OF.get(name, name), said) for name, said in error.errors)
    except Conflict as error:
        sheet, wrong = _overtaken(app, caller, sheet, form, error)
    return _page(request, app, caller, replace(sheet, errors=wrong), status=422)


def _discovered(app: App, caller: Caller, sheet: Sheet) -> Sheet:
    found: Discovery = app.discover(sheet.values["email"])
    id = sheet.id or mailbox_form.id_for(found.address, _taken(app, caller))
    return replace(sheet, id=id, values=mailbox_form.proposed(sheet.values, found), found=found)


def _tested(request: Request, app: App, caller: Caller, form: Form, sheet: Sheet) -> Response:
    body = mailbox_form.settings(sheet.values, mailbox_form.secrets(form), sheet.stored)
    # A test stores nothing, so a mailbox that has no id yet needs none.
    id = sheet.id if sheet.stored else RESERVED_ID
    tested = flow.draft(app, caller.tenant, id, body.settings(), body.secrets())
    count_probe(request, caller)
    if NDJSON in request.headers.get("accept", ""):
        return ToldProbe(lambda tell: probe(app, tested, tell=tell))
    return _page(request, app, caller, replace(sheet, report=probe(app, tested)))


def _saved(app: App, caller: Caller, form: Form, sheet: Sheet) -> Response:
    body = mailbox_form.settings(sheet.values, mailbox_form.secrets(form), sheet.stored)
    id = sheet.id or mailbox_form.id_for(sheet.values["email"] or sheet.values["username"], _taken(app, caller))
    if not MAILBOX_ID.fullmatch(id):
        raise mailbox_form.wrong_id()
    # Empty: there must be none yet, decided by the store.
    version = version_read(app, caller.tenant, id, form.value("seen") or '""') if sheet.stored else ""
    flow.save(app, caller.tenant, id, body.settings(), body.secrets(), version)
    did = {"sign-in": "sign-in"}.get(form.value("do"), "saved" if sheet.stored else "connected")
    return RedirectResponse(f"/mailboxes/{id}?did={did}", 303)


def _overtaken(
    app: App, caller: Caller, sheet: Sheet, form: Form, error: Conflict
) -> tuple[Sheet, tuple[tuple[str, str], ...]]:
    """Somebody was faster: what he saved is shown beside what was typed, and saving once more is allowed then."""
    if sheet.stored is None:
        return sheet, (("id", "There is a mailbox of this id already. Choose another one."),)
    now = known(app, caller, sheet.id)
    newer = replace(sheet, stored=now)
    if newer.seen == form.value("seen"):
        return sheet, (("", f"{error.message} {error.fix}".strip()),)
    return replace(newer, theirs=mailbox_form.differing(mailbox_form.shown(now.settings), sheet.values)), ()


def _taken(app: App, caller: Caller) -> frozenset[str]:
    return frozenset(one.id for one in app.mailboxes.all(caller.tenant))
