"""What goes out because a mail came in: an acknowledgement, an agent's answer passed on, a word to the agents; and what
a bounce says about a mail of ours."""

from __future__ import annotations

from dataclasses import replace

from shared.flows.answered import answered, thread_of
from shared.flows.gather import Gathered
from shared.flows.reply import others
from shared.mail.address import Address, parse_address
from shared.mail.machine.report import Report
from shared.mail.message import Message
from shared.mail.reply.quoting import split_reply
from shared.mail.writing import template
from shared.model import reason, whitelist
from shared.model.acknowledge import limits_of, may_acknowledge
from shared.model.facts import Facts
from shared.model.inbound import Decision, Filing, Step
from shared.model.incident import Body, NoteKind
from shared.model.outbound import (
    MAX_RECIPIENTS,
    NUMBER_LATER,
    Outbound,
    SendKind,
    bounced,
    can_be_written_to,
)
from shared.model.rules_machine import report_text

NO_SUCH_ADDRESS = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.4.310")
"""Enhanced status codes (RFC 3463, Exchange Online's own 5.1.10 and 5.4.310) of an address that is not there and will
not be: writing to it again makes others take us for a sender of junk."""

MAX_GONE = 20
"""Addresses that one report may have written off: each is a row of its transaction."""

_A_WORD = "Attached."

LOOK_BACK = 100
"""Notes in which the mail is looked for that a report is about without naming it."""


def with_outgoing(filing: Filing, gathered: Gathered, facts: Facts) -> Filing:
    """The filing with everything that goes out for it, in the same transaction."""
    decision = filing.decision
    if decision.reason is reason.REPORT_NOTED and facts.report is not None:
        return _with_bounce(filing, gathered, facts, facts.report)
    if not gathered.mailbox.settings.outgoing.enabled:
        return filing
    if decision.effect.kind is NoteKind.ANSWER:
        filing = replace(filing, body=_own_words(filing.body, gathered.message))
        says_something = bool(filing.body.text or filing.body.attachments)
        return replace(filing, answer=_passed_on(gathered, decision) if says_something else None)
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
    # A display name is a stranger's words, too: only one that looks like a name is written back.
    to = Address(template.letters_of_name(sender.name), sender.address)
    mail = _mail(gathered, SendKind.ACKNOWLEDGEMENT, (to,))
    return replace(
        filing,
        decision=replace(decision, count=(*decision.count, *answer.count)),
        acknowledgement=(Address(settings.outgoing.from_name or settings.group, ""), Body(words), mail),
    )


def _own_words(body: Body, message: Message) -> Body:
    """Of a mail without new words (an attachment alone) all is shown, as nothing must get lost. But what it quotes is
    not to go out: with a word above it, it is seen to be a quote."""
    if body.quoted or not body.text:
        return body
    below_a_word = split_reply(f"{_A_WORD}\n\n{body.text}", None, message.subject)
    return replace(body, text="", quoted=body.text) if below_a_word.new == _A_WORD else body


def _passed_on(gathered: Gathered, decision: Decision) -> Outbound | None:
    """An agent's mail goes on to the reporter and the participants; None if he wrote to all of them himself."""
    assert decision.join is not None
    incident, message, mailbox = decision.join, gathered.message, gathered.mailbox
    has_it = {one.key for one in (*message.to, *message.cc)} | ({message.sender.key} if message.sender else set())
    everybody = (incident.reporter, *others(incident, mailbox, gathered.own_addresses))
    people = tuple(one for one in everybody if one.key not in has_it and can_be_written_to(one))[:MAX_RECIPIENTS]
    if not people:
        return None
    before, addresses = incident.notes_count + 1, [one.address for one in people]
    last = answered(gathered.app, gathered.tenant, incident, before, addresses, mailbox.settings.is_agent)
    answers, references = thread_of(gathered.app, gathered.tenant, last)
    mail = _mail(gathered, SendKind.ANSWER, people[:1], people[1:], answers=False)
    return replace(mail, answers=answers, references=references)


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
    before = _returned(gathered, facts, report)
    if before is None or before.is_open or report.kind != "failed":
        return filing
    written_to = {address.lower(): address for address in before.recipients}
    named = {one.address.lower(): one for one in report.recipients if one.address.lower() in written_to}
    failed = tuple((written_to[key], f"{one.status or ''} {one.diagnostic}".strip()) for key, one in named.items())
    gone = tuple(why for why, one in zip(failed, named.values(), strict=True) if one.status in NO_SUCH_ADDRESS)
    return replace(
        filing, bounced=(before, bounced(before, report_text(report), failed)), undeliverable=gone[:MAX_GONE]
    )


def _returned(gathered: Gathered, facts: Facts, report: Report) -> Outbound | None:
    """The mail of ours that a report is about. Where a server on the way gave it another Message-ID: the newest one of
    its incident that went to the address that failed."""
    app, tenant = gathered.app, gathered.tenant
    if facts.tokens.about_note is not None:
        return app.answers.outbound(tenant, *facts.tokens.about_note)
    about = facts.tokens.about
    if about is None:
        return None
    failed = {one.address.lower() for one in report.recipients}
    sent = app.answers.of_incident(tenant, about.number, max(1, about.notes_count - LOOK_BACK), about.notes_count)
    found = (one for _, one in sorted(sent.items(), reverse=True) if failed & {to.lower() for to in one.recipients})
    return next((one for one in found if one.attempts), None)
