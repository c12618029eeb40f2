"""From the environment to a working ``App``: the only module that knows everybody.

SDKs are imported when the first function needs them: a cold start pays for what it uses.
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared import config, log
from shared.config import Config, ConfigError
from shared.errors import InboundError, StoreError, Unreachable
from shared.mail.sender.verdict import DkimCheck
from shared.model.discovery import Discovery
from shared.model.schedule import Slot
from shared.ports import App, Entra, Recording, Secrets, SignIns

if TYPE_CHECKING:
    from fastapi import FastAPI

    from shared.servers.dkim_check import DkimChecker
    from shared.servers.doors import Doors
    from shared.store.erasing import TableErasing
    from shared.store.expired import TableExpired
    from shared.store.raw import AzureBlobs
    from shared.store.reconciled import TableReconciled
    from shared.store.secrets import Wrapper
    from shared.store.tables import Tables

STORAGE_LIMITS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 20, "retry_total": 3}
"""Seconds, and tries after the first. The SDK's own 300 s to connect are longer than a start may take."""

INDEX_LIMITS: dict[str, Any] = {"connection_timeout": 2, "read_timeout": 3, "retry_total": 0}
"""For the one read while functions are indexed: that must end within a moment and may fail."""


@functools.cache
def settings() -> Config:
    """The app's configuration, read once. Raises ``ConfigError``."""
    return config.read(os.environ)


@functools.cache
def app() -> App:
    """The app of this process, made at its first use."""
    _export(settings())
    return build(settings())


@functools.cache
def expired() -> TableExpired:
    """What storage holds past its time, for the upkeep."""
    from shared.store.expired import TableExpired

    return TableExpired(_tables(settings(), STORAGE_LIMITS))


@functools.cache
def erasing() -> TableErasing:
    """What lies in storage of tenants that were deleted, for the upkeep."""
    from shared.store.erasing import TableErasing

    return TableErasing(_tables(settings(), STORAGE_LIMITS), _blobs(settings()))


@functools.cache
def reconciled() -> TableReconciled:
    """How far mailboxes are compared with their servers, for the upkeep."""
    from shared.store.reconciled import TableReconciled

    return TableReconciled(_tables(settings(), STORAGE_LIMITS))


@functools.cache
def web_app() -> FastAPI:
    """The ASGI app that the HTTP functions serve."""
    from shared.web.app import build as build_web

    return build_web(app(), settings().api_admin_key)


def dedicated_slots() -> Sequence[Slot]:
    """The mailboxes that get a timer function of their own.

    Called while functions are indexed, so it is quick and never fails: without storage there are none, and the sweep
    polls every mailbox.
    """
    from shared.store.schedule import TableSchedule

    try:
        configured = settings()
        tables = _tables(configured, INDEX_LIMITS)
        if configured.storage.connection_string:
            tables.create()
        return TableSchedule(tables).oldest(configured.dedicated_timers)
    except (StoreError, ConfigError, ValueError) as error:
        log.event("index_without_mailboxes", logging.WARNING, error=type(error).__name__)
        return ()


def build(configured: Config) -> App:
    """Wire the real adapters. With a connection string (a local run), what is missing in storage is made."""
    from azure.storage.queue import QueueServiceClient

    from shared.servers.webhook_post import WebhookPost
    from shared.store.answers import TableAnswers
    from shared.store.desk import TableDesk
    from shared.store.forgetting import TableForgetting
    from shared.store.mailboxes import TableMailboxes
    from shared.store.people import TablePeople
    from shared.store.queues import AzureQueues
    from shared.store.raw import StoredRawMail
    from shared.store.schedule import TableSchedule
    from shared.store.secrets import TableSecrets
    from shared.store.signins import TableSignIns
    from shared.store.tenants import TableTenants
    from shared.store.transcripts import TableTranscripts
    from shared.store.webhooks import TableWebhooks

    wrapper = _wrapper(configured)
    storage = configured.storage
    tables = _tables(configured, STORAGE_LIMITS)
    blobs = _blobs(configured)
    queues = AzureQueues(_client(QueueServiceClient, storage.connection_string, storage.queue_url, configured))
    if storage.connection_string:
        for made in (tables, blobs, queues):
            made.create()
    secrets = TableSecrets(tables, wrapper)
    sign_ins = TableSignIns(tables)
    doors = _doors(configured, secrets, sign_ins)
    return App(
        tenants=TableTenants(tables),
        people=TablePeople(tables),
        mailboxes=TableMailboxes(tables),
        schedule=TableSchedule(tables),
        desk=TableDesk(tables, blobs),
        answers=TableAnswers(tables, blobs),
        webhooks=TableWebhooks(tables),
        raw=StoredRawMail(blobs),
        secrets=secrets,
        forgetting=TableForgetting(tables, blobs),
        queues=queues,
        now=utc_now,
        random=os.urandom,
        sleep=time.sleep,
        open=doors.open,
        courier=doors.courier,
        post=WebhookPost(doors.dialer, utc_now),
        record=_record,
        transcripts=TableTranscripts(tables),
        sign_ins=sign_ins,
        microsoft=doors,
        discover=functools.partial(_discover, doors),
        needs_no_secret=doors.needs_no_secret,
        judge_host=doors.judge_host,
        healthy=functools.partial(_healthy, tables),
        check_dkim=_check_dkim,
        entra=_entra(configured, doors),
        retention_days=configured.retention_days,
    )


