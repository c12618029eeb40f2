"""How long a tenant keeps raw mail: what it may choose, what that deletes, and that it is said first."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from shared.config import MAX_RETENTION_DAYS
from shared.errors import Invalid
from shared.flows import incinerate, tenant_settings, tenants
from shared.flows.tenant_settings import Wanted
from shared.ports import Tenant
from shared.store.expired import TableExpired
from tests.support.app import World
from tests.support.mails import mail


@pytest.fixture
def acme(world: World) -> World:
    """A desk with a mail of ten days ago and one of today."""
    tenant, _ = world.tenant()
    world.mailbox(tenant)
    world.receive(tenant, mail(message_id="<old@example.com>", text="old"))
    world.clock.advance(days=10)
    world.receive(tenant, mail(message_id="<new@example.com>", text="new"))
    return world


def desk(world: World, service: int = 0) -> Tenant:
    """Acme, at a service that keeps mail so long."""
    world.app = replace(world.app, retention_days=service)
    return tenants.get(world.app, "acme")


def keep(world: World, days: int | None, confirmed: str = "") -> Tenant:
    return tenant_settings.configure(world.app, tenants.get(world.app, "acme"), Wanted(days, "", False), confirmed)


def raws(world: World) -> int:
    tenant = tenants.get(world.app, "acme").key
    return sum(world.app.raw.get(tenant, one.id) is not None for one in world.ledger(tenant))


def burn(world: World, service: int) -> None:
    assert incinerate.incinerate(world.app, TableExpired(world.tables), service)


@pytest.mark.parametrize(
    ("service", "wanted", "kept"),
    [
        *((0, None, 0), (0, 0, 0), (0, 5, 5), (180, None, 180), (180, 30, 30), (180, 180, 180)),
        # The cloud admin lowered it after the tenant chose.
        *((30, 90, 30), (30, 0, 30)),
    ],
)
def test_a_tenant_keeps_mail_as_it_wants_and_no_longer_than_the_service(
    acme: World, service: int, wanted: int | None, kept: int
) -> None:
    tenant = replace(desk(acme, service), retention_days=wanted)
    assert tenant_settings.days_kept(acme.app, tenant) == kept


@pytest.mark.parametrize(("service", "days"), [(0, -1), (0, MAX_RETENTION_DAYS + 1), (180, 0), (180, 181), (1, 2)])
def test_what_the_service_does_not_offer_is_refused(acme: World, service: int, days: int) -> None:
    desk(acme, service)
    with pytest.raises(Invalid) as refused:
        keep(acme, days, str(days))
    assert [field for field, _ in refused.value.errors] == ["retention_days"]


def test_before_mail_is_deleted_it_is_said_how_much_and_confirmed_by_the_number(acme: World) -> None:
    desk(acme, 180)
    for wrong in ("", "yes", "180", "50", " 5"):
        with pytest.raises(Invalid, match=r"older than 5 days is deleted.*: 1 mail\..*cannot be taken back.*5\.$"):
            keep(acme, 5, wrong)
    assert tenants.get(acme.app, "acme").retention_days is None
    assert keep(acme, 5, "5").retention_days == 5


def test_the_night_after_it_is_gone_and_the_rest_is_not(acme: World) -> None:
    desk(acme, 180)
    keep(acme, 5, "5")
    assert raws(acme) == 2
    burn(acme, 180)
    assert raws(acme) == 1


def test_one_desks_choice_is_not_anothers(acme: World) -> None:
    tenants.put(acme.app, "other", "Other")
    other = tenants.get(acme.app, "other")
    tenant_settings.configure(acme.app, other, Wanted(1, "", False))
    burn(acme, 0)
    assert raws(acme) == 2


def test_a_desk_that_keeps_mail_for_ever_goes_by_the_service_when_that_does_not(acme: World) -> None:
    desk(acme, 0)
    keep(acme, 0)
    burn(acme, 0)
    assert raws(acme) == 2
    burn(acme, 5)
    assert raws(acme) == 1


@pytest.mark.parametrize(("service", "days"), [(0, 20), (0, 0), (180, 11), (180, None)])
def test_what_deletes_nothing_needs_no_confirmation(acme: World, service: int, days: int | None) -> None:
    desk(acme, service)
    assert keep(acme, days).retention_days == days


def test_back_to_the_services_own_days_is_shorter_too(acme: World) -> None:
    desk(acme, 0)
    keep(acme, 30)
    desk(acme, 5)
    burn(acme, 30)
    # Already bound to five days by the service: leaving it to the service changes nothing.
    assert keep(acme, None).retention_days is None


def test_what_was_deleted_already_is_not_counted_again(acme: World) -> None:
    desk(acme, 5)
    burn(acme, 5)
    assert tenant_settings.loss(acme.app, tenants.get(acme.app, "acme"), 4) is None


def test_many_mails_are_counted_up_to_a_thousand(acme: World) -> None:
    found = tenant_settings.Loss(7, tenant_settings.MOST_COUNTED)
    assert "1000 or more mails" in str(found)
    assert "2 mails" in str(tenant_settings.Loss(1, 2))
    assert "older than 1 day is" in str(tenant_settings.Loss(1, 2))


def test_the_log_tells_how_long_mail_is_kept_now(acme: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "inbound")
    keep(acme, 30)
    keep(acme, 30)
    told = [json.loads(record.getMessage()) for record in caplog.records]
    assert [(one["event"], one["days"]) for one in told if one["event"] == "retention_changed"] == [
        ("retention_changed", 30)
    ]
