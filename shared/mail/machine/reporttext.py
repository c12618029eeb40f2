"""Reports that are text: of servers older than RFC 3464, and of those whose parts came apart on the way."""

import re

from shared.mail import limits
from shared.mail.machine import bouncewords
from shared.mail.machine.autowords import is_vacation_subject
from shared.mail.machine.bouncetext import failed_recipients
from shared.mail.machine.deliverystatus import groups_of, typed_address
from shared.mail.machine.dsn import delivery
from shared.mail.machine.notice import folded, own_lines
from shared.mail.machine.original import enclosed_original, find_original
from shared.mail.machine.personal import has_prefix, is_daemon, is_null_sender, is_personal
from shared.mail.machine.reportvalue import Kind, Report, ReportedRecipient, failed_header, make_report, ours
from shared.mail.machine.statuscode import better_status, has_reply_code, status_of_text
from shared.mail.message import Message

_QMAIL = re.compile(r"\s{0,80}hi\. th[ei]s is (?:the|a)\b", re.IGNORECASE)
_START = 3000
"""Characters of folded text in which a report without other evidence says what it is."""


def written(message: Message) -> Report | None:
    """A report whose text is all there is; or one whose delivery-status part came as text or came empty."""
    lines, _ = own_lines(message.text, quotes_are_original=not is_daemon(message))
    text = folded("\n".join(lines)[: 8 * _START])
    subject = folded(message.subject)
    why = _evidence(message, subject, text, lines)
    if why is None:
        return None
    groups = [group for group in groups_of("\n".join(lines)) if typed_address(group.get("final-recipient", ""))]
    if groups and (report := delivery(message, groups, "Final-Recipient in the text")):
        return report
    kind = _kind_in_words(subject, text)
    original = find_original(message)
    found = failed_recipients(lines, failed_header(message), original.recipients, ours(message, original))
    return make_report(kind, _with_status(kind, found, lines, message.subject), original, message, why)


def _with_status(kind: Kind, found: dict[str, str], lines: list[str], subject: str) -> list[ReportedRecipient]:
    """Each address with the code its words tell; where none tells any, with the one of the whole text."""
    if kind not in ("failed", "delayed"):
        return [ReportedRecipient(address, kind, None, words) for address, words in found.items()]
    codes = {address: status_of_text(words) for address, words in found.items()}
    if len(found) == 1 or not any(codes.values()):
        overall = status_of_text("\n".join(lines)) or status_of_text(subject)
        codes = {address: better_status(code, "\n".join(lines)) if code else overall for address, code in codes.items()}
    return [ReportedRecipient(address, kind, codes[address], words) for address, words in found.items()]


def _evidence(message: Message, subject: str, text: str, lines: list[str]) -> str | None:
    """Why this is a report about a delivery; None if it is not."""
    if message.header("x-failed-recipients") and not is_personal(message):
        return "X-Failed-Recipients"
    if _QMAIL.match(message.text) and "qmail" in text[:400]:
        return "Hi. This is the qmail-send program"
    in_subject = next((phrase for phrase in bouncewords.FAILED_SUBJECTS if phrase in subject), None)
    in_text = next((phrase for phrase in bouncewords.FAILED_TEXTS if phrase in text), None)
    told = in_text or next((phrase for phrase in bouncewords.DELAYED + bouncewords.DELIVERED if phrase in text), None)
    coded = "@" in text and has_reply_code("\n".join(lines))
    if is_daemon(message) and not is_vacation_subject(message.subject):
        if is_personal(message) and not (in_subject and in_text):
            return None
        if told or in_subject or coded:
            return f"From: {message.from_text[:60]}; {told or in_subject or 'a reply code'}"
        return None
    if is_null_sender(message) and not is_vacation_subject(message.subject):
        # A vacation message has no envelope sender either: one sign more is asked for.
        if sum((bool(told), bool(in_subject), coded, _encloses(message))) < 2:
            return None
        return f"Return-Path: <>; {told or in_subject or 'a reply code'}"
    if in_subject is None or is_personal(message) or message.in_reply_to or has_prefix(message.subject):
        return None
    early = next((phrase for phrase in bouncewords.FAILED_TEXTS if phrase in text[:_START]), None)
    if early and (_returns(message) or (coded and subject.startswith(in_subject))):
        return f"Subject: {in_subject}; {early}"[:120]
    return None


def _returns(message: Message) -> bool:
    """Whether it brings a mail back that no mail system wrote: a person who forwards a report encloses one."""
    original = enclosed_original(message)
    return original is not None and (original.sender or "@").partition("@")[0].lower() not in bouncewords.DAEMON_LOCALS


def _encloses(message: Message) -> bool:
    return any(one.content_type in ("message/rfc822", "text/rfc822-headers") for one in message.attachments)


def _kind_in_words(subject: str, text: str) -> Kind:
    if any(phrase in subject for phrase in ("undeliver", "failure", "failed", "unzustellbar", "returned mail")):
        return "failed"
    if "delayed" in subject or any(phrase in subject for phrase in bouncewords.DELAYED):
        return "delayed"
    if any(phrase in subject for phrase in bouncewords.DELIVERED):
        return "relayed" if "relay" in subject else "delivered"
    if any(phrase in text for phrase in bouncewords.FINAL):
        return "failed"
    if any(phrase in text for phrase in bouncewords.DELAYED):
        return "delayed"
    failed = any(phrase in text for phrase in bouncewords.FAILED_TEXTS)
    return "delivered" if not failed and any(phrase in text for phrase in bouncewords.DELIVERED) else "failed"


def read_in_words(message: Message) -> Report | None:
    """A read receipt without its part: subject and text both say it."""
    subject = folded(message.subject)
    if not subject.startswith(bouncewords.READ_SUBJECTS):
        return None
    lines, _ = own_lines(message.text)
    text = folded("\n".join(lines)[:_START])
    if is_personal(message) or not any(phrase in text for phrase in bouncewords.READ_TEXTS):
        return None
    if not any(phrase in text for phrase in bouncewords.YOUR_MESSAGE):
        return None
    recipients = [ReportedRecipient(message.sender.address, "displayed", None, "")] if message.sender else []
    return make_report("read", recipients, find_original(message), message, f"Subject: {message.subject}"[:120])


def declared(message: Message) -> Report | None:
    """multipart/report by its label only, whatever became of its parts."""
    value = (message.header("content-type") or "").lower()[: limits.LINE_CHARS]
    if "multipart/report" not in value:
        return None
    original = find_original(message)
    if "disposition-notification" in value:
        recipients = [ReportedRecipient(message.sender.address, "displayed", None, "")] if message.sender else []
        return make_report("read", recipients, original, message, "Content-Type: multipart/report")
    if "feedback-report" in value:
        return make_report("complaint", [], original, message, "Content-Type: multipart/report")
    if "delivery-status" not in value:
        return None
    lines, _ = own_lines(message.text)
    kind = _kind_in_words(folded(message.subject), folded("\n".join(lines)[: 8 * _START]))
    found = failed_recipients(lines, (), original.recipients, ours(message, original))
    recipients = _with_status(kind, found, lines, message.subject)
    return make_report(kind, recipients, original, message, "Content-Type: multipart/report")
