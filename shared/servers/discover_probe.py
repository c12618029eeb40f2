"""Is there such a server? TCP, TLS, greeting; never a user name, never a password."""

from __future__ import annotations

import socket
import time
from dataclasses import replace

from shared.errors import ProtocolViolation, TlsRequired
from shared.model.discovery import Offer
from shared.servers.dial import Dialer
from shared.servers.discover_stream import Stream
from shared.servers.translate import errors_translated

MAIL_PORTS = frozenset({25, 110, 143, 465, 587, 993, 995})
"""Whoever writes DNS records or an autoconfig file chooses host and port: other ports are proposed, not knocked at."""

MOST_BYTES = 16 * 1024
MOST_LINES = 50
"""Of a whole conversation: greeting, capabilities, one answer. Real ones stay below a twentieth of it."""

_GREETINGS = {"imap": b"* OK", "pop3": b"+OK", "smtp": b"220"}


def probe(dialer: Dialer, offer: Offer, seconds: float) -> None:
    """Connect as the offer says, read the greeting, hang up.

    Raises an ``InboundError`` when there is no such server at this name and port, with a certificate for this name.
    Ends within ``seconds`` as far as the dialer's look-up of the name does.
    """
    until = time.monotonic() + seconds
    limited = replace(dialer, connect_seconds=seconds, read_seconds=seconds)
    with errors_translated(offer.host, offer.port):
        connection = limited.dial(offer.host, offer.port, offer.security)
        try:
            _greet(connection, offer, until)
            if offer.security == "starttls":
                connection.settimeout(max(until - time.monotonic(), 0.1))
                connection = limited.encrypt(connection, offer.host)
        finally:
            connection.close()


def _greet(connection: socket.socket, offer: Offer, until: float) -> None:
    lines = Stream(connection, until, MOST_BYTES)
    greeting = _answer(lines, offer)
    if not greeting.startswith(_GREETINGS[offer.server_type]):
        raise ProtocolViolation(f"{offer.host}:{offer.port} is no {offer.server_type.upper()} server.")
    if offer.security != "starttls":
        return
    if offer.server_type == "smtp":
        # RFC 5321, 4.1.1.1: a client without a name gives an address; this is everybody's own.
        connection.sendall(b"EHLO [127.0.0.1]\r\n")
        _answer(lines, offer)
    ask, agreed = {
        "imap": (b"a STARTTLS\r\n", b"a OK"),
        "pop3": (b"STLS\r\n", b"+OK"),
        "smtp": (b"STARTTLS\r\n", b"220"),
    }[offer.server_type]
    connection.sendall(ask)
    if not _answer(lines, offer, b"a " if offer.server_type == "imap" else b"").upper().startswith(agreed.upper()):
        raise TlsRequired(f"{offer.host}:{offer.port} does not offer encryption on this port.")


def _answer(lines: Stream, offer: Offer, tag: bytes = b"") -> bytes:
    """The last line of an answer: for SMTP the one without a hyphen (RFC 5321, 4.2.1), for IMAP the tagged one."""
    line = b""
    for _ in range(MOST_LINES):
        line = lines.readline()
        if not line.endswith(b"\n"):
            break
        if line.startswith(tag) and (offer.server_type != "smtp" or line[3:4] != b"-"):
            return line
    raise ProtocolViolation(f"{offer.host}:{offer.port} gave an answer that makes no sense.")
