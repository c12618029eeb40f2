"""Table ``tenants``: partition ``tenant`` holds one row per tenant. API keys lie in the tenant's own partition of
table ``desk``, so that everything of a tenant is found under its key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from shared.ports import ApiKey, Tenant
from shared.store import keys
from shared.store.tables import Insert, Replace, Row, Tables

TABLE = "tenants"
PARTITION = "tenant"


class TableTenants:
    """``ports.Tenants`` on tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, slug: str) -> Tenant | None:
        """See ``ports.Tenants.get``."""
        row = self._tables.get(TABLE, PARTITION, slug)
        return _tenant(row) if row else None

    def put(self, slug: str, name: str, generation: str, now: datetime) -> tuple[Tenant, bool]:
        """See ``ports.Tenants.put``."""
        row = self._tables.get(TABLE, PARTITION, slug)
        if row is not None:
            self._tables.commit(TABLE, PARTITION, [Replace(slug, {**row.values, "name": name}, row.etag)])
            return replace(_tenant(row), name=name), False
        tenant = Tenant(slug, f"{slug}.{generation}", name, now)
        values = {"key": tenant.key, "name": name, "created": keys.stamp(now)}
        self._tables.commit(TABLE, PARTITION, [Insert(slug, values)])
        return tenant, True

    def all(self) -> Iterator[Tenant]:
        """See ``ports.Tenants.all``."""
        return (_tenant(row) for row in self._tables.query(TABLE, PARTITION))

    def add_key(self, tenant: str, key: ApiKey) -> None:
        """See ``ports.Tenants.add_key``."""
        values = {
            "role": key.role,
            "name": key.name,
            "digest": key.digest,
            "created": keys.stamp(key.created),
        }
        self._tables.commit("desk", tenant, [Insert(keys.api_key(key.id), values)])

    def key(self, tenant: str, id: str) -> ApiKey | None:
        """See ``ports.Tenants.key``."""
        row = self._tables.get("desk", tenant, keys.api_key(id))
        if row is None:
            return None
        created = keys.read_stamp(row.text("created"))
        return ApiKey(id, row.text("role"), row.text("name"), row.text("digest"), created)


def _tenant(row: Row) -> Tenant:
    return Tenant(row.key, row.text("key"), row.text("name"), keys.read_stamp(row.text("created")))
