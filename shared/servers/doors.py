"""Which door opens a mailbox: IMAP, POP3 or Graph, and with which credential."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from shared.errors import RowChanged, SecretLost
from shared.model.mailbox import Mailbox, Settings
from shared.ports import NOBODY, Courier, Finding, Secrets, SignIns, Source, Watch
from shared.servers.credential import Credential
from shared.servers.dial import Dialer
from shared.servers.graph import GraphSource
from shared.servers.graph_app import credential_end
from shared.servers.imap import ImapSource
from shared.servers.pop3 import Pop3Source
from shared.servers.token import AppLogin, Cloud, Token, Tokens
from shared.servers.warm import WarmClients

WARM_MINUTES = 5
"""Mailboxes polled at least this often keep their connection: for others it would wait longer than it is worth."""

OUTLOOK_PERMISSIONS = {"imap": "IMAP.AccessAsUser.All", "pop3": "POP.AccessAsUser.All"}
"""What a person grants for IMAP and POP3 at Exchange Online (Microsoft's page on OAuth for these protocols)."""


REFRESHING = tuple(threading.Lock() for _ in range(64))
"""Shared by the mailboxes of a process: enough that few wait for another's."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Opens mailboxes, and signs people in at Microsoft for them (``ports.Opener``, ``ports.Microsoft``)."""

    secrets: Secrets
    sign_ins: SignIns
    dialer: Dialer
    cloud: Cloud
    tokens: Tokens
    warm: WarmClients
    now: Callable[[], datetime]
    federated_apps: frozenset[tuple[str, str, str]] = frozenset()
    assertion: Callable[[], str] | None = None

    def needs_no_secret(self, tenant: str, settings: Settings) -> bool:
        """See ``ports.App.needs_no_secret``."""
        app = (tenant.partition(".")[0], settings.tenant_id.lower(), settings.client_id.lower())
        return self.assertion is not None and app in self.federated_apps

    def judge_host(self, host: str, port: int) -> None:
        """See ``ports.App.judge_host``. A name that cannot be looked up now is judged at each connection anyway."""
        with suppress(OSError, UnicodeError):
            self.dialer.guard.addresses(host, port)

    def open(self, mailbox: Mailbox, watch: Watch = NOBODY) -> Source:
        """The mailbox on its server, not connected yet. Who watches sees a connection from its beginning."""
        settings = mailbox.settings
        floor = self.now() - timedelta(days=settings.days_to_download)
        if settings.server_type == "office365":
            return GraphSource(
                settings.email,
                settings.folder,
                self._tokens(mailbox),
                self.cloud,
                floor,
                self.now,
                settings.after_import,
                settings.move_to,
                watch,
                lambda: bool(self._cache(mailbox)[0]),
            )
        dialer = replace(self.dialer, watch=watch)
        credential = self._credential(mailbox)
        if settings.server_type == "pop3":
            deletes: Literal["leave", "delete"] = "delete" if settings.after_import == "delete" else "leave"
            return Pop3Source(settings, credential, dialer, floor.date(), self.now, deletes, settings.delete_after_days)
        # The row's version is part of the key: after any change of settings a new connection is made.
        waits = watch is NOBODY and settings.polling_minutes <= WARM_MINUTES
        key = f"{mailbox.tenant}/{mailbox.id}/{mailbox.version}"
        return ImapSource(settings, credential, dialer, floor.date(), self.now, (self.warm, key) if waits else None)

    def courier(self, mailbox: Mailbox, watch: Watch = NOBODY) -> Courier:
        """The way out for the mailbox's answers, not connected yet: Graph for Office 365, else the outgoing server."""
        # 13 ms of a cold start, and polls never send.
        from shared.servers.graph_send import GraphCourier
        from shared.servers.smtp import SmtpCourier

        settings = mailbox.settings
        if settings.server_type == "office365":
            return GraphCourier(settings.email, self._tokens(mailbox), self.cloud, self.now, watch)
        return SmtpCourier(settings, self._outgoing_credential(mailbox), replace(self.dialer, watch=watch))

    def begin_sign_in(self, mailbox: Mailbox, redirect_uri: str) -> Mapping[str, Any]:
        """See ``ports.Microsoft.begin_sign_in``."""
        hint = mailbox.settings.email or mailbox.settings.username
        return self.tokens.begin_sign_in(self.cloud, self._app(mailbox), redirect_uri, self._scopes(mailbox), hint)

    def finish_sign_in(self, mailbox: Mailbox, flow: Mapping[str, Any], params: Mapping[str, str]) -> tuple[str, str]:
        """See ``ports.Microsoft.finish_sign_in``."""
        account, cache = self.tokens.finish_sign_in(self.cloud, self._app(mailbox), flow, params)
        return account.username, cache

    def credential_end(self, mailbox: Mailbox, watch: Watch) -> Finding:
        """See ``ports.Microsoft.credential_end``."""
        login = self._app(mailbox)

        def token() -> Token:
            return self.tokens.app_token(self.cloud, login, self.cloud.graph_scope)

        # Only where the mailbox itself is read by such a token: then it is in memory, and costs no request.
        reads_by_it = mailbox.settings.server_type == "office365" and not self._cache(mailbox)[0]
        return credential_end(login, self.cloud, token if reads_by_it else None, self.now, watch)

    def _credential(self, mailbox: Mailbox) -> Credential:
        if mailbox.settings.uses_sign_in:
            return Credential(tokens=self._tokens(mailbox))
        return Credential(password=self._secret(mailbox, "password"))

    def _outgoing_credential(self, mailbox: Mailbox) -> Credential:
        """Its own password where there is one; else what opens the mailbox, unless another user is named."""
        if self._outgoing_is_own(mailbox):
            return self._credential(mailbox)
        return Credential(password=self._secret(mailbox, "outgoing_password"))

    def _outgoing_is_own(self, mailbox: Mailbox) -> bool:
        settings = mailbox.settings
        is_same = settings.outgoing.username in ("", settings.username)
        return is_same and not mailbox.secret("outgoing_password")

    def _tokens(self, mailbox: Mailbox) -> Callable[[bool], str]:
        """Of the person who signed in for this mailbox, if anybody did; else of the app by itself."""

        def token(force: bool) -> str:
            # A poll and a test of one mailbox must not use up the same refresh token: a provider that sees one twice
            # may end the sign-in.
            with REFRESHING[hash((mailbox.tenant, mailbox.id)) % len(REFRESHING)]:
                cache, version = self._cache(mailbox)
                if cache:
                    return self._token_of_person(mailbox, cache, version, force)
            is_graph = mailbox.settings.server_type == "office365"
            scope = self.cloud.graph_scope if is_graph else self.cloud.outlook_scope
            return self.tokens.app_token(self.cloud, self._app(mailbox), scope, force).value

        return token

    def _token_of_person(self, mailbox: Mailbox, cache: str, version: str, force: bool) -> str:
        scopes = self._scopes(mailbox)
        token, changed = self.tokens.delegated_token(self.cloud, self._app(mailbox), cache, scopes, force)
        if changed is not None:
            # Refresh tokens rotate: losing the new one would end the sign-in.
            sealed = self.secrets.seal(mailbox.tenant, mailbox.id, mailbox.settings.sign_in_field(), changed)
            with suppress(RowChanged):  # another poll, or a new sign-in, stored a younger one at this moment
                self.sign_ins.put_cache(mailbox.tenant, mailbox.id, sealed, version)
        return token.value

    def _cache(self, mailbox: Mailbox) -> tuple[str, str]:
        sealed, version = self.sign_ins.cache(mailbox.tenant, mailbox.id)
        if not sealed:
            return "", ""
        field = mailbox.settings.sign_in_field()
        try:
            return self.secrets.open(mailbox.tenant, mailbox.id, field, sealed), version
        except SecretLost:
            return "", ""  # somebody signed in for another app or address: that is over

    def _scopes(self, mailbox: Mailbox) -> list[str]:
        """The least that is needed, and always the same: MSAL keeps one refresh token per set of scopes."""
        settings = mailbox.settings
        sends = settings.outgoing.enabled
        if settings.server_type != "office365":
            by_sign_in = sends and self._outgoing_is_own(mailbox)
            wanted = [OUTLOOK_PERMISSIONS[settings.server_type], *(["SMTP.Send"] if by_sign_in else [])]
            return [f"{self.cloud.outlook_of_people}/{one}" for one in wanted]
        permission = "Mail.Read" if settings.after_import == "leave" else "Mail.ReadWrite"
        wanted = [permission, f"{permission}.Shared", *(["Mail.Send", "Mail.Send.Shared"] if sends else [])]
        return [f"{self.cloud.graph_resource}/{one}" for one in wanted]

    def _app(self, mailbox: Mailbox) -> AppLogin:
        """The app that the tenant registered. Its secret may be a certificate with its key, as PEM text."""
        secret = self._secret(mailbox, "client_secret")
        if not secret and self.needs_no_secret(mailbox.tenant, mailbox.settings):
            settings = mailbox.settings
            return AppLogin(settings.tenant_id, settings.client_id, assertion=self.assertion)
        is_certificate = secret.lstrip().startswith("-----BEGIN")
        return AppLogin(
            tenant_id=mailbox.settings.tenant_id,
            client_id=mailbox.settings.client_id,
            secret="" if is_certificate else secret,
            certificate=secret if is_certificate else "",
        )

    def _secret(self, mailbox: Mailbox, field: str) -> str:
        sealed = mailbox.secret(field)
        return self.secrets.open(mailbox.tenant, mailbox.id, field, sealed) if sealed else ""
