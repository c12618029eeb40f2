"""imapclient on a socket of ours: dialled by ``dial``, written into a transcript, logged in by the best way offered."""

from __future__ import annotations

import hmac
import imaplib
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from shared.errors import LoginRefused, SignInNotOffered, TlsRequired
from shared.model.mailbox import Settings
from shared.ports import Watch
from shared.servers.credential import Credential, Tokens
from shared.servers.dial import Dialer, NoGreeting
from shared.servers.translate import control_character, login_refused, no_encryption, no_welcome, token_refused

# imapclient logs whole conversations at DEBUG; ours is the transcript, which knows what to strike out.
logging.getLogger("imapclient").setLevel(logging.CRITICAL)


_WELCOMES = (b"* OK", b"* PREAUTH")


class _Imap(imaplib.IMAP4):
    """imaplib on a socket that is connected already."""

    def __init__(self, host: str, port: int, connection: socket.socket, watch: Watch) -> None:
        self._connection = connection
        self._watch = watch
        self._greeting: bytes | None = None
        where = f"{host}:{port}"
        try:
            super().__init__(host, port)
        except TimeoutError as error:
            raise NoGreeting(*error.args) from error
        except (imaplib.IMAP4.error, ConnectionError) as error:
            if (self._greeting or b"").upper().startswith(_WELCOMES):
                raise
            raise no_welcome(self._greeting or b"", where) from error

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        return self._connection

    def send(self, data: Any) -> None:
        """To the server."""
        self._watch.sent(bytes(data))
        super().send(data)

    def readline(self) -> bytes:
        """A line from the server."""
        line = super().readline()
        self._greeting = line if self._greeting is None else self._greeting
        self._watch.received(line)
        return line

    def read(self, size: int) -> bytes:
        """A literal from the server: mail, which no transcript shows."""
        self._watch.note(f"({size} bytes)")
        return super().read(size)


class _Client(IMAPClient):  # type: ignore[misc]
    """imapclient over ``_Imap``."""

    def __init__(self, host: str, port: int, connection: socket.socket, encrypted: bool, watch: Watch) -> None:
        self._ours = (host, port, connection, watch)
        super().__init__(host, port=port, ssl=encrypted)
        self._imap.debug = 0
        self.normalise_times = False

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802 - imapclient's name
        return _Imap(*self._ours)


def connect(settings: Settings, dialer: Dialer) -> Any:
    """A client that has read the greeting, inside TLS unless the tenant chose none.

    Raises what the road raises (see ``translate``), and ``TlsRequired``: never anything in clear text that was to be
    encrypted.
    """
    host, port, security = settings.host, settings.effective_port, settings.security
    connection = dialer.dial(host, port, security)
    dialer.watch.step("greeting")
    try:
        # A trailing dot is right for DNS and wrong for the certificate, which imaplib checks after STARTTLS.
        client = _Client(host.rstrip("."), port, connection, security == "ssl", dialer.watch)
    except BaseException:
        connection.close()
        raise
    if security == "starttls":
        try:
            _start_tls(client, host, dialer)
        except BaseException:
            hang_up(client)
            raise
    return client


def log_in(client: Any, settings: Settings, credential: Credential, watch: Watch) -> None:
    """By token where there is one, else by password. Raises ``LoginRefused`` and its like."""
    if credential.tokens is not None:
        _log_in_by_token(client, settings, credential.tokens, watch)
        return
    watch.step("login")
    watch.secret(credential.password)
    _check_control(settings.username, "username")
    _check_control(credential.password, "password")
    watch.private(True)
    try:
        _log_in_by_password(client, settings, credential.password)
    except (LoginError, imaplib.IMAP4.error) as error:
        if isinstance(error, imaplib.IMAP4.abort):
            raise
        raise login_refused(error, settings.host) from None
    finally:
        watch.private(False)


def _check_control(text: str, field: str) -> None:
    """imaplib sends a line break as it is, and there it begins a command."""
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise control_character(field)


