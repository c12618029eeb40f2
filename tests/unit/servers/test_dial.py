"""The one road to a mail server: the judged address, one deadline, TLS for the name, nothing said before it."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
import trustme

from shared.errors import AddressForbidden
from shared.servers.address_guard import AddressGuard
from shared.servers.dial import Dialer, NoGreeting, Security
from tests.support.discovering import Talk, listening, server_context
from tests.support.road import LOOPBACK

NAME = "mail.firm.example"


@dataclass
class Steps:
    """A watch that notes what it is told."""

    seen: list[str] = field(default_factory=list)

    def step(self, name: str) -> None:
        self.seen.append(name)

    def note(self, text: str) -> None:
        self.seen.append(f"({text.partition(' with ')[0]})")

    def sent(self, line: bytes) -> None:
        raise AssertionError("the road itself says nothing")

    def received(self, line: bytes) -> None:
        raise AssertionError("the road itself hears nothing")

    def secret(self, value: str) -> None:
        raise AssertionError("the road knows no secrets")

    def private(self, on: bool) -> None:
        raise AssertionError("the road logs in nowhere")


@dataclass
class Resolver:
    """Answers in turn, the last one for ever; notes what it was asked."""

    answers: list[list[str]]
    asked: list[tuple[str, int]] = field(default_factory=list)

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


def _dialer(*addresses: str, **changes: object) -> Dialer:
    guard = AddressGuard(LOOPBACK, Resolver([list(addresses)]))
    return replace(Dialer(guard, connect_seconds=2, read_seconds=1), **changes)  # type: ignore[arg-type]


def _quiet(connection: socket.socket) -> None:
    connection.recv(1)


@contextmanager
def _swallowing(address: str, port: int = 0) -> Iterator[int]:
    """A port that takes no connection and refuses none: its queue is full, so SYNs are dropped (Linux)."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        try:
            yield listener.getsockname()[1]
        finally:
            for one in waiting:
                one.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA) -> Iterator[str]:
    with authority.cert_pem.tempfile() as path:
        yield path


# ── which address ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_name_that_changes_its_mind_is_looked_up_once_and_the_judged_address_is_dialled() -> None:
    """DNS rebinding: the second answer would have been another machine."""
    resolver = Resolver([["127.0.0.1"], ["169.254.169.254"]])
    with listening(_quiet) as port, Dialer(AddressGuard(LOOPBACK, resolver)).dial(NAME, port, "none") as connection:
        assert connection.getpeername() == ("127.0.0.1", port)
        assert resolver.asked == [(NAME, port)]


def test_each_connection_is_judged_anew() -> None:
    dialer = Dialer(AddressGuard(LOOPBACK, Resolver([["127.0.0.1"], ["10.0.0.1"]])))
    with listening(_quiet) as port:
        dialer.dial(NAME, port, "none").close()
        with pytest.raises(AddressForbidden):
            dialer.dial(NAME, port, "none")


