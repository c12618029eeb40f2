"""The stand-in as a server on this machine, with faults on demand and a list of all requests."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme

from tests.support.microsoft.entra import Entra
from tests.support.microsoft.graph import Graph, kind_of
from tests.support.microsoft.wire import Reply, Request, as_json, graph_error

__all__ = ["Fault", "Microsoft", "Reply", "Request"]

_CA_VARIABLE = "REQUESTS_CA_BUNDLE"
MAX_AT_ONCE = 4
"""Requests that Outlook serves at once for an app and a mailbox."""


@dataclass
class Fault:
    """What goes wrong with requests of a kind: after ``skip`` good ones, ``times`` times.

    ``reply`` instead of the true one; ``change`` what the true one holds (JSON); ``before``: something that happens
    just before it is served; ``drop_after``: the connection is cut after so many bytes of the true body, -1 before
    the status.
    """

    kind: str
    reply: Reply | None = None
    change: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    before: Callable[[], None] | None = None
    drop_after: int | None = None
    skip: int = 0
    times: int = 1
    when: Callable[[Request], bool] = field(default=lambda request: True)


class Microsoft:
    """Entra ID at ``authority`` and Graph at ``graph_url`` (``with Microsoft(folder) as microsoft``).

    While it runs, REQUESTS_CA_BUNDLE names its authority, as a cloud admin would set it.
    """

    def __init__(self, folder: Path) -> None:
        self.skew = timedelta()
        self.entra = Entra(self.now)
        self.graph = Graph(self.entra, self.now)
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, Request]] = []
        self.most_at_once = 0
        self.ca_file = str(folder / "microsoft-ca.pem")
        self._violations: list[str] = []
        self._lock = threading.RLock()
        self._at_once: Counter[str] = Counter()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.microsoft = self
        self._trusted_before: str | None = None

    @property
    def authority(self) -> str:
        """For AZURE_AUTHORITY_HOST."""
        return f"https://localhost:{self._server.server_port}"

    @property
    def graph_url(self) -> str:
        """For GRAPH_URL."""
        return f"{self.authority}/v1.0"

    @property
    def violations(self) -> list[str]:
        """What a client did that Microsoft would not like, or that would cost it mail."""
        return self._violations + self.entra.violations + self.graph.violations

    def now(self) -> datetime:
        """The clock over there."""
        return datetime.now(UTC) + self.skew

    def __enter__(self) -> Self:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        self._server.tls = context
        self.entra.base, self.graph.base = self.authority, self.graph_url
        self._trusted_before = os.environ.get(_CA_VARIABLE)
        os.environ[_CA_VARIABLE] = self.ca_file
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self._trusted_before is None:
            os.environ.pop(_CA_VARIABLE, None)
        else:
            os.environ[_CA_VARIABLE] = self._trusted_before

    def count(self, *kinds: str) -> int:
        """Requests of these kinds so far; of all kinds when none is named."""
        return sum(not kinds or kind in kinds for kind, _ in self.requests)

    def forget_requests(self) -> None:
        """Count from here."""
        self.requests.clear()

    def fail(self, kind: str, **how: Any) -> Fault:
        """Plan a fault; see ``Fault``."""
        fault = Fault(kind, **how)
        self.faults.append(fault)
        return fault

    def answer(self, request: Request) -> Reply:
        """One request, from its beginning to its end."""
        kind = self._kind(request)
        with self._lock:
            self.requests.append((kind, request))
            fault = self._fault(kind, request)
            if fault and fault.before:
                fault.before()
            if fault and fault.reply:
                return fault.reply
        if not kind:
            self._violations.append(f"no such endpoint: {request.method} {request.raw_path}")
            return graph_error(400, "BadRequest", "Resource not found for the segment.")
        reply = self._serve(kind, request)
        return self._faulty(reply, fault) if fault else reply

    def _kind(self, request: Request) -> str:
        path = request.raw_path
        if path.startswith("/v1.0/"):
            return kind_of(request)
        if path.startswith("/common/discovery/instance"):
            return "instance discovery"
        ends = {
            ("GET", "/v2.0/.well-known/openid-configuration"): "discovery",
            ("GET", "/oauth2/v2.0/authorize"): "authorize",
            ("POST", "/oauth2/v2.0/token"): "token",
        }
        rest = "/" + path[1:].partition("/")[2]
        return ends.get((request.method, rest), "")

    def _fault(self, kind: str, request: Request) -> Fault | None:
        for fault in self.faults:
            if fault.kind in (kind, "any") and fault.when(request) and fault.times > 0:
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def _serve(self, kind: str, request: Request) -> Reply:
        if not request.raw_path.startswith("/v1.0/"):
            with self._lock:
                return self.entra.handle(request, kind)
        mailbox = request.parts[2].lower() if len(request.parts) > 2 else ""
        with self._lock:
            self._at_once[mailbox] += 1
            self.most_at_once = max(self.most_at_once, self._at_once[mailbox])
            too_many = self._at_once[mailbox] > MAX_AT_ONCE
        try:
            with self._lock:
                if too_many:
                    text = "Application is over its MailboxConcurrency limit."
                    return graph_error(429, "ApplicationThrottled", text)
                return self.graph.handle(request, kind)
        finally:
            with self._lock:
                self._at_once[mailbox] -= 1

    def _faulty(self, reply: Reply, fault: Fault) -> Reply:
        if fault.change:
            return as_json(fault.change(json.loads(reply.body)), reply.status)
        if fault.drop_after is not None:
            reply.drop_after = fault.drop_after
        return reply


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    microsoft: Microsoft
    tls: ssl.SSLContext

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The handshake happens in the connection's own thread, with its first byte.
        return self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error of ours; anything else is."""
        import sys

        if not isinstance(sys.exception() if sys.version_info >= (3, 12) else sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 30

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        reply = self.server.microsoft.answer(request)
        if reply.pause:
            time.sleep(reply.pause)
        if reply.drop_after == -1:
            self._cut()
            return
        self._send(reply)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _any  # noqa: N815 - http.server's names

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        body = reply.body
        if reply.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            pieces = [body[start : start + 10_000] for start in range(0, len(body), 10_000)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if reply.drop_after is not None:
            self.wfile.write(body[: reply.drop_after])
            self._cut()
            return
        self.wfile.write(body)

    def _cut(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the tests read ``requests``."""
