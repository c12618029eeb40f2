"""The catalogue of what goes wrong in Test Settings: each row a server that really behaves so, and what is then said.

A row reads: number and situation; how it comes about; the step that fails, its code, the setting to mark; words that
must be in the cause, and words that must be in what to do. Not in here: 44 to 46 (in the browser, before there is
anything to test), 56 (no error), 57 to 61 (outgoing mail, which this version has not).
"""

from __future__ import annotations

import re
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import trustme

from infra.local.azurite import Azurite
from shared import bootstrap
from shared.config import Config, Storage
from shared.flows import mailboxes, tenants
from shared.flows.probe import ProbeReport, ProbeStep, path_of, probe
from shared.model.mailbox import Settings
from shared.ports import App
from shared.servers import address_guard
from shared.servers.address_guard import AddressGuard
from shared.servers.dial import Dialer, Security
from shared.servers.doors import Doors
from tests.support import dovecot, scripted
from tests.support.discovering import listening
from tests.support.mails import mail
from tests.support.microsoft import Microsoft, Reply
from tests.support.microsoft.mailbox import SECRET, GraphMailbox
from tests.support.microsoft.wire import entra_error, graph_error
from tests.support.pop3server import CAPABILITIES, Faults, Pop3Server
from tests.support.road import LOOPBACK
from tests.support.scripted import BANNER, Talk

pytestmark = [pytest.mark.dovecot, pytest.mark.azurite]

PATIENCE_SECONDS = 2
"""For connecting, a greeting and an answer, instead of 10, 10 and 30: that a server is silent shows as well in two."""

ENDS_WITHIN_SECONDS = 20

HERE = ("imap.gmail.com", "pop.gmail.com", "outlook.office365.com", "imap.firm.example")
"""Names of which only what they are called matters: they lead to servers of the test."""

NOT_ANSWERED = "not-answered.example"
"""A name whose name server does not answer."""

CALLBACK = "https://inbound.example/oauth/callback"
GUID = "0f0e0d0c-1111-4222-8333-444455556666"

DOVECOT = """
listen = 127.0.0.1, 127.0.0.2
mail_max_userip_connections = 5
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
namespace inbox {
  mailbox Billing {
    auto = create
  }
  mailbox Sent {
    auto = create
    special_use = \\Sent
  }
}
"""


@dataclass(frozen=True, slots=True)
class Rerouted(Dialer):
    """A dialer that finds some usual ports elsewhere: a test may not listen on them."""

    ports: dict[int, int] = field(default_factory=dict)

    def dial(self, host: str, port: int, security: Security) -> socket.socket:
        return Dialer.dial(self, host, self.ports.get(port, port), security)


@dataclass
class Stage:
    """Where a row is played: the servers that all rows share, and a stack for those of one row."""

    app: App
    tenant: str
    doors: Doors
    dovecot: dovecot.Dovecot
    microsoft: Microsoft
    authority: trustme.CA
    stack: ExitStack
    hidden: list[str] = field(default_factory=list)

    def enter(self, made: AbstractContextManager[Any]) -> Any:
        """Something that runs as long as the row."""
        return self.stack.enter_context(made)


@dataclass(frozen=True)
class Draft:
    """What the tenant typed."""

    settings: Settings
    secret: str = dovecot.PASSWORD


Arrange = Callable[[Stage], Draft]


@dataclass(frozen=True)
class Row:
    """A situation and what is said about it. ``cause`` and ``fix``: words that must be there, after formatting with the
    draft's host and port."""

    number: int
    situation: str
    arrange: Arrange
    step: str
    code: str
    field: str
    cause: tuple[str, ...]
    fix: tuple[str, ...]


# ── arranging ─────────────────────────────────────────────────────────────────────────────────────────────────────


def typed(secret: str = dovecot.PASSWORD, **fields: Any) -> Draft:
    """Settings, also such as the form would refuse: rows of older versions are tested too."""
    usual = {"group": "g", "server_type": "imap", "host": "localhost", "username": "ann", "security": "ssl"}
    return Draft(Settings.stored({**usual, **fields}), secret)


def nowhere(**fields: Any) -> Arrange:
    """No server of the test is asked."""
    return lambda stage: typed(**fields)


def dove(listener: str, secret: str = dovecot.PASSWORD, **fields: Any) -> Arrange:
    """Dovecot, at one of its four ports."""
    kind = "pop3" if listener.startswith("pop3") else "imap"
    security = "ssl" if listener.endswith("s") else "none"

    def arrange(stage: Stage) -> Draft:
        port = getattr(stage.dovecot.ports, listener)
        return typed(secret, **{"server_type": kind, "security": security, "port": port, **fields})

    return arrange


