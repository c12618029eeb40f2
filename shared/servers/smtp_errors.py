"""What goes wrong with an outgoing server, as errors that say who must act. A server's own text only chooses among our
words; ``text_of`` is the one place where it is kept, for whoever reads why one recipient was refused.

Fields are those of the outgoing settings (host, port, security, username, password) or of the mailbox (email).
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import (
    AccessDenied,
    ConsentNeeded,
    InboundError,
    LoginRefused,
    NotSent,
    SettingsError,
    Throttled,
    TimedOut,
    TlsRequired,
    Unreachable,
    WrongServer,
)
from shared.ports import Refusal
from shared.servers.dial import HandshakeBroken, NoConnection, NoGreeting, NoHandshake
from shared.servers.smtp_wire import Answer
from shared.servers.transcript import STRUCK, forms
from shared.servers.translate import special_refusal, translated
from shared.servers.words import in_command

PORTS = "Sending uses port 465 with SSL, or port 587 with STARTTLS."

_AGAIN = "It is tried again by itself."

_STARTS_ENCRYPTED = 465
"""RFC 8314, 3.3."""

TEXT_CHARS = 500
"""Of a server's own words: some put a sentence and a link into a refusal, some a page."""

_SECRET_CHARS = 4
"""Shorter forms of a secret would strike ordinary words."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")

_MICROSOFT = re.compile(
    r"(^|\.)(office365\.(com|us)|outlook\.(com|cn)|office\.com|hotmail\.com|mail\.protection\.outlook\.com)$", re.I
)
_SMTP_AUTH_OFF = re.compile(r"SmtpClientAuthentication is disabled", re.I)
_FOR_TENANT = re.compile(r"for the (tenant|organi[sz]ation)", re.I)
_BASIC_OFF = re.compile(r"basic authentication is (disabled|not supported)", re.I)
_POLICY = re.compile(r"security defaults|conditional access|did not meet the criteria", re.I)
_WANTS_TLS = re.compile(r"STARTTLS|encryption required|requires? (TLS|encryption)|over encryption|must use TLS", re.I)
_WANTS_LOGIN = re.compile(
    r"authentication (is )?required|must (first )?authenticate|authenticate first|client \w{0,3} ?not authenticated|"
    r"log ?in first",
    re.I,
)
"""Not every refusal that speaks of authentication: DKIM and DMARC do, too."""
_SEND_AS = re.compile(
    r"send ?as|permissions? to send|not owned by|not allowed to send (from|as)|sender.*mismatch", re.I
)
_RELAY = re.compile(r"relay", re.I)


# ── on the way there ──────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def errors_translated(host: str, port: int, security: str) -> Iterator[None]:
    """Raise everything that the road does wrong inside as an ``InboundError`` about this server."""
    try:
        yield
    except InboundError:
        raise
    except (OSError, UnicodeError) as error:
        raise road(error, host, port, security) from error


def road(error: Exception, host: str, port: int, security: str) -> InboundError:
    """Our error for one of sockets, DNS or TLS. Where ports matter the words are those of sending."""
    where = f"{host}:{port}"
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(f"{host} answers, but nothing listens on port {port}.", PORTS, field="port")
    if isinstance(error, NoConnection):
        return TimedOut(
            f"{where} does not answer at all.",
            f"Check server name and port. If both are right, a firewall there shuts this service out: ask the server's "
            f"operator to let it in. {PORTS}",
            field="host",
        )
    if isinstance(error, NoHandshake):
        return TimedOut(
            f"{where} accepts the connection and then does not answer when encryption begins.",
            f"Check the port. {PORTS} If the port is right, a firewall is in the way.",
            field="port",
        )
    if isinstance(error, NoGreeting):
        return _silent(where, port, security)
    if isinstance(error, TimeoutError):
        return TimedOut(f"{where} stopped answering in the middle.", _AGAIN)
    if isinstance(error, ssl.SSLError) and getattr(error, "reason", "") == "WRONG_VERSION_NUMBER":
        return TlsRequired(
            f"Port {port} of {host} starts without encryption.",
            f"Choose STARTTLS for port {port}, or SSL with port 465.",
        )
    if isinstance(error, (ssl.SSLError, socket.gaierror, UnicodeError, HandshakeBroken)):
        return translated(error, host, port)
    return Unreachable(f"The connection to {where} broke.", _AGAIN)


def _silent(where: str, port: int, security: str) -> InboundError:
    if security == "ssl":
        return TimedOut(
            f"{where} accepts the connection and then says nothing.",
            f"Check the port: another kind of server may listen there. {PORTS}",
            field="port",
        )
    if port == _STARTS_ENCRYPTED:
        return TlsRequired(f"Port {port} of {where} expects encryption from the start.", f"Choose SSL for port {port}.")
    return TimedOut(
        f"{where} accepts the connection and then says nothing.",
        "It may expect encryption from the start: choose SSL, with port 465. If SSL is wrong there, check the port.",
        field="security",
    )


def port_25() -> SettingsError:
    """Our error before anything is tried: outbound port 25 is closed for most of Azure's subscriptions
    (learn.microsoft.com/azure/virtual-network/troubleshoot-outbound-smtp-connectivity)."""
    return SettingsError(
        "Port 25 is for mail between servers, and Azure blocks it.",
        "Use port 587 with STARTTLS, or port 465 with SSL: a server for its own users has one of them.",
        field="port",
    )


def no_encryption(where: str) -> TlsRequired:
    """Our error where STARTTLS was chosen and is not offered: nothing is sent in clear text instead."""
    return TlsRequired(
        f"{where} does not offer encryption on this port.",
        "Choose SSL with port 465, or ask the server's operator. The password was not sent.",
    )


# ── the greeting ──────────────────────────────────────────────────────────────────────────────────────────────────


def stranger(greeting: bytes, where: str) -> WrongServer | None:
    """Our error for the greeting of another kind of server; None when it is not known as one."""
    for start, name in (
        (b"* ", "an IMAP server"),
        (b"+OK", "a POP3 server"),
        (b"HTTP/", "a web server"),
        (b"SSH-", "an SSH server"),
    ):
        if greeting.startswith(start):
            return WrongServer(
                f"{where} is {name}, not one for sending mail (SMTP).",
                f"Give server and port for outgoing mail. {PORTS}",
                field="port",
            )
    return None


def hung_up_at_once(where: str) -> Unreachable:
    """Our error for a server that accepts a connection and closes it without a word."""
    return Unreachable(
        f"{where} hung up without a word.",
        "Mostly it blocks this service's address, or has too many connections; it is tried again by itself. If this "
        "goes on, ask the server's operator.",
    )


def not_welcome(answer: Answer, where: str) -> InboundError:
    """Our error for a refusal before the log-in: in the greeting, or of EHLO."""
    if answer.permanent:
        return AccessDenied(
            f"{where} does not want to talk to this service.",
            "Its operator must let this service's address in; or the port is for mail between servers: "
            f"check it. {PORTS}",
            field="host",
        )
    return Throttled(
        f"{where} takes no connections just now.",
        f"{_AGAIN} Nothing is wrong with the settings as far as this shows.",
    )


def no_log_in(where: str, starttls: bool) -> SettingsError:
    """Our error for a server without AUTH, or none that we know. ``starttls``: whether it offers encryption."""
    if starttls:
        return TlsRequired(f"{where} lets nobody log in without encryption.", "Choose STARTTLS.")
    return WrongServer(
        f"{where} offers no way to log in with a user name and password.",
        f"Check the port: some are for mail between servers only. {PORTS}",
        field="port",
    )


# ── logging in ────────────────────────────────────────────────────────────────────────────────────────────────────


def login_refused(answer: Answer, host: str, user: str) -> InboundError:
    """Our error for a refused user name and password (RFC 4954, 6)."""
    text = answer.text
    if microsoft := _microsoft(text, host, user):
        return microsoft
    if answer.code in (530, 538) and _WANTS_TLS.search(text):
        return wants_encryption(host)
    if not answer.permanent:
        return _later(host)
    if answer.code == 534 and not _MICROSOFT.search(host) and (special := special_refusal(text, host)):
        return special
    return LoginRefused(
        f"{host} does not accept this user name and password.",
        "Check both. Often the user name is the whole e-mail address, and some providers want an app password.",
        field="password",
    )


def _microsoft(text: str, host: str, user: str) -> LoginRefused | None:
    """The refusals of Exchange Online that name their reason."""
    by_graph = "or choose Office 365 as server type: then mail is sent by Microsoft Graph, without SMTP."
    if _SMTP_AUTH_OFF.search(text):
        whose, command = (
            ("the whole organisation", "Set-TransportConfig -SmtpClientAuthenticationDisabled $false; for one mailbox "
             f'Set-CASMailbox "{in_command(user, "<address>")}" -SmtpClientAuthenticationDisabled $false')
            if _FOR_TENANT.search(text)
            else ("this mailbox", f'Set-CASMailbox "{in_command(user, "<address>")}" '
                  "-SmtpClientAuthenticationDisabled $false")
        )  # fmt: skip
        return LoginRefused(
            f"Microsoft 365 has sending by SMTP switched off for {whose}.",
            f"In Exchange Online PowerShell: {command}; {by_graph}",
            field="",
        )
    if _BASIC_OFF.search(text):
        return LoginRefused(
            f"{host} does not accept passwords for sending: Microsoft has ended that.",
            "Choose Office 365 as server type and sign in with Microsoft: then mail is sent by Microsoft Graph.",
            field="server_type",
        )
    if _MICROSOFT.search(host) and _POLICY.search(text):
        return LoginRefused(
            "A security policy of this Microsoft 365 organisation does not let this account send by SMTP.",
            f"An administrator looks into Entra > Sign-in logs for the policy; {by_graph}",
            field="server_type",
        )
    return None


def token_refused(answer: Answer, challenge: bytes, host: str, user: str) -> InboundError:
    """Our error for a refused token. ``challenge``: the JSON in which the server says why, if any (RFC 7628, 3.2.2)."""
    if microsoft := _microsoft(answer.text, host, user):
        return microsoft if microsoft.field == "" else _no_token(challenge, host)
    return _no_token(challenge, host) if answer.permanent else _later(host)


def _no_token(challenge: bytes, host: str) -> ConsentNeeded:
    if b"scope" in challenge and b"401" not in challenge and b"invalid_token" not in challenge:
        return ConsentNeeded(
            f"{host} accepts the sign-in, but it does not cover sending mail.",
            "Sign in again and grant access to sending; an administrator may have to allow SMTP.Send first.",
        )
    return ConsentNeeded(
        f"{host} does not accept the sign-in.",
        "Sign in again. An app that signs in by itself needs the permission SMTP.SendAsApp with admin consent, and in "
        "Exchange Online PowerShell: New-ServicePrincipal -AppId <client ID> -ObjectId <object ID of the enterprise "
        "application>, then Add-MailboxPermission with FullAccess.",
    )


def wants_encryption(host: str) -> TlsRequired:
    """Our error for a server that wants STARTTLS before anything else (RFC 3207, 4: 530)."""
    return TlsRequired(
        f"{host} takes mail only over encryption.", "Choose STARTTLS with port 587, or SSL with port 465."
    )


def _later(host: str) -> Throttled:
    return Throttled(
        f"{host} cannot check the log-in just now.",
        f"{_AGAIN} Nothing is wrong with the settings as far as this shows.",
    )


# ── a mail ────────────────────────────────────────────────────────────────────────────────────────────────────────


def mail_refused(answer: Answer, host: str, sender: str) -> SettingsError | NotSent:
    """Our error where the server does not take a mail, or not from this sender."""
    text = answer.text
    if answer.code == 530 and _WANTS_TLS.search(text):
        return wants_encryption(host)
    if answer.code == 530 or (answer.permanent and _WANTS_LOGIN.search(text)):
        return AccessDenied(
            f"{host} takes mail only after a log-in, and did not count the one it had.",
            "Check user name and port; ask the server's operator what this account may do.",
            field="username",
        )
    if answer.status == "5.7.60" or (answer.permanent and _SEND_AS.search(text)):
        return may_not_send_as(host, sender)
    if answer.permanent and _RELAY.search(text):
        return AccessDenied(
            f"{host} does not pass on mail for this account.",
            f"Log in with an account of this server's, at the port for its own users. {PORTS}",
            field="host",
        )
    if answer.code == 552 or answer.status in ("5.3.4", "5.2.3"):
        return too_big(host, answer.status)
    if not answer.permanent:
        return _try_later(host, answer)
    return NotSent(
        f"{host} does not take this mail{f' ({answer.status})' if answer.status else ''}.",
        "Its operator knows why; the transcript of Test Settings shows its own words.",
        permanent=True,
        status=answer.status,
    )


def is_about_account(answer: Answer) -> bool:
    """Whether a recipient is refused for what the account may not do, not for anything that he is."""
    return answer.permanent and isinstance(mail_refused(answer, "", ""), SettingsError)


def may_not_send_as(host: str, sender: str) -> AccessDenied:
    """Our error where the account is not the sender, nor allowed to write in its name."""
    return AccessDenied(
        f"{host} does not let this account send as {sender}.",
        "Log in with the account of that address; or give the account the right to send as that address (Exchange "
        "admin center > Mailboxes > Delegation > Send as).",
        field="email",
    )


def too_big(host: str, status: str = "", most: int = 0) -> NotSent:
    """Our error for a mail over the server's limit. ``most``: the limit in bytes, where it says so (RFC 1870)."""
    limit = f" It takes {most / 1024 / 1024:.1f} MB at most." if most else ""
    return NotSent(
        f"This mail is too large for {host}.{limit}",
        "Send it with fewer or smaller attachments, or ask the server's operator for a higher limit.",
        permanent=True,
        status=status or "5.3.4",
    )


