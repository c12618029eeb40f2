"""SMTP on the wire: what is asked, what is believed, and how much of it."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import trustme

from shared.errors import ProtocolViolation, SettingsError, TimedOut, TlsRequired
from shared.servers import smtp_client
from shared.servers.dial import Dialer, Security
from shared.servers.smtp_client import COMMAND_BYTES, InDoubt, Refused, SmtpClient
from tests.support import road
from tests.support.discovering import listening, server_context
from tests.support.scripted import Talk
from tests.support.smtpserver import smtp

PATIENCE = Dialer(road.dialer().guard, connect_seconds=3, read_seconds=0.5, greeting_seconds=0.5)


@contextmanager
def _connected(
    talk: Talk, security: Security = "none", dialer: Dialer = PATIENCE, seconds: float = 10
) -> Iterator[SmtpClient]:
    with listening(talk) as port:
        client = SmtpClient(dialer, "127.0.0.1" if security == "none" else "localhost", port, seconds)
        try:
            client.connect(security)
            yield client
        finally:
            client.close()


def _answers(*answers: bytes) -> Talk:
    """These answers, one to each line, then silence."""

    def talk(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        for answer in answers:
            reader.readline()
            connection.sendall(answer)
        while connection.recv(100_000):
            pass

    return talk


# ── hello ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_says_hello_by_its_address_because_it_has_no_name() -> None:
    heard: list[bytes] = []
    with _connected(smtp(heard=heard)):
        pass
    assert heard == [b"EHLO [127.0.0.1]\r\n"]


def test_what_a_server_offers_is_known_by_keyword() -> None:
    with _connected(smtp(offered=("SIZE 35882577", "auth plain LOGIN", "8bitmime", "AUTH=CRAM-MD5"))) as client:
        assert client.extensions["SIZE"] == "35882577"
        assert "8BITMIME" in client.extensions
        assert client.mechanisms == {"PLAIN", "LOGIN", "CRAM-MD5"}


def test_what_was_offered_in_clear_text_is_forgotten_inside_tls() -> None:
    authority, heard = trustme.CA(), []  # type: ignore[var-annotated]
    talk = smtp(
        {"EHLO": "250-hi\r\n250-AUTH PLAIN\r\n250 STARTTLS"},
        context=server_context(authority, "localhost"),
        heard=heard,
    )
    with authority.cert_pem.tempfile() as ca_file:
        dialer = replace(PATIENCE, ca_file=ca_file)
        with _connected(talk, "starttls", dialer) as client:
            assert "STARTTLS" in client.extensions  # this server says it again
    assert [line.split()[0] for line in heard] == [b"EHLO", b"STARTTLS", b"EHLO"]


def test_without_starttls_there_is_no_way_on() -> None:
    heard: list[bytes] = []
    with pytest.raises(TlsRequired), _connected(smtp(heard=heard), "starttls"):
        pass
    assert len(heard) == 1


@pytest.mark.parametrize("greeting", ["554 5.7.1 no", "421 busy", "250 hi"])
def test_a_greeting_that_is_no_welcome_is_told(greeting: str) -> None:
    with pytest.raises(Refused) as raised, _connected(smtp(greeting=greeting)):
        pass
    assert raised.value.answer.code == int(greeting[:3])


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_of_several_lines_is_one_and_has_one_status() -> None:
    answer = b"550-5.1.1 The account\r\n550-5.1.1 does not\r\n550 5.1.1 exist\r\n"
    with _connected(_answers(b"250 hi\r\n", answer)) as client, pytest.raises(Refused) as raised:
        client.command("MAIL FROM:<>")
    found = raised.value.answer
    assert (found.code, found.status, found.text) == (550, "5.1.1", "5.1.1 The account 5.1.1 does not 5.1.1 exist")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("550 5.1.1 no", "5.1.1"),
        ("550 5.7.139 no", "5.7.139"),
        ("550 no 5.1.1", ""),
        ("550 4.1.1 another class", ""),
        ("550 5.1.1.2 an address", ""),
        ("550", ""),
        ("550 5.1.1", "5.1.1"),
    ],
)
def test_the_enhanced_status_stands_first_and_is_of_the_same_class(line: str, status: str) -> None:
    with _connected(_answers(b"250 hi\r\n", line.encode() + b"\r\n")) as client, pytest.raises(Refused) as raised:
        client.command("NOOP")
    assert raised.value.answer.status == status


@pytest.mark.parametrize(
    "answer",
    [
        b"hello\r\n",
        b"25\r\n",
        b"2500 hi\r\n",
        b"150 hi\r\n",
        b"600 hi\r\n",
        b"\r\n",
        b"250-hi\r\n251 there\r\n",
        b"250-hi\r\nthere\r\n",
        b"\xff\xfe\r\n",
    ],
)
def test_an_answer_that_is_none_ends_the_conversation(answer: bytes) -> None:
    with _connected(_answers(b"250 hi\r\n", answer)) as client:
        with pytest.raises(ProtocolViolation):
            client.command("NOOP")
        assert not client.is_open


@pytest.mark.parametrize("piece", [b"250-x\r\n", b"250-" + b"x" * 2000 + b"\r\n", b"x" * 4096])
def test_an_answer_without_an_end_is_bounded(piece: bytes) -> None:
    sent = [0]

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 hi\r\n")
        connection.recv(100)
        for _ in range(100_000_000 // len(piece)):
            connection.sendall(piece)
            sent[0] += len(piece)

    with pytest.raises(ProtocolViolation), _connected(talk):
        pass
    # What fits into the buffers of the two sockets besides what was read.
    assert sent[0] < 20_000_000


def test_a_server_that_drips_meets_the_deadline() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 hi\r\n250-")
        for _ in range(100):
            connection.sendall(b"x")
            time.sleep(0.1)

    began = time.monotonic()
    with pytest.raises(TimedOut), _connected(talk, seconds=1):
        pass
    assert time.monotonic() - began < 4


def test_an_answer_to_a_question_that_was_not_asked_is_not_believed() -> None:
    """Else it would be taken for that to the next one: "250" for a mail that was refused."""
    with _connected(_answers(b"250 hi\r\n", b"250 ok\r\n250 ok too\r\n")) as client:
        client.command("NOOP")
        with pytest.raises(ProtocolViolation):
            client.command("NOOP")
        assert not client.is_open


def test_a_farewell_that_nobody_asked_for_is_heard() -> None:
    with _connected(_answers(b"250 hi\r\n", b"250 ok\r\n421 4.4.2 timeout\r\n")) as client:
        client.command("NOOP")
        with pytest.raises(Refused) as raised:
            client.command("NOOP")
        assert raised.value.answer.status == "4.4.2"
        assert not client.is_open


@pytest.mark.parametrize("command", ["NOOP\r\nDATA", "NOOP\n", "NO\0OP", "MAIL FROM:<a\x7fb>"])
def test_a_line_break_never_becomes_a_second_command(command: str) -> None:
    heard: list[bytes] = []
    with _connected(smtp(heard=heard)) as client, pytest.raises(SettingsError):
        client.command(command)
    assert len(heard) == 1


# ── log-ins ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sasl(heard: list[bytes]) -> Talk:
    """Takes any log-in, and asks for what was not said at once."""

    def talk(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        while line := reader.readline():
            heard.append(line)
            if line.startswith(b"AUTH") and line.count(b" ") == 1:
                connection.sendall(b"334 \r\n")
            else:
                connection.sendall(b"250 ok\r\n")

    return talk


@pytest.mark.parametrize(("size", "lines"), [(100, 1), (372, 1), (373, 2), (4000, 2)])
def test_a_first_answer_goes_along_where_it_fits_into_a_line(size: int, lines: int) -> None:
    heard: list[bytes] = []
    secret = b"x" * size
    with _connected(_sasl(heard)) as client:
        client.authenticate("XOAUTH2", lambda challenge: secret, begins=True)
    said = heard[1:]
    assert len(said) == lines
    assert len(said[0]) <= COMMAND_BYTES
    assert base64.b64decode(said[-1].split()[-1]) == secret


def test_an_empty_first_answer_is_an_equals_sign() -> None:
    heard: list[bytes] = []
    with _connected(_sasl(heard)) as client:
        client.authenticate("EXTERNAL", lambda challenge: b"", begins=True)
    assert heard[1:] == [b"AUTH EXTERNAL =\r\n"]


def test_a_server_that_asks_for_ever_is_left() -> None:
    with _connected(_answers(b"250 hi\r\n", *[b"334 x\r\n"] * 50)) as client, pytest.raises(Refused):
        client.authenticate("LOGIN", lambda challenge: b"a", begins=False)


# ── mails ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mail_is_answered_with_what_the_server_says() -> None:
    heard: list[bytes] = []
    with _connected(smtp({".": "250 2.0.0 queued as 77"}, heard=heard)) as client:
        answer = client.transmit(b"Subject: x\r\n\r\n..y\r\n")
    assert (answer.code, answer.status) == (250, "2.0.0")
    assert heard[1:] == [b"DATA\r\n", b"Subject: x\r\n", b"\r\n", b"..y\r\n", b".\r\n"]


def test_the_answer_to_a_mail_may_take_longer_than_others() -> None:
    def talk(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        for answer in (b"250 hi\r\n", b"354 go on\r\n"):
            reader.readline()
            connection.sendall(answer)
        while reader.readline() != b".\r\n":
            pass
        time.sleep(3 * PATIENCE.read_seconds)
        connection.sendall(b"250 kept\r\n")

    with _connected(talk) as client:
        assert client.transmit(b"x\r\n").ok


def test_a_mail_whose_time_is_over_before_its_end_is_not_in_doubt() -> None:
    with _connected(smtp(), seconds=0.3) as client:
        time.sleep(0.4)
        with pytest.raises(TimedOut):
            client.transmit(b"x\r\n")
        assert not client.is_open


def test_a_mail_that_nobody_answers_in_time_is_in_doubt() -> None:
    def talk(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        for answer in (b"250 hi\r\n", b"354 go on\r\n"):
            reader.readline()
            connection.sendall(answer)
        while reader.readline():
            pass

    with _connected(talk, seconds=1) as client:
        with pytest.raises(InDoubt):
            client.transmit(b"x\r\n")
        assert not client.is_open


def test_the_patience_for_a_mail_is_longer_than_for_a_command_and_ends_within_a_function() -> None:
    assert 30 < smtp_client.FINAL_SECONDS < 230


def test_half_an_answer_to_a_mail_leaves_it_in_doubt() -> None:
    def talk(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        for answer in (b"250 hi\r\n", b"354 go on\r\n"):
            reader.readline()
            connection.sendall(answer)
        while reader.readline() != b".\r\n":
            pass
        connection.sendall(b"250 2.0")

    with _connected(talk) as client, pytest.raises(InDoubt):
        client.transmit(b"x\r\n")