@pytest.mark.parametrize("answers", [["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], []])
def test_nobody_is_connected_to_when_an_address_is_refused(answers: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as recorder:
        recorder.settimeout(0.2)
        with pytest.raises(AddressForbidden):
            _dialer(*answers).dial(NAME, recorder.getsockname()[1], "none")
        with pytest.raises(TimeoutError):
            recorder.accept()


def test_the_next_address_is_tried_when_one_refuses() -> None:
    with listening(_quiet) as port, _dialer("127.0.0.3", "127.0.0.1").dial(NAME, port, "none") as connection:
        assert connection.getpeername()[0] == "127.0.0.1"


def test_when_none_answers_the_last_ones_error_is_raised() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            _dialer("127.0.0.3", "127.0.0.1").dial(NAME, closed.getsockname()[1], "none")


# ── in time ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_address_that_swallows_everything_leaves_time_for_the_next() -> None:
    with listening(_quiet) as port, _swallowing("127.0.0.2", port):
        began = time.monotonic()
        with _dialer("127.0.0.2", "127.0.0.1").dial(NAME, port, "none") as connection:
            assert connection.getpeername()[0] == "127.0.0.1"
        assert time.monotonic() - began < 2


def test_one_deadline_holds_for_all_addresses_together() -> None:
    with _swallowing("127.0.0.2") as port, _swallowing("127.0.0.3", port), _swallowing("127.0.0.4", port):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            _dialer("127.0.0.2", "127.0.0.3", "127.0.0.4", connect_seconds=0.9).dial(NAME, port, "none")
        assert 0.8 < time.monotonic() - began < 1.5


def test_a_look_up_that_took_all_the_time_leaves_none_for_a_connection() -> None:
    def slow(host: str, port: int) -> list[str]:
        time.sleep(0.3)
        return ["127.0.0.1"]

    with listening(_quiet) as port, pytest.raises(TimeoutError):
        Dialer(AddressGuard(LOOPBACK, slow), connect_seconds=0.2).dial(NAME, port, "none")


def _mute(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


def _drip(connection: socket.socket) -> None:
    for _ in range(40):
        connection.sendall(b"\x16")
        time.sleep(0.1)


@pytest.mark.parametrize("talk", [_mute, _drip])
def test_a_handshake_that_never_ends_ends_in_time(talk: Talk) -> None:
    with listening(talk) as port:
        began = time.monotonic()
        with pytest.raises((TimeoutError, ssl.SSLError)):
            _dialer("127.0.0.1", connect_seconds=0.6).dial(NAME, port, "ssl")
        assert time.monotonic() - began < 1.5


def test_a_read_ends_in_time() -> None:
    with listening(_quiet) as port, _dialer("127.0.0.1", read_seconds=0.2).dial(NAME, port, "none") as connection:
        assert connection.gettimeout() == 0.2
        with pytest.raises(TimeoutError):
            connection.recv(1)


def _read_to_the_end(connection: socket.socket) -> None:
    while connection.recv(1):
        continue


def _drips(connection: socket.socket) -> None:
    for _ in range(40):
        connection.sendall(b"*")
        time.sleep(0.1)


@pytest.mark.parametrize("talk", [_mute, _drips])
@pytest.mark.parametrize("security", ["none", "ssl"])
def test_a_greeting_that_does_not_come_is_waited_for_by_its_own_limit(
    authority: trustme.CA, ca_file: str, talk: Talk, security: Security
) -> None:
    """A read may take longer (here 30 s), and a server that drips begins each read anew."""
    context = server_context(authority, NAME) if security == "ssl" else None
    dialer = _dialer("127.0.0.1", ca_file=ca_file, read_seconds=30, greeting_seconds=0.3)
    with listening(talk, context) as port, dialer.dial(NAME, port, security) as connection:
        began = time.monotonic()
        with pytest.raises(NoGreeting), dialer.greeting(connection):
            _read_to_the_end(connection)
        assert time.monotonic() - began < 2


def test_a_greeting_in_time_leaves_the_connection_as_it_was() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"+OK")
        connection.recv(1)
        time.sleep(0.4)
        connection.sendall(b"later")

    dialer = _dialer("127.0.0.1", greeting_seconds=0.2)
    with listening(talk) as port, dialer.dial(NAME, port, "none") as connection:
        with dialer.greeting(connection):
            assert connection.recv(3) == b"+OK"
        connection.sendall(b"x")
        assert connection.recv(5) == b"later"


def test_a_connection_that_breaks_before_the_greeting_is_no_silence() -> None:
    dialer = _dialer("127.0.0.1")
    with (
        listening(_quiet) as port,
        dialer.dial(NAME, port, "none") as connection,
        pytest.raises(ConnectionResetError),
        dialer.greeting(connection),
    ):
        raise ConnectionResetError


# ── TLS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _echo_encrypted(authority: trustme.CA, *names: str, **validity: datetime) -> Talk:
    context = server_context(authority, *names) if not validity else ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if validity:
        authority.issue_cert(*names, **validity).configure_cert(context)  # type: ignore[arg-type]

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as encrypted:
            encrypted.sendall(encrypted.recv(10))

    return talk


@pytest.mark.parametrize("name", [NAME, NAME.upper(), f"{NAME}."])
def test_the_certificate_is_for_the_name_though_the_address_is_dialled(
    authority: trustme.CA, ca_file: str, name: str
) -> None:
    with (
        listening(_echo_encrypted(authority, NAME)) as port,
        _dialer("127.0.0.1", ca_file=ca_file).dial(name, port, "ssl") as connection,
    ):
        assert isinstance(connection, ssl.SSLSocket)
        assert connection.getpeername()[0] == "127.0.0.1"
        assert connection.version() in ("TLSv1.2", "TLSv1.3")
        connection.sendall(b"hello")
        assert connection.recv(10) == b"hello"


@pytest.mark.parametrize("names", [["127.0.0.1"], ["localhost"], ["other.example"], ["firm.example"], ["*.example"]])
def test_a_certificate_for_the_address_or_another_name_is_refused(
    authority: trustme.CA, ca_file: str, names: list[str]
) -> None:
    with (
        listening(_echo_encrypted(authority, *names)) as port,
        pytest.raises(ssl.SSLCertVerificationError) as raised,
    ):
        _dialer("127.0.0.1", ca_file=ca_file).dial(NAME, port, "ssl")
    assert raised.value.verify_code == 62


def test_a_certificate_of_an_unknown_authority_is_refused(authority: trustme.CA) -> None:
    with listening(_echo_encrypted(authority, NAME)) as port, pytest.raises(ssl.SSLCertVerificationError):
        _dialer("127.0.0.1").dial(NAME, port, "ssl")


def test_an_expired_certificate_is_refused(authority: trustme.CA, ca_file: str) -> None:
    past = {"not_before": datetime(2019, 1, 1, tzinfo=UTC), "not_after": datetime(2020, 1, 1, tzinfo=UTC)}
    with (
        listening(_echo_encrypted(authority, NAME, **past)) as port,
        pytest.raises(ssl.SSLCertVerificationError) as raised,
    ):
        _dialer("127.0.0.1", ca_file=ca_file).dial(NAME, port, "ssl")
    assert raised.value.verify_code == 10


def test_nothing_is_said_before_the_handshake() -> None:
    heard: list[bytes] = []
    told = threading.Event()

    def record(connection: socket.socket) -> None:
        heard.append(connection.recv(5, socket.MSG_WAITALL))
        told.set()

    with listening(record) as port, pytest.raises((OSError, ssl.SSLError)):
        _dialer("127.0.0.1").dial(NAME, port, "ssl")
    assert told.wait(5)
    # A handshake record: type 22, version 3.x (RFC 8446, 5.1).
    assert [one[:2] for one in heard] == [b"\x16\x03"]


def test_without_tls_the_road_says_nothing_at_all() -> None:
    heard: list[bytes] = []
    told = threading.Event()

    def record(connection: socket.socket) -> None:
        heard.append(connection.recv(5))
        told.set()

    in_clear: tuple[Security, ...] = ("starttls", "none")
    for security in in_clear:
        told.clear()
        with listening(record) as port:
            _dialer("127.0.0.1").dial(NAME, port, security).close()
            assert told.wait(5)
    assert heard == [b"", b""]


def test_the_second_half_of_starttls_is_verified_for_the_name(authority: trustme.CA, ca_file: str) -> None:
    for names, verified in (([NAME], True), (["other.example"], False)):
        dialer = _dialer("127.0.0.1", ca_file=ca_file)
        with listening(_echo_encrypted(authority, *names)) as port:
            connection = dialer.dial(NAME, port, "starttls")
            if verified:
                dialer.encrypt(connection, NAME).close()
            else:
                with pytest.raises(ssl.SSLCertVerificationError):
                    dialer.encrypt(connection, NAME)
            connection.close()


def test_a_connection_that_cannot_be_encrypted_is_closed() -> None:
    gone = threading.Event()

    def wait(connection: socket.socket) -> None:
        connection.sendall(b"* OK no TLS here\r\n")
        try:
            _mute(connection)  # ends by a close or by a reset
        finally:
            gone.set()

    with listening(wait) as port:
        with pytest.raises(ssl.SSLError):
            _dialer("127.0.0.1").dial(NAME, port, "ssl")
        assert gone.wait(5)


# ── what a watch is told ────────────────────────────────────────────────────────────────────────────────────────────


def test_each_step_is_told_as_it_begins(authority: trustme.CA, ca_file: str) -> None:
    steps = Steps()
    with listening(_echo_encrypted(authority, NAME)) as port:
        _dialer("127.0.0.1", ca_file=ca_file, watch=steps).dial(NAME, port, "ssl").close()
    assert steps.seen == ["dns", "tcp", f"(connected to {NAME}:{port})", "tls", "(encrypted)"]


@pytest.mark.parametrize(
    ("addresses", "seen"),
    [(["10.0.0.1"], ["dns"]), (["127.0.0.1"], ["dns", "tcp"])],
    ids=["forbidden", "refused"],
)
def test_the_step_that_failed_is_the_last_one_told(addresses: list[str], seen: list[str]) -> None:
    steps = Steps()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises((AddressForbidden, ConnectionRefusedError)):
            _dialer(*addresses, watch=steps).dial(NAME, closed.getsockname()[1], "ssl")
    assert steps.seen == seen
