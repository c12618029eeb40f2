"""What API and pages look up the same way; what is not there for this tenant raises ``NotFound``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.errors import NotFound
from shared.model.inbound import Inbound
from shared.model.incident import AttachmentRef, Incident, Note
from shared.ports import App, Page
from shared.web.shapes import MailQuery

_NUMBER = re.compile(r"(?:INC-)?([0-9]{1,9})", re.IGNORECASE)
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
    for note in _all_notes(app, tenant, incident.number):
        for reference in note.body.attachments:
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


def _all_notes(app: App, tenant: str, number: int) -> Iterator[Note]:
    after, more = 0, True
    while more:
        some, more = notes(app, tenant, number, after, NOTES_AT_ONCE)
        yield from some
        after = some[-1].seq if some else after
