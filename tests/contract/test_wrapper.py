"""What a wrapping key promises: in a file, in Key Vault, and the plain one that fast tests use."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.config import ConfigError
from shared.errors import SecretLost, StoreUnavailable
from shared.store.keyvault import KeyVaultKey
from shared.store.secrets import KeyFile, TableSecrets, Wrapper
from tests.support.app import PlainWrapper
from tests.support.keyvault import TOKEN, Vault
from tests.support.memory import MemoryTables

Make = Callable[[], Wrapper]
"""The same wrapping key, as another process would open it."""


@pytest.fixture(params=["file", "vault", "plain"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    if request.param == "file":
        yield lambda: KeyFile(tmp_path / "key")
    elif request.param == "plain":
        yield PlainWrapper
    else:
        with Vault(tmp_path) as vault:
            yield lambda: KeyVaultKey(vault.key_url, lambda: TOKEN, ca=vault.ca_file)
        assert vault.violations == []


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32, os.urandom(32)], ids=["zeros", "ones", "chance"])
def test_what_was_wrapped_is_unwrapped_by_another_process(make: Make, key: bytes) -> None:
    assert make().unwrap(make().wrap(key)) == key


def test_what_is_wrapped_fits_into_a_row(make: Make) -> None:
    assert len(base64.b64encode(make().wrap(os.urandom(32)))) < 2000


@pytest.mark.parametrize("place", [0, 5, 40, -1])
def test_what_was_altered_is_refused_and_says_so(make: Make, place: int) -> None:
    wrapped = make().wrap(os.urandom(32))
    if isinstance(make(), PlainWrapper):
        return  # it protects nothing, and says so
    altered = bytearray(wrapped)
    altered[place] ^= 1
    with pytest.raises((ConfigError, StoreUnavailable)):
        make().unwrap(bytes(altered))


def test_secrets_survive_a_restart_and_no_one_but_their_tenant_can_read_them(make: Make) -> None:
    tables = MemoryTables()
    sealed = TableSecrets(tables, make()).seal("acme.1", "support", "password", "the secret")
    again = TableSecrets(tables, make())
    assert again.open("acme.1", "support", "password", sealed) == "the secret"
    again.seal("other.1", "support", "password", "x")
    with pytest.raises(SecretLost):
        again.open("other.1", "support", "password", sealed)


def test_a_deleted_tenants_secrets_are_gone_for_good_and_no_key_comes_back(make: Make) -> None:
    tables = MemoryTables()
    secrets = TableSecrets(tables, make())
    sealed = secrets.seal("acme.1", "support", "password", "the secret")
    kept = secrets.seal("other.1", "support", "password", "another")
    secrets.destroy("acme.1")
    secrets.destroy("acme.1")  # a second try after a crash
    for one in (secrets, TableSecrets(tables, make())):
        with pytest.raises(SecretLost):
            one.open("acme.1", "support", "password", sealed)
        assert one.open("other.1", "support", "password", kept) == "another"
    assert [key for _, partition, key in tables.rows if partition == "data-key"] == ["other.1"]
