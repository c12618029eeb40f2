"""From what sockets, TLS and imaplib raise to errors that say who must act. No library's error leaves this room.

Nor does a server's own text: it only chooses among our words. A bug of ours is shown to the mailbox, too, and written
down besides (``blame``).
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from imapclient.exceptions import CapabilityError, LoginError

from shared.errors import (
    AccessDenied,
    ConsentNeeded,
    HostNotFound,
    InboundError,
    LoginRefused,
    ProtocolViolation,
    SettingsError,
    Throttled,
    TimedOut,
    TlsRequired,
    Unreachable,
    WrongServer,
)
from shared.servers import blame, certificate
from shared.servers.dial import HandshakeBroken, NoConnection, NoGreeting, NoHandshake
from shared.servers.words import duration, in_command

_THROTTLED = re.compile(
    r"throttled|too many|authenticated but not connected|\[(LIMIT|INUSE|OVERQUOTA|UNAVAILABLE)\]|try again (later|in)",
    re.I,
)
"""Answers that sound like a refusal and are a request to wait."""

_NO_SUCH_NAME = (socket.EAI_NONAME, socket.EAI_NODATA)
"""The only two of getaddrinfo that judge the name; the others (EAI_AGAIN, EAI_FAIL …) say that DNS is not well."""

_BACKOFF = re.compile(r"Backoff Time: (\d+) milliseconds", re.I)
_CLEAR_TEXT = re.compile(r"PRIVACYREQUIRED|LOGINDISABLED|plaintext auth", re.I)
_APP_PASSWORD = re.compile(r"application-specific password|app(lication)? password", re.I)
_WEB_LOGIN = re.compile(r"WEBALERT|web login required|log in via your web browser", re.I)
_NOT_ENABLED = re.compile(r"not enabled for (IMAP|POP)", re.I)
_NOT_CONNECTED = re.compile(r"authenticated but not connected", re.I)
_NO_PERMISSION = re.compile(r"\[NOPERM\]|permission denied", re.I)

_STARTS_ENCRYPTED = (993, 995, 465)
"""RFC 8314."""

_MICROSOFT = re.compile(
    r"(^|\.)(office365\.com|office365\.us|outlook\.com|outlook\.cn|office\.com|hotmail\.com)$", re.I
)
_GOOGLE = re.compile(r"(^|\.)(gmail|googlemail|google)\.com$", re.I)
_APP_PASSWORDS_ONLY = re.compile(r"(^|\.)(yahoo\.com|aol\.com|me\.com|icloud\.com)$", re.I)

_PORTS = {
    "imap": "IMAP uses port 993 with SSL, or port 143 with STARTTLS.",
    "pop3": "POP3 uses port 995 with SSL, or port 110 with STARTTLS.",
    "": "IMAP uses port 993 with SSL, 143 with STARTTLS; POP3 uses 995 and 110.",
}
_SSL_PORT = {"imap": "port 993", "pop3": "port 995", "": "port 993 (IMAP) or 995 (POP3)"}
_NAMES = {"imap": "IMAP", "pop3": "POP3", "": "the chosen protocol"}

_AS_APP = (
    "Check that the signed-in account may open this mailbox. An app that signs in by itself needs the permission "
    "IMAP.AccessAsApp or POP.AccessAsApp with admin consent, and in Exchange Online PowerShell: New-ServicePrincipal "
    "-AppId <client ID> -ObjectId <object ID of the enterprise application>, then Add-MailboxPermission with "
    "FullAccess."
)


@contextmanager
def errors_translated(host: str, port: int, protocol: str = "", security: str = "ssl") -> Iterator[None]:
    """Raise everything that goes wrong inside as an ``InboundError`` about this server. ``protocol``: imap, pop3 or
    nothing, for words that fit."""
    try:
        yield
    except InboundError:
        raise
    except Exception as error:
        raise translated(error, host, port, protocol, security) from error


def translated(error: Exception, host: str, port: int, protocol: str = "", security: str = "ssl") -> InboundError:
    """Our error for a library's."""
    where = f"{host}:{port}"
    if isinstance(error, ssl.SSLError):
        return _tls(error, host, port, protocol)
    # The codec "idna" refuses a host; any other fails on what the server says (3.11 does not name it, 3.13 does).
    if isinstance(error, socket.gaierror) or (
        isinstance(error, UnicodeError) and getattr(error, "encoding", "idna") == "idna"
    ):
        return _name(error, host)
    if isinstance(error, TimeoutError):
        return _timed_out(error, where, port, protocol, security)
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(f"{host} answers, but nothing listens on port {port}.", _PORTS[protocol], field="port")
    if isinstance(error, CapabilityError):
        return no_encryption(where, protocol)
    if isinstance(error, imaplib.IMAP4.error):
        return _imap(error, where)
    if isinstance(error, HandshakeBroken):
        return _handshake_broken(where)
    if isinstance(error, OSError):
        return Unreachable(f"The connection to {where} broke.", "The next poll tries again.")
    if blame.is_ours(error):
        blame.write_down(error)
        return ProtocolViolation(
            f"This service made a mistake of its own when it spoke with {where}.",
            "Nothing is wrong with the settings as far as this shows, and the next poll tries again. The administrator "
            "of this service finds the mistake in its log.",
        )
    return ProtocolViolation(f"{where} gave an answer that makes no sense.", "The next poll tries again.")