def at(talk: Talk, context: Callable[[Stage], ssl.SSLContext] | None = None, **fields: Any) -> Arrange:
    """A server that talks as told, inside TLS where there is a context."""
    secret = fields.pop("secret", dovecot.PASSWORD)

    def arrange(stage: Stage) -> Draft:
        port = stage.enter(listening(talk, context(stage) if context else None))
        return typed(secret, **{"port": port, "security": "ssl" if context else "none", **fields})

    return arrange


def as_port(port: int, arrange: Arrange) -> Arrange:
    """The same server, met at a usual port."""

    def arranged(stage: Stage) -> Draft:
        draft = arrange(stage)
        assert isinstance(stage.doors.dialer, Rerouted)
        stage.doors.dialer.ports[port] = draft.settings.effective_port
        stage.stack.callback(stage.doors.dialer.ports.clear)
        return replace(draft, settings=draft.settings.model_copy(update={"port": port}))

    return arranged


def behind(listener: Callable[[], AbstractContextManager[int]], **fields: Any) -> Arrange:
    """A port where nobody listens, or nobody answers."""
    return lambda stage: typed(port=stage.enter(listener()), **fields)


def signs(*names: str, begins: datetime | None = None, ends: datetime | None = None) -> Any:
    """A certificate of an authority that this service trusts."""
    return lambda stage: scripted.certified(stage.authority, *names, begins=begins, ends=ends)


def strangers(stage: Stage) -> ssl.SSLContext:
    """A certificate of an authority that nobody knows."""
    return scripted.certified(trustme.CA(organization_name="Backyard Trust"), "localhost")


def outdated(stage: Stage) -> ssl.SSLContext:
    return scripted.old(scripted.certified(stage.authority, "localhost"))


def pop3(faults: Faults, more: tuple[str, ...] = (), **fields: Any) -> Arrange:
    """A POP3 server with faults; ``more``: what it says it can, besides the usual."""
    secret = fields.pop("secret", dovecot.PASSWORD)

    def arrange(stage: Stage) -> Draft:
        server = Pop3Server((*CAPABILITIES, *more))
        server.faults = faults
        stage.enter(server)
        return typed(secret, **{"server_type": "pop3", "security": "none", "port": server.port, **fields})

    return arrange


def pop3_refuses(answer: str, more: tuple[str, ...] = (), **fields: Any) -> Arrange:
    """A POP3 server that answers a log-in so."""
    return pop3(Faults(answers={"AUTH": f"-ERR {answer} {BANNER}".encode()}), more, **fields)


def logs_in(answer: str, **fields: Any) -> Arrange:
    """An IMAP server in TLS, with a certificate for its name, that answers a log-in so."""
    host = fields.get("host", "localhost")
    return at(scripted.imap({"AUTHENTICATE": answer, "LOGIN": answer}), signs(host), **fields)


def with_mail(arrange: Arrange) -> Arrange:
    """The same with a mail in the mailbox, so that the test gets beyond fetching."""

    def arranged(stage: Stage) -> Draft:
        draft = arrange(stage)
        client = stage.dovecot.client(draft.settings.username)
        client.append("INBOX", mail())
        client.logout()
        return draft

    return arranged


def full(stage: Stage) -> Draft:
    """Somebody else uses all connections that this account may have."""
    for _ in range(5):
        stage.stack.callback(stage.dovecot.client("busy").shutdown)
    return dove("imaps", username="busy")(stage)


def signed_in(talk: Talk) -> Arrange:
    """IMAP at Microsoft 365 with a token of the app's."""

    def arrange(stage: Stage) -> Draft:
        app = _office(GraphMailbox(stage.microsoft))
        host = "outlook.office365.com"
        port = stage.enter(listening(talk, scripted.certified(stage.authority, host)))
        sign_in = {"auth": "oauth2", "tenant_id": app.settings.tenant_id, "client_id": app.settings.client_id}
        return typed(SECRET, host=host, port=port, username="desk@firm.example", **sign_in)

    return arrange


def office(change: Callable[[GraphMailbox], object] = lambda box: None, secret: str = SECRET, **fields: Any) -> Arrange:
    """A mailbox at Office 365, after something was done to it."""

    def arrange(stage: Stage) -> Draft:
        box = GraphMailbox(stage.microsoft)
        change(box)
        stage.hidden += [box.tenant.domain]
        return replace(_office(box, **fields), secret=secret)

    return arrange


def faulty(kind: str, **how: Any) -> Arrange:
    """Office 365, answering requests of a kind wrong."""
    return office(lambda box: box.microsoft.fail(kind, **how))


def _office(box: GraphMailbox, **fields: Any) -> Draft:
    usual = {"server_type": "office365", "email": box.address, "client_id": box.app.client_id, "host": ""}
    return typed(SECRET, **{**usual, "tenant_id": box.tenant.id, "username": "", **fields})


def locked(box: GraphMailbox) -> None:
    """An access policy limits the app to other mailboxes."""
    box.app.only = {"another@firm.example"}


