"""Erasures of a person."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.flows.forget import Preview
from shared.model.erasing import Erasure

Typed = Annotated[str, StringConstraints(min_length=1, max_length=320)]


class ErasureIn(BaseModel):
    """Whom to erase. Without ``confirm`` it is only counted; with the address typed once more it is done, for good."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    address: Typed
    confirm: Annotated[str, StringConstraints(max_length=320)] | None = Field(
        default=None, description="The address once more. Left out: nothing is erased, and the answer counts."
    )


class ErasureCounts(BaseModel):
    """What was found or erased: mails of the person, notes that they became, mails of ours to the person, incidents
    that the person reported or took part in, attachments that nobody else sent."""

    mails: int
    notes: int
    answers: int
    incidents: int
    attachments: int


class ErasureOut(BaseModel):
    """``preview``: only counted; ``more``: there is more than was looked through. ``running``: a timer goes on with it
    every ten minutes; it waits for ``waiting`` mails, which go out to the person or are not converted yet."""

    id: str | None
    state: Literal["preview", "running", "done"]
    counts: ErasureCounts
    more: bool = False
    waiting: int = 0
    created: datetime | None = None
    done: datetime | None = None


def erasure_out(erasure: Erasure) -> ErasureOut:
    """An erasure as an answer, without the address."""
    return ErasureOut(
        id=erasure.id,
        state="done" if erasure.done else "running",
        counts=_counts(erasure.counts),
        waiting=erasure.waiting,
        created=erasure.created,
        done=erasure.done,
    )


def preview_out(found: Preview) -> ErasureOut:
    """What would be erased, as an answer."""
    return ErasureOut(id=None, state="preview", counts=_counts(found.counts), more=found.more)


def _counts(counts: Iterable[tuple[str, int]]) -> ErasureCounts:
    none = dict.fromkeys(ErasureCounts.model_fields, 0)
    return ErasureCounts.model_validate({**none, **dict(counts)})
