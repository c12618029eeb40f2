"""Mailboxes: settings in and out, poll now, how they are doing."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from fastapi.responses import PlainTextResponse

from shared.errors import Conflict, Invalid, NotFound
from shared.flows import mailboxes as flow
from shared.flows.probe import probe
from shared.flows.whatif import what_if
from shared.model.mailbox import MAILBOX_ID, Mailbox
from shared.ports import App
from shared.web.callers import NEEDS_KEY, PROBE_LIMIT, Admin, Member, TheApp
from shared.web.preconditions import IfMatch, IfNoneMatch, changed, refuse_known, version_read
from shared.web.shapes.lists import Listed
from shared.web.shapes.mailbox import MailboxIn, MailboxOut, ProbeIn, etag, mailbox_out
from shared.web.shapes.polling import (
    ProbeOut,
    Queued,
    StatusOut,
    TranscriptIn,
    TranscriptUntil,
    probe_out,
    status_out,
)
from shared.web.shapes.whatif import WhatIfIn, WhatIfOut, what_if_out
from shared.web.told import NDJSON, ToldProbe

router = APIRouter(prefix="/api/mailboxes", tags=["mailboxes"], dependencies=[NEEDS_KEY])

_TOLD: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The report; or, where it is asked for, the steps as they happen and the report as last line.",
        "content": {NDJSON: {"schema": {"type": "string"}}},
    }
}


@router.get("")
def list_mailboxes(app: TheApp, caller: Member) -> Listed[MailboxOut]:
    """All mailboxes of the tenant, in order of their ids."""
    return Listed(items=[mailbox_out(mailbox) for mailbox in app.mailboxes.all(caller.tenant)])


@router.get("/{mailbox}")
def get_mailbox(mailbox: str, app: TheApp, caller: Member, response: Response) -> MailboxOut:
    """A mailbox's settings. Secrets show as "set" or "not set"."""
    found = _get(app, caller.tenant, mailbox)
    response.headers["ETag"] = etag(found)
    return mailbox_out(found)


@router.put("/{mailbox}", responses={201: {"model": MailboxOut, "description": "Created"}})
def put_mailbox(
    mailbox: str,
    body: MailboxIn,
    app: TheApp,
    caller: Admin,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> MailboxOut:
    """Create or change a mailbox. Secrets that are left out stay as they are."""
    if not MAILBOX_ID.fullmatch(mailbox):
        raise Invalid([("mailbox", "Use 1 to 63 small letters, digits and inner hyphens.")])
    version = version_read(app, caller.tenant, mailbox, if_match)
    refuse_known(app, caller.tenant, mailbox, if_none_match)
    if version is None and if_none_match is not None and if_none_match.strip() == "*":
        version = ""  # decided by the store, so that two who create it at once cannot both succeed
    try:
        saved, created = flow.save(app, caller.tenant, mailbox, body.settings(), body.secrets(), version)
    except Conflict as conflict:
        raise (changed() if version is not None else conflict) from None
    response.status_code = 201 if created else 200
    response.headers["ETag"] = etag(saved)
    return mailbox_out(saved)


@router.delete("/{mailbox}", status_code=204)
def delete_mailbox(mailbox: str, app: TheApp, caller: Admin, if_match: IfMatch = None) -> None:
    """Forget a mailbox's settings and secrets. Incidents and the ledger stay."""
    _known(mailbox)
    version = version_read(app, caller.tenant, mailbox, if_match)
    try:
        flow.remove(app, caller.tenant, mailbox, version)
    except Conflict as conflict:
        raise (changed() if version is not None else conflict) from None


@router.post("/{mailbox}/poll", status_code=202)
def poll_mailbox(mailbox: str, app: TheApp, caller: Admin) -> Queued:
    """Ask for new mail now, not at the next due time."""
    _known(mailbox)
    flow.poll_now(app, caller.tenant, mailbox)
    return Queued()


@router.post("/{mailbox}/test", response_model=ProbeOut, responses=_TOLD, dependencies=[PROBE_LIMIT])
def probe_mailbox(
    mailbox: str,
    app: TheApp,
    caller: Admin,
    body: ProbeIn | None = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> ProbeOut | Response:
    """Test Settings: the steps of a poll, one by one, on these settings or (without a body) on the saved ones.

    It changes nothing in the mailbox. What fails says why, and what to do. With `Accept: application/x-ndjson` each
    step is a line as it begins and as it ends, and the report is the last line.
    """
    _known(mailbox)
    if body is None:
        tested = flow.get(app, caller.tenant, mailbox)
    else:
        tested = flow.draft(app, caller.tenant, mailbox, body.settings(), body.secrets())
    other = body.other_address if body else ""
    if NDJSON in accept:
        return ToldProbe(lambda tell: probe(app, tested, other, tell))
    return probe_out(probe(app, tested, other))


@router.post("/{mailbox}/what-if")
def what_if_mailbox(mailbox: str, body: WhatIfIn, app: TheApp, caller: Admin) -> WhatIfOut:
    """What the kept mail of the last days would have become under other settings. It changes nothing."""
    saved = _get(app, caller.tenant, mailbox)
    proposed = replace(saved, settings=body.settings.settings())
    return what_if_out(what_if(app, saved, proposed, body.days))


@router.post("/{mailbox}/transcript")
def start_transcript(mailbox: str, body: TranscriptIn, app: TheApp, caller: Admin) -> TranscriptUntil:
    """Write down the conversations of the next minutes; it ends by itself."""
    _known(mailbox)
    return TranscriptUntil(until=flow.transcribe(app, caller.tenant, mailbox, body.minutes))


@router.get("/{mailbox}/transcript", response_class=PlainTextResponse)
def get_transcript(mailbox: str, app: TheApp, caller: Admin) -> PlainTextResponse:
    """What was said with the mail server while it was written down, secrets struck out and mail cut; kept for a day."""
    _get(app, caller.tenant, mailbox)
    lines = app.transcripts.read(caller.tenant, mailbox, app.now())
    name = f'attachment; filename="{mailbox}-transcript.txt"'
    return PlainTextResponse("".join(f"{line}\n" for line in lines), headers={"Content-Disposition": name})


@router.get("/{mailbox}/status")
def get_status(mailbox: str, app: TheApp, caller: Member) -> StatusOut:
    """How polling goes, and what became of the mail."""
    _known(mailbox)
    return status_out(flow.status(app, caller.tenant, mailbox))


def _get(app: App, tenant: str, mailbox: str) -> Mailbox:
    _known(mailbox)
    return flow.get(app, tenant, mailbox)


def _known(mailbox: str) -> None:
    # Ids end in row keys: one that cannot exist is not even looked up.
    if not MAILBOX_ID.fullmatch(mailbox):
        raise NotFound("There is no such mailbox.", "Check its id in the list of mailboxes.")
