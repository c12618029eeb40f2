"""Keys of our own that find an incident again, however a mail program treats the rest: in the Message-ID of what we
send, in the address that answers go to (RFC 5233 subaddress), and in the text below our mails.

Each carries a keyed hash over the tenant and the incident: a number can be guessed, a token can not, and another
tenant's token means nothing here. Whether the sender may use it is not decided here.
"""

import base64
import hashlib
import hmac
import re

from shared.mail import limits

MAC_CHARS = 20
"""Base32 characters of the keyed hash: 100 bits, far beyond guessing by mail."""

CANDIDATES = 20
"""Tokens checked of one text: a long thread quotes the same one again and again, nobody means more."""

_MAC = rf"[a-z2-7]{{{MAC_CHARS}}}"
_REFERENCE = re.compile(rf"(?<![a-z0-9])inc-([1-9][0-9]{{0,8}})-({_MAC})(?![a-z2-7])", re.IGNORECASE)
_MESSAGE_ID = re.compile(rf"<inc\.([1-9][0-9]{{0,8}})\.([1-9][0-9]{{0,5}})\.({_MAC})@[^<>@\s]{{1,255}}>", re.IGNORECASE)


def reference(key: bytes, tenant: str, incident: int) -> str:
    """``inc-123-…``: the incident's reference for a subaddress or for the text. ``key``: 32 secret bytes."""
    return f"inc-{incident}-{_mac(key, 'reference', tenant, incident, 0)}"


def references_in(key: bytes, tenant: str, text: str) -> tuple[int, ...]:
    """The incidents whose references stand in a text or an address, in order, without repeats; forged ones are not
    seen. Case does not matter: mail programs change that of addresses."""
    found: dict[int, None] = {}
    for tried, match in enumerate(_REFERENCE.finditer(text[: limits.TEXT_CHARS])):
        if tried == CANDIDATES:
            break
        number = int(match[1])
        if _same(match[2], _mac(key, "reference", tenant, number, 0)):
            found[number] = None
    return tuple(found)


def message_id(key: bytes, tenant: str, incident: int, note: int, domain: str) -> str:
    """The Message-ID of the mail that sends a note, always the same for the same note: sending it twice cannot look
    like two mails."""
    return f"<inc.{incident}.{note}.{_mac(key, 'message-id', tenant, incident, note)}@{domain}>"


def read_message_id(key: bytes, tenant: str, id: str) -> tuple[int, int] | None:
    """Incident and note of a Message-ID of ours; None for every other id."""
    match = _MESSAGE_ID.fullmatch(id)
    if match is None:
        return None
    incident, note = int(match[1]), int(match[2])
    return (incident, note) if _same(match[3], _mac(key, "message-id", tenant, incident, note)) else None


def subaddress(address: str, reference: str) -> str:
    """``support+inc-123-…@example.com``: where answers go on servers that know subaddresses."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{reference}@{domain}"


def _mac(key: bytes, purpose: str, tenant: str, incident: int, note: int) -> str:
    # Lines, as none of the values can hold a line break: no two of them write the same text.
    said = f"{purpose}\n{tenant}\n{incident}\n{note}".encode()
    digest = hmac.new(key, said, hashlib.sha256).digest()
    return base64.b32encode(digest).decode().lower()[:MAC_CHARS]


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.lower().encode(), right.encode())
