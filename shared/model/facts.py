"""What is known about a mail before anything is decided, and how one rule answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.mail.address import Address
from shared.mail.machine.automatic import Machine
from shared.mail.machine.report import Report
from shared.mail.message import Message
from shared.mail.reply.forward import Forward
from shared.mail.sender.verdict import SenderVerdict
from shared.model.inbound import Effect, ThreadEntry
from shared.model.incident import Incident
from shared.model.limits import Tally
from shared.model.mailbox import Settings
from shared.model.reason import Reason

NO_EFFECT = Effect()
HUMAN = Machine(kind="human", no_answer=False, why="nothing says that a machine wrote it")
NO_VERDICT = SenderVerdict(result="none", why="nobody judged the sender", authserv_id="")


@dataclass(frozen=True, slots=True)
class ThreadHit:
    """A Message-ID of the mail (its own, or one it refers to) that the group knows, with the incident behind it."""

    entry: ThreadEntry
    incident: Incident


@dataclass(frozen=True, slots=True)
class Tokens:
    """Incidents of this group that signed keys of ours in the mail name, by where the key stands.

    ``address``: in a recipient's address. ``ids``: a Message-ID of ours in In-Reply-To or References. ``text``: in the
    text, new or quoted. ``about``: a Message-ID of ours in the mail that a report is about. ``own``: the mail's own
    Message-ID is one of ours: it is our mail that came back. ``about_note``: incident and note of the mail that a
    report is about. ``private``: the mail of ours that it answers was for agents only.
    """

    address: tuple[Incident, ...] = ()
    ids: tuple[Incident, ...] = ()
    text: tuple[Incident, ...] = ()
    about: Incident | None = None
    own: int | None = None
    about_note: tuple[int, int] | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was looked up about a mail before anything is decided.

    ``threads``: strongest first (In-Reply-To, then References newest first, then its own id). ``numbered``: incidents
    that the subject names. ``own_addresses``: keys of this tenant's mailbox addresses. ``duplicate_of``: the incident
    that holds the same mail already; ``twins``: incidents of other groups that do. Incidents that were merged stand
    here as the one they were merged into. ``connected``: when the mailbox was; ``received``: when the server got the
    mail. ``tallies``: the limits that a new incident is counted by; ``reopenings``: those that opening an incident
    again is, by its number. ``forward``: what somebody forwarded, looked for only where an agent may have.
    """

    message: Message
    settings: Settings
    received: datetime
    connected: datetime
    own_addresses: frozenset[str] = frozenset()
    verdict: SenderVerdict = NO_VERDICT
    machine: Machine = HUMAN
    report: Report | None = None
    tokens: Tokens = Tokens()
    threads: tuple[ThreadHit, ...] = ()
    numbered: tuple[Incident, ...] = ()
    duplicate_of: int | None = None
    twins: tuple[Incident, ...] = ()
    truncated: bool = False
    tallies: tuple[Tally, ...] = ()
    reopenings: dict[int, Tally] = field(default_factory=dict)
    forward: Forward | None = None
    released: bool = False

    @property
    def is_verified(self) -> bool:
        """Whether the sender may be believed: checked and real, or unchecked where the tenant accepts that, or a
        person said so by releasing the mail."""
        if self.released:
            return True
        if self.verdict.result == "none":
            return self.settings.unverified_senders == "accept"
        return self.verdict.result == "pass"

    @property
    def by_agent(self) -> bool:
        """Whether one of the group's agents wrote it: proved, as his words go out in the group's name."""
        sender = self.message.sender
        return sender is not None and self.verdict.result == "pass" and self.settings.is_agent(sender.key)

    @property
    def is_human(self) -> bool:
        """Whether a person wrote it, as far as can be told."""
        return self.machine.kind == "human"

    def is_ours(self, person: Address) -> bool:
        """Whether mail to this address arrives in one of this tenant's mailboxes (RFC 5233: also with a detail)."""
        local, _, domain = person.key.rpartition("@")
        return person.key in self.own_addresses or f"{local.partition('+')[0]}@{domain}" in self.own_addresses

    def takes_part(self, incident: Incident) -> bool:
        """Whether the sender is a participant of this incident, or an agent, and is who he says to be."""
        sender = self.message.sender
        return self.by_agent or (sender is not None and self.is_verified and incident.takes_part(sender))


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rule says: ``why`` always, a ``reason`` when it decides; then also what that does."""

    why: str
    reason: Reason | None = None
    join: Incident | None = None
    related: tuple[int, ...] = ()
    effect: Effect = NO_EFFECT
    count: tuple[Tally, ...] = ()

    def marked(self, *marks: str) -> Answer:
        """The same answer; what it makes bears these marks, too."""
        return replace(self, effect=replace(self.effect, marks=(*self.effect.marks, *marks)))
