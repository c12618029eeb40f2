"""What goes wrong with POP3 servers: said in words that name who must act; nothing lost and nothing doubled by it."""

from __future__ import annotations

import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import trustme

from shared.errors import (
    AccessDenied,
    ConsentNeeded,
    InboundError,
    LoginRefused,
    MailRefused,
    ProtocolViolation,
    ServerError,
    SettingsError,
    SignInNotOffered,
    Throttled,
    TimedOut,
    TlsRequired,
    Unreachable,
)
from shared.servers.dial import Dialer
from shared.servers.pop3_client import Pop3Client
from shared.servers.transcript import Recorder
from tests.support import road
from tests.support.mails import mail
from tests.support.pop3server import CAPABILITIES, PASSWORD, TOKEN, Faults, Pop3Server, read, source


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server() as running:
        running.deliver(_text(1))
        yield running


def _text(number: int) -> bytes:
    return mail(message_id=f"<{number}@example.com>", text=f"number {number}\n.\n")


def _poll(server: Pop3Server, cursor: str = "", **options: Any) -> tuple[list[bytes | None], str]:
    with source(server.port, _now, **options) as opened:
        return read(opened, cursor)


# ── logging in ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("capabilities", "verbs"),
    [
        (CAPABILITIES, ["AUTH PLAIN"]),
        (("SASL CRAM-MD5 PLAIN",), ["AUTH CRAM-MD5"]),
        (("SASL CRAM-MD5",), ["AUTH CRAM-MD5"]),
        (("SASL CRAM-MD5", "USER"), ["AUTH CRAM-MD5"]),
        (("USER",), ["USER ann", f"PASS {PASSWORD}"]),
        ((), ["USER ann", f"PASS {PASSWORD}"]),
        (None, ["USER ann", f"PASS {PASSWORD}"]),
    ],
)
def test_a_password_goes_the_best_way_that_is_offered_in_clear(
    server: Pop3Server, capabilities: tuple[str, ...] | None, verbs: list[str]
) -> None:
    server.capabilities = capabilities
    assert _poll(server)[0] == [_text(1)]
    assert [line for line in server.heard if line.startswith(("AUTH", "USER", "PASS"))] == verbs


@pytest.mark.parametrize("capabilities", [CAPABILITIES, None, ("SASL CRAM-MD5",)])
def test_a_wrong_password_is_the_tenants_to_mend(server: Pop3Server, capabilities: tuple[str, ...] | None) -> None:
    server.capabilities = capabilities
    with pytest.raises(LoginRefused, match="user name and password"):
        _poll(server, credential="Paßwort€")


def test_a_token_goes_in_two_steps_and_is_asked_for_when_it_is_needed(server: Pop3Server) -> None:
    asked: list[int] = []

    def token(renew: bool) -> str:
        asked.append(len(server.heard))
        return TOKEN

    opened = source(server.port, _now, credential=token)
    assert asked == []
    with opened:
        assert read(opened, "")[0] == [_text(1)]
    assert asked == [1]
    assert server.heard[1] == "AUTH XOAUTH2"


@pytest.mark.parametrize(
    ("mechanisms", "chosen"),
    [
        (("SASL PLAIN OAUTHBEARER",), "OAUTHBEARER"),
        (("SASL OAUTHBEARER XOAUTH2",), "XOAUTH2"),
        (("SASL XOAUTH2",), "XOAUTH2"),
        (("USER",), "XOAUTH2"),
        (None, "XOAUTH2"),
    ],
)
def test_a_token_goes_in_the_way_that_the_server_offers(
    server: Pop3Server, mechanisms: tuple[str, ...] | None, chosen: str
) -> None:
    server.capabilities = mechanisms
    assert _poll(server, credential=lambda renew: TOKEN)[0] == [_text(1)]
    assert f"AUTH {chosen}" in server.heard


def test_a_refusal_by_oauthbearer_is_heard_to_its_end_and_the_token_replaced_once(server: Pop3Server) -> None:
    server.capabilities = ("SASL OAUTHBEARER",)
    raws, _ = _poll(server, credential=lambda renew: TOKEN if renew else "an-old-token")
    assert raws == [_text(1)]
    assert server.sessions == 2
    with pytest.raises(ConsentNeeded, match="does not accept the sign-in"):
        _poll(server, credential=lambda renew: "an-old-token")


