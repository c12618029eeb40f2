"""Rules that find the incident a mail belongs to, strongest key first.

A signed key of ours counts whoever brings it; what anybody can know (a Message-ID, a number) only counts for somebody
who takes part in the incident and is who he says to be.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from shared.mail.subject import is_forward
from shared.model import reason
from shared.model.facts import Answer, Facts, ThreadHit
from shared.model.inbound import Effect
from shared.model.incident import Incident, NoteKind, Status, label
from shared.model.reason import Reason


def reply_by_address(facts: Facts) -> Answer:
    """It was sent to an address that carries an incident's signed key."""
    return _by_token(facts, facts.tokens.address, "the address it was sent to")


def reply_by_own_id(facts: Facts) -> Answer:
    """It answers a mail of ours: In-Reply-To, then References from the newest."""
    return _by_token(facts, facts.tokens.ids, "the mail of ours that it answers")


def reply_by_reference(facts: Facts) -> Answer:
    """It refers to a mail we know, and its sender takes part in that incident. A stranger only gets a link."""
    if not facts.threads:
        return Answer("no Message-ID it refers to is known in this group")
    strangers: list[int] = []
    for hit in facts.threads:
        if _may_join(facts, hit):
            why = f"{hit.entry.message_id} belongs to {label(hit.incident.number)}, and the sender takes part in it"
            answer = joined(facts, hit.incident, why, reason.REPLY_BY_REFERENCE)
            return replace(answer, related=(*answer.related, *strangers))
        strangers.append(hit.incident.number)
    named = ", ".join(label(number) for number in dict.fromkeys(strangers))
    why = f"it refers to {named}, but {_no_part(facts)}"
    return Answer(why, related=tuple(dict.fromkeys(strangers)))


def reply_by_text(facts: Facts) -> Answer:
    """The text, new or quoted, carries an incident's signed key."""
    return _by_token(facts, facts.tokens.text, "its text")


def reply_by_number(facts: Facts) -> Answer:
    """The subject names an incident. A number alone never decides: the sender must take part in it."""
    if not facts.numbered:
        return Answer("the subject names no incident of this group")
    for incident in facts.numbered:
        if facts.takes_part(incident):
            why = f"the subject names {label(incident.number)}, and the sender takes part in it"
            return joined(facts, incident, why, reason.REPLY_BY_NUMBER)
    numbers = tuple(incident.number for incident in facts.numbered)
    named = ", ".join(label(number) for number in numbers)
    return Answer(f"the subject names {named}, but {_no_part(facts)}", related=numbers)


def named(facts: Facts) -> tuple[int, ...]:
    """Every incident that any key of the mail names with right, strongest first: where they disagree, the strongest
    decides and the others are shown."""
    tokens = facts.tokens
    known = [hit.incident for hit in facts.threads if _may_join(facts, hit)]
    numbered = [incident for incident in facts.numbered if facts.takes_part(incident)]
    strongest_first = (*tokens.address, *tokens.ids, *known, *tokens.text, *numbered)
    return tuple(dict.fromkeys(incident.number for incident in strongest_first))


def joined(facts: Facts, incident: Incident, why: str, because: Reason) -> Answer:
    """The mail belongs to this incident: what that does depends on who wrote it and on how the incident stands."""
    answer = _effective(facts, incident, why, because)
    # Whichever key led here: what answers an internal mail stays internal.
    if _answers_private(facts, incident):
        return _hidden(answer)
    return _by_agent(facts, answer)


def _answers_private(facts: Facts, incident: Incident) -> bool:
    sender = facts.message.sender
    by_reporter = sender is not None and sender.key == incident.reporter.key
    return (facts.tokens.private and not by_reporter) or any(_is_private(facts, hit, incident) for hit in facts.threads)


def _by_agent(facts: Facts, answer: Answer) -> Answer:
    """What one of the group's agents answers to a mail of ours goes on to the reporter, as if he had written it on the
    page. Nothing else does: what he writes to a colleague, or wrote before the mailbox was connected, is no answer."""
    sends = facts.settings.outgoing.enabled
    joined = answer.join
    if not (sends and joined is not None and facts.by_agent and facts.is_human):
        return answer
    if facts.message.sender is None or facts.message.sender.key == joined.reporter.key:
        return answer  # an agent who is the reporter answers the agents
    answers_us = joined in (*facts.tokens.address, *facts.tokens.ids)
    if not answers_us or is_forward(facts.message.subject) or facts.received < facts.connected:
        return answer
    status = Status.WAITING if answer.effect.status is not None else None
    effect = replace(answer.effect, kind=NoteKind.ANSWER, status=status, adopt=False)
    return replace(answer, why=f"{answer.why}; an agent wrote it, so it goes on to the reporter", effect=effect)


def _effective(facts: Facts, incident: Incident, why: str, because: Reason) -> Answer:
    if not facts.is_human:
        # Never opens it again, never is answered: two machines would go on for ever.
        effect = Effect(status=None, adopt=False, marks=(facts.machine.kind,))
        return Answer(f"{why}; {facts.machine.why}", because, join=incident, effect=effect)
    if facts.received < facts.connected:
        why = f"{why}; it is from before the mailbox was connected, so nothing is opened again"
        return Answer(why, because, join=incident, effect=Effect(status=None))
    if incident.status is Status.CLOSED:
        return _answers_closed(facts, incident, why, because)
    return _reopened(facts, incident, why, because)