def expire(box: GraphMailbox) -> None:
    box.app.secrets[SECRET] = box.microsoft.now() - timedelta(days=1)


def has_mail(box: GraphMailbox) -> None:
    box.deliver(mail())


def may_only_read(box: GraphMailbox) -> None:
    has_mail(box)
    box.app.roles.discard("Mail.ReadWrite")


def not_added(box: GraphMailbox) -> None:
    box.app.added = False


def not_at_exchange_online(box: GraphMailbox) -> None:
    box.box.enabled = False


def grant_that_died(stage: Stage) -> Draft:
    """A person signed in; then the password was changed."""
    box = GraphMailbox(stage.microsoft)
    entra = stage.microsoft.entra
    person = entra.add_person(box.tenant, box.address)
    box.box.owner = person.oid
    box.app.redirect_uris.add(CALLBACK)
    entra.signs_in = person.username
    draft = _office(box)
    mailbox = mailboxes.draft(stage.app, stage.tenant, "draft", draft.settings, {"client_secret": SECRET})
    flow = stage.doors.begin_sign_in(mailbox, CALLBACK)
    browser = requests.get(flow["auth_uri"], allow_redirects=False, timeout=10)
    _, cache = stage.doors.finish_sign_in(mailbox, flow, dict(parse_qsl(urlsplit(browser.headers["Location"]).query)))
    sealed = stage.app.secrets.seal(stage.tenant, "draft", draft.settings.sign_in_field(), cache)
    stage.app.sign_ins.put_cache(stage.tenant, "draft", sealed, "")
    stage.stack.callback(stage.app.sign_ins.forget_cache, stage.tenant, "draft")
    entra.revoke_sign_ins()
    entra.revoke_tokens()
    return draft


FROM_THE_START = "This port expects encryption from the start: choose SSL/TLS"
LAST_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
IN_YEARS = datetime(2090, 1, 1, tzinfo=UTC)