def test_a_token_that_the_server_refuses_is_replaced_once(server: Pop3Server) -> None:
    raws, _ = _poll(server, credential=lambda renew: TOKEN if renew else "an-old-token")
    assert raws == [_text(1)]
    assert server.sessions == 2


def test_a_server_without_sign_in_is_named(server: Pop3Server) -> None:
    server.capabilities = ("SASL PLAIN",)
    with pytest.raises(SignInNotOffered):
        _poll(server, credential=lambda renew: TOKEN)
    assert server.verbs == ["CAPA"]


def test_a_refused_token_asks_for_a_new_sign_in_and_is_never_shown(server: Pop3Server) -> None:
    recorder = Recorder()
    with pytest.raises(ConsentNeeded, match="sign-in") as raised:
        _poll(server, credential=lambda renew: "an-old-token", dialer=road.dialer(watch=recorder))
    assert "Sign in again" in raised.value.fix
    assert "an-old-token" not in "\n".join(recorder.lines)
    assert "eyJ" not in "\n".join(recorder.lines)


@pytest.mark.parametrize("text", ["a\r\nDELE 1", "a\nb", "a\0b", "a\x01b", "a\x7fb"])
@pytest.mark.parametrize("capabilities", [CAPABILITIES, None])
@pytest.mark.parametrize("field", ["username", "password", "token"])
def test_a_control_character_reaches_no_wire(
    server: Pop3Server, field: str, capabilities: tuple[str, ...] | None, text: str
) -> None:
    server.capabilities = capabilities
    options: dict[str, dict[str, Any]] = {
        "username": {"username": text},
        "password": {"credential": text},
        "token": {"credential": lambda renew: text},
    }
    with pytest.raises(SettingsError, match="control character"):
        _poll(server, **options[field])
    assert set(server.verbs) <= {"CAPA"}


def test_the_client_itself_refuses_control_characters(server: Pop3Server) -> None:
    client = Pop3Client(road.dialer(), "localhost", server.port, 10)
    client.connect("none")
    with pytest.raises(SettingsError):
        client.command("USER a\r\nDELE 1")
    client.close()
    assert server.verbs == ["CAPA"]


def test_answers_that_nobody_reads_are_never_taken_for_those_of_the_next_command(server: Pop3Server) -> None:
    server.deliver(_text(2))
    client = Pop3Client(road.dialer(), "localhost", server.port, 10)
    client.connect("none")
    client.authenticate("PLAIN", lambda _: f"\0ann\0{PASSWORD}".encode())
    answers = client.bodies(["RETR 1", "RETR 2"], 10_000)
    assert next(answers) == _text(1)
    del answers
    assert not client.is_open
    with pytest.raises(OSError, match="closed"):
        client.command("STAT")


@pytest.mark.parametrize(
    ("answer", "error", "seconds"),
    [
        (b"-ERR [LOGIN-DELAY] minimum time between mail checks violation", Throttled, 900.0),
        (b"-ERR [IN-USE] Do you have another POP session running?", Throttled, None),
        (b"-ERR maildrop already locked", Throttled, None),
        (b"-ERR Too many connections", Throttled, None),
        (b"-ERR [SYS/TEMP] no space left on device", Unreachable, None),
        (b"-ERR [SYS/PERM] Your account is not enabled for POP access", AccessDenied, None),
        (b"-ERR [AUTH] Invalid login", LoginRefused, None),
        (b"-ERR Authentication failure: unknown user name or bad password.", LoginRefused, None),
        (b"-ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.", TlsRequired, None),
    ],
)
@pytest.mark.parametrize("verb", ["PASS", "AUTH"])
def test_a_refusal_at_log_in_names_who_must_act(
    server: Pop3Server, verb: str, answer: bytes, error: type[InboundError], seconds: float | None
) -> None:
    server.capabilities = ("LOGIN-DELAY 900 USER", *(["SASL PLAIN"] if verb == "AUTH" else []))
    server.faults = Faults(answers={verb: answer})
    with pytest.raises(error) as raised:
        _poll(server)
    assert type(raised.value) is error
    assert getattr(raised.value, "retry_after", None) == seconds


