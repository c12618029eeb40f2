"""Every error of the libraries becomes one of ours, and none of their words comes along."""

from __future__ import annotations

import http.client
import imaplib
import inspect
import poplib
import smtplib
import socket
import ssl
import warnings
from collections.abc import Iterator

import imapclient.exceptions
import pytest
import trustme

from shared.errors import (
    AccessDenied,
    CertificateRefused,
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
from shared.servers import tls
from shared.servers.translate import errors_translated, login_refused, translated
from tests.support.discovering import Talk, listening, server_context

HOST, PORT = "mail.firm.example", 993
CANARY = "Canary-0xDEADBEEF of a library"
UNICODE = ("idna", "x", 0, 1, CANARY)


def _all_kinds() -> Iterator[type[Exception]]:
    """Every exception class that these libraries define or the system derives from OSError."""
    seen: set[type[Exception]] = set()
    for module in (imaplib, imapclient.exceptions, imaplib.IMAP4, ssl, socket, poplib, smtplib, http.client):
        for value in vars(module).values():
            if inspect.isclass(value) and issubclass(value, Exception):
                seen.add(value)
    waiting: list[type[Exception]] = [OSError, UnicodeError, imaplib.IMAP4.error]
    while waiting:
        kind = waiting.pop()
        if kind.__module__ in ("builtins", "ssl", "socket", "imaplib", "imapclient.exceptions"):
            seen.add(kind)
            waiting += kind.__subclasses__()
    seen |= {
        EOFError,
        ValueError,
        KeyError,
        IndexError,
        AttributeError,
        TypeError,
        AssertionError,
        MemoryError,
        OverflowError,
    }
    yield from sorted(seen, key=lambda kind: (kind.__module__, kind.__qualname__))


def _made(kind: type[Exception]) -> Exception:
    """One of it, with the canary in every text."""
    if issubclass(kind, UnicodeDecodeError):
        return kind("utf-8", b"x", 0, 1, CANARY)
    if issubclass(kind, UnicodeEncodeError):
        return kind(*UNICODE)
    if issubclass(kind, UnicodeTranslateError):
        return kind("x", 0, 1, CANARY)
    if issubclass(kind, ssl.SSLCertVerificationError):
        made = kind(1, CANARY)
        made.verify_code, made.verify_message = 1, CANARY
        return made
    if issubclass(kind, smtplib.SMTPSenderRefused):
        return kind(550, CANARY.encode(), CANARY)
    if issubclass(kind, smtplib.SMTPResponseException):
        return kind(550, CANARY.encode())
    if issubclass(kind, smtplib.SMTPRecipientsRefused):
        return kind({CANARY: (550, CANARY.encode())})
    if issubclass(kind, http.client.IncompleteRead):
        return kind(CANARY.encode())
    if issubclass(kind, OSError):
        return kind(1, CANARY)
    return kind(CANARY)


KINDS = list(_all_kinds())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
def test_every_error_becomes_ours_without_its_words(kind: type[Exception]) -> None:
    ours = translated(_made(kind), HOST, PORT)
    assert isinstance(ours, (SettingsError, ServerError))
    assert "anary" not in f"{ours.message}{ours.fix}"
    assert "DEADBEEF" not in f"{ours.message}{ours.fix}"
    assert ours.message.endswith(".")
    assert ours.fix.endswith(".")


def test_enough_kinds_were_found() -> None:
    names = {kind.__qualname__ for kind in KINDS}
    assert {
        "IMAP4.error", "IMAP4.abort", "IMAP4.readonly", "CapabilityError", "IllegalStateError", "LoginError", "ProtocolError",
        "InvalidCriteriaError", "SSLError", "SSLZeroReturnError", "SSLWantReadError", "SSLWantWriteError", "SSLSyscallError",
        "SSLEOFError", "SSLCertVerificationError", "gaierror", "herror", "TimeoutError", "ConnectionResetError", "BrokenPipeError",
        "ConnectionAbortedError", "ConnectionRefusedError", "UnicodeDecodeError", "UnicodeEncodeError",
    } <= names  # fmt: skip


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (socket.gaierror(socket.EAI_NONAME, CANARY), HostNotFound),
        (socket.gaierror(socket.EAI_NODATA, CANARY), HostNotFound),
        (socket.gaierror(socket.EAI_AGAIN, CANARY), Unreachable),
        (socket.gaierror(socket.EAI_FAIL, CANARY), Unreachable),
        (socket.gaierror(socket.EAI_SYSTEM, CANARY), Unreachable),
        (socket.gaierror(socket.EAI_MEMORY, CANARY), Unreachable),
        (UnicodeError("label empty or too long"), HostNotFound),
        (UnicodeEncodeError("idna", "x", 0, 1, "label too long"), HostNotFound),
        (UnicodeDecodeError("ascii", b"\xff", 0, 1, "what a server sent"), ProtocolViolation),
        (UnicodeEncodeError("ascii", "ä", 0, 1, "what we sent"), ProtocolViolation),
        (TimeoutError("timed out"), TimedOut),
        (TimeoutError("_ssl.c: The handshake operation timed out"), TimedOut),
        (ConnectionRefusedError(111, CANARY), Unreachable),
        (ConnectionResetError(104, CANARY), Unreachable),
        (BrokenPipeError(32, CANARY), Unreachable),
        (OSError(101, "Network is unreachable"), Unreachable),
        (OSError(113, "No route to host"), Unreachable),
        (imaplib.IMAP4.abort("socket error: EOF"), Unreachable),
        (imaplib.IMAP4.error("b'* BYE [UNAVAILABLE] going down'"), Throttled),
        (imaplib.IMAP4.error("b'* BYE so long'"), Unreachable),
        (imaplib.IMAP4.error("FETCH command error: BAD"), ProtocolViolation),
        (imaplib.IMAP4.error("got more than 1000000 bytes"), ProtocolViolation),
        (imapclient.exceptions.CapabilityError("no STARTTLS"), TlsRequired),
        (imapclient.exceptions.LoginError("no"), LoginRefused),
        (imapclient.exceptions.LoginError("[LIMIT] Too many connections"), Throttled),
        (imapclient.exceptions.LoginError("[PRIVACYREQUIRED] not in clear"), TlsRequired),
        (MemoryError(), ProtocolViolation),
        (ValueError("invalid literal for int()"), ProtocolViolation),
    ],
)
def test_who_must_act_is_told_by_the_kind(error: Exception, ours: type[InboundError]) -> None:
    assert type(translated(error, HOST, PORT)) is ours


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Request is throttled. Suggested Backoff Time: 299867 milliseconds", 299.867),
        ("Request is throttled.", None),
        ("[INUSE] mailbox is locked", None),
        ("[OVERQUOTA] Account exceeded command or bandwidth limits", None),
        ("Too many simultaneous connections", None),
    ],
)
def test_a_wish_to_be_left_alone_is_no_refusal(text: str, seconds: float | None) -> None:
    for error in (login_refused(Exception(text), HOST), translated(imaplib.IMAP4.error(text), HOST, PORT)):
        assert isinstance(error, Throttled)
        assert error.retry_after == seconds
        assert text not in error.message


