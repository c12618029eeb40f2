"""Out of office: the rules that know a vacation message by its subject, its text and Exchange's marks."""

import re
from dataclasses import dataclass
from typing import Literal

from shared.mail import limits
from shared.mail.machine.autowords import (
    absence_in,
    answers_while_away,
    away_in,
    is_auto_reply_subject,
    is_away_subject,
    is_vacation_subject,
    machine_in,
)
from shared.mail.machine.notice import folded
from shared.mail.machine.personal import has_prefix, is_answer, is_null_sender, mail_program
from shared.mail.message import Message
from shared.mail.subject import is_forward as has_forward_prefix
from shared.mail.subject import plain_subject

Kind = Literal["human", "auto_reply", "automatic", "bounce"]
Found = tuple[Kind, str] | None
"""What a rule says: the kind and why; None if it says nothing."""

_SHORT = 1500
"""Characters. A vacation message is shorter; a person's mail that mentions absence may be longer."""
_SUPPRESS = re.compile(r"\b(?:all|autoreply|oof)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Case:
    """A mail to judge."""

    message: Message
    text: str
    """The mail's own words, folded, without what it quotes."""


def rule_of_exchange(case: Case) -> Found:
    """Exchange's server-side answer: it wishes no answer and bears its rules' loop mark. Forwards bear only that."""
    message = case.message
    if message.header("x-ms-exchange-inbox-rules-loop") is None or is_forward(message):
        return None
    wishes = ",".join(message.header_all("x-auto-response-suppress"))[: limits.LINE_CHARS].lower()
    if "all" in wishes and not mail_program(message):
        return "auto_reply", "X-MS-Exchange-Inbox-Rules-Loop and X-Auto-Response-Suppress: All"
    return None


def reply_subject(case: Case) -> Found:
    """Subjects: "Automatic reply:" and its sisters; words of absence only together with another sign."""
    message = case.message
    subject = message.subject
    if is_auto_reply_subject(subject):
        if mail_program(message) and not suppressed(message) and not (absence_in(case.text) or machine_in(case.text)):
            return None
        # A person who answers an automatic reply keeps its subject, behind his own prefix.
        if not has_prefix(subject) or absence_in(case.text) or machine_in(case.text):
            return "auto_reply", f"Subject: {subject}"
        return None
    if answers_while_away(subject):
        return "auto_reply", f"Subject: {subject}"
    bare = plain_subject(subject, "\0")
    if not is_away_subject(subject) and not (is_vacation_subject(bare) and away_in(case.text)):
        return None
    wished = (suppressed(message) and not mail_program(message)) or is_null_sender(message)
    if wished and not _is_bare_auto(subject):
        return "auto_reply", f"Subject: {subject}; X-Auto-Response-Suppress or no sender"
    asks = "?" in case.text or "？" in case.text
    signs = [away_in(case.text) is not None, absence_in(case.text), is_answer(message), not asks]
    if absence_in(case.text) and sum(signs) >= 3 and not mail_program(message):
        return "auto_reply", f"Subject: {subject}"
    return None


def _is_bare_auto(subject: str) -> bool:
    """Domino's "AUTO:" is also a car in German: its text must speak of absence."""
    return folded(subject[:10]).strip().startswith("auto")


def suppressed_absence(case: Case) -> Found:
    """X-Auto-Response-Suppress proves nothing alone; together with words of absence it does."""
    message = case.message
    if not suppressed(message) or mail_program(message) or is_forward(message):
        return None
    if absence_in(case.text[:600]) and "?" not in case.text and len(case.text) <= _SHORT:
        return "auto_reply", "X-Auto-Response-Suppress and words of absence"
    return None


def away_text(case: Case) -> Found:
    """Vacation messages without any header: short, absent, with a return or a deputy, asking nothing."""
    message = case.message
    phrase = away_in(case.text)
    if phrase is None or mail_program(message) or len(case.text) > _SHORT:
        return None
    if "?" in case.text or "？" in case.text or is_forward(message):
        return None
    if any(not attachment.inline for attachment in message.attachments):
        return None
    if is_answer(message) or has_prefix(message.subject) or suppressed(message) or is_null_sender(message):
        return "auto_reply", f"text: {phrase}"
    # Nobody was answered: only a text that is nothing but an absence will do.
    thanks = ("thank you for your", "thanks for your", "vielen dank für ihre", "merci pour votre", "gracias por su")
    if case.text.startswith(phrase) or any(word in case.text[:200] for word in thanks):
        return "auto_reply", f"text: {phrase}"
    return None


def is_forward(message: Message) -> bool:
    """Whether it passes another mail on, by its subject. "Re:" without In-Reply-To is what poor responders write."""
    return has_forward_prefix(message.subject) and not is_answer(message)


def suppressed(message: Message) -> bool:
    """Whether X-Auto-Response-Suppress asks for no automatic answers; receipts alone (DR, RN, NRN) are no answers."""
    return any(_SUPPRESS.search(value[: limits.LINE_CHARS]) for value in message.header_all("x-auto-response-suppress"))
