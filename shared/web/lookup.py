"""What API and pages look up the same way; what is not there for this tenant raises ``NotFound``."""

from __future__ import annotations

import re

from shared.errors import NotFound
from shared.model.inbound import Inbound
from shared.model.incident import AttachmentRef, Incident, Note
from shared.ports import App, Page
from shared.web.shapes.lists import MailQuery

_NUMBER = re.compile(r"(?:INC-)?([0-9]{1,9})", re.IGNORECASE)
_ATTACHMENT = re.compile(r"[0-9a-f]{32}-[0-9]{1,4}")
_SEQ = re.compile(r"[0-9]{1,9}")

NOTES_AT_ONCE = 100


def incident(app: App, tenant: str, number: str) -> Incident:
    """An incident by ``INC-000123`` or ``123``."""
    match = _NUMBER.fullmatch(number)
    found = app.desk.incident(tenant, int(match[1])) if match else None
    if found is None:
        raise NotFound("There is no such incident.", "Check its number in the list of incidents.")
    return found


def notes(app: App, tenant: str, number: int, after: int, limit: int) -> tuple[tuple[Note, ...], bool]:
    """Up to ``limit`` notes after ``after``, and whether there are more."""
    found = app.desk.notes(tenant, number, after, limit + 1)
    return found[:limit], len(found) > limit


def attachment(app: App, tenant: str, incident: Incident, id: str) -> tuple[AttachmentRef, bytes]:
    """An attachment of any note of the incident, with its content."""
    # An attachment's id begins with the mail that brought it, and the mail knows its note: no search.
    mail = app.desk.inbound(tenant, id.partition("-")[0]) if _ATTACHMENT.fullmatch(id) else None
    if mail is not None and mail.incident == incident.number and mail.note is not None:
        (note,) = app.desk.notes(tenant, incident.number, mail.note - 1, 1) or (None,)
        for reference in note.body.attachments if note else ():
            if reference.id == id and (content := app.raw.attachment(tenant, reference.sha256)) is not None:
                return reference, content
    raise NotFound("There is no such attachment.", "Open the incident again and use the link there.")


def raw(app: App, tenant: str, incident: Incident, seq: str) -> bytes:
    """The untouched mail behind a note."""
    found = app.desk.notes(tenant, incident.number, int(seq) - 1, 1) if _SEQ.fullmatch(seq) else ()
    mail = found[0].mail if found and found[0].seq == int(seq) else ""
    content = app.raw.get(tenant, mail) if mail else None
    if content is None:
        raise NotFound("There is no original mail behind this note.", "Perhaps it is no longer kept.")
    return content


def ledger(app: App, tenant: str, query: MailQuery) -> Page[Inbound]:
    """Mails, newest first."""
    return app.desk.ledger(tenant, query.outcome, query.reason, query.mailbox, query.after, query.limit)
