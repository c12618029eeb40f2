"""Settings of mailboxes, in the tenant's partition of table ``desk``; secrets lie in the same row, sealed."""

from __future__ import annotations

import json
from dataclasses import replace

from shared.model.mailbox import Mailbox, Settings
from shared.store import keys
from shared.store.tables import Delete, Insert, Replace, Row, Tables

TABLE = "desk"


class TableMailboxes:
    """``ports.Mailboxes`` on tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, tenant: str, mailbox: str) -> Mailbox | None:
        """See ``ports.Mailboxes.get``."""
        row = self._tables.get(TABLE, tenant, keys.mailbox(mailbox))
        return _mailbox(row) if row else None

    def all(self, tenant: str) -> tuple[Mailbox, ...]:
        """See ``ports.Mailboxes.all``."""
        prefix = keys.mailbox("")
        return tuple(_mailbox(row) for row in self._tables.query(TABLE, tenant, prefix, prefix + keys.AFTER))

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
        (version,) = self._tables.commit(TABLE, mailbox.tenant, [write])
        return replace(mailbox, version=version)

    def delete(self, mailbox: Mailbox) -> None:
        """See ``ports.Mailboxes.delete``."""
        self._tables.commit(TABLE, mailbox.tenant, [Delete(keys.mailbox(mailbox.id), mailbox.version)])


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
