"""Reports about our own mail: not delivered, delayed, delivered, read, complained about.

RFC 3464 and 6522 (delivery reports), RFC 8098 (disposition notifications), RFC 5965 (complaints), and the texts of
servers older than these.
"""

import re

from shared.mail import limits
from shared.mail.address import addr_spec
from shared.mail.attachment import Attachment
from shared.mail.machine.deliverystatus import Group, read_groups, typed_address
from shared.mail.machine.dsn import delivery
from shared.mail.machine.notice import own_lines
from shared.mail.machine.original import enclosed_original, find_original
from shared.mail.machine.personal import has_prefix, is_daemon
from shared.mail.machine.reporttext import declared, read_in_words, written
from shared.mail.machine.reportvalue import Kind, Report, ReportedRecipient, make_report
from shared.mail.machine.statuscode import status_of_text
from shared.mail.message import Message
from shared.mail.msgid import message_ids
from shared.mail.text import one_line

__all__ = ["Kind", "Report", "ReportedRecipient", "read_report"]

_JMRP = re.compile(r"complaint about message from ", re.IGNORECASE)


def read_report(message: Message) -> Report | None:
    """The report a mail is, or None. Total; time proportional to the mail.

    Evidence, strongest first: a delivery-status, disposition-notification or feedback-report part;
    X-Failed-Recipients; a daemon's or an empty sender together with words of failure; known subjects and texts of
    servers that send as nobody in particular. A person who forwards or quotes a report has not sent one.
    """
    if has_prefix(message.subject) and not is_daemon(message) and not _says_report(message):
        return None
    return (
        _structured(message)
        or _complaint_without_part(message)
        or written(message)
        or read_in_words(message)
        or declared(message)
    )


def _says_report(message: Message) -> bool:
    """Whether the mail as a whole is declared a report: no person's mail program does that."""
    return "multipart/report" in (message.header("content-type") or "")[: limits.LINE_CHARS].lower()


def _structured(message: Message) -> Report | None:
    for attachment in message.attachments:
        kind = attachment.content_type.rpartition("/")[2]
        if kind.endswith("delivery-status"):
            report = delivery(message, read_groups(attachment.content))
        elif kind == "disposition-notification":
            report = _disposition(message, attachment)
        elif kind == "feedback-report":
            report = _feedback(message, attachment)
        else:
            continue
        if report:
            return report
    return None


def _disposition(message: Message, attachment: Attachment) -> Report | None:
    fields: Group = {}
    for group in read_groups(attachment.content):
        fields = {**group, **fields}
    if not fields:
        return None
    mode, _, kind = fields.get("disposition", "").partition(";")
    action = (kind or mode).strip().lower().split("/")[0].strip() or "displayed"
    address = typed_address(fields.get("original-recipient", "")) or typed_address(fields.get("final-recipient", ""))
    address = address or (message.sender.address if message.sender else "")
    if action == "deleted" and _refuses(message):  # Sieve's reject (RFC 5429) of servers that may not bounce
        return _rejected(message, address, ids=message_ids(fields.get("original-message-id", "")))
    recipients = [ReportedRecipient(address, action, None, "")] if address else []
    ids = message_ids(fields.get("original-message-id", ""))
    return make_report(
        "read", recipients, find_original(message, ids), message, f"disposition-notification: {action[:40]}"
    )


def _refuses(message: Message) -> bool:
    return is_daemon(message) or "reject" in f"{message.subject} {message.header('auto-submitted')}".lower()


def _rejected(message: Message, address: str, ids: tuple[str, ...]) -> Report:
    words = " ".join(own_lines(message.text)[0])
    recipient = ReportedRecipient(address, "failed", status_of_text(words), one_line(words, 500))
    return make_report("failed", [recipient], find_original(message, ids), message, "disposition-notification: deleted")


def _feedback(message: Message, attachment: Attachment) -> Report | None:
    fields: Group = {}
    for group in read_groups(attachment.content):
        fields = {**group, **fields}
    if not fields:
        return None
    kind = fields.get("feedback-type", "abuse").strip().lower()[:40] or "abuse"
    original = find_original(message)
    named = (fields.get(name, "") for name in ("original-rcpt-to", "removal-recipient", "final-recipient"))
    address = next((found for found in map(typed_address, named) if found), None)
    addresses = [address] if address else list(original.recipients[:1])
    recipients = [ReportedRecipient(one, kind, None, "") for one in addresses]
    return make_report("complaint", recipients, original, message, f"feedback-report: {kind}")


def _complaint_without_part(message: Message) -> Report | None:
    """Microsoft's JMRP: the complained mail alone, with the recipient in a header of its own."""
    original = enclosed_original(message)
    if original is None:
        return None
    hidden = next((value for name, value in original.headers if name.lower() == "x-hmxmroriginalrecipient"), None)
    if hidden is None and not (_JMRP.match(message.subject) and not message.text.strip()):
        return None
    address = addr_spec((hidden or "").strip())
    recipients = [ReportedRecipient(address, "abuse", None, "")] if address else []
    return make_report("complaint", recipients, original, message, "X-HmXmrOriginalRecipient")