AMID = "AUTH=XOAUTH2"
INVALID_TOKEN = '{"status":"invalid_token","scope":"mail"}'
REFUSED_TOKEN = '{"status":"401","schemes":"Bearer"}'
OTHER_SCOPE = '{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}'
APP_PASSWORD = "[ALERT] Application-specific password required: https://support.google.com/x (Failure)"
NO_UIDL = Faults(answers={"UIDL": b"-ERR unknown command Zanzibar"})
UNAVAILABLE = Reply(503, b"<html>Zanzibar</html>", {"Content-Type": "text/html"})
OTHER_CLOUD = graph_error(401, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
POLICY = entra_error(400, "interaction_required", 53003, "Access has been blocked by Conditional Access policies.")
BUSY = Reply(429, b"", {"Retry-After": "300"})


# ── the catalogue ─────────────────────────────────────────────────────────────────────────────────────────────────

# fmt: off
CATALOGUE = [
    Row(1, "nobody has that name", nowhere(host="no-such-host.invalid"),
        "dns", "host_not_found", "host", ("no server called {host}",), ("spelling", "no https://")),
    Row(2, "the name is none", nowhere(host="imap..example.com"),
        "dns", "host_not_found", "host", ("no server called {host}",), ("spelling",)),
    Row(3, "the name server does not answer", nowhere(host=NOT_ANSWERED),
        "dns", "unreachable", "", ("{host} could not be looked up just now",), ("Nothing is wrong with the settings",)),
    Row(4, "nothing listens there (IMAP)", behind(scripted.nobody),
        "tcp", "unreachable", "port", ("{host} answers", "nothing listens on port {port}"), ("993", "143")),
    Row(4, "nothing listens there (POP3)", behind(scripted.nobody, server_type="pop3"),
        "tcp", "unreachable", "port", ("nothing listens on port {port}",), ("995", "110")),
    Row(5, "a firewall swallows everything", behind(scripted.black_hole),
        "tcp", "timed_out", "host", ("{host}:{port} does not answer",), ("firewall", "let it in")),
    Row(6, "the address is an internal one", nowhere(host="10.1.2.3"),
        "dns", "address_forbidden", "host", ("{host}",), ("only public servers",)),
    Row(7, "no encryption chosen, where it begins at once (IMAP)", dove("imaps", security="none"),
        "greeting", "timed_out", "security", ("{host}:{port}", "says nothing"), ("choose SSL", "993")),
    Row(7, "no encryption chosen, where it begins at once (POP3)", dove("pop3s", security="none"),
        "greeting", "timed_out", "security", ("{host}:{port}", "says nothing"), ("choose SSL", "995")),
    Row(7, "no encryption chosen at port 993", as_port(993, dove("imaps", security="none")),
        "greeting", "tls_required", "security", (FROM_THE_START, "{host}:993"), ("SSL/TLS", "993", "not sent")),
    Row(7, "STARTTLS chosen at port 993", as_port(993, dove("imaps", security="starttls")),
        "greeting", "tls_required", "security", (FROM_THE_START, "{host}:993"), ("SSL/TLS", "993", "not sent")),
    Row(7, "no encryption chosen at port 995", as_port(995, dove("pop3s", security="none")),
        "greeting", "tls_required", "security", (FROM_THE_START, "{host}:995"), ("SSL/TLS", "995", "not sent")),
    Row(7, "STARTTLS chosen at port 995", as_port(995, dove("pop3s", security="starttls")),
        "greeting", "tls_required", "security", (FROM_THE_START, "{host}:995"), ("SSL/TLS", "995", "not sent")),
    Row(7, "STARTTLS chosen at port 993, which soon loses patience", as_port(993, at(scripted.hangs_up, security="starttls")),
        "greeting", "tls_required", "security", (FROM_THE_START,), ("SSL/TLS",)),
    Row(7, "no encryption chosen at port 995, which soon loses patience",
        as_port(995, at(scripted.hangs_up, server_type="pop3")),
        "greeting", "tls_required", "security", (FROM_THE_START,), ("SSL/TLS",)),
    Row(7, "STARTTLS chosen, where encryption begins at once", dove("imaps", security="starttls"),
        "greeting", "timed_out", "security", ("{host}:{port}", "says nothing"), ("choose SSL", "993")),
    Row(7, "encrypted, and then not a word", at(scripted.is_mute, signs("localhost")),
        "greeting", "timed_out", "port", ("says nothing",), ("Check the port", "993")),
    Row(8, "SSL chosen, where it begins in clear (IMAP)", dove("imap", security="ssl"),
        "tls", "tls_required", "security", ("Port {port} of {host} starts without encryption",), ("993", "STARTTLS")),
    Row(8, "SSL chosen, where it begins in clear (POP3)", dove("pop3", security="ssl"),
        "tls", "tls_required", "security", ("Port {port} of {host} starts without encryption",), ("995", "STARTTLS")),
    Row(9, "the handshake hangs", at(scripted.is_mute, security="ssl"),
        "tls", "timed_out", "port", ("{host}:{port}", "when encryption begins"), ("Check the port", "STARTTLS")),
    Row(10, "the handshake is cut", at(scripted.cuts_the_handshake, security="ssl"),
        "tls", "unreachable", "", ("{host}:{port} broke off while encryption",), ("blocks unknown addresses",)),
    Row(11, "nothing newer than TLS 1.1", at(scripted.is_mute, outdated),
        "tls", "tls_required", "", ("old, unsafe", "TLS 1.1"), ("TLS 1.2", "operator")),
    Row(12, "the certificate expired", at(scripted.is_mute, signs("localhost", ends=LAST_YEAR)),
        "tls", "certificate_refused", "", ("{host} has expired on 2025-01-01",), ("operator to renew it",)),
    Row(13, "the certificate is not valid yet", at(scripted.is_mute, signs("localhost", begins=IN_YEARS)),
        "tls", "certificate_refused", "", ("{host} is not valid yet", "2090-01-01"), ("clock",)),
    Row(14, "the certificate is self-made", at(scripted.is_mute, lambda stage: scripted.self_signed("localhost")),
        "tls", "certificate_refused", "", ("made by the server itself",), ("public authority", "SHA-256")),
    Row(15, "the issuer is unknown", at(scripted.is_mute, strangers),
        "tls", "certificate_refused", "", ("not known here", "intermediate"), ("public authority",)),
    Row(16, "the certificate is for another name", at(scripted.is_mute, signs("mail.provider.example")),
        "tls", "certificate_refused", "host", ("{host} is for another name: mail.provider.example",),
        ("use mail.provider.example as server name",)),
    Row(16, "the certificate is for another address (STARTTLS)", dove("imap", security="starttls", host="127.0.0.2"),
        "tls", "certificate_refused", "host", ("{host} is for another name",), ("server name",)),
    Row(16, "the certificate is for any name below another", at(scripted.is_mute, signs("*.provider.example")),
        "tls", "certificate_refused", "host", ("*.provider.example",), ("a server name that matches",)),
    Row(17, "STARTTLS is not offered (IMAP)", at(scripted.imap({}), security="starttls"),
        "tls", "tls_required", "security", ("{host}:{port} does not offer encryption",), ("993", "not sent")),
    Row(17, "STARTTLS is not offered (POP3)", pop3(Faults(), security="starttls"),
        "tls", "tls_required", "security", ("{host}:{port} does not offer encryption",), ("995", "not sent")),
    Row(18, "a web server (IMAP)", at(scripted.says(f"HTTP/1.1 400 Bad Request {BANNER}")),
        "greeting", "wrong_server", "port", ("{host}:{port} is a web server",), ("Check the port", "993")),
    Row(18, "a web server (POP3)", at(scripted.says(f"HTTP/1.1 400 Bad Request {BANNER}"), server_type="pop3"),
        "greeting", "wrong_server", "port", ("{host}:{port} is a web server",), ("Check the port", "995")),
    Row(19, "a POP3 server where IMAP was chosen", dove("pop3s", server_type="imap"),
        "greeting", "wrong_server", "server_type", ("{host}:{port} is a POP3 server",), ("Choose POP3 as server type",)),
    Row(19, "an IMAP server where POP3 was chosen", dove("imaps", server_type="pop3"),
        "greeting", "wrong_server", "server_type", ("{host}:{port} is an IMAP server",), ("Choose IMAP as server type",)),
    Row(19, "a server for sending where IMAP was chosen", at(scripted.says(f"220 {BANNER} ESMTP")),
        "greeting", "wrong_server", "port", ("sending mail (SMTP)",), ("for incoming mail", "993")),
    Row(19, "a server for sending where POP3 was chosen", at(scripted.says(f"220 {BANNER} ESMTP"), server_type="pop3"),
        "greeting", "wrong_server", "port", ("sending mail (SMTP)",), ("for incoming mail", "995")),
    Row(20, "it hangs up at once (IMAP)", at(scripted.hangs_up),
        "greeting", "unreachable", "", ("{host}:{port} hung up without a word",), ("blocks this service's address",)),
    Row(20, "it hangs up at once (POP3)", at(scripted.hangs_up, server_type="pop3"),
        "greeting", "unreachable", "", ("{host}:{port} hung up without a word",), ("too many connections",)),
    Row(21, "it greets with a farewell (IMAP)", at(scripted.says(f"* BYE {BANNER} goes down")),
        "greeting", "unreachable", "", ("{host}:{port} takes no connections just now",), ("next poll tries again",)),
    Row(21, "it greets with a farewell (POP3)", pop3(Faults(greeting=b"-ERR not now, Zanzibar")),
        "greeting", "unreachable", "", ("{host} takes no connections just now",), ("next poll tries again",)),
    Row(22, "no password in clear text (IMAP)", dove("imap", host="127.0.0.2"),
        "login", "tls_required", "security", ("passwords only over encryption",), ("Choose SSL", "993", "STARTTLS")),
    Row(22, "no password in clear text (POP3)", dove("pop3", host="127.0.0.2"),
        "login", "tls_required", "security", ("passwords only over encryption",), ("Choose SSL", "995", "STARTTLS")),
    Row(23, "a wrong password (IMAP)", dove("imaps", "not-the-one"),
        "login", "login_refused", "password", ("{host} does not accept this user name and password",),
        ("whole e-mail address", "app password")),
    Row(23, "a wrong password (POP3)", dove("pop3s", "not-the-one"),
        "login", "login_refused", "password", ("{host} does not accept this user name and password",),
        ("whole e-mail address", "app password")),
    Row(23, "a wrong password at Google", logs_in("NO [AUTHENTICATIONFAILED] Invalid", host="imap.gmail.com"),
        "login", "login_refused", "password", ("does not accept",), ("app password", "whole e-mail address")),
    Row(20, "it hangs up in the middle of the log-in (IMAP)", logs_in(""),
        "login", "unreachable", "", ("{host}:{port} hung up in the middle",), ("next poll tries again",)),
    Row(20, "it hangs up in the middle of the log-in (POP3)", pop3(Faults(drop_after="AUTH")),
        "login", "unreachable", "", ("{host}:{port} broke",), ("next poll tries again",)),
    Row(24, "Google wants an app password (IMAP)", logs_in(f"NO {APP_PASSWORD}", host="imap.gmail.com"),
        "login", "login_refused", "password", ("Google wants an app password",), ("myaccount.google.com/apppasswords",)),
    Row(24, "Google wants an app password (POP3)", pop3_refuses(f"[AUTH] {APP_PASSWORD}", host="pop.gmail.com"),
        "login", "login_refused", "password", ("Google wants an app password",), ("myaccount.google.com/apppasswords",)),
    Row(25, "Google wants the owner in a browser",
        logs_in("NO [WEBALERT https://evil.example/x] Web login required.", host="imap.gmail.com"),
        "login", "login_refused", "", ("confirm", "browser"), ("https://accounts.google.com", "once")),
    Row(26, "Google limits the account",
        logs_in("NO [OVERQUOTA] Account exceeded command or bandwidth limits.", host="imap.gmail.com"),
        "login", "throttled", "", ("Google has limited",), ("within a day", "slows down")),
    Row(27, "Microsoft 365 takes no passwords (IMAP)", logs_in("NO LOGIN failed.", host="outlook.office365.com"),
        "login", "login_refused", "server_type", ("no longer takes passwords",), ("Choose Office 365",)),
    Row(27, "Microsoft 365 takes no passwords (POP3)",
        pop3_refuses("Authentication failure: unknown user name or bad password.", host="outlook.office365.com"),
        "login", "login_refused", "server_type", ("no longer takes passwords",), ("Choose Office 365",)),
    Row(28, "a good token, another's mailbox",
        signed_in(scripted.imap({"EXAMINE": "BAD User is authenticated but not connected."}, AMID)),
        "folder", "access_denied", "username", ("accepts the sign-in", "desk@firm.example"),
        ('Set-CASMailbox "desk@firm.example" -ImapEnabled', "FullAccess")),
    Row(29, "Microsoft 365 wants a pause", signed_in(scripted.imap(
        {"EXAMINE": "BAD Request is throttled. Suggested Backoff Time: 299867 milliseconds"}, AMID)),
        "folder", "throttled", "", ("wait 5 minutes",), ("by itself",)),
    Row(30, "the token is refused", signed_in(scripted.imap({"AUTHENTICATE": "NO no"}, AMID, REFUSED_TOKEN)),
        "login", "consent_needed", "", ("does not accept the sign-in",), ("Sign in again", "IMAP.AccessAsApp")),
    Row(30, "the token is refused in the standard way (IMAP)",
        signed_in(scripted.imap({"AUTHENTICATE": "NO no"}, "AUTH=OAUTHBEARER", INVALID_TOKEN)),
        "login", "consent_needed", "", ("does not accept the sign-in",), ("Sign in again",)),
    Row(30, "the token is for something else", signed_in(scripted.imap({"AUTHENTICATE": "NO no"}, AMID, OTHER_SCOPE)),
        "login", "consent_needed", "", ("does not cover reading mail",), ("grant access to mail",)),
    Row(31, "there is no such folder", dove("imaps", folder="Nowhere"),
        "folder", "folder_not_found", "folder", ("no folder Nowhere",), ("INBOX, Sent (sent), Billing.",)),
    Row(31, "there is no such folder to move to", with_mail(dove("imaps", after_import="move", move_to="Gone")),
        "permissions", "folder_not_found", "move_to", ("no folder Gone",), ("Create it", "INBOX, Sent (sent), Billing.")),
    Row(32, "too many connections", full,
        "login", "throttled", "polling_minutes", ("few connections at once",), ("Close other", "poll less often")),
    Row(33, "the mailbox is locked (IMAP)", logs_in("NO [INUSE] Mailbox is locked"),
        "login", "throttled", "", ("Another program has the mailbox open",), ("close other programs",)),
    Row(33, "the mailbox is locked (POP3)", pop3_refuses("[IN-USE] Do you have another POP session running?"),
        "login", "throttled", "", ("Another program has the mailbox open",), ("close other programs",)),
    Row(34, "longer pauses are wanted", pop3_refuses("[LOGIN-DELAY] too soon", ("LOGIN-DELAY 900",)),
        "login", "throttled", "polling_minutes", ("longer pauses",), ("at least 15 minutes",)),
    Row(35, "POP3 is switched off at Google",
        pop3_refuses("[SYS/PERM] Your account is not enabled for POP access.", host="pop.gmail.com"),
        "login", "access_denied", "", ("Google", "POP3"), ("Forwarding and POP/IMAP",)),
    Row(35, "IMAP is switched off at Google",
        logs_in("NO [ALERT] Your account is not enabled for IMAP use.", host="imap.gmail.com"),
        "login", "access_denied", "", ("Google", "IMAP"), ("Forwarding and POP/IMAP",)),
    Row(36, "mails without lasting names", pop3(NO_UIDL),
        "list", "server_unfit", "server_type", ("UIDL", "twice"), ("Choose IMAP",)),
    Row(37, "an old log-in and a new letter", at(scripted.imap({}, ""), signs("localhost"), secret="geheim-€"),
        "login", "login_refused", "password", ("{host}", "cannot carry every letter"), ("Change the password",)),
    Row(38, "a line break in the password (IMAP)", dove("imaps", "pass\r\nword"),
        "login", "settings", "password", ("The password contains a line break",), ("Paste it again",)),
    Row(38, "a line break in the password (POP3)", dove("pop3s", "pass\r\nword"),
        "login", "settings", "password", ("The password contains a line break",), ("Paste it again",)),
    Row(38, "a line break in the user name (IMAP)", dove("imaps", username="an\r\nn"),
        "login", "settings", "username", ("The user name contains a line break",), ("Paste it again",)),
    Row(38, "a line break in the user name (POP3)", dove("pop3s", username="an\r\nn"),
        "login", "settings", "username", ("The user name contains a line break",), ("Paste it again",)),
    Row(39, "a tenant that Microsoft does not know", office(tenant_id=GUID),
        "token", "login_refused", "tenant_id", ("no tenant",), ("Directory (tenant) ID", "Entra > Overview", "cloud")),
    Row(39, "a tenant that can be none", office(tenant_id="common"),
        "token", "login_refused", "tenant_id", ("names no tenant",), ("Directory (tenant) ID",)),
    Row(40, "an app that the tenant does not know", office(client_id=GUID),
        "token", "login_refused", "client_id", ("no app with this Client ID",), ("not its Object ID", f"adminconsent?client_id={GUID}")),
    Row(41, "a wrong secret", office(secret="wrong~secret"),
        "token", "login_refused", "client_secret", ("does not accept the client secret",), ("Value", "not its Secret ID")),
    Row(41, "the id of the secret", office(secret=GUID),
        "token", "login_refused", "client_secret", ("looks like the Secret ID",), ("column Value", "new secret")),
    Row(42, "the secret expired", office(expire),
        "token", "secret_expired", "client_secret", ("has expired",), ("Certificates & secrets", "Value")),
    Row(43, "nobody consented", office(not_added),
        "token", "consent_needed", "", ("not been added to this tenant",), ("Grant admin consent", "adminconsent?client_id=")),
    Row(47, "Conditional Access stops the app", faulty("token", reply=POLICY),
        "token", "consent_needed", "", ("Conditional Access",), ("Entra > Protection > Conditional Access",)),
    Row(48, "the sign-in died", grant_that_died,
        "token", "consent_needed", "", ("sign-in with Microsoft has ended",), ("sign in with Microsoft again",)),
    Row(49, "Microsoft's sign-in is down", faulty("token", reply=UNAVAILABLE),
        "token", "unreachable", "", ("sign-in does not work just now",), ("nothing was judged about your settings",)),
    Row(49, "Microsoft's sign-in hangs up", faulty("token", drop_after=-1, times=9),
        "token", "unreachable", "", ("connection to Microsoft broke",), ("no setting was judged",)),
    Row(50, "the permission is missing", office(lambda box: box.app.roles.clear()),
        "folder", "access_denied", "", ("no permission Mail.Read",), ("Application permissions", "Grant admin consent")),
    Row(51, "a policy limits the app to others", office(locked),
        "folder", "access_denied", "email", ("limited to other mailboxes",), ("access policy", "over an hour")),
    Row(52, "nobody has that address", office(email="nobody@elsewhere.example"),
        "folder", "mailbox_not_found", "email", ("no Exchange Online mailbox",), ("typing errors", "licence", "IMAP")),
    Row(52, "the mailbox is not at Exchange Online", office(not_at_exchange_online),
        "folder", "mailbox_not_found", "email", ("no Exchange Online mailbox",), ("licence", "IMAP")),
    Row(53, "there is no such folder", office(folder="Nowhere"),
        "folder", "folder_not_found", "folder", ("no folder Nowhere",), ("These are there: Inbox, Sent Items",)),
    Row(53, "there is no such folder to move to", office(has_mail, after_import="move", move_to="Gone"),
        "permissions", "folder_not_found", "move_to", ("no folder Gone",), ("These are there: Inbox, Sent Items",)),
    Row(50, "the permission covers reading only", office(may_only_read, after_import="delete"),
        "permissions", "access_denied", "after_import", ("not mark, move or delete",), ("Mail.ReadWrite", "leave mail")),
    Row(54, "token and Graph are of different clouds", faulty("folder", reply=OTHER_CLOUD, times=9),
        "folder", "login_refused", "tenant_id", ("does not accept the token",), ("different clouds",)),
    Row(55, "Graph wants a pause", faulty("folder", reply=BUSY),
        "folder", "throttled", "", ("asks to wait 5 minutes",), ("by itself",)),
    Row(62, "it hangs up after the log-in", at(scripted.imap({"EXAMINE": ""}), signs("imap.firm.example"),
        host="imap.firm.example"),
        "folder", "unreachable", "", ("{host}:{port} hung up",), ("next poll tries again",)),
]
# fmt: on


# ── playing it ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server() -> Iterator[dovecot.Dovecot]:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d)")
    with dovecot.Dovecot(allow_plain=False, more=DOVECOT) as running:
        yield running


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(Path(tmp_path_factory.mktemp("microsoft"))) as running:
        yield running


@pytest.fixture(scope="module")
def doors_and_app(
    azurite: Azurite,
    key_file: str,
    server: dovecot.Dovecot,
    microsoft: Microsoft,
    authority: trustme.CA,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Doors, App]:
    """The app as it is wired, only less patient, and with some names that lead here."""
    folder = tmp_path_factory.mktemp("catalogue")
    trusted = folder / "ca.pem"
    trusted.write_bytes(Path(server.ca_file).read_bytes() + authority.cert_pem.bytes())
    config = Config(Storage(connection_string=azurite.connection_string), key_file=key_file)
    config = replace(config, mail_ca_file=str(trusted), allow_addresses=LOOPBACK)
    app = bootstrap.build(replace(config, authority=microsoft.authority, graph_url=microsoft.graph_url))
    assert isinstance(app.microsoft, Doors)
    dialer = Rerouted(
        AddressGuard(LOOPBACK, _resolve),
        app.microsoft.dialer.ca_file,
        connect_seconds=PATIENCE_SECONDS,
        read_seconds=PATIENCE_SECONDS,
        greeting_seconds=PATIENCE_SECONDS,
    )
    doors = replace(app.microsoft, dialer=dialer)
    return doors, replace(app, open=doors.open, microsoft=doors)


def _resolve(host: str, port: int) -> list[str]:
    if host == NOT_ANSWERED:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return ["127.0.0.1"] if host in HERE else address_guard.resolve(host, port)


@pytest.fixture(scope="module")
def tenant(doors_and_app: tuple[Doors, App]) -> str:
    return tenants.put(doors_and_app[1], f"catalogue-{secrets.token_hex(4)}", "Catalogue")[0].key


@pytest.fixture
def stage(
    doors_and_app: tuple[Doors, App],
    tenant: str,
    server: dovecot.Dovecot,
    microsoft: Microsoft,
    authority: trustme.CA,
) -> Iterator[Stage]:
    microsoft.faults.clear()
    microsoft.forget_requests()
    with ExitStack() as stack:
        doors, app = doors_and_app
        yield Stage(app, tenant, doors, server, microsoft, authority, stack)
    microsoft.faults.clear()
    assert microsoft.violations == []


def _test_settings(stage: Stage, draft: Draft) -> ProbeReport:
    by_app = draft.settings.uses_sign_in
    given: Mapping[str, str] = {"client_secret" if by_app else "password": draft.secret}
    return probe(stage.app, mailboxes.draft(stage.app, stage.tenant, "draft", draft.settings, given))


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: f"{row.number} {row.situation}")
def test_what_is_wrong_is_said_at_its_step_with_its_setting_and_what_to_do(stage: Stage, row: Row) -> None:
    draft = row.arrange(stage)
    began = time.monotonic()
    report = _test_settings(stage, draft)
    assert time.monotonic() - began < ENDS_WITHIN_SECONDS
    assert not report.ok
    (failed,) = [step for step in report.steps if step.state == "failed"]
    assert (failed.name, failed.code, failed.field) == (row.step, row.code, row.field), failed
    _check_words(row, draft, failed)
    _check_order(draft.settings, report, row.step)
    _check_silence(stage, draft, report)


