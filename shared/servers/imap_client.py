"""An IMAP connection up to the point where folders can be opened: dialled, greeted, encrypted, logged in by the best
way that is offered."""

from __future__ import annotations

import imaplib
import logging
from contextlib import suppress
from typing import Any

from imapclient.exceptions import LoginError

from shared.errors import LoginRefused, SignInNotOffered, TlsRequired
from shared.model.mailbox import Settings
from shared.ports import Watch
from shared.servers import sasl
from shared.servers.credential import Credential, Tokens
from shared.servers.dial import Dialer, end, ended_after
from shared.servers.imap_wire import Client
from shared.servers.translate import control_character, login_refused, no_encryption, token_refused

# imapclient logs whole conversations at DEBUG; ours is the transcript, which knows what to strike out.
logging.getLogger("imapclient").setLevel(logging.CRITICAL)


SETUP_SECONDS = 45.0
"""For greeting and capabilities, and once more for STARTTLS, however slowly each byte comes: one answer that is as slow
as it may be (30 s) and a little."""


def connect(settings: Settings, dialer: Dialer) -> Any:
    """A client that has read the greeting, inside TLS unless the tenant chose none.

    Raises what the road raises (see ``translate``), and ``TlsRequired``: never anything in clear text that was to be
    encrypted.
    """
    host, port, security = settings.host, settings.effective_port, settings.security
    connection = dialer.dial(host, port, security)
    dialer.watch.step("greeting")
    try:
        with ended_after(SETUP_SECONDS, lambda: end(connection)):
            # A trailing dot is right for DNS and wrong for the certificate, which imaplib checks after STARTTLS.
            client = Client(host.rstrip("."), port, connection, security == "ssl", dialer)
    except BaseException:
        connection.close()
        raise
    if security == "starttls":
        try:
            with ended_after(SETUP_SECONDS, lambda: hang_up(client)):
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
    except imaplib.IMAP4.error as error:
        _check_connected(error)
        raise login_refused(error, settings.host) from None
    finally:
        watch.private(False)


def _check_connected(error: Exception) -> None:
    """imapclient calls it a refused log-in, too, when the connection breaks meanwhile; that is nobody's password."""
    for one in (error, error.__context__):
        if isinstance(one, imaplib.IMAP4.abort):
            raise one


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
        client.sasl_login("CRAM-MD5", sasl.cram_md5(name, password))
    elif client.has_capability("AUTH=PLAIN"):
        # PLAIN carries any letter (UTF-8); the command LOGIN breaks on one beyond ASCII.
        client.sasl_login("PLAIN", lambda _: sasl.plain(name, password))
    elif client.has_capability("AUTH=LOGIN") and (
        client.has_capability("LOGINDISABLED") or not _is_ascii(name, password)
    ):
        # Dovecot with this mechanism alone offers no command LOGIN, which would save two round trips.
        client.sasl_login("LOGIN", sasl.login(name, password))
    else:
        _login(client, settings, password)


def _is_ascii(*texts: str) -> bool:
    return all(text.isascii() for text in texts)


def _login(client: Any, settings: Settings, password: str) -> None:
    if client.has_capability("LOGINDISABLED"):
        raise TlsRequired(
            f"{settings.host} takes passwords only over encryption.", "Choose SSL (port 993) or STARTTLS."
        )
    if not _is_ascii(password, settings.username):
        raise LoginRefused(
            f"{settings.host} offers only an old log-in that cannot carry every letter of this password.",
            "Change the password (or user name) to letters, digits and signs of the English keyboard, or use an app "
            "password.",
        )
    client.login(settings.username, password)


def _log_in_by_token(client: Any, settings: Settings, tokens: Tokens, watch: Watch) -> None:
    """XOAUTH2 or OAUTHBEARER. A token that the server refuses is replaced once."""
    offered = [name for name in ("XOAUTH2", "OAUTHBEARER") if client.has_capability(f"AUTH={name}")]
    mechanism = sasl.bearer_mechanism(offered)
    if mechanism is None:
        raise SignInNotOffered(
            f"{settings.host} does not offer signing in by OAuth 2.0.",
            "Choose password as the way to log in; if this is Microsoft 365, use outlook.office365.com as server name.",
        )
    for renew in (False, True):
        watch.step("token")
        token = tokens(renew)
        watch.secret(token)
        watch.step("login")
        answer = sasl.Bearer(mechanism, settings.username, token, settings.host, settings.effective_port)
        watch.private(True)
        try:
            client.sasl_login(mechanism, answer)
        except LoginError as error:
            _check_connected(error)
            refused = error
        else:
            return
        finally:
            watch.private(False)
    raise token_refused(refused, answer.reason, settings.host) from None


def hang_up(client: Any) -> None:
    """Close the connection, whatever state it is in; may be called from another thread to end a read."""
    # First: closing imaplib's file would wait for the other thread's read.
    end(client._imap.sock)
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
