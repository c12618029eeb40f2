"""Secrets at rest: AES-256-GCM under a data key per tenant; the data key is wrapped by a key that is not in storage.

A sealed text is bound to tenant, mailbox and field (associated data), so moving it elsewhere makes it unreadable.
Deleting a tenant destroys its data key, and with it every copy of its secrets.
"""

from __future__ import annotations

import base64
import os
import threading
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.config import ConfigError
from shared.errors import RowChanged, StoreUnavailable
from shared.store.tables import Insert, Tables

TABLE = "tenants"
PARTITION = "data-key"
APP = "app"
"""Row of the app's own data key. No tenant can be called so: tenant keys hold a dot."""

KEY_BYTES = 32
NONCE_BYTES = 12
"""NIST SP 800-38D: 96 bits; random ones are safe for 2**32 texts under one key, and a tenant has some dozens."""


class Wrapper(Protocol):
    """A key that never enters storage, and wraps those that do."""

    def wrap(self, key: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes) -> bytes: ...


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
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = base64.b64decode(path.read_text().strip())
        if len(key) != KEY_BYTES:
            raise ConfigError("KEY_FILE does not hold a key of 32 bytes in base64.") from None
        return key
    with os.fdopen(file, "w") as out:
        key = os.urandom(KEY_BYTES)
        out.write(base64.b64encode(key).decode() + "\n")
    return key


class TableSecrets:
    """``ports.Secrets``: data keys wrapped in table ``tenants``, kept unwrapped in memory."""

    def __init__(self, tables: Tables, wrapper: Wrapper) -> None:
        self._tables = tables
        self._wrapper = wrapper
        self._keys: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def seal(self, tenant: str, mailbox: str, field: str, text: str) -> str:
        """See ``ports.Secrets.seal``."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self._data_key(tenant)).encrypt(nonce, text.encode(), _bound_to(tenant, mailbox, field))
        return base64.b64encode(nonce + sealed).decode()

    def open(self, tenant: str, mailbox: str, field: str, sealed: str) -> str:
        """See ``ports.Secrets.open``."""
        raw = base64.b64decode(sealed)
        cipher = AESGCM(self._data_key(tenant))
        return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound_to(tenant, mailbox, field)).decode()

    def app_key(self, purpose: str) -> bytes:
        """See ``ports.Secrets.app_key``."""
        derive = HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode())
        return derive.derive(self._data_key(APP))

    def _data_key(self, owner: str) -> bytes:
        with self._lock:
            if owner not in self._keys:
                self._keys[owner] = self._read_or_make(owner)
            return self._keys[owner]

    def _read_or_make(self, owner: str) -> bytes:
        # Two processes may make one at the same time: the first to be stored is the one that both use.
        for _ in range(3):
            row = self._tables.get(TABLE, PARTITION, owner)
            if row is not None:
                return self._wrapper.unwrap(base64.b64decode(row.text("wrapped")))
            wrapped = base64.b64encode(self._wrapper.wrap(os.urandom(KEY_BYTES))).decode()
            try:
                self._tables.commit(TABLE, PARTITION, [Insert(owner, {"wrapped": wrapped})])
            except RowChanged:
                continue
        raise StoreUnavailable("A data key could not be stored.")


def _bound_to(tenant: str, mailbox: str, field: str) -> bytes:
    return f"{tenant}\n{mailbox}\n{field}".encode()