# ── on the way there ──────────────────────────────────────────────────────────────────────────────────────────────


def _name(error: Exception, host: str) -> InboundError:
    if isinstance(error, socket.gaierror) and error.errno not in _NO_SUCH_NAME:
        return Unreachable(
            f"The name {host} could not be looked up just now.",
            "Nothing is wrong with the settings as far as this shows; try again in a minute.",
        )
    return HostNotFound(
        f"There is no server called {host}.",
        "Check the spelling of the server name. Give the name only, such as imap.example.com: no https://, no path.",
    )


def _timed_out(error: TimeoutError, where: str, port: int, protocol: str, security: str) -> InboundError:
    if isinstance(error, NoConnection):
        return TimedOut(
            f"{where} does not answer at all.",
            "Check server name and port. If both are right, a firewall there shuts this service out: ask the server's "
            f"operator to let it in. {_PORTS[protocol]}",
            field="host",
        )
    if isinstance(error, NoHandshake) or "handshake" in str(error):
        return TimedOut(
            f"{where} accepts the connection and then does not answer when encryption begins.",
            f"Check the port. {_PORTS[protocol]} If the port is right, choose STARTTLS, or a firewall is in the way.",
            field="port",
        )
    if isinstance(error, NoGreeting):
        return silent(where, port, protocol, security)
    return TimedOut(
        f"{where} stopped answering in the middle.", "The next poll tries again. If this goes on, ask its operator."
    )


def silent(where: str, port: int, protocol: str, security: str) -> InboundError:
    """Our error for a server that takes a connection and then says nothing."""
    if security == "ssl":
        return TimedOut(
            f"{where} accepts the connection and then says nothing.",
            f"Check the port: another kind of server may listen there. {_PORTS[protocol]}",
            field="port",
        )
    if port in _STARTS_ENCRYPTED:
        return _starts_encrypted(where, port)
    return TimedOut(
        f"{where} accepts the connection and then says nothing.",
        f"It may expect encryption from the start: choose SSL, with {_SSL_PORT[protocol]}. "
        "If SSL is wrong there, check the port.",
        field="security",
    )


def _starts_encrypted(where: str, port: int) -> TlsRequired:
    return TlsRequired(
        f"This port expects encryption from the start: choose SSL/TLS for {where}.",
        f"Set the security to SSL/TLS and keep port {port}. The password was not sent.",
        field="security",
    )


def _tls(error: ssl.SSLError, host: str, port: int, protocol: str) -> InboundError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return certificate.refused(error, host, getattr(error, "seen", None))
    reason = getattr(error, "reason", None) or ""  # only OpenSSL's own errors have one
    if reason == "WRONG_VERSION_NUMBER":
        return TlsRequired(
            f"Port {port} of {host} starts without encryption.",
            f"Choose SSL with {_SSL_PORT[protocol]}; or keep port {port} and choose STARTTLS.",
        )
    if "PROTOCOL_VERSION" in reason or reason == "UNSUPPORTED_PROTOCOL":
        return TlsRequired(
            f"{host} offers only old, unsafe encryption (TLS 1.1 or older).",
            "Ask the server's operator to enable TLS 1.2 or 1.3; no setting here can mend it.",
            field="",
        )
    return _handshake_broken(f"{host}:{port}")


def _handshake_broken(where: str) -> Unreachable:
    return Unreachable(
        f"{where} broke off while encryption was set up.",
        "Often it blocks unknown addresses, or it is very old: ask the server's operator. Check the port, too.",
    )


def no_encryption(where: str, protocol: str) -> TlsRequired:
    """Our error where STARTTLS was chosen and is not offered: nothing is sent in clear text instead."""
    return TlsRequired(
        f"{where} does not offer encryption on this port.",
        f"Choose SSL with {_SSL_PORT[protocol]}. The password was not sent.",
    )


# ── the greeting ──────────────────────────────────────────────────────────────────────────────────────────────────


