"""How long mail is kept: which mails have to be settled when their time is over, and how far that has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from shared.model.inbound import Inbound
from shared.model.reason import Outcome

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Before any mail of ours."""

DECIDED = (Outcome.DISCARDED, Outcome.DELIVERED, Outcome.DUPLICATE)
"""Outcomes whose raw mail goes, in this order: a discarded mail may still be released and delivered, and must not
slip by in between."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a tenant's raw mail is incinerated: of all mails kept before ``mark`` it is gone.

    While a run is cut off in the middle, ``goal`` is the time it works up to, and ``place`` where it stopped (a key of
    the ledger's index, empty at the beginning).
    """

    mark: datetime = BEGINNING
    goal: datetime | None = None
    place: str = ""


def effective(wanted: int | None, service: int) -> int:
    """Days that raw mail of a tenant is kept: what it wants, but no longer than the service; 0 means for ever."""
    if wanted is None or service == 0:
        return wanted or service
    return min(wanted, service) if wanted else service


def is_shorter(days: int, than: int) -> bool:
    """Whether mail is kept less long; 0 means for ever."""
    return days != 0 and (than == 0 or days < than)


def may_be_settled(mail: Inbound) -> bool:
    """Whether somebody could still make something of this mail, so that its row has to say that its time is over."""
    return mail.outcome in (Outcome.HELD, Outcome.FAILED) or mail.can_be_released
