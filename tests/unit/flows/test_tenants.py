from __future__ import annotations

import re

import pytest

from shared.errors import Invalid, NotFound, NotSignedIn
from shared.flows import tenants
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
