"""IMAP servers that mean harm or have lost their mind: nothing that one says stops, fills or confuses this service."""

from __future__ import annotations

import json
import logging
import random
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from shared.errors import InboundError, LoginRefused, MailRefused, ProtocolViolation, ServerError, TimedOut, Unreachable
from shared.model.inbound import MAX_RAW_BYTES
from shared.model.mailbox import Settings
from shared.ports import Nobody, Watch
from shared.servers.credential import Credential, Tokens
from shared.servers.imap import ImapSource
from shared.servers.imap_client import connect, hang_up
from shared.servers.transcript import Recorder
from tests.support import road
from tests.support.discovering import Talk, listening

PASSWORD = "pass!word%1"
SEEN_BEFORE = '{"validity":5,"next":9,"recent":[7,8],"messages":2,"first":null,"again":{},"todo":[]}'

ANSWERS: dict[bytes, tuple[bytes, ...]] = {
    b"CAPABILITY": (b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 AUTH=PLAIN ACL",),
    b"STATUS": (b"* STATUS INBOX (UIDVALIDITY 5 UIDNEXT 9 MESSAGES 3)",),
    b"EXAMINE": (b"* 2 EXISTS", b"* OK [UIDVALIDITY 5] x", b"* OK [UIDNEXT 9] x", rb"* FLAGS (\Seen)"),
    b"SELECT": (b"* 2 EXISTS", b"* OK [UIDVALIDITY 5] x", b"* OK [UIDNEXT 9] x", rb"* FLAGS (\Seen)"),
    b"LIST": (rb'* LIST (\HasNoChildren \Sent) "/" Sent', b'* LIST () "/" INBOX'),
    b"MYRIGHTS": (b"* MYRIGHTS INBOX lrs",),
    b"SEARCH": (b"* SEARCH 7 8",),
    b"SIZES": (
        b'* 1 FETCH (UID 7 RFC822.SIZE 30 INTERNALDATE " 1-Jan-2026 00:00:00 +0000")',
        b'* 2 FETCH (UID 8 RFC822.SIZE 30 INTERNALDATE " 1-Jan-2026 00:00:00 +0000")',
    ),
    b"BODIES": (b'* 1 FETCH (UID 7 BODY[] "abc")', b'* 2 FETCH (UID 8 BODY[] "xyz")'),
}

NONSENSE = (
    *(
        b"(",
        b")",
        b'"',
        b"\\",
        b"{3}",
        b"{x}",
        b"{-1}",
        b"NIL",
        b"12",
        b"-1",
        b"9" * 30,
        b"\xff\xfe",
        b"[",
        b"]",
        b"()",
    ),
    *(b"((((", b'"\\', b"\x00", b"FETCH", b"UID", b"* ", b"&", b"&AAA-", b"* 1 FETCH (", b"", b"UIDNEXT", b"* BYE x"),
    *(b'" 1-Jan-0001 00:00:00 +2300"', b'"31-Dec-9999 23:59:59 -2300"'),
    *(b'"32-Foo-2026 25:61:61 +9999"', b"+ ", b"* OK [UIDVALIDITY x]", b"* OK [UIDNEXT]", b"INBOX", b"nil", b"*"),
)


def _kind(line: bytes) -> tuple[bytes, bytes]:
    """The tag, and a key of ANSWERS."""
    tag, _, rest = line.partition(b" ")
    verb = rest.split()[0].upper() if rest.split() else b""
    if verb == b"UID":
        verb = rest.split()[1].upper()
    if verb == b"FETCH":
        verb = b"SIZES" if b"SIZE" in rest else b"BODIES"
    return tag, verb


def _answering(answers: Mapping[bytes, tuple[bytes, ...]], refused: frozenset[bytes] = frozenset()) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"* OK ready\r\n")
        reader = connection.makefile("rb")
        while line := reader.readline():
            tag, verb = _kind(line)
            if verb == b"AUTHENTICATE":
                connection.sendall(b"+ \r\n")
                reader.readline()
            lines = (*answers.get(verb, ()), tag + (b" NO no" if verb in refused else b" OK done"))
            connection.sendall(b"".join(one + b"\r\n" for one in lines))

    return talk


def _source(
    port: int, watch: Watch | None = None, credential: str | Tokens = PASSWORD, seconds: float = 2, **settings: Any
) -> ImapSource:
    fields = {"group": "g", "server_type": "imap", "host": "localhost", "username": "ann", "security": "none"}
    dialer = replace(road.dialer(watch=watch or Recorder()), read_seconds=seconds)
    made = Credential(credential) if isinstance(credential, str) else Credential(tokens=credential)
    complete = Settings.stored({**fields, "port": port, **settings})
    return ImapSource(complete, made, dialer, date(2020, 1, 1), lambda: datetime.now(UTC))


