"""The ledger: mails with what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.model import incident as desk
from shared.model.inbound import Inbound
from shared.model.reason import Outcome


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
