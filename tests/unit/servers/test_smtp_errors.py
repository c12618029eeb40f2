"""Every error of the road to an outgoing server is one of ours, and what a server says only chooses among our words."""

from __future__ import annotations

import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.errors import (
    AccessDenied,
    ConsentNeeded,
    HostNotFound,
    InboundError,
    LoginRefused,
    NotSent,
    SettingsError,
    Throttled,
    TimedOut,
    TlsRequired,
    Unreachable,
)
from shared.servers import smtp_errors
from shared.servers.dial import HandshakeBroken, NoConnection, NoGreeting, NoHandshake
from shared.servers.smtp_wire import Answer

HOST, PORT, CANARY = "smtp.firm.example", 587, "Canary-0xDEADBEEF"


def _tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, CANARY)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (ConnectionRefusedError(111, CANARY), Unreachable),
        (ConnectionResetError(104, CANARY), Unreachable),
        (BrokenPipeError(32, CANARY), Unreachable),
        (OSError(113, CANARY), Unreachable),
        (HandshakeBroken(CANARY), Unreachable),
        (NoConnection(CANARY), TimedOut),
        (NoHandshake(CANARY), TimedOut),
        (NoGreeting(CANARY), TimedOut),
        (TimeoutError(CANARY), TimedOut),
        (socket.gaierror(socket.EAI_NONAME, CANARY), HostNotFound),
        (socket.gaierror(socket.EAI_AGAIN, CANARY), Unreachable),
        (UnicodeError(CANARY), HostNotFound),
        (_tls("WRONG_VERSION_NUMBER"), TlsRequired),
        (_tls("UNSUPPORTED_PROTOCOL"), TlsRequired),
        (_tls("SSLV3_ALERT_HANDSHAKE_FAILURE"), Unreachable),
        (ssl.SSLEOFError(8, CANARY), Unreachable),
    ],
)
@pytest.mark.parametrize("security", ["ssl", "starttls", "none"])
def test_who_must_act_is_told_by_the_kind(error: Exception, ours: type[InboundError], security: str) -> None:
    made = smtp_errors.road(error, HOST, PORT, security)
    assert type(made) is ours
    assert HOST in made.message
    assert made.message.endswith(".")
    assert made.fix.endswith(".")
    assert "anary" not in f"{made.message}{made.fix}"
    assert not {"993", "995", "110", "143"} & set(made.fix.replace(".", " ").replace(",", " ").split())


def test_silence_at_465_says_that_encryption_begins_at_once() -> None:
    made = smtp_errors.road(NoGreeting(), HOST, 465, "starttls")
    assert isinstance(made, TlsRequired)
    assert "465" in made.message


@pytest.mark.parametrize("kind", [KeyError, ValueError, AttributeError])
def test_a_bug_of_ours_stays_one(kind: type[Exception]) -> None:
    with pytest.raises(kind), smtp_errors.errors_translated(HOST, PORT, "ssl"):
        raise kind


@pytest.mark.parametrize(
    ("code", "text", "ours"),
    [
        (535, "5.7.8 Username and Password not accepted", LoginRefused),
        (535, "", LoginRefused),
        (534, "5.7.9 Application-specific password required", LoginRefused),
        (530, "5.7.0 Must issue a STARTTLS command first", TlsRequired),
        (538, "Encryption required for requested authentication mechanism", TlsRequired),
        (454, "4.7.0 Temporary authentication failure", Throttled),
        (421, "4.7.0 try again later", Throttled),
        (535, "5.7.139 Authentication unsuccessful, basic authentication is disabled.", LoginRefused),
    ],
)
def test_a_refused_log_in_says_who_must_act(code: int, text: str, ours: type[InboundError]) -> None:
    made = smtp_errors.login_refused(Answer(code, "", text), HOST, "ann")
    assert type(made) is ours


def test_a_name_that_a_shell_might_read_is_not_put_into_a_command() -> None:
    text = "5.7.139 SmtpClientAuthentication is disabled for the Mailbox."
    made = smtp_errors.login_refused(Answer(535, "5.7.139", text), "smtp.office365.com", 'a"; rm -rf $HOME')
    assert "rm -rf" not in made.fix
    assert "<address>" in made.fix


@pytest.mark.parametrize(
    ("code", "status", "text", "ours", "permanent"),
    [
        (550, "5.7.60", "SMTP; Client does not have permissions to send as this sender", AccessDenied, None),
        (553, "5.7.1", "Sender address rejected: not owned by user ann", AccessDenied, None),
        (550, "5.7.1", "Unable to relay", AccessDenied, None),
        (554, "5.7.1", "Relay access denied", AccessDenied, None),
        (530, "5.7.57", "Client not authenticated to send mail", AccessDenied, None),
        (530, "5.7.0", "Must issue a STARTTLS command first", TlsRequired, None),
        (552, "5.3.4", "message too big", NotSent, True),
        (452, "4.3.1", "no space", NotSent, False),
        (451, "4.7.1", "Greylisted: relay later", NotSent, False),
        (550, "5.7.26", "did not pass DMARC; unauthenticated mail", NotSent, True),
        (550, "5.1.1", "who?", NotSent, True),
    ],
)
def test_a_refused_mail_says_who_must_act(
    code: int, status: str, text: str, ours: type[InboundError], permanent: bool | None
) -> None:
    answer = Answer(code, status, text)
    made = smtp_errors.mail_refused(answer, HOST, "ann@x.example")
    assert type(made) is ours
    assert getattr(made, "permanent", None) == permanent
    as_one = smtp_errors.as_not_sent(made, answer)
    assert (as_one.permanent, as_one.in_doubt, as_one.message) == (code >= 500, False, made.message)


@pytest.mark.parametrize(
    ("challenge", "words"),
    [
        (b'{"status":"401","scope":"x"}', "does not accept"),
        (b'{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}', "does not cover"),
        (b"", "does not accept"),
    ],
)
def test_a_refused_token_says_what_is_missing(challenge: bytes, words: str) -> None:
    made = smtp_errors.token_refused(Answer(535, "5.7.3", ""), challenge, HOST, "ann")
    assert isinstance(made, ConsentNeeded)
    assert words in made.message


@given(some.integers(200, 599), some.text(max_size=200))
def test_whatever_a_server_says_is_an_error_of_ours_and_not_in_its_words(code: int, text: str) -> None:
    answer = Answer(code, "", f"{text}{CANARY}")
    for made in (
        smtp_errors.login_refused(answer, HOST, "ann"),
        smtp_errors.token_refused(answer, text.encode("utf-8", "replace"), HOST, "ann"),
        smtp_errors.mail_refused(answer, HOST, "ann@x.example"),
        smtp_errors.not_welcome(answer, HOST),
    ):
        assert isinstance(made, (SettingsError, NotSent, Throttled))
        assert CANARY not in f"{made.message}{made.fix}"


@pytest.mark.parametrize("text", ["a" * 1_000_000, "security defaults" * 60_000, "SmtpClientAuthentication is disabled " * 30_000, "not " * 250_000])  # fmt: skip
def test_a_long_refusal_is_judged_like_a_short_one(text: str) -> None:
    """Answers are bounded at 64 KiB; even a megabyte must not take time that grows faster than it."""
    made = smtp_errors.mail_refused(Answer(550, "", text), HOST, "ann@x.example")
    assert len(made.message) < 300
    assert len(smtp_errors.text_of(Answer(550, "", text), "secret")) <= smtp_errors.TEXT_CHARS
