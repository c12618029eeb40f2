"""The catalogue of outgoing mail: each row a server that really behaves so, and what Test Settings, or who sends, is
then told. Numbers are those of the situations in test_catalogue.py; 57 to 61 are only here.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from shared.errors import InboundError, NotSent
from shared.flows import mailboxes
from shared.flows.probe import ProbeReport, probe
from shared.model.mailbox import Mailbox, Settings
from shared.ports import NOBODY, App
from shared.servers import address_guard
from shared.servers.address_guard import AddressGuard
from shared.servers.cloud import Cloud
from shared.servers.dial import Dialer
from shared.servers.doors import Doors
from shared.servers.imap_client import hang_up
from shared.servers.token import Tokens
from shared.servers.warm import WarmClients
from tests.support import scripted
from tests.support.app import World
from tests.support.discovering import listening
from tests.support.mails import mail
from tests.support.microsoft import Microsoft
from tests.support.microsoft.mailbox import SECRET, GraphMailbox
from tests.support.road import LOOPBACK
from tests.support.scripted import BANNER, Talk
from tests.support.smtpserver import OFFERED, PASSWORD, USER, Mood, SmtpServer, smtp

PATIENCE_SECONDS = 2
"""For connecting and for an answer, instead of 10 and 30."""

ENDS_WITHIN_SECONDS = 15

HERE = ("smtp.office365.com", "smtp.gmail.com", "smtp.firm.example")
"""Names of which only what they are called matters: they lead to servers of the test."""

MICROSOFT_365, GOOGLE = "smtp.office365.com", "smtp.gmail.com"

TENANT_OFF = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
MAILBOX_OFF = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox."
BASIC_OFF = "535 5.7.139 Authentication unsuccessful, basic authentication is disabled."
BASIC_GONE = "550 5.7.30 Basic authentication is not supported for Client Submission."
DEFAULTS = "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy."
NOT_AS = "550 5.7.60 SMTP; Client does not have permissions to send as this sender"
LAST_YEAR = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass
class Stage:
    """Where a row is played."""

    app: App
    doors: Doors
    tenant: str
    microsoft: Microsoft
    authority: trustme.CA
    stack: ExitStack

    def enter(self, made: AbstractContextManager[Any]) -> Any:
        """Something that runs as long as the row."""
        return self.stack.enter_context(made)


@dataclass(frozen=True)
class Draft:
    """What the tenant typed."""

    settings: Settings
    secrets: dict[str, str] = field(default_factory=lambda: {"password": PASSWORD})


Arrange = Callable[[Stage], Draft]


def typed(secrets: dict[str, str] | None = None, email: str = USER, **outgoing: Any) -> Draft:
    """A mailbox with an outgoing server, also such as the form would refuse."""
    usual = {"enabled": True, "host": "localhost", "security": "none", **outgoing}
    fields = {"group": "g", "host": "imap.firm.example", "username": USER, "email": email, "outgoing": usual}
    return Draft(Settings.stored(fields), secrets or {"password": PASSWORD})


def nowhere(**outgoing: Any) -> Arrange:
    """No server of the test is asked."""
    return lambda stage: typed(**outgoing)


def behind(listener: Callable[[], AbstractContextManager[int]], **outgoing: Any) -> Arrange:
    """A port where nobody listens, or nobody answers."""
    return lambda stage: typed(port=stage.enter(listener()), **outgoing)


def at(talk: Talk, context: Callable[[Stage], ssl.SSLContext] | None = None, **outgoing: Any) -> Arrange:
    """A server that talks as told, inside TLS from the start where there is a context."""

    def arrange(stage: Stage) -> Draft:
        port = stage.enter(listening(talk, context(stage) if context else None))
        return typed(**{"port": port, "security": "ssl" if context else "none", **outgoing})

    return arrange


def signs(*names: str, ends: datetime | None = None) -> Callable[[Stage], ssl.SSLContext]:
    """A certificate of an authority that this service trusts."""
    return lambda stage: scripted.certified(stage.authority, *names, ends=ends)


def script(*offered: str, host: str = "localhost", **answers: str) -> Arrange:
    """An SMTP server inside TLS that answers so; ``offered``: what it offers instead of the usual."""
    told = {("." if verb == "mail_end" else verb): answer for verb, answer in answers.items()}
    return at(smtp(told, offered or OFFERED), signs(host), host=host)


def real(change: Callable[[Mood], object] = lambda mood: None, starttls: bool = True, **more: Any) -> Arrange:
    """aiosmtpd, after its mood was changed."""
    secrets, server = more.pop("secrets", None), more.pop("server", {})

    def arrange(stage: Stage) -> Draft:
        security = "starttls" if starttls else "ssl"
        running = stage.enter(SmtpServer(scripted.certified(stage.authority, "localhost"), security, **server))
        change(running.mood)
        return typed(secrets, **{"port": running.port, "security": security, **more})

    return arrange


def upgraded(certificate: Callable[[Stage], ssl.SSLContext]) -> Arrange:
    """STARTTLS with such a certificate."""

    def arrange(stage: Stage) -> Draft:
        port = stage.enter(listening(smtp(context=certificate(stage))))
        return typed(port=port, security="starttls")

    return arrange


def signed_in(answer: str, challenge: str = "", offered: str = "AUTH XOAUTH2") -> Arrange:
    """Microsoft 365 by SMTP with a token of the app's. ``challenge``: said before the answer, as servers tell why a
    token is refused."""

    def talk(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        while line := reader.readline():
            if line.startswith(b"AUTH"):
                for said in (*([] if line.count(b" ") > 1 else [b""]), *([challenge.encode()] if challenge else [])):
                    connection.sendall(b"334 " + base64.b64encode(said) + b"\r\n")
                    reader.readline()
                connection.sendall(f"{answer}\r\n".encode())
            else:
                connection.sendall(f"250-hi\r\n250 {offered}\r\n".encode())

    def arrange(stage: Stage) -> Draft:
        box = GraphMailbox(stage.microsoft)
        port = stage.enter(listening(talk, scripted.certified(stage.authority, MICROSOFT_365)))
        draft = typed({"client_secret": SECRET}, host=MICROSOFT_365, port=port, security="ssl")
        sign_in = {"auth": "oauth2", "tenant_id": box.tenant.id, "client_id": box.app.client_id}
        return replace(draft, settings=draft.settings.model_copy(update=sign_in))

    return arrange


def office(*roles: str, secret: str = SECRET) -> Arrange:
    """Office 365, with these permissions of the app's."""

    def arrange(stage: Stage) -> Draft:
        box = GraphMailbox(stage.microsoft)
        box.app.roles = set(roles)
        fields = {"server_type": "office365", "email": box.address, "client_id": box.app.client_id, "group": "g"}
        settings = Settings.stored({**fields, "tenant_id": box.tenant.id, "outgoing": {"enabled": True}})
        return Draft(settings, {"client_secret": secret})

    return arrange


