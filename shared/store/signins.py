"""Sign-ins at Microsoft: those that were begun (table ``tenants``, partition ``sign-in``), and the token caches of
those that were finished (table ``desk``, rows ``MT:<mailbox>``). Everything in them is sealed."""

from __future__ import annotations

import hashlib
from datetime import datetime

from shared.errors import RowChanged
from shared.store import keys
from shared.store.sweeping import remove
from shared.store.tables import Delete, Insert, Replace, Tables, Where

PARTITION = "sign-in"

CHUNK = 30_000
"""UTF-16 units of one property: a token cache has some thousand characters, more with many scopes."""

CLEAN_AT_ONCE = 20


class TableSignIns:
    """``ports.SignIns`` on tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def begin(self, state: str, sealed: str, until: datetime, now: datetime) -> None:
        """See ``ports.SignIns.begin``."""
        old = self._tables.query("tenants", PARTITION, where=[Where("until", "le", keys.stamp(now))])
        # Not in one transaction: others begin at the same moment and clear away the same.
        remove(self._tables, "tenants", PARTITION, old, CLEAN_AT_ONCE)
        values = {"until": keys.stamp(until), **_chunks(sealed)}
        self._tables.commit("tenants", PARTITION, [Insert(_key(state), values)])

    def take(self, state: str, now: datetime) -> str | None:
        """See ``ports.SignIns.take``."""
        row = self._tables.get("tenants", PARTITION, _key(state))
        if row is None:
            return None
        try:
            # Deleting it is what takes it: of two callbacks with the same state, one succeeds.
            self._tables.commit("tenants", PARTITION, [Delete(row.key, row.etag)])
        except RowChanged:
            return None
        return _joined(row.values) if keys.read_stamp(row.text("until")) > now else None

    def sweep(self, now: datetime, most: int) -> int:
        """Remove those that were begun and can be finished no more; how many."""
        old = self._tables.query(
            "tenants", PARTITION, where=[Where("until", "le", keys.stamp(now))], columns=("until",)
        )
        return remove(self._tables, "tenants", PARTITION, old, most)

    def cache(self, tenant: str, mailbox: str) -> tuple[str, str]:
        """See ``ports.SignIns.cache``."""
        row = self._tables.get("desk", tenant, keys.token_cache(mailbox))
        return (_joined(row.values), row.etag) if row else ("", "")

    def put_cache(self, tenant: str, mailbox: str, sealed: str, version: str) -> str:
        """See ``ports.SignIns.put_cache``."""
        key = keys.token_cache(mailbox)
        write = Replace(key, _chunks(sealed), version) if version else Insert(key, _chunks(sealed))
        return self._tables.commit("desk", tenant, [write])[0]

    def forget_cache(self, tenant: str, mailbox: str) -> None:
        """See ``ports.SignIns.forget_cache``."""
        try:
            self._tables.commit("desk", tenant, [Delete(keys.token_cache(mailbox))])
        except RowChanged:
            return  # there was none


def _key(state: str) -> str:
    # Only a hash is stored: who can read the table cannot finish somebody's sign-in with it.
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()


def _chunks(text: str) -> dict[str, str]:
    return {f"part{count}": text[start : start + CHUNK] for count, start in enumerate(range(0, len(text), CHUNK))}


def _joined(values: object) -> str:
    parts = dict(values) if isinstance(values, dict) else {}
    return "".join(parts[f"part{count}"] for count in range(len(parts)) if f"part{count}" in parts)
