from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.errors import StoreError
from shared.flows import convert, upkeep
from shared.model.doorbell import InboundBell
from tests.support.app import World
from tests.support.mails import mail


@pytest.fixture
def tenant(world: World) -> str:
    key, _ = world.tenant()
    world.mailbox(key)
    return key


def keep(world: World, tenant: str, count: int = 1) -> list[str]:
    """Mails whose bells were lost."""
    for number in range(count):
        world.folders["support"].deliver(mail(message_id=f"<{number}@example.com>", text=str(number)))
    world.poll(tenant)
    ids = [InboundBell.decode(text).id for text in world.queues.inbound]
    world.queues.inbound.clear()
    return ids


def test_a_mail_whose_bell_was_lost_is_rung_for_again_after_two_minutes_and_not_before(
    world: World, tenant: str
) -> None:
    (id,) = keep(world, tenant)
    world.clock.advance(seconds=119)
    assert upkeep.rescue(world.app) == 0
    world.clock.advance(seconds=1)
    assert upkeep.rescue(world.app) == 1
    assert InboundBell.decode(world.queues.inbound.popleft()) == InboundBell(tenant, "support", id)


def test_each_further_ring_waits_twice_as_long_up_to_about_an_hour(world: World, tenant: str) -> None:
    keep(world, tenant)
    rings: list[int] = []
    for minute in range(1, 60 * 8):
        world.clock.advance(minutes=1)
        if upkeep.rescue(world.app):
            rings.append(minute)
    assert rings == [2, 6, 14, 30, 62, 126, 190, 254, 318, 382, 446]


def test_a_decided_mail_is_rung_for_no_more(world: World, tenant: str) -> None:
    (id,) = keep(world, tenant)
    world.clock.advance(minutes=5)
    assert upkeep.rescue(world.app) == 1
    convert.convert(world.app, tenant, id)
    world.clock.advance(days=1)
    assert upkeep.rescue(world.app) == 0


def test_the_oldest_are_rung_for_first_and_not_all_at_once(world: World, tenant: str) -> None:
    first = keep(world, tenant, 300)
    world.clock.advance(minutes=1)
    second = keep(world, tenant, 300)[-300:]
    world.clock.advance(minutes=5)
    assert upkeep.rescue(world.app) == upkeep.MAX_RINGS
    rung = {InboundBell.decode(text).id for text in world.queues.inbound}
    assert set(first) <= rung
    assert len(rung & set(second)) == upkeep.MAX_RINGS - 300
    assert upkeep.rescue(world.app) == 600 - upkeep.MAX_RINGS


def test_every_tenant_is_rescued_and_a_noisy_one_takes_nothing_from_the_others(world: World, tenant: str) -> None:
    keep(world, tenant, upkeep.MAX_RINGS + 1)
    other, _ = world.tenant("other")
    world.mailbox(other, "support")
    world.poll(other)
    world.queues.inbound.clear()
    world.clock.advance(minutes=5)
    assert upkeep.rescue(world.app) == 2 * upkeep.MAX_RINGS
    assert {InboundBell.decode(text).tenant for text in world.queues.inbound} == {tenant, other}


def test_healing_reaches_the_mailboxes_of_every_tenant(world: World, tenant: str) -> None:
    other, _ = world.tenant("other")
    world.mailbox(other, "desk")
    world.unschedule(tenant, "support")
    world.unschedule(other, "desk")
    assert upkeep.heal(world.app) == 2
    assert upkeep.heal(world.app) == 0
    world.clock.advance(seconds=1)
    assert {slot.mailbox for slot in world.app.schedule.due(world.clock.now)} == {"support", "desk"}


class _Refused:
    """A desk whose storage answers for all tenants but one."""

    def __init__(self, desk: Any, tenant: str) -> None:
        self._desk = desk
        self._tenant = tenant

    def pending(self, tenant: str) -> Any:
        if tenant == self._tenant:
            raise StoreError("not now")
        return self._desk.pending(tenant)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._desk, name)


def test_what_storage_refuses_of_one_tenant_holds_up_no_other_and_is_told(world: World, tenant: str) -> None:
    first, _ = world.tenant("aaa")  # the one that comes first
    keep(world, tenant)
    world.clock.advance(minutes=3)
    with pytest.raises(StoreError):
        upkeep.rescue(replace(world.app, desk=_Refused(world.app.desk, first)))
    assert len(world.queues.inbound) == 1