def _log_in_by_password(client: Any, settings: Settings, password: str) -> None:
    name = settings.username
    # In clear text, a challenge shows nothing to whoever listens (RFC 2195); inside TLS it only makes the server keep
    # the password readable.
    if client.has_capability("AUTH=CRAM-MD5") and (
        settings.security == "none" or not any(map(client.has_capability, ("AUTH=PLAIN", "AUTH=LOGIN")))
    ):
        _cram_md5(client, name, password)
    elif client.has_capability("AUTH=PLAIN"):
        # PLAIN carries any letter (UTF-8); LOGIN breaks on one beyond ASCII.
        client.plain_login(name, password)
    else:
        _login(client, settings, password)


def _login(client: Any, settings: Settings, password: str) -> None:
    if client.has_capability("LOGINDISABLED"):
        raise TlsRequired(
            f"{settings.host} takes passwords only over encryption.", "Choose SSL (port 993) or STARTTLS."
        )
    if not password.isascii() or not settings.username.isascii():
        raise LoginRefused(
            f"{settings.host} offers only an old log-in that cannot carry every letter of this password.",
            "Change the password (or user name) to letters, digits and signs of the English keyboard, or use an app "
            "password.",
        )
    client.login(settings.username, password)


def _cram_md5(client: Any, name: str, password: str) -> None:
    """RFC 2195. imapclient has no method of its own for it."""

    def answer(challenge: bytes) -> bytes:
        return f"{name} {hmac.new(password.encode(), challenge, 'md5').hexdigest()}".encode()

    client.sasl_login("CRAM-MD5", answer)


def _log_in_by_token(client: Any, settings: Settings, tokens: Tokens, watch: Watch) -> None:
    """XOAUTH2 or OAUTHBEARER (RFC 7628). A token that the server refuses is replaced once."""
    mechanism = "OAUTHBEARER" if not client.has_capability("AUTH=XOAUTH2") else "XOAUTH2"
    if not client.has_capability(f"AUTH={mechanism}"):
        raise SignInNotOffered(
            f"{settings.host} does not offer signing in by OAuth 2.0.",
            "Choose password as the way to log in; if this is Microsoft 365, use outlook.office365.com as server name.",
        )
    for renew in (False, True):
        watch.step("token")
        token = tokens(renew)
        watch.secret(token)
        watch.step("login")
        said: list[bytes] = []
        watch.private(True)
        try:
            client.sasl_login(mechanism, _bearer(mechanism, settings, token, said))
        except LoginError as error:
            refused = error
        else:
            return
        finally:
            watch.private(False)
    raise token_refused(refused, b"".join(said), settings.host) from None


def _bearer(mechanism: str, settings: Settings, token: str, said: list[bytes]) -> Callable[[bytes], bytes]:
    """The answers of both mechanisms. When the server refuses, it says why in a challenge, and wants an empty answer
    (XOAUTH2) or a single \\x01 (RFC 7628, 3.2.3) before it says no."""
    if mechanism == "XOAUTH2":
        first = f"user={settings.username}\x01auth=Bearer {token}\x01\x01"
    else:
        host, port = settings.host, settings.effective_port
        first = f"n,a={settings.username},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01"

    def answer(challenge: bytes) -> bytes:
        if not said:
            said.append(b"")
            return first.encode()
        said.append(challenge)
        return b"\x01" if mechanism == "OAUTHBEARER" else b""

    return answer


def hang_up(client: Any) -> None:
    """Close the connection, whatever state it is in; may be called from another thread to end a read."""
    with suppress(OSError):  # it is closed already, which is all that we want
        client.shutdown()


def _start_tls(client: Any, host: str, dialer: Dialer) -> None:
    if client._imap.state == "AUTH":
        # A greeting of PREAUTH forbids STARTTLS: somebody in the middle may want clear text (nostarttls.secvuln.info).
        raise no_encryption(host, "imap")
    dialer.watch.step("tls")
    try:
        client.starttls(dialer.context())
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:  # not offered, or offered and refused
        raise no_encryption(f"{host}:{client.port}", "imap") from None
