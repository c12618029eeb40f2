"""Mailboxes as tenants handle them: save, read, remove, poll now, and how polling goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.errors import AddressForbidden, Conflict, Invalid, NotFound, RowChanged
from shared.flows import send
from shared.flows.logins import Sending, sending
from shared.model import logins
from shared.model.mailbox import MAILBOX_ID, RESERVED_ID, Mailbox, Settings
from shared.model.reason import Outcome
from shared.model.schedule import Slot
from shared.ports import App

MAX_TRANSCRIPT_MINUTES = 60
"""A transcript that somebody forgot ends by itself."""

SECRET_FIELDS = ("password", "client_secret", "outgoing_password")

_NEEDED_SECRET = {
    False: ("password", "Give the mailbox's password.", "Server or user name changed: give the password again."),
    True: (
        "client_secret",
        "Give the Value of the app's client secret (Entra > App registrations > Certificates & secrets).",
        "Client ID or Tenant ID changed: give the client secret again.",
    ),
}

CHANGED_MEANWHILE = "Somebody else saved this mailbox meanwhile. Load it again and repeat your change."


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """How a mailbox does.

    ``state``: disabled; new (never polled); ok; failing (tried again later); paused (the tenant must act first).
    ``error``: code, message, fix. ``failing_since``: the first of the polls that failed in a row.
    ``counts_at_least``: outcomes of which there may be more mails than ``counts`` says.
    """

    state: str
    failing_since: datetime | None
    transcript_until: datetime | None
    last_poll: datetime | None
    last_success: datetime | None
    error: tuple[str, str, str] | None
    next_poll: datetime | None
    polling: bool
    sending: Sending
    counts: Mapping[Outcome, int]
    counts_at_least: frozenset[Outcome]


def get(app: App, tenant: str, id: str) -> Mailbox:
    """Raises ``NotFound``."""
    mailbox = app.mailboxes.get(tenant, id)
    if mailbox is None:
        raise NotFound("There is no mailbox of this name.")
    return mailbox


def save(
    app: App,
    tenant: str,
    id: str,
    settings: Settings,
    secrets: Mapping[str, str | None],
    expected_version: str | None = None,
) -> tuple[Mailbox, bool]:
    """Create or change a mailbox, and have it polled soon. The mailbox, and whether it is new.

    ``secrets``: new values by field; what is missing or None stays as it is stored. ``expected_version``: the version
    that the caller changed (If-Match); empty: there must be none yet. Raises ``Invalid`` and ``Conflict``; then
    nothing was changed.
    """
    before = _before(app, tenant, id)
    if before is None and id == RESERVED_ID:
        why = f'No mailbox can be named "{id}": Inbound uses this word itself. Choose another one.'
        raise Invalid([("mailbox", why)])
    if expected_version is not None and (before.version if before else "") != expected_version:
        raise Conflict(CHANGED_MEANWHILE)
    _judge_hosts(app, settings)
    try:
        saved = app.mailboxes.put(_draft(app, tenant, id, before, settings, secrets))
    except RowChanged:
        raise Conflict(CHANGED_MEANWHILE) from None
    _schedule(app, saved, moved=before is None or before.generation != saved.generation)
    send.hurry(app, tenant, id, send.MAX_HURRIED)
    if before is not None and before.settings.secret_target("sign_in") != settings.secret_target("sign_in"):
        app.sign_ins.forget_cache(tenant, id)
    if settings.enabled:
        app.queues.ring_poll(tenant, id)
    return saved, before is None


def _judge_hosts(app: App, settings: Settings) -> None:
    """Raises ``Invalid`` for a server that tenants may not reach."""
    outgoing = settings.outgoing
    places = (
        ("host", settings.host, settings.effective_port),
        ("outgoing.host", outgoing.host, outgoing.effective_port),
    )
    for field, host, port in places:
        if not host:
            continue
        try:
            app.judge_host(host, port)
        except AddressForbidden as error:
            raise Invalid([(field, f"{error.message} {error.fix}")]) from None


def draft(app: App, tenant: str, id: str, settings: Settings, secrets: Mapping[str, str | None]) -> Mailbox:
    """The mailbox as ``save`` would store it, not stored. Raises ``Invalid``."""
    return _draft(app, tenant, id, _before(app, tenant, id), settings, secrets)


def _before(app: App, tenant: str, id: str) -> Mailbox | None:
    if not MAILBOX_ID.fullmatch(id):
        raise Invalid([("mailbox", "Use 1 to 63 small letters, digits and hyphens, such as support or sales-emea.")])
    return app.mailboxes.get(tenant, id)


def _draft(
    app: App,
    tenant: str,
    id: str,
    before: Mailbox | None,
    settings: Settings,
    secrets: Mapping[str, str | None],
) -> Mailbox:
    if not (settings.uses_sign_in and app.needs_no_secret(tenant, settings)):
        _check_secret(before, settings, secrets)
    return Mailbox(
        tenant=tenant,
        id=id,
        settings=settings,
        generation=_generation(app, before, settings),
        created=before.created if before else app.now(),
        secrets=_sealed(app, tenant, id, _still_valid(before, settings), secrets),
        version=before.version if before else "",
    )


def remove(app: App, tenant: str, id: str, expected_version: str | None = None) -> None:
    """Stop polling; delete settings and secrets; incidents and ledger stay. Raises ``NotFound``, ``Conflict``."""
    mailbox = get(app, tenant, id)
    if expected_version is not None and mailbox.version != expected_version:
        raise Conflict(CHANGED_MEANWHILE)
    try:
        app.mailboxes.delete(mailbox)
    except RowChanged:
        raise Conflict(CHANGED_MEANWHILE) from None
    if (slot := app.schedule.get(tenant, id)) is not None:
        app.schedule.delete(slot)
    app.sign_ins.forget_cache(tenant, id)
    app.transcripts.forget(tenant, id)


def poll_now(app: App, tenant: str, id: str) -> None:
    """Have it polled at once, and try to send what waits. Raises ``NotFound``; ``Conflict`` when it is disabled."""
    mailbox = get(app, tenant, id)
    if not mailbox.settings.enabled:
        raise Conflict("This mailbox is disabled. Enable it first.")
    _schedule(app, mailbox, moved=False)
    send.hurry(app, tenant, id, send.MAX_HURRIED)
    app.queues.ring_poll(tenant, id)


def status(app: App, tenant: str, id: str) -> MailboxStatus:
    """How it does. Raises ``NotFound``."""
    mailbox = get(app, tenant, id)
    slot = app.schedule.get(tenant, id)
    enabled = mailbox.settings.enabled
    counts = app.desk.counts(tenant, id)
    return MailboxStatus(
        state=_state(enabled, slot),
        failing_since=slot.failing_since if slot else None,
        transcript_until=slot.transcript_until if slot else None,
        last_poll=slot.last_poll if slot else None,
        last_success=slot.last_success if slot else None,
        error=(slot.error_code, slot.error_message, slot.error_fix) if slot and slot.error_code else None,
        next_poll=slot.due if slot and enabled and not slot.paused else None,
        polling=bool(slot and slot.busy_until and slot.busy_until > app.now()),
        sending=sending(mailbox, slot),
        counts=counts.mails,
        counts_at_least=counts.at_least,
    )


def transcribe(app: App, tenant: str, id: str, minutes: int) -> datetime | None:
    """Write down the polls of the next minutes (0: no more); until when. Raises ``NotFound``, ``Invalid``."""
    mailbox = get(app, tenant, id)
    if not 0 <= minutes <= MAX_TRANSCRIPT_MINUTES:
        raise Invalid([("minutes", f"Use 0 to {MAX_TRANSCRIPT_MINUTES}; a transcript ends by itself.")])
    until = app.now() + timedelta(minutes=minutes) if minutes else None
    for _ in range(5):
        slot = app.schedule.get(tenant, id)
        if slot is None:
            raise Conflict(f"{mailbox.id} is not polled. Save its settings once more.")
        try:
            app.schedule.put(replace(slot, transcript_until=until))
        except RowChanged:
            continue  # a poll claimed or ended meanwhile
        return until
    raise Conflict("The mailbox is busy. Try again in a moment.")


def heal_schedule(app: App, tenant: str) -> int:
    """Bring every mailbox's slot in line with its settings: a crash between saving the one and the other leaves them
    apart. How many."""
    apart = [mailbox for mailbox in app.mailboxes.all(tenant) if not _is_scheduled(app, mailbox)]
    for mailbox in apart:
        _schedule(app, mailbox, moved=True)
    return len(apart)


def _is_scheduled(app: App, mailbox: Mailbox) -> bool:
    settings = mailbox.settings
    slot = app.schedule.get(mailbox.tenant, mailbox.id)
    if slot is None:
        return not settings.enabled
    return (slot.enabled, slot.minutes) == (settings.enabled, settings.polling_minutes)


def _state(enabled: bool, slot: Slot | None) -> str:
    if not enabled:
        return "disabled"
    if slot is None or (slot.last_success is None and not slot.failures):
        return "new"
    if slot.paused:
        return "paused"
    return "failing" if slot.failures else "ok"


def _check_secret(before: Mailbox | None, settings: Settings, secrets: Mapping[str, str | None]) -> None:
    """A secret must never be sent to a server that it was not meant for."""
    field, words, again = _NEEDED_SECRET[settings.uses_sign_in]
    if secrets.get(field):
        return
    if before is None or before.secret(field) is None:
        raise Invalid([(field, words)])
    if before.settings.secret_target(field) != settings.secret_target(field):
        raise Invalid([(field, again)])


def _generation(app: App, before: Mailbox | None, settings: Settings) -> str:
    if before is not None and before.settings.source_identity() == settings.source_identity():
        return before.generation
    return app.random(6).hex()


def _still_valid(before: Mailbox | None, settings: Settings) -> dict[str, str]:
    """The sealed secrets that belong to the new settings as well; the others are forgotten, not kept for later."""
    if before is None:
        return {}
    old = before.settings
    return {
        field: sealed for field, sealed in before.secrets if old.secret_target(field) == settings.secret_target(field)
    }


def _sealed(
    app: App, tenant: str, id: str, kept: dict[str, str], secrets: Mapping[str, str | None]
) -> tuple[tuple[str, str], ...]:
    new = {
        field: app.secrets.seal(tenant, id, field, value) for field in SECRET_FIELDS if (value := secrets.get(field))
    }
    return tuple(sorted({**kept, **new}.items()))


def _schedule(app: App, mailbox: Mailbox, moved: bool) -> None:
    """Make its slot due now. ``moved``: a poll of the old place that is running must stop."""
    for _ in range(5):
        slot = app.schedule.get(mailbox.tenant, mailbox.id)
        try:
            app.schedule.put(_soon(app, mailbox, slot, moved))
        except RowChanged:
            continue  # a poll claimed or ended meanwhile
        return
    raise Conflict("The mailbox is busy. Try again in a moment.")


def _soon(app: App, mailbox: Mailbox, slot: Slot | None, moved: bool) -> Slot:
    settings = mailbox.settings
    now = app.now()
    if slot is None:
        return Slot(mailbox.tenant, mailbox.id, settings.polling_minutes, settings.enabled, mailbox.created, now)
    due = now - timedelta(seconds=1)
    changed = replace(
        logins.mended(slot),
        minutes=settings.polling_minutes,
        enabled=settings.enabled,
        due=due,
        paused=False,
        refusals=0,
    )
    return replace(changed, busy_until=None) if moved else changed
