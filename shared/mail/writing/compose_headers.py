"""The header of a mail that we send, field by field."""

from datetime import datetime

from shared.mail.writing import compose_words as words
from shared.mail.writing.outgoing import Outgoing

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def head(mail: Outgoing) -> list[tuple[str, bytes]]:
    """The fields of a ``cleaned`` mail in order, each with its name, but those that describe the body."""
    pieces: list[tuple[str, list[str]]] = [
        ("Date", [date_text(mail.date)]),
        ("From", words.addresses([mail.sender])),
        ("Reply-To", words.addresses([mail.reply_to]) if mail.reply_to else []),
        ("To", words.addresses(mail.to)),
        ("Cc", words.addresses(mail.cc)),
        ("Subject", words.unstructured(mail.subject)),
        ("Message-ID", [mail.message_id]),
        ("In-Reply-To", [mail.in_reply_to] if mail.in_reply_to else []),
        ("References", list(mail.references)),
        *_automatic(mail),
        ("X-Mailer", ["Inbound"]),
        ("MIME-Version", ["1.0"]),
    ]
    return [(name, words.field(name, value)) for name, value in pieces if value]


def _automatic(mail: Outgoing) -> list[tuple[str, list[str]]]:
    """What keeps other machines from answering; a person's mail must have none of it, or answers to it get lost."""
    if mail.automatic == "no":
        return []
    answers = mail.automatic == "acknowledgement"
    return [
        ("Auto-Submitted", ["auto-replied" if answers else "auto-generated"]),  # RFC 3834 section 5
        ("X-Auto-Response-Suppress", ["All"]),  # MS-OXCMAIL: Exchange reads no Auto-Submitted
        ("Precedence", ["auto_reply"] if answers else []),  # for programs from before RFC 3834
        ("X-Inbound-Loop", words.unstructured(mail.loop_token or "yes")),
    ]


def date_text(date: datetime) -> str:
    """RFC 5322 section 3.3. In UTC, and in English whatever the machine speaks."""
    day, month = _DAYS[date.weekday()], _MONTHS[date.month - 1]
    return f"{day}, {date.day:02d} {month} {date.year:04d} {date.hour:02d}:{date.minute:02d}:{date.second:02d} +0000"


def day_text(date: datetime) -> str:
    """``16 Nov 2026``, for people."""
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year:04d}"
