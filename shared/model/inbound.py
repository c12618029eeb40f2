"""The ledger: one row for each mail ever seen, with one outcome, one reason and the rules that were tried."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.mail.address import Address
from shared.mail.reply.forward import Forward
from shared.model.incident import Body, Incident, NoteKind, Status
from shared.model.limits import Tally
from shared.model.outbound import Outbound
from shared.model.reason import BEFORE_CONNECTION, DISCARDED_BY_PERSON, Outcome, Reason

MAX_RAW_BYTES = 50 * 1024 * 1024
"""The largest mail that is kept whole; of larger ones only the headers (Exchange Online allows 150 MB, most 25-50)."""


def inbound_id(mailbox: str, generation: str, position: str) -> str:
    """The id of a mail: 32 hex digits, the same whenever the same place of the same mailbox is read.

    ``position`` is the source's own name of the mail, such as ``imap:UIDVALIDITY:UID``.
    """
    return hashlib.sha256(f"{mailbox}\n{generation}\n{position}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Kept:
    """A mail whose raw bytes are stored and whose row is about to be.

    ``received``: when the server got it. ``size``: bytes on the server. ``sha256``: of the stored raw. ``truncated``:
    only the headers were stored.
    """

    id: str
    mailbox: str
    received: datetime
    size: int
    sha256: str
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """How many mails of a mailbox have each outcome. ``at_least``: of these only the newest mails of the tenant were
    looked at, and there may be more."""

    mails: Mapping[Outcome, int]
    at_least: frozenset[Outcome] = frozenset()


@dataclass(frozen=True, slots=True)
class HeldMail:
    """How many held mails each mailbox has, those with none left out. ``complete``: all were looked at; else there may
    be more in each."""

    mails: Mapping[str, int]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that was tried: its name, whether it decided, and the values that made it so."""

    rule: str
    hit: bool
    why: str


@dataclass(frozen=True, slots=True)
class Inbound:
    """A row of the ledger. ``sender`` and ``subject`` are for people to read; ``version`` is the row's ETag.

    ``released``: who said that it is to be taken as if allowed; empty for all but released mail.
    """

    id: str
    mailbox: str
    received: datetime
    kept: datetime
    size: int
    sha256: str
    truncated: bool
    outcome: Outcome
    reason: str
    sender: str = ""
    subject: str = ""
    incident: int | None = None
    note: int | None = None
    trace: tuple[Step, ...] = ()
    released: str = ""
    version: str = ""

    @property
    def can_be_released(self) -> bool:
        """Whether a person may still say "as if allowed": it is held, was skipped as old, or somebody discarded it."""
        return self.outcome is Outcome.HELD or self.reason in (DISCARDED_BY_PERSON.code, BEFORE_CONNECTION.code)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a delivered mail does to its incident.

    ``kind``: of the note. ``status``: how the incident stands afterwards; None leaves it as it is. ``adopt``: sender
    and recipients become participants. ``marks``: stable codes that the note bears for people to see.
    """

    kind: NoteKind = NoteKind.INBOUND
    status: Status | None = Status.OPEN
    adopt: bool = True
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a mail is to become.

    ``join``: the incident it belongs to, None opens a new one (if delivered at all). ``twins``: incidents of other
    groups that hold the same mail, to be linked with the new one. ``count``: limits that go up by one. ``forward``:
    the mail was forwarded by an agent, so its original sender is the reporter.
    """

    reason: Reason
    trace: tuple[Step, ...]
    join: Incident | None = None
    related: tuple[int, ...] = ()
    duplicate_of: int | None = None
    effect: Effect = Effect()
    count: tuple[Tally, ...] = ()
    twins: tuple[Incident, ...] = ()
    forward: Forward | None = None

    @property
    def outcome(self) -> Outcome:
        """The outcome that the reason belongs to."""
        return self.reason.outcome


@dataclass(frozen=True, slots=True)
class ThreadEntry:
    """A Message-ID known in a group: which incident, whether its mail was seen or only claimed, and by whom.

    ``claimed_by`` is an address key; ``private``: its mail was internal, so answers to it are, too; ``version`` the
    row's ETag, empty for an entry that is not stored yet.
    """

    message_id: str
    incident: int
    seen: bool
    claimed_by: str = ""
    version: str = ""
    private: bool = False


@dataclass(frozen=True, slots=True)
class Holder:
    """The mail of one group, and its incident, that has some content."""

    group: str
    incident: int
    mail: str


@dataclass(frozen=True, slots=True)
class Content:
    """Who holds mail of one content, one in each group. ``version``: the row's ETag, empty where nobody does."""

    holders: tuple[Holder, ...] = ()
    version: str = ""

    def of(self, group: str) -> Holder | None:
        """The group's own."""
        return next((one for one in self.holders if one.group == group), None)


@dataclass(frozen=True, slots=True)
class Filing:
    """Everything that one commit writes about one mail: together or not at all.

    ``at``: when the server received the mail, never later than now; incidents and notes are dated by it.
    ``claims``: Message-IDs this mail puts into the thread index (its own as seen, others as claimed): those that were
    absent when looked up, and its own where it was only claimed (``version`` then names that state); their
    ``incident`` is set by the commit. ``digest``: the content digest, written when the mail is delivered; ``content``:
    who had that content when it was looked up. ``author``,
    ``subject``, ``body`` and ``participants`` make the note, and the incident where there is none to join. ``now``:
    when it was decided, for the events that tell of it; ``at`` if it is not said. ``history``: the mail is older than
    the mailbox's connection, and such mail becomes closed incidents: nobody is told of what comes in closed.
    ``preface``: what an agent wrote above a mail that he forwarded, and who he is: an internal note after the mail.
    ``acknowledgement``: author and words of the first answer, and the mail that carries it. ``answer``: the mail that
    passes on what an agent wrote by mail. ``bounced``: a mail of ours before and after this report on it, and the
    addresses that are not to be written to any more, with the reason.
    """

    inbound: Inbound
    decision: Decision
    group: str
    at: datetime
    sender: str
    subject: str
    author: Address
    body: Body
    participants: tuple[Address, ...] = ()
    digest: str = ""
    content: Content = Content()
    claims: tuple[ThreadEntry, ...] = ()
    preface: tuple[Address, Body] | None = None
    acknowledgement: tuple[Address, Body, Outbound] | None = None
    answer: Outbound | None = None
    bounced: tuple[Outbound, Outbound] | None = None
    undeliverable: tuple[tuple[str, str], ...] = ()
    now: datetime | None = None
    history: bool = False


@dataclass(frozen=True, slots=True)
class Filed:
    """What a commit made: incident number and note, where it made any; ``outbound``: the note that is to be sent;
    ``events``: the ids of what webhooks are to hear of."""

    incident: int | None
    note: int | None
    outbound: int | None = None
    events: tuple[str, ...] = ()
