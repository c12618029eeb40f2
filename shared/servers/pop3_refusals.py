"""What a POP3 server's -ERR means: by its response code (RFC 2449 section 8.1, RFC 3206) or, without one, its words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from shared.errors import (
    AccessDenied,
    InboundError,
    MailRefused,
    ProtocolViolation,
    ServerError,
    Throttled,
    Unreachable,
)
from shared.model.mailbox import Settings
from shared.servers.pop3_client import Pop3Client, Refused
from shared.servers.translate import (
    errors_translated,
    in_use,
    login_refused,
    not_enabled,
    special_refusal,
    token_refused,
)

_IN_USE = re.compile(r"\block(ed)?\b|in use|already open", re.I)
"""How servers without response codes say that somebody else has the mailbox open."""

_BUSY = re.compile(r"busy|too many|overload|later", re.I)
"""Likewise that they want to be left alone."""


@contextmanager
def translated(settings: Settings, client: Pop3Client) -> Iterator[None]:
    """Raise everything that goes wrong inside as an ``InboundError`` about this server."""
    with errors_translated(settings.host, settings.effective_port, "pop3", settings.security):
        try:
            yield
        except Refused as refused:
            raise transient(refused, client.capabilities) or ProtocolViolation(
                f"{settings.host} refused a command that it should know.", "The next poll tries again."
            ) from refused


def transient(refused: Refused, capabilities: Mapping[str, str]) -> ServerError | None:
    """Our error for a refusal that time mends; None for any other."""
    if refused.code == "LOGIN-DELAY":
        pause = re.match(r"\d{1,6}", capabilities.get("LOGIN-DELAY", ""))
        return _longer_pauses(float(pause.group()) if pause else None)
    if refused.code == "IN-USE" or (not refused.code and _IN_USE.search(refused.text)):
        return in_use()
    if refused.code == "SYS/TEMP":
        return Unreachable("The mail server has trouble of its own just now.", "The next poll tries again.")
    if not refused.code and _BUSY.search(refused.text):
        return Throttled("The mail server has too much to do just now.", "Polling slows down by itself.")
    return None


def not_let_in(refused: Refused, host: str, capabilities: Mapping[str, str], by_token: bool) -> InboundError:
    """Our error for a refused log-in."""
    if passes := transient(refused, capabilities):
        return passes
    if refused.code == "SYS/PERM":
        return special_refusal(refused.text, host) or not_enabled(host, "POP3")
    if by_token:
        return token_refused(refused, refused.challenge, host)
    return login_refused(refused, host)


def mail_refused() -> MailRefused:
    """Our error for one mail that does not come."""
    return MailRefused("The server lists a mail and does not hand it over.", "The next polls try it again.")


def not_deleted() -> AccessDenied:
    """Our error for deletions that the server does not do."""
    return AccessDenied(
        "The server does not delete the mails that were taken in.",
        "The mails are kept here. Give the account the right to delete by POP3, or choose to leave mail where it is.",
        field="after_import",
    )


def _longer_pauses(seconds: float | None) -> Throttled:
    """For LOGIN-DELAY (RFC 2449, 6.5)."""
    minutes = f"at least {max(1, math.ceil(seconds / 60))} minutes" if seconds else "a longer time"
    return Throttled(
        "The mail server wants longer pauses between polls.",
        f"Set the polling frequency to {minutes}; until then polling slows down by itself.",
        seconds,
        field="polling_minutes",
    )