def _check_words(row: Row, draft: Draft, failed: ProbeStep) -> None:
    places = {"host": draft.settings.host, "port": draft.settings.effective_port}
    for words in row.cause:
        assert words.format(**places) in failed.cause
    for words in row.fix:
        assert words.format(**places) in failed.fix
    for text in (failed.cause, failed.fix):
        assert re.fullmatch(r"\S.*[^.]\.", text), text
        assert "  " not in text
        assert len(text.split()) >= 3
    assert failed.fix[0].isupper()


def _check_order(settings: Settings, report: ProbeReport, failed: str) -> None:
    """Everything before is ok, except encryption that was not chosen and what could not be proved; nothing after was
    begun."""
    path = path_of(settings)
    assert tuple(step.name for step in report.steps) == path
    states = {step.name: step.state for step in report.steps}
    place = path.index(failed)
    for name in path[:place]:
        may_be = {"ok", "skipped"} if name == "scope" else {"ok"}
        may_be = {"skipped"} if name == "tls" and settings.security == "none" else may_be
        assert states[name] in may_be, report.steps
    assert {states[name] for name in path[place + 1 :]} == {"skipped"}


LIBRARIES = re.compile(
    r"Errno|_ssl|gaierror|b'|\bNone\b|Traceback|imaplib|urllib3|requests\.|msal|Exception|0x[0-9a-f]{6}"
)
"""What no sentence of ours has."""


def _check_silence(stage: Stage, draft: Draft, report: ProbeReport) -> None:
    said = " ".join(f"{step.cause} {step.fix} {step.detail}" for step in report.steps)
    said = said.replace(draft.settings.email or "\0", "")  # which the tenant typed
    assert not LIBRARIES.search(said)
    for hidden in (BANNER, "evil.example", *stage.hidden):
        assert hidden not in said
    assert draft.secret not in repr(report)


def test_the_id_of_a_secret_is_known_before_anybody_is_asked(stage: Stage) -> None:
    """Situation 41."""
    assert not _test_settings(stage, office(secret=GUID)(stage)).ok
    assert stage.microsoft.count() == 0


def test_no_password_is_sent_where_starttls_is_not_offered(stage: Stage) -> None:
    """Situation 17."""
    report = _test_settings(stage, at(scripted.imap({}), security="starttls")(stage))
    assert not any("LOGIN" in line or "AUTHENTICATE" in line for line in report.transcript if " C: " in line)


def test_the_catalogue_is_long_enough() -> None:
    assert len({row.number for row in CATALOGUE}) >= 50
    assert all(1 <= row.number <= 62 for row in CATALOGUE)