@pytest.mark.parametrize("verb", ["STAT", "UIDL"])
@pytest.mark.parametrize("code", ["IN-USE", "SYS/TEMP"])
def test_trouble_that_passes_is_never_the_tenants(server: Pop3Server, verb: str, code: str) -> None:
    server.faults = Faults(answers={verb: f"-ERR [{code}] later".encode()})
    with pytest.raises(ServerError):
        _poll(server)


def test_a_mail_that_is_refused_is_only_that(server: Pop3Server) -> None:
    server.faults = Faults(answers={"RETR": b"-ERR [SYS/TEMP] cannot read it"})
    with source(server.port, _now) as opened:
        (arrival,) = opened.new("")
        with pytest.raises(MailRefused):
            opened.fetch(arrival)
        assert opened.put_off(arrival) == 1


# ── greetings ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("greeting", "error", "words"),
    [
        (b"* OK [CAPABILITY IMAP4rev1] ready", SettingsError, "an IMAP server"),
        (b"220 mail.example.org ESMTP", SettingsError, "sending mail"),
        (b"HTTP/1.1 400 Bad Request", SettingsError, "a web server"),
        (b"-ERR [SYS/TEMP] starting up", Unreachable, "trouble of its own"),
        (b"-ERR not now", Unreachable, "no connections"),
        (b"-ERR server busy", Throttled, "too much to do"),
        (b"\x15\x03\x01\x00\x02\x02\x46", ProtocolViolation, "does not speak POP3"),
        (b"x" * 100_000, ProtocolViolation, "more than"),
    ],
)
def test_a_greeting_that_is_no_welcome(
    server: Pop3Server, greeting: bytes, error: type[InboundError], words: str
) -> None:
    server.faults = Faults(greeting=greeting)
    with pytest.raises(error, match=words):
        _poll(server)
    assert server.heard == []


def test_a_server_that_hangs_up_at_once_is_unreachable(server: Pop3Server) -> None:
    server.faults = Faults(cut=0)
    with pytest.raises(Unreachable):
        _poll(server)


# ── encryption ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA) -> Iterator[str]:
    with authority.cert_pem.tempfile() as path:
        yield path


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(made)
    return made


def test_stls_encrypts_before_anything_is_said(server: Pop3Server, context: ssl.SSLContext, ca_file: str) -> None:
    server.tls = context
    assert _poll(server, security="starttls", dialer=road.dialer(ca_file))[0] == [_text(1)]
    assert server.verbs[:2] == ["STLS", "CAPA"]


def test_inside_encryption_the_password_goes_as_it_is(
    server: Pop3Server, context: ssl.SSLContext, ca_file: str
) -> None:
    server.tls = context
    server.capabilities = ("SASL CRAM-MD5 PLAIN",)
    assert _poll(server, security="starttls", dialer=road.dialer(ca_file))[0] == [_text(1)]
    assert "AUTH PLAIN" in server.heard


@pytest.mark.parametrize("answer", [b"-ERR unknown command", b"+NO", b"-ERR [SYS/PERM] no"])
def test_stls_that_is_refused_or_stripped_never_sends_a_password(server: Pop3Server, answer: bytes) -> None:
    server.faults = Faults(answers={"STLS": answer})
    with pytest.raises((TlsRequired, ProtocolViolation)):
        _poll(server, security="starttls")
    assert server.verbs == ["STLS"]


def test_stls_with_a_certificate_of_nobody_sends_nothing(server: Pop3Server, context: ssl.SSLContext) -> None:
    server.tls = context
    with pytest.raises(InboundError, match="certificate"):
        _poll(server, security="starttls")
    assert server.verbs == ["STLS"]


def test_what_was_injected_before_encryption_is_thrown_away(
    server: Pop3Server, context: ssl.SSLContext, ca_file: str
) -> None:
    # It would be taken for the answer to CAPA, and the password would go another way.
    recorder = Recorder()
    server.tls = context
    server.faults = Faults(injected=b"+OK\r\nUSER\r\n.\r\n+OK\r\n+OK\r\n+OK 0 0\r\n")
    raws, _ = _poll(server, security="starttls", dialer=road.dialer(ca_file, recorder))
    assert raws == [_text(1)]
    assert "AUTH" in server.verbs
    assert any("thrown away" in line for line in recorder.lines)


