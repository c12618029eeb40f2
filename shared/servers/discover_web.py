"""HTTPS to a host that a stranger chose: over ``Dialer``, so that what is connected to is what was judged.

Neither requests nor urllib can promise that: they look a name up themselves, and again after a redirect.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from shared.errors import ProtocolViolation
from shared.servers.dial import Dialer
from shared.servers.discover_dns import is_host
from shared.servers.discover_stream import Stream
from shared.servers.translate import errors_translated

MOST_BODY = 64 * 1024
"""Mozilla's largest autoconfig files have 5 KB."""

MOST_BYTES = MOST_BODY + 64 * 1024
"""With the header block."""

MOST_HOPS = 4
"""Addresses asked, the first included: autoconfig.example.org → www → the provider's is what real ones do."""

_MOVED = frozenset({301, 302, 303, 307, 308})


class _Socket:
    """What ``http.client.HTTPResponse`` wants of a socket."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._stream)


def fetch(dialer: Dialer, url: str, seconds: float) -> bytes | None:
    """The body of a GET; None when there is no such page. ``url``: https, a host name, port 443.

    Each redirect is judged as the first address is. Raises ``AddressForbidden``, ``ProtocolViolation`` for an answer
    over 64 KiB or a redirect elsewhere, and what else goes wrong on the road. Ends within ``seconds`` as far as the
    dialer's look-up of the name does.
    """
    until = time.monotonic() + seconds
    for _ in range(MOST_HOPS):
        host, path = _parts(url)
        with errors_translated(host, 443):
            status, location, body = _get(dialer, host, path, until)
        if status == 200:
            if len(body) > MOST_BODY:
                raise ProtocolViolation(f"{host} sends far more than mail settings.")
            return body
        if status not in _MOVED or not location:
            return None
        url = _joined(url, location)
    raise ProtocolViolation(f"{host} sends us in circles.")


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise ProtocolViolation("A redirect leads to an address that makes no sense.") from None


def _parts(url: str) -> tuple[str, str]:
    """Host and path of an address that we may ask; raises ``ProtocolViolation``."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise ProtocolViolation("A redirect leads to an address that makes no sense.") from None
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    plain = path.isascii() and path.isprintable() and " " not in path
    if parts.scheme != "https" or port not in (None, 443) or "@" in parts.netloc or not is_host(host) or not plain:
        raise ProtocolViolation("A redirect leads to an address that this service does not ask.")
    return host, path


def _get(dialer: Dialer, host: str, path: str, until: float) -> tuple[int, str, bytes]:
    """Status, Location and body."""
    left = max(until - time.monotonic(), 0.0)
    connection = replace(dialer, connect_seconds=left, read_seconds=max(left, 0.1)).dial(host, 443, "ssl")
    try:
        return _ask(connection, host, path, until)
    finally:
        connection.close()


def _ask(connection: socket.socket, host: str, path: str, until: float) -> tuple[int, str, bytes]:
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Inbound\r\nAccept-Encoding: identity\r\n"
    connection.sendall(f"{request}Connection: close\r\n\r\n".encode("ascii"))
    response = http.client.HTTPResponse(_Socket(Stream(connection, until, MOST_BYTES)), method="GET")  # type: ignore[arg-type]
    try:
        response.begin()
        body = response.read(MOST_BODY + 1) if response.status == 200 else b""
        return response.status, response.headers.get("Location", ""), body
    finally:
        response.close()
