"""What goes out because a mail came in: an acknowledgement, an agent's answer passed on, a word to the agents; and what
a bounce says about a mail of ours."""

from __future__ import annotations

from dataclasses import replace

from shared.flows.gather import Gathered
from shared.mail import template
from shared.mail.address import Address, parse_address
from shared.mail.report import Report
from shared.model import reason, whitelist
from shared.model.acknowledge import limits_of, may_acknowledge
from shared.model.facts import Facts
from shared.model.inbound import Decision, Filing, Step
from shared.model.incident import Body, NoteKind
from shared.model.outbound import NUMBER_LATER, Outbound, SendKind, SendState, ended
from shared.model.rules_machine import report_text

NO_SUCH_ADDRESS = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.4.310")
"""Enhanced status codes (RFC 3463, Exchange Online's own 5.1.10 and 5.4.310) of an address that is not there and will
not be: writing to it again makes others take us for a sender of junk."""


def with_outgoing(filing: Filing, gathered: Gathered, facts: Facts) -> Filing:
    """The filing with everything that goes out for it, in the same transaction."""
    decision = filing.decision
    if decision.reason is reason.REPORT_NOTED and facts.report is not None:
        return _with_bounce(filing, gathered, facts, facts.report)
    if not gathered.mailbox.settings.outgoing.enabled:
        return filing
    if decision.effect.kind is NoteKind.ANSWER:
        return replace(filing, answer=_passed_on(gathered, decision))
    told = replace(filing, answer=_told_to_agents(gathered, facts, decision))
    return _acknowledged(told, gathered, facts)


def _acknowledged(filing: Filing, gathered: Gathered, facts: Facts) -> Filing:
    app, now = gathered.app, gathered.app.now()
    if not gathered.mailbox.settings.acknowledge:
        return filing
    tallies = app.desk.tallies(gathered.tenant, limits_of(facts, now))
    answer = may_acknowledge(facts, filing.decision, tallies, now)
    step = Step("acknowledge", answer.send, answer.why)
    decision = replace(filing.decision, trace=(*filing.decision.trace, step))
    sender = facts.message.sender
    if not answer.send or sender is None:
        return replace(filing, decision=decision)
    settings = gathered.mailbox.settings
    fields = {
        "number": NUMBER_LATER,
        "group": settings.group,
        "name": template.letters_of_name(sender.name),
        "subject": facts.message.subject,
    }
    words = template.fill(settings.acknowledge_text or template.DEFAULT_TEXT, fields)
    mail = _mail(gathered, SendKind.ACKNOWLEDGEMENT, (sender,))
    return replace(
        filing,
        decision=replace(decision, count=(*decision.count, *answer.count)),
        acknowledgement=(Address(settings.outgoing.from_name or settings.group, ""), Body(words), mail),
    )


def _passed_on(gathered: Gathered, decision: Decision) -> Outbound | None:
    """An agent's mail goes on to the reporter and the participants."""
    assert decision.join is not None
    incident = decision.join
    sender = gathered.message.sender
    own = gathered.own_addresses | ({sender.key} if sender else set())
    dead = gathered.app.answers.undeliverable(
        gathered.tenant, [incident.reporter.address, *(one.address for one in incident.participants)]
    )
    people = [
        one for one in (incident.reporter, *incident.participants) if one.key not in own and one.address not in dead
    ]
    people = list({one.key: one for one in people if one.address}.values())
    return _mail(gathered, SendKind.ANSWER, tuple(people[:1]), tuple(people[1:]), answers=False) if people else None


def _told_to_agents(gathered: Gathered, facts: Facts, decision: Decision) -> Outbound | None:
    settings = gathered.mailbox.settings
    if not settings.notify_agents or not facts.is_human or facts.received < facts.connected:
        return None
    sender = facts.message.sender
    agents = [parse_address(one) for one in whitelist.entries(settings.agents)]
    to = tuple(one for one in agents if one is not None and (sender is None or one.key != sender.key))
    return _mail(gathered, SendKind.NOTIFICATION, to, answers=False) if to else None


def _mail(
    gathered: Gathered,
    kind: SendKind,
    to: tuple[Address, ...],
    cc: tuple[Address, ...] = (),
    answers: bool = True,
) -> Outbound:
    """Queued from the moment of the commit. ``answers``: it stands in the thread of the mail that came in."""
    now, message = gathered.app.now(), gathered.message
    id = message.message_id or ""
    return Outbound(
        incident=0,
        note=0,
        mailbox=gathered.mailbox.id,
        kind=kind,
        to=to,
        cc=cc,
        answers=id if answers else "",
        references=tuple(one for one in (message.references or message.in_reply_to) if one != id) if answers else (),
        since=now,
        due=now,
        rung=now,
    )


def _with_bounce(filing: Filing, gathered: Gathered, facts: Facts, report: Report) -> Filing:
    """The mail of ours that came back says so at its note; who is not there is not written to again."""
    about = facts.tokens.about_note
    before = gathered.app.answers.outbound(gathered.tenant, *about) if about else None
    if before is None or report.kind != "failed":
        return filing
    written_to = {address.lower(): address for address in before.recipients}
    gone = tuple(
        (written_to[one.address.lower()], f"{one.status} {one.diagnostic}".strip())
        for one in report.recipients
        if one.address.lower() in written_to and one.status in NO_SUCH_ADDRESS
    )
    after = ended(before, SendState.BOUNCED, report_text(report))
    return replace(filing, bounced=(before, after), undeliverable=gone)