# ── hostile servers ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mail_without_end_stops_at_the_limit(server: Pop3Server) -> None:
    with source(server.port, _now) as opened:
        (arrival,) = opened.new("")
        cursor = opened.cursor()
    server.faults = Faults(endless=True)
    with source(server.port, _now) as opened:
        (arrival,) = opened.new(cursor)
        with pytest.raises(ProtocolViolation, match="more than it announced"):
            opened.fetch(arrival)
        assert opened.put_off(arrival) == 1


def test_a_server_that_drips_meets_the_end_of_the_session() -> None:
    def drip(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"+")
            time.sleep(0.05)

    with _scripted(drip) as port:
        client = Pop3Client(road.dialer(), "127.0.0.1", port, 0.5)
        begun = time.monotonic()
        with pytest.raises(TimedOut):
            client.connect("none")
        assert time.monotonic() - begun < 2


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_a_greeting_takes() -> None:
    quick = Dialer(road.dialer().guard, greeting_seconds=0.2)
    with _scripted(lambda connection: time.sleep(2)) as port:
        begun = time.monotonic()
        with pytest.raises(TimedOut), source(port, _now, dialer=quick):
            pass
        assert time.monotonic() - begun < 1.5


def test_a_server_that_stops_after_its_greeting_meets_the_read_timeout() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"+OK ready\r\n")
        time.sleep(2)

    quick = Dialer(road.dialer().guard, read_seconds=0.2)
    with _scripted(talk) as port, pytest.raises(TimedOut, match="in the middle"), source(port, _now, dialer=quick):
        pass


@pytest.mark.parametrize("answer", [b"+OK", b"+OK many", b"+OK -1 5", b"hello"])
def test_an_answer_to_stat_that_makes_no_sense(server: Pop3Server, answer: bytes) -> None:
    server.faults = Faults(answers={"STAT": answer})
    with pytest.raises(ProtocolViolation):
        _poll(server)


@pytest.mark.parametrize("verb", ["UIDL", "LIST", "TOP", "RETR", "STAT", "CAPA", "AUTH", "QUIT"])
def test_any_bytes_for_an_answer_raise_nothing_but_our_errors(verb: str, caplog: pytest.LogCaptureFixture) -> None:
    choice = random.Random(verb)
    lines = [b"+OK", b"-ERR", b"+OK 1 1", b"+ ", b".", b"1 a", b"99999999999999 b", b"\xff\x00", b"1", b"", b"2 2"]
    for _ in range(60):
        with Pop3Server() as server:
            server.deliver(_text(1))
            answer = b"\r\n".join(choice.choice(lines) for _ in range(choice.randrange(1, 6)))
            server.faults = Faults(answers={verb: answer}, drop_after="QUIT", cut=2_000)
            quick = Dialer(road.dialer().guard, read_seconds=0.05)
            # Whatever else is raised fails the test.
            with suppress(InboundError):
                _poll(server, dialer=quick)
    assert '"event": "bug"' not in caplog.text


# ── dropped connections ───────────────────────────────────────────────────────────────────────────────────────────


class Desk:
    """What the flow and the ledger do, in short: rows first, then the cursor; a row is never written twice."""

    def __init__(self, server: Pop3Server, **options: Any) -> None:
        self.server = server
        self.options = options
        self.cursor = ""
        self.ledger: dict[str, bytes] = {}
        self.saved: set[str] = set()
        self.again: list[str] = []

    def poll(self, batch: int = 2, crash: Callable[[], bool] = lambda: False) -> bool:
        """Whether it came to its end. ``crash``: whether the process dies now."""
        try:
            with source(self.server.port, _now, **self.options) as opened:
                settled: list[str] = []
                for arrival in opened.new(self.cursor):
                    if arrival.position in self.saved:
                        self.again.append(arrival.position)
                    try:
                        raw = opened.fetch(arrival)
                    except ServerError as error:
                        opened.put_off(arrival)
                        self._save(opened.cursor(), settled)
                        if not isinstance(error, MailRefused):
                            raise
                        continue
                    assert raw is not None
                    self.ledger[arrival.position] = raw
                    if crash():
                        return False
                    opened.settle(arrival)
                    settled.append(arrival.position)
                    if len(settled) >= batch:
                        self._save(opened.cursor(), settled)
                if crash():
                    return False
                self._save(opened.cursor(), settled)
                opened.act()
                if crash():
                    return False
                self._save(opened.cursor(), settled)
        except ServerError:
            return False
        return True

    def _save(self, cursor: str, settled: list[str]) -> None:
        self.cursor = cursor
        self.saved |= set(settled)
        settled.clear()


