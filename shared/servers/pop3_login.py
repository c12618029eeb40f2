"""From nothing to a POP3 session: connected, and logged in by the best way that the server offers."""

from __future__ import annotations

from shared.errors import SignInNotOffered, Unreachable
from shared.model.mailbox import Settings
from shared.ports import Watch
from shared.servers import sasl
from shared.servers.credential import Credential, Tokens
from shared.servers.dial import Dialer
from shared.servers.pop3_client import Pop3Client, Refused
from shared.servers.pop3_refusals import not_let_in, transient, translated
from shared.servers.translate import control_character

SESSION_SECONDS = 180
"""The end of a conversation, whatever the server does; as with IMAP."""

_UNTOLD = "XOAUTH2"
"""What is tried where a server does not say which mechanisms it knows: Exchange's."""


def open_session(settings: Settings, credential: Credential, dialer: Dialer) -> Pop3Client:
    """A connection on which mail may be asked for. Raises ``InboundError``."""
    client = Pop3Client(dialer, settings.host, settings.effective_port, SESSION_SECONDS)
    with translated(settings, client):
        _connect(client, settings)
        try:
            _log_in(client, settings, credential, dialer.watch)
        except BaseException:
            client.close()
            raise
    return client


def _connect(client: Pop3Client, settings: Settings) -> None:
    try:
        client.connect(settings.security)
    except Refused as refused:
        raise transient(refused, client.capabilities) or Unreachable(
            f"{settings.host} takes no connections just now.",
            "The next poll tries again; nothing is wrong with the settings as far as this shows.",
        ) from refused


def _log_in(client: Pop3Client, settings: Settings, credential: Credential, watch: Watch) -> None:
    by_token = credential.tokens is not None
    if not by_token:
        watch.step("login")
    user = _checked(settings.username or settings.email, "username")
    try:
        if credential.tokens is not None:
            _sign_in(client, settings, user, credential.tokens, watch)
        else:
            watch.secret(credential.password)
            _send_password(client, user, _checked(credential.password, "password"), settings.security == "none")
    except Refused as refused:
        raise not_let_in(refused, settings.host, client.capabilities, by_token) from None


def _send_password(client: Pop3Client, user: str, password: str, in_clear: bool) -> None:
    """In clear text, a challenge shows nothing to whoever listens; inside TLS it only makes the server keep the
    password readable."""
    offered = client.capabilities
    mechanisms = _mechanisms(client)
    if "CRAM-MD5" in mechanisms and (in_clear or not ("PLAIN" in mechanisms or "USER" in offered)):
        client.authenticate("CRAM-MD5", sasl.cram_md5(user, password))
    elif "PLAIN" in mechanisms:
        client.authenticate("PLAIN", lambda _: sasl.plain(user, password))
    else:
        client.command(f"USER {user}")
        client.command(f"PASS {password}", shown="PASS ***")


def _sign_in(client: Pop3Client, settings: Settings, user: str, tokens: Tokens, watch: Watch) -> None:
    """By a token, in the way that is offered. One that the server refuses is replaced once."""
    mechanism = sasl.bearer_mechanism(_mechanisms(client, _UNTOLD))
    if mechanism is None:
        raise SignInNotOffered(
            f"{settings.host} does not offer signing in by OAuth 2.0.",
            "Choose password as the way to log in; if this is Microsoft 365, use outlook.office365.com as server name.",
        )

    def bear(renew: bool) -> None:
        watch.step("token")
        token = _checked(tokens(renew))
        watch.secret(token)
        watch.step("login")
        bearer = sasl.Bearer(mechanism, user, token, settings.host, settings.effective_port)
        client.authenticate(mechanism, bearer)

    try:
        bear(renew=False)
    except Refused as refused:
        if transient(refused, client.capabilities):
            raise
        # Some servers hang up after a refusal: a new connection is sure.
        client.close()
        _connect(client, settings)
        bear(renew=True)


def _mechanisms(client: Pop3Client, otherwise: str = "") -> list[str]:
    return client.capabilities.get("SASL", otherwise).split()


def _checked(text: str, field: str = "") -> str:
    """A line break would be a command, and NUL or 0x01 an end within SASL."""
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise control_character(field)
    return text
