from __future__ import annotations

import json
import logging
from contextlib import suppress
from datetime import timedelta

import pytest

from shared.errors import NotSignedIn, StoreUnavailable
from shared.flows import erase, incinerate, reconcile, tenants
from shared.store.erasing import TableErasing
from shared.store.expired import TableExpired
from shared.store.reconciled import TableReconciled
from tests.support.app import World, make_app
from tests.support.failing import FailingBlobs, FailingTables, Fault
from tests.support.mails import mail
from tests.support.memory import MemoryBlobs, MemoryTables

LONG = "It burns. " * 20_000


def fill(world: World, slug: str = "acme") -> str:
    """A tenant with something of everything. Its key."""
    key, _ = world.tenant(slug)
    world.mailbox(key, slug, whitelist_enabled=False)
    world.receive(key, mail(text=LONG, attachments=(("a.txt", slug.encode()),)), slug)
    world.receive(key, mail(message_id="<2@x>", text="two"), slug)
    world.app.transcripts.add(key, slug, ["S: hello"], world.clock.now)
    reconcile.reconcile(world.app, TableReconciled(world.tables))
    return key


def left_of(world: World, key: str) -> list[str]:
    """Everything in storage that names the tenant, but the row that says that it was deleted."""
    tables, blobs = _inner(world)
    rows = [f"{one}" for one in tables.rows if key in one[1] or key in one[2]]
    rows += [f"{one}" for one, (values, _) in tables.rows.items() if key in values and f"{one}" not in rows]
    found = rows + [f"{one}" for one in blobs.content if one[1].startswith(key)]
    return [one for one in found if "DELETED:" not in one]


def _inner(world: World) -> tuple[MemoryTables, MemoryBlobs]:
    tables, blobs = world.tables, world.blobs
    tables = tables.inner if isinstance(tables, FailingTables) else tables
    blobs = blobs.inner if isinstance(blobs, FailingBlobs) else blobs
    assert isinstance(tables, MemoryTables)
    assert isinstance(blobs, MemoryBlobs)
    return tables, blobs


def erasing(world: World) -> TableErasing:
    return TableErasing(world.tables, world.blobs)


def test_nothing_of_a_deleted_tenant_is_left_and_nothing_of_another_is_touched(world: World) -> None:
    key, other = fill(world), fill(world, "acme-two")
    before = left_of(world, other)
    tenants.delete(world.app, "acme", "acme")
    assert left_of(world, key)
    assert erase.erase(world.app, erasing(world))
    assert left_of(world, key) == []
    assert left_of(world, other) == before


def test_a_tenant_that_is_disabled_loses_nothing(world: World) -> None:
    key = fill(world)
    tenants.switch(world.app, "acme", True)
    before = left_of(world, key)
    assert erase.erase(world.app, erasing(world))
    assert left_of(world, key) == before


def test_a_day_later_it_is_looked_at_again_and_then_it_is_written_down(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "inbound")
    key = fill(world)
    tenants.delete(world.app, "acme", "acme")
    count = len(left_of(world, key))
    erase.erase(world.app, erasing(world))
    (gone,) = erasing(world).gone()
    assert (gone.emptied, gone.erased, gone.rows + gone.blobs) == (gone.emptied, None, count)
    world.clock.advance(hours=23)
    erase.erase(world.app, erasing(world))
    assert [one.erased for one in erasing(world).gone()] == [None]
    world.clock.advance(hours=1)
    caplog.clear()
    erase.erase(world.app, erasing(world))
    (told,) = map(json.loads, caplog.messages)
    assert (told["event"], told["tenant"], told["rows"], told["blobs"]) == ("tenant_erased", key, gone.rows, gone.blobs)
    assert [one.erased for one in erasing(world).gone()] == [world.clock.now.replace(microsecond=750000)]
    caplog.clear()
    erase.erase(world.app, erasing(world))
    assert caplog.messages == []


