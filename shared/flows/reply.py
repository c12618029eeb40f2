"""What agents write at an incident: answers that go out, internal notes, and how the incident stands."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared import log
from shared.errors import Conflict, Invalid, NotFound, RowChanged
from shared.mail.address import Address, parse_address
from shared.mail.attachment import safe_name
from shared.mail.message import parse
from shared.model import whitelist
from shared.model.incident import AttachmentRef, Body, Incident, Note, NoteKind, Status, label
from shared.model.mailbox import Mailbox
from shared.model.outbound import Outbound, SendKind, once_more
from shared.ports import App

MAX_TEXT = 200_000
"""Characters of one answer: a hundred pages."""

MAX_FILES_BYTES = 20 * 1024 * 1024
"""Of all attachments of one answer together; most servers refuse mail over 25 MB, and base64 makes a third more."""

MAX_FILES = 50
MAX_RECIPIENTS = 100

LOOK_BACK = 50
"""Notes in which the mail that is answered is looked for."""

TRIES = 5
"""An answer that meets a mail which comes in at the same moment is written behind it."""


@dataclass(frozen=True, slots=True)
class File:
    """An attachment as an agent gave it."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """What an agent wrote.

    ``public``: it is sent to the reporter and the participants, or to ``to`` and ``cc`` where they are given. Else it
    is an internal note. ``status``: how the incident stands afterwards; None: waiting after a public answer, as it is
    after an internal note.
    """

    text: str
    public: bool
    author: str
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    status: Status | None = None
    files: tuple[File, ...] = ()


def add(app: App, tenant: str, number: int, draft: Draft, expected_version: str | None = None) -> Note:
    """Write a note, and have it sent if it is public. Raises ``NotFound``, ``Invalid``, ``Conflict``."""
    _check(draft)
    for _ in range(TRIES):
        incident = _incident(app, tenant, number)
        if expected_version is not None and incident.version != expected_version:
            raise _changed()
        outbound = _outbound(app, tenant, incident, draft) if draft.public else _told(app, tenant, incident)
        note = _note(app, tenant, incident, draft)
        after = replace(
            incident,
            status=draft.status or (Status.WAITING if draft.public else incident.status),
            updated=max(app.now(), incident.updated),
            notes_count=note.seq,
            participants=_with_new(incident.participants, outbound if draft.public else None),
        )
        try:
            app.answers.add(tenant, incident, after, note, outbound)
        except RowChanged:
            if expected_version is not None:
                raise Conflict(
                    "Somebody changed this incident meanwhile. Read it again, then send your answer."
                ) from None
            continue
        if outbound is not None:
            app.queues.ring_outbound(tenant, number, note.seq)
        log.event("note_added", tenant=tenant, mailbox=incident.mailbox, incident=number, state=note.kind.value)
        return note
    raise Conflict("Much is happening at this incident just now. Try again in a moment.")


def set_status(app: App, tenant: str, number: int, status: Status, expected_version: str | None = None) -> Incident:
    """Change how an incident stands. Raises ``NotFound``, ``Conflict``."""
    for _ in range(TRIES):
        incident = _incident(app, tenant, number)
        if expected_version is not None and incident.version != expected_version:
            raise _changed()
        if incident.status is status:
            return incident
        after = replace(incident, status=status, updated=max(app.now(), incident.updated))
        try:
            app.answers.change(tenant, incident, after)
        except RowChanged:
            continue
        log.event("status_changed", tenant=tenant, incident=number, state=status.value)
        return _incident(app, tenant, number)
    raise Conflict("Much is happening at this incident just now. Try again in a moment.")


def send_again(app: App, tenant: str, number: int, seq: int) -> Outbound:
    """An answer that failed, bounced or is in doubt is sent once more, because a person says so.

    Addresses that mail came back from are written to again. Raises ``NotFound``, ``Conflict``.
    """
    before = app.answers.outbound(tenant, number, seq)
    if before is None:
        raise NotFound("There is no answer to send.", "Open the incident again.")
    if not before.can_be_sent_again:
        raise Conflict(f"This answer is {before.state.value.replace('_', ' ')}: it cannot be sent again.")
    for address in before.recipients:
        app.answers.forget_undeliverable(tenant, address)
    try:
        after = app.answers.move(tenant, before, once_more(before, app.now()))
    except RowChanged:
        raise Conflict("Somebody else did the same at this moment. Open the incident again.") from None
    app.queues.ring_outbound(tenant, number, seq)
    return after


def _incident(app: App, tenant: str, number: int) -> Incident:
    incident = app.desk.incident(tenant, number)
    if incident is None:
        raise NotFound("There is no such incident.", "Check its number in the list of incidents.")
    if incident.merged_into is not None:
        raise Conflict(f"It was merged into {label(incident.merged_into)}: write there.")
    return incident


def _check(draft: Draft) -> None:
    wrong: list[tuple[str, str]] = []
    if not draft.text.strip():
        wrong.append(("text", "Write something first."))
    if len(draft.text) > MAX_TEXT:
        wrong.append(("text", f"It is too long: {MAX_TEXT} characters are possible. Attach the rest as a file."))
    if len(draft.files) > MAX_FILES:
        wrong.append(("attachments", f"At most {MAX_FILES} files are possible."))
    if sum(len(file.content) for file in draft.files) > MAX_FILES_BYTES:
        wrong.append(("attachments", f"They are too large: {MAX_FILES_BYTES // 1024**2} MB are possible in all."))
    for field, addresses in (("to", draft.to), ("cc", draft.cc)):
        if odd := [one for one in addresses if parse_address(one) is None]:
            wrong.append((field, f"Not an e-mail address: {', '.join(odd[:5])}"))
        if len(addresses) > MAX_RECIPIENTS:
            wrong.append((field, f"At most {MAX_RECIPIENTS} addresses are possible."))
    if wrong:
        raise Invalid(wrong)


def _outbound(app: App, tenant: str, incident: Incident, draft: Draft) -> Outbound:
    mailbox = app.mailboxes.get(tenant, incident.mailbox)
    if mailbox is None or not mailbox.settings.outgoing.enabled:
        raise Invalid(
            [("public", f"The mailbox {incident.mailbox} sends no mail: set up and enable its outgoing server.")]
        )
    to, cc = _recipients(app, tenant, mailbox, incident, draft)
    answers, references = _answered(app, tenant, incident)
    now = app.now()
    return Outbound(
        incident=incident.number,
        note=incident.notes_count + 1,
        mailbox=mailbox.id,
        kind=SendKind.ANSWER,
        to=to,
        cc=cc,
        answers=answers,
        references=references,
        since=now,
        due=now,
        rung=now,
    )


def _told(app: App, tenant: str, incident: Incident) -> Outbound | None:
    """The mail that tells the other agents of an internal note, where they want that."""
    mailbox = app.mailboxes.get(tenant, incident.mailbox)
    if mailbox is None or not (mailbox.settings.notify_agents and mailbox.settings.outgoing.enabled):
        return None
    agents = _parsed(whitelist.entries(mailbox.settings.agents))
    now, note = app.now(), incident.notes_count + 1
    mail = Outbound(incident.number, note, mailbox.id, SendKind.NOTIFICATION, agents, since=now, due=now, rung=now)
    return mail if agents else None


def _recipients(
    app: App, tenant: str, mailbox: Mailbox, incident: Incident, draft: Draft
) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    """Whom it goes to: those that were named, else the reporter and, in copy, everybody who takes part."""
    own = {one.settings.email.lower() for one in app.mailboxes.all(tenant) if one.settings.email}
    named = draft.to or draft.cc
    to = _parsed(draft.to) if named else (incident.reporter,)
    cc = _parsed(draft.cc) if named else tuple(one for one in incident.participants if one.key != incident.reporter.key)
    dead = app.answers.undeliverable(tenant, [person.address for person in (*to, *cc)])
    if named and dead:
        raise Invalid([("to", f"Mail to {address} came back: {why}") for address, why in dead.items()])
    living = [
        tuple(one for one in people if one.address and one.key not in own and one.address not in dead)
        for people in (to, cc)
    ]
    if not any(living):
        came_back = "; ".join(f"mail to {address} came back ({why})" for address, why in dead.items())
        raise Invalid([("to", f"There is nobody to send it to: {came_back or 'the reporter has no address'}.")])
    # Somebody must stand in To; a copy to people nobody wrote to looks like a mistake.
    return (living[0], living[1]) if living[0] else (living[1], ())


def _parsed(addresses: Sequence[str]) -> tuple[Address, ...]:
    parsed = (parse_address(one) for one in addresses)
    return tuple(dict.fromkeys(one for one in parsed if one is not None))


def _answered(app: App, tenant: str, incident: Incident) -> tuple[str, tuple[str, ...]]:
    """The Message-ID of the last mail that came in, and those before it."""
    after = max(0, incident.notes_count - LOOK_BACK)
    notes = app.desk.notes(tenant, incident.number, after, LOOK_BACK)
    last = next((note for note in reversed(notes) if note.kind is NoteKind.INBOUND and note.mail), None)
    raw = app.raw.get(tenant, last.mail) if last else None
    message = parse(raw) if raw is not None else None
    if message is None or message.message_id is None:
        return "", ()
    before = message.references or message.in_reply_to
    return message.message_id, tuple(id for id in before if id != message.message_id)


def _note(app: App, tenant: str, incident: Incident, draft: Draft) -> Note:
    seq = incident.notes_count + 1
    refs: list[AttachmentRef] = []
    for count, file in enumerate(draft.files):
        sha256 = hashlib.sha256(file.content).hexdigest()
        # Content before the row that names it.
        app.raw.keep_attachment(tenant, sha256, file.content)
        name = safe_name(file.name)
        refs.append(AttachmentRef(f"note-{seq}-{count}", name, file.content_type, len(file.content), sha256))
    kind = NoteKind.ANSWER if draft.public else NoteKind.INTERNAL
    author = Address(name=draft.author, address="")
    return Note(seq, kind, author, app.now(), Body(draft.text, attachments=tuple(refs)))


def _with_new(participants: tuple[Address, ...], outbound: Outbound | None) -> tuple[Address, ...]:
    """Whoever is written to takes part from now on: his answer belongs here."""
    people: dict[str, Address] = {}
    for person in (*participants, *(outbound.to if outbound else ()), *(outbound.cc if outbound else ())):
        people.setdefault(person.key, person)
    return tuple(people.values())


def _changed() -> Conflict:
    return Conflict("Somebody changed this incident meanwhile. Read it again, then repeat what you did.")
