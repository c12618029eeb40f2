"""Mailboxes: settings in and out, poll now, how they are doing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import PlainTextResponse

from shared.errors import Conflict, Invalid, NotFound
from shared.flows import mailboxes as flow
from shared.flows.probe import probe
from shared.model.mailbox import MAILBOX_ID, Mailbox
from shared.ports import App
from shared.web.callers import NEEDS_KEY, Admin, Member, TheApp
from shared.web.shapes import (
    Listed,
    MailboxIn,
    MailboxOut,
    ProbeIn,
    ProbeOut,
    Queued,
    StatusOut,
    TranscriptIn,
    TranscriptUntil,
    etag,
    mailbox_out,
    probe_out,
    status_out,
)

router = APIRouter(prefix="/api/mailboxes", tags=["mailboxes"], dependencies=[NEEDS_KEY])

IfMatch = Annotated[str | None, Header(description="The ETag of the settings that you read.")]


class Changed(Conflict):
    """The settings are not those the caller read (RFC 9110, 13.1.1)."""

    status = 412


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
    mailbox: str, body: MailboxIn, app: TheApp, caller: Admin, response: Response, if_match: IfMatch = None
) -> MailboxOut:
    """Create or change a mailbox. Secrets that are left out stay as they are."""
    if not MAILBOX_ID.fullmatch(mailbox):
        raise Invalid([("mailbox", "Use 1 to 63 small letters, digits and inner hyphens.")])
    version = _version_read(app, caller.tenant, mailbox, if_match)
    try:
        saved, created = flow.save(app, caller.tenant, mailbox, body.settings(), body.secrets(), version)
    except Conflict as conflict:
        raise (_changed() if version is not None else conflict) from None
    response.status_code = 201 if created else 200
    response.headers["ETag"] = etag(saved)
    return mailbox_out(saved)


@router.delete("/{mailbox}", status_code=204)
def delete_mailbox(mailbox: str, app: TheApp, caller: Admin) -> None:
    """Forget a mailbox's settings and secrets. Incidents and the ledger stay."""
    _known(mailbox)
    flow.remove(app, caller.tenant, mailbox)


@router.post("/{mailbox}/poll", status_code=202)
def poll_mailbox(mailbox: str, app: TheApp, caller: Admin) -> Queued:
    """Ask for new mail now, not at the next due time."""
    _known(mailbox)
    flow.poll_now(app, caller.tenant, mailbox)
    return Queued()


@router.post("/{mailbox}/test")
def probe_mailbox(mailbox: str, app: TheApp, caller: Admin, body: ProbeIn | None = None) -> ProbeOut:
    """Test Settings: the steps of a poll, one by one, on these settings or (without a body) on the saved ones.

    It changes nothing in the mailbox. What fails says why, and what to do.
    """
    _known(mailbox)
    if body is None:
        tested = flow.get(app, caller.tenant, mailbox)
    else:
        tested = flow.draft(app, caller.tenant, mailbox, body.settings(), body.secrets())
    return probe_out(probe(app, tested, body.other_address if body else ""))


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


def _version_read(app: App, tenant: str, mailbox: str, if_match: str | None) -> str | None:
    """The version that must still be there for the caller's If-Match; None when there is no such header."""
    if if_match is None:
        return None
    try:
        current = flow.get(app, tenant, mailbox)
    except NotFound:
        raise _changed() from None
    tags = [tag.strip() for tag in if_match.split(",")]
    if tags != ["*"] and etag(current) not in tags:
        raise _changed()
    return current.version


def _changed() -> Changed:
    return Changed("Somebody changed this mailbox meanwhile.", "Read it again and repeat your change.")
