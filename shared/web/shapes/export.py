"""Everything of a desk, item by item."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from shared.flows.export import Entry, Item, Part
from shared.model.incident import Incident, label
from shared.model.mailbox import Mailbox
from shared.web.shapes.incident import IncidentOut, NoteOut, incident_out, note_out
from shared.web.shapes.mail import MailOut, mail_out
from shared.web.shapes.mailbox import MailboxOut, mailbox_out


class MailboxItem(BaseModel):
    """A mailbox's settings, without secrets."""

    type: Literal["mailbox"] = "mailbox"
    mailbox: MailboxOut


class IncidentItem(BaseModel):
    """An incident; its notes follow."""

    type: Literal["incident"] = "incident"
    incident: IncidentOut


class NoteItem(BaseModel):
    """A note of an incident. Its files: ``/api/incidents/{incident}/attachments/{id}``."""

    type: Literal["note"] = "note"
    incident: str
    note: NoteOut


class MailItem(BaseModel):
    """A mail and what became of it. Itself: ``/api/mail/{id}/raw``, while it is kept."""

    type: Literal["mail"] = "mail"
    mail: MailOut


ExportItem = Annotated[MailboxItem | IncidentItem | NoteItem | MailItem, Field(discriminator="type")]


class ExportOut(BaseModel):
    """Some items; ``next`` is the ``after`` of those behind them, null at the end."""

    items: list[ExportItem]
    next: str | None


def export_out(part: Part) -> ExportOut:
    """A page of an export as an answer."""
    return ExportOut(items=[_item(one) for one in part.items], next=part.next)


def _item(item: Item) -> MailboxItem | IncidentItem | NoteItem | MailItem:
    if isinstance(item, Mailbox):
        return MailboxItem(mailbox=mailbox_out(item))
    if isinstance(item, Incident):
        return IncidentItem(incident=incident_out(item))
    if isinstance(item, Entry):
        return NoteItem(incident=label(item.incident), note=note_out(item.note, item.outbound))
    return MailItem(mail=mail_out(item))
