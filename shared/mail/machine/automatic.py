"""Did a person write this, and may it be answered by a machine?

RFC 3834 (Auto-Submitted), MS-OXCMAIL 2.2.3.2.14 (X-Auto-Response-Suppress), RFC 2919 and 2369 (lists), and what
mail programs, vacation programs, ticket systems and monitors do instead. The rules are an ordered list: the first
that answers decides, and says why. Whether a mail is an echo of our own is decided elsewhere, with our keys.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from shared.mail.machine.absence import (
    Case,
    Found,
    Kind,
    away_text,
    is_forward,
    reply_subject,
    rule_of_exchange,
    suppressed,
    suppressed_absence,
)
from shared.mail.machine.automarks import (
    ack_system,
    alert_subject,
    alert_text,
    machine_header,
    no_reply_local,
    robot_local,
)
from shared.mail.machine.autowords import (
    away_in,
    is_auto_reply_subject,
    is_received_subject,
    is_vacation_subject,
    machine_in,
)
from shared.mail.machine.notice import folded, own_lines
from shared.mail.machine.personal import has_prefix, is_answer, is_daemon, is_null_sender, is_personal, mail_program
from shared.mail.machine.report import Report
from shared.mail.message import Message

_WHY = 120
"""Characters of a reason: a header and its value."""
_TEXT = 8000
"""Characters of a text in which it says what it is."""
_FORWARDED = ("x-ms-exchange-inbox-rules-loop", "x-ms-exchange-forwardingloop", "resent-from")
"""Exchange forwards a person's mail by rule without an envelope sender."""
_METHOD = re.compile(
    rb"^METHOD[ \t]*(?:;[^:\r\n]{0,80})?:[ \t]*(REPLY|COUNTER|REFRESH)\b", re.IGNORECASE | re.MULTILINE
)
_CALENDAR_BYTES = 16 * 1024
"""Of an invitation: METHOD stands among its first lines (RFC 5546 section 1.4)."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What wrote a mail, and whether a machine may answer it."""

    kind: Kind
    """``human``; ``auto_reply``: a machine's answer to a mail (vacation, acknowledgement, read receipt, reply to an
    invitation); ``automatic``: sent by a machine on its own (alert, newsletter, delayed or successful delivery,
    complaint); ``bounce``: a mail of ours was not delivered."""
    no_answer: bool
    """Must not be acknowledged. True for every kind but ``human``; for a person's mail when a list carried it, its
    sender wished no automatic answers, or no one reads them."""
    why: str
    """The header and value, or the words, that decided; at most 120 characters."""


def classify(message: Message, report: Report | None) -> Machine:
    """Who wrote the mail. ``report`` is what ``read_report`` says of it. Total; time proportional to the mail."""
    if report is not None:
        return _of_report(report)
    lines, _ = own_lines(message.text)
    case = Case(message, folded("\n".join(lines)[:_TEXT]).strip())
    for rule in _RULES:
        found = rule(case)
        if found:
            kind, why = found
            why = " ".join(why.split())[:_WHY]
            return Machine(kind, kind != "human" or _wants_no_answer(case) is not None, why)
    wish = _wants_no_answer(case)
    return Machine("human", wish is not None, (wish or "no sign of a machine")[:_WHY])


def _of_report(report: Report) -> Machine:
    if report.kind == "failed":
        return Machine("bounce", True, report.why[:_WHY])
    kind: Kind = "auto_reply" if report.kind == "read" else "automatic"
    return Machine(kind, True, report.why[:_WHY])


def _auto_submitted(case: Case) -> Found:
    """RFC 3834 section 5. ``no`` and ``auto-forwarded`` (a colleague's rule) are no proof either way."""
    for value in case.message.header_all("auto-submitted"):
        word = re.split(r"[;\s(,]", value.strip().lower(), maxsplit=1)[0].strip("\"'")
        if word in ("", "no", "false", "auto-forwarded", "none"):
            continue
        if word in ("auto-replied", "auto-reply", "autoreply") or is_vacation_subject(case.message.subject):
            return "auto_reply", f"Auto-Submitted: {value}"
        return "automatic", f"Auto-Submitted: {value}"
    return None


def _calendar_reply(case: Case) -> Found:
    for attachment in case.message.attachments:
        if attachment.content_type in ("text/calendar", "application/ics"):
            match = _METHOD.search(attachment.content[:_CALENDAR_BYTES])
            if match:
                return "auto_reply", f"METHOD:{match[1].decode('ascii').upper()}"
    return None


def _reply_header(case: Case) -> Found:
    """Fields that only vacation programs and acknowledgements write."""
    found = machine_header(case.message)
    if found is None:
        return None
    kind, why = found
    replies = is_vacation_subject(case.message.subject) or is_received_subject(case.message.subject)
    if kind == "automatic" and (replies or away_in(case.text)):
        return "auto_reply", why
    return kind, why