def test_what_was_written_late_is_found_on_the_second_look_and_looked_for_again(world: World) -> None:
    key = fill(world)
    tenants.delete(world.app, "acme", "acme")
    erase.erase(world.app, erasing(world))
    world.app.raw.keep(key, "00", b"late")
    world.app.secrets.seal(key, "support", "password", "late")
    world.clock.advance(days=1)
    erase.erase(world.app, erasing(world))
    assert left_of(world, key) == []
    assert [one.erased for one in erasing(world).gone()] == [None]
    world.clock.advance(days=1)
    erase.erase(world.app, erasing(world))
    assert [one.erased is not None for one in erasing(world).gone()] == [True]


def test_a_new_tenant_of_the_same_name_sees_nothing_and_keeps_everything(world: World) -> None:
    old, text = world.tenant()
    world.mailbox(old)
    world.receive(old, mail())
    tenants.delete(world.app, "acme", "acme")
    new, _ = world.tenant()
    assert new != old
    assert world.incidents(new) == []
    with pytest.raises(NotSignedIn):
        tenants.recognise(world.app, text)
    world.mailbox(new, "desk")
    world.receive(new, mail(), "desk")
    erase.erase(world.app, erasing(world))
    assert left_of(world, old) == []
    assert [one.number for one in world.incidents(new)] == [1]


def test_a_tenant_of_many_rows_takes_several_runs(world: World) -> None:
    key, _ = world.tenant()
    for number in range(3 * erase.AT_ONCE):
        world.app.raw.keep(key, f"{number}", b"x")
    tenants.delete(world.app, "acme", "acme")

    class Slow(TableErasing):
        def remove_blobs(self, tenant: str, most: int) -> int:
            world.clock.now += timedelta(minutes=3)
            return super().remove_blobs(tenant, most)

    runs = 0
    while not erase.erase(world.app, Slow(world.tables, world.blobs)):
        runs += 1
        assert runs < 10
    assert runs >= 1
    assert left_of(world, key) == []


def test_two_runs_at_the_same_time_do_no_harm(world: World) -> None:
    key = fill(world)
    tenants.delete(world.app, "acme", "acme")

    class Twice(TableErasing):
        def remove_rows(self, tenant: str, most: int) -> int:
            super().remove_rows(tenant, most)
            return super().remove_rows(tenant, most)

    erase.erase(world.app, Twice(world.tables, world.blobs))
    erase.erase(world.app, erasing(world))
    assert left_of(world, key) == []


@pytest.mark.parametrize("kind", ["before", "after", "outage"])
def test_a_run_that_is_cut_off_anywhere_is_finished_by_the_next(kind: str) -> None:
    at = 0
    while True:
        at += 1
        fault = Fault()
        world = make_app(FailingTables(MemoryTables(), fault), FailingBlobs(MemoryBlobs(), fault))
        key = fill(world)
        tenants.delete(world.app, "acme", "acme")
        fault.arm(at, kind)  # type: ignore[arg-type]
        with suppress(StoreUnavailable):
            erase.erase(world.app, erasing(world))
        hit = fault.count >= at
        fault.disarm()
        for _ in range(2):
            erase.erase(world.app, erasing(world))
            assert left_of(world, key) == []
            world.clock.advance(days=1)
        assert [one.erased is not None for one in erasing(world).gone()] == [True]
        if not hit:
            break
    assert at > 10


def test_the_nightly_run_leaves_deleted_tenants_to_this_one(world: World) -> None:
    key = fill(world)
    tenants.delete(world.app, "acme", "acme")
    before = left_of(world, key)
    incinerate.incinerate(world.app, TableExpired(world.tables), 1)
    assert left_of(world, key) == before


def test_what_storage_refuses_of_one_tenant_holds_up_no_other(world: World) -> None:
    """A blob under a legal hold, for example, which nobody can delete."""
    stuck, other = fill(world), fill(world, "beta")

    class Stuck(TableErasing):
        def remove_blobs(self, tenant: str, most: int) -> int:
            if tenant == stuck:
                raise StoreUnavailable("Blob storage: 409")
            return super().remove_blobs(tenant, most)

    tenants.delete(world.app, "acme", "acme")
    tenants.delete(world.app, "beta", "beta")
    with pytest.raises(StoreUnavailable, match="409"):
        erase.erase(world.app, Stuck(world.tables, world.blobs))
    assert left_of(world, other) == []
    assert left_of(world, stuck)
