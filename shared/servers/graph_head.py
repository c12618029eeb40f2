"""The header block of a mail from Graph's fields, for mail that is too large to fetch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import format_datetime, formataddr
from typing import Any

_NAME = re.compile(r"[!-9;-~]+")
"""A field name (RFC 5322 2.2)."""

_BREAKS = re.compile(r"[\r\n\x00]+[ \t]*")


def head_block(message: dict[str, Any]) -> bytes:
    """``internetMessageHeaders`` as they came; for a mail without (a draft, a calendar item) the fields instead."""
    lines = list(_original(message.get("internetMessageHeaders"))) or list(_made(message))
    return b"".join(f"{name}: {value}\r\n".encode("utf-8", "replace") for name, value in lines) + b"\r\n"


def _original(headers: Any) -> Iterator[tuple[str, str]]:
    for header in headers if isinstance(headers, list) else []:
        if isinstance(header, dict) and _NAME.fullmatch(str(header.get("name", ""))):
            yield str(header["name"]), _one_line(header.get("value"))


def _made(message: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if sender := _person(message.get("from")):
        yield "From", sender
    recipients = message.get("toRecipients")
    people = [_person(one) for one in recipients] if isinstance(recipients, list) else []
    if to := ", ".join(person for person in people if person):
        yield "To", to
    if subject := _one_line(message.get("subject")):
        yield "Subject", subject
    if id := _one_line(message.get("internetMessageId")):
        yield "Message-ID", id
    try:
        yield "Date", format_datetime(datetime.fromisoformat(str(message.get("sentDateTime"))))
    except ValueError:
        return


def _person(recipient: Any) -> str:
    address = recipient.get("emailAddress") if isinstance(recipient, dict) else None
    if not isinstance(address, dict) or not address.get("address"):
        return ""
    name, mail = _one_line(address.get("name")), _one_line(address["address"])
    try:
        return formataddr((name, mail))
    except UnicodeError:  # an internationalised address (RFC 6531)
        return mail


def _one_line(value: Any) -> str:
    """A value that cannot begin another header."""
    return _BREAKS.sub(" ", str(value or "")).strip()
