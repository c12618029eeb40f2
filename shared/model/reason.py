"""Every reason a mail's outcome can have. A code is stable for ever: tenants filter and alert by it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a mail. Each mail has exactly one.

    pending    kept, not decided yet; the only one that changes by itself
    delivered  it is an incident or a note
    held       kept back with a reason, released or discarded by a person
    discarded  looked at and not wanted
    duplicate  the same mail is there already
    failed     we could not handle it: our fault, or a mail that could not be fetched; raw kept where we have it
    """

    PENDING = "pending"
    DELIVERED = "delivered"
    HELD = "held"
    DISCARDED = "discarded"
    DUPLICATE = "duplicate"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason code, the outcome it belongs to, what it means and what a tenant can do."""

    code: str
    outcome: Outcome
    meaning: str
    what_to_do: str


WAITING = Reason("waiting", Outcome.PENDING, "It is kept and waits to be converted.", "Nothing; seconds, normally.")
NEW_INCIDENT = Reason("new_incident", Outcome.DELIVERED, "It opened an incident.", "Nothing.")
REPLY_BY_REFERENCE = Reason(
    "reply_by_reference",
    Outcome.DELIVERED,
    "It answers a mail of an incident (In-Reply-To or References), and its sender takes part in that incident.",
    "Nothing.",
)
REPLY_BY_NUMBER = Reason(
    "reply_by_number",
    Outcome.DELIVERED,
    "Its subject carries an incident's number, and its sender takes part in that incident.",
    "Nothing.",
)
REPLY_BY_TOKEN = Reason(
    "reply_by_token",
    Outcome.DELIVERED,
    "It carries an incident's signed key: in the address, in the mail of ours that it answers, or in its text.",
    "Nothing. The note says so if its sender takes no part in the incident.",
)
NEW_AFTER_CLOSED = Reason(
    "new_after_closed",
    Outcome.DELIVERED,
    "It answers an incident that is closed for good, so it opened a new one that names the old.",
    "Nothing; change closed_reply or reopen_days of the mailbox if such answers should reopen.",
)
OLD_INCIDENT = Reason(
    "old_incident",
    Outcome.DELIVERED,
    "It is older than the mailbox's connection, so it became a closed incident with its own date.",
    "Nothing; this is what old_mail of the mailbox says.",
)
REPORT_NOTED = Reason(
    "report_noted",
    Outcome.DELIVERED,
    "It is a bounce or a receipt of a mail that belongs to an incident, and became a note there.",
    "Read the note: it names the address that failed and why.",
)
REPORT_UNMATCHED = Reason(
    "report_unmatched",
    Outcome.HELD,
    "It is a bounce or a receipt, but of no mail that belongs to an incident.",
    "Nothing, normally: it may be the answer to a forged mail. Release it to make it an incident.",
)
AUTO_REPLY_UNMATCHED = Reason(
    "auto_reply_unmatched",
    Outcome.HELD,
    "It is an automatic reply that belongs to no incident.",
    "Nothing, normally. Release it to make it an incident.",
)
SENDER_FORGED = Reason(
    "sender_forged",
    Outcome.HELD,
    "The mailbox's provider says that its sender is forged, and the whitelist is on or it claims to be a colleague.",
    "Ask the sender by another way before you release it.",
)
SENDER_UNVERIFIED = Reason(
    "sender_unverified",
    Outcome.HELD,
    "The whitelist is on, nobody could check whether its sender is real, and the mailbox wants that.",
    "Release it if you know it, or set unverified_senders of the mailbox to accept.",
)
TOO_MANY = Reason(
    "too_many",
    Outcome.HELD,
    "Its sender or its domain opened too many incidents within an hour: a flood, or a loop.",
    "Look at some of them; release what you need, discard the rest.",
)
BEFORE_CONNECTION = Reason(
    "before_connection",
    Outcome.DISCARDED,
    "It is older than the mailbox's connection, and the mailbox skips such mail.",
    "Nothing; change old_mail of the mailbox before connecting it if old mail is wanted.",
)
DISCARDED_BY_PERSON = Reason(
    "discarded_by_person",
    Outcome.DISCARDED,
    "It was held, and a person discarded it.",
    "Nothing.",
)
RETENTION_OVER = Reason(
    "retention_over",
    Outcome.DISCARDED,
    "It was held or failed, or a person discarded it, and the time is over that mail is kept. Its raw mail is gone.",
    "Nothing; if it was wanted, ask the sender to write again.",
)
NOT_ON_WHITELIST = Reason(
    "not_on_whitelist",
    Outcome.HELD,
    "The whitelist is on and its sender is not on it.",
    "Release it, or choose Always allow this sender, which also adds the address to the whitelist.",
)
SENDER_UNREADABLE = Reason(
    "sender_unreadable",
    Outcome.HELD,
    "The whitelist is on and the mail names no sender that could be read without doubt.",
    "Look at the mail's From line; mail without a clear sender never passes a whitelist.",
)
TOO_LARGE = Reason(
    "too_large",
    Outcome.HELD,
    "The mail is larger than 50 MB. Its headers are kept; the whole mail is still in the mailbox.",
    "Read it in the mailbox; ask the sender for a link instead of an attachment.",
)
MAILBOX_REMOVED = Reason(
    "mailbox_removed",
    Outcome.HELD,
    "Its mailbox was deleted before the mail was converted.",
    "Make the mailbox again and have the mail sent once more; its raw bytes are kept in storage.",
)
OWN_MAIL = Reason(
    "own_mail",
    Outcome.DISCARDED,
    "Its sender is one of this tenant's own mailboxes: an incident of it could start a loop.",
    "Nothing. Write from a personal address if this was meant as an incident.",
)
SAME_MAIL = Reason(
    "same_mail",
    Outcome.DUPLICATE,
    "The same mail (same Message-ID, sender, date, subject, text and attachments) is there already.",
    "Nothing; the incident named with it holds the mail.",
)
CONVERSION_FAILED = Reason(
    "conversion_failed",
    Outcome.FAILED,
    "Converting it failed five times. The raw mail is kept.",
    "Tell the operator of this service; nothing of the mail is lost.",
)
UNFETCHABLE = Reason(
    "unfetchable",
    Outcome.FAILED,
    "The mail server lists it but did not hand it over in five polls. It is still in the mailbox.",
    "Read it in the mailbox with a mail program; moving it to another folder and back lets it be tried again.",
)
RAW_LOST = Reason(
    "raw_lost",
    Outcome.FAILED,
    "The kept raw mail is gone from storage; it is fetched again if the mailbox still has it.",
    "Nothing at first. If it stays so, the mail is gone from the mailbox as well: tell the operator.",
)

ALL: tuple[Reason, ...] = (
    WAITING,
    NEW_INCIDENT,
    REPLY_BY_REFERENCE,
    REPLY_BY_NUMBER,
    REPLY_BY_TOKEN,
    NEW_AFTER_CLOSED,
    OLD_INCIDENT,
    REPORT_NOTED,
    NOT_ON_WHITELIST,
    SENDER_UNREADABLE,
    SENDER_FORGED,
    SENDER_UNVERIFIED,
    REPORT_UNMATCHED,
    AUTO_REPLY_UNMATCHED,
    TOO_MANY,
    TOO_LARGE,
    MAILBOX_REMOVED,
    OWN_MAIL,
    BEFORE_CONNECTION,
    DISCARDED_BY_PERSON,
    RETENTION_OVER,
    SAME_MAIL,
    CONVERSION_FAILED,
    UNFETCHABLE,
    RAW_LOST,
)

BY_CODE = {reason.code: reason for reason in ALL}
