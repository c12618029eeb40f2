"""What a mail becomes: an ordered list of rules, read top to bottom; the first that answers with a reason decides.

Pure: everything a rule needs to know is in ``Facts``. Each rule says why it hit or missed, and all of that is kept
with the mail, so that anyone can ask later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.mail.message import Message
from shared.model import reason, whitelist
from shared.model.inbound import Decision, Step, ThreadEntry
from shared.model.incident import Incident, label
from shared.model.mailbox import Settings
from shared.model.reason import Reason


@dataclass(frozen=True, slots=True)
class ThreadHit:
    """A Message-ID of the mail (its own, or one it refers to) that the group knows, with the incident behind it."""

    entry: ThreadEntry
    incident: Incident


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was looked up about a mail before anything is decided.

    ``threads``: strongest first (In-Reply-To, then References newest first, then its own id). ``numbered``: incidents
    that the subject names. ``own_addresses``: keys of this tenant's mailbox addresses. ``duplicate_of``: the incident
    that holds the same mail already.
    """

    message: Message
    settings: Settings
    own_addresses: frozenset[str] = frozenset()
    threads: tuple[ThreadHit, ...] = ()
    numbered: tuple[Incident, ...] = ()
    duplicate_of: int | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rule says: ``why`` always, a ``reason`` when it decides."""

    why: str
    reason: Reason | None = None
    join: Incident | None = None
    related: tuple[int, ...] = ()


def too_large(facts: Facts) -> Answer:
    """Larger than we keep whole: held, visible, never silent."""
    if facts.truncated:
        return Answer("only the headers were kept", reason.TOO_LARGE)
    return Answer("kept whole")


def same_mail(facts: Facts) -> Answer:
    """The same mail under another source id (UIDVALIDITY changed, POP3 downloaded again, two mailboxes of a group)."""
    if facts.duplicate_of is not None:
        return Answer(f"its content is in {label(facts.duplicate_of)} already", reason.SAME_MAIL)
    return Answer("its content is new in this group")


def own_mail(facts: Facts) -> Answer:
    """From one of our own mailboxes: the beginning of a loop."""
    sender = facts.message.sender
    if sender is not None and sender.key in facts.own_addresses:
        return Answer(f"{sender.address} is one of this tenant's mailboxes", reason.OWN_MAIL)
    return Answer("the sender is none of this tenant's mailboxes")


def on_whitelist(facts: Facts) -> Answer:
    """The seed's whitelist: on and empty blocks everyone."""
    if not facts.settings.whitelist_enabled:
        return Answer("the whitelist is off")
    sender = facts.message.sender
    if sender is None:
        return Answer("the whitelist is on and the From line names no single sender", reason.SENDER_UNREADABLE)
    entry = whitelist.allows(facts.settings.whitelist, sender)
    if entry is None:
        return Answer(f"no entry matches {sender.address}", reason.NOT_ON_WHITELIST)
    return Answer(f"{sender.address} is let in by {entry}")


def reply_by_reference(facts: Facts) -> Answer:
    """It answers a mail we know, and its sender takes part in that incident. A stranger only gets a link."""
    if not facts.threads:
        return Answer("no Message-ID it refers to is known in this group")
    strangers: list[int] = []
    for hit in facts.threads:
        if _may_join(facts, hit):
            return Answer(
                f"{hit.entry.message_id} belongs to {label(hit.incident.number)}, and the sender takes part in it",
                reason.REPLY_BY_REFERENCE,
                join=hit.incident,
                related=_others(strangers, hit.incident.number),
            )
        strangers.append(hit.incident.number)
    named = ", ".join(label(number) for number in dict.fromkeys(strangers))
    return Answer(f"it refers to {named}, but the sender takes no part there", related=tuple(dict.fromkeys(strangers)))


def reply_by_number(facts: Facts) -> Answer:
    """The subject names an incident. A number alone never decides: the sender must take part in it."""
    if not facts.numbered:
        return Answer("the subject names no incident of this group")
    sender = facts.message.sender
    for incident in facts.numbered:
        if sender is not None and incident.takes_part(sender):
            return Answer(
                f"the subject names {label(incident.number)}, and the sender takes part in it",
                reason.REPLY_BY_NUMBER,
                join=incident,
            )
    numbers = tuple(incident.number for incident in facts.numbered)
    named = ", ".join(label(number) for number in numbers)
    return Answer(f"the subject names {named}, but the sender takes no part there", related=numbers)


def new_incident(facts: Facts) -> Answer:
    """Everything else."""
    return Answer("no rule before this one applied", reason.NEW_INCIDENT)


RULES: tuple[Callable[[Facts], Answer], ...] = (
    too_large,
    same_mail,
    own_mail,
    on_whitelist,
    reply_by_reference,
    reply_by_number,
    new_incident,
)


def decide(facts: Facts, release: bool = False) -> Decision:
    """Run the rules in order. ``release``: a person said "as if allowed", so rules that hold do not decide."""
    trace: list[Step] = []
    related: list[int] = []
    for rule in RULES:
        answer = rule(facts)
        overruled = release and answer.reason is not None and answer.reason.outcome is reason.Outcome.HELD
        hit = answer.reason is not None and not overruled
        why = f"{answer.why}; released by a person" if overruled else answer.why
        trace.append(Step(rule.__name__, hit, why))
        related.extend(answer.related)
        if hit and answer.reason is not None:
            joined = answer.join.number if answer.join else None
            return Decision(
                reason=answer.reason,
                trace=tuple(trace),
                join=answer.join,
                related=_others(related, joined),
                duplicate_of=facts.duplicate_of,
            )
    raise AssertionError("the last rule always answers")


def _may_join(facts: Facts, hit: ThreadHit) -> bool:
    sender = facts.message.sender
    if sender is None:
        return False
    if hit.incident.takes_part(sender):
        return True
    # A claimed id was only named by somebody so far. Whoever writes to that person about it belongs to the incident
    # (the question that comes after its answer); somebody who never wrote to the claimer does not.
    written_to = {person.key for person in (*facts.message.to, *facts.message.cc)}
    return not hit.entry.seen and hit.entry.claimed_by in written_to


def _others(numbers: list[int], joined: int | None) -> tuple[int, ...]:
    return tuple(number for number in dict.fromkeys(numbers) if number != joined)
