"""Graph's ``sendMail`` with MIME, as strict as the real one (learn.microsoft.com/graph/api/user-sendmail)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from email import message_from_bytes
from email.utils import getaddresses

from tests.support.microsoft.exchange import Mailbox
from tests.support.microsoft.wire import Reply, Request, graph_error

SENDING = {"Mail.Send"}
"""The permission that it takes."""

REQUEST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Posted:
    """A mail that was sent: from which mailbox, to whom, and as it left."""

    mailbox: str
    recipients: tuple[str, ...]
    raw: bytes


class Post:
    """What was sent. ``may_send_as``: addresses besides their own that mailboxes may write as."""

    def __init__(self, violations: list[str]) -> None:
        self.sent: list[Posted] = []
        self.may_send_as: set[str] = set()
        self._violations = violations

    def take(self, request: Request, mailbox: Mailbox) -> Reply:
        """202 without a body, or why not."""
        if request.headers.get("content-type", "").split(";")[0] != "text/plain":
            return graph_error(400, "BadRequest", "Write request does not contain the MIME content.")
        if len(request.body) > REQUEST_BYTES:
            return graph_error(413, "RequestEntityTooLarge", "The request is too large.")
        try:
            raw = base64.b64decode(request.body, validate=True)
        except binascii.Error:
            return graph_error(400, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content.")
        return self._send(raw, mailbox)

    def _send(self, raw: bytes, mailbox: Mailbox) -> Reply:
        if b"\n" in raw.replace(b"\r\n", b""):
            self._violations.append("MIME with bare line feeds")
        parsed = message_from_bytes(raw)
        fields = [str(value) for name in ("To", "Cc", "Bcc") for value in parsed.get_all(name, [])]
        recipients = tuple(address for _, address in getaddresses(fields) if address)
        senders = {address.lower() for _, address in getaddresses([str(parsed["From"] or mailbox.address)])}
        if not recipients:
            return graph_error(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
        if senders - {mailbox.address.lower()} - self.may_send_as:
            text = (
                "The user account which was used to submit this request does not have the right to send mail on behalf."
            )
            return graph_error(403, "ErrorSendAsDenied", text)
        self.sent.append(Posted(mailbox.address, recipients, raw))
        return Reply(202)
