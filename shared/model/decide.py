"""What a mail becomes: an ordered list of rules, read top to bottom; the first that answers with a reason decides.

Pure: everything a rule needs to know is in ``Facts``. Each rule says why it hit or missed, and all of that is kept
with the mail, so that anyone can ask later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from shared.model import reason
from shared.model.facts import Answer, Facts
from shared.model.inbound import Decision, Effect, Step
from shared.model.incident import Status, label
from shared.model.rules_machine import automatic_reply, report_on_our_mail, report_without_incident
from shared.model.rules_sender import on_whitelist, own_mail, sender_is_real
from shared.model.rules_thread import (
    named,
    reply_by_address,
    reply_by_number,
    reply_by_own_id,
    reply_by_reference,
    reply_by_text,
)


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


def skipped(facts: Facts) -> Answer:
    """Older than the mailbox's connection, where such mail is not wanted: whoever sent it."""
    if facts.received >= facts.connected or facts.settings.old_mail != "skip":
        return Answer("it is no old mail that is skipped here")
    why = f"it came before the mailbox was connected ({facts.connected:%Y-%m-%d}), and such mail is skipped here"
    return Answer(why, reason.BEFORE_CONNECTION)


def from_before(facts: Facts) -> Answer:
    """Older than the mailbox's connection: nobody waits for an answer to it."""
    if facts.received >= facts.connected:
        return Answer("it came after the mailbox was connected")
    age = f"it came before the mailbox was connected ({facts.connected:%Y-%m-%d})"
    if facts.settings.old_mail == "closed":
        return Answer(
            f"{age}, and such mail becomes closed incidents",
            reason.OLD_INCIDENT,
            effect=Effect(status=Status.CLOSED, marks=("before_connection",)),
        )
    return Answer(f"{age}, and such mail becomes open incidents")


def too_many(facts: Facts) -> Answer:
    """A flood, or a loop that no header reveals: held, not lost."""
    full = next((tally for tally in facts.tallies if tally.is_full), None)
    if full is not None:
        return Answer(f"there were {full.limit} already", reason.TOO_MANY)
    return Answer("its sender opened few incidents lately")


def new_incident(facts: Facts) -> Answer:
    """Everything else."""
    answer = Answer("no rule before this one applied", reason.NEW_INCIDENT, count=facts.tallies)
    return answer if facts.is_human else answer.marked(facts.machine.kind)


RULES: tuple[Callable[[Facts], Answer], ...] = (
    too_large,
    same_mail,
    own_mail,
    report_on_our_mail,
    skipped,
    sender_is_real,
    on_whitelist,
    report_without_incident,
    reply_by_address,
    reply_by_own_id,
    reply_by_reference,
    reply_by_text,
    reply_by_number,
    automatic_reply,
    from_before,
    too_many,
    new_incident,
)


def decide(facts: Facts, release: bool = False) -> Decision:
    """Run the rules in order. ``release``: a person said "as if allowed", so rules that hold do not decide."""
    facts = replace(facts, released=release)
    trace: list[Step] = []
    related: list[int] = []
    for rule in RULES:
        answer = rule(facts)
        overruled = release and answer.reason is not None and _gives_way(answer.reason)
        hit = answer.reason is not None and not overruled
        why = f"{answer.why}; released by a person" if overruled else answer.why
        trace.append(Step(rule.__name__, hit, why))
        related.extend(answer.related)
        if hit:
            return _decision(facts, answer, trace, related)
    raise AssertionError("the last rule always answers")


def _gives_way(why: reason.Reason) -> bool:
    """Whether a person's "as if allowed" is stronger: than what holds, and than skipping old mail."""
    return why.outcome is reason.Outcome.HELD or why is reason.BEFORE_CONNECTION


def _decision(facts: Facts, answer: Answer, trace: list[Step], related: list[int]) -> Decision:
    assert answer.reason is not None
    joined = answer.join.number if answer.join else None
    delivered = answer.reason.outcome is reason.Outcome.DELIVERED
    if delivered:
        others = _without(named(facts), joined)
        if joined is not None and others:
            said = ", ".join(label(number) for number in others)
            trace.append(Step("other_keys", False, f"weaker keys of the mail name {said}: shown as related"))
        related = [*related, *others, *(twin.number for twin in facts.twins)]
    effect = answer.effect
    if delivered and facts.verdict.result == "fail":
        effect = replace(effect, marks=(*effect.marks, "sender_not_verified"))
    return Decision(
        reason=answer.reason,
        trace=tuple(trace),
        join=answer.join,
        related=_without(related, joined),
        duplicate_of=facts.duplicate_of,
        effect=effect,
        count=answer.count if delivered else (),
        twins=facts.twins if delivered and joined is None else (),
        forward=facts.forward if delivered and joined is None else None,
    )


def _without(numbers: Iterable[int], joined: int | None) -> tuple[int, ...]:
    return tuple(number for number in dict.fromkeys(numbers) if number != joined)
