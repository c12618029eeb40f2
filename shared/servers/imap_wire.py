"""imaplib and imapclient on a socket of ours: written into a transcript, with a limit to what is taken in."""

from __future__ import annotations

import base64
import imaplib
import socket
from collections.abc import Callable
from typing import Any

from imapclient import IMAPClient

from shared import log
from shared.errors import ProtocolViolation
from shared.model.inbound import MAX_RAW_BYTES
from shared.servers import sasl
from shared.servers.dial import Dialer
from shared.servers.translate import no_welcome

_WELCOMES = (b"* OK", b"* PREAUTH")

ANSWER_BYTES = MAX_RAW_BYTES + 1024 * 1024
"""Of all that comes for one command: the largest mail that is kept whole, from a server that does not tell its size
beforehand. imaplib itself asks for as many bytes of memory as a server announces."""

FIRST_ANSWER_BYTES = 700
"""Of a SASL answer that goes along with its command: in base64 that makes a line below the 1,000 bytes which every
server takes (RFC 2683, 3.2.1.5). A token is longer and goes in a line of its own."""

_CLIENT_BEGINS = frozenset({"PLAIN", "XOAUTH2", "OAUTHBEARER"})
"""Mechanisms whose first challenge is empty."""


class _Imap(imaplib.IMAP4):
    """imaplib on a socket that is connected already, with a limit to what it takes in, and two round trips less."""

    def __init__(self, host: str, port: int, connection: socket.socket, encrypted: bool, dialer: Dialer) -> None:
        self._connection = connection
        self._dialer = dialer
        self._watch = dialer.watch
        self._greeting: bytes | None = None
        self._heard = 0
        self._reply: Callable[[bytes], bytes]
        where = f"{host}:{port}"
        try:
            super().__init__(host, port)
        except (imaplib.IMAP4.error, ConnectionError) as error:
            if (self._greeting or b"").upper().startswith(_WELCOMES):
                raise
            raise no_welcome(self._greeting or b"", where, port, "ssl" if encrypted else "none") from error

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        return self._connection

    def send(self, data: Any) -> None:
        """To the server."""
        log.count("round_trips")
        self._heard = 0
        self._watch.sent(bytes(data))
        super().send(data)

    def readline(self) -> bytes:
        """A line from the server."""
        line = self._first_line() if self._greeting is None else super().readline()
        self._count(len(line))
        self._watch.received(line)
        return line

    def read(self, size: int) -> bytes:
        """A literal from the server: mail, which no transcript shows."""
        self._count(size)
        self._watch.note(f"({size} bytes)")
        return super().read(size)

    def authenticate(self, mechanism: str, authobject: Any) -> Any:
        """imaplib's, with the first answer in the same line where the server takes that (RFC 4959)."""
        if mechanism not in _CLIENT_BEGINS or "SASL-IR" not in self.capabilities:
            return super().authenticate(mechanism, authobject)
        first = authobject(b"")
        if len(first) > FIRST_ANSWER_BYTES:
            waiting = [first]
            return super().authenticate(mechanism, lambda said: waiting.pop() if waiting else authobject(said))
        self._reply = authobject
        self.literal = self._respond  # type: ignore[assignment]  # what imaplib calls for each challenge that still comes
        status, said = self._simple_command("AUTHENTICATE", f"{mechanism} {base64.b64encode(first).decode()}")
        if status != "OK":
            raise self.error(said[-1].decode("utf-8", "replace"))
        self.state = "AUTH"
        return status, said

    def _respond(self, challenge: bytes) -> bytes:
        return base64.b64encode(self._reply(sasl.decoded(challenge)))

    def _first_line(self) -> bytes:
        with self._dialer.greeting(self.sock):
            self._greeting = super().readline()
        return self._greeting

    def _get_capabilities(self) -> None:
        """From the greeting where it tells them (RFC 9051, 7.1); never inside TLS, where what was said in clear text
        may be anybody's."""
        told: list[Any] = self.untagged_responses.pop("CAPABILITY", [b""])
        names = tuple(told[-1].decode("ascii", "replace").upper().split())
        if self._tls_established or "IMAP4REV1" not in names:
            super()._get_capabilities()  # type: ignore[misc]  # the stubs do not know it
        else:
            self.capabilities = names

    def _count(self, size: int) -> None:
        self._heard += size
        if self._heard > ANSWER_BYTES:
            self.shutdown()
            raise ProtocolViolation(
                f"{self.host}:{self.port} sends far more than it announced.", "The next poll tries again."
            )


class Client(IMAPClient):  # type: ignore[misc]
    """imapclient over ``_Imap``."""

    def __init__(self, host: str, port: int, connection: socket.socket, encrypted: bool, dialer: Dialer) -> None:
        self._ours = (host, port, connection, encrypted, dialer)
        # Without a limit imapclient takes away the one that the socket has, and reads for ever.
        super().__init__(host, port=port, ssl=encrypted, timeout=dialer.read_seconds)
        self._imap.debug = 0
        self.normalise_times = False

    def capabilities(self) -> tuple[bytes, ...]:
        """What the server can. Before the log-in imapclient asks at each look; imaplib has asked, also inside TLS."""
        if self._imap.state == "NONAUTH":
            return tuple(name.encode() for name in self._imap.capabilities)
        return tuple(super().capabilities())

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802 - imapclient's name
        return _Imap(*self._ours)
