"""A real HTTPS receiver of webhooks on this machine, which does what it is told, also what no server should."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import trustme

Behaviour = Callable[[socket.socket], None]
"""What is done with a connection once a request has come in (or, before TLS, at once)."""


def says(text: str) -> Behaviour:
    """Answers so, whatever was asked."""
    return lambda connection: connection.sendall(text.encode("latin-1"))


def status(code: int, *headers: str, body: str = "") -> Behaviour:
    """Answers with this status."""
    fields = "".join(f"{one}\r\n" for one in (*headers, f"Content-Length: {len(body)}"))
    return says(f"HTTP/1.1 {code} Whatever\r\n{fields}\r\n{body}")


def hangs(connection: socket.socket) -> None:
    """Says nothing until the other side goes."""
    with suppress(OSError):
        connection.recv(1)


def drips(connection: socket.socket) -> None:
    """A byte now and then, for ever: no read ever times out."""
    with suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            connection.sendall(b"x")
            time.sleep(0.1)


def floods(connection: socket.socket) -> None:
    """An answer without an end."""
    with suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)


def floods_headers(connection: socket.socket) -> None:
    """A head without an end."""
    with suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-Y: " + b"z" * 1000 + b"\r\n")


def drops(connection: socket.socket) -> None:
    """Closes without a word."""


@dataclass
class RealReceiver:
    """``behaves``: for the next connections, in turn; behind them the last one for ever. ``got``: heads and bodies."""

    port: int
    behaves: list[Behaviour]
    before_tls: Behaviour | None = None
    got: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0
    sent_on: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://localhost:{self.port}/in?token=t0p-query"

    def serve(self, raw: socket.socket, context: ssl.SSLContext | None) -> None:
        """One connection."""
        with suppress(OSError, ValueError), raw:
            raw.settimeout(15)
            if self.before_tls is not None:
                self.before_tls(raw)
                return
            connection = context.wrap_socket(raw, server_side=True) if context else raw
            with connection:
                self._request(connection)
                (self.behaves.pop(0) if len(self.behaves) > 1 else self.behaves[0])(connection)

    def _request(self, connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._some(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        (length,) = (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while len(body) < length:
            body += self._some(connection)
        self.got.append((head.decode(), body))

    def _some(self, connection: socket.socket) -> bytes:
        found = connection.recv(65536)
        if not found:
            raise ValueError("it went")
        return found


@contextmanager
def receiver(
    authority: trustme.CA,
    *behaves: Behaviour,
    name: str = "localhost",
    before_tls: Behaviour | None = None,
    tls: bool = True,
) -> Iterator[RealReceiver]:
    """Serve on a free port, with a certificate for ``name``."""
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = RealReceiver(listening.getsockname()[1], list(behaves) or [status(204)], before_tls)

        def run() -> None:
            while True:
                try:
                    raw, _ = listening.accept()
                except OSError:
                    return
                made.connections += 1
                threading.Thread(target=made.serve, args=(raw, context), daemon=True).start()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)
