"""Facts for tests of rules: a mail, settings, and what was looked up about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from shared.mail.address import Address
from shared.mail.machine.automatic import Machine
from shared.mail.machine.report import Kind, Report, ReportedRecipient
from shared.mail.message import parse
from shared.mail.sender.verdict import SenderVerdict
from shared.model.facts import Facts, ThreadHit
from shared.model.inbound import Decision, ThreadEntry
from shared.model.incident import Incident, Status
from shared.model.limits import Limit, Tally
from shared.model.mailbox import Settings
from tests.support.mails import mail

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
ANN = Address("Ann", "ann@example.com")
BOB = Address("Bob", "bob@example.net")
EVE = Address("Eve", "eve@evil.example")
FROM_EVE = mail("Eve <eve@evil.example>")
FROM_NOBODY = mail("a@b.example, c@d.example")

PROVED = SenderVerdict("pass", "dmarc=pass", "mx.example.org")
FORGED = SenderVerdict("fail", "dmarc=fail", "mx.example.org")
UNKNOWN = SenderVerdict("none", "nobody checked", "")

VACATION = Machine("auto_reply", True, "Auto-Submitted: auto-replied")
ALERT = Machine("automatic", True, "Auto-Submitted: auto-generated")
BOUNCE = Machine("bounce", True, "delivery-status: failed")


def incident(number: int = 7, *people: Address, status: Status = Status.OPEN, **fields: Any) -> Incident:
    """An incident whose reporter is the first of these people, Ann if nobody is named."""
    people = people or (ANN,)
    made = Incident(number, "Fire", status, "Support", "support", people[0], people, NOON, NOON, 1)
    return replace(made, **fields)


def hit(
    of: Incident, seen: bool = True, claimed_by: str = "", id: str = "<1@example.com>", private: bool = False
) -> ThreadHit:
    """A Message-ID that the group knows."""
    return ThreadHit(ThreadEntry(id, of.number, seen, claimed_by, "v", private), of)


def facts(raw: bytes = mail(), settings: dict[str, Any] | None = None, **looked_up: Any) -> Facts:
    """Facts about a mail that came when its mailbox was connected."""
    fields = {"group": "Support", "host": "imap.example.org", "username": "support", **(settings or {})}
    known = {"received": NOON, "connected": NOON, **looked_up}
    return Facts(parse(raw), Settings.model_validate(fields), **known)


def report(kind: Kind = "failed", original: str | None = "<1@example.com>") -> Report:
    """A report about a mail to Bob."""
    status = {"failed": "5.1.1", "delayed": "4.4.1"}.get(kind)
    bob = ReportedRecipient("bob@example.net", kind, status, "no such user")
    return Report(kind, (bob,), original, (), (), "Fire", "delivery-status")


def tally(count: int, most: int = 2, key: str = "ann@example.com") -> Tally:
    """A limit and how far it is used."""
    return Tally(Limit("new incidents", key, most, NOON, NOON), count, "v")


def step(decision: Decision, rule: str) -> tuple[bool, str]:
    """What a rule said."""
    return next((one.hit, one.why) for one in decision.trace if one.rule == rule)
