"""A small internet for discovery: a name server, web servers and mail servers on loopback, under names of their own.

Every name that the name server knows leads to 127.0.0.1; the usual ports lead to where the servers of the test listen.
"""

from __future__ import annotations

import http.server
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

import trustme

from shared.servers.address_guard import AddressGuard
from shared.servers.dial import Dialer, Security
from shared.servers.discover import Discoverer
from tests.support.dnsserver import DnsServer
from tests.support.road import LOOPBACK

Talk = Callable[[socket.socket], None]


@dataclass(frozen=True, slots=True)
class Rerouted(Dialer):
    """A dialer that finds the usual ports elsewhere; ``dialled``: host and port as they were asked for."""

    ports: Mapping[int, int] = field(default_factory=dict)
    dialled: list[tuple[str, int]] = field(default_factory=list)

    def dial(self, host: str, port: int, security: Security) -> socket.socket:
        self.dialled.append((host, port))
        # A port where nobody of the test listens must not be one of this machine.
        return Dialer.dial(self, host, self.ports.get(port, 1), security)


@dataclass
class Page:
    """An answer of the web server."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class Web:
    """HTTP, or HTTPS with a context. ``pages`` by host and path; ``asked`` as "host path"."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.pages: dict[tuple[str, str], Page] = {}
        self.asked: list[str] = []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host = self.headers["Host"].partition(":")[0]
                web.asked.append(f"{host} {self.path}")
                page = web.pages.get((host, self.path)) or Page(status=404)
                self.send_response(page.status)
                for name, value in page.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(page.body)))
                self.end_headers()
                self.wfile.write(page.body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing to print."""

        self._server = _HttpServer(("127.0.0.1", 0), Handler)
        if context:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _HttpServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A visitor that hung up is nothing to print."""


@contextmanager
def listening(talk: Talk, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that talks to each visitor as told, inside TLS where there is a context. Its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the visitor hung up, as it may
                connection = context.wrap_socket(self.request, server_side=True) if context else self.request
                with connection:
                    talk(connection)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


@dataclass
class Internet:
    """What a test changes before it asks. ``ports``: which usual port leads where."""

    dns: DnsServer
    web: Web
    microsoft: Web
    authority: trustme.CA
    ca_file: str
    ports: dict[int, int]
    stack: ExitStack
    dialled: list[tuple[str, int]] = field(default_factory=list)

    def discoverer(
        self, *, open_loopback: bool = True, authority: str = "", nameserver: tuple[str, int] | None = None
    ) -> Discoverer:
        """A discoverer that knows only this internet."""
        guard = AddressGuard(LOOPBACK if open_loopback else ())
        dialer = Rerouted(guard, self.ca_file, ports=self.ports, dialled=self.dialled)
        microsoft = authority or f"http://127.0.0.1:{self.microsoft.port}/"
        return Discoverer(dialer, microsoft, [nameserver] if nameserver else self.dns.nameservers)

    def host(self, *names: str, address: str = "127.0.0.1") -> None:
        """These names lead to this machine."""
        for name in names:
            self.dns.say(name, "A", address)

    def page(self, host: str, path: str, body: bytes = b"", status: int = 200, **headers: str) -> None:
        """The web server has this page, and the name leads there."""
        self.host(host)
        self.web.pages[host, path] = Page(body, status, tuple(headers.items()))

    def knows(self, domain: str, account_type: str = "Managed", tenant_id: str = "", address: str = "") -> None:
        """Microsoft knows this domain."""
        realm = f'{{"account_type": "{account_type}", "domain_name": "{domain}"}}'
        path = f"/common/userrealm/{address or f'ann@{domain}'}?api-version=1.0"
        self.microsoft.pages["127.0.0.1", path] = Page(realm.encode())
        if tenant_id:
            issuer = f'{{"issuer": "https://login.microsoftonline.com/{tenant_id}/v2.0"}}'
            self.microsoft.pages["127.0.0.1", f"/{domain}/v2.0/.well-known/openid-configuration"] = Page(
                issuer.encode()
            )

    def serve(self, port: int, talk: Talk, *names: str, encrypted: bool = False) -> None:
        """A server behind a usual port; with a certificate for these names."""
        context = server_context(self.authority, *names) if encrypted else None
        self.ports[port] = self.stack.enter_context(listening(talk, context))


@contextmanager
def internet(authority: trustme.CA | None = None, *names: str) -> Iterator[Internet]:
    """An internet in which nothing is known. ``names``: those that the web server has a certificate for."""
    authority = authority or trustme.CA()
    with ExitStack() as stack:
        ca_file = stack.enter_context(authority.cert_pem.tempfile())
        dns = stack.enter_context(DnsServer())
        web = stack.enter_context(Web(server_context(authority, "web.example", *names)))
        microsoft = stack.enter_context(Web())
        yield Internet(dns, web, microsoft, authority, ca_file, {443: web.port}, stack)


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """For a server of these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context