@dataclass(frozen=True)
class Row:
    """A situation and what Test Settings says; ``cause`` and ``fix``: words that must be there."""

    number: int
    situation: str
    arrange: Arrange
    code: str
    field: str
    cause: tuple[str, ...]
    fix: tuple[str, ...]


PORTS = ("465", "587")

# fmt: off
CATALOGUE = [
    Row(1, "nobody has that name", nowhere(host="no-such-host.invalid"),
        "host_not_found", "outgoing.host", ("no server called no-such-host.invalid",), ("spelling",)),
    Row(4, "nothing listens there", behind(scripted.nobody),
        "unreachable", "outgoing.port", ("nothing listens on port",), PORTS),
    Row(5, "a firewall swallows everything", behind(scripted.black_hole),
        "timed_out", "outgoing.host", ("does not answer at all",), ("firewall", *PORTS)),
    Row(6, "the address is an internal one", nowhere(host="10.1.2.3"),
        "address_forbidden", "outgoing.host", ("10.1.2.3",), ("only public servers",)),
    Row(7, "no encryption chosen, where it begins at once", at(scripted.is_mute),
        "timed_out", "outgoing.security", ("says nothing",), ("choose SSL", "465")),
    Row(7, "STARTTLS chosen, where it begins at once", at(scripted.is_mute, security="starttls"),
        "timed_out", "outgoing.security", ("says nothing",), ("choose SSL", "465")),
    Row(7, "encrypted, and then not a word", at(scripted.is_mute, signs("localhost")),
        "timed_out", "outgoing.port", ("says nothing",), ("Check the port", *PORTS)),
    Row(8, "SSL chosen, where it begins in clear", at(smtp(), security="ssl"),
        "tls_required", "outgoing.security", ("starts without encryption",), ("STARTTLS", "465")),
    Row(9, "the handshake hangs", at(scripted.is_mute, security="ssl"),
        "timed_out", "outgoing.port", ("when encryption begins",), ("Check the port",)),
    Row(10, "the handshake is cut", at(scripted.cuts_the_handshake, security="ssl"),
        "unreachable", "", ("broke off while encryption",), ("blocks unknown addresses",)),
    Row(11, "nothing newer than TLS 1.1",
        at(scripted.is_mute, lambda stage: scripted.old(scripted.certified(stage.authority, "localhost"))),
        "tls_required", "", ("TLS 1.1",), ("TLS 1.2",)),
    Row(12, "the certificate expired (SSL)", at(scripted.is_mute, signs("localhost", ends=LAST_YEAR)),
        "certificate_refused", "", ("has expired on 2025-01-01",), ("operator to renew it",)),
    Row(12, "the certificate expired (STARTTLS)", upgraded(signs("localhost", ends=LAST_YEAR)),
        "certificate_refused", "", ("has expired",), ("operator to renew it",)),
    Row(14, "the certificate is self-made (SSL)", at(scripted.is_mute, lambda _: scripted.self_signed("localhost")),
        "certificate_refused", "", ("made by the server itself",), ("public authority",)),
    Row(14, "the certificate is self-made (STARTTLS)", upgraded(lambda _: scripted.self_signed("localhost")),
        "certificate_refused", "", ("made by the server itself",), ("public authority",)),
    Row(16, "the certificate is for another name (SSL)", at(scripted.is_mute, signs("mail.provider.example")),
        "certificate_refused", "outgoing.host", ("another name: mail.provider.example",), ("use mail.provider.example",)),
    Row(16, "the certificate is for another name (STARTTLS)", upgraded(signs("mail.provider.example")),
        "certificate_refused", "outgoing.host", ("for another name",), ("server name",)),
    Row(17, "STARTTLS is not offered", at(smtp(), security="starttls"),
        "tls_required", "outgoing.security", ("does not offer encryption",), ("465", "not sent")),
    Row(17, "STARTTLS is offered and refused",
        at(smtp({"STARTTLS": "454 4.7.0 not now"}, (*OFFERED, "STARTTLS")), security="starttls"),
        "tls_required", "outgoing.security", ("does not offer encryption",), ("465", "not sent")),
    Row(18, "a web server", at(scripted.says(f"HTTP/1.1 400 Bad Request {BANNER}")),
        "wrong_server", "outgoing.port", ("is a web server",), PORTS),
    Row(19, "an IMAP server", at(scripted.imap({})),
        "wrong_server", "outgoing.port", ("is an IMAP server",), ("outgoing mail", *PORTS)),
    Row(19, "a POP3 server", at(scripted.says(f"+OK {BANNER}")),
        "wrong_server", "outgoing.port", ("is a POP3 server",), ("outgoing mail",)),
    Row(20, "it hangs up at once", at(scripted.hangs_up),
        "unreachable", "", ("hung up without a word",), ("too many connections",)),
    Row(21, "not now, in the greeting", at(smtp(greeting=f"421 4.3.2 {BANNER} closing")),
        "throttled", "", ("takes no connections just now",), ("tried again",)),
    Row(21, "never, in the greeting", at(smtp(greeting=f"554 5.7.1 {BANNER} no")),
        "access_denied", "outgoing.host", ("does not want to talk",), ("operator",)),
    Row(20, "it hangs up after the greeting", at(smtp({"EHLO": ""})),
        "unreachable", "", ("connection to", "broke"), ("tried again",)),
    Row(22, "nobody logs in without encryption",
        at(smtp(offered=("SIZE 1000", "STARTTLS"))),
        "tls_required", "outgoing.security", ("without encryption",), ("STARTTLS",)),
    Row(22, "the log-in is refused without encryption", at(smtp({"AUTH": "538 5.7.11 Encryption required"})),
        "tls_required", "outgoing.security", ("only over encryption",), ("STARTTLS",)),
    Row(23, "a wrong password", real(secrets={"password": "not-the-one"}),
        "login_refused", "outgoing.password", ("does not accept this user name and password",), ("app password",)),
    Row(23, "a wrong password of its own", real(secrets={"password": PASSWORD, "outgoing_password": "not-the-one"}),
        "login_refused", "outgoing.password", ("does not accept this user name and password",), ("app password",)),
    Row(23, "another user without a password", nowhere(username="another@firm.example"),
        "login_refused", "outgoing.password", ("without user name and password",), ("of the mailbox are used",)),
    Row(24, "Google wants an app password", script(AUTH="534 5.7.9 Application-specific password required.", host=GOOGLE),
        "login_refused", "outgoing.password", ("Google wants an app password",), ("myaccount.google.com/apppasswords",)),
    Row(25, "Google wants the owner in a browser",
        script(AUTH="534 5.7.14 <https://evil.example/x> Please log in via your web browser", host=GOOGLE),
        "login_refused", "", ("confirm", "browser"), ("https://accounts.google.com",)),
    Row(33, "log-ins cannot be checked just now", script(AUTH="454 4.7.0 Temporary authentication failure"),
        "throttled", "", ("cannot check the log-in",), ("Nothing is wrong",)),
    Row(37, "no way to log in that is known", script("AUTH NTLM GSSAPI"),
        "wrong_server", "outgoing.port", ("no way to log in",), ("between servers",)),
    Row(37, "no way to log in at all", script("SIZE 1000"),
        "wrong_server", "outgoing.port", ("no way to log in",), ("between servers",)),
    Row(38, "a line break in the password", nowhere(secrets={"password": "pass\r\nword"}),
        "settings", "outgoing.password", ("The password contains a line break",), ("Paste it again",)),
    Row(38, "a line break in the user name",
        nowhere(username="an\r\nn", secrets={"password": PASSWORD, "outgoing_password": PASSWORD}),
        "settings", "outgoing.username", ("The user name contains a line break",), ("Paste it again",)),
    Row(30, "the token is refused", signed_in("535 5.7.3 Authentication unsuccessful"),
        "consent_needed", "", ("does not accept the sign-in",), ("SMTP.SendAsApp",)),
    Row(30, "the token is refused with a reason",
        signed_in("535 5.7.3 no", '{"status":"401","schemes":"Bearer","scope":"x"}'),
        "consent_needed", "", ("does not accept the sign-in",), ("SMTP.SendAsApp",)),
    Row(30, "the token is for something else",
        signed_in("535 5.7.3 no", '{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}'),
        "consent_needed", "", ("does not cover sending mail",), ("SMTP.Send",)),
    Row(30, "tokens are not taken", signed_in("235 in", offered="AUTH LOGIN PLAIN"),
        "sign_in_not_offered", "outgoing.host", ("OAuth 2.0",), ("smtp.office365.com",)),
    Row(57, "Microsoft 365 takes no passwords any more", script(AUTH=BASIC_OFF, host=MICROSOFT_365),
        "login_refused", "server_type", ("Microsoft has ended that",), ("Choose Office 365", "Graph")),
    Row(57, "the same in its other form", script(AUTH=BASIC_GONE, host=MICROSOFT_365),
        "login_refused", "server_type", ("Microsoft has ended that",), ("Choose Office 365", "Graph")),
    Row(57, "security defaults", script(AUTH=DEFAULTS, host=MICROSOFT_365),
        "login_refused", "server_type", ("security policy",), ("Sign-in logs", "Graph")),
    Row(58, "SMTP is switched off for all", script(AUTH=TENANT_OFF, host=MICROSOFT_365),
        "login_refused", "", ("switched off for the whole organisation",),
        ("Set-TransportConfig -SmtpClientAuthenticationDisabled $false", f'Set-CASMailbox "{USER}"', "Graph")),
    Row(58, "SMTP is switched off for the mailbox", script(AUTH=MAILBOX_OFF, host=MICROSOFT_365),
        "login_refused", "", ("switched off for this mailbox",),
        (f'Set-CASMailbox "{USER}" -SmtpClientAuthenticationDisabled $false', "Graph")),
    Row(59, "may not send as the mailbox", real(lambda mood: setattr(mood, "sender", NOT_AS)),
        "access_denied", "email", (f"send as {USER}",), ("Send as",)),
    Row(59, "the sender is another's (Postfix)", script(MAIL="553 5.7.1 Sender address rejected: not owned by user"),
        "access_denied", "email", (f"send as {USER}",), ("Send as",)),
    Row(60, "STARTTLS comes first", at(smtp({"MAIL": "530 5.7.0 Must issue a STARTTLS command first"})),
        "tls_required", "outgoing.security", ("only over encryption",), ("STARTTLS",)),
    Row(60, "relaying is denied", script(RCPT="550 5.7.1 Unable to relay"),
        "access_denied", "outgoing.host", ("does not pass on mail",), ("account of this server",)),
    Row(60, "a log-in comes first", script(MAIL="530 5.7.1 Authentication required"),
        "access_denied", "outgoing.username", ("only after a log-in",), ("operator",)),
    Row(60, "the mailbox is full or too small", script(MAIL="552 5.3.4 too big"),
        "not_sent", "", ("too large",), ("higher limit",)),
    Row(60, "a new sender is put off", real(lambda mood: mood.refuses.update({USER: "451 4.7.1 Greylisted"})),
        "not_sent", "", ("puts this mail off (4.7.1)",), ("greylisting", "Nothing is wrong")),
    Row(60, "nobody there by that name", real(lambda mood: mood.refuses.update({USER: "550 5.1.1 who?"})),
        "not_sent", "", ("does not take this mail (5.1.1)",), ("transcript",)),
    Row(60, "letters that it cannot carry", lambda stage: real(email="déśk@firm.example", server={"utf8": False})(stage),
        "not_sent", "email", ("SMTPUTF8",), ("English keyboard",)),
    Row(61, "port 25", nowhere(port=25, host="smtp.firm.example"),
        "settings", "outgoing.port", ("Port 25", "Azure blocks it"), ("587", "465")),
    Row(61, "no server", nowhere(host=""),
        "settings", "outgoing.host", ("No outgoing server",), ("smtp.example.com",)),
    Row(62, "it hangs up at the log-in", script(AUTH=""),
        "unreachable", "", ("connection to", "broke"), ("tried again",)),
    Row(50, "the app may not send", office("Mail.Read"),
        "access_denied", "", ("no permission Mail.Send",), ("Application permissions", "Application Mail.Send")),
    Row(41, "a wrong client secret", office("Mail.Read", secret="wrong~secret"),
        "login_refused", "client_secret", ("client secret",), ("Value",)),
]
# fmt: on


