"""Secrets at rest: AES-256-GCM under a data key per tenant; the data key is wrapped by a key that is not in storage.

A sealed text is bound to tenant, mailbox and field (associated data), so moving it elsewhere makes it unreadable.
Deleting a tenant destroys its data key, and with it every copy of its secrets.

A rotation makes a new data key; the one before stays readable until everything is sealed anew. Every process looks at
the stored keys again after some minutes, so none goes on with an old one, or with one that was destroyed.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.config import ConfigError
from shared.errors import RowChanged, SecretLost, StoreUnavailable
from shared.store.keys import read_stamp, stamp
from shared.store.tables import Delete, Insert, Replace, Row, Tables

TABLE = "tenants"
PARTITION = "data-key"
APP = "app"
"""Row of the app's own data key. No tenant can be called so: tenant keys hold a dot."""

KEY_BYTES = 32
NONCE_BYTES = 12
"""NIST SP 800-38D: 96 bits; random ones are safe for 2**32 texts under one key, and a tenant has some dozens."""


KEPT_SECONDS = 300.0
"""How long a process goes on with the data keys that it read. ``flows.rotate`` waits longer than this."""


MOST_FAILED = 5
"""Data keys that cannot be unwrapped in one run (their version of the wrapping key was deleted) before it ends: a vault
that is away takes some seconds for each."""


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

    def newest(self) -> str:
        """The version of this key that ``wrap`` uses now; empty where there are none. Raises ``StoreUnavailable``."""
        ...

    def version_of(self, wrapped: bytes) -> str:
        """The version that wrapped this; empty where there are none."""
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

    def newest(self) -> str:
        """A file has no versions."""
        return ""

    def version_of(self, wrapped: bytes) -> str:
        """A file has no versions."""
        return ""


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


@dataclass(frozen=True, slots=True)
class _Keys:
    """An owner's data keys as they were read. ``before``: the one from before a rotation, while something may still be
    sealed with it. ``wrapped``: both as they are stored; ``read``: seconds of the process's own clock."""

    current: bytes
    before: bytes | None
    wrapped: tuple[str, str]
    read: float

    def all(self) -> tuple[bytes, ...]:
        """Those that may open something."""
        return (self.current,) if self.before is None else (self.current, self.before)


