"""The environment, read once, as one frozen value. Only ``bootstrap`` calls ``read``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network

MAX_DEDICATED_TIMERS = 80
"""Azure's scale controller watches at most 100 triggers of an app; the others of ours need the rest."""

MAX_RETENTION_DAYS = 36_500
"""A century: more is a slip of the finger, and would leave the calendar."""

VAULTS = tuple(
    f"{kind}.{cloud}"
    for kind, cloud in (
        ("vault", "azure.net"),
        ("vault", "azure.cn"),
        ("vault", "usgovcloudapi.net"),
        ("managedhsm", "azure.net"),
        ("managedhsm", "azure.cn"),
        ("managedhsm", "usgovcloudapi.net"),
    )
)
"""Whose hosts the wrapping key may lie on: our token goes there (learn.microsoft.com/azure/key-vault/general/
about-keys-secrets-certificates, "DNS suffixes for base URL")."""

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)

_UNRESOLVED = "@Microsoft.KeyVault("
"""What App Service hands over of a setting that refers to a secret which is not there."""

_KEY_URL = re.compile(r"https://[A-Za-z0-9-]{3,24}\.([A-Za-z.]+)(:443)?/keys/[0-9A-Za-z-]{1,127}(/[0-9a-f]{32})?/?")


class ConfigError(ValueError):
    """A setting of the app is missing or wrong: the cloud admin acts. The text names the setting."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Where tables, blobs and queues are: a connection string, or (in Azure) three addresses and an identity."""

    connection_string: str = ""
    table_url: str = ""
    blob_url: str = ""
    queue_url: str = ""
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the environment decides.

    ``dedicated_timers``: how many mailboxes get a timer function of their own. ``allow_addresses``: networks that mail
    servers may be in although they are not public. ``mail_ca_file``: extra certificate authorities (PEM) for mail
    servers. ``key_vault_key``: the URL of the wrapping key in Key Vault; ``key_file``: the file that holds it where
    there is no Key Vault. ``retention_days``: how long raw mail, and mail that nobody decided about, is kept; 0 means
    for ever. ``authority`` and ``graph_url``: Microsoft's sign-in and Graph, for national clouds; empty means the
    global ones. ``federated_apps``: (tenant, Entra tenant id, client id) of apps that trust this service's managed
    identity, so need no secret. ``sign_in_client_id`` and ``sign_in_client_secret``: the app registration of the page's
    own sign-in; without an id people sign in with API keys only, without a secret the app trusts the managed identity.
    """

    storage: Storage
    api_admin_key: str = ""
    key_file: str = ""
    key_vault_key: str = ""
    retention_days: int = 0
    dedicated_timers: int = 50
    allow_addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    mail_ca_file: str = ""
    authority: str = ""
    graph_url: str = ""
    federated_apps: frozenset[tuple[str, str, str]] = frozenset()
    otlp_endpoint: str = ""
    sign_in_client_id: str = ""
    sign_in_client_secret: str = field(default="", repr=False)


def read(environment: Mapping[str, str]) -> Config:
    """Config from the app's settings; raises ``ConfigError`` naming the setting that is wrong."""
    return Config(
        storage=_storage(environment),
        api_admin_key=_admin_key(environment),
        key_file=environment.get("KEY_FILE", ""),
        key_vault_key=_key_vault_key(environment),
        retention_days=_retention_days(environment),
        dedicated_timers=_dedicated_timers(environment),
        allow_addresses=_networks(environment),
        mail_ca_file=environment.get("MAIL_CA_FILE", ""),
        authority=environment.get("AZURE_AUTHORITY_HOST", ""),
        graph_url=environment.get("GRAPH_URL", ""),
        federated_apps=_federated_apps(environment),
        otlp_endpoint=_otlp_endpoint(environment),
        sign_in_client_id=_sign_in_client_id(environment),
        sign_in_client_secret=_sign_in_client_secret(environment),
    )


def _storage(environment: Mapping[str, str]) -> Storage:
    if connection_string := environment.get("AzureWebJobsStorage", ""):
        return Storage(connection_string=connection_string)

    def address(kind: str) -> str:
        if url := environment.get(f"AzureWebJobsStorage__{kind}ServiceUri", ""):
            return url
        if account := environment.get("AzureWebJobsStorage__accountName", ""):
            return f"https://{account}.{kind}.core.windows.net"
        raise ConfigError(
            f"Set AzureWebJobsStorage, or AzureWebJobsStorage__accountName, or AzureWebJobsStorage__{kind}ServiceUri."
        )

    return Storage(
        table_url=address("table"),
        blob_url=address("blob"),
        queue_url=address("queue"),
        client_id=environment.get("AzureWebJobsStorage__clientId", ""),
    )


