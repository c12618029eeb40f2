"""The environment, read once, as one frozen value. Only ``bootstrap`` calls ``read``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

MAX_DEDICATED_TIMERS = 80
"""Azure's scale controller watches at most 100 triggers of an app; the others of ours need the rest."""


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
    servers. ``key_file``: the file that holds the wrapping key where there is no Key Vault. ``authority`` and
    ``graph_url``: Microsoft's sign-in and Graph, for national clouds; empty means the global ones. ``federated_apps``:
    (tenant, Entra tenant id, client id) of apps that trust this service's managed identity, so need no secret.
    """

    storage: Storage
    api_admin_key: str = ""
    key_file: str = ""
    dedicated_timers: int = 50
    allow_addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    mail_ca_file: str = ""
    authority: str = ""
    graph_url: str = ""
    federated_apps: frozenset[tuple[str, str, str]] = frozenset()


def read(environment: Mapping[str, str]) -> Config:
    """Config from the app's settings; raises ``ConfigError`` naming the setting that is wrong."""
    return Config(
        storage=_storage(environment),
        api_admin_key=_admin_key(environment),
        key_file=environment.get("KEY_FILE", ""),
        dedicated_timers=_dedicated_timers(environment),
        allow_addresses=_networks(environment),
        mail_ca_file=environment.get("MAIL_CA_FILE", ""),
        authority=environment.get("AZURE_AUTHORITY_HOST", ""),
        graph_url=environment.get("GRAPH_URL", ""),
        federated_apps=_federated_apps(environment),
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
    # 16 characters of a generated key are beyond guessing over HTTP; shorter ones are typed by hand and are not.
    if key and len(key) < 16:
        raise ConfigError("API_ADMIN_KEY is too short: use at least 16 random characters.")
    return key


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


def _networks(environment: Mapping[str, str]) -> tuple[IPv4Network | IPv6Network, ...]:
    texts = [text.strip() for text in environment.get("ALLOW_ADDRESSES", "").split(",") if text.strip()]
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError:
        raise ConfigError("ALLOW_ADDRESSES must be networks such as 10.1.0.0/16, separated by commas.") from None
