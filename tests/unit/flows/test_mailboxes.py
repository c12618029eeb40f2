from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import Conflict, Invalid, NotFound, RowChanged, Unreachable
from shared.flows import mailboxes
from shared.flows.poll import poll, sweep
from shared.model.doorbell import PollBell
from shared.model.mailbox import Mailbox, Settings
from shared.model.reason import Outcome
from shared.model.schedule import Slot
from tests.support.app import World
from tests.support.mails import mail
from tests.support.memory import MemoryTables

FIELDS = {"group": "Support", "host": "imap.example.org", "username": "support", "email": "support@example.org"}


@pytest.fixture
def tenant(world: World) -> str:
    world.clock.now = world.clock.now.replace(microsecond=0)  # what is saved then reads back equal
    return world.tenant()[0]


def settings(**changes: Any) -> Settings:
    return Settings.model_validate({**FIELDS, **changes})


def save(world: World, tenant: str, version: str | None = None, password: str | None = None, **changes: Any) -> Mailbox:
    return mailboxes.save(world.app, tenant, "support", settings(**changes), {"password": password}, version)[0]


def create(world: World, tenant: str, **changes: Any) -> Mailbox:
    return save(world, tenant, password="old secret", **changes)


def password(world: World, mailbox: Mailbox) -> str:
    sealed = mailbox.secret("password")
    assert sealed is not None
    return world.app.secrets.open(mailbox.tenant, mailbox.id, "password", sealed)


def stored(world: World) -> dict[tuple[str, str, str], tuple[str, str]]:
    assert isinstance(world.tables, MemoryTables)
    return dict(world.tables.rows)


def slot(world: World, tenant: str, mailbox: str = "support") -> Slot:
    found = world.app.schedule.get(tenant, mailbox)
    assert found is not None
    return found


def test_a_new_mailbox_is_said_to_be_new_and_is_due_at_once(world: World, tenant: str) -> None:
    saved, is_new = mailboxes.save(world.app, tenant, "support", settings(), {"password": "p"})
    assert is_new
    assert mailboxes.get(world.app, tenant, "support") == saved
    assert slot(world, tenant).due <= world.clock.now
    assert sweep(world.app) == 1
    assert mailboxes.status(world.app, tenant, "support").state == "new"


def test_a_changed_mailbox_keeps_what_was_not_changed(world: World, tenant: str) -> None:
    before = create(world, tenant)
    world.clock.advance(days=1)
    after, is_new = mailboxes.save(world.app, tenant, "support", settings(group="Sales"), {})
    assert not is_new
    assert (after.created, after.generation, after.secrets) == (before.created, before.generation, before.secrets)
    assert after.settings.group == "Sales"
    assert after.version != before.version


@pytest.mark.parametrize("id", ["", "Support", "a b", "a/b", "support\n", "-a", "a" * 64, "a:b"])
def test_a_mailbox_of_a_name_that_cannot_be_is_refused(world: World, tenant: str, id: str) -> None:
    before = stored(world)
    with pytest.raises(Invalid) as refused:
        mailboxes.save(world.app, tenant, id, settings(), {"password": "p"})
    assert [field for field, _ in refused.value.errors] == ["mailbox"]
    assert stored(world) == before


# ── secrets ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_secret_is_kept_when_it_is_not_given_and_replaced_when_it_is(world: World, tenant: str) -> None:
    create(world, tenant)
    assert password(world, save(world, tenant, group="Sales")) == "old secret"
    assert password(world, save(world, tenant, password="")) == "old secret"
    assert password(world, save(world, tenant, password="new secret")) == "new secret"


def test_a_secret_is_nowhere_in_storage_as_it_is(world: World, tenant: str) -> None:
    saved = create(world, tenant)
    assert "old secret" not in json.dumps([value for value, _ in stored(world).values()])
    assert "secret" not in repr(saved.settings)
    assert "password" not in saved.settings.model_dump()


def test_each_secret_field_is_stored_under_its_own_name_and_no_other_is(world: World, tenant: str) -> None:
    given = {field: f"the {field}" for field in mailboxes.SECRET_FIELDS} | {"surprise": "x"}
    saved, _ = mailboxes.save(world.app, tenant, "support", settings(), given)
    assert {field for field, _ in saved.secrets} == set(mailboxes.SECRET_FIELDS)
    for field in mailboxes.SECRET_FIELDS:
        assert world.app.secrets.open(tenant, "support", field, saved.secret(field) or "") == f"the {field}"


@pytest.mark.parametrize("given", [None, ""])
def test_a_new_mailbox_needs_a_password(world: World, tenant: str, given: str | None) -> None:
    before = stored(world)
    with pytest.raises(Invalid) as refused:
        save(world, tenant, password=given)
    assert [field for field, _ in refused.value.errors] == ["password"]
    assert stored(world) == before


