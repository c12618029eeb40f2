"""From what sockets, TLS and imaplib raise to errors that say who must act. No library's error leaves this room."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from imapclient.exceptions import CapabilityError, LoginError

from shared.errors import (
    CertificateRefused,
    ConsentNeeded,
    HostNotFound,
    InboundError,
    LoginRefused,
    ProtocolViolation,
    ServerError,
    SettingsError,
    Throttled,
    TimedOut,
    TlsRequired,
    Unreachable,
)

_CERTIFICATE = {
    9: "is not valid yet",
    10: "has expired",
    18: "was made by the server itself, and nobody vouches for it",
    19: "comes from an authority that is not known here",
    20: "comes from an authority that is not known here, or the server forgot its intermediate certificate",
    62: "is for another name",
    64: "is for another name",
}
"""By OpenSSL's verify code (x509_vfy.h)."""

_THROTTLED = re.compile(
    r"throttled|too many|authenticated but not connected|\[(LIMIT|INUSE|OVERQUOTA|UNAVAILABLE)\]|try again",
    re.I,
)
"""Answers that sound like a refusal and are a request to wait (RULES.md 2.18)."""

_NO_SUCH_NAME = (socket.EAI_NONAME, socket.EAI_NODATA)
"""The only two of getaddrinfo that judge the name; the others (EAI_AGAIN, EAI_FAIL …) say that DNS is not well."""

_BACKOFF = re.compile(r"Backoff Time: (\d+) milliseconds", re.I)
_CLEAR_TEXT = re.compile(r"PRIVACYREQUIRED|LOGINDISABLED|plaintext auth", re.I)


@contextmanager
def errors_translated(host: str, port: int) -> Iterator[None]:
    """Raise everything that goes wrong inside as an ``InboundError`` about this server."""
    try:
        yield
    except InboundError:
        raise
    except Exception as error:
        raise translated(error, host, port) from error


def translated(error: Exception, host: str, port: int) -> InboundError:
    """Our error for a library's."""
    where = f"{host}:{port}"
    if isinstance(error, ssl.SSLError):
        return _tls(error, host, port)
    # The codec "idna" refuses a host; any other fails on what the server says (3.11 does not name it, 3.13 does).
    if isinstance(error, socket.gaierror) or (
        isinstance(error, UnicodeError) and getattr(error, "encoding", "idna") == "idna"
    ):
        return _name(error, host)
    if isinstance(error, TimeoutError):
        return TimedOut(f"{where} does not answer.", "If this goes on, check server and port, and any firewall.")
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(
            f"{host} answers, but nothing listens on port {port}.",
            "IMAP uses 993 with SSL, 143 with STARTTLS; POP3 uses 995 and 110.",
        )
    if isinstance(error, CapabilityError):
        return _no_starttls(where)
    if isinstance(error, imaplib.IMAP4.error):
        return _imap(error, where)
    if isinstance(error, OSError):
        return Unreachable(f"The connection to {where} broke.", "The next poll tries again.")
    return ProtocolViolation(f"{where} gave an answer that makes no sense.", "The next poll tries again.")


def login_refused(error: Exception, host: str) -> InboundError:
    """Our error for a refused log-in: a wrong password, or a server that wants to be left alone for a while."""
    text = str(error)
    if throttled := _throttled(text):
        return throttled
    if _CLEAR_TEXT.search(text):
        return TlsRequired(
            f"{host} takes passwords only over encryption.",
            "Choose SSL (port 993 for IMAP, 995 for POP3) or STARTTLS.",
        )
    return LoginRefused(
        f"{host} does not accept this user name and password.",
        "Check both. Often the user name is the whole e-mail address, and some providers want an app password.",
    )


def token_refused(error: Exception, challenge: bytes, host: str) -> InboundError:
    """Our error for a refused token. ``challenge``: the JSON in which the server says why (RFC 7628, 3.2.2), if any."""
    text = str(error)
    if throttled := _throttled(text):
        return throttled
    if b"scope" in challenge and b"401" not in challenge and b"invalid_token" not in challenge:
        return ConsentNeeded(
            f"{host} accepts the sign-in, but it does not cover reading mail.",
            "Sign in again and grant access to mail; an administrator may have to allow it first.",
        )
    return ConsentNeeded(
        f"{host} does not accept the sign-in any more.",
        "Sign in again. With Microsoft 365 also check that the signed-in account may open this mailbox.",
    )


def _imap(error: imaplib.IMAP4.error, where: str) -> InboundError:
    if isinstance(error, LoginError):
        return login_refused(error, where)
    text = str(error)
    if throttled := _throttled(text):
        return throttled
    if isinstance(error, imaplib.IMAP4.abort) or "BYE" in text:
        return Unreachable(f"{where} hung up.", "The next poll tries again.")
    return ProtocolViolation(f"{where} refused a command that it should know.", "The next poll tries again.")


def _throttled(text: str) -> ServerError | None:
    if not _THROTTLED.search(text):
        return None
    wait = _BACKOFF.search(text)
    return Throttled(
        "The mail server asks to be left alone for a while.",
        "Polling slows down by itself. If it stays so, close other mail programs or poll less often.",
        retry_after=int(wait.group(1)) / 1000 if wait else None,
    )


def _name(error: Exception, host: str) -> InboundError:
    if isinstance(error, socket.gaierror) and error.errno not in _NO_SUCH_NAME:
        return Unreachable(f"The name {host} could not be looked up just now.", "Nothing is wrong with the settings.")
    return HostNotFound(
        f"There is no server called {host}.", "Check the spelling: a name only, without https:// or a path."
    )


def _tls(error: ssl.SSLError, host: str, port: int) -> InboundError:
    if isinstance(error, ssl.SSLCertVerificationError):
        what = _CERTIFICATE.get(getattr(error, "verify_code", 0), "cannot be trusted")
        return CertificateRefused(
            f"The certificate of {host} {what}.",
            "Use the name that the certificate is for, or ask the server's operator for a valid certificate.",
        )
    reason = getattr(error, "reason", None) or ""  # only OpenSSL's own errors have one
    if reason == "WRONG_VERSION_NUMBER":
        return TlsRequired(
            f"Port {port} of {host} starts without encryption.",
            "Use SSL with port 993 (IMAP) or 995 (POP3), or choose STARTTLS.",
        )
    if "PROTOCOL_VERSION" in reason or reason == "UNSUPPORTED_PROTOCOL":
        return TlsRequired(f"{host} offers only old, unsafe encryption.", "Ask its operator to enable TLS 1.2.")
    return Unreachable(
        f"{host}:{port} broke off while encryption was set up.",
        "Check the port; an address block is possible.",
    )


def _no_starttls(where: str) -> SettingsError:
    return TlsRequired(f"{where} does not offer encryption on this port.", "Use port 993 with SSL.")