def _export(configured: Config) -> None:
    """Have the events sent as spans and metrics, if somebody wants that: its SDK is imported for nobody else."""
    if configured.otlp_endpoint:
        from shared import telemetry

        exporter = telemetry.otlp(configured.otlp_endpoint)
        log.listen(exporter)
        atexit.register(exporter.close)


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


def _record() -> Recording:
    from shared.servers.transcript import Recorder

    return Recorder(utc_now)


def _wrapper(configured: Config) -> Wrapper:
    if configured.key_vault_key:
        from shared.store.keyvault import KeyVaultKey, scope

        wanted = scope(configured.key_vault_key)
        credential = _credential(configured.storage.client_id)
        return KeyVaultKey(configured.key_vault_key, lambda: str(credential.get_token(wanted).token))
    if configured.key_file:
        from shared.store.secrets import KeyFile

        return KeyFile(Path(configured.key_file))
    raise ConfigError(
        "Set KEY_VAULT_KEY to the URL of the key that protects mail passwords, or (without Key Vault) KEY_FILE to the "
        "file that holds it or is to hold it."
    )


def _doors(configured: Config, secrets: Secrets, sign_ins: SignIns) -> Doors:
    from shared.servers.address_guard import AddressGuard
    from shared.servers.dial import Dialer
    from shared.servers.doors import Doors
    from shared.servers.imap_client import hang_up
    from shared.servers.token import Cloud, Tokens
    from shared.servers.warm import WarmClients

    try:
        cloud = Cloud.custom(configured.authority, configured.graph_url)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    dialer = Dialer(AddressGuard(configured.allow_addresses), configured.mail_ca_file)
    tokens, warm = Tokens(utc_now), WarmClients(hang_up)
    apps = configured.federated_apps
    assertion = functools.partial(_assertion, configured.storage.client_id, cloud.exchange) if apps else None
    return Doors(secrets, sign_ins, dialer, cloud, tokens, warm, utc_now, apps, assertion)


def _entra(configured: Config, doors: Doors) -> Entra | None:
    """The page's own sign-in, where the cloud admin has set it up."""
    if not configured.sign_in_client_id:
        return None
    from shared.servers.page_signin import PageSignIn
    from shared.servers.token import AppLogin

    secret = configured.sign_in_client_secret
    assertion = None if secret else functools.partial(_assertion, configured.storage.client_id, doors.cloud.exchange)
    login = AppLogin("", configured.sign_in_client_id, secret=secret, assertion=assertion)
    return PageSignIn(doors.cloud, login, utc_now)


def _assertion(client_id: str, audience: str) -> str:
    """A token of the app's managed identity that another app may trust as a federated credential: no secret at all
    (learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity)."""
    from azure.core.exceptions import AzureError

    try:
        token: str = _credential(client_id).get_token(f"{audience}/.default").token
    except AzureError:
        # Its endpoint is away for moments at a time: nothing to pause a mailbox for.
        raise Unreachable(
            "The identity of this service gives no token just now.", "The next poll tries again."
        ) from None
    return token


def _discover(doors: Doors, address: str) -> Discovery:
    # dnspython costs a tenth of a second to import: only who asks pays for it.
    from shared.servers.discover import Discoverer

    return Discoverer(doors.dialer, doors.cloud.authority).discover(address)


def _check_dkim(raw: bytes) -> tuple[DkimCheck, ...]:
    return _dkim_checker()(raw, utc_now())


@functools.cache
def _dkim_checker() -> DkimChecker:
    # One for the process: it remembers keys.
    from shared.servers.dkim_check import DkimChecker

    return DkimChecker()


def _healthy(tables: Tables) -> bool:
    try:
        tables.get("tenants", "tenant", "health")
    except InboundError:
        return False
    return True


def _blobs(configured: Config) -> AzureBlobs:
    from azure.storage.blob import BlobServiceClient

    from shared.store.raw import AzureBlobs

    storage = configured.storage
    return AzureBlobs(_client(BlobServiceClient, storage.connection_string, storage.blob_url, configured))


def _tables(configured: Config, limits: dict[str, Any]) -> Any:
    from azure.data.tables import TableServiceClient

    from shared.store.tables import AzureTables

    storage = configured.storage
    return AzureTables(
        _client(TableServiceClient, storage.connection_string, storage.table_url, configured, limits, "endpoint")
    )


def _client(
    kind: Any,
    connection_string: str,
    url: str,
    configured: Config,
    limits: dict[str, Any] = STORAGE_LIMITS,
    url_name: str = "account_url",
) -> Any:
    from shared.store.counting import CountingTransport

    limits = {**limits, "transport": CountingTransport(limits)}
    if connection_string:
        return kind.from_connection_string(connection_string, **limits)
    return kind(**{url_name: url}, credential=_credential(configured.storage.client_id), **limits)


@functools.cache
def _credential(client_id: str) -> Any:
    """The app's own identity towards storage."""
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    return ManagedIdentityCredential(client_id=client_id) if client_id else DefaultAzureCredential()
