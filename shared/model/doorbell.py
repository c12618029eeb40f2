"""What a queue message holds: keys only. The row is the truth; a message that is lost or doubled changes nothing.

``traceparent`` (W3C Trace Context) says which trace the work belongs to. For a mail that came in we do not read it: its
trace follows from its id (``shared.trace``), so messages of older versions, which have none, belong to the same trace.
For one that goes out it says which mail caused it, if one did; without it the mail goes out all the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from shared import trace

VERSION = 1
"""Of the message's form. From the next one on, readers are to take this one as well, so that old and new code can run
side by side while a deployment goes on."""


class NotADoorbell(ValueError):
    """The message is none of ours, or of a form that this version does not know."""


@dataclass(frozen=True, slots=True)
class InboundBell:
    """Queue ``inbound``: convert this mail."""

    tenant: str
    mailbox: str
    id: str

    @property
    def traceparent(self) -> str:
        """The mail's trace; what caused the message is that the mail was kept."""
        return trace.traceparent(self.id, "kept")

    def encode(self) -> str:
        """The message's text."""
        keys = {"tenant": self.tenant, "mailbox": self.mailbox, "id": self.id}
        return json.dumps({"v": VERSION, **keys, "traceparent": self.traceparent})

    @classmethod
    def decode(cls, text: str) -> InboundBell:
        """Raises ``NotADoorbell``."""
        fields = _fields(text, ("tenant", "mailbox", "id"))
        return cls(*fields)


@dataclass(frozen=True, slots=True)
class PollBell:
    """Queue ``polls``: poll this mailbox if it is due."""

    tenant: str
    mailbox: str

    def encode(self) -> str:
        """The message's text."""
        return json.dumps({"v": VERSION, "tenant": self.tenant, "mailbox": self.mailbox})

    @classmethod
    def decode(cls, text: str) -> PollBell:
        """Raises ``NotADoorbell``."""
        fields = _fields(text, ("tenant", "mailbox"))
        return cls(*fields)


@dataclass(frozen=True, slots=True)
class OutboundBell:
    """Queue ``outbound``: send the mail of this note. ``cause``: the ``traceparent`` of what caused it, or empty."""

    tenant: str
    incident: int
    note: int
    cause: str = field(default="", compare=False)

    @property
    def traceparent(self) -> str:
        """The trace of the mail that caused it, else one of its own."""
        return self.cause or trace.traceparent(trace.outgoing(self.tenant, self.incident, self.note), "queued")

    def encode(self) -> str:
        """The message's text."""
        keys = {"tenant": self.tenant, "incident": str(self.incident), "note": str(self.note)}
        return json.dumps({"v": VERSION, **keys, "traceparent": self.traceparent})

    @classmethod
    def decode(cls, text: str) -> OutboundBell:
        """Raises ``NotADoorbell``."""
        tenant, incident, note = _fields(text, ("tenant", "incident", "note"))
        if not (incident.isascii() and incident.isdigit() and note.isascii() and note.isdigit()):
            raise NotADoorbell("a key is no number")
        bell = cls(tenant, int(incident), int(note))
        return replace(bell, cause=_cause(text, bell.traceparent))


@dataclass(frozen=True, slots=True)
class WebhookBell:
    """Queue ``webhooks``: tell this event to those that wait for it. ``cause``: as of ``OutboundBell``."""

    tenant: str
    event: str
    cause: str = field(default="", compare=False)

    @property
    def traceparent(self) -> str:
        """The trace of the mail that caused it, else the event's own."""
        return self.cause or trace.traceparent(self.event, "happened")

    def encode(self) -> str:
        """The message's text."""
        return json.dumps({"v": VERSION, "tenant": self.tenant, "event": self.event, "traceparent": self.traceparent})

    @classmethod
    def decode(cls, text: str) -> WebhookBell:
        """Raises ``NotADoorbell``."""
        bell = cls(*_fields(text, ("tenant", "event")))
        return replace(bell, cause=_cause(text, bell.traceparent))


def _cause(text: str, own: str) -> str:
    """The ``traceparent`` of a message that was read already; empty if it is none, or only names the message itself."""
    said = json.loads(text).get("traceparent")
    return said if isinstance(said, str) and all(trace.parts(said)) and said != own else ""


def _fields(text: str, names: tuple[str, ...]) -> list[str]:
    try:
        message = json.loads(text)
    except ValueError:
        raise NotADoorbell("not JSON") from None
    if not isinstance(message, dict) or message.get("v") is True or message.get("v") != VERSION:
        raise NotADoorbell("unknown form")
    values = [message.get(name) for name in names]
    if not all(isinstance(value, str) and value for value in values):
        raise NotADoorbell("a key is missing")
    return [str(value) for value in values]