def _answers_closed(facts: Facts, incident: Incident, why: str, because: Reason) -> Answer:
    settings = facts.settings
    if settings.closed_reply == "keep":
        why = f"{why}; it is closed and stays so, as this mailbox wants it"
        return Answer(why, because, join=incident, effect=Effect(status=None, marks=("closed",)))
    age = facts.received - incident.updated
    if settings.closed_reply == "new" or age > timedelta(days=settings.reopen_days):
        if (goes_on := _successor(facts, incident)) is not None:
            why = f"{why}; it is closed, and {label(goes_on.number)} goes on in its place, which the mail names, too"
            return _effective(facts, goes_on, why, because)
        full = next((tally for tally in facts.tallies if tally.is_full), None)
        if full is not None:
            why = f"{why}; it is closed, and there were {full.limit} already"
            return Answer(why, reason.TOO_MANY, related=(incident.number,))
        why = f"{why}; it is closed, so a new incident is opened that names it"
        return Answer(why, reason.NEW_AFTER_CLOSED, related=(incident.number,), count=facts.tallies)
    return _reopened(facts, incident, why, because)


def _successor(facts: Facts, closed: Incident) -> Incident | None:
    """The incident that an earlier answer to the closed one opened, where this mail knows it: the old key stands in
    every mail of the thread, and must not open one more incident each time."""
    known = (hit.incident for hit in facts.threads if _may_join(facts, hit))
    named = (one for one in facts.numbered if facts.takes_part(one))
    return next((one for one in (*known, *named) if closed.number in one.related and _goes_on(one, closed)), None)


def _goes_on(one: Incident, closed: Incident) -> bool:
    return one.number > closed.number and one.status is not Status.CLOSED


def _reopened(facts: Facts, incident: Incident, why: str, because: Reason) -> Answer:
    if incident.status is Status.OPEN:
        return Answer(why, because, join=incident)
    tally = facts.reopenings.get(incident.number)
    if tally is not None and tally.is_full:
        why = f"{why}; it stays {incident.status} because it was opened again too often today ({tally.limit})"
        return Answer(why, because, join=incident, effect=Effect(status=None, marks=("reopened_too_often",)))
    return Answer(f"{why}; it was {incident.status}", because, join=incident, count=(tally,) if tally else ())


def _by_token(facts: Facts, incidents: tuple[Incident, ...], where: str) -> Answer:
    if not incidents:
        return Answer(f"{where} carries no key of this group's incidents")
    incident = incidents[0]
    why = f"{where} carries the signed key of {label(incident.number)}"
    if facts.takes_part(incident) or not facts.is_human:
        return joined(facts, incident, why, reason.REPLY_BY_TOKEN)
    # He has the key (a forwarded mail), so what he writes belongs here; but it stays between him and the agents.
    answer = joined(facts, incident, f"{why}, but {_no_part(facts)}", reason.REPLY_BY_TOKEN)
    return answer if answer.join and facts.takes_part(answer.join) else _stranger(answer)


def _stranger(answer: Answer) -> Answer:
    effect = answer.effect
    marks = (*effect.marks, "not_participant")
    return replace(answer, effect=replace(effect, adopt=False, marks=marks))


def _hidden(answer: Answer) -> Answer:
    effect = answer.effect
    marks = (*effect.marks, "private")
    hidden = replace(effect, kind=NoteKind.INTERNAL, adopt=False, marks=marks)
    return replace(answer, why=f"{answer.why}; it answers an internal mail, so it stays internal", effect=hidden)


def _is_private(facts: Facts, hit: ThreadHit, incident: Incident) -> bool:
    """Whether it answers what the reporter must not see. The reporter's own answers never are."""
    if not hit.entry.private or hit.incident.number != incident.number:
        return False
    sender = facts.message.sender
    return sender is None or sender.key != incident.reporter.key


def _may_join(facts: Facts, hit: ThreadHit) -> bool:
    sender = facts.message.sender
    if sender is None or not facts.is_verified:
        return False
    if facts.takes_part(hit.incident):
        return not _goes_elsewhere(facts, hit.incident)
    # A claimed id was only named by somebody so far. Whoever writes to that person about it belongs to the incident
    # (the question that comes after its answer); somebody who never wrote to the claimer does not.
    written_to = {person.key for person in (*facts.message.to, *facts.message.cc)}
    return not hit.entry.seen and hit.entry.claimed_by in written_to


def _goes_elsewhere(facts: Facts, incident: Incident) -> bool:
    """A participant who forwards the mail to other people begins something new."""
    if not is_forward(facts.message.subject):
        return False
    others = [person for person in (*facts.message.to, *facts.message.cc) if not facts.is_ours(person)]
    return bool(others) and not any(incident.takes_part(person) for person in others)


def _no_part(facts: Facts) -> str:
    if facts.message.sender is not None and not facts.is_verified:
        return f"the sender is not proved ({facts.verdict.why})"
    return "the sender takes no part there"
