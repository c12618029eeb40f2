"""What API and pages look up the same way; what is not there for this tenant raises ``NotFound``."""

from __future__ import annotations

import re

from shared.errors import NotFound
from shared.model.inbound import Inbound
from shared.model.incident import AttachmentRef, Incident, Note
from shared.model.outbound import Outbound
from shared.ports import App, Page
from shared.web.note_html import Document, document, image_type
from shared.web.shapes.lists import MailQuery

_NUMBER = re.compile(r"(?:INC-)?([0-9]{1,9})", re.IGNORECASE)
_ATTACHMENT = re.compile(r"[0-9a-f]{32}-[0-9]{1,4}")
_OF_AGENT = re.compile(r"note-([0-9]{1,6})-[0-9]{1,4}")
_SEQ = re.compile(r"[0-9]{1,6}")
"""Keys of notes have six digits."""

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


def note(app: App, tenant: str, incident: Incident, seq: str) -> Note:
    """One note of an incident."""
    found = app.desk.notes(tenant, incident.number, int(seq) - 1, 1) if _SEQ.fullmatch(seq) else ()
    if not found or found[0].seq != int(seq):
        raise NotFound("There is no such note.", "Open the incident again.")
    return found[0]


def outbounds(app: App, tenant: str, number: int, notes: tuple[Note, ...]) -> dict[int, Outbound]:
    """The mails that send these notes, by note."""
    return app.answers.of_incident(tenant, number, notes[0].seq, notes[-1].seq) if notes else {}


def attachment(app: App, tenant: str, incident: Incident, id: str) -> tuple[AttachmentRef, bytes]:
    """An attachment of any note of the incident, with its content."""
    seq = _note_with(app, tenant, incident, id)
    notes = app.desk.notes(tenant, incident.number, seq - 1, 1) if seq else ()
    for reference in notes[0].body.attachments if notes else ():
        if reference.id == id and (content := app.raw.attachment(tenant, reference.sha256)) is not None:
            return reference, content
    raise NotFound("There is no such attachment.", "Open the incident again and use the link there.")


def _note_with(app: App, tenant: str, incident: Incident, id: str) -> int | None:
    """The note that an attachment's id names: no search. It begins with the mail that brought it, and the mail knows
    its note; an agent's begins with the note itself."""
    if match := _OF_AGENT.fullmatch(id):
        return int(match[1])
    mail = app.desk.inbound(tenant, id.partition("-")[0]) if _ATTACHMENT.fullmatch(id) else None
    return mail.note if mail is not None and mail.incident == incident.number else None


def image(app: App, tenant: str, incident: Incident, id: str) -> tuple[bytes, str]:
    """An attachment that is an image which browsers only draw, and its type, judged by its bytes."""
    _, content = attachment(app, tenant, incident, id)
    type_ = image_type(content)
    if type_ is None:
        raise NotFound("This attachment is no image that can be shown.", "Download it.")
    return content, type_


def raw(app: App, tenant: str, incident: Incident, seq: str) -> bytes:
    """The untouched mail behind a note."""
    mail = note(app, tenant, incident, seq).mail
    content = app.raw.get(tenant, mail) if mail else None
    if content is None:
        raise NotFound("There is no original mail behind this note.", "Perhaps it is no longer kept.")
    return content


def raw_of_mail(app: App, tenant: str, mail: Inbound) -> bytes:
    """The untouched mail, whatever became of it."""
    content = app.raw.get(tenant, mail.id)
    if content is None:
        raise NotFound("The original of this mail is not kept.", "It may still be in the mailbox.")
    return content


def as_html(app: App, tenant: str, incident: Incident, seq: str, remote_images: bool) -> Document:
    """The mail behind a note as its sender laid it out, made safe to show."""
    found = note(app, tenant, incident, seq)
    if not found.body.html:
        raise NotFound("There is no HTML in this note.", "Read its text.")
    # Read only from this incident's own note: a mail shows nothing but what came with it.
    return document(found, lambda one: app.raw.attachment(tenant, one.sha256), app.random(16).hex(), remote_images)


def ledger(app: App, tenant: str, query: MailQuery) -> Page[Inbound]:
    """Mails, newest first."""
    return app.desk.ledger(tenant, query.outcome, query.reason, query.mailbox, query.after, query.limit)
