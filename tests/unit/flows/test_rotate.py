from __future__ import annotations

import base64
import json
import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.errors import NotFound, SecretLost, StoreUnavailable
from shared.flows import hooks, mailboxes, rotate, tenants
from shared.model.erasing import Erasure
from shared.model.webhook import EventType
from shared.ports import App
from shared.store.keyvault import KeyVaultKey
from shared.store.secrets import KEPT_SECONDS, TableSecrets, Wrapper
from tests.support.app import PlainWrapper, World, make_app
from tests.support.failing import FailingTables, Fault
from tests.support.keyvault import TOKEN, Vault
from tests.support.memory import MemoryTables


def secrets_of(world: World, wrapper: Wrapper | None = None) -> TableSecrets:
    """As another process holds them, whose clock is the world's."""
    return TableSecrets(world.tables, wrapper or PlainWrapper(), lambda: world.clock.now.timestamp())


def process(world: World) -> App:
    """Another process on the same storage."""
    return replace(world.app, secrets=secrets_of(world))


def fill(world: World) -> str:
    """A tenant with something sealed of every kind."""
    tenant, _ = world.tenant()
    for id in ("support", "sales"):
        mailbox = world.mailbox(tenant, id)
        cache = world.app.secrets.seal(tenant, id, mailbox.settings.sign_in_field(), "the cache")
        world.app.sign_ins.put_cache(tenant, id, cache, "")
    hooks.make(world.app, tenant, hooks.Wish("https://hook.example/x", (EventType.INCIDENT_CREATED,)))
    erasure = Erasure(
        "00" * 8, tenant, world.app.secrets.seal(tenant, "00" * 8, "erasure", "a@b.c"), "", world.clock.now
    )
    world.app.forgetting.save(erasure)
    return tenant


def opened(app: App, tenant: str) -> list[str]:
    """Everything that is sealed, opened."""
    found = []
    for mailbox in app.mailboxes.all(tenant):
        found += [app.secrets.open(tenant, mailbox.id, field, sealed) for field, sealed in mailbox.secrets]
        sealed, _ = app.sign_ins.cache(tenant, mailbox.id)
        found.append(app.secrets.open(tenant, mailbox.id, mailbox.settings.sign_in_field(), sealed))
    for hook in app.webhooks.hooks(tenant).all:
        found.append(app.secrets.open(tenant, f"webhook:{hook.id}", "secret", hook.secret)[:6])
    found += [app.secrets.open(tenant, one.id, "erasure", one.sealed) for one in app.forgetting.all(tenant)]
    return found


ALL = ["secret", "the cache", "secret", "the cache", "whsec_", "a@b.c"]


def data_keys(world: World, tenant: str) -> list[str]:
    row = world.tables.get("tenants", "data-key", tenant)
    assert row is not None
    return [row.text(name) for name in ("wrapped", "before") if row.text(name)]


def test_everything_is_sealed_with_a_new_key_and_still_opens(world: World) -> None:
    tenant = fill(world)
    (old,) = data_keys(world, tenant)
    assert rotate.rotate(world.app, "acme") == 6
    assert opened(world.app, tenant) == opened(process(world), tenant) == ALL
    world.clock.advance(minutes=20)
    assert rotate.finish(world.app) == 1
    (new,) = data_keys(world, tenant)
    assert new != old
    assert opened(world.app, tenant) == opened(process(world), tenant) == ALL
    assert rotate.finish(world.app) == 0


def test_nothing_of_it_opens_with_the_old_key_any_more(world: World) -> None:
    tenant = fill(world)
    rows: Any = world.tables
    before = rows.rows["tenants", "data-key", tenant]
    rotate.rotate(world.app, "acme")
    world.clock.advance(minutes=20)
    rotate.finish(world.app)
    rows.rows["tenants", "data-key", tenant] = before
    with pytest.raises(SecretLost):
        opened(process(world), tenant)


def test_the_old_key_stays_until_no_process_can_still_use_it(world: World) -> None:
    tenant = fill(world)
    rotate.rotate(world.app, "acme")
    world.clock.advance(minutes=14)
    assert rotate.finish(world.app) == 0
    assert len(data_keys(world, tenant)) == 2
    assert rotate.SETTLE.total_seconds() > KEPT_SECONDS + 600


