"""What really goes wrong with IMAP servers, in words that say who must act."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest
import trustme

from shared.errors import (
    CertificateRefused,
    FolderNotFound,
    HostNotFound,
    InboundError,
    LoginRefused,
    Throttled,
    TlsRequired,
    Unreachable,
)
from shared.model.mailbox import Settings
from shared.servers.credential import Credential
from shared.servers.imap import ImapSource
from tests.support import dovecot, road

pytestmark = pytest.mark.dovecot


@pytest.fixture(scope="module")
def server() -> Iterator[dovecot.Dovecot]:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d)")
    with dovecot.Dovecot(allow_plain=False) as running:
        yield running


def _open(ca_file: str = "", password: str = dovecot.PASSWORD, **changes: Any) -> None:
    """Open, list, hang up."""
    fields = {"group": "g", "host": "localhost", "username": "ann", **changes}
    dialer = road.dialer(ca_file)
    settings = Settings.model_validate(fields)
    with ImapSource(settings, Credential(password), dialer, date(2020, 1, 1), lambda: datetime.now(UTC)) as source:
        list(source.new(""))


def test_the_right_settings_work(server: dovecot.Dovecot) -> None:
    _open(server.ca_file, port=server.ports.imaps)
    _open(server.ca_file, port=server.ports.imap, security="starttls")


def test_a_wrong_password_is_the_tenants_to_mend(server: dovecot.Dovecot) -> None:
    with pytest.raises(LoginRefused, match="user name and password"):
        _open(server.ca_file, port=server.ports.imaps, password="wrong")


def test_a_password_beyond_ascii_is_sent_and_judged(server: dovecot.Dovecot) -> None:
    with pytest.raises(LoginRefused):
        _open(server.ca_file, port=server.ports.imaps, password="Paßwort€")


def test_an_unknown_authority_is_refused_by_default(server: dovecot.Dovecot) -> None:
    with pytest.raises(CertificateRefused, match="not known here"):
        _open(port=server.ports.imaps)
    with pytest.raises(CertificateRefused, match="not known here"):
        _open(port=server.ports.imap, security="starttls")


def test_a_certificate_for_another_name_is_refused() -> None:
    authority = trustme.CA()
    with (
        _tls_server(authority, "mail.other.example") as (port, ca_file),
        pytest.raises(CertificateRefused, match="another name"),
    ):
        _open(ca_file, port=port)


def test_an_expired_certificate_is_refused() -> None:
    authority = trustme.CA()
    expired = datetime(2020, 1, 1, tzinfo=UTC)
    with (
        _tls_server(authority, "localhost", not_before=datetime(2019, 1, 1, tzinfo=UTC), not_after=expired) as (
            port,
            ca,
        ),
        pytest.raises(CertificateRefused, match="expired"),
    ):
        _open(ca, port=port)


def test_ssl_on_the_plain_port_says_which_port_to_use(server: dovecot.Dovecot) -> None:
    with pytest.raises(TlsRequired, match="without encryption"):
        _open(server.ca_file, port=server.ports.imap)


def test_a_server_that_wants_encryption_for_passwords_says_so(server: dovecot.Dovecot) -> None:
    # From 127.0.0.1 Dovecot takes clear text always; another loopback address is "outside" to it.
    with pytest.raises(InboundError) as raised:
        _open(host="127.0.0.2", port=server.ports.imap, security="none")
    assert isinstance(raised.value, (TlsRequired, Unreachable))


def test_a_folder_that_is_not_there(server: dovecot.Dovecot) -> None:
    with pytest.raises(FolderNotFound, match="Nowhere"):
        _open(server.ca_file, port=server.ports.imaps, folder="Nowhere")


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(HostNotFound, match=r"no-such-host\.invalid"):
        _open(host="no-such-host.invalid")


def test_a_port_where_nothing_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match="nothing listens"):
            _open(port=closed.getsockname()[1], host="127.0.0.1", security="none")


@pytest.mark.parametrize(
    ("greeting", "error"),
    [
        (b"", Unreachable),
        (b"* BYE too busy\r\n", Unreachable),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", InboundError),
        (b"220 mail.example.org ESMTP\r\n", InboundError),
        (b"+OK POP3 ready\r\n", InboundError),
        (b"\x15\x03\x01\x00\x02\x02\x46", InboundError),
    ],
)
def test_what_is_no_imap_server_is_an_error_of_ours(greeting: bytes, error: type[InboundError]) -> None:
    with _scripted(lambda connection: connection.sendall(greeting)) as port, pytest.raises(error) as raised:
        _open(host="127.0.0.1", port=port, security="none")
    assert raised.value.message
    assert "Traceback" not in raised.value.message


def test_starttls_that_is_not_offered_never_sends_a_password() -> None:
    heard: list[bytes] = []

    def strip(connection: socket.socket) -> None:
        connection.sendall(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n")
        _answer(
            connection, heard, lambda line: b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n" if b"CAPABILITY" in line else b""
        )

    with _scripted(strip) as port, pytest.raises(TlsRequired):
        _open(host="127.0.0.1", port=port, security="starttls")
    assert not any(word in b"".join(heard).upper() for word in (b"LOGIN", b"AUTHENTICATE"))


def test_a_preauth_greeting_does_not_get_around_starttls() -> None:
    heard: list[bytes] = []

    def preauth(connection: socket.socket) -> None:
        connection.sendall(b"* PREAUTH welcome\r\n")
        _answer(
            connection, heard, lambda line: b"* CAPABILITY IMAP4rev1 STARTTLS\r\n" if b"CAPABILITY" in line else b""
        )

    with _scripted(preauth) as port, pytest.raises(TlsRequired):
        _open(host="127.0.0.1", port=port, security="starttls")
    assert b"LOGIN" not in b"".join(heard).upper()


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (b"NO [LIMIT] Too many simultaneous connections", None),
        (b"BAD User is authenticated but not connected.", None),
        (b"NO Request is throttled. Suggested Backoff Time: 30500 milliseconds", 30.5),
    ],
)
def test_a_server_that_asks_for_patience_is_not_a_wrong_password(answer: bytes, seconds: float | None) -> None:
    def busy(connection: socket.socket) -> None:
        connection.sendall(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        while line := connection.recv(1000):
            tag = line.split(b" ")[0]
            if b"CAPABILITY" in line:
                connection.sendall(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n")
            else:
                connection.sendall(tag + b" " + answer + b"\r\n")

    with _scripted(busy) as port, pytest.raises(Throttled) as raised:
        _open(host="127.0.0.1", port=port, security="none")
    assert raised.value.retry_after == seconds


def _answer(connection: socket.socket, heard: list[bytes], untagged: Callable[[bytes], bytes]) -> None:
    while line := connection.recv(1000):
        heard.append(line)
        connection.sendall(untagged(line) + line.split(b" ")[0] + b" OK done\r\n")


@contextmanager
def _scripted(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on loopback that talks to each visitor as told."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    talk(connection)
                except OSError:
                    continue  # the visitor hung up, as it should

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@contextmanager
def _tls_server(authority: trustme.CA, name: str, **validity: datetime) -> Iterator[tuple[int, str]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **validity).configure_cert(context)  # type: ignore[arg-type]

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True):
            return

    with authority.cert_pem.tempfile() as ca_file, _scripted(talk) as port:
        yield port, ca_file
