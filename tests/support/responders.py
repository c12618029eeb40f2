"""The other sides of a desk's mail: vacation programs of every bad kind, a foreign help desk, a server that bounces."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP

from shared.mail.message import Message, parse
from tests.support.simulation import Letter, Party, Simulation

AT_ONCE = timedelta(seconds=1)
VACATION = "Hello and many thanks for writing to Miller and Sons. We look at every letter and come back to you soon."
"""More than 40 letters, and none of the words that vacation programs are known by."""

_TREES = "ash birch cedar elder elm fir hazel holly juniper larch lime maple oak olive pine poplar rowan spruce willow"


def same(text: str) -> Callable[[int], str]:
    """A text that is always the same."""
    return lambda count: text


def other_words(count: int) -> str:
    """Words that are others each time, and neither number nor program gives them away."""
    chosen, trees = random.Random(count), _TREES.split()
    return " ".join(chosen.choice(trees) for _ in range(14))


def without_number(subject: str) -> str:
    """A subject without our incident's number, as programs have it that take away what is in brackets."""
    return re.sub(r"\[INC-\d+\] ?", "", subject)


@dataclass
class Responder:
    """Answers every mail, whoever wrote it, to its From; without a header that says so.

    ``sender``, ``text``, ``delay``: of its n-th answer; ``subject``: also of the subject that it answers.
    ``threads``: it writes In-Reply-To.
    """

    simulation: Simulation
    address: str
    sender: Callable[[int], str] | None = None
    subject: Callable[[str, int], str] = lambda subject, count: "Miller and Sons"
    text: Callable[[int], str] = lambda count: VACATION
    delay: Callable[[int], timedelta] = lambda count: AT_ONCE
    threads: bool = False
    verdict: str = "pass"
    answered: int = 0

    def __post_init__(self) -> None:
        domain = self.address.rpartition("@")[2]
        self.simulation.parties[self.address] = self
        self.simulation.parties[f"@{domain}"] = self

    def receive(self, letter: Letter) -> None:
        """Answer."""
        self.answered += 1
        count, message = self.answered, parse(letter.raw)
        self.simulation.after(self.delay(count), lambda: self._answer(message, count))

    def _answer(self, message: Message, count: int) -> None:
        if message.sender is None:
            return
        sender = self.sender(count) if self.sender else self.address
        headers = {"In_Reply_To": message.message_id} if self.threads and message.message_id else {}
        subject = self.subject(message.subject, count)
        raw = self.simulation.write(sender, message.sender.address, subject, self.text(count), **headers)
        self.simulation.post(Letter(raw, message.sender.address, sender, self.verdict))


@dataclass
class HelpDesk:
    """A foreign ticket system that acknowledges each mail. Its gateway takes every header away that could tell.

    ``subject``: of its answer, from its ticket's tag and the subject it answers. ``threads``: a mail whose subject has
    a tag of its own belongs to that ticket; else each is a ticket of its own.
    """

    simulation: Simulation
    address: str
    subject: Callable[[str, str], str] = lambda tag, subject: f"{tag} {subject}"
    threads: bool = False
    tickets: itertools.count[int] = field(default_factory=lambda: itertools.count(4711))

    def __post_init__(self) -> None:
        self.simulation.parties[self.address] = self

    def receive(self, letter: Letter) -> None:
        """Acknowledge."""
        message = parse(letter.raw)
        if message.sender is None:
            return
        known = re.search(r"\[Vorgang#\d+\]", message.subject) if self.threads else None
        tag = known[0] if known else f"[Vorgang#{next(self.tickets)}]"
        text = f"Dear customer,\n\nyour words about {without_number(message.subject)} are with us as {tag}.\nForeign\n"
        subject = self.subject(tag, message.subject)[:400]
        raw = self.simulation.write(self.address, message.sender.address, subject, text)
        self.simulation.post(Letter(raw, message.sender.address, self.address), timedelta(seconds=30))


