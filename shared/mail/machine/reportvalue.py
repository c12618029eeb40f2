"""The value a report is, and what every kind of report is made from."""

from dataclasses import dataclass
from typing import Literal

from shared.mail import limits
from shared.mail.address import addr_spec
from shared.mail.machine.original import Original
from shared.mail.message import Message

Kind = Literal["failed", "delayed", "delivered", "relayed", "expanded", "complaint", "read"]


@dataclass(frozen=True, slots=True)
class ReportedRecipient:
    """One address a report is about."""

    address: str
    """addr-spec as we wrote to it where the report tells, else as the far server knows it."""
    action: str
    """``failed``, ``delayed``, ``delivered``, ``relayed``, ``expanded``; of a read receipt the disposition
    (``displayed``, ``deleted``); of a complaint its type (``abuse``)."""
    status: str | None
    """Enhanced status code (RFC 3463), e.g. ``5.1.1``; None if nothing tells it."""
    diagnostic: str
    """What the far server said, on one line, at most 500 characters; may be empty."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a machine reports about a mail of ours."""

    kind: Kind
    """``failed`` if any recipient failed for good; else the first of delayed, delivered, relayed, expanded."""
    recipients: tuple[ReportedRecipient, ...]
    """May be empty: some reports name nobody."""
    original_id: str | None
    """Message-ID of the mail it is about."""
    original_in_reply_to: tuple[str, ...]
    original_references: tuple[str, ...]
    """Of the mail it is about, as far as its headers came along: they find the thread when its id was rewritten."""
    original_subject: str
    why: str
    """The evidence, short."""


def make_report(
    kind: Kind, recipients: list[ReportedRecipient], original: Original, message: Message, why: str
) -> Report:
    return Report(
        kind,
        tuple(recipients[: limits.ADDRESSES]),
        original.message_id,
        original.in_reply_to,
        original.references,
        original.subject,
        why,
    )


def failed_header(message: Message) -> list[str]:
    values = ",".join(message.header_all("x-failed-recipients"))[: limits.FIELD_BYTES]
    found = (addr_spec(value.strip(" <>\t")) for value in values.split(",")[: limits.ADDRESSES])
    return [address for address in found if address]


def ours(message: Message, original: Original) -> set[str]:
    """Who cannot be the one that failed: the report's sender and its recipients, the original's sender."""
    ours = {address.key for address in message.to + message.cc}
    if message.sender:
        ours.add(message.sender.key)
    if original.sender:
        ours.add(original.sender.lower())
    return ours