# ── playing it ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA) -> Iterator[str]:
    with authority.cert_pem.tempfile() as path:
        yield path


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(Path(tmp_path_factory.mktemp("microsoft"))) as running:
        yield running


@pytest.fixture
def stage(world: World, authority: trustme.CA, ca_file: str, microsoft: Microsoft) -> Iterator[Stage]:
    """Storage and the incoming server in memory; the way out as it is wired, only less patient."""
    microsoft.faults.clear()
    guard = AddressGuard(LOOPBACK, _resolve)
    dialer = Dialer(guard, ca_file, PATIENCE_SECONDS, PATIENCE_SECONDS, greeting_seconds=PATIENCE_SECONDS)
    cloud = Cloud.custom(microsoft.authority, microsoft.graph_url)
    app = world.app
    doors = Doors(app.secrets, app.sign_ins, dialer, cloud, Tokens(), WarmClients(hang_up), lambda: datetime.now(UTC))
    tenant, _ = world.tenant()
    with ExitStack() as stack:
        yield Stage(replace(app, courier=doors.courier), doors, tenant, microsoft, authority, stack)
    assert microsoft.violations == []


def _resolve(host: str, port: int) -> list[str]:
    return ["127.0.0.1"] if host in HERE else address_guard.resolve(host, port)


