from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest

from shared.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn, StoreUnavailable
from shared.flows import poll, tenants, upkeep
from tests.support.app import World
from tests.support.memory import MemoryTables


def refusal(world: World, text: str) -> str:
    with pytest.raises(NotSignedIn) as refused:
        tenants.recognise(world.app, text)
    return refused.value.message


@pytest.mark.parametrize("role", ["admin", "agent"])
def test_a_key_is_recognised_with_its_tenant_and_role(world: World, role: str) -> None:
    tenant, _ = tenants.put(world.app, "acme", "Acme")
    key, text = tenants.make_key(world.app, "acme", role, "Anna's laptop")
    caller = tenants.recognise(world.app, text)
    assert (caller.tenant, caller.slug, caller.role, caller.key_id) == (tenant.key, "acme", role, key.id)
    assert tenants.still_valid(world.app, "acme", key.id) == caller


def test_a_key_of_any_random_bytes_is_recognised(world: World) -> None:
    # base64url holds the underscore that separates the parts as well.
    tenants.put(world.app, "a-b", "Acme")
    made = [tenants.make_key(world.app, "a-b", "admin", "test")[1] for _ in range(60)]
    assert any("_" in text.split("_", 3)[3] for text in made)
    assert all(tenants.recognise(world.app, text).slug == "a-b" for text in made)


def test_the_text_of_a_key_is_not_stored(world: World) -> None:
    tenants.put(world.app, "acme", "Acme")
    _, text = tenants.make_key(world.app, "acme", "admin", "test")
    assert isinstance(world.tables, MemoryTables)
    assert not any(text.split("_", 3)[3] in value for value, _ in world.tables.rows.values())


def test_every_cut_or_altered_key_is_refused_with_the_same_words(world: World) -> None:
    tenants.put(world.app, "acme", "Acme")
    _, text = tenants.make_key(world.app, "acme", "admin", "test")
    wrong = [text[:length] for length in range(len(text))]
    wrong += [text[:at] + other + text[at + 1 :] for at in range(len(text)) for other in "aB0_-" if text[at] != other]
    wrong += [text + "x", text + "=", " " + text, text + "\n", text.upper(), text.replace("inb", "INB"), "", "_" * 9]
    wrong += [text[:-1] + "\ud800", "\ud800", "inb_acme\n_" + text.split("_", 2)[2], "é" * 50]
    assert {refusal(world, one) for one in wrong} == {tenants.NOT_VALID}


def test_the_key_of_one_tenant_opens_no_other(world: World) -> None:
    for slug in ("acme", "other"):
        tenants.put(world.app, slug, slug)
    key, text = tenants.make_key(world.app, "acme", "admin", "test")
    _, _, id, secret = text.split("_", 3)
    assert refusal(world, f"inb_other_{id}_{secret}") == tenants.NOT_VALID
    assert refusal(world, f"inb_nobody_{id}_{secret}") == tenants.NOT_VALID
    other, other_text = tenants.make_key(world.app, "other", "agent", "test")
    assert refusal(world, f"inb_acme_{other.id}_{secret}") == tenants.NOT_VALID
    assert refusal(world, f"inb_other_{other.id}_{secret}") == tenants.NOT_VALID
    assert tenants.recognise(world.app, other_text).slug == "other"
    with pytest.raises(NotSignedIn):
        tenants.still_valid(world.app, "other", key.id)


@pytest.mark.parametrize("id", ["", "x", "../acme", "0" * 11, "0" * 13, "0" * 12, "0" * 12 + "\n", "ABCDEFABCDEF"])
def test_a_session_of_a_key_that_is_not_there_is_over(world: World, id: str) -> None:
    tenants.put(world.app, "acme", "Acme")
    with pytest.raises(NotSignedIn):
        tenants.still_valid(world.app, "acme", id)


def test_a_tenant_is_made_once_and_then_renamed(world: World) -> None:
    world.clock.now = world.clock.now.replace(microsecond=0)
    made, is_new = tenants.put(world.app, "acme", " Acme ")
    assert is_new
    assert re.fullmatch(r"acme\.[0-9a-f]{8}", made.key)
    assert made.name == "Acme"
    renamed, is_new = tenants.put(world.app, "acme", "Acme Ltd")
    assert not is_new
    assert (renamed.key, renamed.created, renamed.name) == (made.key, made.created, "Acme Ltd")
    assert tenants.get(world.app, "acme") == renamed


@pytest.mark.parametrize("slug", ["a", "acme", "a1", "a-b", "a" * 40])
def test_a_slug_of_small_letters_digits_and_hyphens_is_taken(world: World, slug: str) -> None:
    assert tenants.put(world.app, slug, "x")[0].slug == slug


