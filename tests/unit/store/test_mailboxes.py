from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import RowChanged
from shared.model.mailbox import Mailbox, Settings
from shared.store.mailboxes import TableMailboxes
from shared.store.tables import Insert
from tests.support.memory import MemoryTables

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
FIELDS: dict[str, Any] = {"group": "Support", "host": "imap.example.org", "username": "support"}


def mailbox(id: str = "support", tenant: str = "acme.1", **changes: Any) -> Mailbox:
    settings = Settings.model_validate({**FIELDS, **changes})
    return Mailbox(tenant, id, settings, "0a", NOON, (("password", "sealed"),))


@pytest.fixture
def tables() -> MemoryTables:
    return MemoryTables()


@pytest.fixture
def mailboxes(tables: MemoryTables) -> TableMailboxes:
    return TableMailboxes(tables)


def test_a_mailbox_reads_back_as_it_was_put(mailboxes: TableMailboxes) -> None:
    put = mailboxes.put(mailbox(whitelist="ok.com", whitelist_enabled=True, port=1143))
    assert mailboxes.get("acme.1", "support") == put
    assert mailboxes.get("other.1", "support") is None


@pytest.mark.parametrize("entry", ["a.example,", "ü.example,", "𠀀.example,"], ids=["ascii", "umlaut", "two units"])
def test_the_longest_whitelist_that_settings_take_can_be_stored(mailboxes: TableMailboxes, entry: str) -> None:
    units = len(entry.encode("utf-16-le")) // 2
    whitelist = entry * (30_000 // units)
    put = mailboxes.put(mailbox(whitelist=whitelist))
    assert mailboxes.get("acme.1", "support") == put


def test_the_fullest_settings_can_be_stored(mailboxes: TableMailboxes) -> None:
    lines = dict.fromkeys(("username", "client_id", "tenant_id", "folder", "move_to", "group"), "😀" * 100)
    put = mailboxes.put(mailbox(**lines, host="a." * 100 + "example"))
    assert mailboxes.get("acme.1", "support") == put


def test_all_are_those_of_one_tenant_in_order(mailboxes: TableMailboxes) -> None:
    for id in ("b", "a", "c"):
        mailboxes.put(mailbox(id))
    mailboxes.put(mailbox("d", "other.1"))
    assert [one.id for one in mailboxes.all("acme.1")] == ["a", "b", "c"]


def test_only_who_read_the_latest_version_may_put_or_delete(mailboxes: TableMailboxes) -> None:
    read = mailboxes.put(mailbox())
    newer = mailboxes.put(replace(read, generation="0b"))
    for old in (read, mailbox()):
        with pytest.raises(RowChanged):
            mailboxes.put(old)
    with pytest.raises(RowChanged):
        mailboxes.delete(read)
    mailboxes.delete(newer)
    assert mailboxes.get("acme.1", "support") is None


def test_a_row_that_another_version_wrote_can_be_read(tables: MemoryTables, mailboxes: TableMailboxes) -> None:
    fields = {**FIELDS, "polling_minutes": 9, "of_tomorrow": {"x": 1}}
    values = {
        "settings": json.dumps(fields),
        "generation": "0a",
        "created": "2026-11-16T12:00:00.000Z",
        "secrets": "{}",
    }
    tables.commit("desk", "acme.1", [Insert("MB:old", values)])
    found = mailboxes.get("acme.1", "old")
    assert found is not None
    assert (found.settings.polling_minutes, found.settings.whitelist, found.settings.folder) == (9, "", "INBOX")
