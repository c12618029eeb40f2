"""Mails for tests, as bytes on the wire."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP


def mail(
    sender: str = "Ann Smith <ann@example.com>",
    subject: str = "Printer on fire",
    text: str = "It burns.\n",
    to: str = "support@example.org",
    message_id: str | None = "<1@example.com>",
    cc: str = "",
    attachments: tuple[tuple[str, bytes], ...] = (),
    **headers: str,
) -> bytes:
    """A mail; further headers as keywords, underscores for hyphens (``in_reply_to="<1@example.com>"``)."""
    made = EmailMessage()
    made["From"] = sender
    made["To"] = to
    made["Subject"] = subject
    made["Date"] = "Mon, 16 Nov 2026 09:00:00 +0000"
    if message_id:
        made["Message-ID"] = message_id
    if cc:
        made["Cc"] = cc
    for name, value in headers.items():
        made[name.replace("_", "-").title()] = value
    made.set_content(text)
    for name, content in attachments:
        made.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return made.as_bytes(policy=SMTP)
