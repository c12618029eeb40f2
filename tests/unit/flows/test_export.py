from __future__ import annotations

import pytest

from shared.errors import Invalid
from shared.flows import export
from shared.flows.export import Entry, Item
from shared.model.incident import Incident
from shared.model.mailbox import Mailbox
from tests.support.app import World
from tests.support.mails import mail


def all_of(world: World, tenant: str) -> list[Item]:
    items: list[Item] = []
    place: str | None = ""
    pages = 0
    while place is not None:
        part = export.part(world.app, tenant, place)
        items += part.items
        place = part.next
        pages += 1
        assert pages < 1000
    return items


def fill(world: World, slug: str, count: int, text: str = "words") -> str:
    tenant, _ = world.tenant(slug)
    world.mailbox(tenant, slug)
    for number in range(count):
        world.receive(tenant, mail(message_id=f"<{number}@x>", text=f"{text} {number}"), slug)
        world.clock.advance(seconds=1)
    return tenant


def test_everything_is_in_it_once_and_in_order(world: World) -> None:
    tenant = fill(world, "acme", 7)
    fill(world, "other", 3)
    items = all_of(world, tenant)
    assert [one.id for one in items if isinstance(one, Mailbox)] == ["acme"]
    assert [one.number for one in items if isinstance(one, Incident)] == list(range(1, 8))
    assert [(one.incident, one.note.seq) for one in items if isinstance(one, Entry)] == [(n, 1) for n in range(1, 8)]
    ids = [one.id for one in items if not isinstance(one, Mailbox | Incident | Entry)]
    assert sorted(ids) == sorted(one.id for one in world.ledger(tenant))


@pytest.mark.parametrize("count", [0, 1, export.MAX_ITEMS // 2, export.MAX_ITEMS // 2 + 1])
def test_pages_end_where_they_end(world: World, count: int) -> None:
    tenant = fill(world, "acme", count)
    assert len(all_of(world, tenant)) == 1 + 3 * count


def test_many_mailboxes_take_several_pages(world: World) -> None:
    tenant, _ = world.tenant()
    for number in range(export.MAX_ITEMS + 5):
        world.mailbox(tenant, f"m{number}")
    assert len(all_of(world, tenant)) == export.MAX_ITEMS + 5


def test_long_notes_make_short_pages(world: World) -> None:
    tenant = fill(world, "acme", 30, "words " * 30_000)
    part = export.part(world.app, tenant, "")
    assert 10 < len(part.items) < 40
    assert len(all_of(world, tenant)) == 91


def test_an_incident_that_changes_meanwhile_is_not_left_out(world: World) -> None:
    tenant = fill(world, "acme", 300)
    first = export.part(world.app, tenant, "")
    world.receive(tenant, mail(message_id="<a@x>", in_reply_to="<299@x>", text="again"), "acme")
    assert first.next
    numbers = [one.number for one in first.items if isinstance(one, Incident)]
    place: str | None = first.next
    while place is not None:
        part = export.part(world.app, tenant, place)
        numbers += [one.number for one in part.items if isinstance(one, Incident)]
        place = part.next
    assert numbers == list(range(1, 301))


@pytest.mark.parametrize("place", ["x", "mail-1", "note-0-1", "note-1", "mail-" + "9" * 16, "mailbox-", "incident-1"])
def test_a_place_that_is_none_is_refused(world: World, place: str) -> None:
    tenant = fill(world, "acme", 1)
    with pytest.raises(Invalid):
        export.part(world.app, tenant, place)
