"""How polling a mailbox goes, and what a test of its settings found."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.flows.logins import Sending
from shared.flows.mailboxes import MAX_TRANSCRIPT_MINUTES, MailboxStatus
from shared.flows.probe import ProbeReport
from shared.model.reason import Outcome


class Queued(BaseModel):
    """The bell was rung."""

    queued: Literal[True] = True


class LastError(BaseModel):
    """What the last failed poll, or the outgoing server, said, and what to do about it."""

    code: str
    message: str
    fix: str


class ProbeStepOut(BaseModel):
    """One step of a settings test. ``state`` is running only where a test is told as it happens. ``field``: the input
    that is to blame, or empty. A step that is ok and has a ``code`` is a warning, such as ``over_privileged``: mail
    works, and ``cause`` and ``fix`` say what to do all the same."""

    name: str
    title: str
    state: Literal["running", "ok", "failed", "skipped"]
    ms: int
    detail: str
    code: str
    cause: str
    fix: str
    field: str


class ProbeOut(BaseModel):
    """What a settings test found, step by step, and the conversation with every secret struck out. ``authserv_id``: the
    name under which the mailbox's provider says whether senders are real, learned from some mails; empty if none."""

    ok: bool
    steps: list[ProbeStepOut]
    transcript: list[str]
    authserv_id: str


def probe_out(report: ProbeReport) -> ProbeOut:
    """A report as an answer."""
    steps = [ProbeStepOut.model_validate(step, from_attributes=True) for step in report.steps]
    return ProbeOut(ok=report.ok, steps=steps, transcript=list(report.transcript), authserv_id=report.authserv_id)


class TranscriptIn(BaseModel):
    """For how many minutes polls are to be written down; 0 ends it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    minutes: int = Field(ge=0, le=MAX_TRANSCRIPT_MINUTES)


class TranscriptUntil(BaseModel):
    """Until when polls are written down; null when they are not."""

    until: datetime | None


class SendingOut(BaseModel):
    """How sending does. ``state``: off (no outgoing server), ok, or waiting: the server does not accept the log-in, and
    what is to be sent waits. ``waiting_since``: since when, with these settings. ``next_try``: when the next mail
    tries; null where none does until somebody saves settings or asks for a poll."""

    state: Literal["off", "ok", "waiting"]
    waiting_since: datetime | None
    last_error: LastError | None
    next_try: datetime | None


class StatusOut(BaseModel):
    """How a mailbox is doing. ``state``: new, ok, failing, paused, disabled. ``failing_since``: the first of the polls
    that failed in a row. ``transcript_until``: polls before this time are written down. ``counts``: mails by outcome.
    ``counts_at_least``: outcomes of which only the newest mails of the tenant were counted (10,000 pending, held or
    failed ones, 5,000 others), so that there may be more; empty as long as there are fewer.
    """

    state: str
    failing_since: datetime | None
    transcript_until: datetime | None
    last_poll: datetime | None
    last_success: datetime | None
    last_error: LastError | None
    next_poll: datetime | None
    polling: bool
    sending: SendingOut
    counts: dict[Outcome, int]
    counts_at_least: list[Outcome]


def status_out(status: MailboxStatus) -> StatusOut:
    """A mailbox's status as an answer; every outcome has a count."""
    return StatusOut(
        state=status.state,
        failing_since=status.failing_since,
        transcript_until=status.transcript_until,
        last_poll=status.last_poll,
        last_success=status.last_success,
        last_error=_last_error(status.error),
        next_poll=status.next_poll,
        polling=status.polling,
        sending=_sending_out(status.sending),
        counts={outcome: status.counts.get(outcome, 0) for outcome in Outcome},
        counts_at_least=[outcome for outcome in Outcome if outcome in status.counts_at_least],
    )


def _sending_out(sending: Sending) -> SendingOut:
    return SendingOut.model_validate(
        {
            "state": sending.state,
            "waiting_since": sending.waiting_since,
            "last_error": _last_error(sending.error),
            "next_try": sending.next_try,
        }
    )


def _last_error(error: tuple[str, str, str] | None) -> LastError | None:
    return LastError(code=error[0], message=error[1], fix=error[2]) if error else None
