"""A POP3 server for tests (RFC 1939, 2449, 2595, 5034): strict where servers are strict, and wrong where it is told to.

Unlike real servers it can be cut off at any byte, lie about anything, and say afterwards what it was asked.
"""

from __future__ import annotations

import base64
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self

from shared.model.mailbox import Settings
from shared.servers.credential import Credential, Tokens
from shared.servers.dial import Dialer
from shared.servers.pop3 import Pop3Source
from tests.support import road

CAPABILITIES = ("USER", "SASL PLAIN XOAUTH2", "UIDL", "TOP", "PIPELINING", "RESP-CODES", "STLS")
PASSWORD = "pass!word%1"
TOKEN = "ya29.token-of-somebody"
CHALLENGE = b"<1896.697170952@pop.example.org>"


@dataclass(frozen=True)
class Letter:
    """A mail in the maildrop. ``size``: what LIST says, if that is not true."""

    uidl: str
    raw: bytes
    size: int | None = None


@dataclass(frozen=True)
class Faults:
    """What goes wrong.

    ``answers``: what a verb gets instead of its answer (no line end); ``drop_before``: hang up when a verb comes, not
    having done it; ``drop_after``: having done it, without an answer; ``cut``: hang up after this many bytes of a
    connection were sent; ``endless``: RETR never ends; ``injected``: sent with the answer to STLS, in clear.
    """

    greeting: bytes = b"+OK ready"
    answers: dict[str, bytes] = field(default_factory=dict)
    drop_before: str = ""
    drop_after: str = ""
    cut: int | None = None
    endless: bool = False
    injected: bytes = b""
    line_end: bytes = b"\r\n"


class _HangUp(Exception):
    """The connection ends here."""


class Pop3Server:
    """A running server (``with Pop3Server() as server``) with one maildrop."""

    def __init__(self, capabilities: tuple[str, ...] | None = CAPABILITIES, tls: ssl.SSLContext | None = None) -> None:
        """``capabilities`` None: no CAPA at all. ``tls``: for STLS."""
        self.capabilities = capabilities
        self.tls = tls
        self.faults = Faults()
        self.letters: list[Letter] = []
        self.heard: list[str] = []
        self.sessions = 0
        self.on_command: Callable[[str], None] = lambda line: None
        self._arrived = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def deliver(self, raw: bytes, uidl: str = "", size: int | None = None) -> str:
        """Put a mail in; its UIDL."""
        self._arrived += 1
        uidl = uidl or f"{self._arrived:08x}"
        self.letters.append(Letter(uidl, raw, size))
        return uidl

    def rename(self) -> None:
        """Every mail gets another UIDL."""
        self.letters = [replace(letter, uidl=f"x{letter.uidl}") for letter in self.letters]

    @property
    def verbs(self) -> list[str]:
        """The first word of every line that was heard."""
        return [line.split(" ")[0].upper() for line in self.heard]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.sessions += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = _Session(self, connection)
            # One at a time: a maildrop is locked while it is open (RFC 1939 section 4).
            with suppress(OSError, _HangUp):
                session.talk()
            session.hang_up()


