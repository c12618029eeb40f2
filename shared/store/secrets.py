"""Secrets at rest: AES-256-GCM under a data key per tenant; the data key is wrapped by a key that is not in storage.

A sealed text is bound to tenant, mailbox and field (associated data), so moving it elsewhere makes it unreadable.
Deleting a tenant destroys its data key, and with it every copy of its secrets.
"""

from __future__ import annotations

import base64
import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.config import ConfigError
from shared.errors import RowChanged, SecretLost, StoreUnavailable
from shared.store.tables import Delete, Insert, Tables

TABLE = "tenants"
PARTITION = "data-key"
APP = "app"
"""Row of the app's own data key. No tenant can be called so: tenant keys hold a dot."""

KEY_BYTES = 32
NONCE_BYTES = 12
"""NIST SP 800-38D: 96 bits; random ones are safe for 2**32 texts under one key, and a tenant has some dozens."""


class Wrapper(Protocol):
    """A key that never enters storage, and wraps those that do."""

    def wrap(self, key: bytes) -> bytes:
        """Encrypt a data key of 32 bytes, so that it can be stored. Raises ``StoreUnavailable``."""
        ...

    def unwrap(self, wrapped: bytes) -> bytes:
        """What ``wrap`` encrypted, also before the wrapping key was rotated.

        Raises ``StoreUnavailable``; ``ConfigError`` for what another key has wrapped.
        """
        ...


class KeyFile:
    """The wrapping key in a file of mode 0600, made when it is missing: for runs without Key Vault."""

    def __init__(self, path: Path) -> None:
        self._cipher = AESGCM(_read_or_make(path))

    def wrap(self, key: bytes) -> bytes:
        """Encrypt a data key."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, None)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Decrypt a data key."""
        try:
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], None)
        except InvalidTag:
            raise ConfigError(
                "KEY_FILE is not the key that this storage was used with: put the right file there."
            ) from None


def _read_or_make(path: Path) -> bytes:
    if not path.exists():
        _make(path)
    try:
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError("KEY_FILE does not hold a key of 32 bytes in base64: put the right file there.")
    return key


def _make(path: Path) -> None:
    """A new key. It appears whole or not at all, and of two processes that make one, the first wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f"{path.name}.{os.urandom(6).hex()}")
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(base64.b64encode(os.urandom(KEY_BYTES)).decode() + "\n")
        out.flush()
        os.fsync(out.fileno())
    with suppress(FileExistsError):
        os.link(written, path)
    written.unlink()


class TableSecrets:
    """``ports.Secrets``: data keys wrapped in table ``tenants``, kept unwrapped in memory."""

    def __init__(self, tables: Tables, wrapper: Wrapper) -> None:
        self._tables = tables
        self._wrapper = wrapper
        self._keys: dict[str, bytes] = {}

    def seal(self, tenant: str, mailbox: str, field: str, text: str) -> str:
        """See ``ports.Secrets.seal``."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self._data_key(tenant)).encrypt(nonce, text.encode(), _bound_to(tenant, mailbox, field))
        return base64.b64encode(nonce + sealed).decode()

    def open(self, tenant: str, mailbox: str, field: str, sealed: str) -> str:
        """See ``ports.Secrets.open``."""
        raw = base64.b64decode(sealed)
        # Reading makes no key: that of a deleted tenant must not come back.
        cipher = AESGCM(self._data_key(tenant, make=False))
        try:
            return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound_to(tenant, mailbox, field)).decode()
        except InvalidTag:
            raise _lost() from None

    def app_key(self, purpose: str) -> bytes:
        """See ``ports.Secrets.app_key``."""
        derive = HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode())
        return derive.derive(self._data_key(APP))

    def destroy(self, tenant: str) -> None:
        """A deleted tenant's data key goes: nobody can read any of its secrets again, whoever kept a copy of them."""
        self._keys.pop(tenant, None)
        with suppress(RowChanged):  # there was none, or somebody else was faster
            self._tables.commit(TABLE, PARTITION, [Delete(tenant)])

    def _data_key(self, owner: str, make: bool = True) -> bytes:
        # No lock: two that make one at the same time end with the one that was stored first.
        key = self._keys.get(owner)
        if key is None:
            key = self._keys[owner] = self._read_or_make(owner, make)
        return key

    def _read_or_make(self, owner: str, make: bool) -> bytes:
        # Two processes may make one at the same time: the first to be stored is the one that both use.
        for _ in range(3):
            row = self._tables.get(TABLE, PARTITION, owner)
            if row is not None:
                return self._wrapper.unwrap(base64.b64decode(row.text("wrapped")))
            if not make:
                raise _lost()
            wrapped = base64.b64encode(self._wrapper.wrap(os.urandom(KEY_BYTES))).decode()
            try:
                self._tables.commit(TABLE, PARTITION, [Insert(owner, {"wrapped": wrapped})])
            except RowChanged:
                continue
        raise StoreUnavailable("A data key could not be stored.")


def _lost() -> SecretLost:
    return SecretLost("The stored password cannot be read any more.", "Give the password again.")


def _bound_to(tenant: str, mailbox: str, field: str) -> bytes:
    return f"{tenant}\n{mailbox}\n{field}".encode()