@pytest.mark.parametrize(
    "slug", ["", "1a", "-a", "a-", "A", "a_b", "a.b", "a/b", "a b", "ä", "a" * 41, "acme\n", "\nacme"]
)
def test_any_other_slug_is_refused_and_nothing_is_made(world: World, slug: str) -> None:
    with pytest.raises(Invalid) as refused:
        tenants.put(world.app, slug, "x")
    assert [field for field, _ in refused.value.errors] == ["tenant"]
    assert list(world.app.tenants.all()) == []
    with pytest.raises(NotFound):
        tenants.get(world.app, slug)


@pytest.mark.parametrize(
    ("role", "name", "field"),
    [
        ("owner", "n", "role"),
        ("", "n", "role"),
        ("ADMIN", "n", "role"),
        ("admin", " ", "name"),
        ("admin", "n" * 101, "name"),
    ],
)
def test_a_key_without_a_role_or_a_name_is_refused(world: World, role: str, name: str, field: str) -> None:
    tenants.put(world.app, "acme", "Acme")
    with pytest.raises(Invalid) as refused:
        tenants.make_key(world.app, "acme", role, name)
    assert [wrong for wrong, _ in refused.value.errors] == [field]


@pytest.mark.parametrize("name", ["", "  ", "n" * 101])
def test_a_tenant_without_a_name_is_refused(world: World, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        tenants.put(world.app, "acme", name)
    assert [field for field, _ in refused.value.errors] == ["name"]


def test_there_is_no_key_for_a_tenant_that_is_not_there(world: World) -> None:
    with pytest.raises(NotFound):
        tenants.make_key(world.app, "nobody", "admin", "test")


def make_admins(world: World, count: int) -> tuple[str, list[str]]:
    tenant, _ = tenants.put(world.app, "acme", "Acme")
    return tenant.key, [tenants.make_key(world.app, "acme", "admin", f"Admin {one}")[0].id for one in range(count)]


def test_a_revoked_key_is_recognised_no_more(world: World) -> None:
    make_admins(world, 1)
    key, text = tenants.make_key(world.app, "acme", "agent", "Ann")
    tenants.revoke(world.app, "acme", key.id)
    assert refusal(world, text) == tenants.NOT_VALID
    with pytest.raises(NotSignedIn):
        tenants.still_valid(world.app, "acme", key.id)
    with pytest.raises(NotFound):
        tenants.revoke(world.app, "acme", key.id)


def test_the_last_admin_key_stays_unless_it_is_forced(world: World) -> None:
    _, ids = make_admins(world, 2)
    tenants.make_key(world.app, "acme", "agent", "Ann")
    tenants.revoke(world.app, "acme", ids[0])
    with pytest.raises(Conflict):
        tenants.revoke(world.app, "acme", ids[1])
    tenants.revoke(world.app, "acme", ids[1], force=True)
    assert [key.role for key in tenants.keys(world.app, "acme")] == ["agent"]


def test_two_admins_who_revoke_each_other_at_once_leave_one(world: World) -> None:
    """The second reads before the first writes: whoever comes second finds that his is the last."""
    tenant, (one, other) = make_admins(world, 2)
    commit = world.tables.commit
    meanwhile = [other]

    def first_the_other(table: str, partition: str, operations: Any) -> Any:
        if meanwhile:
            meanwhile.pop()
            tenants.revoke(world.app, "acme", other)
        return commit(table, partition, operations)

    world.tables.commit = first_the_other  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        tenants.revoke(world.app, "acme", one)
    assert [key.id for key in world.app.tenants.keys(tenant)] == [one]


def test_a_wish_makes_one_key_whatever_was_cut_off(world: World) -> None:
    tenants.put(world.app, "acme", "Acme")
    commit = world.tables.commit

    def written_but_not_answered(table: str, partition: str, operations: Any) -> Any:
        commit(table, partition, operations)
        raise StoreUnavailable("The answer was lost.")

    world.app.secrets.app_key("idempotency")
    world.tables.commit = written_but_not_answered  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        tenants.make_key(world.app, "acme", "agent", "Ann", "ann\n1")
    world.tables.commit = commit  # type: ignore[method-assign]
    _, text = tenants.make_key(world.app, "acme", "agent", "Ann", "ann\n1")
    assert tenants.recognise(world.app, text).role == "agent"
    assert len(tenants.keys(world.app, "acme")) == 1


def test_a_wish_is_another_one_for_a_tenant_of_the_same_name_that_was_deleted(world: World) -> None:
    texts = set()
    for _ in range(2):
        tenants.put(world.app, "acme", "Acme")
        texts.add(tenants.make_key(world.app, "acme", "admin", "Ann", "ann\n1")[1])
        tenants.delete(world.app, "acme", "acme")
    assert len(texts) == 2


def test_a_disabled_tenant_is_neither_let_in_nor_polled_nor_healed(world: World) -> None:
    tenant, text = world.tenant()
    world.mailbox(tenant)
    tenants.switch(world.app, "acme", True)
    with pytest.raises(NotAllowed):
        tenants.recognise(world.app, text)
    world.clock.advance(days=1)
    upkeep.heal(world.app)
    assert poll.sweep(world.app) == 0
    assert poll.poll(world.app, tenant, "support", own_timer=True) is None
    tenants.switch(world.app, "acme", False)
    assert tenants.recognise(world.app, text).tenant == tenant
    assert poll.poll(world.app, tenant, "support") is not None


def test_a_wrong_key_is_refused_with_the_same_words_when_the_tenant_is_disabled(world: World) -> None:
    _, text = world.tenant()
    tenants.switch(world.app, "acme", True)
    assert refusal(world, text + "x") == tenants.NOT_VALID


def test_a_deletion_that_was_cut_off_is_locked_out_and_can_be_repeated(world: World) -> None:
    """Cut off at each write in turn, as a crash would."""
    for allowed in range(40):
        tenant, text = world.tenant(f"t{allowed}")
        world.mailbox(tenant)
        world.mailbox(tenant, "billing")
        commit, left = world.tables.commit, [allowed]

        def counted(table: str, partition: str, operations: Any, commit: Any = commit, left: Any = left) -> Any:
            if left[0] == 0:
                raise StoreUnavailable("away")
            left[0] -= 1
            return commit(table, partition, operations)

        world.tables.commit = counted  # type: ignore[method-assign]
        try:
            tenants.delete(world.app, f"t{allowed}", f"t{allowed}")
        except StoreUnavailable:
            done = False
        else:
            done = True
        world.tables.commit = commit  # type: ignore[method-assign]
        if allowed:
            with pytest.raises((NotAllowed, NotSignedIn)):
                tenants.recognise(world.app, text)
        if world.app.tenants.get(f"t{allowed}") is not None:
            tenants.delete(world.app, f"t{allowed}", f"t{allowed}")
        assert world.app.mailboxes.all(tenant) == ()
        # Cut off between a mailbox and its slot, the slot stays behind, disabled: nobody reads it.
        slots = [world.app.schedule.get(tenant, id) for id in ("support", "billing")]
        assert not any(slot and slot.enabled for slot in slots)
        if done:
            return
    raise AssertionError("40 writes were not enough")


def test_a_tenant_made_again_under_the_same_name_has_nothing_of_the_old_one(world: World) -> None:
    tenant, text = world.tenant()
    world.mailbox(tenant)
    tenants.delete(world.app, "acme", "acme")
    again, _ = tenants.put(world.app, "acme", "Acme")
    assert again.key != tenant
    assert tenants.keys(world.app, "acme") == ()
    assert tenants.overview(world.app, again).mailboxes == 0
    assert refusal(world, text) == tenants.NOT_VALID


@pytest.mark.parametrize(
    "name", ["a\nb", "a\tb", "\x00", "a\x7f", "\x9b", "\u202eevil", "a\u2029b", "\ud800", "\uffff"]
)
def test_names_hold_no_control_characters(world: World, name: str) -> None:
    world.tenant()
    with pytest.raises(Invalid):
        tenants.put(world.app, "acme", f"x{name}x")
    with pytest.raises(Invalid):
        tenants.make_key(world.app, "acme", "agent", f"x{name}x")


@pytest.mark.parametrize("name", ["Müller & Söhne", "株式会社", "شركة", "👩‍🚒 Fire desk", 'O\'Neil "Bob" <x>', "a  b"])
def test_any_other_name_is_taken_as_it_is(world: World, name: str) -> None:
    assert tenants.put(world.app, "acme", name)[0].name == name


def test_the_log_tells_what_became_of_tenants_and_keys(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "inbound")
    tenants.put(world.app, "acme", "Acme Secretly Ltd")
    tenants.put(world.app, "acme", "Acme Secretly Ltd")
    one, text = tenants.make_key(world.app, "acme", "admin", "Anna's laptop")
    tenants.make_key(world.app, "acme", "admin", "again", once="me\n1")
    tenants.make_key(world.app, "acme", "admin", "again", once="me\n1")
    tenants.revoke(world.app, "acme", one.id)
    tenants.switch(world.app, "acme", True)
    tenants.switch(world.app, "acme", True)
    tenants.switch(world.app, "acme", False)
    tenants.delete(world.app, "acme", "acme")
    told = [json.loads(record.getMessage()) for record in caplog.records]
    seen = [(line["event"], line.get("state", line.get("role"))) for line in told if line["event"] in EVENTS]
    assert seen == [
        *(("tenant_changed", "made"), ("tenant_changed", "named"), ("key_made", "admin"), ("key_made", "admin")),
        *(("key_revoked", "admin"), ("tenant_changed", "disabled"), ("tenant_changed", "enabled")),
        *(("tenant_changed", "disabled"), ("tenant_changed", "deleted")),
    ]
    for private in ("Secretly", "Anna", text.split("_", 3)[3]):
        assert private not in caplog.text


EVENTS = ("tenant_changed", "key_made", "key_revoked")