@dataclass
class Stripping:
    """A gateway in front of somebody: it takes away every header that mails thread or are told apart by, and gives
    them Message-IDs of its own."""

    simulation: Simulation
    behind: Party

    def receive(self, letter: Letter) -> None:
        """Pass it on, stripped."""
        message = parse(letter.raw)
        assert message.sender is not None
        raw = self.simulation.write(
            message.sender.address, letter.recipient, message.subject, message.text.partition("inc-")[0]
        )
        self.behind.receive(Letter(raw, letter.recipient, message.sender.address, letter.verdict))


@dataclass
class BouncingServer:
    """A mail server that knows nobody, and says so. ``answers_null``: even to where nothing is to be sent (RFC 5321
    section 4.5.5 forbids it), to the address in From. ``nested``: so often it bounces its own bounce again.
    ``form``: how it says it."""

    simulation: Simulation
    domain: str
    form: Callable[[Simulation, Letter, str], bytes]
    answers_null: bool = False
    nested: int = 0
    bounced: int = 0

    def __post_init__(self) -> None:
        self.simulation.parties[f"@{self.domain}"] = self

    def receive(self, letter: Letter) -> None:
        """Refuse."""
        back = letter.envelope or (letter.sender if self.answers_null else "")
        for round_ in range(1 + self.nested if back else 0):
            raw = self.form(self.simulation, letter, back)
            letter = Letter(raw, back)
            self.bounced += 1
            self.simulation.post(letter, timedelta(minutes=1 + 7 * round_))


def structured(simulation: Simulation, letter: Letter, back: str) -> bytes:
    """A delivery report as RFC 3464 has it, with the headers of the mail."""
    return _report(simulation, letter, back, "delivery-status", letter.raw.partition(b"\r\n\r\n")[0].decode())


def without_original(simulation: Simulation, letter: Letter, back: str) -> bytes:
    """A delivery report that does not say which mail it is about."""
    return _report(simulation, letter, back, "delivery-status", "Subject: something")


def in_words(simulation: Simulation, letter: Letter, back: str) -> bytes:
    """As servers older than RFC 3464 say it."""
    text = f"<{letter.recipient}>:\nSorry, no mailbox here by that name. (#5.1.1)\n"
    head = "Hi. This is the qmail-send program.\nI'm afraid I wasn't able to deliver your message.\n\n"
    return simulation.write("MAILER-DAEMON@bounce.example", back, "failure notice", head + text)


def in_no_known_words(simulation: Simulation, letter: Letter, back: str) -> bytes:
    """By a program of somebody's own that looks like a person: the worst of bounces."""
    text = f"Good day, the lady or gentleman named {letter.recipient} is unknown in this house, so we hand it back."
    return simulation.write("front.desk@bounce.example", back, "To whom it may concern", text)


def _report(simulation: Simulation, letter: Letter, back: str, kind: str, head: str) -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "MAILER-DAEMON@bounce.example", back, "Undelivered Mail"
    made["Message-ID"] = simulation.new_id("bounce.example")
    made["Auto-Submitted"] = "auto-replied"
    boundary = "=_bounce"
    made["Content-Type"] = f'multipart/report; report-type={kind}; boundary="{boundary}"'
    parts = (
        ("text/plain", "Your mail could not be delivered.\r\n"),
        (
            f"message/{kind}",
            f"Reporting-MTA: dns; bounce.example\r\n\r\nFinal-Recipient: rfc822; {letter.recipient}\r\n"
            "Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
        ),
        ("text/rfc822-headers", f"{head}\r\n"),
    )
    body = "".join(f"--{boundary}\r\nContent-Type: {type_}\r\n\r\n{content}\r\n" for type_, content in parts)
    return made.as_bytes(policy=SMTP).partition(b"\r\n\r\n")[0] + f"\r\n\r\n{body}--{boundary}--\r\n".encode()
