"""Lists: a page of items, where it goes on, and which items."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from shared.model.incident import Status
from shared.model.reason import Outcome
from shared.ports import Page

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
"""Items of one answer: 200 incidents are about 100 KB."""

Item = TypeVar("Item")
Shown = TypeVar("Shown")


class Listed(BaseModel, Generic[Shown]):
    """Some items; ``next`` is the ``after`` of the following ones, null at the end."""

    items: list[Shown]
    next: str | None = None


class Searched(Listed[Shown], Generic[Shown]):
    """Some items of a list in which words were looked for. A page may be short, or empty, and still have a ``next``:
    one request looks through so many only. ``searched``: how many, null when that was not needed."""

    searched: int | None = None


def listed(page: Page[Item], show: Callable[[Item], Shown]) -> Listed[Shown]:
    """A page of the desk as an answer."""
    return Listed(items=[show(item) for item in page.items], next=page.next)


def none_if_empty(value: object) -> object:
    """``?status=`` is what a form sends for "any"."""
    return None if value == "" else value


Filter = Annotated[
    Annotated[str, StringConstraints(max_length=200)] | None,
    BeforeValidator(none_if_empty),
]


_PLACES = {
    "incident": re.compile(r"[0-9]{15}:[0-9]{10}"),
    "mail": re.compile(r"[0-9]{15}:[0-9a-f]{32}"),
    "delivery": re.compile(r"[0-9]{15}-evt_[0-9a-f]{32}-[0-9]{2}"),
}
"""What ``next`` looks like: a time and a number, or an id. Any other text would sort somewhere, and show a list that
nobody asked for."""


def _incident_place(text: str) -> str:
    return _place(text, "incident")


def _mail_place(text: str) -> str:
    return _place(text, "mail")


def _delivery_place(text: str) -> str:
    return _place(text, "delivery")


def _place(text: str, kind: str) -> str:
    if text and not _PLACES[kind].fullmatch(text):
        raise PydanticCustomError(
            "cursor", "This is no place in this list. Use the next of an answer, or leave it out."
        )
    return text


IncidentPlace = Annotated[str, AfterValidator(_incident_place)]
MailPlace = Annotated[str, AfterValidator(_mail_place)]
DeliveryPlace = Annotated[str, AfterValidator(_delivery_place)]


class Paging(BaseModel):
    """The query of every list. A misspelt filter would show everything, so unknown names are refused."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)


class IncidentQuery(Paging):
    """Which incidents. ``reporter``: an address. ``q``: a number, or words that all stand in the subject or in the
    names and addresses of who takes part."""

    after: IncidentPlace = ""
    status: Annotated[Status | None, BeforeValidator(none_if_empty)] = None
    mailbox: Filter = None
    group: Filter = None
    reporter: Annotated[str, StringConstraints(max_length=320)] = ""
    q: Annotated[str, StringConstraints(max_length=200)] = ""


class MailQuery(Paging):
    """Which mails."""

    after: MailPlace = ""
    outcome: Annotated[Outcome | None, BeforeValidator(none_if_empty)] = None
    reason: Filter = None
    mailbox: Filter = None


class DeliveryQuery(Paging):
    """Which deliveries of a webhook."""

    after: DeliveryPlace = ""


class NotesQuery(BaseModel):
    """Which notes of an incident."""

    model_config = ConfigDict(extra="forbid")

    notes_after: int = Field(default=0, ge=0, le=10**9)
