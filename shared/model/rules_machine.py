"""Rules about mail that no person wrote: it may add to an incident, but never opens one again and never is answered."""

from __future__ import annotations

from shared.mail.machine.report import Report
from shared.model import reason
from shared.model.facts import Answer, Facts
from shared.model.inbound import Effect
from shared.model.incident import NoteKind, label

REPORT_WORDS = {
    "failed": "A mail could not be delivered:",
    "delayed": "A mail is delayed; its server goes on trying:",
    "delivered": "A mail was delivered:",
    "relayed": "A mail was passed on to a server that sends no receipts:",
    "expanded": "A mail went to a list:",
    "complaint": "A reader called this mail unwanted:",
    "read": "A mail was shown to its reader:",
}

REPORTED = Effect(kind=NoteKind.SYSTEM, status=None, adopt=False)
"""A report adds a line to its incident, and changes nothing else."""


def report_on_our_mail(facts: Facts) -> Answer:
    """A bounce or receipt of a mail that we sent: proved by our own signed Message-ID in it, so no whitelist asks."""
    report, about = facts.report, facts.tokens.about
    if report is None:
        return Answer("it is no report about a mail")
    if about is None:
        return Answer(f"it is a report ({report.why}), but not about a mail that Inbound sent")
    why = f"it reports on a mail of {label(about.number)}: {in_words(report)}"
    return Answer(why, reason.REPORT_NOTED, join=about, effect=REPORTED).marked(report.kind)


def report_without_incident(facts: Facts) -> Answer:
    """Bounces of bounces have filled whole help desks: a report never opens an incident."""
    if facts.report is None:
        return Answer("it is no report about a mail")
    # That the group knows the mail is no proof: anybody may name a Message-ID that he has read.
    known = (hit.incident.number for hit in facts.threads if facts.report.original_id == hit.entry.message_id)
    why = f"it carries no key of a mail that Inbound sent: {in_words(facts.report)}"
    return Answer(why, reason.REPORT_UNMATCHED, related=tuple(dict.fromkeys(known)))


def automatic_reply(facts: Facts) -> Answer:
    """Out-of-office and the like: a note where it belongs to an incident (the rules before this one), else nothing
    anybody has to work on."""
    if facts.machine.kind in ("auto_reply", "bounce"):
        return Answer(f"it was sent by a machine and answers nothing: {facts.machine.why}", reason.AUTO_REPLY_UNMATCHED)
    return Answer(f"it is no automatic reply: {facts.machine.why}")


def in_words(report: Report) -> str:
    """What a report says, in one line: kind, and each address with its status."""
    said = [
        " ".join(word for word in (one.address, one.status or one.action, one.diagnostic[:100]) if word)
        for one in report.recipients[:5]
    ]
    return ": ".join(filter(None, (report.kind, "; ".join(said))))


def report_text(report: Report) -> str:
    """The note that a report makes, for agents: what happened, to which address, and why."""
    words = REPORT_WORDS.get(report.kind, "A mail server reports on a mail.")
    lines = [words]
    for one in report.recipients:
        status = f" ({one.status})" if one.status else ""
        said = f": {one.diagnostic}" if one.diagnostic else ""
        lines.append(f"{one.address or 'unknown address'}{status}{said}")
    return "\n".join(lines)