def stranger(greeting: bytes, where: str, protocol: str) -> WrongServer | None:
    """Our error for the greeting of another kind of server; None when it is not known as one."""
    wanted = _NAMES[protocol]
    for start, type_, name in ((b"* ", "imap", "an IMAP server"), (b"+OK", "pop3", "a POP3 server")):
        if greeting.startswith(start) and type_ != protocol:
            return WrongServer(
                f"{where} is {name}, not {wanted}.",
                f"Choose {_NAMES[type_]} as server type; or keep {wanted} and correct the port. {_PORTS[protocol]}",
            )
    if greeting.startswith(b"220"):
        return WrongServer(
            f"{where} is a server for sending mail (SMTP), not {wanted}.",
            f"Give the server and port for incoming mail. {_PORTS[protocol]}",
            field="port",
        )
    if greeting.startswith(b"HTTP/"):
        return WrongServer(
            f"{where} is a web server, not {wanted}.", f"Check the port. {_PORTS[protocol]}", field="port"
        )
    return None


def no_welcome(greeting: bytes, where: str, port: int = 0, security: str = "ssl") -> InboundError:
    """Our error for an IMAP server that ends the conversation before it began."""
    if other := stranger(greeting, where, "imap"):
        return other
    if greeting[:5].upper() == b"* BYE":
        return _throttled(greeting.decode("latin-1"), where) or Unreachable(
            f"{where} takes no connections just now.",
            "The next poll tries again; nothing is wrong with the settings as far as this shows.",
        )
    if not greeting:
        return hung_up_at_once(where, port, security)
    return ProtocolViolation(f"{where} does not speak IMAP.", f"Check server type and port. {_PORTS['imap']}")


def hung_up_at_once(where: str, port: int = 0, security: str = "ssl") -> InboundError:
    """Our error for a server that accepts a connection and closes it without a word."""
    if security != "ssl" and port in _STARTS_ENCRYPTED:
        return _starts_encrypted(where, port)  # it has waited for encryption no longer than we for its greeting
    return Unreachable(
        f"{where} hung up without a word.",
        "Mostly it blocks this service's address, or has too many connections: the next poll tries again. If this "
        "goes on, ask the server's operator.",
    )


# ── logging in ────────────────────────────────────────────────────────────────────────────────────────────────────


def login_refused(error: Exception, host: str) -> InboundError:
    """Our error for a refused log-in: a wrong password, or a server that wants to be left alone for a while."""
    text = str(error)
    return (
        special_refusal(text, host)
        or _throttled(text, host)
        or LoginRefused(f"{host} does not accept this user name and password.", _password_hint(host))
    )


def special_refusal(text: str, host: str) -> InboundError | None:
    """Our error for a refusal that names its reason, or whose host does."""
    name = host.partition(":")[0].rstrip(".")
    if _APP_PASSWORD.search(text):
        return _app_password(name)
    if _WEB_LOGIN.search(text):
        return LoginRefused(
            f"{host} wants the owner of this account to confirm in a web browser that it is in use here.",
            "Sign in to this account once at https://accounts.google.com in a browser, confirm, and test again."
            if _GOOGLE.search(name)
            else "Sign in to this account once on its provider's web site, confirm, and test again.",
            field="",
        )
    if _NOT_ENABLED.search(text):
        return not_enabled(host, "POP3" if "for pop" in text.lower() else "IMAP")
    if _CLEAR_TEXT.search(text):
        return TlsRequired(
            f"{host} takes passwords only over encryption.",
            "Choose SSL (port 993 for IMAP, 995 for POP3) or STARTTLS.",
        )
    if _MICROSOFT.search(name) and not _throttled(text, host):
        return LoginRefused(
            f"{host} does not accept this user name and password: Microsoft 365 no longer takes passwords for IMAP "
            "and POP3.",
            "Choose Office 365 as server type and sign in with Microsoft.",
            field="server_type",
        )
    return None


def not_enabled(host: str, protocol: str) -> AccessDenied:
    """Our error for a mailbox that the server does not open by this protocol."""
    if _GOOGLE.search(host.partition(":")[0]):
        return AccessDenied(
            f"Google does not open this mailbox by {protocol}: it is switched off.",
            f"In Gmail open Settings > See all settings > Forwarding and POP/IMAP, and enable {protocol[:4]}.",
        )
    return AccessDenied(
        f"{host} does not open this mailbox by {protocol}.",
        f"Often {protocol} must be switched on in the mailbox's own settings at the provider.",
    )


def _app_password(name: str) -> LoginRefused:
    if _GOOGLE.search(name):
        return LoginRefused(
            f"{name} does not accept the account's own password: Google wants an app password.",
            "Make one at https://myaccount.google.com/apppasswords and paste it here as password.",
        )
    return LoginRefused(
        f"{name} does not accept the account's own password: it wants an app password.",
        "Make an app password in the account's security settings at the provider, and paste it here as password.",
    )


