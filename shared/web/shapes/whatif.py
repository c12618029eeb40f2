"""What-if: proposed settings in, what they would change out."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from shared.flows.whatif import Difference, WhatIf
from shared.model.inbound import Decision
from shared.model.incident import Status, label
from shared.model.reason import Outcome
from shared.web.shapes.mail import MailOut, StepOut, mail_out
from shared.web.shapes.mailbox import MailboxIn


class WhatIfIn(BaseModel):
    """Proposed settings, and for how many days of kept mail to try them. Secrets are not needed, and
    not looked at."""

    model_config = ConfigDict(extra="forbid", strict=True)

    settings: MailboxIn
    days: int = Field(default=7, ge=1, le=365)


class Verdict(BaseModel):
    """What a mail becomes under some settings. ``incident``: the one that it joins. ``status``: how its incident stands
    afterwards, null where that does not change. ``reporter``: who wrote it, where an agent forwarded it."""

    outcome: Outcome
    reason: str
    incident: str | None
    status: Status | None
    reporter: str | None


class DifferenceOut(BaseModel):
    """A mail that would become something else; ``trace``: the rules as they would be tried."""

    mail: MailOut
    would: Verdict
    trace: list[StepOut]


class WhatIfOut(BaseModel):
    """``looked_at``: mails that were decided again; ``complete``: they were all of those days. ``before``, ``after``:
    how many of them have each outcome under the saved and under the proposed settings."""

    looked_at: int
    complete: bool
    before: dict[Outcome, int]
    after: dict[Outcome, int]
    differences: list[DifferenceOut]


def what_if_out(found: WhatIf) -> WhatIfOut:
    """An answer to what-if."""
    return WhatIfOut(
        looked_at=found.looked_at,
        complete=found.complete,
        before={outcome: found.before.get(outcome, 0) for outcome in Outcome},
        after={outcome: found.after.get(outcome, 0) for outcome in Outcome},
        differences=[_difference(one) for one in found.differences],
    )


def _difference(one: Difference) -> DifferenceOut:
    trace = [StepOut(rule=step.rule, hit=step.hit, why=step.why) for step in one.would.trace]
    return DifferenceOut(mail=mail_out(one.mail), would=_verdict(one.would), trace=trace)


def _verdict(would: Decision) -> Verdict:
    return Verdict(
        outcome=would.outcome,
        reason=would.reason.code,
        incident=label(would.join.number) if would.join else None,
        status=would.effect.status if would.outcome is Outcome.DELIVERED else None,
        reporter=would.forward.author.address if would.forward else None,
    )