def _acknowledgement(case: Case) -> Found:
    """Ticket systems' own acknowledgements; their agents' answers are people's."""
    message = case.message
    system = ack_system(message)
    says = is_received_subject(message.subject) or is_auto_reply_subject(message.subject)
    phrase = machine_in(case.text)
    if system:
        if says or phrase:
            return "auto_reply", system
        return ("human" if is_answer(message) else "automatic"), system
    if says and (phrase or is_answer(message)) and not is_personal(message) and not has_prefix(message.subject):
        return "auto_reply", f"Subject: {message.subject}"
    return None


def _null_sender(case: Case) -> Found:
    message = case.message
    if not is_null_sender(message) or any(message.header(name) is not None for name in _FORWARDED):
        return None
    if is_personal(message) and not is_vacation_subject(message.subject):
        return None
    return ("auto_reply" if is_answer(message) or has_prefix(message.subject) else "automatic"), "Return-Path: <>"


def _precedence(case: Case) -> Found:
    """bulk, junk and list: of a person if a list carried it and something shows a person."""
    message = case.message
    for name in ("precedence", "x-precedence"):
        for value in message.header_all(name):
            word = re.split(r"[;\s(,]", value.strip().lower(), maxsplit=1)[0].replace("_", "-")
            if word in ("auto-reply", "autoreply", "auto-replied"):
                return "auto_reply", f"{name.title()}: {value}"
            if word in ("bulk", "junk", "list"):
                return _of_list(case, f"{name.title()}: {value}")
    return None


def _list_headers(case: Case) -> Found:
    for name in ("list-id", "list-post", "mailing-list", "x-mailing-list", "x-beenthere", "x-google-group-id"):
        if value := case.message.header(name):
            return _of_list(case, f"{name.title()}: {value}")
    if value := case.message.header("list-unsubscribe"):
        return _of_list(case, f"List-Unsubscribe: {value}")
    return None


def _of_list(case: Case, why: str) -> Found:
    """A list's mail is a person's if a person's program wrote it, or if it answers another."""
    message = case.message
    if is_daemon(message) or no_reply_local(message):
        return "automatic", why
    if mail_program(message):
        return "human", why
    lists = any(message.header(name) for name in ("list-id", "list-post", "mailing-list", "x-beenthere"))
    carried = lists or "list" in why.lower()
    if carried and (is_answer(message) or is_personal(message)) and not machine_in(case.text):
        return "human", why
    return "automatic", why


def _sender(case: Case) -> Found:
    message = case.message
    if is_daemon(message) and not is_personal(message):
        return "automatic", f"From: {message.from_text}"
    if local := no_reply_local(message):
        if is_received_subject(message.subject) and is_answer(message):
            return "auto_reply", f"From: {local}@"
        return "automatic", f"From: {local}@"
    local = robot_local(message)
    if local and not is_personal(message) and not has_prefix(message.subject):
        return "automatic", f"From: {local}@"
    return None


def _alert(case: Case) -> Found:
    message = case.message
    if has_prefix(message.subject) or mail_program(message):
        return None
    if found := alert_subject(message.subject):
        return "automatic", f"Subject: {found}"
    found = alert_text(case.text)
    return ("automatic", f"text: {found}") if found else None


def _machine_text(case: Case) -> Found:
    """ "This is an automatically generated mail", where nothing shows a person."""
    message = case.message
    phrase = machine_in(case.text)
    if phrase is None or is_personal(message) or is_forward(message):
        return None
    if is_answer(message) and not is_received_subject(message.subject):
        early = phrase in case.text[:400]
        return ("auto_reply", f"text: {phrase}") if early else None
    return ("auto_reply" if is_received_subject(message.subject) else "automatic"), f"text: {phrase}"


def _wants_no_answer(case: Case) -> str | None:
    """Why a person's mail is not acknowledged; None if it may be."""
    message = case.message
    for name in ("x-auto-response-suppress", "list-id", "list-post", "precedence", "x-loop", "x-precedence"):
        value = message.header(name)
        if name == "x-auto-response-suppress":
            if suppressed(message):
                return f"X-Auto-Response-Suppress: {value}"
        elif name.endswith("precedence"):
            if value and re.search(r"\b(?:bulk|junk|list)\b", value[:100], re.IGNORECASE):
                return f"{name.title()}: {value}"
        elif value:
            return f"{name.title()}: {value}"
    if system := ack_system(message):
        return system
    if is_null_sender(message):
        return "Return-Path: <>"
    if no_reply_local(message, reply_to=True):
        return "Reply-To: nobody reads it"
    return "From: a mail system" if is_daemon(message) else None


_RULES: tuple[Callable[[Case], Found], ...] = (
    _auto_submitted,
    _calendar_reply,
    rule_of_exchange,
    reply_subject,
    suppressed_absence,
    _acknowledgement,
    _reply_header,
    away_text,
    _null_sender,
    _precedence,
    _list_headers,
    _sender,
    _alert,
    _machine_text,
)
