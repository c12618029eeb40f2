"""Settings of mailboxes, in the tenant's partition of table ``desk``; secrets lie in the same row, sealed.

What a process remembers between calls are the tenants' own addresses, which every mail needs and which take all of a
tenant's mailboxes to know. They must never be old: mail of our own that is not recognised is a loop. So a row is
written in the transaction of every change of a mailbox, and what is remembered counts only while that row is still the
one from before the mailboxes were read. Settings themselves are always read from storage.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.model.mailbox import Mailbox, Settings, own_addresses
from shared.store import keys
from shared.store.tables import Delete, Insert, Operation, Replace, Row, Tables, Upsert

TABLE = "desk"

MOST_TENANTS = 200
"""Whose addresses a process remembers: at 1,000 mailboxes each some 20 MB."""

REMEMBERED_SECONDS = 30.0
"""For whoever changes a row without the other one: an older version of this code beside us while a new one is being
deployed, or a person in the portal."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    """Addresses, as they were when the row that changes with them was of this version."""

    addresses: frozenset[str]
    version: str
    until: float


class TableMailboxes:
    """``ports.Mailboxes`` on tables."""

    def __init__(self, tables: Tables, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables = tables
        self._clock = clock
        self._remembered: dict[str, _Remembered] = {}

    def get(self, tenant: str, mailbox: str) -> Mailbox | None:
        """See ``ports.Mailboxes.get``."""
        row = self._tables.get(TABLE, tenant, keys.mailbox(mailbox))
        return _mailbox(row) if row else None

    def all(self, tenant: str) -> tuple[Mailbox, ...]:
        """See ``ports.Mailboxes.all``."""
        prefix = keys.mailbox("")
        return tuple(_mailbox(row) for row in self._tables.query(TABLE, tenant, prefix, prefix + keys.AFTER))

    def own_addresses(self, tenant: str) -> frozenset[str]:
        """See ``ports.Mailboxes.own_addresses``."""
        # Read before the mailboxes: a change between the two is seen next time.
        changed = self._tables.get(TABLE, tenant, keys.MAILBOXES_CHANGED)
        version, now = changed.text("change") if changed else "", self._clock()
        known = self._remembered.get(tenant)
        if known is not None and known.version == version and now < known.until:
            return known.addresses
        addresses = own_addresses(self.all(tenant))
        if len(self._remembered) >= MOST_TENANTS:
            self._remembered.clear()
        self._remembered[tenant] = _Remembered(addresses, version, now + REMEMBERED_SECONDS)
        return addresses

    def put(self, mailbox: Mailbox) -> Mailbox:
        """See ``ports.Mailboxes.put``."""
        key = keys.mailbox(mailbox.id)
        # The whitelist has a property of its own: with it, the other settings might not fit into one.
        values = {
            "settings": mailbox.settings.model_dump_json(exclude={"whitelist"}),
            "whitelist": mailbox.settings.whitelist,
            "generation": mailbox.generation,
            "created": keys.stamp(mailbox.created),
            "secrets": json.dumps(dict(mailbox.secrets)),
        }
        write = Replace(key, values, mailbox.version) if mailbox.version else Insert(key, values)
        version, _ = self._tables.commit(TABLE, mailbox.tenant, [write, _changed()])
        return replace(mailbox, version=version)

    def delete(self, mailbox: Mailbox) -> None:
        """See ``ports.Mailboxes.delete``."""
        self._tables.commit(TABLE, mailbox.tenant, [Delete(keys.mailbox(mailbox.id), mailbox.version), _changed()])


def _changed() -> Operation:
    # Not only its ETag: two writes within one tick of the service's clock must differ.
    return Upsert(keys.MAILBOXES_CHANGED, {"change": secrets.token_hex(8)})


def _mailbox(row: Row) -> Mailbox:
    return Mailbox(
        tenant=row.partition,
        id=row.key.partition(":")[2],
        settings=Settings.stored({**json.loads(row.text("settings")), "whitelist": row.text("whitelist")}),
        generation=row.text("generation"),
        created=keys.read_stamp(row.text("created")),
        secrets=tuple(sorted(json.loads(row.text("secrets")).items())),
        version=row.etag,
    )
