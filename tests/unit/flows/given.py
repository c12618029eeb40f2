"""A desk that receives mails, for tests of what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from email import message_from_bytes
from email.policy import SMTP
from typing import Any

from shared.flows import send
from shared.mail import token
from shared.mail.message import Message, parse
from shared.model.doorbell import OutboundBell
from shared.model.inbound import Inbound
from shared.model.incident import Incident, Note, Status
from shared.store import keys, rows
from shared.store.tables import Delete, Insert, Operation, Replace, Upsert
from tests.support.app import World
from tests.support.checker import violations
from tests.support.mails import mail

JUDGE = "mx.example.org"
"""The server that says whether senders are real, for mailboxes that name it."""


@dataclass
class Desk:
    """One tenant with the mailbox "support", and what tests do with it again and again."""

    world: World
    slug: str = "acme"
    tenant: str = field(init=False)

    def __post_init__(self) -> None:
        self.tenant, _ = self.world.tenant(self.slug)
        self.mailbox()

    def mailbox(self, id: str = "support", **settings: Any) -> None:
        """Make or change a mailbox; its provider is believed about senders."""
        self.world.mailbox(self.tenant, id, **{"authserv_id": JUDGE, **settings})

    def receive(self, raw: bytes, mailbox: str = "support", at: datetime | None = None) -> Inbound:
        """A mail comes a minute after the last one, or was received ``at`` another time. What became of it."""
        self.world.clock.advance(minutes=1)
        self.world.folders[mailbox].deliver(raw, at or self.world.clock.now)
        self.world.poll(self.tenant, mailbox)
        self.world.convert_all()
        return self.world.ledger(self.tenant)[0]

    def row(self, id: str) -> Inbound:
        """A mail's row as it is now, with its trace."""
        found = self.world.app.desk.inbound(self.tenant, id)
        assert found is not None
        return found

    def why(self, mail: Inbound, rule: str) -> str:
        """What a rule said about a mail."""
        return next(step.why for step in self.row(mail.id).trace if step.rule == rule)

    def incident(self, number: int = 1) -> Incident:
        found = self.world.app.desk.incident(self.tenant, number)
        assert found is not None
        return found

    def incidents(self) -> list[Incident]:
        return self.world.incidents(self.tenant)

    def notes(self, number: int = 1) -> tuple[Note, ...]:
        return self.world.notes(self.tenant, number)

    def last(self, number: int = 1) -> Note:
        """The newest note of an incident."""
        return self.notes(number)[-1]

    def people(self, number: int = 1) -> set[str]:
        """Who takes part."""
        return {person.key for person in self.incident(number).participants}

    def change(self, number: int, **fields: Any) -> None:
        """Change an incident as an agent does: its row and its place in the list at once."""
        before = self.incident(number)
        after = replace(before, **fields)
        values = rows.incident_values(after)
        old, new = (keys.listed(one.status, one.updated, number) for one in (before, after))
        place: list[Operation] = [Upsert(new, values)] if old == new else [Delete(old), Insert(new, values)]
        row = Replace(keys.incident(number), values, before.version)
        self.world.tables.commit("desk", self.tenant, [row, *place])

    def close(self, number: int = 1) -> None:
        self.change(number, status=Status.CLOSED)

    def make_private(self, message_id: str) -> None:
        """As sending an internal note will leave it."""
        key = keys.thread("Support", message_id)
        row = self.world.tables.get("desk", self.tenant, key)
        assert row is not None
        self.world.tables.commit("desk", self.tenant, [Replace(key, {**row.values, "private": True}, row.etag)])

    # ── keys of ours, as they stand in what we send ──────────────────────────────────────────────────────────────

    def key(self, number: int = 1) -> str:
        """The reference that stands in addresses and texts."""
        return token.reference(self._secret(), self.tenant, number)

    def our_id(self, number: int = 1, note: int = 1) -> str:
        """The Message-ID of the mail that sends a note."""
        return token.message_id(self._secret(), self.tenant, number, note, "example.org")

    def reply_address(self, number: int = 1) -> str:
        return token.subaddress("support@example.org", self.key(number))

    def _secret(self) -> bytes:
        return self.world.app.secrets.app_key("thread")

    # ── what leaves ───────────────────────────────────────────────────────────────────────────────────────────────

    def sent(self, mailbox: str = "support") -> list[Message]:
        """Every mail that left by now, after all that waited was sent."""
        bells = [OutboundBell.decode(bell) for bell in self.world.queues.outbound]
        self.world.queues.outbound.clear()
        for bell in bells:
            send.send(self.world.app, bell.tenant, bell.incident, bell.note)
        post = self.world.posts.get(mailbox)
        return [parse(raw) for raw, _, _ in post.sent] if post else []

    # ── judging ───────────────────────────────────────────────────────────────────────────────────────────────────

    def problems(self) -> list[str]:
        """Everything that is wrong in storage."""
        return violations(self.world.tables, self.world.blobs, self.tenant)


def judged(result: str, domain: str) -> dict[str, Any]:
    """The header in which the provider says whether a sender is real; for ``mail``."""
    return {"authentication_results": f"{JUDGE}; dmarc={result} header.from={domain}"}


def proved(sender: str, **fields: Any) -> bytes:
    """A mail whose sender is proved."""
    return mail(sender, **{**judged("pass", sender.rpartition("@")[2].strip("> ")), **fields})


def forged(sender: str, **fields: Any) -> bytes:
    """A mail whose sender is known to be another."""
    return mail(sender, **{**judged("fail", sender.rpartition("@")[2].strip("> ")), **fields})


ANN, BOB, EVE = "Ann Smith <ann@example.com>", "Bob <bob@example.net>", "Eve <eve@evil.example>"

_numbers = iter(range(10**9))


def answer(sender: str = ANN, text: str = "And more.", make: Callable[..., bytes] = mail, **fields: Any) -> bytes:
    """Another mail of somebody, with an id of its own."""
    number = next(_numbers)
    return make(sender, **{"text": text, "message_id": f"<answer-{number}@example.com>", **fields})


def attached(
    sender: str, original: bytes, subject: str = "WG: Drucker", text: str = "For you.", **fields: Any
) -> bytes:
    """A mail forwarded as an attachment."""
    outer = message_from_bytes(answer(sender, text, subject=subject, **fields), policy=SMTP)
    outer.add_attachment(message_from_bytes(original, policy=SMTP))
    return outer.as_bytes(policy=SMTP)


def vacation(sender: str = ANN, **fields: Any) -> bytes:
    """An out-of-office answer."""
    said = {"subject": "Automatic reply: Printer", "auto_submitted": "auto-replied", "text": "I am away."}
    return answer(sender, **{**said, **fields})


def bounce(about: str, to: str = "ann@example.com") -> bytes:
    """A delivery report of a mail server about a mail with this Message-ID (RFC 3464)."""
    number = next(_numbers)
    return f"""\
Return-Path: <>
From: Mail Delivery System <mailer-daemon@mx.example.com>
To: support@example.org
Subject: Undelivered Mail Returned to Sender
Message-ID: <bounce-{number}@mx.example.com>
Date: Mon, 16 Nov 2026 09:00:00 +0000
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

This is the mail system. I'm sorry to have to inform you that your message could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; {to}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--b
Content-Type: text/rfc822-headers

From: support@example.org
To: {to}
Subject: Re: Printer
Message-ID: {about}

--b--
""".replace("\n", "\r\n").encode()