def test_what_another_process_seals_with_the_old_key_meanwhile_is_sealed_anew(world: World) -> None:
    tenant = fill(world)
    other = process(world)
    opened(other, tenant)
    rotate.rotate(world.app, "acme")
    box = mailboxes.get(other, tenant, "support")
    mailboxes.save(other, tenant, "support", box.settings, {"password": "changed"})
    world.clock.advance(minutes=20)
    assert rotate.finish(world.app) == 0  # it found one: the next look has to tell whether that was the last
    assert rotate.finish(world.app) == 1
    assert opened(process(world), tenant)[2] == "changed"
    assert opened(other, tenant)[2] == "changed"


def test_a_process_with_an_old_key_opens_what_is_sealed_with_the_new_one_at_once(world: World) -> None:
    tenant = fill(world)
    other = process(world)
    assert opened(other, tenant) == ALL
    rotate.rotate(world.app, "acme")
    assert opened(other, tenant) == ALL


def test_a_key_that_was_destroyed_is_forgotten_by_every_process_within_minutes(world: World) -> None:
    tenant, _ = world.tenant()
    other = secrets_of(world)
    sealed = other.seal(tenant, "m", "f", "x")
    world.app.secrets.destroy(tenant)
    world.clock.advance(seconds=KEPT_SECONDS)
    with pytest.raises(SecretLost):
        other.open(tenant, "m", "f", sealed)


def test_a_process_does_not_ask_storage_or_vault_for_a_key_each_time(world: World, tmp_path: Path) -> None:
    with Vault(tmp_path) as vault:
        secrets = secrets_of(world, KeyVaultKey(vault.key_url, lambda: TOKEN, ca=vault.ca_file))
        for _ in range(5):
            secrets.seal("acme.1", "m", "f", "x")
            world.clock.advance(seconds=KEPT_SECONDS + 1)
        # A new version, the wrapping, and one reading back: after that, looking is one request to storage.
        assert [what for _, what in vault.requests].count("unwrapkey") <= 1


def test_asked_again_it_goes_on_with_the_same_new_key(world: World) -> None:
    tenant = fill(world)
    rotate.rotate(world.app, "acme")
    keys = data_keys(world, tenant)
    assert rotate.rotate(world.app, "acme") == 0
    assert data_keys(world, tenant) == keys


def test_a_secret_that_nobody_can_read_does_not_hold_up_the_others(world: World) -> None:
    tenant = fill(world)
    box = mailboxes.get(world.app, tenant, "sales")
    world.app.mailboxes.put(replace(box, secrets=(("password", base64.b64encode(b"x" * 40).decode()),)))
    rotate.rotate(world.app, "acme")
    world.clock.advance(minutes=20)
    assert rotate.finish(world.app) == 1


def test_a_tenant_without_secrets_and_one_that_is_not_there(world: World) -> None:
    world.tenant()
    assert rotate.rotate(world.app, "acme") == 0
    assert rotate.finish(world.app) == 0
    with pytest.raises(NotFound):
        rotate.rotate(world.app, "nobody")


def test_other_tenants_and_the_apps_own_key_stay_as_they_are(world: World) -> None:
    fill(world)
    other, _ = world.tenant("other")
    world.mailbox(other, "desk")
    before, ours = data_keys(world, other), world.app.secrets.app_key("x")
    rotate.rotate(world.app, "acme")
    assert data_keys(world, other) == before
    assert process(world).secrets.app_key("x") == ours


def test_it_is_told_when_it_begins_and_when_it_ends(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "inbound")
    fill(world)
    rotate.rotate(world.app, "acme")
    world.clock.advance(minutes=20)
    rotate.finish(world.app)
    told = [one for one in map(json.loads, caplog.messages) if one["event"] == "key_rotated"]
    assert [(one["state"], one.get("count")) for one in told] == [("begun", 6), ("done", None)]


def test_a_rotation_of_a_deleted_tenant_ends_with_it(world: World) -> None:
    fill(world)
    rotate.rotate(world.app, "acme")
    tenants.delete(world.app, "acme", "acme")
    assert list(world.app.secrets.rotating()) == []


