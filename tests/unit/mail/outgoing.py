"""A mail to send, for tests: ordinary but for what a test says."""

from datetime import UTC, datetime
from typing import Any

from shared.mail import token
from shared.mail.address import Address
from shared.mail.writing.compose import Outgoing, answer_subject
from shared.mail.writing.quote_original import quote_original, quote_original_html
from shared.mail.writing.texthtml import plain_to_html

KEY = b"k" * 32
TENANT = "acme.1a2b3c4d"
INCIDENT = 123
REFERENCE = token.reference(KEY, TENANT, INCIDENT)
SUPPORT = Address("Acme Support", "support@acme.example")
ANNA = Address("Anna Beispiel", "anna@kunde.example")


def outgoing(**changes: Any) -> Outgoing:
    values: dict[str, Any] = {
        "message_id": token.message_id(KEY, TENANT, INCIDENT, 2, "acme.example"),
        "date": datetime(2026, 11, 16, 10, 11, 12, tzinfo=UTC),
        "sender": SUPPORT,
        "to": (ANNA,),
        "subject": "Re: Printer [INC-000123]",
        "text": "Hello Anna,\n\nis the printer switched on?\n\nKind regards\nBob",
    }
    return Outgoing(**(values | changes))


def sent() -> Outgoing:
    """The answer of an agent that the mails in tests/corpus/answers answer."""
    words = (
        "Hello Anna,\n\nplease pull the plug and wait for ten minutes. The handbook is at\n"
        "https://acme.example/handbook?page=7&lang=en.\n\nKind regards\nBob"
    )
    asked = "Hello,\n\nthe printer on the third floor burns. What shall I do?\n\nGrüße\nAnna"
    asked_at = datetime(2026, 11, 16, 9, 2, tzinfo=UTC)
    return outgoing(
        subject=answer_subject("Printer on fire", INCIDENT),
        text=words,
        html=plain_to_html(words),
        reply_to=Address("Acme Support", token.subaddress(SUPPORT.address, REFERENCE)),
        in_reply_to="<q1.48@kunde.example>",
        reference_line=f"Ref: {REFERENCE}",
        quoted=quote_original(ANNA, asked_at, asked),
        quoted_html=quote_original_html(ANNA, asked_at, asked),
    )