def _mailbox(stage: Stage, draft: Draft) -> Mailbox:
    return mailboxes.draft(stage.app, stage.tenant, "draft", draft.settings, draft.secrets)


def _test_settings(stage: Stage, draft: Draft) -> ProbeReport:
    return probe(stage.app, _mailbox(stage, draft))


LIBRARIES = re.compile(r"Errno|_ssl|gaierror|b'|\bNone\b|Traceback|smtplib|urllib3|Exception|0x[0-9a-f]{6}")


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: f"{row.number} {row.situation}")
def test_what_is_wrong_with_sending_is_said_at_its_step(stage: Stage, row: Row) -> None:
    draft = row.arrange(stage)
    began = time.monotonic()
    report = _test_settings(stage, draft)
    assert time.monotonic() - began < ENDS_WITHIN_SECONDS
    (failed,) = [step for step in report.steps if step.state == "failed"]
    assert (failed.name, failed.code, failed.field) == ("outgoing", row.code, row.field), failed
    for words in row.cause:
        assert words in failed.cause
    for words in row.fix:
        assert words in failed.fix
    said = " ".join(f"{step.cause} {step.fix} {step.detail}" for step in report.steps)
    assert not LIBRARIES.search(said)
    assert "  " not in f"{failed.cause} {failed.fix}"
    for hidden in (BANNER, "evil.example", *draft.secrets.values()):
        assert hidden not in said
    for secret in draft.secrets.values():
        assert secret not in repr(report)
    assert failed.cause.endswith(".")
    assert failed.fix.endswith(".")


