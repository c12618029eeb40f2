"""POP3 on the wire (RFC 1939; CAPA RFC 2449, AUTH RFC 5034, STLS RFC 2595).

Python's poplib refuses lines over 2,048 bytes, which mail has, and sends a line break in a user name to
the server, where it is a command. Here a body may have lines of any length; a byte budget bounds each
answer and a deadline the whole conversation. Nothing of a refused or broken command is ever taken for an answer.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from shared import log
from shared.errors import ProtocolViolation
from shared.servers import sasl
from shared.servers.dial import Dialer, Security
from shared.servers.lines import Lines, TooLong
from shared.servers.translate import control_character, hung_up_at_once, no_encryption, stranger

ANSWER_BYTES = 8 * 1024
"""Of a status line. RFC 2449 allows 512; some servers put a sentence and a link into a refusal."""

LISTING_BYTES = 16 * 1024 * 1024
"""Of a list (UIDL, LIST): 200,000 mails with the longest ids (70 characters, RFC 1939). More is a server gone mad."""

PIPELINE = 50
"""Commands under way at once, where the server takes several: 1 KB, so neither side waits for the other's buffer."""

SASL_STEPS = 4
"""Challenges of one log-in; no mechanism here has more than two."""

Item = TypeVar("Item")

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_CODE = re.compile(r"\[([A-Z0-9/-]{1,40})\] ?", re.I)


class Refused(Exception):
    """The server said -ERR. ``code``: its response code in capitals (RFC 2449 section 8, RFC 3206), or empty;
    ``text``: its words, for choosing ours; ``challenge``: what a SASL server said before refusing."""

    def __init__(self, text: str, challenge: bytes = b"") -> None:
        super().__init__(text)
        match = _CODE.match(text)
        self.code = match.group(1).upper() if match else ""
        self.text = text
        self.challenge = challenge