def _password_hint(host: str) -> str:
    name = host.partition(":")[0]
    if _GOOGLE.search(name) or _APP_PASSWORDS_ONLY.search(name):
        return (
            "Use the whole e-mail address as user name, and an app password from the account's security settings; this "
            "provider does not take the account's own password here."
        )
    return "Check both. Often the user name is the whole e-mail address, and some providers want an app password."


def token_refused(error: Exception, challenge: bytes, host: str) -> InboundError:
    """Our error for a refused token. ``challenge``: the JSON in which the server says why (RFC 7628, 3.2.2), if any."""
    text = str(error)
    if throttled := _throttled(text, host):
        return throttled
    if b"scope" in challenge and b"401" not in challenge and b"invalid_token" not in challenge:
        return ConsentNeeded(
            f"{host} accepts the sign-in, but it does not cover reading mail.",
            "Sign in again and grant access to mail; an administrator may have to allow it first.",
        )
    return ConsentNeeded(
        f"{host} does not accept the sign-in any more.",
        f"Sign in again. {_AS_APP}" if _MICROSOFT.search(host) else "Sign in again with the account of this mailbox.",
    )


def control_character(field: str = "") -> SettingsError:
    """What nobody types on purpose."""
    what = {"username": "The user name", "password": "The password"}.get(field, "The user name or password")
    return SettingsError(f"{what} contains a line break or another control character.", "Paste it again.", field=field)


# ── afterwards ────────────────────────────────────────────────────────────────────────────────────────────────────


def opening_refused(text: str, host: str, user: str) -> InboundError | None:
    """Our error where a folder is not opened for another reason than that it is not there."""
    if _NOT_CONNECTED.search(text):
        name = in_command(user, "<address>")
        return AccessDenied(
            f"{host} accepts the sign-in, but does not open the mailbox {user}.",
            "Check that this is the mailbox's address and that the account or app may open it. In Exchange Online "
            f'PowerShell: Set-CASMailbox "{name}" -ImapEnabled $true; for an app also Add-MailboxPermission "{name}" '
            "-User <object ID of the enterprise application> -AccessRights FullAccess.",
            field="username",
        )
    if throttled := _throttled(text, host):
        return throttled
    if _NO_PERMISSION.search(text):
        return AccessDenied(
            f"{host} does not let this account open the folder.",
            "Give the account the right to read the folder, or choose another one.",
            field="folder",
        )
    return None


def _imap(error: imaplib.IMAP4.error, where: str) -> InboundError:
    if isinstance(error, LoginError):
        return login_refused(error, where)
    text = str(error)
    if throttled := _throttled(text, where):
        return throttled
    if isinstance(error, imaplib.IMAP4.abort) or "BYE" in text:
        return Unreachable(
            f"{where} hung up in the middle.", "The next poll tries again. If this goes on, ask its operator."
        )
    return ProtocolViolation(f"{where} refused a command that it should know.", "The next poll tries again.")


def _throttled(text: str, host: str) -> Throttled | None:
    if not _THROTTLED.search(text):
        return None
    if wait := _BACKOFF.search(text):
        return asked_to_wait(int(wait.group(1)) / 1000)
    upper = text.upper()
    if "[INUSE]" in upper:
        return in_use()
    if "[OVERQUOTA]" in upper:
        google = _GOOGLE.search(host.partition(":")[0])
        return Throttled(
            f"{'Google' if google else 'The mail server'} has limited this account, because too much was asked of it.",
            "Wait: it passes by itself, at Google within a day, and polling slows down meanwhile."
            if google
            else "Wait: polling slows down by itself. If it stays so, poll less often.",
        )
    if "[LIMIT]" in upper or "TOO MANY" in upper:
        return Throttled(
            "The mail server allows this account only few connections at once, and all are taken.",
            "Close other mail programs that read this mailbox, or poll less often.",
            field="polling_minutes",
        )
    return Throttled(
        "The mail server asks to be left alone for a while.",
        "Polling slows down by itself. If it stays so, close other mail programs or poll less often.",
    )


def asked_to_wait(seconds: float) -> Throttled:
    """Our error for a server that says for how long it wants to be left alone."""
    return Throttled(
        f"The mail server asks to wait {duration(seconds)}.",
        "Polling waits that long by itself and then goes on; no setting needs a change.",
        retry_after=seconds,
    )


def in_use() -> Throttled:
    """Our error for a mailbox that is locked."""
    return Throttled(
        "Another program has the mailbox open.",
        "The next poll tries again. If it stays so, close other programs that read this mailbox.",
    )
