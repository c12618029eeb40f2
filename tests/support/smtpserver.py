"""Servers to send through: a real one (aiosmtpd) whose mood can be set, and one that says what it is told."""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.scripted import BANNER, Talk

USER = "desk@firm.example"
PASSWORD = "correct-horse-battery"


@dataclass(frozen=True)
class Taken:
    """A mail that the server took."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    options: tuple[str, ...]


@dataclass
class Mood:
    """What the server took, and how it behaves from now on.

    ``refuses``: answers by recipient; ``sender``, ``data``: answers to MAIL and to a whole mail; ``dies``: it takes the
    mail and hangs up instead of answering; ``used``: the mechanisms of log-ins.
    """

    taken: list[Taken] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    sender: str = ""
    data: str = ""
    dies: bool = False
    token: str = ""
    used: list[str] = field(default_factory=list)
    resets: int = 0


class _Door(SMTP):
    line_length_limit = 1024 * 1024


class _Handler:
    """aiosmtpd's hooks."""

    def __init__(self, mood: Mood) -> None:
        self.mood = mood

    async def auth_CRAM__MD5(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802
        challenge = f"<{secrets.token_hex(8)}@localhost>".encode()
        said = await server.challenge_auth(challenge)
        self.mood.used.append("CRAM-MD5")
        user, _, digest = said.decode().rpartition(" ") if isinstance(said, bytes) else ("", "", "")
        wanted = hmac.new(PASSWORD.encode(), challenge, "md5").hexdigest()
        return AuthResult(success=user == USER and digest == wanted, handled=False)

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802
        said = base64.b64decode(args[1]) if len(args) > 1 else await server.challenge_auth("")
        self.mood.used.append("XOAUTH2 at once" if len(args) > 1 else "XOAUTH2")
        if said == f"user={USER}\x01auth=Bearer {self.mood.token}\x01\x01".encode():
            return AuthResult(success=True)
        await server.challenge_auth('{"status":"401","schemes":"Bearer"}')
        return AuthResult(success=False, handled=False)

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        if self.mood.sender:
            return self.mood.sender
        envelope.mail_from, envelope.mail_options = address, options
        return "250 2.1.0 ok"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := self.mood.refuses.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_RSET(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.mood.resets += 1
        return "250 2.0.0 forgotten"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.mood.data:
            return self.mood.data
        content = envelope.original_content
        assert isinstance(content, bytes)
        options = tuple(envelope.mail_options)
        self.mood.taken.append(Taken(envelope.mail_from or "", tuple(envelope.rcpt_tos), content, options))
        if self.mood.dies:
            transport: Any = server.transport
            transport.abort()
        return "250 2.0.0 kept"


class SmtpServer:
    """aiosmtpd in a thread (``with SmtpServer(context) as server``), on a port of its own.

    ``security``: ssl, starttls (and nothing without it) or none. ``without``: mechanisms that it does not offer.
    """

    def __init__(
        self,
        context: ssl.SSLContext | None,
        security: str = "starttls",
        without: Sequence[str] = (),
        size: int = 1_000_000,
        utf8: bool = True,
    ) -> None:
        self.mood = Mood()
        self.port = 0
        self._context = context
        self._security = security
        self._options: dict[str, Any] = {
            "data_size_limit": size,
            "enable_SMTPUTF8": utf8,
            "hostname": "localhost",
            "auth_require_tls": False,
            "auth_exclude_mechanism": list(without),
            "authenticator": self._judge,
            "command_call_limit": 10_000,
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _judge(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        self.mood.used.append(mechanism)
        good = isinstance(data, LoginPassword) and data.login == USER.encode() and data.password == PASSWORD.encode()
        return AuthResult(success=good, handled=False)

    def _door(self) -> SMTP:
        starttls = self._security == "starttls"
        return _Door(
            _Handler(self.mood),
            tls_context=self._context if starttls else None,
            require_starttls=starttls,
            loop=self._loop,
            **self._options,
        )

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        inside = self._context if self._security == "ssl" else None
        serving = self._loop.run_until_complete(self._loop.create_server(self._door, "127.0.0.1", 0, ssl=inside))
        self.port = int(serving.sockets[0].getsockname()[1])
        self._ready.set()
        self._loop.run_forever()
        serving.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()


# ── by a script ───────────────────────────────────────────────────────────────────────────────────────────────────

OFFERED = ("AUTH PLAIN LOGIN", "8BITMIME", "SMTPUTF8", "SIZE 1000000")

GOOD = {"AUTH": "235 2.7.0 in", "DATA": "354 go on", "QUIT": "221 bye", "STARTTLS": "220 go on"}


def smtp(
    answers: Mapping[str, str] | None = None,
    offered: Sequence[str] = OFFERED,
    greeting: str = f"220 {BANNER} ESMTP",
    context: ssl.SSLContext | None = None,
    injected: bytes = b"",
    heard: list[bytes] | None = None,
    says: Callable[[bytes], bytes] | None = None,
) -> Talk:
    """An SMTP server by a script. ``answers``: to a verb ("." is the end of a mail), "" to hang up there, all others
    are fine. With a context it offers STARTTLS; ``injected``: sent in clear text right behind its answer. ``heard``:
    gets each line. ``says``: what is sent before the answer to a line.
    """
    told = {**GOOD, **(answers or {})}
    heard = heard if heard is not None else []

    def talk(connection: socket.socket) -> None:
        connection.sendall(f"{greeting}\r\n".encode())
        if _converse(connection, False) and context:
            with context.wrap_socket(connection, server_side=True) as encrypted:
                _converse(encrypted, True)

    def _converse(connection: socket.socket, encrypted: bool) -> bool:
        """Whether TLS begins now; else the conversation is over."""
        reader, in_mail = connection.makefile("rb"), False
        while line := reader.readline():
            heard.append(line)
            if in_mail and line != b".\r\n":
                continue
            verb = "." if in_mail else line.decode("utf-8", "replace").split(" ")[0].strip().upper()
            in_mail = False
            if says:
                connection.sendall(says(line))
            answer = told.get(verb, "250 2.0.0 fine")
            if not answer:
                return False
            if verb == "EHLO" and verb not in told:
                more = ("STARTTLS",) if context and not encrypted else ()
                lines = [f"{BANNER} at your service", *offered, *more]
                answer = "\r\n".join([*(f"250-{one}" for one in lines[:-1]), f"250 {lines[-1]}"])
            else:
                answer = f"{answer} {BANNER}"
            connection.sendall(f"{answer}\r\n".encode() + (injected if verb == "STARTTLS" else b""))
            in_mail = verb == "DATA" and answer.startswith("354")
            if verb == "STARTTLS" and answer.startswith("220"):
                return True
        return False

    return talk