class Pop3Client:
    """One connection. Raises ``Refused`` for -ERR, ``InboundError`` and what sockets and TLS raise.

    After anything but ``Refused`` it is closed: what comes later on that wire answers nobody knows which question.
    """

    def __init__(self, dialer: Dialer, host: str, port: int, seconds: float) -> None:
        """``seconds``: how long the conversation may take at most."""
        self._dialer = dialer
        self._host = host
        self._port = port
        self._lines = Lines(seconds, ("The mail server is too slow.", "The next poll goes on where this one ended."))
        self._watch = dialer.watch
        self._line_end = b"\r\n"
        self._capabilities: dict[str, str] = {}

    @property
    def is_open(self) -> bool:
        """Whether commands can still be sent."""
        return self._lines.is_open

    @property
    def capabilities(self) -> dict[str, str]:
        """What the server offers, by its name in capitals, with the rest of the line; empty where it does not say."""
        return self._capabilities

    # ── opening and closing ───────────────────────────────────────────────────────────────────────────────────────

    def connect(self, security: Security) -> None:
        """Up to the point where a log-in may begin. "starttls" is a demand: there is no way on without it."""
        self._capabilities = {}
        self._lines.begin(self._dialer.dial(self._host, self._port, security))
        try:
            self._dialer.watch.step("greeting")
            self._greet(security)
            if security == "starttls":
                self._start_tls()
            self._dialer.watch.step("capabilities")
            self._ask_capabilities()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up without a word. A server then forgets deletions (RFC 1939 section 6)."""
        self._lines.close()

    def quit(self) -> None:
        """End the session; deletions are done when this returns, and only then are they known to be."""
        try:
            self.command("QUIT")
        finally:
            self.close()

    def _greet(self, security: Security) -> None:
        try:
            with self._dialer.greeting(self._lines.connection):
                line = self._line()
        except ConnectionError as error:
            raise hung_up_at_once(f"{self._host}:{self._port}", self._port, security) from error
        if other := stranger(line, f"{self._host}:{self._port}", "pop3"):
            raise other
        self._status(line)

    def _start_tls(self) -> None:
        """STLS. What arrived with the answer was sent in clear by whoever is in the middle, to be taken for an answer
        inside encryption (nostarttls.secvuln.info): it is thrown away."""
        self._watch.step("tls")
        try:
            self.command("STLS")
        except Refused:
            raise no_encryption(f"{self._host}:{self._port}", "pop3") from None
        if self._lines.buffer:
            self._watch.note("bytes sent in clear after STLS were thrown away")
        connection = self._lines.connection
        connection.settimeout(self._lines.seconds_left(self._dialer.connect_seconds))
        self._lines.begin(self._dialer.encrypt(connection, self._host))

    def _ask_capabilities(self) -> None:
        try:
            listed = self.lines("CAPA", quiet=False)
        except Refused:
            return  # RFC 1939 alone has no CAPA: USER and PASS are all that can be hoped for
        for line in listed:
            name, _, rest = line.decode("ascii", "replace").strip().partition(" ")
            self._capabilities[name.upper()] = rest.upper()

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────

    def command(self, command: str, shown: str = "") -> str:
        """The text after +OK. ``shown`` stands for the command in the transcript (PASS)."""
        self._send([command], shown)
        return self._status(self._line())

    def lines(self, command: str, quiet: bool = True) -> list[bytes]:
        """A multi-line answer without its line ends. ``quiet``: only its size goes into the transcript."""
        self._send([command])
        self._status(self._line())
        found = [line.rstrip(b"\r") for line in self._body(LISTING_BYTES, quiet).split(b"\n")][:-1]
        if not quiet:
            for line in found:
                self._watch.received(line)
        return found

    def statuses(self, commands: Sequence[str]) -> list[str | Refused]:
        """The text after +OK, or the refusal, of each command."""
        return list(self._many(commands, lambda: self._status(self._line())))

    def bodies(self, commands: Sequence[str], limit: int) -> Iterator[bytes | Refused]:
        """The multi-line answer, or the refusal, of each command, at most ``limit`` bytes each. Read them all: an
        iterator that is left early closes the connection."""

        def read() -> bytes:
            self._status(self._line())
            return self._body(limit)

        return self._many(commands, read)

    def authenticate(self, mechanism: str, respond: Callable[[bytes], bytes]) -> None:
        """SASL (RFC 5034), always in two steps: Exchange takes XOAUTH2 no other way, and a token is longer than a
        command line may be (255 bytes, RFC 2449). ``respond`` answers each challenge; nothing of either is written
        down. Raises ``Refused`` with the last challenge, where the reason is."""
        self._send([f"AUTH {mechanism}"])
        challenge = b""
        self._watch.private(True)
        try:
            for _ in range(SASL_STEPS):
                line = self._line()
                if not line.startswith(b"+ ") and line != b"+":
                    break
                challenge = sasl.decoded(line[2:])
                answer = base64.b64encode(respond(challenge)).decode()
                self._watch.secret(answer)
                self._send([answer])
        finally:
            self._watch.private(False)
        try:
            self._status(line)
        except Refused as refused:
            raise Refused(refused.text, challenge) from None

    def _many(self, commands: Sequence[str], read: Callable[[], Item]) -> Iterator[Item | Refused]:
        at_once = PIPELINE if "PIPELINING" in self._capabilities else 1
        for start in range(0, len(commands), at_once):
            some = commands[start : start + at_once]
            self._send(some)
            unread = len(some)
            try:
                while unread:
                    answer: Item | Refused
                    try:
                        answer = read()
                    except Refused as refused:
                        answer = refused
                    unread -= 1
                    yield answer
            finally:
                if unread:
                    self.close()

    # ── the wire ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _send(self, lines: Sequence[str], shown: str = "") -> None:
        """All of them in one write; ``shown`` stands for them in the transcript."""
        log.count("round_trips")
        encoded = [line.encode() for line in lines]
        if any(_CONTROL.search(line) for line in encoded):
            raise control_character()
        for line in [shown.encode()] if shown else encoded:
            self._watch.sent(line)
        with self._lines.closed_on_error() as connection:
            connection.settimeout(self._lines.seconds_left(self._dialer.read_seconds))
            connection.sendall(b"".join(line + b"\r\n" for line in encoded))

    def _status(self, line: bytes) -> str:
        """The text of +OK."""
        text = line.decode("latin-1")  # loses nothing: a UIDL is bytes
        if text[:3].upper() == "+OK":
            return text[3:].strip()
        if text[:4].upper() == "-ERR":
            raise Refused(text[4:].strip())
        self.close()
        raise ProtocolViolation(
            f"{self._host}:{self._port} does not speak POP3.", "Check server type and port. POP3 uses 995 with SSL."
        )

    def _line(self) -> bytes:
        line = self._read_line()
        self._watch.received(line)
        return line

    def _read_line(self) -> bytes:
        """A status line without its end."""
        try:
            line = self._lines.line(ANSWER_BYTES, self._dialer.read_seconds)
        except TooLong:
            raise self._too_much() from None
        # A body ends its lines as the status line before it did: some home-made servers send LF alone.
        self._line_end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
        return line.rstrip(b"\r\n")

    def _body(self, limit: int, quiet: bool = True) -> bytes:
        """A multi-line answer up to its "." line, dots unstuffed (RFC 1939 section 3)."""
        # BytesIO hands out its content without a copy: a mail of 50 MB takes 50 MB.
        whole = io.BytesIO()
        starts_line = True
        while True:
            piece, starts_line, ended = take_body(self._lines.buffer, starts_line, self._line_end)
            whole.write(piece)
            if whole.tell() > limit:
                raise self._too_much()
            if ended:
                break
            self._lines.fill(self._dialer.read_seconds)
        if quiet:
            self._watch.received(b"(%d bytes)" % whole.tell())
        return whole.getvalue()

    def _too_much(self) -> ProtocolViolation:
        self.close()
        return ProtocolViolation(
            f"{self._host}:{self._port} sends far more than it announced.", "The next poll tries again."
        )


def take_body(buffer: bytearray, starts_line: bool, line_end: bytes = b"\r\n") -> tuple[bytes, bool, bool]:
    """Move what is certain of a multi-line answer out of the buffer: the bytes with dots unstuffed, whether the buffer
    starts a line now, whether the answer has ended. ``starts_line``: whether it started one before.

    Only a whole CR LF . CR LF is the end: a mail with bare line feeds may hold LF . LF, and what its sender wrote after
    that would be taken for the server's answers.
    """
    last_line = b"." + line_end
    if starts_line and buffer.startswith(last_line):
        del buffer[: len(last_line)]
        return b"", True, True
    end = buffer.find(line_end + last_line)
    newline = end if end >= 0 else buffer.rfind(line_end)
    if newline >= 0:
        cut = newline + len(line_end)
    elif starts_line and len(buffer) < len(last_line):
        cut = 0  # it may become the last line
    else:
        cut = len(buffer) - buffer.endswith(b"\r")  # which may be half a line end
    piece = bytes(buffer[:cut])
    del buffer[: cut + (len(last_line) if end >= 0 else 0)]
    # Two dots are a stuffed one; a line with one dot comes from a server that does not stuff, and means it.
    unstuffed = piece[1:] if starts_line and piece.startswith(b"..") else piece
    starts_line = newline >= 0 or (starts_line and not cut)
    return unstuffed.replace(line_end + b"..", line_end + b"."), starts_line, end >= 0
