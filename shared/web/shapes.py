"""What the API takes and gives, field by field."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from shared.flows.mailboxes import MAX_TRANSCRIPT_MINUTES, MailboxStatus
from shared.flows.probe import ProbeReport
from shared.mail.address import Address
from shared.model import incident as desk
from shared.model.inbound import Inbound
from shared.model.mailbox import EmailAddress, Mailbox, Outgoing, Settings
from shared.model.reason import Outcome
from shared.ports import ApiKey, Page, Tenant

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
"""Items of one answer: 200 incidents are about 100 KB."""

NOTES_PER_PAGE = 100
"""Notes of one answer; longer incidents are paged by ``notes_after``."""

MAX_SECRET_CHARS = 1000
MAX_PEM_CHARS = 16_000
"""A certificate with its key and those that vouch for it is some thousand; sealed it must fit a property of a row."""

Item = TypeVar("Item")
Shown = TypeVar("Shown")
SetOrNot = Literal["set", "not set"]


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────


class Listed(BaseModel, Generic[Shown]):
    """Some items; ``next`` is the ``after`` of the following ones, null at the end."""

    items: list[Shown]
    next: str | None = None


def listed(page: Page[Item], show: Callable[[Item], Shown]) -> Listed[Shown]:
    """A page of the desk as an answer."""
    return Listed(items=[show(item) for item in page.items], next=page.next)


def _none_if_empty(value: object) -> object:
    # ?status= is what a form sends for "any".
    return None if value == "" else value


Filter = Annotated[
    Annotated[str, StringConstraints(max_length=200)] | None,
    BeforeValidator(_none_if_empty),
]


class Paging(BaseModel):
    """The query of every list. A misspelt filter would show everything, so unknown names are refused."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[str, StringConstraints(max_length=2000)] = ""
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)


class IncidentQuery(Paging):
    """Which incidents."""

    status: Annotated[desk.Status | None, BeforeValidator(_none_if_empty)] = None
    mailbox: Filter = None
    group: Filter = None


class MailQuery(Paging):
    """Which mails."""

    outcome: Annotated[Outcome | None, BeforeValidator(_none_if_empty)] = None
    reason: Filter = None
    mailbox: Filter = None


class NotesQuery(BaseModel):
    """Which notes of an incident."""

    model_config = ConfigDict(extra="forbid")

    notes_after: int = Field(default=0, ge=0, le=10**9)


# ── mailboxes ───────────────────────────────────────────────────────────────────────────────────────────────


def _as_typed(value: object) -> object:
    # Wrapped before pydantic sees a text, or the settings' str_strip_whitespace would cut a password's spaces.
    return SecretStr(value) if isinstance(value, str) else value


def _is_client_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if text.lstrip().startswith("-----BEGIN "):
        # PEM (RFC 7468) is a text of many lines; apart from them the same holds for it.
        _is_secret(SecretStr(" ".join(text.splitlines())))
        return secret
    if len(text) > MAX_SECRET_CHARS:
        words = f"Give at most {MAX_SECRET_CHARS} characters, or a certificate with its key as PEM text."
        raise PydanticCustomError("secret", words)
    return _is_secret(secret)


def _is_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text:
        raise PydanticCustomError("secret", "It must not be empty. Leave it out to keep the stored one.")
    if text in ("set", "not set"):
        raise PydanticCustomError("secret", "This is only shown in its place. Leave it out to keep the stored one.")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        raise PydanticCustomError("secret", "It contains a line break or another control character. Paste it again.")
    return secret


Secret = Annotated[
    SecretStr, Field(max_length=MAX_SECRET_CHARS), BeforeValidator(_as_typed), AfterValidator(_is_secret)
]


ClientSecret = Annotated[
    SecretStr, Field(max_length=MAX_PEM_CHARS), BeforeValidator(_as_typed), AfterValidator(_is_client_secret)
]


class OutgoingIn(Outgoing):
    """Where answers leave, with the password."""

    password: Secret | None = None


class MailboxIn(Settings):
    """A mailbox's settings as they come in; secrets that are left out stay as they are stored."""

    password: Secret | None = None
    client_secret: ClientSecret | None = None
    outgoing: OutgoingIn = OutgoingIn()

    def settings(self) -> Settings:
        """Everything but the secrets."""
        sent = self.model_dump(exclude={"outgoing": {"password"}})
        return Settings.model_validate({name: sent[name] for name in Settings.model_fields})

    def secrets(self) -> dict[str, str | None]:
        """The secrets that were sent, by the name they are stored under; None keeps what is stored."""
        sent = {
            "password": self.password,
            "client_secret": self.client_secret,
            "outgoing_password": self.outgoing.password,
        }
        return {field: secret.get_secret_value() if secret else None for field, secret in sent.items()}


