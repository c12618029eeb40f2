"""Reconciling, erasing, exporting and rotating on the real SDKs and Azurite."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.queue import QueueServiceClient

from infra.local.azurite import Azurite
from shared import bootstrap
from shared.config import read
from shared.flows import convert, erase, export, forget, poll, reconcile, rotate, tenants
from shared.store.erasing import TableErasing
from shared.store.queues import AzureQueues
from shared.store.raw import CONTAINERS
from shared.store.reconciled import TableReconciled
from shared.store.secrets import KeyFile
from shared.store.tables import Delete
from tests.support.app import World, make_app
from tests.support.mails import mail

pytestmark = pytest.mark.azurite

LONG = "It burns. " * 20_000


@pytest.fixture
def world(azurite: Azurite, key_file: str) -> Iterator[World]:
    """Real storage as bootstrap wires it, and a folder in memory."""
    settings = read({"AzureWebJobsStorage": azurite.connection_string, "KEY_FILE": key_file})
    app = bootstrap.build(settings)
    service = QueueServiceClient.from_connection_string(azurite.connection_string)
    tables, blobs = app.tenants._tables, app.raw._blobs  # type: ignore[attr-defined]
    made = make_app(tables, blobs, AzureQueues(service), KeyFile(Path(key_file)))
    made.clock.now = datetime.now(UTC)
    yield made
    service.close()


@pytest.fixture
def slug(world: World) -> str:
    return f"t{world.clock.now:%H%M%S%f}"


@pytest.fixture
def tenant(world: World, slug: str) -> str:
    """With five mails of Ann's and one of Bob's."""
    key, _ = world.tenant(slug)
    world.mailbox(key)
    for number in range(5):
        files = (("a.bin", f"file {number}".encode()),)
        world.folders["support"].deliver(mail(message_id=f"<{number}@x>", text=f"{LONG}{number}", attachments=files))
    world.folders["support"].deliver(mail("Bob <bob@else.example>", message_id="<b@y>", text="Dark."))
    poll.poll(world.app, key, "support")
    for one in world.ledger(key):
        convert.convert(world.app, key, one.id)
    return key


def left(world: World, tenant: str) -> list[str]:
    found = [row.key for row in world.tables.query("desk", tenant)]
    for table in ("tenants", "schedule"):
        found += [row.key for row in world.tables.query(table, None) if tenant in row.key and "DELETED" not in row.key]
    return found + [name for place in CONTAINERS for name in world.blobs.names(place, f"{tenant}/")]


def test_a_deleted_tenant_leaves_nothing_but_the_row_that_says_so(world: World, slug: str, tenant: str) -> None:
    reconcile.reconcile(world.app, TableReconciled(world.tables))
    assert len(left(world, tenant)) > 30
    tenants.delete(world.app, slug, slug)
    for days in (0, 1):
        world.clock.advance(days=days)
        erase.erase(world.app, TableErasing(world.tables, world.blobs))
        assert left(world, tenant) == []
    (gone,) = [one for one in TableErasing(world.tables, world.blobs).gone() if one.tenant == tenant]
    assert gone.erased is not None
    assert gone.blobs >= 15


def test_a_person_is_erased_and_the_others_stay(world: World, tenant: str) -> None:
    done = forget.order(world.app, tenant, "ann@example.com", "ann@example.com", "key")
    assert done.done is not None
    counts = dict(done.counts)
    assert (counts["mails"], counts["attachments"]) == (5, 5)
    assert [name for place in ("attachments", "bodies") for name in world.blobs.names(place, f"{tenant}/")] == []
    assert len(list(world.blobs.names("raw", f"{tenant}/"))) == 1
    texts = {note.body.text.strip() for one in world.incidents(tenant) for note in world.notes(tenant, one.number)}
    assert texts == {"erased", "Dark."}
    assert not any("ann" in str(dict(row.values)).lower() for row in world.tables.query("desk", tenant))


def test_a_gap_is_found_and_healed(world: World, tenant: str) -> None:
    world.clock.advance(hours=2)
    world.poll(tenant)
    before = len(world.ledger(tenant))
    gone = world.ledger(tenant)[0].id
    for row in list(world.tables.query("desk", tenant)):
        if row.key.rpartition(":")[2] == gone:
            world.tables.commit("desk", tenant, [Delete(row.key)])
    world.clock.advance(hours=24)
    world.poll(tenant)
    reconcile.reconcile(world.app, TableReconciled(world.tables))
    assert len(world.ledger(tenant)) == before
    assert world.app.desk.inbound(tenant, gone) is not None


def test_secrets_move_to_a_new_key(world: World, slug: str, tenant: str) -> None:
    assert rotate.rotate(world.app, slug) == 1
    world.clock.advance(hours=1)
    rotate.finish(world.app)
    ((field, sealed),) = world.app.mailboxes.all(tenant)[0].secrets
    assert world.app.secrets.open(tenant, "support", field, sealed) == "secret"
    assert tenant not in dict(world.app.secrets.rotating())


def test_an_export_holds_everything(world: World, tenant: str) -> None:
    count, place = 0, ""
    began = datetime.now(UTC)
    while True:
        part = export.part(world.app, tenant, place)
        count += len(part.items)
        if part.next is None:
            break
        place = part.next
    assert count == 1 + 6 * 3
    assert datetime.now(UTC) - began < timedelta(minutes=1)
