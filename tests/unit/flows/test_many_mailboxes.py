"""A tenant of many mailboxes: a mail costs what it costs elsewhere, and what is remembered between mails is never old."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.flows import mailboxes, tenants
from shared.model.inbound import Inbound
from shared.model.mailbox import Mailbox, Settings
from shared.model.reason import Outcome
from shared.model.schedule import SHARDS
from tests.bench.counting import TABLE_READ, Counts, Store
from tests.support.app import World, make_app
from tests.support.mails import mail

PAGE = 1000
"""Rows of one answer of Azure Tables."""


class Desk:
    """A tenant, one process that converts its mail, and another one through which its people change settings."""

    def __init__(self) -> None:
        self.store = Store()
        self.world: World = make_app(self.store.tables, self.store.blobs, self.store.queues)
        self.elsewhere = make_app(self.store.tables, self.store.blobs)
        self.tenant, _ = self.world.tenant()
        self.world.mailbox(self.tenant)
        self.count = 0

    def connect(self, id: str, **settings: Any) -> None:
        self.elsewhere.mailbox(self.tenant, id, **settings)

    def convert(self, **fields: Any) -> tuple[Inbound, Counts]:
        """What became of a new mail, and what converting it asked of storage."""
        self.count += 1
        self.world.clock.advance(seconds=1)
        self.world.folders["support"].deliver(mail(**{"message_id": f"<{self.count}@example.com>", **fields}))
        self.world.poll(self.tenant)
        self.store.take()
        self.world.convert_all()
        return self.world.ledger(self.tenant)[0], self.store.take()


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.convert()
    return made


def test_a_mail_to_a_tenant_of_thousands_of_mailboxes_reads_no_more_than_elsewhere(desk: Desk) -> None:
    _, few = desk.convert(text="One.")
    app = desk.elsewhere.app
    for number in range(2 * PAGE):
        fields = {"group": "Support", "host": "imap.example.org", "username": "u", "email": f"m{number}@example.org"}
        app.mailboxes.put(Mailbox(desk.tenant, f"m{number}", Settings.model_validate(fields), "0a", app.now()))
    desk.convert(text="Two.")
    row, many = desk.convert(text="Three.")
    assert row.outcome is Outcome.DELIVERED
    assert many[TABLE_READ] == few[TABLE_READ]


def test_mail_from_a_mailbox_that_was_connected_a_moment_ago_is_our_own(desk: Desk) -> None:
    row, _ = desk.convert(sender="Sales <sales@example.org>", text="Before.")
    assert row.outcome is Outcome.DELIVERED
    desk.connect("sales")
    row, _ = desk.convert(sender="Sales <sales@example.org>", text="After.")
    assert (row.outcome, row.reason) == (Outcome.DISCARDED, "own_mail")


def test_a_mailbox_that_was_connected_a_moment_ago_takes_no_part_in_an_incident(desk: Desk) -> None:
    desk.connect("sales")
    row, _ = desk.convert(text="To both.", cc="sales@example.org")
    assert row.incident is not None
    incident = desk.world.app.desk.incident(desk.tenant, row.incident)
    assert incident is not None
    assert [one.address for one in incident.participants] == ["ann@example.com"]


def test_mail_from_a_mailbox_that_was_removed_a_moment_ago_is_anybodys(desk: Desk) -> None:
    desk.connect("sales")
    desk.convert()
    mailboxes.remove(desk.elsewhere.app, desk.tenant, "sales")
    row, _ = desk.convert(sender="Sales <sales@example.org>", text="From a person.")
    assert row.outcome is Outcome.DELIVERED


def test_a_whitelist_that_was_changed_a_moment_ago_holds(desk: Desk) -> None:
    desk.connect("support", whitelist_enabled=True, whitelist="somebody.else@example.net")
    row, _ = desk.convert(text="Held.")
    assert (row.outcome, row.reason) == (Outcome.HELD, "not_on_whitelist")
    desk.connect("support", whitelist_enabled=False)
    row, _ = desk.convert(text="Let in.")
    assert row.outcome is Outcome.DELIVERED


def test_the_cloud_admins_overview_of_a_large_tenant_takes_few_requests(desk: Desk) -> None:
    for number in range(100):
        desk.connect(f"m{number}")
    app = desk.world.app
    slot = app.schedule.get(desk.tenant, "m7")
    assert slot is not None
    app.schedule.put(replace(slot, failures=1))
    desk.store.take()
    overview = tenants.overview(app, tenants.get(app, "acme"))
    assert (overview.mailboxes, overview.failing) == (101, 1)
    assert desk.store.take().requests <= 2 + SHARDS
