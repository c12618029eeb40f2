"""SMTP on the wire, as a client that hands mail in (RFC 5321, RFC 6409; AUTH RFC 4954, STARTTLS RFC 3207).

Python's smtplib cannot tell a connection that broke before the end of a mail from one that broke after it, and only
the second one may have been a success. Here every answer is bounded in lines and bytes, a deadline bounds the whole
conversation, and nothing of a refused or broken command is ever taken for an answer.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from ipaddress import ip_address

from shared import log
from shared.errors import ProtocolViolation, TimedOut
from shared.servers.dial import Dialer, Security
from shared.servers.lines import Lines, TooLong
from shared.servers.smtp_errors import hung_up_at_once, no_encryption, stranger
from shared.servers.smtp_wire import Answer, read_answer
from shared.servers.translate import control_character

ANSWER_BYTES = 64 * 1024
"""Of one answer with all its lines. RFC 5321 allows 512 a line (4.5.3.1.5); refusals hold sentences and links."""

ANSWER_LINES = 100
"""Of one answer; EHLO lists some thirty extensions at most."""

COMMAND_BYTES = 512
"""Of a command with its line end (RFC 5321, 4.5.3.1.4). An AUTH whose first response does not fit goes in two steps,
as RFC 4954 (4) demands; tokens never fit."""

CHUNK_BYTES = 64 * 1024
"""Written at once: each gets the whole time for one answer, however long the mail is."""

FINAL_SECONDS = 120.0
"""For the answer to a whole mail: scanners take their time, and who gives up here is in doubt. RFC 5321 (4.5.3.2.6)
asks for 10 minutes, which is longer than a function may run."""

LAST_WORDS_SECONDS = 2.0
"""For the reason of a server that hung up while something was still being sent."""

SASL_STEPS = 4
"""Challenges of one log-in; no mechanism here has more than two."""

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_REPLY = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.S)


class Refused(Exception):
    """The server did not do it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.code} {answer.status}")
        self.answer = answer


class InDoubt(Exception):
    """The whole mail was sent, and no answer came: nobody knows whether the server has taken it."""


