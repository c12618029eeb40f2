"""Whether a mail is answered by a machine: "we have it, its number is INC-000123".

An acknowledgement is a courtesy, the incident is what counts: so every doubt says no. RFC 3834 is about such answers,
RFC 5230 section 4.6 about who is not to get them. What no header reveals ends at limits (``shared.model.limits``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.mail.machine.automarks import no_reply_local, robot_local
from shared.mail.machine.fingerprint import subject_fingerprint
from shared.mail.machine.notice import folded
from shared.mail.machine.personal import is_daemon
from shared.mail.message import Message
from shared.mail.reply.quoting import split_reply
from shared.model import limits, reason
from shared.model.facts import Facts
from shared.model.inbound import Decision
from shared.model.limits import Limit, Tally

TOO_OLD = timedelta(days=1)
"""Whoever waited longer waits for an answer, not for a receipt. It is also more than any time zone that a sender's
clock can have wrong."""

WORDS_LEAST = 40
"""Letters of a text below which it may well be two people's: "See attachment. Kind regards" has 24."""

WORDS_MOST = 4000
"""Letters of a text that are compared: two pages."""

TEXT_MOST = 40_000
"""Characters of a text that these are looked for in. A vacation message has 500."""

HTML_MOST = 256 * 1024
"""Of HTML that may tell what is quoted in it. The text tells it as well, mostly."""

_OPENS = (reason.NEW_INCIDENT, reason.NEW_AFTER_CLOSED)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Whether a mail is to be acknowledged, to its sender and nobody else.

    ``why``: in words, for the mail's trace. ``count``: limits that go up by one in the transaction that files the
    mail; empty if nothing is to be sent.
    """

    send: bool
    why: str
    count: tuple[Tally, ...] = ()


def may_acknowledge(facts: Facts, decision: Decision, tallies: tuple[Tally, ...], now: datetime) -> Acknowledgement:
    """Whether this mail, decided so, is acknowledged. ``tallies``: of ``limits_of(facts, now)``, with the same ``now``.

    For each mail yes is said once at most, and only to a person's: there are never more acknowledgements than mails
    accepted as human.
    """
    against = _against(facts, now)
    if against is None and decision.reason not in _OPENS:
        against = "it opened no incident"
    if against is None and not tallies:
        against = "nobody looked how many were sent already"
    if against is not None:
        return Acknowledgement(False, against)
    full = next((tally for tally in tallies if tally.is_full), None)
    if full is not None:
        return Acknowledgement(False, f"there were {full.limit} already")
    return Acknowledgement(True, f"a person wrote it, and may be answered ({facts.verdict.why})", tallies)


def limits_of(facts: Facts, now: datetime) -> tuple[Limit, ...]:
    """The limits to look up before asking; none if they make no difference."""
    sender = facts.message.sender
    if sender is None or _against(facts, now) is not None:
        return ()
    settings, message = facts.settings, facts.message
    return limits.of_acknowledgement(
        sender,
        settings.email.lower() or f"{settings.username} at {settings.host}",
        subject_fingerprint(message.subject),
        _words(message),
        facts.verdict.result == "pass",
        now,
    )


def _against(facts: Facts, now: datetime) -> str | None:
    """Why this mail is not acknowledged, whatever it becomes and however many were sent; None if it may be."""
    return next((why for check in _CHECKS if (why := check(facts, now)) is not None), None)


def _not_wanted(facts: Facts, now: datetime) -> str | None:
    return None if facts.settings.acknowledge else "this mailbox acknowledges nothing"


def _no_person(facts: Facts, now: datetime) -> str | None:
    machine = facts.machine
    if not facts.is_human or facts.report is not None:
        return f"no person wrote it: {machine.why}"
    return f"its sender wants no automatic answer: {machine.why}" if machine.no_answer else None


def _nowhere(facts: Facts, now: datetime) -> str | None:
    """RFC 5230 section 4.6: mail systems and lists. The others are ours: a loop within one desk."""
    sender = facts.message.sender
    if sender is None:
        return "the From line names no single sender"
    local = sender.key.rpartition("@")[0]
    if facts.is_ours(sender):
        return f"{sender.address} is one of this tenant's mailboxes"
    if is_daemon(facts.message) or no_reply_local(facts.message) or robot_local(facts.message):
        return f"nobody reads mail to {sender.address}"
    if local.startswith("owner-") or local.endswith(("-owner", "-request", "-bounces")):
        return f"{sender.address} is a list's address"
    return None


def _elsewhere(facts: Facts, now: datetime) -> str | None:
    """A Reply-To is as easily forged as it is believed (a verified sender, and his victim as Reply-To), so it is never
    written to; and who wants answers elsewhere wants none where he writes from."""
    sender, wanted = facts.message.sender, facts.message.reply_to
    if sender is None or not wanted or sender.key in {one.key for one in wanted}:
        return None
    return f"it wants answers at {wanted[0].address}, which nobody proved"


def _not_real(facts: Facts, now: datetime) -> str | None:
    """An answer to a forged sender is mail that a stranger made us send to another."""
    if facts.is_verified:
        return None
    said = "is forged" if facts.verdict.result == "fail" else "was not checked"
    return f"its sender {said}: {facts.verdict.why}"


def _forwarded(facts: Facts, now: datetime) -> str | None:
    """The agent who forwards knows of it, and whoever he names is not proved."""
    return "an agent forwarded it" if facts.forward is not None else None


def _not_recent(facts: Facts, now: datetime) -> str | None:
    """Nor is mail that was moved here from another mailbox with a new date of arrival."""
    if facts.received < facts.connected:
        return f"it came before the mailbox was connected ({facts.connected:%Y-%m-%d})"
    if now - facts.received > TOO_OLD:
        return f"it came more than a day ago ({facts.received:%Y-%m-%d})"
    written = facts.message.date
    if written is not None and now - written > TOO_OLD:
        return f"it was written more than a day ago ({written:%Y-%m-%d})"
    return None


_CHECKS: tuple[Callable[[Facts, datetime], str | None], ...] = (
    _not_wanted,
    _no_person,
    _nowhere,
    _elsewhere,
    _not_real,
    _forwarded,
    _not_recent,
)


def _words(message: Message) -> str:
    """A digest of what the mail says itself, without words that hold numbers; empty if that is too little."""
    html = message.html if message.html and len(message.html) <= HTML_MOST else None
    said = split_reply(message.text[:TEXT_MOST], html, message.subject).new
    words = (word for word in folded(said).split() if not any(letter.isdigit() for letter in word))
    letters = "".join(letter for word in words for letter in word if letter.isalpha())[:WORDS_MOST]
    if len(letters) < WORDS_LEAST:
        return ""
    return hashlib.sha256(letters.encode("utf-8", "surrogatepass")).hexdigest()
