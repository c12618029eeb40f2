"""Mail that goes out: what is sent for a note, how that goes, and when it is tried again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.mail.address import Address, parse_addresses

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=24)
"""A day: greylisting takes minutes, a server's bad day some hours; then a person has to know."""

SENDING_LEASE = timedelta(minutes=10)
"""How long a sending is believed to go on. The courier ends by itself long before; after this it died in the middle."""


MAX_RECIPIENTS = 100
"""Of one mail: what every server takes (RFC 5321, 4.5.3.1.8), and what one row holds."""

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
    first queued. ``said``: for the agent: why it failed, or for whom. ``refused``: recipients that did not get it and
    will not, each with the reason. ``got``: those that a server took it for, and who are not written to a second time.
    ``claim``: who is sending it, or did so last. ``rung``: when its bell was rung last. ``version``: the row's ETag.
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
    got: tuple[str, ...] = ()
    claim: str = ""
    version: str = ""

    @property
    def is_open(self) -> bool:
        """Whether something is still going to happen by itself."""
        return self.state in (SendState.QUEUED, SendState.SENDING)

    @property
    def can_be_sent_again(self) -> bool:
        """Whether a person may say "send again": somebody did not get it, or may not have got it."""
        unsure = (SendState.FAILED, SendState.IN_DOUBT, SendState.BOUNCED)
        return self.state in unsure or (self.state is SendState.SENT and bool(self.refused))

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody's addr-spec, each once."""
        return tuple(dict.fromkeys(person.address for person in (*self.to, *self.cc)))

    @property
    def waiting(self) -> tuple[str, ...]:
        """Those of them that it is still to be sent to."""
        done = {*self.got, *dict(self.refused)}
        return tuple(one for one in self.recipients if one not in done)


def can_be_written_to(person: Address) -> bool:
    """Whether an address that was read somewhere is read as the same one where we write it: a slip in one of a
    stranger's addresses must not stop an answer to all others."""
    address = person.address
    return bool(address) and "=?" not in address and parse_addresses([f"<{address}>"]) == (Address("", address),)


def sending(outbound: Outbound, now: datetime, claim: str) -> Outbound:
    """From now on the server may have it. ``claim``: unguessable; by it the sender knows his own write again."""
    attempts = outbound.attempts + 1
    return replace(outbound, state=SendState.SENDING, due=now + SENDING_LEASE, attempts=attempts, claim=claim)


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
        return given_up(outbound, said)
    return replace(outbound, state=SendState.QUEUED, due=now + pause, rung=now, said=said)


def put_off(outbound: Outbound, said: str, until: datetime, now: datetime) -> Outbound:
    """It was not tried, or not to be tried soon again, as what stops it stops every mail of its mailbox; after a day it
    is given up."""
    if now - (outbound.since or now) > GIVE_UP_AFTER:
        return given_up(outbound, said)
    return replace(outbound, state=SendState.QUEUED, due=until, rung=now, said=said)


def given_up(outbound: Outbound, said: str) -> Outbound:
    """Nobody who still waits for it gets it any more."""
    refused = (*outbound.refused, *((one, "given up after a day") for one in outbound.waiting))
    state = SendState.SENT if outbound.got else SendState.FAILED
    return ended(replace(outbound, refused=refused), state, f"Given up after a day. {said}".strip())


def ended(outbound: Outbound, state: SendState, said: str = "") -> Outbound:
    """Nothing more happens by itself."""
    return replace(outbound, state=state, said=said)


def bounced(outbound: Outbound, said: str, failed: tuple[tuple[str, str], ...]) -> Outbound:
    """A server that had taken it reports that it did not arrive. ``failed``: at whom, as far as the report tells."""
    gone = dict(failed)
    said = f"{outbound.said}\n{said}" if outbound.state is SendState.BOUNCED else said
    return replace(
        outbound,
        state=SendState.BOUNCED,
        said=said,
        refused=tuple((dict(outbound.refused) | gone).items()),
        got=tuple(one for one in outbound.got if one not in gone),
    )


def once_more(outbound: Outbound, now: datetime) -> Outbound:
    """A person says "send again": to everybody who has not got it for sure, or to all if nobody is known to lack it."""
    got = outbound.got if set(outbound.recipients) - set(outbound.got) else ()
    again = replace(outbound, state=SendState.QUEUED, since=now, due=now, rung=now, attempts=0, said="", refused=())
    return replace(again, got=got, claim="")
