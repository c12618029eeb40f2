"""What agents write at an incident: answers that go out, internal notes, and how the incident stands."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from shared import log
from shared.errors import Conflict, Invalid, NotFound, RowChanged, StoreUnavailable
from shared.flows import webhooks
from shared.flows.answered import answered, thread_of
from shared.flows.settling import ring
from shared.mail.address import Address, parse_address
from shared.mail.attachment import safe_name
from shared.model import whitelist
from shared.model.incident import AttachmentRef, Body, Incident, Note, NoteKind, Status, label
from shared.model.mailbox import Mailbox
from shared.model.outbound import MAX_RECIPIENTS, Outbound, SendKind, SendState, can_be_written_to, once_more
from shared.ports import App

MAX_TEXT = 200_000
"""Characters of one answer: a hundred pages."""

MAX_FILES_BYTES = 20 * 1024 * 1024
"""Of all attachments of one answer together; most servers refuse mail over 25 MB, and base64 makes a third more."""

MAX_FILES = 50

REMEMBERED = timedelta(hours=24)
"""How long the same request is known again: programs that lost an answer ask again within minutes."""

REMEMBERED_NOTES = 100
"""Notes in which it is looked for: more are not written to one incident in a day."""

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
    after an internal note. ``wish``: what the caller calls this very request, if anything: repeated, it is the same
    note.
    """

    text: str
    public: bool
    author: str
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    status: Status | None = None
    files: tuple[File, ...] = ()
    wish: str = ""


def known(app: App, tenant: str, incident: Incident, wish: str) -> Note | None:
    """The note that the same request made before; None when there is none, or ``wish`` is empty."""
    if not wish:
        return None
    after = max(0, incident.notes_count - REMEMBERED_NOTES)
    notes = app.desk.notes(tenant, incident.number, after, REMEMBERED_NOTES)
    fresh = app.now() - REMEMBERED
    return next((one for one in notes if one.wish == _digest(wish) and one.created > fresh), None)


def add(app: App, tenant: str, number: int, draft: Draft, expected_version: str | None = None) -> Note:
    """Write a note, and have it sent if it is public. Raises ``NotFound``, ``Invalid``, ``Conflict``."""
    _check(draft)
    for _ in range(TRIES):
        incident = _incident(app, tenant, number)
        # The note is written upon this version of the incident, so whoever did the same at this moment is found here.
        if (twin := known(app, tenant, incident, draft.wish)) is not None:
            return twin
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
            events = app.answers.add(tenant, incident, after, note, outbound)
        except (RowChanged, StoreUnavailable) as error:
            # It may be our own write whose answer was lost: writing it again would send it twice.
            if not _is_written(app, tenant, number, note):
                if isinstance(error, StoreUnavailable):
                    raise
                if expected_version is not None:
                    raise _changed() from None
                continue
            events = ()  # the rescue rings for them
        webhooks.ring_all(app, tenant, events)
        if outbound is not None:
            ring(app, tenant, number, note.seq)
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
            events = app.answers.change(tenant, incident, after)
        except RowChanged:
            continue
        webhooks.ring_all(app, tenant, events)
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
    wanted = once_more(before, app.now())
    for address in wanted.waiting:
        app.answers.forget_undeliverable(tenant, address)
    try:
        after = app.answers.move(tenant, before, wanted)
    except RowChanged:
        found = app.answers.outbound(tenant, number, seq)
        if found is None or found.state is not SendState.QUEUED:
            raise Conflict("Somebody else did the same at this moment. Open the incident again.") from None
        after = found  # as it was to be, whoever wrote it
    ring(app, tenant, number, seq)
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
        if odd := [one for one in addresses if not _usable(one)]:
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
    people = [person.address for person in (*to, *cc)]
    last = answered(app, tenant, incident, incident.notes_count + 1, people, mailbox.settings.is_agent)
    answers, references = thread_of(app, tenant, last)
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
    own = app.mailboxes.own_addresses(tenant)
    if draft.to or draft.cc:
        to, cc = (tuple(one for one in _parsed(named) if not _is_ours(one, own)) for named in (draft.to, draft.cc))
        if not to and not cc:
            raise Invalid([("to", "These addresses are the desk's own: mail to them comes back here.")])
        _are_alive(app, tenant, (*to, *cc))
    else:
        to = tuple(one for one in (incident.reporter,) if can_be_written_to(one) and not _is_ours(one, own))
        if not to:
            raise Invalid([("to", "The reporter has no address that mail can be sent to: name who is to get it.")])
        _are_alive(app, tenant, to)
        cc = others(incident, mailbox, own)
        if len(cc) >= MAX_RECIPIENTS:
            raise Invalid([("to", f"{len(cc) + 1} people take part: name those who are to get it.")])
    # Somebody must stand in To; a copy to people nobody wrote to looks like a mistake.
    return (to, cc) if to else (cc, ())


def others(incident: Incident, mailbox: Mailbox, own: frozenset[str]) -> tuple[Address, ...]:
    """Who takes part beside the reporter, without ourselves. Nor agents: they read it at the desk, and the reporter
    does not learn their addresses from us. ``own``: keys of the tenant's mailbox addresses."""
    return tuple(
        one
        for one in incident.participants
        if one.key != incident.reporter.key
        and can_be_written_to(one)
        and not _is_ours(one, own)
        and not mailbox.settings.is_agent(one.key)
    )


def _is_ours(person: Address, own: frozenset[str]) -> bool:
    """Whether mail to it arrives here (RFC 5233: also with a detail)."""
    local, _, domain = person.key.rpartition("@")
    return person.key in own or f"{local.partition('+')[0]}@{domain}" in own


def _are_alive(app: App, tenant: str, people: Sequence[Address]) -> None:
    """Those in copy are left out when it is sent, and that is said; whom it is meant for must get it."""
    dead = app.answers.undeliverable(tenant, [one.address for one in people])
    if dead:
        again = "Send the answer that came back again if the address is good, or name others."
        raise Invalid([("to", f"Mail to {address} came back ({why}). {again}") for address, why in dead.items()])


def _usable(text: str) -> bool:
    parsed = parse_address(text)
    return parsed is not None and can_be_written_to(parsed)


def _parsed(addresses: Sequence[str]) -> tuple[Address, ...]:
    parsed = (parse_address(one) for one in addresses)
    return tuple({one.key: one for one in parsed if one is not None}.values())


def _is_written(app: App, tenant: str, number: int, note: Note) -> bool:
    found = app.desk.notes(tenant, number, note.seq - 1, 1)
    return bool(found) and found[0] == note


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
    now = app.now()
    # To the millisecond, as it is stored: it is compared with what is read back.
    created = now.replace(microsecond=now.microsecond // 1000 * 1000)
    wish = _digest(draft.wish) if draft.wish else ""
    return Note(seq, kind, author, created, Body(draft.text, attachments=tuple(refs)), wish=wish)


def _digest(wish: str) -> str:
    return hashlib.sha256(wish.encode("utf-8", "surrogatepass")).hexdigest()


def _with_new(participants: tuple[Address, ...], outbound: Outbound | None) -> tuple[Address, ...]:
    """Whoever is written to takes part from now on: his answer belongs here."""
    people: dict[str, Address] = {}
    for person in (*participants, *(outbound.to if outbound else ()), *(outbound.cc if outbound else ())):
        people.setdefault(person.key, person)
    return tuple(people.values())


def _changed() -> Conflict:
    return Conflict("Somebody changed this incident meanwhile. Read it again, then repeat what you did.")