@pytest.mark.parametrize(
    "change",
    [{"host": "imap.evil.example"}, {"port": 1143}, {"username": "other"}, {"security": "none"}],
    ids=lambda change: next(iter(change)),
)
def test_a_stored_password_goes_to_no_server_that_it_was_not_given_for(
    world: World, tenant: str, change: dict[str, Any]
) -> None:
    create(world, tenant)
    before = stored(world)
    with pytest.raises(Invalid) as refused:
        save(world, tenant, **change)
    assert [field for field, _ in refused.value.errors] == ["password"]
    assert stored(world) == before
    assert password(world, save(world, tenant, password="new secret", **change)) == "new secret"


# ── generations ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "change", [{"host": "b.example"}, {"port": 1}, {"username": "b"}, {"folder": "B"}], ids=lambda c: next(iter(c))
)
def test_another_place_has_another_generation(world: World, tenant: str, change: dict[str, Any]) -> None:
    before = create(world, tenant)
    assert save(world, tenant, password="p", **change).generation != before.generation


def test_going_there_and_back_is_no_return_to_the_old_generation(world: World, tenant: str) -> None:
    first = create(world, tenant)
    second = save(world, tenant, folder="B")
    third = save(world, tenant)
    assert len({first.generation, second.generation, third.generation}) == 3


@pytest.mark.parametrize(
    "change",
    [{"group": "B"}, {"polling_minutes": 9}, {"email": "b@b.example"}, {"whitelist": "b.example"}, {"enabled": False}],
    ids=lambda change: next(iter(change)),
)
def test_the_same_place_has_the_same_generation(world: World, tenant: str, change: dict[str, Any]) -> None:
    before = create(world, tenant)
    assert save(world, tenant, password="a new one", **change).generation == before.generation


def test_deleted_and_made_again_nothing_comes_twice(world: World, tenant: str) -> None:
    first = world.mailbox(tenant)
    world.receive(tenant, mail())
    mailboxes.remove(world.app, tenant, "support")
    again = world.mailbox(tenant)
    assert again.generation != first.generation
    world.poll(tenant)
    world.convert_all()
    assert len(world.incidents(tenant)) == 1
    assert [row.outcome for row in world.ledger(tenant)].count(Outcome.DUPLICATE) == 1


# ── at the same time ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", ["", 'W/"0"', "*"])
def test_who_changes_an_old_version_changes_nothing(world: World, tenant: str, version: str) -> None:
    create(world, tenant)
    before = stored(world)
    with pytest.raises(Conflict):
        save(world, tenant, version=version, group="Sales")
    assert stored(world) == before


def test_who_changes_the_version_he_read_succeeds_once(world: World, tenant: str) -> None:
    read = create(world, tenant).version
    save(world, tenant, version=read, group="Sales")
    before = stored(world)
    with pytest.raises(Conflict):
        save(world, tenant, version=read, group="Support")
    assert stored(world) == before


def test_who_changes_a_mailbox_that_is_gone_does_not_make_it_again(world: World, tenant: str) -> None:
    read = create(world, tenant).version
    mailboxes.remove(world.app, tenant, "support")
    with pytest.raises(Conflict):
        save(world, tenant, version=read, password="p")
    with pytest.raises(NotFound):
        mailboxes.get(world.app, tenant, "support")