class _Session:
    """One connection."""

    def __init__(self, server: Pop3Server, connection: socket.socket) -> None:
        self._server = server
        self._faults = server.faults
        self._connection = connection
        self._reader = connection.makefile("rb")
        self._sent = 0
        self._letters = list(server.letters)
        self._deleted: set[int] = set()

    def hang_up(self) -> None:
        """Close, quietly if it is closed."""
        with suppress(OSError):
            self._reader.close()
            self._connection.close()

    def talk(self) -> None:
        """Until QUIT, a fault or the client's end."""
        self._say(self._faults.greeting)
        while line := self._reader.readline():
            text = line.rstrip(b"\r\n").decode()
            self._server.heard.append(text)
            self._server.on_command(text)
            verb, _, rest = text.partition(" ")
            self._do(verb.upper(), rest)

    def _do(self, verb: str, rest: str) -> None:
        if self._faults.drop_before == verb:
            raise _HangUp
        if verb in self._faults.answers:
            self._say(self._faults.answers[verb])
            return
        done = getattr(self, f"_{verb.lower()}", None)
        if done is None:
            self._say(b"-ERR unknown command")
            return
        if self._faults.drop_after == verb:
            if verb == "QUIT":
                self._expunge()
            raise _HangUp
        done(rest)

    def _say(self, line: bytes) -> None:
        self._send(line + self._faults.line_end)

    def _send(self, data: bytes) -> None:
        cut = self._faults.cut
        if cut is not None and self._sent + len(data) >= cut:
            self._connection.sendall(data[: cut - self._sent])
            raise _HangUp
        self._sent += len(data)
        self._connection.sendall(data)

    def _say_many(self, first: bytes, lines: list[bytes]) -> None:
        end = self._faults.line_end
        self._send(end.join([first, *lines, b"."]) + end)

    # ── authorization ─────────────────────────────────────────────────────────────────────────────────────────────

    def _capa(self, rest: str) -> None:
        if self._server.capabilities is None:
            self._say(b"-ERR unknown command")
        else:
            self._say_many(b"+OK", [line.encode() for line in self._server.capabilities])

    def _stls(self, rest: str) -> None:
        if self._server.tls is None:
            self._say(b"-ERR no encryption here")
            return
        self._send(b"+OK go on\r\n" + self._faults.injected)
        self._reader.close()
        self._connection = self._server.tls.wrap_socket(self._connection, server_side=True)
        self._reader = self._connection.makefile("rb")

    def _user(self, rest: str) -> None:
        self._say(b"+OK and now the password")

    def _pass(self, rest: str) -> None:
        self._judge(rest == PASSWORD)

    def _auth(self, rest: str) -> None:
        challenge = CHALLENGE if rest == "CRAM-MD5" else b""
        answer = self._challenged(challenge)
        if rest == "PLAIN":
            self._judge(answer.split(b"\0")[2:] == [PASSWORD.encode()])
        elif rest == "CRAM-MD5":
            digest = hmac.new(PASSWORD.encode(), CHALLENGE, "md5").hexdigest()
            self._judge(answer.decode().split(" ")[1:] == [digest])
        elif rest == "XOAUTH2":
            good = answer.endswith(f"\x01auth=Bearer {TOKEN}\x01\x01".encode())
            if not good:
                self._challenged(json.dumps({"status": "401", "schemes": "bearer"}).encode())
            self._judge(good)
        elif rest == "OAUTHBEARER" and rest in " ".join(self._server.capabilities or ()).split():
            port = self._server.port
            wanted = f"n,a=ann,\x01host=localhost\x01port={port}\x01auth=Bearer {TOKEN}\x01\x01".encode()
            # RFC 7628, 3.2.3: a client that was told why must say one byte before it is refused.
            good = answer == wanted
            reason = json.dumps({"status": "invalid_token", "scope": "mail"}).encode()
            if not good and self._challenged(reason) != b"\x01":
                raise _HangUp
            self._judge(good)
        else:
            # Two steps or nothing, like Exchange.
            self._say(b"-ERR Protocol error. Connection is closed. 10")
            raise _HangUp

    def _challenged(self, challenge: bytes) -> bytes:
        self._say(b"+ " + base64.b64encode(challenge))
        line = self._reader.readline().rstrip(b"\r\n")
        return base64.b64decode(line)

    def _judge(self, good: bool) -> None:
        self._say(b"+OK come in" if good else b"-ERR [AUTH] Authentication failed.")

    # ── transaction ───────────────────────────────────────────────────────────────────────────────────────────────

    def _stat(self, rest: str) -> None:
        present = self._present()
        total = sum(self._size(letter) for _, letter in present)
        self._say(f"+OK {len(present)} {total}".encode())

    def _uidl(self, rest: str) -> None:
        self._listing(rest, lambda letter: letter.uidl)

    def _list(self, rest: str) -> None:
        self._listing(rest, lambda letter: str(self._size(letter)))

    def _listing(self, rest: str, what: Callable[[Letter], str]) -> None:
        if not rest:
            self._say_many(b"+OK", [f"{number} {what(letter)}".encode() for number, letter in self._present()])
        elif letter := self._letter(rest):
            self._say(f"+OK {rest} {what(letter)}".encode())

    def _retr(self, rest: str) -> None:
        if letter := self._letter(rest):
            if self._faults.endless:
                self._send(b"+OK\r\n")
                while True:
                    self._send(b"x" * 65_536)
            self._say_many(b"+OK here it comes", _stuffed(letter.raw, self._faults.line_end))

    def _top(self, rest: str) -> None:
        number, _, count = rest.partition(" ")
        if letter := self._letter(number):
            assert count == "0"
            head = letter.raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            self._say_many(b"+OK", _stuffed(head, self._faults.line_end))

    def _dele(self, rest: str) -> None:
        if self._letter(rest):
            self._deleted.add(int(rest))
            self._say(b"+OK marked")

    def _quit(self, rest: str) -> None:
        self._expunge()
        self._say(b"+OK bye")
        raise _HangUp

    def _expunge(self) -> None:
        gone = {id(self._letters[number - 1]) for number in self._deleted}
        self._server.letters = [letter for letter in self._server.letters if id(letter) not in gone]

    def _present(self) -> list[tuple[int, Letter]]:
        return [pair for pair in enumerate(self._letters, 1) if pair[0] not in self._deleted]

    def _letter(self, text: str) -> Letter | None:
        """The mail of this number, if it is still there; else says so."""
        number = int(text)
        if 1 <= number <= len(self._letters) and number not in self._deleted:
            letter, present = self._letters[number - 1], self._server.letters
            # Where nobody deleted anything it is where it was.
            if letter in present[number - 1 : number] or any(letter is one for one in present):
                return letter
        self._say(b"-ERR no such message")
        return None

    def _size(self, letter: Letter) -> int:
        return letter.size if letter.size is not None else len(letter.raw)


def _stuffed(raw: bytes, line_end: bytes) -> list[bytes]:
    """The lines of a mail as POP3 sends them (RFC 1939 section 3)."""
    lines = raw.replace(b"\r\n", line_end).split(line_end)
    lines = lines[:-1] if lines[-1] == b"" else lines
    return [b"." + line if line.startswith(b".") else line for line in lines]


def source(
    port: int,
    now: Callable[[], datetime],
    credential: str | Tokens = PASSWORD,
    deletes_after: int | None = None,
    dialer: Dialer | None = None,
    floor: date = date(2026, 1, 1),
    **settings: Any,
) -> Pop3Source:
    """A source on a POP3 server of this machine. ``deletes_after``: days; None leaves mail where it is."""
    fields = {"group": "g", "server_type": "pop3", "host": "localhost", "port": port, "username": "ann"}
    return Pop3Source(
        Settings.stored({**fields, "security": "none", **settings}),
        Credential(credential) if isinstance(credential, str) else Credential(tokens=credential),
        dialer or road.dialer(),
        floor,
        now,
        "leave" if deletes_after is None else "delete",
        deletes_after or 0,
    )


def read(source: Pop3Source, cursor: str) -> tuple[list[bytes | None], str]:
    """Take in all that is new; the cursor is that of the end."""
    raws = []
    for arrival in source.new(cursor):
        raws.append(source.fetch(arrival))
        source.settle(arrival)
    return raws, source.cursor()
