"""The only way from this app to a mail server: judged address, one deadline, verified TLS, and a transcript if wanted.

Everything that speaks a mail protocol gets its socket here, so that what is true of one protocol is true of all.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from shared.ports import NOBODY, Watch
from shared.servers import tls
from shared.servers.address_guard import AddressGuard

Security = Literal["ssl", "starttls", "none"]

CONNECT_SECONDS = 10.0
"""For name, TCP and TLS together: a server that needs longer is not one to wait for in a function."""

READ_SECONDS = 30.0
"""For one answer to begin; MailKit waits two minutes, but a function is paid for while it waits."""

GREETING_SECONDS = 10.0
"""For a server's first line, which costs it no work: name, TCP and TLS are paid for already. A server that looks up its
visitor's name first takes some seconds (imapflow waits 16); who sits before Test Settings should not wait thirty."""


class NoConnection(TimeoutError):
    """No address answered: all timeouts sound alike, so each says itself where it happened."""


class NoHandshake(TimeoutError):
    """Connected, and then no answer to the hello of TLS."""


class NoGreeting(TimeoutError):
    """Connected, and then not a word."""


class HandshakeBroken(ConnectionError):
    """The connection broke while encryption was set up."""


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens connections. ``ca_file``: certificate authorities beside the system's (PEM)."""

    guard: AddressGuard = field(default_factory=AddressGuard)
    ca_file: str = ""
    connect_seconds: float = CONNECT_SECONDS
    read_seconds: float = READ_SECONDS
    watch: Watch = NOBODY
    greeting_seconds: float = GREETING_SECONDS

    def dial(self, host: str, port: int, security: Security) -> socket.socket:
        """A connected socket, inside TLS where ``security`` is "ssl". Blocks for ``read_seconds`` at most per read.

        The watch is told "dns", "tcp" and "tls" as each begins. Raises ``AddressForbidden`` and
        whatever sockets, DNS and TLS raise; see ``translate``.
        """
        until = time.monotonic() + self.connect_seconds
        self.watch.step("dns")
        addresses = self.guard.addresses(host, port)
        self.watch.step("tcp")
        connection = self._connect(addresses, port, until)
        self.watch.note(f"connected to {host}:{port}")
        try:
            if security == "ssl":
                connection = self._encrypted(connection, host, until)
            connection.settimeout(self.read_seconds)
        except BaseException:
            connection.close()
            raise
        return connection

    def encrypt(self, connection: socket.socket, host: str) -> ssl.SSLSocket:
        """TLS on a connected socket, verified for this name; also the second half of STARTTLS."""
        self.watch.step("tls")
        # A dot at the end says that the name is complete; no certificate has it (RFC 6066, 3).
        try:
            encrypted = self.context().wrap_socket(connection, server_hostname=host.rstrip("."))
        except TimeoutError as error:
            raise NoHandshake(*error.args) from error
        except ConnectionError as error:
            raise HandshakeBroken(*error.args) from error
        cipher = encrypted.cipher()
        self.watch.note(f"encrypted with {encrypted.version()} {cipher[0] if cipher else ''}".rstrip())
        return encrypted

    @contextmanager
    def greeting(self, connection: socket.socket) -> Iterator[None]:
        """While a server's first line is read. Raises ``NoGreeting`` after ``greeting_seconds``, also when it drips."""
        try:
            with ended_after(self.greeting_seconds, lambda: end(connection)) as over:
                yield
        except OSError as error:
            if over.is_set() or isinstance(error, TimeoutError):
                raise NoGreeting(*error.args) from error
            raise
        if over.is_set():
            raise NoGreeting("ended")

    def context(self) -> ssl.SSLContext:
        """The TLS context that every connection is verified with."""
        return tls.context(self.ca_file)

    def _encrypted(self, connection: socket.socket, host: str, until: float) -> ssl.SSLSocket:
        place = connection.getpeername()[:2]
        try:
            return self.encrypt(connection, host)
        except ssl.SSLCertVerificationError as error:
            error.seen = _second_look(place, host, until)  # type: ignore[attr-defined]  # for ``translate``
            raise

    def _connect(self, addresses: list[str], port: int, until: float) -> socket.socket:
        """The first address that answers; the last one's error when none does."""
        last: OSError = NoConnection()
        for tried, address in enumerate(addresses):
            left = until - time.monotonic()
            if left <= 0:
                break
            try:
                # A share for each: one address that swallows everything must not take the time of the others.
                connection = socket.create_connection((address, port), timeout=left / (len(addresses) - tried))
            except OSError as error:
                last = error
                continue
            connection.settimeout(max(until - time.monotonic(), 0.1))
            # imaplib sends a literal and its line end apart: the second would wait 40 ms for the server's receipt.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        raise NoConnection(*last.args) if isinstance(last, TimeoutError) else last


@contextmanager
def ended_after(seconds: float, hang_up: Callable[[], None]) -> Iterator[threading.Event]:
    """Hang up from outside when this takes longer, as a read timeout begins anew with each byte. The event tells
    whether that happened; whoever was reading meets the end of the connection."""
    over = threading.Event()

    def act() -> None:
        over.set()
        hang_up()

    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()


def end(connection: socket.socket) -> None:
    """Both directions, at once: whoever reads from the connection in another thread hears its end."""
    with suppress(OSError):  # it is closed already, which is all that we want
        # The plain socket's shutdown: that of TLS forgets its keys, which the other thread still uses.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _second_look(place: tuple[str, int], host: str, until: float) -> bytes | None:
    """The certificate (DER) that was refused, for words: whoever fails to verify it does not get to see it. Nothing
    goes to that server but the hello of TLS."""
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(place, max(until - time.monotonic(), 0.1)) as connection,
            unverified.wrap_socket(connection, server_hostname=host.rstrip(".")) as encrypted,
        ):
            return encrypted.getpeercert(binary_form=True)
    except (OSError, ValueError):
        return None