class _Faster:
    """Mailboxes in which somebody else always saves first."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def put(self, mailbox: Mailbox) -> Mailbox:
        raise RowChanged("A row is not as it was read.")

    def delete(self, mailbox: Mailbox) -> None:
        raise RowChanged("A row is not as it was read.")


def test_who_is_overtaken_while_saving_or_removing_is_told_and_changes_nothing(world: World, tenant: str) -> None:
    create(world, tenant)
    before = stored(world)
    app = replace(world.app, mailboxes=_Faster(world.app.mailboxes))
    with pytest.raises(Conflict):
        mailboxes.save(app, tenant, "support", settings(group="Sales"), {})
    with pytest.raises(Conflict):
        mailboxes.remove(app, tenant, "support")
    assert stored(world) == before


# ── the rest of its life ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_removed_mailbox_is_polled_no_more_and_its_incidents_stay(world: World, tenant: str) -> None:
    world.mailbox(tenant)
    world.receive(tenant, mail())
    mailboxes.remove(world.app, tenant, "support")
    world.clock.advance(days=1)
    assert sweep(world.app) == 0
    assert poll(world.app, tenant, "support") is None
    assert len(world.incidents(tenant)) == len(world.ledger(tenant)) == 1
    assert not any("sealed" in key[2] or key[2].startswith("MB:") for key in stored(world))


@pytest.mark.parametrize("work", [mailboxes.get, mailboxes.remove, mailboxes.poll_now, mailboxes.status])
def test_a_mailbox_of_another_tenant_does_not_exist(world: World, tenant: str, work: Any) -> None:
    create(world, tenant)
    other, _ = world.tenant("other")
    before = stored(world)
    with pytest.raises(NotFound):
        work(world.app, other, "support")
    assert stored(world) == before


def test_saving_has_it_polled_at_once_unless_it_is_disabled(world: World, tenant: str) -> None:
    settings = world.mailbox(tenant).settings
    mailboxes.save(world.app, tenant, "support", settings, {})
    assert [PollBell.decode(text) for text in world.queues.polls] == [PollBell(tenant, "support")]
    world.queues.polls.clear()
    mailboxes.save(world.app, tenant, "support", settings.model_copy(update={"enabled": False}), {})
    assert not world.queues.polls


def test_poll_now_makes_it_due_and_rings(world: World, tenant: str) -> None:
    world.mailbox(tenant)
    poll(world.app, tenant, "support")
    assert poll(world.app, tenant, "support") is None
    mailboxes.poll_now(world.app, tenant, "support")
    assert [PollBell.decode(text) for text in world.queues.polls] == [PollBell(tenant, "support")]
    assert poll(world.app, tenant, "support") is not None


def test_poll_now_makes_a_place_in_the_schedule_where_a_crash_left_none(world: World, tenant: str) -> None:
    create(world, tenant)
    world.unschedule(tenant, "support")
    mailboxes.poll_now(world.app, tenant, "support")
    assert slot(world, tenant).due <= world.clock.now


def test_a_disabled_mailbox_cannot_be_polled_now_and_says_so(world: World, tenant: str) -> None:
    create(world, tenant, enabled=False)
    with pytest.raises(Conflict):
        mailboxes.poll_now(world.app, tenant, "support")
    status = mailboxes.status(world.app, tenant, "support")
    assert (status.state, status.next_poll) == ("disabled", None)


def test_disabled_and_enabled_again_it_is_polled_again(world: World, tenant: str) -> None:
    world.mailbox(tenant)
    world.mailbox(tenant, enabled=False)
    poll(world.app, tenant, "support")
    world.mailbox(tenant)
    assert poll(world.app, tenant, "support") is not None


def test_the_status_counts_this_mailboxes_mails_by_outcome(world: World, tenant: str) -> None:
    world.mailbox(tenant)
    world.mailbox(tenant, "sales")
    for raw in (mail(), mail(), mail("support@example.org", message_id="<2@x>")):
        world.receive(tenant, raw)
    world.folders["support"].deliver(mail(message_id="<3@x>"))
    world.poll(tenant)
    counts = mailboxes.status(world.app, tenant, "support").counts
    assert counts == {
        Outcome.PENDING: 1,
        Outcome.DELIVERED: 1,
        Outcome.HELD: 0,
        Outcome.DISCARDED: 1,
        Outcome.DUPLICATE: 1,
        Outcome.FAILED: 0,
    }
    assert sum(mailboxes.status(world.app, tenant, "sales").counts.values()) == 0


def test_new_settings_end_the_wait_of_a_failing_mailbox(world: World, tenant: str) -> None:
    world.mailbox(tenant)
    world.folders["support"].closed_with = Unreachable("No.")
    for _ in range(5):
        world.poll(tenant)
    assert poll(world.app, tenant, "support") is None
    world.folders["support"].closed_with = None
    world.mailbox(tenant)
    assert poll(world.app, tenant, "support") is not None


# ── healing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_healing_gives_every_enabled_mailbox_its_place_and_touches_no_other(world: World, tenant: str) -> None:
    for id in ("one", "two", "off"):
        world.mailbox(tenant, id, enabled=id != "off")
    for id in ("two", "off"):
        world.unschedule(tenant, id)
    before = slot(world, tenant, "one")
    assert mailboxes.heal_schedule(world.app, tenant) == 1
    assert slot(world, tenant, "one") == before
    assert slot(world, tenant, "two").due <= world.clock.now
    assert world.app.schedule.get(tenant, "off") is None
    assert mailboxes.heal_schedule(world.app, tenant) == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [({"enabled": False}, {"enabled": True}), ({"polling_minutes": 60}, {"polling_minutes": 1})],
    ids=["enabled", "minutes"],
)
def test_healing_brings_a_place_in_line_with_settings_that_a_crash_left_unscheduled(
    world: World, tenant: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    saved = create(world, tenant, **before)
    world.app.mailboxes.put(replace(saved, settings=settings(**after)))  # and then the process died
    mailboxes.heal_schedule(world.app, tenant)
    healed = slot(world, tenant)
    assert (healed.enabled, healed.minutes) == (True, after.get("polling_minutes", 2))


def test_who_creates_a_mailbox_that_somebody_made_meanwhile_changes_nothing(world: World, tenant: str) -> None:
    made = world.mailbox(tenant, group="First")
    with pytest.raises(Conflict):
        mailboxes.save(world.app, tenant, "support", made.settings, {}, expected_version="")
    assert mailboxes.get(world.app, tenant, "support").version == made.version


def test_who_deletes_a_mailbox_as_it_was_deletes_none_that_was_changed(world: World, tenant: str) -> None:
    read = world.mailbox(tenant)
    world.mailbox(tenant, polling_minutes=7)
    with pytest.raises(Conflict):
        mailboxes.remove(world.app, tenant, "support", read.version)
    assert mailboxes.get(world.app, tenant, "support").settings.polling_minutes == 7
