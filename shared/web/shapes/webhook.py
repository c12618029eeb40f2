"""Webhooks and the log of what was sent to them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.flows.hooks import Wish
from shared.model.webhook import MAX_DESCRIPTION_CHARS, MAX_URL_CHARS, URL_PATTERN, Attempt, Hook, Standing

_SHOWN = r"^[^{}]*$".format(r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff")
"""What ``flows.hooks`` takes, for the description only: its words say better what is wrong."""

Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_URL_CHARS),
    Field(json_schema_extra={"pattern": URL_PATTERN}),
]
Description = Annotated[
    str, StringConstraints(max_length=MAX_DESCRIPTION_CHARS), Field(json_schema_extra={"pattern": _SHOWN})
]
Type = Literal["incident.created", "note.added", "status.changed", "mail.held"]
State = Literal["queued", "delivered", "failed", "given_up"]


class HookIn(BaseModel):
    """A webhook as it is to be. ``url``: https, judged now and at each request; ``events``: what it is to hear of."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    url: Url
    events: Annotated[list[Type], Field(min_length=1, max_length=20)]
    enabled: bool = True
    description: Description = ""

    def wish(self) -> Wish:
        """For the flow."""
        return Wish(self.url, tuple(self.events), self.enabled, self.description)


class StandingOut(BaseModel):
    """The last try: when, how it ended (``status``: HTTP's, null where there was no answer), and how many failed in a
    row since when. ``rests_until``: so many failed that nothing is sent before."""

    time: datetime
    state: State
    status: int | None
    cause: str
    failures: int
    failing_since: datetime | None
    rests_until: datetime | None


class HookOut(BaseModel):
    """A webhook without its secret. ``disabled_because``: why it was disabled without anybody saying so, else empty;
    ``old_secret_until``: until then requests are signed with the secret from before the last rotation, too; ``last``:
    null until something was sent."""

    id: str
    url: str
    events: list[Type]
    enabled: bool
    description: str
    created: datetime
    disabled_because: str
    old_secret_until: datetime | None
    last: StandingOut | None


class HookWithSecret(HookOut):
    """The secret is in this answer and nowhere else."""

    secret: str


class DeliveryOut(BaseModel):
    """One try to send one event. ``attempt``: the so many-th since it was (last) to be sent; ``status``: HTTP's, null
    where there was no answer; ``next_try``: null where none follows."""

    id: str
    event: str
    type: str
    event_time: datetime
    time: datetime
    attempt: int
    state: State
    status: int | None
    cause: str
    milliseconds: int
    next_try: datetime | None


class Resent(BaseModel):
    """An event that is sent once more."""

    event: str
    queued: Literal[True] = True


def hook_out(hook: Hook, standing: Standing | None, now: datetime) -> HookOut:
    """A webhook as an answer."""
    return HookOut.model_validate(_shown(hook, standing, now))


def hook_with_secret(hook: Hook, secret: str, now: datetime) -> HookWithSecret:
    """A webhook with its new secret as an answer."""
    return HookWithSecret.model_validate({**_shown(hook, None, now), "secret": secret})


def delivery_out(tried: Attempt) -> DeliveryOut:
    """A line of the log as an answer."""
    return DeliveryOut(
        id=tried.id,
        event=tried.event,
        type=tried.type,
        event_time=tried.event_time,
        time=tried.at,
        attempt=tried.number,
        state=tried.state.value,
        status=tried.status or None,
        cause=tried.cause,
        milliseconds=tried.milliseconds,
        next_try=tried.next,
    )


def etag(hook: Hook) -> str:
    """A strong entity tag of what can be set."""
    return f'"{hook.version}"'


def _shown(hook: Hook, standing: Standing | None, now: datetime) -> dict[str, object]:
    return {
        "id": hook.id,
        "url": hook.url,
        "events": [one.value for one in hook.events],
        "enabled": hook.enabled,
        "description": hook.description,
        "created": hook.created,
        "disabled_because": hook.ended,
        "old_secret_until": hook.old_until if hook.old_until and now < hook.old_until else None,
        "last": _standing(standing).model_dump() if standing else None,
    }


def _standing(standing: Standing) -> StandingOut:
    return StandingOut(
        time=standing.at,
        state=standing.state.value,
        status=standing.status or None,
        cause=standing.cause,
        failures=standing.failures,
        failing_since=standing.since,
        rests_until=standing.rests_until,
    )