def _poll(source: ImapSource, cursor: str = "") -> list[bytes | None]:
    found = []
    with source:
        for arrival in source.new(cursor):
            found.append(source.fetch(arrival))
            source.settle(arrival)
        source.may_act()
        source.act()
    return found


def _bugs(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    events = [json.loads(record.getMessage()) for record in caplog.records if record.name == "inbound"]
    return [event for event in events if event["event"] == "bug"]


# ── nonsense ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _damaged(rnd: random.Random, line: bytes) -> bytes:
    """The line with up to three things put in, taken out or replaced."""
    for _ in range(rnd.randint(1, 3)):
        words = line.split(b" ")
        place, at = rnd.randrange(len(words)), rnd.randrange(len(line) + 1)
        how = rnd.randrange(4)
        if how == 0:
            line = line[:at] + rnd.choice(NONSENSE) + line[at:]
        elif how == 1:
            line = line[:at] + line[at + rnd.randint(1, 8) :]
        elif how == 2:
            words[place] = rnd.choice(NONSENSE)
            line = b" ".join(words)
        else:
            del words[place]
            line = b" ".join(words)
    return line.replace(b"\r", b"").replace(b"\n", b"")


@pytest.mark.parametrize("verb", sorted(ANSWERS), ids=lambda verb: verb.decode().lower())
def test_whatever_a_server_answers_is_its_own_fault_and_no_bug(verb: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """150 damaged answers to each command: nothing but our errors comes out, and none is written down as our bug."""
    rnd = random.Random(verb)
    said = {"All is well."}
    answers = dict(ANSWERS)
    refused: set[bytes] = {b"EXAMINE"} if verb == b"LIST" else set()  # folders are listed where one is not there
    current: list[Mapping[bytes, tuple[bytes, ...]]] = [answers]
    with listening(lambda connection: _answering(current[0], frozenset(refused))(connection)) as port:
        assert refused or _poll(_source(port), SEEN_BEFORE) == []
        for _ in range(150):
            current[0] = {**answers, verb: tuple(_damaged(rnd, line) for line in ANSWERS[verb])}
            after = rnd.choice(["leave", "mark_read", "move"])
            try:
                _poll(_source(port, seconds=0.2, after_import=after, move_to="Sent"), rnd.choice(["", SEEN_BEFORE]))
            except InboundError as error:
                said.add(error.message)
    assert _bugs(caplog) == []
    assert all(words.endswith(".") for words in said)


# ── a bug of ours ───────────────────────────────────────────────────────────────────────────────────────────────────


class _Stumbling(Nobody):
    """A watch that stumbles, as code of ours might, with a mail's words in its error."""

    def note(self, text: str) -> None:
        if "to download" in text:
            raise KeyError("Subject: confidential")


def test_a_bug_of_ours_is_written_down_by_class_and_place_and_the_mailbox_says_something(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with listening(_answering(ANSWERS)) as port, pytest.raises(ServerError, match="a mistake of its own") as raised:
        _poll(_source(port, _Stumbling()))
    (bug,) = _bugs(caplog)
    assert set(bug) == {"event", "error", "place", "round_trips"}
    assert bug["error"] == "KeyError"
    assert bug["place"].startswith("shared.servers.imap:_look:")
    assert [record.levelno for record in caplog.records if "bug" in record.getMessage()] == [logging.ERROR]
    assert "confidential" not in caplog.text + raised.value.message + raised.value.fix
    assert "administrator" in raised.value.fix


def test_a_server_that_makes_no_sense_is_not_written_down(caplog: pytest.LogCaptureFixture) -> None:
    """imapclient raises IndexError here."""
    answers = {**ANSWERS, b"STATUS": ()}
    with listening(_answering(answers)) as port, pytest.raises(ProtocolViolation, match="makes no sense"):
        _poll(_source(port), SEEN_BEFORE)
    assert _bugs(caplog) == []


# ── too much, too slow ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("announced", [b"9999999999", b"52428801000"])
def test_a_literal_larger_than_any_mail_is_not_waited_for_nor_given_memory(announced: bytes) -> None:
    answers = {**ANSWERS, b"BODIES": (b"* 1 FETCH (UID 7 BODY[] {" + announced + b"}",)}
    tracemalloc.start()
    try:
        with listening(_answering(answers)) as port, pytest.raises(ProtocolViolation, match="more than it announced"):
            _poll(_source(port))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_mail_that_has_no_end_stops_at_the_limit() -> None:
    """A server that says 2 MB and then gives one full part after the other."""
    part = b"x" * 1024 * 1024
    parts = 0

    def talk(connection: socket.socket) -> None:
        nonlocal parts
        connection.sendall(b"* OK ready\r\n")
        reader = connection.makefile("rb")
        while line := reader.readline():
            tag, verb = _kind(line)
            if verb == b"AUTHENTICATE":
                connection.sendall(b"+ \r\n")
                reader.readline()
            if verb == b"BODIES":
                parts += 1
                at = line.split(b"<")[1].split(b".")[0]
                connection.sendall(b"* 1 FETCH (UID 7 BODY[]<%s> {%d}\r\n%s)\r\n" % (at, len(part), part))
            else:
                lines = ANSWERS.get(verb, ())
                lines = tuple(one.replace(b"SIZE 30", b"SIZE 2000000") for one in lines)
                connection.sendall(b"".join(one + b"\r\n" for one in lines))
            connection.sendall(tag + b" OK done\r\n")

    with listening(talk) as port, _source(port, Nobody()) as source:
        arrival = next(source.new(""))
        with pytest.raises(MailRefused):
            source.fetch(arrival)
    assert parts == MAX_RAW_BYTES // len(part) + 1


@pytest.mark.parametrize("verb", [b"AUTHENTICATE", b"EXAMINE", b"SEARCH", b"SIZES", b"BODIES"])
def test_a_server_that_falls_silent_meets_the_read_timeout(verb: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n")
        for line in connection.makefile("rb"):
            tag, asked = _kind(line)
            if asked != verb:
                connection.sendall(b"".join(one + b"\r\n" for one in (*ANSWERS.get(asked, ()), tag + b" OK done")))

    with listening(talk) as port:
        begun = time.monotonic()
        with pytest.raises(TimedOut, match="in the middle"):
            _poll(_source(port, seconds=0.3))
        assert time.monotonic() - begun < 3


def _drips_forever(connection: socket.socket) -> None:
    connection.sendall(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
    connection.recv(1000)
    while True:
        connection.sendall(b"*")
        time.sleep(0.05)


def test_hanging_up_ends_a_read_that_a_dripping_server_keeps_going() -> None:
    """What the end of a session does, from another thread."""
    settings = _source(1)._settings
    with listening(_drips_forever) as port:
        client = connect(settings.model_copy(update={"port": port}), road.dialer())
        timer = threading.Timer(0.3, hang_up, [client])
        timer.start()
        begun = time.monotonic()
        with pytest.raises(client.AbortError):
            client.noop()
        assert time.monotonic() - begun < 2
        timer.join(2)
        assert not timer.is_alive()


# ── logging in ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("credential", [PASSWORD, lambda renew: "a-token"], ids=["password", "token"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at the command", "at the answer"])
def test_a_connection_that_breaks_while_logging_in_is_nobodys_wrong_password(
    credential: str | Callable[[bool], str], at_once: bool
) -> None:
    """Three wrong passwords stop a mailbox until the tenant acts. Whether it hung up or broke is the network's chance:
    who closes with bytes unread resets the connection."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2] ready\r\n")
        connection.recv(1000)
        if not at_once:
            connection.sendall(b"+ \r\n")
            connection.recv(1000)

    with listening(talk) as port, pytest.raises(Unreachable, match=r"hung up|broke"):
        _poll(_source(port, credential=credential))


@pytest.mark.parametrize("initial", ["", " SASL-IR"], ids=["asked for", "sent along"])
def test_a_wrong_password_is_one_also_when_it_was_sent_along(initial: str) -> None:
    heard = []

    def talk(connection: socket.socket) -> None:
        connection.sendall(f"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN{initial}] ready\r\n".encode())
        reader = connection.makefile("rb")
        while line := reader.readline():
            heard.append(line)
            tag = line.split()[0]
            if not initial:
                connection.sendall(b"+ \r\n")
                reader.readline()
            connection.sendall(tag + b" NO [AUTHENTICATIONFAILED] wrong\r\n")

    recorder = Recorder()
    with listening(talk) as port, pytest.raises(LoginRefused, match="user name and password"):
        _poll(_source(port, recorder))
    assert len(heard[0].split()) == (4 if initial else 3)
    assert "AGFubgBwYXNz" not in "\n".join(recorder.lines)  # \0ann\0pass
    assert PASSWORD not in "\n".join(recorder.lines)
