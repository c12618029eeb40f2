"""Table ``tenants``: partition ``tenant`` holds one row per tenant, and one for each that was deleted. API keys and
their sessions lie in the tenant's own partition of table ``desk``, so that everything of a tenant is found under its
key."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime

from shared.errors import RowChanged
from shared.model.reason import Outcome
from shared.ports import ApiKey, Tenant
from shared.store import keys
from shared.store.sweeping import remove
from shared.store.tables import Delete, Insert, Operation, Replace, Row, Tables, Value, Where

TABLE = "tenants"
PARTITION = "tenant"

DELETED = "DELETED:"
"""What the row of a deleted tenant begins with; slugs begin with a small letter, which sorts behind it."""
FIRST_SLUG = "a"

MOST_ROWS = 10_000
"""Keys and sessions that one call removes. A key has some dozens of sessions; those left behind open nothing."""


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
            (etag,) = self._tables.commit(TABLE, PARTITION, [Replace(slug, {**row.values, "name": name}, row.etag)])
            return replace(_tenant(row), name=name, version=etag), False
        tenant = Tenant(slug, f"{slug}.{generation}", name, now)
        values = {"key": tenant.key, "name": name, "created": keys.stamp(now)}
        (etag,) = self._tables.commit(TABLE, PARTITION, [Insert(slug, values)])
        return replace(tenant, version=etag), True

    def configure(self, before: Tenant, after: Tenant) -> Tenant:
        """See ``ports.Tenants.configure``."""
        row = self._tables.get(TABLE, PARTITION, before.slug)
        if row is None or row.etag != before.version:
            raise RowChanged("A row is not as it was read.")
        kept = {name: value for name, value in row.values.items() if name not in _CONFIGURED}
        (etag,) = self._tables.commit(
            TABLE, PARTITION, [Replace(before.slug, {**kept, **_configured(after)}, before.version)]
        )
        return replace(after, version=etag)

    def of_entra(self, tid: str) -> tuple[Tenant, ...]:
        """See ``ports.Tenants.of_entra``."""
        # Storage looks through the rows of this one partition: some thousands take it a moment.
        found = self._tables.query(TABLE, PARTITION, FIRST_SLUG, where=[Where("entra_tenant_id", "eq", tid)])
        return tuple(_tenant(row) for row in found)

    def mails_kept(self, tenant: str, since: datetime, before: datetime, most: int) -> int:
        """See ``ports.Tenants.mails_kept``."""
        # The newest come first, so the later time is where to begin: its own moment sorts before what is older.
        found = (
            row
            for outcome in Outcome
            for row in self._tables.query(
                "desk",
                tenant,
                f"E:{outcome}:{keys.newest_first(before)}{keys.AFTER}",
                f"E:{outcome}:{keys.newest_first(since)}{keys.AFTER}",
                columns=("id",),
            )
        )
        return sum(1 for _ in itertools.islice(found, most))

    def switch(self, slug: str, disabled: bool) -> None:
        """See ``ports.Tenants.switch``."""
        row = self._tables.get(TABLE, PARTITION, slug)
        if row is None:
            raise RowChanged("A row is not as it was read.")
        self._tables.commit(TABLE, PARTITION, [Replace(slug, {**row.values, "disabled": disabled}, row.etag)])

    def remove(self, tenant: Tenant, now: datetime) -> None:
        """See ``ports.Tenants.remove``."""
        row = self._tables.get(TABLE, PARTITION, tenant.slug)
        if row is None or row.text("key") != tenant.key:
            raise RowChanged("A row is not as it was read.")
        written_down = {"key": tenant.key, "created": row.text("created"), "deleted": keys.stamp(now)}
        self._tables.commit(
            TABLE, PARTITION, [Delete(tenant.slug, row.etag), Insert(f"{DELETED}{tenant.key}", written_down)]
        )
        # Keys, people and their sessions, which are all that begins with this letter.
        self._sweep(tenant.key, "K", "L")

    def all(self) -> Iterator[Tenant]:
        """See ``ports.Tenants.all``."""
        return (_tenant(row) for row in self._tables.query(TABLE, PARTITION, FIRST_SLUG))

    def add_key(self, tenant: str, key: ApiKey, once: bool = False) -> None:
        """See ``ports.Tenants.add_key``."""
        values: dict[str, Value] = {
            "role": key.role,
            "name": key.name,
            "digest": key.digest,
            "created": keys.stamp(key.created),
        }
        operations: list[Operation] = [Insert(keys.api_key(key.id), values)]
        if once:
            operations.append(Insert(keys.api_key_once(key.id), {"created": keys.stamp(key.created)}))
        self._tables.commit("desk", tenant, operations)

    def key(self, tenant: str, id: str) -> ApiKey | None:
        """See ``ports.Tenants.key``."""
        row = self._tables.get("desk", tenant, keys.api_key(id))
        return _api_key(row) if row else None

    def keys(self, tenant: str) -> tuple[ApiKey, ...]:
        """See ``ports.Tenants.keys``."""
        used = {_id(row): date.fromisoformat(row.text("day")) for row in self._all_of(tenant, keys.api_key_used(""))}
        found = (_api_key(row) for row in self._all_of(tenant, keys.api_key("")))
        return tuple(
            sorted((replace(key, used=used.get(key.id)) for key in found), key=lambda key: (key.created, key.name))
        )

    def revoke(self, tenant: str, id: str, besides: str) -> None:
        """See ``ports.Tenants.revoke``."""
        operations: list[Operation] = [Delete(keys.api_key(id))]
        if besides:
            row = self._tables.get("desk", tenant, keys.api_key(besides))
            if row is None:
                raise RowChanged("A row is not as it was read.")
            # Written as it is: of two that revoke each other, the second finds another version.
            operations.append(Replace(row.key, row.values, row.etag))
        self._tables.commit("desk", tenant, operations)
        with suppress(RowChanged):  # it was never used
            self._tables.commit("desk", tenant, [Delete(keys.api_key_used(id))])
        self._sweep(tenant, keys.session(id), keys.session(id) + keys.AFTER)

    def note_use(self, tenant: str, id: str, day: date) -> None:
        """See ``ports.Tenants.note_use``."""
        key, values = keys.api_key_used(id), {"day": day.isoformat()}
        row = self._tables.get("desk", tenant, key)
        if row is not None and row.text("day") >= values["day"]:
            return
        with suppress(RowChanged):  # somebody else has just said it
            self._tables.commit(
                "desk", tenant, [Insert(key, values) if row is None else Replace(key, values, row.etag)]
            )

    def begin_session(self, tenant: str, key: str, session: str, until: datetime, now: datetime) -> None:
        """See ``ports.Tenants.begin_session``."""
        self._sweep(tenant, keys.session(key), keys.session(key, now))
        self._tables.commit("desk", tenant, [Insert(keys.session(key, until, session), {"begun": keys.stamp(now)})])

    def has_session(self, tenant: str, key: str, session: str, until: datetime) -> bool:
        """See ``ports.Tenants.has_session``."""
        return self._tables.get("desk", tenant, keys.session(key, until, session)) is not None

    def end_session(self, tenant: str, key: str, session: str, until: datetime) -> None:
        """See ``ports.Tenants.end_session``."""
        with suppress(RowChanged):
            self._tables.commit("desk", tenant, [Delete(keys.session(key, until, session))])

    def _all_of(self, tenant: str, prefix: str) -> Iterator[Row]:
        return self._tables.query("desk", tenant, prefix, prefix + keys.AFTER)

    def _sweep(self, tenant: str, start: str, end: str) -> None:
        remove(self._tables, "desk", tenant, self._tables.query("desk", tenant, start, end), MOST_ROWS)


def _tenant(row: Row) -> Tenant:
    created = keys.read_stamp(row.text("created"))
    return Tenant(
        slug=row.key,
        key=row.text("key"),
        name=row.text("name"),
        created=created,
        disabled=row.flag("disabled"),
        retention_days=row.number("retention_days") if "retention_days" in row.values else None,
        entra_tenant_id=row.text("entra_tenant_id"),
        app_roles_of=row.text("app_roles_of"),
        version=row.etag,
    )


_CONFIGURED = ("retention_days", "entra_tenant_id", "app_roles_of")


def _configured(tenant: Tenant) -> dict[str, Value]:
    days = tenant.retention_days
    values: dict[str, Value] = {"entra_tenant_id": tenant.entra_tenant_id, "app_roles_of": tenant.app_roles_of}
    return {name: value for name, value in values.items() if value} | ({} if days is None else {"retention_days": days})


def _api_key(row: Row) -> ApiKey:
    created = keys.read_stamp(row.text("created"))
    return ApiKey(_id(row), row.text("role"), row.text("name"), row.text("digest"), created)


def _id(row: Row) -> str:
    return row.key.partition(":")[2]