@pytest.mark.parametrize("kind", ["before", "after", "outage"])
def test_cut_off_anywhere_nothing_is_lost_and_it_comes_to_its_end(kind: str) -> None:
    at = 0
    while True:
        at += 1
        fault = Fault()
        world = make_app(FailingTables(MemoryTables(), fault))
        tenant = fill(world)
        fault.arm(at, kind)  # type: ignore[arg-type]
        with suppress(StoreUnavailable):
            rotate.rotate(world.app, "acme")
            world.clock.advance(minutes=20)
            rotate.finish(world.app)
        hit = fault.count >= at
        fault.disarm()
        assert opened(world.app, tenant) == opened(process(world), tenant) == ALL
        world.clock.advance(minutes=20)
        for _ in range(2):
            rotate.finish(world.app)
        assert opened(world.app, tenant) == opened(process(world), tenant) == ALL
        assert len(data_keys(world, tenant)) == 1
        if not hit:
            break
    assert at > 30


# ── the wrapping key ──────────────────────────────────────────────────────────────────────────────────────────────


def test_data_keys_move_to_a_new_version_of_the_wrapping_key_and_the_old_one_may_be_disabled(tmp_path: Path) -> None:
    with Vault(tmp_path) as vault:
        wrapper = KeyVaultKey(vault.key_url, lambda: TOKEN, ca=vault.ca_file)
        world = make_app(wrapper=wrapper)
        tenant = fill(world)
        ours = world.app.secrets.app_key("x")
        assert rotate.rewrap(world.app) == 0
        first = vault.newest
        vault.rotate()
        assert rotate.rewrap(world.app) == 2
        assert rotate.rewrap(world.app) == 0
        vault.disabled.add(first)
        other = replace(
            world.app, secrets=secrets_of(world, KeyVaultKey(vault.key_url, lambda: TOKEN, ca=vault.ca_file))
        )
        assert opened(other, tenant) == ALL
        assert other.secrets.app_key("x") == ours
        assert vault.violations == []


def test_both_keys_of_a_rotation_that_goes_on_are_wrapped_anew(tmp_path: Path) -> None:
    with Vault(tmp_path) as vault:
        wrapper = KeyVaultKey(vault.key_url, lambda: TOKEN, ca=vault.ca_file)
        world = make_app(wrapper=wrapper)
        tenant = fill(world)
        world.app.secrets.begin_rotation(tenant, world.clock.now)
        first = vault.newest
        vault.rotate()
        rotate.rewrap(world.app)
        vault.disabled.add(first)
        other = replace(
            world.app, secrets=secrets_of(world, KeyVaultKey(vault.key_url, lambda: TOKEN, ca=vault.ca_file))
        )
        assert opened(other, tenant) == ALL


def test_a_data_key_whose_version_is_gone_does_not_hold_up_the_others(tmp_path: Path) -> None:
    with Vault(tmp_path) as vault:
        wrapper = KeyVaultKey(vault.key_url, lambda: TOKEN, sleep=lambda _: None, ca=vault.ca_file)
        world = make_app(wrapper=wrapper)
        gone, _ = world.tenant("aaa")
        world.mailbox(gone)
        first = vault.newest
        vault.rotate()
        tenant = fill(world)
        second = vault.newest
        vault.rotate()
        vault.disabled.add(first)
        with pytest.raises(StoreUnavailable):
            rotate.rewrap(world.app)
        vault.disabled.add(second)
        again = KeyVaultKey(vault.key_url, lambda: TOKEN, sleep=lambda _: None, ca=vault.ca_file)
        assert opened(replace(world.app, secrets=secrets_of(world, again)), tenant) == ALL


def test_a_key_file_has_nothing_to_wrap_anew(world: World) -> None:
    fill(world)
    assert rotate.rewrap(world.app) == 0


def test_what_storage_refuses_of_one_tenant_holds_up_no_other(world: World) -> None:
    stuck, _ = world.tenant("aaa")
    tenant = fill(world)
    world.mailbox(stuck)
    for slug in ("aaa", "acme"):
        rotate.rotate(world.app, slug)
    world.clock.advance(hours=1)

    class Stuck:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def all(self, tenant: str) -> Any:
            if tenant == stuck:
                raise StoreUnavailable("Tables: 409")
            return self._inner.all(tenant)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

    with pytest.raises(StoreUnavailable, match="409"):
        rotate.finish(replace(world.app, mailboxes=Stuck(world.app.mailboxes)))
    assert dict(world.app.secrets.rotating()).keys() == {stuck}
    assert opened(world.app, tenant) == ALL