class ProbeIn(MailboxIn):
    """Settings to test. ``other_address``: of Office 365, a mailbox that the app should not be able to read, to prove
    that it cannot; nothing in it is read."""

    other_address: EmailAddress = ""

    @model_validator(mode="after")
    def _is_another(self) -> Self:
        if not self.other_address:
            return self
        if self.server_type != "office365":
            raise _other_address("Only what an app of Office 365 may read is proved so: leave it out.")
        if self.other_address.lower() == self.email.lower():
            raise _other_address("This is the mailbox itself: name another one, such as a colleague's.")
        return self


def _other_address(message: str) -> PydanticCustomError:
    return PydanticCustomError("field", "{message}", {"message": message, "field": "other_address"})


class OutgoingOut(Outgoing):
    """Where answers leave; whether its password is set."""

    password: SetOrNot


class MailboxOut(Settings):
    """A mailbox's settings as they go out: of secrets only whether they are set."""

    id: str
    created: datetime
    password: SetOrNot
    client_secret: SetOrNot
    outgoing: OutgoingOut


def mailbox_out(mailbox: Mailbox) -> MailboxOut:
    """A stored mailbox as an answer."""
    settings = mailbox.settings
    outgoing = OutgoingOut.model_construct(
        **_fields(settings.outgoing), password=_set_or_not(mailbox, "outgoing_password")
    )
    # Constructed, not validated: what was stored under older rules still has to be seen to be mended.
    return MailboxOut.model_construct(
        **{**_fields(settings), "outgoing": outgoing},
        id=mailbox.id,
        created=mailbox.created,
        password=_set_or_not(mailbox, "password"),
        client_secret=_set_or_not(mailbox, "client_secret"),
    )


def etag(mailbox: Mailbox) -> str:
    """A strong entity tag of the settings (RFC 9110, 8.8.3); the row's version is none by itself."""
    return f'"{hashlib.sha256(mailbox.version.encode()).hexdigest()[:32]}"'


def _fields(model: BaseModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in type(model).model_fields}


def _set_or_not(mailbox: Mailbox, field: str) -> SetOrNot:
    return "set" if mailbox.secret(field) else "not set"


class Queued(BaseModel):
    """The bell was rung."""

    queued: Literal[True] = True


class LastError(BaseModel):
    """What the last failed poll said, and what to do about it."""

    code: str
    message: str
    fix: str


class ProbeStepOut(BaseModel):
    """One step of a settings test. ``field``: the input that is to blame, or empty. A step that is ok and has a
    ``code`` is a warning, such as ``over_privileged``: mail works, and ``cause`` and ``fix`` say what to do all the
    same."""

    name: str
    title: str
    state: Literal["ok", "failed", "skipped"]
    ms: int
    detail: str
    code: str
    cause: str
    fix: str
    field: str


class ProbeOut(BaseModel):
    """What a settings test found, step by step, and the conversation with every secret struck out."""

    ok: bool
    steps: list[ProbeStepOut]
    transcript: list[str]


def probe_out(report: ProbeReport) -> ProbeOut:
    """A report as an answer."""
    steps = [ProbeStepOut.model_validate(step, from_attributes=True) for step in report.steps]
    return ProbeOut(ok=report.ok, steps=steps, transcript=list(report.transcript))


class TranscriptIn(BaseModel):
    """For how many minutes polls are to be written down; 0 ends it."""

    model_config = ConfigDict(extra="forbid")

    minutes: int = Field(ge=0, le=MAX_TRANSCRIPT_MINUTES)


class TranscriptUntil(BaseModel):
    """Until when polls are written down; null when they are not."""

    until: datetime | None


class StatusOut(BaseModel):
    """How a mailbox is doing. ``state``: new, ok, failing, paused, disabled. ``failing_since``: the first of the polls
    that failed in a row. ``transcript_until``: polls before this time are written down. ``counts``: mails by outcome.
    """

    state: str
    failing_since: datetime | None
    transcript_until: datetime | None
    last_poll: datetime | None
    last_success: datetime | None
    last_error: LastError | None
    next_poll: datetime | None
    polling: bool
    counts: dict[Outcome, int]


def status_out(status: MailboxStatus) -> StatusOut:
    """A mailbox's status as an answer; every outcome has a count."""
    error = status.error
    return StatusOut(
        state=status.state,
        failing_since=status.failing_since,
        transcript_until=status.transcript_until,
        last_poll=status.last_poll,
        last_success=status.last_success,
        last_error=LastError(code=error[0], message=error[1], fix=error[2]) if error else None,
        next_poll=status.next_poll,
        polling=status.polling,
        counts={outcome: status.counts.get(outcome, 0) for outcome in Outcome},
    )


# ── incidents ───────────────────────────────────────────────────────────────────────────────────────────────


class Person(BaseModel):
    """An e-mail address and the name that came with it."""

    address: str
    name: str


class IncidentOut(BaseModel):
    """An incident without its notes."""

    number: str
    subject: str
    status: desk.Status
    group: str
    mailbox: str
    reporter: Person
    participants: list[Person]
    created: datetime
    updated: datetime
    notes_count: int
    related: list[str]