@pytest.mark.parametrize("starttls", [True, False])
def test_settings_that_work_say_so_and_send_nothing(stage: Stage, starttls: bool) -> None:
    moods: list[Mood] = []
    report = _test_settings(stage, real(moods.append, starttls)(stage))
    assert report.ok, report.steps
    step = report.steps[-1]
    assert (step.name, step.state) == ("outgoing", "ok")
    assert "TLSv1" in step.detail
    assert (moods[0].taken, moods[0].used, moods[0].resets) == ([], ["PLAIN"], 1)
    assert any("RSET" in line for line in report.transcript)
    assert not any("DATA" in line for line in report.transcript)


def test_a_mailbox_without_an_outgoing_server_skips_the_step(stage: Stage) -> None:
    draft = typed()
    outgoing = draft.settings.outgoing.model_copy(update={"enabled": False})
    settings = draft.settings.model_copy(update={"outgoing": outgoing})
    report = _test_settings(stage, replace(draft, settings=settings))
    assert report.ok
    assert (report.steps[-1].state, report.steps[-1].detail) == ("skipped", "No outgoing server is set up.")


def test_steps_inside_the_outgoing_one_do_not_overwrite_those_of_the_mailbox(stage: Stage) -> None:
    report = _test_settings(stage, script(AUTH="535 5.7.8 no")(stage))
    states = {step.name: step.state for step in report.steps}
    assert (states["login"], states["outgoing"]) == ("ok", "failed")
    # The incoming server is in memory: only the outgoing one was connected to.
    assert states["tcp"] == "skipped"
    assert any("outgoing: login" in line for line in report.transcript)