class SmtpClient:
    """One connection. Raises ``Refused``, ``InDoubt``, ``InboundError`` and what sockets and TLS raise.

    After anything but ``Refused`` it is closed: what comes later on that wire answers nobody knows which question.
    """

    def __init__(self, dialer: Dialer, host: str, port: int, seconds: float) -> None:
        """``seconds``: how long the conversation may take at most."""
        self._dialer = dialer
        self._host = host
        self._port = port
        self._where = f"{host}:{port}"
        self._lines = Lines(seconds, ("The outgoing server is too slow.", "It is tried again later."))
        self._watch = dialer.watch
        self._private = False
        self._extensions: dict[str, str] = {}

    @property
    def is_open(self) -> bool:
        """Whether commands can still be sent."""
        return self._lines.is_open

    @property
    def extensions(self) -> dict[str, str]:
        """What the server offers now, by keyword in capitals, with its parameters."""
        return self._extensions

    @property
    def mechanisms(self) -> frozenset[str]:
        """The ways to log in that it offers (RFC 4954), also in the way of old servers (``AUTH=LOGIN``)."""
        return frozenset(self._extensions.get("AUTH", "").upper().replace("=", " ").split())

    # ── opening and closing ───────────────────────────────────────────────────────────────────────────────────────

    def connect(self, security: Security) -> None:
        """Up to the point where a log-in may begin. "starttls" is a demand: there is no way on without it."""
        self._lines.begin(self._dialer.dial(self._host, self._port, security))
        try:
            self._watch.step("greeting")
            self._greet()
            self._ehlo()
            if security == "starttls":
                self._start_tls()
                # What was said in clear text may come from somebody in the middle (RFC 3207, 4.2).
                self._ehlo()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up without a word."""
        self._lines.close()

    def quit(self) -> None:
        """End the session."""
        try:
            self.command("QUIT")
        finally:
            self.close()

    def _greet(self) -> None:
        try:
            with self._dialer.greeting(self._lines.connection):
                answer = self._answer(greeting=True)
        except ConnectionError as error:
            raise hung_up_at_once(self._where) from error
        if answer.code != 220:
            raise Refused(answer)

    def _ehlo(self) -> None:
        _greeted, *offered = self.command(f"EHLO {self._own_name()}").lines or ("",)
        self._extensions = {}
        for line in offered:
            keyword, _, parameters = line.replace("=", " ", 1).partition(" ")
            known = self._extensions.get(keyword.upper())
            self._extensions[keyword.upper()] = f"{known} {parameters}".strip() if known else parameters.strip()

    def _own_name(self) -> str:
        """An address literal (RFC 5321, 4.1.3): a function has no name that DNS knows, and an invented one is what
        servers look for."""
        address = ip_address(self._lines.connection.getsockname()[0].partition("%")[0])
        return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"

    def _start_tls(self) -> None:
        """STARTTLS. What arrived with the answer was sent in clear by whoever is in the middle, to be taken for an
        answer inside encryption (nostarttls.secvuln.info): it is thrown away."""
        self._watch.step("tls")
        if "STARTTLS" not in self._extensions:
            raise no_encryption(self._where)
        try:
            self.command("STARTTLS")
        except Refused:
            raise no_encryption(self._where) from None
        if self._lines.buffer:
            self._watch.note("bytes sent in clear after STARTTLS were thrown away")
        connection = self._lines.connection
        connection.settimeout(self._lines.seconds_left(self._dialer.connect_seconds))
        self._lines.begin(self._dialer.encrypt(connection, self._host))

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────

    def command(self, command: str) -> Answer:
        """A command that is done with a 2xx answer."""
        self._send(command)
        answer = self._answer()
        if answer.code < 400 and not answer.ok:
            self.close()
            raise self._senseless()
        if not answer.ok:
            raise Refused(answer)
        return answer

    def authenticate(self, mechanism: str, respond: Callable[[bytes], bytes], begins: bool) -> None:
        """SASL (RFC 4954). ``respond`` answers each challenge; ``begins``: it can answer before the first one, which
        saves a round trip where that fits into the command. Nothing of it is written down."""
        self._watch.private(True)
        self._private = True
        try:
            answer = self._exchange(mechanism, respond, respond(b"") if begins else None)
        finally:
            self._private = False
            self._watch.private(False)
        if not answer.ok:
            raise Refused(answer)

    def _exchange(self, mechanism: str, respond: Callable[[bytes], bytes], first: bytes | None) -> Answer:
        command = f"AUTH {mechanism}"
        if first is not None:
            encoded = self._hidden(first) or "="
            if len(command) + 1 + len(encoded) + 2 <= COMMAND_BYTES:
                command, first = f"{command} {encoded}", None
        self._send(command)
        answer = self._answer()
        for _ in range(SASL_STEPS):
            if answer.code != 334:
                break
            said = respond(_decoded(answer.text)) if first is None else first
            first = None
            self._send(self._hidden(said))
            answer = self._answer()
        return answer

    def _hidden(self, said: bytes) -> str:
        """As it is sent; the watch knows then what must never be seen, should the server echo it."""
        encoded = base64.b64encode(said).decode()
        self._watch.secret(encoded)
        return encoded

    def transmit(self, wire: bytes) -> Answer:
        """DATA (RFC 5321, 4.1.1.4). ``wire``: a mail as ``stuffed`` makes it.

        Raises ``InDoubt`` where it was sent to its end and the answer did not come; before that, a server throws away
        what it has got.
        """
        self._send("DATA")
        answer = self._answer()
        if answer.code != 354:
            if answer.code < 400:
                self.close()
                raise self._senseless()
            raise Refused(answer)
        self._watch.sent(b"(%d bytes)" % len(wire))
        try:
            with memoryview(wire) as whole:
                for start in range(0, len(wire), CHUNK_BYTES):
                    self._write(whole[start : start + CHUNK_BYTES])
        except OSError as error:
            raise self._last_words() or error from error
        except BaseException:
            self.close()  # a QUIT would be taken for a line of the mail
            raise
        return self._end_of_data()

    def _end_of_data(self) -> Answer:
        try:
            self._lines.seconds_left(0)  # the last moment to give up without doubt
        except TimedOut:
            self.close()
            raise
        try:
            self._write(b".\r\n")
            answer = self._answer(FINAL_SECONDS)
            if answer.code < 400 and not answer.ok:
                raise self._senseless()
        except (OSError, TimedOut, ProtocolViolation) as error:
            self.close()
            raise InDoubt(type(error).__name__) from error
        if not answer.ok:
            raise Refused(answer)
        return answer

    def _last_words(self) -> Refused | None:
        """Why the server hung up in the middle of a mail, if it said so ("552 too big"). Closes the connection."""
        try:
            answer = self._answer(LAST_WORDS_SECONDS)
        except (OSError, TimedOut, ProtocolViolation):
            return None
        finally:
            self.close()
        return Refused(answer) if answer.code >= 400 else None

    # ── the wire ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _send(self, line: str) -> None:
        log.count("round_trips")
        encoded = line.encode()
        if _CONTROL.search(encoded):
            raise control_character()
        if self._lines.buffer:
            # Nobody asked: a farewell, or an answer that would be taken for that to the next question.
            raise self._unasked()
        self._watch.sent(encoded)
        try:
            self._write(encoded + b"\r\n")
        except OSError as error:
            raise self._last_words() or error from error

    def _write(self, data: bytes | memoryview) -> None:
        try:
            connection = self._lines.connection
            connection.settimeout(self._lines.seconds_left(self._dialer.read_seconds))
            connection.sendall(data)
        except (TimeoutError, TimedOut):
            self.close()
            raise

    def _unasked(self) -> Exception:
        answer = self._answer()
        self.close()
        return Refused(answer) if answer.code == 421 else self._senseless()

    def _answer(self, seconds: float = 0.0, greeting: bool = False) -> Answer:
        """The next answer, with all its lines (RFC 5321, 4.2.1). 421 is a farewell: the connection is closed then."""
        lines: list[bytes] = []
        code, size, goes_on = b"", 0, True
        while goes_on:
            line = self._line(seconds or self._dialer.read_seconds)
            match = _REPLY.fullmatch(line)
            size += len(line)
            if greeting and not lines and not match and (other := stranger(line, self._where)):
                self.close()
                raise other
            if not match or (code and match[1] != code) or size > ANSWER_BYTES or len(lines) >= ANSWER_LINES:
                self.close()
                raise self._senseless()
            code, goes_on = match[1], match[2] == b"-"
            lines.append(match[3] or b"")
        made = read_answer(int(code), lines)
        if made.code == 421:
            self.close()
        return made

    def _line(self, seconds: float) -> bytes:
        """A line without its end."""
        try:
            line = self._lines.line(ANSWER_BYTES, seconds).rstrip(b"\n").rstrip(b"\r")
        except TooLong:
            raise self._senseless() from None
        # A challenge may hold what it likes of what we said.
        self._watch.received(b"334 ***" if self._private and line.startswith(b"334") else line)
        return line

    def _senseless(self) -> ProtocolViolation:
        return ProtocolViolation(
            f"{self._where} does not speak SMTP.", "Check the port: sending uses 465 with SSL, 587 with STARTTLS."
        )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""
