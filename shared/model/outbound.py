"""Mail that goes out: what is sent for a note, how that goes, and when it is tried again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.mail.address import Address

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=24)
"""A day: greylisting takes minutes, a server's bad day some hours; then a person has to know."""

SENDING_LEASE = timedelta(minutes=10)
"""How long a sending is believed to go on. The courier ends by itself long before; after this it died in the middle."""


NUMBER_LATER = "\ue000"
"""Stands for the incident's number in words that are written before the commit gives the number (a private use
character: no mail program writes it)."""


class SendState(StrEnum):
    """How sending goes.

    queued    it waits for its (next) try
    sending   it is being handed to the server
    sent      the server has it, at least for some recipients
    failed    it will not be tried again unless a person says so
    in_doubt  it may have been sent: the server took it or not, nobody knows; never sent again silently
    bounced   it was sent, and came back
    """

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    BOUNCED = "bounced"


class SendKind(StrEnum):
    """answer: an agent's words; acknowledgement: of a new incident; notification: to agents."""

    ANSWER = "answer"
    ACKNOWLEDGEMENT = "acknowledgement"
    NOTIFICATION = "notification"


@dataclass(frozen=True, slots=True)
class Outbound:
    """The mail that sends one note.

    ``note``: 0 for an incident that is not numbered yet (the commit fills it in). ``answers``: the Message-ID of the
    mail that it answers, ``references`` those before it, oldest first. ``due``: the next try. ``since``: when it was
    first queued. ``said``: for the agent: why it failed, or for whom. ``refused``: recipients that did not get it, each
    with the reason. ``rung``: when its bell was rung last. ``version``: the row's ETag.
    """

    incident: int
    note: int
    mailbox: str
    kind: SendKind
    to: tuple[Address, ...]
    cc: tuple[Address, ...] = ()
    answers: str = ""
    references: tuple[str, ...] = ()
    state: SendState = SendState.QUEUED
    since: datetime | None = None
    due: datetime | None = None
    rung: datetime | None = None
    attempts: int = 0
    said: str = ""
    refused: tuple[tuple[str, str], ...] = ()
    version: str = ""

    @property
    def is_open(self) -> bool:
        """Whether something is still going to happen by itself."""
        return self.state in (SendState.QUEUED, SendState.SENDING)

    @property
    def can_be_sent_again(self) -> bool:
        """Whether a person may say "send again"."""
        return self.state in (SendState.FAILED, SendState.IN_DOUBT, SendState.BOUNCED)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody's addr-spec, each once."""
        return tuple(dict.fromkeys(person.address for person in (*self.to, *self.cc)))


def sending(outbound: Outbound, now: datetime) -> Outbound:
    """From now on the server may have it."""
    return replace(outbound, state=SendState.SENDING, due=now + SENDING_LEASE, attempts=outbound.attempts + 1)


def again_later(outbound: Outbound, said: str, retry_after: float | None, now: datetime) -> Outbound:
    """A try failed in a way that may pass; after a day it is given up."""
    since = outbound.since or now
    # A try that ended before the mail was begun is not counted yet.
    attempts = outbound.attempts + (0 if outbound.state is SendState.SENDING else 1)
    outbound = replace(outbound, attempts=attempts)
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(max(attempts - 1, 0), 10))
    if retry_after is not None:
        pause = max(pause, timedelta(seconds=min(max(retry_after, 0), GIVE_UP_AFTER.total_seconds())))
    if now + pause - since > GIVE_UP_AFTER:
        return ended(outbound, SendState.FAILED, f"Given up after a day. {said}")
    return replace(outbound, state=SendState.QUEUED, due=now + pause, rung=now, said=said)


def ended(outbound: Outbound, state: SendState, said: str = "", refused: tuple[tuple[str, str], ...] = ()) -> Outbound:
    """Nothing more happens by itself."""
    return replace(outbound, state=state, said=said, refused=refused or outbound.refused)


def once_more(outbound: Outbound, now: datetime) -> Outbound:
    """A person says "send again"."""
    return replace(outbound, state=SendState.QUEUED, since=now, due=now, rung=now, attempts=0, said="", refused=())