def _admin_key(environment: Mapping[str, str]) -> str:
    key = environment.get("API_ADMIN_KEY", "")
    if key.startswith(_UNRESOLVED):
        # App Service hands over the reference itself when it cannot resolve it; whoever knows the vault knows that.
        return ""
    # 16 characters of a generated key are beyond guessing over HTTP; shorter ones are typed by hand and are not.
    if key and len(key) < 16:
        raise ConfigError("API_ADMIN_KEY is too short: use at least 16 random characters.")
    return key


def _key_vault_key(environment: Mapping[str, str]) -> str:
    url = environment.get("KEY_VAULT_KEY", "").strip()
    if not url:
        return ""
    read = _KEY_URL.fullmatch(url)
    if read is None or read[1].lower() not in VAULTS:
        raise ConfigError("KEY_VAULT_KEY must be a key's URL, such as https://<vault>.vault.azure.net/keys/<name>.")
    if environment.get("KEY_FILE", ""):
        # Which one wrapped a stored data key is not for us to guess: with the wrong one nothing can be read.
        raise ConfigError("KEY_FILE and KEY_VAULT_KEY are both set: keep the one that this storage was used with.")
    return url.rstrip("/")


def _retention_days(environment: Mapping[str, str]) -> int:
    text = environment.get("RETENTION_DAYS", "0")
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) > MAX_RETENTION_DAYS:
        raise ConfigError("RETENTION_DAYS must be a whole number of days; 0 keeps mail for ever.")
    return int(text)


def _dedicated_timers(environment: Mapping[str, str]) -> int:
    text = environment.get("DEDICATED_TIMERS", "50")
    if not text.isascii() or not text.isdigit() or len(text) > 4 or int(text) > MAX_DEDICATED_TIMERS:
        raise ConfigError(f"DEDICATED_TIMERS must be a whole number from 0 to {MAX_DEDICATED_TIMERS}.")
    return int(text)


def _federated_apps(environment: Mapping[str, str]) -> frozenset[tuple[str, str, str]]:
    """``tenant=entra-tenant-id/client-id``, comma separated. Named one by one, because every app that trusts this
    service's identity would otherwise be open to every tenant of this service."""
    found = set()
    for text in environment.get("FEDERATED_APPS", "").split(","):
        if not text.strip():
            continue
        tenant, _, app = text.strip().partition("=")
        entra_tenant, _, client = app.partition("/")
        if not (tenant and entra_tenant and client):
            raise ConfigError("FEDERATED_APPS must be like acme=<Tenant ID>/<Client ID>, separated by commas.")
        found.add((tenant, entra_tenant.lower(), client.lower()))
    return frozenset(found)


def _sign_in_client_id(environment: Mapping[str, str]) -> str:
    client_id = environment.get("SIGN_IN_CLIENT_ID", "").strip()
    if client_id and not GUID.fullmatch(client_id):
        raise ConfigError("SIGN_IN_CLIENT_ID must be the Application (client) ID of an app registration: a GUID.")
    return client_id.lower()


def _sign_in_client_secret(environment: Mapping[str, str]) -> str:
    secret = environment.get("SIGN_IN_CLIENT_SECRET", "").strip()
    if GUID.fullmatch(secret):
        raise ConfigError("SIGN_IN_CLIENT_SECRET is a Secret ID: it must be the secret's Value.")
    # Unresolved: there is no such secret in the vault, so the app registration trusts the managed identity.
    return "" if secret.startswith(_UNRESOLVED) else secret


def _otlp_endpoint(environment: Mapping[str, str]) -> str:
    # The name is OpenTelemetry's own (opentelemetry.io/docs/specs/otel/protocol/exporter).
    url = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    if url and not url.startswith(("https://", "http://")):
        raise ConfigError("OTEL_EXPORTER_OTLP_ENDPOINT must be an address that begins with https://.")
    return url


def _networks(environment: Mapping[str, str]) -> tuple[IPv4Network | IPv6Network, ...]:
    texts = [text.strip() for text in environment.get("ALLOW_ADDRESSES", "").split(",") if text.strip()]
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError:
        raise ConfigError("ALLOW_ADDRESSES must be networks such as 10.1.0.0/16, separated by commas.") from None