def test_an_app_that_may_send_is_told_so(stage: Stage) -> None:
    report = _test_settings(stage, office("Mail.Read", "Mail.Send")(stage))
    assert report.ok
    assert "carries the permission" in report.steps[-1].detail


def test_a_scoped_app_whose_token_says_nothing_is_told_that_only_sending_proves_it(stage: Stage) -> None:
    report = _test_settings(stage, office()(stage))
    assert report.ok
    assert "only when a mail is sent" in report.steps[-1].detail


def test_no_password_is_sent_where_starttls_is_stripped(stage: Stage) -> None:
    """Situation 17: somebody in the middle takes STARTTLS out of the answer."""
    heard: list[bytes] = []
    report = _test_settings(stage, at(smtp(heard=heard), security="starttls")(stage))
    assert not report.ok
    assert {line.split()[0] for line in heard} == {b"EHLO"}


def test_what_was_injected_behind_starttls_is_thrown_away(stage: Stage) -> None:
    """Answers said in clear text must not be taken for those inside TLS (nostarttls.secvuln.info)."""
    heard: list[bytes] = []
    injected = b"250-evil\r\n250 AUTH LOGIN\r\n235 in\r\n250 ok\r\n250 ok\r\n250 ok\r\n"
    talk = smtp(
        {"AUTH": "535 5.7.8 no"},
        context=scripted.certified(stage.authority, "localhost"),
        injected=injected,
        heard=heard,
    )
    report = _test_settings(stage, at(talk, security="starttls")(stage))
    assert report.steps[-1].code == "login_refused"
    assert [line.split()[0] for line in heard] == [b"EHLO", b"STARTTLS", b"EHLO", b"AUTH"]
    assert any("thrown away" in line for line in report.transcript)


