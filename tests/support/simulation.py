"""Mail in virtual time: desks that acknowledge (the real flows, and a stand-in for what sends), and whatever answers.

Nothing waits: the clock jumps from one event to the next, so a week takes as long as its mails take to convert.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, Protocol

from shared.mail.message import parse
from shared.model import limits
from tests.support.acknowledging import AcknowledgingDesk
from tests.support.app import World, make_app
from tests.support.checker import violations

if TYPE_CHECKING:
    from tests.support.inbounddesk import InboundDesk

ON_THE_WAY = timedelta(seconds=10)
POLLING = timedelta(minutes=2)
MONDAY = datetime.fromisoformat("2026-11-16T00:00:00+00:00")


@dataclass(frozen=True)
class Letter:
    """A mail on its way. ``envelope``: where bounces go, empty for nowhere. ``verdict``: what the receiver's server
    finds out about the sender. ``age``: how long it lay in the mailbox before anybody saw it."""

    raw: bytes
    recipient: str
    envelope: str = ""
    verdict: str = "pass"
    age: timedelta = timedelta()

    @property
    def sender(self) -> str:
        """The address in From."""
        sender = parse(self.raw).sender
        return sender.key if sender else ""


class Party(Protocol):
    """Whoever gets mail."""

    def receive(self, letter: Letter) -> None:
        """A letter arrived."""


@dataclass(frozen=True)
class Sent:
    """An acknowledgement that left a desk: when, from and to which address, and for which mail."""

    at: datetime
    mailbox: str
    recipient: str
    mail: str
    proved: bool


@dataclass(frozen=True)
class Numbers:
    """What a simulation has come to."""

    arrived: int
    acknowledged: int
    human: int
    incidents: int
    outcomes: Counter[str]


@dataclass
class Simulation:
    """The world, the time, and everybody who gets mail: by address, or by ``@domain`` for all of one."""

    limited: bool = True
    world: World = field(default_factory=make_app)
    parties: dict[str, Party] = field(default_factory=dict)
    desks: list[InboundDesk] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    nowhere: list[Letter] = field(default_factory=list)
    """What went to addresses that nobody has: those of victims."""
    _events: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.world.clock.now = MONDAY
        self.desk = AcknowledgingDesk(self.world, self.limited)
        self.world.app = replace(self.world.app, desk=self.desk)

    def after(self, delay: timedelta, action: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._events, (self.world.clock.now + delay, next(self._count), action))

    def post(self, letter: Letter, delay: timedelta = ON_THE_WAY) -> None:
        """A letter is on its way."""
        self.after(delay, lambda: self._arrive(letter))

    def send(
        self, sender: str, to: str, subject: str, text: str, at: timedelta = timedelta(), verdict: str = "pass"
    ) -> None:
        """Somebody writes a mail at that time from now."""
        self.after(at, lambda: self.post(Letter(self.write(sender, to, subject, text), to, sender, verdict)))

    def run(self, days: float) -> Numbers:
        """Let this much time pass; then nothing is lost, and nothing was sent that should not be."""
        end = self.world.clock.now + timedelta(days=days)
        while self._events and self._events[0][0] <= end:
            self.world.clock.now, _, action = heapq.heappop(self._events)
            action()
        self.world.clock.now = end
        self._check()
        return self.numbers()

    def numbers(self) -> Numbers:
        """Up to now."""
        outcomes: Counter[str] = Counter()
        for desk in self.desks:
            outcomes += desk.stored().outcomes()
        incidents = sum(len(desk.stored().rows("I")) for desk in self.desks)
        arrived = sum(desk.arrived for desk in self.desks)
        return Numbers(arrived, len(self.sent), len(self.desk.human), incidents, outcomes)

    def new_id(self, domain: str) -> str:
        """A Message-ID."""
        return f"<{next(self._count)}.x@{domain}>"

    def write(self, sender: str, to: str, subject: str, text: str, **headers: str) -> bytes:
        """A mail of now; headers as keywords, underscores for hyphens."""
        made = EmailMessage()
        made["From"], made["To"], made["Subject"] = sender, to, subject
        made["Date"] = format_datetime(self.world.clock.now)
        made["Message-ID"] = headers.pop("message_id", None) or self.new_id(sender.rpartition("@")[2].strip(">"))
        for name, value in headers.items():
            made[name.replace("_", "-")] = value
        made.set_content(text)
        return made.as_bytes(policy=SMTP)

    def _arrive(self, letter: Letter) -> None:
        key = letter.recipient.lower()
        local, _, domain = key.rpartition("@")
        party = self.parties.get(f"{local.partition('+')[0]}@{domain}") or self.parties.get(f"@{domain}")
        if party is None:
            self.nowhere.append(letter)
        else:
            party.receive(letter)

    def _check(self) -> None:
        """What holds in every simulation, at every time at which no mail waits for its poll."""
        for desk in self.desks:
            if desk.polling:
                continue
            assert violations(self.world.tables, self.world.blobs, desk.tenant) == []
            assert sum(desk.stored().outcomes().values()) == desk.arrived, "every mail has one outcome"
        acknowledged = [one.mail for one in self.sent]
        assert len(set(acknowledged)) == len(acknowledged), "no mail is acknowledged twice"
        assert set(acknowledged) <= self.desk.human, "only mails accepted as human are acknowledged"
        assert all(one.recipient != one.mailbox for one in self.sent)
        for most, window, counted in self._windows() if self.limited else ():
            assert max(counted.values(), default=0) <= most, f"more than {most} in {window}"

    def _windows(self) -> Iterator[tuple[int, timedelta, Counter[object]]]:
        """What was sent in each window of each limit that can be counted from outside."""
        counted: tuple[tuple[Sequence[tuple[int, timedelta]], Callable[[Sent], object]], ...] = (
            (limits.ACKS_OF_SENDER, lambda one: (one.mailbox, one.recipient)),
            (limits.ACKS_OF_DOMAIN, lambda one: (one.mailbox, one.recipient.rpartition("@")[2])),
            (limits.ACKS_OF_MAILBOX, lambda one: one.mailbox),
            (limits.ACKS_TO_UNPROVED, lambda one: one.mailbox if not one.proved else one.mail),
        )
        for windows, key in counted:
            for most, window in windows:
                yield most, window, Counter(((one.at - MONDAY) // window, key(one)) for one in self.sent)
