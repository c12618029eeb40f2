"""imapclient on a socket of ours: dialled by ``dial``, written into a transcript, logged in by the best way offered."""

from __future__ import annotations

import imaplib
import logging
import socket
from contextlib import suppress
from typing import Any

from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from shared.errors import TlsRequired
from shared.model.mailbox import Settings
from shared.ports import Watch
from shared.servers.dial import Dialer
from shared.servers.translate import login_refused

# imapclient logs whole conversations at DEBUG; ours is the transcript, which knows what to strike out.
logging.getLogger("imapclient").setLevel(logging.CRITICAL)


class _Imap(imaplib.IMAP4):
    """imaplib on a socket that is connected already."""

    def __init__(self, host: str, port: int, connection: socket.socket, watch: Watch) -> None:
        self._connection = connection
        self._watch = watch
        super().__init__(host, port)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        return self._connection

    def send(self, data: Any) -> None:
        """To the server."""
        self._watch.sent(bytes(data))
        super().send(data)

    def readline(self) -> bytes:
        """A line from the server."""
        line = super().readline()
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
    try:
        client = _Client(host, port, connection, security == "ssl", dialer.watch)
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


def log_in(client: Any, settings: Settings, password: str, watch: Watch) -> None:
    """By password. PLAIN where offered: it carries any letter (UTF-8), LOGIN breaks on one beyond ASCII."""
    watch.secret(password)
    watch.private(True)
    try:
        if client.has_capability("AUTH=PLAIN"):
            client.plain_login(settings.username, password)
        else:
            client.login(settings.username, password)
    except LoginError as error:
        raise login_refused(error, settings.host) from None
    finally:
        watch.private(False)


def hang_up(client: Any) -> None:
    """Close the connection, whatever state it is in; may be called from another thread to end a read."""
    with suppress(OSError):  # it is closed already, which is all that we want
        client.shutdown()


def _start_tls(client: Any, host: str, dialer: Dialer) -> None:
    if client._imap.state == "AUTH":
        # A greeting of PREAUTH forbids STARTTLS: somebody in the middle may want clear text (nostarttls.secvuln.info).
        raise TlsRequired(f"{host} refuses encryption on this port.", "Use port 993 with SSL.")
    client.starttls(dialer.context())