def test_the_words_name_the_server_that_was_meant() -> None:
    for kind in KINDS:
        ours = translated(_made(kind), HOST, PORT)
        assert HOST in ours.message or isinstance(ours, Throttled)


def test_what_is_ours_already_goes_through_untouched() -> None:
    ours = AccessDenied("No.", "Ask.")
    with pytest.raises(AccessDenied) as raised, errors_translated(HOST, PORT):
        raise ours
    assert raised.value is ours


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_program_is_not_caught(kind: type[BaseException]) -> None:
    with pytest.raises(kind), errors_translated(HOST, PORT):
        raise kind


def test_the_cause_stays_for_whoever_debugs() -> None:
    cause = ConnectionResetError(104, CANARY)
    with pytest.raises(Unreachable) as raised, errors_translated(HOST, PORT):
        raise cause
    assert raised.value.__cause__ is cause


# ── handshakes that really go wrong ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def _handshake(authority: trustme.CA, talk: Talk, name: str = "localhost", ca: bool = True) -> InboundError:
    with authority.cert_pem.tempfile() as ca_file, listening(talk) as port:
        context = tls.context(ca_file if ca else "")
        with (
            socket.create_connection(("127.0.0.1", port), 5) as connection,
            pytest.raises(InboundError) as raised,
            errors_translated(HOST, PORT),
        ):
            context.wrap_socket(connection, server_hostname=name)
    return raised.value


def _says(data: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(data)
        while connection.recv(1000):
            pass

    return talk


def _encrypts(context: ssl.SSLContext) -> Talk:
    def talk(connection: socket.socket) -> None:
        context.wrap_socket(connection, server_side=True).close()

    return talk


@pytest.mark.parametrize(
    "greeting", [b"* OK hi\r\n", b"+OK\r\n", b"220 x\r\n", b"HTTP/1.1 400 Bad\r\n\r\n", b"SSH-2.0-x\r\n"]
)
def test_a_port_that_starts_without_encryption_says_so(authority: trustme.CA, greeting: bytes) -> None:
    error = _handshake(authority, _says(greeting))
    assert isinstance(error, TlsRequired)
    assert "starts without encryption" in error.message
    assert greeting.decode().strip() not in error.message


def test_old_encryption_is_named(authority: trustme.CA) -> None:
    context = server_context(authority, "localhost")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    error = _handshake(authority, _encrypts(context))
    assert isinstance(error, TlsRequired)
    assert "old, unsafe" in error.message


def test_a_server_that_answers_with_an_old_version_is_named_likewise() -> None:
    error = ssl.SSLError(1, "unsupported protocol")
    error.reason = "UNSUPPORTED_PROTOCOL"
    assert isinstance(translated(error, HOST, PORT), TlsRequired)


def test_another_name_and_an_unknown_authority_are_told_apart(authority: trustme.CA) -> None:
    talk = _encrypts(server_context(authority, "other.example"))
    assert "another name" in _handshake(authority, talk).message
    unknown = _handshake(authority, talk, "other.example", ca=False)
    assert isinstance(unknown, CertificateRefused)
    assert "not known here" in unknown.message


@pytest.mark.parametrize(
    "alert", [b"\x15\x03\x01\x00\x02\x02\x28", b"\x15\x03\x03\x00\x02\x02\x50", b"\x16\x03\x03\xff\xff" + b"a" * 99]
)
def test_a_handshake_that_breaks_off_is_the_roads_fault(authority: trustme.CA, alert: bytes) -> None:
    assert isinstance(_handshake(authority, _says(alert)), Unreachable)