class TableSecrets:
    """``ports.Secrets``: data keys wrapped in table ``tenants``, kept unwrapped in memory for ``KEPT_SECONDS``."""

    def __init__(self, tables: Tables, wrapper: Wrapper, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables = tables
        self._wrapper = wrapper
        self._clock = clock
        self._keys: dict[str, _Keys] = {}

    def seal(self, tenant: str, mailbox: str, field: str, text: str) -> str:
        """See ``ports.Secrets.seal``."""
        nonce = os.urandom(NONCE_BYTES)
        cipher = AESGCM(self._keys_of(tenant).current)
        sealed = cipher.encrypt(nonce, text.encode(), _bound_to(tenant, mailbox, field))
        return base64.b64encode(nonce + sealed).decode()

    def open(self, tenant: str, mailbox: str, field: str, sealed: str) -> str:
        """See ``ports.Secrets.open``."""
        bound = _bound_to(tenant, mailbox, field)
        # Reading makes no key: that of a deleted tenant must not come back.
        keys = self._keys_of(tenant, make=False)
        opened = _opened(keys, sealed, bound)
        if opened is None:
            # Another process may have made a new key since this one looked.
            opened = _opened(self._keys_of(tenant, make=False, fresh=True), sealed, bound)
        if opened is None:
            raise _lost()
        return opened

    def app_key(self, purpose: str) -> bytes:
        """See ``ports.Secrets.app_key``."""
        derive = HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode())
        return derive.derive(self._keys_of(APP).current)

    def destroy(self, tenant: str) -> None:
        """A deleted tenant's data key goes: nobody can read any of its secrets again, whoever kept a copy of them."""
        self._keys.pop(tenant, None)
        with suppress(RowChanged):  # there was none, or somebody else was faster
            self._tables.commit(TABLE, PARTITION, [Delete(tenant)])

    # ── rotation ──────────────────────────────────────────────────────────────────────────────────────────────────

    def begin_rotation(self, tenant: str, now: datetime) -> bool:
        """See ``ports.Secrets.begin_rotation``."""
        row = self._tables.get(TABLE, PARTITION, tenant)
        if row is None or row.text("before"):
            return False
        values = {"wrapped": self._wrapped_new(), "before": row.text("wrapped"), "since": stamp(now)}
        try:
            self._tables.commit(TABLE, PARTITION, [Replace(tenant, values, row.etag)])
        except RowChanged:
            return False  # somebody else has just begun
        self._keys.pop(tenant, None)
        return True

    def rotating(self) -> Iterator[tuple[str, datetime]]:
        """See ``ports.Secrets.rotating``."""
        for row in list(self._tables.query(TABLE, PARTITION)):
            if row.text("before"):
                yield row.key, read_stamp(row.text("since"))

    def is_current(self, tenant: str, mailbox: str, field: str, sealed: str) -> bool:
        """See ``ports.Secrets.is_current``."""
        current = replace(self._keys_of(tenant, make=False, fresh=True), before=None)
        return _opened(current, sealed, _bound_to(tenant, mailbox, field)) is not None

    def end_rotation(self, tenant: str) -> None:
        """See ``ports.Secrets.end_rotation``."""
        row = self._tables.get(TABLE, PARTITION, tenant)
        if row is not None and row.text("before"):
            with suppress(RowChanged):
                self._tables.commit(TABLE, PARTITION, [Replace(tenant, {"wrapped": row.text("wrapped")}, row.etag)])
        self._keys.pop(tenant, None)

    def rewrap(self, most: int) -> int:
        """See ``ports.Secrets.rewrap``."""
        newest, done = self._wrapper.newest(), 0
        failed: list[StoreUnavailable | ConfigError] = []
        for row in list(self._tables.query(TABLE, PARTITION)):
            old = {name: row.text(name) for name in ("wrapped", "before") if row.text(name)}
            try:
                new = {name: self._again(text, newest) for name, text in old.items()}
            except (StoreUnavailable, ConfigError) as error:
                failed.append(error)
                if len(failed) == MOST_FAILED:
                    break
                continue
            if new == old:
                continue
            if done == most:
                break
            with suppress(RowChanged):  # it was rotated, or destroyed, at this moment
                self._tables.commit(TABLE, PARTITION, [Replace(row.key, {**row.values, **new}, row.etag)])
                done += 1
        if failed:
            raise failed[0]
        return done

    def _again(self, text: str, newest: str) -> str:
        wrapped = base64.b64decode(text)
        if self._wrapper.version_of(wrapped) == newest:
            return text
        return base64.b64encode(self._wrapper.wrap(self._wrapper.unwrap(wrapped))).decode()

    # ── data keys ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _keys_of(self, owner: str, make: bool = True, fresh: bool = False) -> _Keys:
        # No lock: two that make one at the same time end with the one that was stored first.
        known = self._keys.get(owner)
        if known is not None and not fresh and self._clock() - known.read < KEPT_SECONDS:
            return known
        self._keys.pop(owner, None)
        self._keys[owner] = found = self._read_or_make(owner, make, known)
        return found

    def _read_or_make(self, owner: str, make: bool, known: _Keys | None) -> _Keys:
        # Two processes may make one at the same time: the first to be stored is the one that both use.
        for _ in range(3):
            row = self._tables.get(TABLE, PARTITION, owner)
            if row is not None:
                return self._unwrapped(row, known)
            if not make:
                raise _lost()
            with suppress(RowChanged):
                self._tables.commit(TABLE, PARTITION, [Insert(owner, {"wrapped": self._wrapped_new()})])
        raise StoreUnavailable("A data key could not be stored.")

    def _unwrapped(self, row: Row, known: _Keys | None) -> _Keys:
        wrapped = (row.text("wrapped"), row.text("before"))
        if known is not None and known.wrapped == wrapped:
            return replace(known, read=self._clock())
        current, before = (self._wrapper.unwrap(base64.b64decode(text)) if text else None for text in wrapped)
        assert current is not None
        return _Keys(current, before, wrapped, self._clock())

    def _wrapped_new(self) -> str:
        return base64.b64encode(self._wrapper.wrap(os.urandom(KEY_BYTES))).decode()


def _opened(keys: _Keys, sealed: str, bound: bytes) -> str | None:
    raw = base64.b64decode(sealed)
    for key in keys.all():
        with suppress(InvalidTag):
            return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound).decode()
    return None


def _lost() -> SecretLost:
    return SecretLost("The stored password cannot be read any more.", "Give the password again.")


def _bound_to(tenant: str, mailbox: str, field: str) -> bytes:
    return f"{tenant}\n{mailbox}\n{field}".encode()
