"""The mail that sends a note, written from what is stored: always the same bytes but for what it quotes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from shared import log
from shared.errors import NotSent
from shared.flows.answered import answered
from shared.mail import token
from shared.mail.address import Address
from shared.mail.writing import template
from shared.mail.writing.compose import Miswritten, answer_subject, compose
from shared.mail.writing.outgoing import Automatic, File, Outgoing
from shared.mail.writing.quote_original import quote_original, quote_original_html
from shared.mail.writing.texthtml import plain_to_html
from shared.model.incident import TEXT_LOST, Incident, Note, NoteKind, label
from shared.model.mailbox import Mailbox, Settings
from shared.model.outbound import Outbound, SendKind
from shared.ports import App

AUTOMATIC: dict[SendKind, Automatic] = {
    SendKind.ANSWER: "no",
    SendKind.ACKNOWLEDGEMENT: "acknowledgement",
    SendKind.NOTIFICATION: "notification",
}


def letter(app: App, tenant: str, mailbox: Mailbox, outbound: Outbound, recipients: Sequence[str]) -> bytes:
    """The mail (RFC 5322) for those of its recipients that are named: Graph sends a mail to whomever it names.

    Raises ``NotSent`` (permanent) when it cannot be written: nothing that is missing is left out silently.
    """
    incident = app.desk.incident(tenant, outbound.incident)
    note = _note(app, tenant, outbound.incident, outbound.note)
    if incident is None or note is None or note.body.text == TEXT_LOST:
        raise NotSent("The text of this note is no longer stored.", "Write it again.", permanent=True)
    try:
        return compose(_outgoing(app, tenant, mailbox, _addressed(outbound, recipients), incident, note))
    except (Miswritten, ValueError) as error:
        log.event(
            "mail_out_not_written", logging.ERROR, tenant=tenant, incident=incident.number, error=type(error).__name__
        )
        raise NotSent(
            "This mail could not be written: that is a fault of Inbound.",
            "Write it in other words; and tell whoever runs this service.",
            permanent=True,
        ) from error


def _addressed(outbound: Outbound, recipients: Sequence[str]) -> Outbound:
    to, cc = (tuple(one for one in people if one.address in recipients) for people in (outbound.to, outbound.cc))
    # Somebody must stand in To; a copy to people nobody wrote to looks like a mistake.
    return replace(outbound, to=to or cc, cc=cc if to else ())


def _outgoing(app: App, tenant: str, mailbox: Mailbox, outbound: Outbound, incident: Incident, note: Note) -> Outgoing:
    key = app.secrets.app_key("thread")
    settings = mailbox.settings
    domain = settings.email.rpartition("@")[2]
    # What a machine sends quotes nobody: it would carry a stranger's words.
    quoted = _answered(app, tenant, settings, outbound, incident, note) if outbound.kind is SendKind.ANSWER else None
    said = (quoted.author, quoted.created, quoted.body.text) if quoted else None
    text = _text(outbound, incident, note)
    sender = Address(settings.outgoing.from_name or incident.group, settings.email)
    return Outgoing(
        message_id=token.message_id(key, tenant, incident.number, note.seq, domain),
        date=note.created,
        sender=sender,
        to=outbound.to,
        cc=outbound.cc,
        subject=_subject(settings, outbound, incident),
        text=text,
        html=plain_to_html(text),
        # Some servers write the account's own address into From.
        reply_to=sender,
        in_reply_to=outbound.answers or None,
        # The same one in every mail of the incident: so they are one thread even where another id was rewritten.
        references=(token.message_id(key, tenant, incident.number, 1, domain), *outbound.references),
        attachments=_files(app, tenant, note) if outbound.kind is SendKind.ANSWER else (),
        automatic=AUTOMATIC[outbound.kind],
        reference_line=f"Ref: {token.reference(key, tenant, incident.number)}",
        quoted=quote_original(*said) if said else "",
        quoted_html=quote_original_html(*said) if said else "",
    )


def _subject(settings: Settings, outbound: Outbound, incident: Incident) -> str:
    if outbound.kind is not SendKind.ACKNOWLEDGEMENT:
        return answer_subject(incident.subject, incident.number)
    fields = {
        "number": label(incident.number),
        "group": incident.group,
        "subject": incident.subject,
        "name": incident.reporter.name,
    }
    # Ours names no subject: whoever forges a sender would have us carry his words to a third person.
    return template.fill(settings.acknowledge_subject or template.DEFAULT_SUBJECT, fields)


def _text(outbound: Outbound, incident: Incident, note: Note) -> str:
    if outbound.kind is not SendKind.NOTIFICATION:
        return note.body.text
    who = note.author.name or note.author.address or "Somebody"
    if note.kind is NoteKind.INTERNAL:
        said = (
            f"{who} wrote an internal note at {label(incident.number)}. Your answer to this mail stays internal, too."
        )
    else:
        said = f"{who} wrote at {label(incident.number)}. Your answer to this mail goes to the reporter."
    return f"{said}\n\n{note.body.text}"


def _answered(
    app: App, tenant: str, settings: Settings, outbound: Outbound, incident: Incident, note: Note
) -> Note | None:
    return answered(app, tenant, incident, note.seq, outbound.recipients, settings.is_agent)


def _files(app: App, tenant: str, note: Note) -> tuple[File, ...]:
    return tuple(
        File(one.name, one.content_type, _content(app, tenant, one.sha256, one.name)) for one in note.body.attachments
    )


def _content(app: App, tenant: str, sha256: str, name: str) -> bytes:
    content = app.raw.attachment(tenant, sha256)
    if content is None:
        raise NotSent(f"The attachment {name} is no longer stored.", "Attach it again.", permanent=True)
    return content


def _note(app: App, tenant: str, incident: int, seq: int) -> Note | None:
    notes = app.desk.notes(tenant, incident, seq - 1, 1)
    return notes[0] if notes and notes[0].seq == seq else None
