from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from shared.config import ConfigError
from shared.errors import StoreUnavailable
from shared.store.keyvault import LONGEST_PAUSE, RETRIES, KeyVaultKey, scope
from shared.store.secrets import KeyFile
from tests.support.keyvault import TOKEN, Reply, Vault

KEY = os.urandom(32)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with Vault(tmp_path_factory.mktemp("vault")) as vault:
        yield vault


@pytest.fixture
def vault(running: Vault) -> Iterator[Vault]:
    running.requests.clear()
    running.replies.clear()
    running.disabled.clear()
    running.violations.clear()
    yield running
    assert running.violations == []


class Naps(list[float]):
    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def key(vault: Vault, version: str = "", token: Any = lambda: TOKEN, naps: Naps | None = None) -> KeyVaultKey:
    url = f"{vault.key_url}/{version}" if version else vault.key_url
    return KeyVaultKey(url, token, naps if naps is not None else Naps(), vault.ca_file)


def test_a_new_key_is_wrapped_by_the_newest_version_and_an_old_one_unwrapped_by_its_own(vault: Vault) -> None:
    before, one = vault.newest, key(vault)
    old = one.wrap(KEY)
    after = vault.rotate()
    new = one.wrap(KEY)  # the same process: it need not be started again
    assert (before.encode() in old, after.encode() in new) == (True, True)
    assert one.unwrap(old) == one.unwrap(new) == KEY


def test_a_url_with_a_version_wraps_by_that_one_only(vault: Vault) -> None:
    pinned = vault.newest
    vault.rotate()
    wrapped = key(vault, pinned).wrap(KEY)
    assert pinned.encode() in wrapped
    assert key(vault).unwrap(wrapped) == KEY
    assert [verb for _, verb in vault.requests] == ["wrapkey", "unwrapkey"]


def test_unwrapping_is_one_request(vault: Vault) -> None:
    wrapped = key(vault).wrap(KEY)
    vault.requests.clear()
    key(vault).unwrap(wrapped)
    assert vault.requests == [("POST", "unwrapkey")]


def test_a_disabled_version_says_that_every_version_must_stay_enabled(vault: Vault) -> None:
    wrapped = key(vault).wrap(KEY)
    vault.disabled.add(vault.newest)
    with pytest.raises(StoreUnavailable, match="every version of the key must stay enabled"):
        key(vault).unwrap(wrapped)
    vault.disabled.clear()
    assert key(vault).unwrap(wrapped) == KEY


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_passes_is_tried_twice_more_and_no_more(vault: Vault, status: int) -> None:
    naps = Naps()
    wrapped = key(vault).wrap(KEY)
    vault.requests.clear()
    vault.replies = [Reply(status)] * RETRIES
    assert key(vault, naps=naps).unwrap(wrapped) == KEY
    assert naps == [0.5, 1.0]
    vault.replies = [Reply(status)] * (RETRIES + 1)
    with pytest.raises(StoreUnavailable):
        key(vault).unwrap(wrapped)
    assert len(vault.requests) == 2 * (RETRIES + 1)
    assert vault.replies == []


@pytest.mark.parametrize(("asked", "waited"), [("2", 2.0), ("0", 0.0), ("3600", LONGEST_PAUSE), ("soon", 0.5)])
def test_it_waits_as_long_as_it_is_asked_to_but_not_for_ever(vault: Vault, asked: str, waited: float) -> None:
    naps = Naps()
    vault.replies = [Reply(429, headers={"Retry-After": asked})]
    key(vault, naps=naps).wrap(KEY)
    assert naps == [waited]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 302])
def test_what_does_not_pass_is_not_tried_again(vault: Vault, status: int) -> None:
    naps = Naps()
    vault.replies = [Reply(status, headers={"Location": "https://evil.example/"})]
    with pytest.raises(StoreUnavailable, match=str(status)):
        key(vault, naps=naps).wrap(KEY)
    assert (len(vault.requests), naps) == (1, [])


def test_a_connection_that_breaks_is_tried_again(vault: Vault) -> None:
    vault.replies = [Reply(200, None), Reply(200, None)]
    assert key(vault).unwrap(key(vault).wrap(KEY)) == KEY
    assert len(vault.requests) == 5  # the newest version is asked three times


@pytest.mark.parametrize(
    "body",
    ["", "<html>", "[]", "null", {}, {"value": 7}, {"value": ""}, {"value": "a.b"}, {"value": "AAAA"}, {"value": "é"}],
    ids=str,
)
def test_an_answer_that_makes_no_sense_is_no_key(vault: Vault, body: Any) -> None:
    wrapped = key(vault).wrap(KEY)
    vault.replies = [Reply(200, body)]
    with pytest.raises(StoreUnavailable):
        key(vault).unwrap(wrapped)


@pytest.mark.parametrize(
    "body", [{}, {"key": 1}, {"key": {}}, {"key": {"kid": "x/"}}, {"key": {"kid": "a/b?c"}}], ids=str
)
def test_a_key_without_a_version_is_none(vault: Vault, body: Any) -> None:
    vault.replies = [Reply(200, body)]
    with pytest.raises(StoreUnavailable):
        key(vault).wrap(KEY)


def test_without_a_token_nothing_is_sent(vault: Vault) -> None:
    def refuse() -> str:
        raise ClientAuthenticationError("client_secret=hunter2")

    with pytest.raises(StoreUnavailable) as refused:
        key(vault, token=refuse).wrap(KEY)
    assert "hunter2" not in str(refused.value)
    assert vault.requests == []


def test_another_vaults_certificate_is_not_trusted(vault: Vault) -> None:
    with pytest.raises(StoreUnavailable, match="does not answer"):
        KeyVaultKey(vault.key_url, lambda: TOKEN, Naps()).wrap(KEY)
    assert vault.requests == []


def test_what_a_key_file_wrapped_is_not_sent_to_the_vault_but_named(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="KEY_FILE"):
        key(vault).unwrap(KeyFile(tmp_path / "key").wrap(KEY))
    assert vault.requests == []
    with pytest.raises(ConfigError, match="KEY_FILE"):
        KeyFile(tmp_path / "key").unwrap(key(vault).wrap(KEY))


def test_nothing_of_it_is_logged(vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrapped = key(vault).wrap(KEY)
    vault.replies = [Reply(503)]
    key(vault).unwrap(wrapped)
    value = wrapped.decode().rpartition(".")[2]
    written = "\n".join(record.getMessage() for record in caplog.records)
    assert [secret for secret in (TOKEN, value, value[:40], KEY.hex()) if secret in written] == []


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://desk.vault.azure.net/keys/k", "https://vault.azure.net/.default"),
        ("https://desk.vault.azure.cn/keys/k", "https://vault.azure.cn/.default"),
        ("https://desk.vault.usgovcloudapi.net/keys/k/1", "https://vault.usgovcloudapi.net/.default"),
        ("https://Desk.managedhsm.azure.net/keys/k", "https://managedhsm.azure.net/.default"),
    ],
)
def test_the_token_is_for_the_cloud_that_the_vault_is_in(url: str, wanted: str) -> None:
    assert scope(url) == wanted
