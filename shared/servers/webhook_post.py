"""Requests to receivers of webhooks: HTTPS to hosts that tenants chose.

Over ``Dialer``, so that what is connected to is what was judged: a name is looked up once, in here, each time. Every
request ends within ten seconds, whatever the receiver does, and next to nothing of its answer is read.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_address

from shared.errors import (
    AddressForbidden,
    CertificateRefused,
    HostNotFound,
    InboundError,
    ProtocolViolation,
    TimedOut,
    TlsRequired,
    Unreachable,
)
from shared.model.webhook import url_parts, url_wrong
from shared.ports import Answered
from shared.servers import certificate
from shared.servers.dial import Dialer, HandshakeBroken, NoConnection, end, ended_after
from shared.servers.discover_stream import Stream
from shared.servers.https import retry_after

SECONDS = 10.0
"""For name, connection, TLS, request and answer together: a receiver stores what it gets and works on it later."""

MOST_BYTES = 64 * 1024
"""Of status line and header fields; http.client itself takes 100 fields of 64 KiB each."""

BODY_BYTES = 4 * 1024
BODY_SECONDS = 1.0
"""Of the answer's body, which nobody looks at: a receiver that still writes need not see its connection break."""


class _Socket:
    """What ``http.client.HTTPResponse`` wants of a socket."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._stream)


@dataclass(frozen=True, slots=True)
class WebhookPost:
    """``ports.Post``."""

    dialer: Dialer
    now: Callable[[], datetime]
    seconds: float = SECONDS

    def judge(self, url: str) -> None:
        """See ``ports.Post.judge``. A name that cannot be looked up now is judged at each connection anyway."""
        scheme, host, port, _ = url_parts(url)
        try:
            self._dialer(scheme).guard.addresses(host, port)
        except AddressForbidden:
            raise _forbidden(scheme, host) from None
        except (OSError, UnicodeError):
            return

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """See ``ports.Post.send``."""
        if url_wrong(url):
            raise ProtocolViolation("The webhook's address makes no sense.", "Give it again.")
        scheme, host, port, path = url_parts(url)
        request = _request(scheme, host, port, path, headers, body)
        try:
            return self._send(scheme, host, port, request)
        except AddressForbidden:
            raise _forbidden(scheme, host) from None
        except (OSError, UnicodeError, ValueError, http.client.HTTPException) as error:
            raise _translated(error, host, port) from None  # a library's text may quote the address

    def _dialer(self, scheme: str) -> Dialer:
        """Plain http goes only where the cloud admin opened a network; https everywhere that is public, too."""
        dialer = replace(self.dialer, connect_seconds=self.seconds)
        if scheme == "https":
            return dialer
        return replace(dialer, guard=replace(dialer.guard, resolve=self._opened_only))

    def _opened_only(self, host: str, port: int) -> Sequence[str]:
        found = self.dialer.guard.resolve(host, port)
        opened = [one for one in found if any(ip_address(one) in network for network in self.dialer.guard.allowed)]
        return found if len(opened) == len(found) else ()

    def _send(self, scheme: str, host: str, port: int, request: bytes) -> Answered:
        until = time.monotonic() + self.seconds
        connection = self._dialer(scheme).dial(host, port, "none")
        try:
            if scheme == "https":
                # The handshake comes under the same end: a receiver that drips never meets a read timeout.
                connection = self.dialer.context().wrap_socket(
                    connection, server_hostname=host.rstrip("."), do_handshake_on_connect=False
                )
            left = max(until - time.monotonic(), 0.1)
            connection.settimeout(left)
            with ended_after(left, lambda: end(connection)) as over:
                try:
                    return self._ask(connection, request, until)
                except (OSError, http.client.HTTPException) as error:
                    # Whoever was cut off meets the end of the connection, in one form or another.
                    raise (TimeoutError() if over.is_set() else error) from None
        finally:
            connection.close()

    def _ask(self, connection: socket.socket, request: bytes, until: float) -> Answered:
        if isinstance(connection, ssl.SSLSocket):
            connection.do_handshake()
        connection.sendall(request)
        stream = Stream(connection, until, MOST_BYTES)
        response = http.client.HTTPResponse(_Socket(stream), method="POST")  # type: ignore[arg-type]
        try:
            response.begin()
            answered = Answered(
                response.status, retry_after({"Retry-After": response.headers.get("Retry-After", "")}, self.now())
            )
            _read_on(response, connection)
        finally:
            response.close()
        return answered


def _read_on(response: http.client.HTTPResponse, connection: socket.socket) -> None:
    # The status is known: the rest is politeness.
    with suppress(OSError, ValueError, http.client.HTTPException), ended_after(BODY_SECONDS, lambda: end(connection)):
        response.read(BODY_BYTES)


def _request(scheme: str, host: str, port: int, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    usual = port == (443 if scheme == "https" else 80)
    fields = {
        "Host": host if usual else f"{host}:{port}",
        "User-Agent": "Inbound-Webhooks/1",
        "Accept-Encoding": "identity",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode("ascii") + body


def _forbidden(scheme: str, host: str) -> AddressForbidden:
    if scheme != "https":
        return AddressForbidden(
            f"{host} can be written to over https only.",
            "Give an address that begins with https://. The operator of this service can open plain http for a network "
            "of its own (ALLOW_ADDRESSES).",
        )
    return AddressForbidden(
        f"{host} is not a public address.",
        "This service sends to public addresses only. If the receiver is in your own network, the operator of this "
        "service can open it (ALLOW_ADDRESSES).",
    )


def _translated(error: Exception, host: str, port: int) -> InboundError:
    """Our error for a library's, in words for whoever runs the receiver."""
    if isinstance(error, ssl.SSLCertVerificationError):
        words = certificate.refused(error, host).message
        return CertificateRefused(words, "Nothing was sent. The receiver needs a certificate of a public authority.")
    if isinstance(error, (ssl.SSLError, HandshakeBroken)):
        return TlsRequired(
            f"{host}:{port} did not agree on encryption.", "The receiver must speak TLS 1.2 or newer on this port."
        )
    if isinstance(error, socket.gaierror) and error.errno not in (socket.EAI_NONAME, socket.EAI_NODATA):
        return Unreachable(f"The name {host} could not be looked up just now.")
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return HostNotFound(f"There is no host called {host}.", "Check the address of the webhook.")
    if isinstance(error, NoConnection):
        return TimedOut(f"{host}:{port} does not answer at all.", "A firewall may be in the way.")
    if isinstance(error, TimeoutError):
        return TimedOut(
            f"{host} did not answer within 10 seconds.", "Let the receiver answer at once and work on the event later."
        )
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(f"{host} answers, but nothing listens on port {port}.", "Check the address of the webhook.")
    if isinstance(error, OSError):
        return Unreachable(f"The connection to {host} broke before it answered.")
    return ProtocolViolation(f"What {host}:{port} answered is no HTTP.", "Check the address of the webhook.")
