"""Reports with a delivery-status part: RFC 3464."""

from shared.mail.machine import bouncewords
from shared.mail.machine.bouncetext import failed_recipients
from shared.mail.machine.deliverystatus import Group, typed_address, typed_value
from shared.mail.machine.notice import folded, own_lines
from shared.mail.machine.original import Original, find_original
from shared.mail.machine.reportvalue import Kind, Report, ReportedRecipient, failed_header, make_report, ours
from shared.mail.machine.statuscode import better_status, stated_status, status_of_text
from shared.mail.message import Message

_ACTIONS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    ("failed", ("fail", "error", "bounce", "undeliver", "fatal", "reject", "not delivered", "denied")),
    ("delayed", ("delay", "defer", "transient", "retry")),
    ("relayed", ("relay",)),
    ("expanded", ("expand",)),
    ("delivered", ("deliver", "success")),
)
_FINALITY: tuple[Kind, ...] = ("failed", "delayed", "delivered", "relayed", "expanded")
_ADDRESS_FIELDS = ("original-recipient", "final-recipient", "x-actual-recipient")


def delivery(message: Message, groups: list[Group], why: str = "delivery-status") -> Report | None:
    named = [group for group in groups if any(group.get(field) for field in _ADDRESS_FIELDS)]
    named = named or [group for group in groups if "action" in group or "status" in group]
    if not named:
        return None
    original = find_original(message)
    lines, _ = own_lines(message.text)
    recipients: dict[str, ReportedRecipient] = {}
    nameless: list[ReportedRecipient] = []
    for group in named:
        one = _reported(group, message.subject)
        if one.address:
            recipients.setdefault(one.address.lower(), one)
        else:
            nameless.append(one)
    if nameless and not recipients:
        recipients = _named_in_text(message, lines, original, nameless)
    if not recipients and not nameless:
        return None
    actions = {one.action for one in (*recipients.values(), *nameless)}
    kind: Kind = next((kind for kind in _FINALITY if kind in actions), "failed")
    text = " ".join(lines)
    found = list(recipients.values())
    if len(found) == 1:
        found = [_completed(found[0], text)]
    return make_report(kind, found, original, message, f"{why}: Action: {kind}")


def _named_in_text(
    message: Message, lines: list[str], original: Original, nameless: list[ReportedRecipient]
) -> dict[str, ReportedRecipient]:
    """The part names no usable address (a pipe, an X.400 name, a local user): the text or the original may."""
    found = failed_recipients(lines, failed_header(message), original.recipients, ours(message, original))
    like = nameless[0]
    return {
        address.lower(): ReportedRecipient(address, like.action, like.status, like.diagnostic or words)
        for address, words in found.items()
    }


def _reported(group: Group, subject: str) -> ReportedRecipient:
    addresses = (typed_address(group.get(field, "")) for field in _ADDRESS_FIELDS)
    diagnostic = typed_value(group.get("diagnostic-code", ""))[:500]
    status = stated_status(group.get("status", ""))
    return ReportedRecipient(
        next((address for address in addresses if address), ""),
        _action(group, status, subject),
        better_status(status, group.get("status", "")[:500] + " " + diagnostic),
        diagnostic,
    )


def _action(group: Group, status: str | None, subject: str) -> str:
    """The Action field's meaning; without one, what the class of the status says (RFC 3463 section 3.1)."""
    stated = group.get("action", "").strip().lower()[:80]
    for kind, starts in _ACTIONS:
        if stated.startswith(starts):
            return kind
    if status and status[0] == "2":
        return "delivered"
    words = folded(subject)
    delayed = any(phrase in words for phrase in bouncewords.DELAYED) or (status or "5")[0] == "4"
    return "delayed" if delayed and not any(phrase in words for phrase in ("fail", "undeliver")) else "failed"


def _completed(one: ReportedRecipient, text: str) -> ReportedRecipient:
    """The only recipient: without a telling code it gets the one the report's text tells."""
    if one.action not in ("failed", "delayed"):
        return one
    if one.status is None:
        status = status_of_text(f"{one.diagnostic} {text}")
    else:
        status = better_status(one.status, text)
    return ReportedRecipient(one.address, one.action, status, one.diagnostic)
