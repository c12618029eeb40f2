"""Which apps may be opened with our own identity: those that the cloud admin named, tenant by tenant."""

from __future__ import annotations

import pytest

from shared.config import ConfigError, read
from shared.servers.cloud import Cloud

STORAGE = {"AzureWebJobsStorage": "x"}


def test_apps_are_read_with_the_tenant_that_may_use_them() -> None:
    found = read({**STORAGE, "FEDERATED_APPS": "acme=AAA/bbb, other=ccc/ddd"}).federated_apps
    assert found == {("acme", "aaa", "bbb"), ("other", "ccc", "ddd")}


@pytest.mark.parametrize("text", ["acme", "acme=aaa", "acme=/bbb", "=aaa/bbb", "acme=aaa/bbb,x"])
def test_what_cannot_be_read_names_the_setting(text: str) -> None:
    with pytest.raises(ConfigError, match="FEDERATED_APPS"):
        read({**STORAGE, "FEDERATED_APPS": text})


def test_without_the_setting_no_app_is_trusted() -> None:
    assert read(STORAGE).federated_apps == frozenset()


@pytest.mark.parametrize(
    ("cloud", "audience"),
    [
        ("global", "api://AzureADTokenExchange"),
        ("usgov", "api://AzureADTokenExchangeUSGov"),
        ("dod", "api://AzureADTokenExchangeUSGov"),
        ("china", "api://AzureADTokenExchangeChina"),
    ],
)
def test_the_identity_proves_itself_to_an_app_as_each_cloud_wants_it(cloud: str, audience: str) -> None:
    assert Cloud.of(cloud).exchange == audience
