"""The mail that sends a note, written from what is stored: always the same bytes but for what it quotes."""

from __future__ import annotations

from shared.mail import template, token
from shared.mail.address import Address
from shared.mail.compose import answer_subject, compose
from shared.mail.outgoing import Automatic, File, Outgoing
from shared.mail.quote_original import quote_original, quote_original_html
from shared.mail.texthtml import plain_to_html
from shared.model.incident import Incident, Note, NoteKind, label
from shared.model.mailbox import Mailbox, Settings
from shared.model.outbound import Outbound, SendKind
from shared.ports import App

LOOK_BACK = 50
"""Notes before the answer in which the mail that it quotes is looked for."""

AUTOMATIC: dict[SendKind, Automatic] = {
    SendKind.ANSWER: "no",
    SendKind.ACKNOWLEDGEMENT: "acknowledgement",
    SendKind.NOTIFICATION: "notification",
}


def letter(app: App, tenant: str, mailbox: Mailbox, outbound: Outbound) -> bytes | None:
    """The mail (RFC 5322); None when its note is gone."""
    incident = app.desk.incident(tenant, outbound.incident)
    note = _note(app, tenant, outbound.incident, outbound.note)
    if incident is None or note is None:
        return None
    return compose(_outgoing(app, tenant, mailbox, outbound, incident, note))


def _outgoing(app: App, tenant: str, mailbox: Mailbox, outbound: Outbound, incident: Incident, note: Note) -> Outgoing:
    key = app.secrets.app_key("thread")
    settings = mailbox.settings
    reference = token.reference(key, tenant, incident.number)
    # What a machine sends quotes nobody: it would carry a stranger's words.
    answered = _answered(app, tenant, outbound, note) if outbound.kind is SendKind.ANSWER else None
    said = (answered.author, answered.created, answered.body.text) if answered else None
    text = _text(outbound, incident, note)
    return Outgoing(
        message_id=token.message_id(key, tenant, incident.number, note.seq, settings.email.rpartition("@")[2]),
        date=note.created,
        sender=Address(settings.outgoing.from_name or incident.group, settings.email),
        to=outbound.to,
        cc=outbound.cc,
        subject=_subject(settings, outbound, incident),
        text=text,
        html=plain_to_html(text),
        in_reply_to=outbound.answers or None,
        references=outbound.references,
        attachments=_files(app, tenant, note) if outbound.kind is SendKind.ANSWER else (),
        automatic=AUTOMATIC[outbound.kind],
        reference_line=f"Ref: {reference}",
        quoted=quote_original(*said) if said else "",
        quoted_html=quote_original_html(*said) if said else "",
    )


def _subject(settings: Settings, outbound: Outbound, incident: Incident) -> str:
    if outbound.kind is SendKind.ACKNOWLEDGEMENT and settings.acknowledge_subject:
        fields = {"number": label(incident.number), "group": incident.group, "subject": incident.subject}
        name = template.letters_of_name(incident.reporter.name)
        return template.fill(settings.acknowledge_subject, {**fields, "name": name})
    return answer_subject(incident.subject, incident.number)


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


def _answered(app: App, tenant: str, outbound: Outbound, note: Note) -> Note | None:
    after = max(0, note.seq - 1 - LOOK_BACK)
    notes = app.desk.notes(tenant, outbound.incident, after, note.seq - 1 - after) if note.seq > 1 else ()
    return next((one for one in reversed(notes) if one.kind is NoteKind.INBOUND), None)


def _files(app: App, tenant: str, note: Note) -> tuple[File, ...]:
    found = ((one, app.raw.attachment(tenant, one.sha256)) for one in note.body.attachments)
    return tuple(File(one.name, one.content_type, content) for one, content in found if content is not None)


def _note(app: App, tenant: str, incident: int, seq: int) -> Note | None:
    notes = app.desk.notes(tenant, incident, seq - 1, 1)
    return notes[0] if notes and notes[0].seq == seq else None