def test_a_token_goes_to_microsoft_only(stage: Stage) -> None:
    draft = signed_in("235 in")(stage)
    stage.microsoft.forget_requests()
    outgoing = draft.settings.outgoing.model_copy(update={"host": "smtp.firm.example"})
    report = _test_settings(stage, replace(draft, settings=draft.settings.model_copy(update={"outgoing": outgoing})))
    assert (report.steps[-1].code, report.steps[-1].field) == ("settings", "outgoing.host")
    assert stage.microsoft.count() == 0


# ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _refusal(stage: Stage, arrange: Arrange, raw: bytes | None = None, to: str = "ann@x.example") -> InboundError:
    draft = arrange(stage)
    with pytest.raises(InboundError) as raised, stage.app.courier(_mailbox(stage, draft), NOBODY) as courier:
        courier.send(raw or mail(sender=USER), USER, [to])
    assert BANNER not in f"{raised.value.message}{raised.value.fix}"
    return raised.value


# fmt: off
SENDING = [
    ("too big by its own word", script("AUTH PLAIN", "SIZE 100"), (True, "5.3.4", False), "too large"),
    ("too big, at the sender", script("AUTH PLAIN", "SIZE", MAIL="552 5.3.4 too big"), (True, "5.3.4", False), "too large"),
    ("too big, at the end", script(mail_end="552 5.3.4 too big"), (True, "5.3.4", False), "too large"),
    ("not as this sender, at the end", script(mail_end=NOT_AS), (True, "5.7.60", False), "send as"),
    ("content that is not wanted", script(mail_end="554 5.7.1 spam"), (True, "5.7.1", False), "does not take"),
    ("no data", script(DATA="554 5.5.1 no valid recipients"), (True, "5.5.1", False), "does not take"),
    ("put off at the end", script(mail_end="451 4.7.1 later"), (False, "4.7.1", False), "puts this mail off"),
    ("going down at the end", script(mail_end="421 4.3.2 closing"), (False, "4.3.2", False), "puts this mail off"),
    ("no status", script(mail_end="550 no"), (True, "", False), "does not take"),
    ("a status of another class", script(mail_end="550 4.7.1 no"), (True, "", False), "does not take"),
    ("lost after the mail", script(mail_end=""), (False, "", True), "may have been sent"),
    ("nonsense after the mail", script(mail_end="hello"), (False, "", True), "may have been sent"),
    ("a go-on after the mail", script(mail_end="354 more"), (False, "", True), "may have been sent"),
    ("taken and lost", real(lambda mood: setattr(mood, "dies", True)), (False, "", True), "may have been sent"),
]
# fmt: on


