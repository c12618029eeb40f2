"""What an admin does with a mailbox beside changing its settings: poll, write down, switch off and on, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from shared.errors import Invalid
from shared.flows import mailboxes as flow
from shared.web.callers import Admin, TheApp
from shared.web.pages.mailboxes import known
from shared.web.preconditions import changed, version_read
from shared.web.shapes.mailbox import etag

router = APIRouter(prefix="/mailboxes/{id}")

TRANSCRIPT_MINUTES = 30
"""Long enough to send a mail and see it come, at any usual polling frequency."""


@router.post("/poll")
def poll(id: str, app: TheApp, caller: Admin) -> Response:
    """Now, not at the next due time."""
    known(app, caller, id)
    flow.poll_now(app, caller.tenant, id)
    return _to(id, "asked")


@router.post("/transcript")
def transcript(id: str, app: TheApp, caller: Admin, on: Annotated[str, Form()] = "") -> Response:
    """Write down what is said with the server, or stop doing so."""
    known(app, caller, id)
    flow.transcribe(app, caller.tenant, id, TRANSCRIPT_MINUTES if on else 0)
    return _to(id, "transcript-on" if on else "transcript-off")


@router.post("/enabled")
def enable(
    id: str, app: TheApp, caller: Admin, on: Annotated[str, Form()] = "", seen: Annotated[str, Form()] = ""
) -> Response:
    """Switch polling on or off; nothing else changes."""
    mailbox = known(app, caller, id)
    if seen != etag(mailbox):
        raise changed()
    settings = mailbox.settings.model_copy(update={"enabled": bool(on)})
    flow.save(app, caller.tenant, id, settings, {}, mailbox.version)
    return _to(id, "enabled" if on else "disabled")


@router.post("/delete")
def delete(
    id: str, app: TheApp, caller: Admin, confirm: Annotated[str, Form()] = "", seen: Annotated[str, Form()] = ""
) -> Response:
    """Forget settings and secrets, if the id was typed. Incidents and the ledger stay."""
    known(app, caller, id)
    if confirm.strip() != id:
        raise Invalid([("confirm", f"Nothing was deleted. To delete this mailbox, type its id: {id}")])
    flow.remove(app, caller.tenant, id, version_read(app, caller.tenant, id, seen or '""'))
    return RedirectResponse("/mailboxes?did=deleted", 303)


def _to(id: str, did: str) -> Response:
    return RedirectResponse(f"/mailboxes/{id}?did={did}", 303)
