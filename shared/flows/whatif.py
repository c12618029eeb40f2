"""What-if: kept mail decided once more under settings that are not saved yet. It changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.flows.gather import Gathered
from shared.mail.message import parse
from shared.model import reason
from shared.model.decide import decide
from shared.model.facts import Facts, Tokens
from shared.model.inbound import Decision, Inbound
from shared.model.incident import Incident
from shared.model.mailbox import Mailbox, own_addresses
from shared.model.reason import Outcome
from shared.ports import App

MAX_MAILS = 500
"""Mails that one question looks at, the newest first."""

MAX_TIME = timedelta(seconds=25)
"""After this the answer says how far it came: a browser, and Azure's front door, do not wait for ever."""

ASKED_FOR = ("group", "agents", "authserv_id", "server_type", "host", "email")
"""Settings that looking a mail up depends on, not only deciding about it: who judges senders, who may forward, whose
threads are looked at. Where one of them changes, everything is looked up twice."""

OPENED = frozenset({reason.NEW_INCIDENT.code, reason.NEW_AFTER_CLOSED.code, reason.OLD_INCIDENT.code})


@dataclass(frozen=True, slots=True)
class Difference:
    """A mail that would become something else. ``mail`` is as it is now; ``would`` the proposed settings' decision."""

    mail: Inbound
    would: Decision


@dataclass(frozen=True, slots=True)
class WhatIf:
    """``looked_at``: mails that were decided again; ``complete``: they were all of the asked days. ``before`` and
    ``after``: how many of them have each outcome under the saved and under the proposed settings."""

    looked_at: int
    complete: bool
    before: dict[Outcome, int]
    after: dict[Outcome, int]
    differences: tuple[Difference, ...]


def what_if(app: App, saved: Mailbox, proposed: Mailbox, days: int) -> WhatIf:
    """What the mail of the last ``days`` would have become. Only what the settings change is a difference: a mail is
    decided under both, with everything else as it is today."""
    until = app.now() + MAX_TIME
    before: Counter[Outcome] = Counter()
    after: Counter[Outcome] = Counter()
    differences: list[Difference] = []
    looked_at, complete = 0, True
    mailboxes = app.mailboxes.all(saved.tenant)
    own = own_addresses(mailboxes)
    own_then = own_addresses(proposed if one.id == proposed.id else one for one in mailboxes)
    anew = any(getattr(saved.settings, name) != getattr(proposed.settings, name) for name in ASKED_FOR)
    for mail in _mails(app, saved, days):
        if looked_at == MAX_MAILS or app.now() >= until:
            complete = False
            break
        raw = app.raw.get(saved.tenant, mail.id)
        if raw is None:
            continue
        looked_at += 1
        message = parse(raw)
        facts = _as_if_new(Gathered(app, saved.tenant, mail, message, raw, saved, own).facts(), mail)
        is_ = _decided(facts, saved, mail)
        if anew:
            facts = _as_if_new(Gathered(app, saved.tenant, mail, message, raw, proposed, own_then).facts(), mail)
        would = _decided(facts, proposed, mail)
        before[is_.outcome] += 1
        after[would.outcome] += 1
        if _differ(is_, would):
            differences.append(Difference(mail, would))
    return WhatIf(looked_at, complete, dict(before), dict(after), tuple(differences))


def _mails(app: App, mailbox: Mailbox, days: int) -> Iterator[Inbound]:
    """Decided mails of a mailbox, the newest first. Duplicates and failures do not depend on settings."""
    since = app.now() - timedelta(days=days)
    cursor: str | None = ""
    while cursor is not None:
        page = app.desk.ledger(mailbox.tenant, None, None, mailbox.id, cursor, 200)
        for mail in page.items:
            if mail.kept < since:
                return
            if mail.outcome in (Outcome.DELIVERED, Outcome.HELD, Outcome.DISCARDED):
                yield mail
        cursor = page.next


def _as_if_new(facts: Facts, mail: Inbound) -> Facts:
    """Without what the mail itself left behind: the incident that it opened, and the limits that it counted in."""
    facts = replace(facts, tallies=(), reopenings={}, twins=())
    if mail.reason not in OPENED or mail.incident is None:
        return facts
    tokens = facts.tokens
    return replace(
        facts,
        # Also where the incident was merged into another one since.
        threads=tuple(hit for hit in facts.threads if mail.incident not in (hit.entry.incident, hit.incident.number)),
        numbered=_others(facts.numbered, mail.incident),
        tokens=Tokens(
            address=_others(tokens.address, mail.incident),
            ids=_others(tokens.ids, mail.incident),
            text=_others(tokens.text, mail.incident),
            about=tokens.about,
            own=tokens.own,
        ),
    )


def _others(incidents: tuple[Incident, ...], number: int) -> tuple[Incident, ...]:
    return tuple(one for one in incidents if one.number != number)


def _decided(facts: Facts, mailbox: Mailbox, mail: Inbound) -> Decision:
    return decide(replace(facts, settings=mailbox.settings), release=bool(mail.released))


def _differ(one: Decision, other: Decision) -> bool:
    return _told(one) != _told(other)


def _told(decision: Decision) -> tuple[object, ...]:
    """What of a decision people see: where the mail goes, what that does to the incident, and who reported it."""
    reporter = decision.forward.author.key if decision.forward else None
    return decision.reason, decision.join and decision.join.number, decision.effect.status, reporter