@pytest.mark.parametrize(("arrange", "kind", "words"), [one[1:] for one in SENDING], ids=[one[0] for one in SENDING])
def test_a_mail_that_is_not_taken_says_whether_to_try_again(
    stage: Stage, arrange: Arrange, kind: tuple[bool, str, bool], words: str
) -> None:
    error = _refusal(stage, arrange)
    assert isinstance(error, NotSent), error
    assert (error.permanent, error.status, error.in_doubt) == kind
    assert words in error.message


def test_a_connection_that_breaks_before_the_end_of_a_mail_leaves_no_doubt(stage: Stage) -> None:
    def talk(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        for answer in (b"250-hi\r\n250 AUTH PLAIN", b"235 in", b"250 ok", b"250 ok", b"354 go on"):
            reader.readline()
            connection.sendall(answer + b"\r\n")
        connection.recv(1000)

    raw = mail(sender=USER, attachments=(("a", b"x" * 9_000_000),))
    error = _refusal(stage, at(talk, signs("localhost")), raw)
    assert error.code == "unreachable"
    assert not isinstance(error, NotSent)


def test_why_a_server_hung_up_in_the_middle_of_a_mail_is_heard(stage: Stage) -> None:
    def talk(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        for answer in (b"250-hi\r\n250 AUTH PLAIN", b"235 in", b"250 ok", b"250 ok", b"354 go on"):
            reader.readline()
            connection.sendall(answer + b"\r\n")
        reader.read(500_000)
        connection.sendall(b"552 5.3.4 too big\r\n")
        while connection.recv(100_000):
            pass

    raw = mail(sender=USER, attachments=(("a", b"x" * 3_000_000),))
    error = _refusal(stage, at(talk, signs("localhost")), raw)
    assert isinstance(error, NotSent)
    assert (error.permanent, error.status) == (True, "5.3.4")


@pytest.mark.parametrize("subject", ["Grüße", "Hello"])
def test_letters_in_headers_or_addresses_need_smtputf8(stage: Stage, subject: str) -> None:
    raw = f"From: {USER}\r\nTo: jörg@x.example\r\nSubject: {subject}\r\n\r\nhi\r\n".encode()
    error = _refusal(stage, script("AUTH PLAIN", "8BITMIME"), raw)
    assert isinstance(error, NotSent)
    assert (error.permanent, error.status) == (True, "5.6.7")


def test_eight_bits_need_8bitmime(stage: Stage) -> None:
    error = _refusal(stage, script("AUTH PLAIN"), f"From: {USER}\r\n\r\nGrüße\r\n".encode())
    assert isinstance(error, NotSent)
    assert (error.permanent, error.status) == (True, "5.6.3")


def test_a_mail_at_office_365_that_is_too_large_is_not_even_posted(stage: Stage) -> None:
    draft = office("Mail.Send")(stage)
    raw = mail(sender=draft.settings.email, to="ann@x.example", attachments=(("a", b"x" * 3_200_000),))
    before = stage.microsoft.count("send")
    with pytest.raises(NotSent) as raised, stage.app.courier(_mailbox(stage, draft), NOBODY) as courier:
        courier.send(raw, "", ["ann@x.example"])
    assert (raised.value.permanent, raised.value.status) == (True, "5.3.4")
    assert stage.microsoft.count("send") == before


def test_the_catalogue_is_long_enough() -> None:
    assert {57, 58, 59, 60, 61} <= {row.number for row in CATALOGUE}
    assert len(CATALOGUE) >= 50