def no_such_letters(host: str, what: str) -> NotSent:
    """Our error where ``what`` holds letters beyond ASCII and the server does not take them (RFC 6531)."""
    return NotSent(
        f"{host} cannot carry every letter of {what}: it does not offer SMTPUTF8.",
        "Use an address of letters, digits and signs of the English keyboard, or another outgoing server.",
        permanent=True,
        status="5.6.7",
        field="email",
    )


def no_eight_bits(host: str) -> NotSent:
    """Our error where a mail is not encoded and the server takes only 7-bit mail (RFC 6152)."""
    return NotSent(
        f"{host} takes only mail that is encoded in 7 bits, and this one is not.",
        "Encode the mail (quoted-printable or base64).",
        permanent=True,
        status="5.6.3",
    )


def in_doubt(host: str) -> NotSent:
    """Our error where the whole mail was handed over and no answer came."""
    return NotSent(
        f"The mail was handed over to {host}, and the connection was lost before its answer: it may have been sent.",
        "Ask the recipient, or look into the outgoing server's log, before it is sent again.",
        in_doubt=True,
    )


def as_not_sent(error: SettingsError | NotSent, answer: Answer) -> NotSent:
    """The same words for one mail: the code says whether trying again is of use."""
    if isinstance(error, NotSent):
        return error
    return NotSent(error.message, error.fix, permanent=answer.permanent, status=answer.status, field=error.field)


def refusal(answer: Answer, secret: str) -> Refusal:
    """Why one recipient is refused."""
    return Refusal(answer.code, answer.status, text_of(answer, secret), answer.permanent)


def text_of(answer: Answer, secret: str) -> str:
    """The server's own words on one line, cut; it may have put there what it heard while we logged in."""
    text = _CONTROL.sub(" ", answer.text)
    for form in sorted(forms(secret), key=len, reverse=True):
        text = text.replace(form, STRUCK) if len(form) >= _SECRET_CHARS else text
    return text[:TEXT_CHARS]


def _try_later(host: str, answer: Answer) -> NotSent:
    return NotSent(
        f"{host} puts this mail off{f' ({answer.status})' if answer.status else ''}.",
        "It is tried again by itself: some servers let new senders wait for some minutes (greylisting). Nothing is "
        "wrong with the settings as far as this shows.",
        status=answer.status,
    )