class AttachmentOut(BaseModel):
    """An attachment; ``type`` is what its sender claims, ``size`` in bytes."""

    id: str
    name: str
    type: str
    size: int
    sha256: str


class Delivery(BaseModel):
    """How sending an answer goes."""

    state: str
    detail: str


class NoteOut(BaseModel):
    """One entry of an incident. ``html``: whether its sender wrote HTML; ``mail``: its row in the ledger; ``marks``:
    stable codes of what a reader should know about it."""

    seq: int
    kind: desk.NoteKind
    author: Person
    created: datetime
    text: str
    quoted: str
    html: bool
    attachments: list[AttachmentOut]
    mail: str | None
    marks: list[str]
    delivery: Delivery | None


class IncidentWithNotes(IncidentOut):
    """An incident with notes; ``notes_next`` is the ``notes_after`` of those that follow, null at the end."""

    notes: list[NoteOut]
    notes_next: int | None


def incident_out(incident: desk.Incident) -> IncidentOut:
    """An incident as an item of a list."""
    return IncidentOut(**_incident(incident))


def incident_with_notes(incident: desk.Incident, notes: tuple[desk.Note, ...], more: bool) -> IncidentWithNotes:
    """An incident with some of its notes; ``more``: there are others after them."""
    return IncidentWithNotes(
        **_incident(incident),
        notes=[_note(note) for note in notes],
        notes_next=notes[-1].seq if more and notes else None,
    )


def _incident(incident: desk.Incident) -> dict[str, Any]:
    return {
        "number": desk.label(incident.number),
        "subject": incident.subject,
        "status": incident.status,
        "group": incident.group,
        "mailbox": incident.mailbox,
        "reporter": _person(incident.reporter),
        "participants": [_person(one) for one in incident.participants],
        "created": incident.created,
        "updated": incident.updated,
        "notes_count": incident.notes_count,
        "related": [desk.label(number) for number in incident.related],
    }


def _note(note: desk.Note) -> NoteOut:
    return NoteOut(
        seq=note.seq,
        kind=note.kind,
        author=_person(note.author),
        created=note.created,
        text=note.body.text,
        quoted=note.body.quoted,
        html=bool(note.body.html),
        attachments=[
            AttachmentOut(id=one.id, name=one.name, type=one.content_type, size=one.size, sha256=one.sha256)
            for one in note.body.attachments
        ],
        mail=note.mail or None,
        marks=list(note.marks),
        delivery=None,
    )


def _person(address: Address) -> Person:
    return Person(address=address.address, name=address.name)


# ── the ledger ──────────────────────────────────────────────────────────────────────────────────────────────


class MailOut(BaseModel):
    """A row of the ledger. ``size`` in bytes; ``note`` is the number of the note within the incident."""

    model_config = ConfigDict(populate_by_name=True)

    id: str
    mailbox: str
    received: datetime
    sender: str = Field(serialization_alias="from")
    subject: str
    outcome: Outcome
    reason: str
    incident: str | None
    note: int | None
    size: int


class StepOut(BaseModel):
    """A rule that was tried, whether it decided, and why."""

    rule: str
    hit: bool
    why: str


class MailExplained(MailOut):
    """A row of the ledger with the rules that were tried."""

    trace: list[StepOut]


def mail_out(mail: Inbound) -> MailOut:
    """A mail as an item of a list."""
    return MailOut(**_mail(mail))


def mail_explained(mail: Inbound) -> MailExplained:
    """A mail with its trace."""
    trace = [StepOut(rule=step.rule, hit=step.hit, why=step.why) for step in mail.trace]
    return MailExplained(**_mail(mail), trace=trace)


def _mail(mail: Inbound) -> dict[str, Any]:
    return {
        "id": mail.id,
        "mailbox": mail.mailbox,
        "received": mail.received,
        "sender": mail.sender,
        "subject": mail.subject,
        "outcome": mail.outcome,
        "reason": mail.reason,
        "incident": desk.label(mail.incident) if mail.incident is not None else None,
        "note": mail.note,
        "size": mail.size,
    }


class Released(BaseModel):
    """How many held mails were released."""

    released: int


# ── tenants ─────────────────────────────────────────────────────────────────────────────────────────────────


class TenantIn(BaseModel):
    """What the cloud admin says about a tenant."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class TenantOut(BaseModel):
    """A tenant."""

    tenant: str
    name: str
    created: datetime


class KeyIn(BaseModel):
    """A key that is to be made. An admin changes settings, an agent reads incidents."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    role: Literal["admin", "agent"]
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class KeyOut(BaseModel):
    """A new key; its text is shown this once."""

    id: str
    key: str


class Health(BaseModel):
    """Whether storage answers."""

    status: Literal["ok", "unavailable"]


def tenant_out(tenant: Tenant) -> TenantOut:
    """A tenant as an answer."""
    return TenantOut(tenant=tenant.slug, name=tenant.name, created=tenant.created)


def key_out(key: ApiKey, text: str) -> KeyOut:
    """A new key as an answer."""
    return KeyOut(id=key.id, key=text)
