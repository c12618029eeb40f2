from __future__ import annotations

from ipaddress import ip_network

import pytest

from shared.config import MAX_DEDICATED_TIMERS, Config, ConfigError, Storage, read

GOOD = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}


def test_a_connection_string_is_enough() -> None:
    assert read(GOOD) == Config(Storage(connection_string="UseDevelopmentStorage=true"))


def test_an_account_name_stands_for_three_addresses() -> None:
    storage = read({"AzureWebJobsStorage__accountName": "desk", "AzureWebJobsStorage__clientId": "id"}).storage
    assert storage == Storage(
        table_url="https://desk.table.core.windows.net",
        blob_url="https://desk.blob.core.windows.net",
        queue_url="https://desk.queue.core.windows.net",
        client_id="id",
    )


def test_an_address_of_its_own_goes_before_the_account_name() -> None:
    one = {"AzureWebJobsStorage__accountName": "desk", "AzureWebJobsStorage__blobServiceUri": "https://blob.example"}
    assert read(one).storage.blob_url == "https://blob.example"
    assert read(one).storage.table_url == "https://desk.table.core.windows.net"


@pytest.mark.parametrize("missing", ["table", "blob", "queue"])
def test_an_address_that_is_missing_is_named(missing: str) -> None:
    environment = {
        f"AzureWebJobsStorage__{kind}ServiceUri": "https://x.example"
        for kind in ("table", "blob", "queue")
        if kind != missing
    }
    with pytest.raises(ConfigError, match=f"AzureWebJobsStorage__{missing}ServiceUri"):
        read(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_ADMIN_KEY", "short"),
        ("API_ADMIN_KEY", "x" * 15),
        ("DEDICATED_TIMERS", "-1"),
        ("DEDICATED_TIMERS", "81"),
        ("DEDICATED_TIMERS", "fifty"),
        ("DEDICATED_TIMERS", "5.0"),
        ("DEDICATED_TIMERS", ""),
        ("DEDICATED_TIMERS", "٣"),
        ("DEDICATED_TIMERS", "9" * 5000),
        ("RETENTION_DAYS", "-1"),
        ("RETENTION_DAYS", ""),
        ("RETENTION_DAYS", "30d"),
        ("RETENTION_DAYS", "36501"),
        ("RETENTION_DAYS", "9" * 5000),
        ("KEY_VAULT_KEY", "desk"),
        ("KEY_VAULT_KEY", "http://desk.vault.azure.net/keys/wrapping"),
        ("KEY_VAULT_KEY", "https://desk.vault.azure.net"),
        ("KEY_VAULT_KEY", "https://desk.vault.azure.net/secrets/wrapping"),
        ("KEY_VAULT_KEY", "https://desk.vault.azure.net/keys/wrapping?x=1"),
        ("KEY_VAULT_KEY", "https://desk.vault.azure.net/keys/wrapping/../other"),
        ("KEY_VAULT_KEY", "https://desk.vault.azure.net.evil.example/keys/wrapping"),
        ("KEY_VAULT_KEY", "https://evil.example/.vault.azure.net/keys/wrapping"),
        ("KEY_VAULT_KEY", "https://me@desk.vault.azure.net/keys/wrapping"),
        ("ALLOW_ADDRESSES", "10.0.0.0/33"),
        ("ALLOW_ADDRESSES", "10.1.2.3/16"),
        ("ALLOW_ADDRESSES", "imap.example.com"),
        ("ALLOW_ADDRESSES", "10.1.0.0/16;10.2.0.0/16"),
    ],
)
def test_a_wrong_setting_is_named_and_not_guessed(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        read({**GOOD, name: value})


def test_a_refusal_does_not_show_the_key() -> None:
    with pytest.raises(ConfigError) as refused:
        read({**GOOD, "API_ADMIN_KEY": "hunter2"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("count", [0, 1, 50, MAX_DEDICATED_TIMERS])
def test_as_many_timers_as_azure_can_watch(count: int) -> None:
    assert read({**GOOD, "DEDICATED_TIMERS": str(count)}).dedicated_timers == count


def test_everything_else_is_read_as_it_is() -> None:
    config = read(
        {
            **GOOD,
            "API_ADMIN_KEY": "x" * 16,
            "KEY_FILE": "/k",
            "ALLOW_ADDRESSES": " 10.1.0.0/16, fd00::/8 ,",
            "MAIL_CA_FILE": "/ca",
        }
    )
    assert (config.api_admin_key, config.key_file, config.mail_ca_file) == ("x" * 16, "/k", "/ca")
    assert config.allow_addresses == (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))


VERSION = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "host", ["vault.azure.net", "vault.azure.cn", "vault.usgovcloudapi.net", "managedhsm.azure.net"]
)
@pytest.mark.parametrize("rest", ["", f"/{VERSION}", "/"])
def test_the_key_may_lie_in_any_cloud_with_or_without_a_version(host: str, rest: str) -> None:
    url = f"https://desk-1.{host}/keys/wrapping{rest}"
    assert read({**GOOD, "KEY_VAULT_KEY": f" {url} "}).key_vault_key == url.rstrip("/")


def test_of_two_wrapping_keys_none_is_guessed() -> None:
    both = {**GOOD, "KEY_FILE": "/k", "KEY_VAULT_KEY": "https://desk.vault.azure.net/keys/wrapping"}
    with pytest.raises(ConfigError, match=r"KEY_FILE.*KEY_VAULT_KEY"):
        read(both)


@pytest.mark.parametrize("days", [0, 1, 30, 36_500])
def test_mail_is_kept_for_as_many_days_as_it_is_set_to(days: int) -> None:
    assert read({**GOOD, "RETENTION_DAYS": str(days)}).retention_days == days
    assert read(GOOD).retention_days == 0