@pytest.mark.parametrize("deletes_after", [None, 0])
@pytest.mark.parametrize("capabilities", [CAPABILITIES, None])
def test_a_connection_cut_at_any_byte_loses_and_doubles_nothing(
    capabilities: tuple[str, ...] | None, deletes_after: int | None
) -> None:
    small = [b"Subject: %d\r\n\r\n.%d\r\n" % (number, number) for number in range(3)]
    for cut in range(10_000):
        with Pop3Server(capabilities) as server:
            desk = Desk(server, deletes_after=deletes_after)
            for raw in small:
                server.deliver(raw)
            server.faults = Faults(cut=cut)
            whole = desk.poll() and desk.poll()
            server.faults = Faults()
            assert desk.poll()
            assert desk.poll()
            assert sorted(desk.ledger.values()) == small
            assert desk.again == []
            assert len(server.letters) == (3 if deletes_after is None else 0)
        if whole:
            assert cut > 300  # else it was never cut
            break


@pytest.mark.parametrize("deletes_after", [None, 0])
@pytest.mark.parametrize("when", ["drop_before", "drop_after"])
@pytest.mark.parametrize("verb", ["CAPA", "AUTH", "STAT", "UIDL", "LIST", "TOP", "RETR", "DELE", "QUIT"])
def test_a_connection_cut_at_any_command_loses_and_doubles_nothing(
    server: Pop3Server, verb: str, when: str, deletes_after: int | None
) -> None:
    desk = Desk(server, deletes_after=deletes_after)
    faults = Faults(drop_before=verb) if when == "drop_before" else Faults(drop_after=verb)
    for number in range(2, 5):
        for _ in range(2):
            server.faults = faults
            desk.poll()
        server.faults = Faults()
        server.deliver(_text(number))
        assert desk.poll()
    assert desk.poll()
    assert sorted(desk.ledger.values()) == [_text(number) for number in range(1, 5)]
    assert desk.again == []
    assert len(server.letters) == (4 if deletes_after is None else 0)


@pytest.mark.parametrize("seed", range(12))
def test_crashes_drops_and_another_client_lose_and_double_nothing(seed: int) -> None:
    chance = random.Random(seed)
    capabilities = CAPABILITIES if chance.random() < 0.5 else None
    with Pop3Server(capabilities) as server:
        desk = Desk(server, deletes_after=chance.choice([None, 0]))
        sent: dict[str, bytes] = {}
        removed: set[bytes] = set()
        broken = number = 0

        def other_client() -> None:
            """Delivers, and deletes what it likes."""
            nonlocal number
            for _ in range(chance.randrange(3)):
                number += 1
                raw = _text(number) + b"x" * chance.randrange(3_000) + b"\r\n"
                sent[server.deliver(raw)] = raw
            if server.letters and chance.random() < 0.3:
                removed.add(server.letters.pop(chance.randrange(len(server.letters))).raw)

        def meddle(line: str) -> None:
            if chance.random() < 0.03:
                other_client()

        server.on_command = meddle
        for _ in range(120):
            other_client()
            server.faults = Faults(cut=chance.randrange(6_000) if chance.random() < 0.5 else None)
            broken += not desk.poll(batch=chance.randrange(1, 5), crash=lambda: chance.random() < 0.03)
        server.on_command = lambda line: None
        server.faults = Faults()
        desk.poll()
        assert desk.poll()
        # UIDLs are the server's for ever, so a mail has one position; what somebody else removed may be missing.
        missing = set(sent.values()) - set(desk.ledger.values())
        assert missing <= removed
        assert len(desk.ledger) == len(set(desk.ledger.values()))
        assert desk.again == []
        assert broken > 20
        assert len(desk.ledger) > 60


@contextmanager
def _scripted(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on loopback that talks to one visitor as told."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                talk(connection)
        except OSError:
            return  # the visitor hung up, as it should

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join(5)
