"""Who of an Entra tenant gets into which desk, and what naming somebody else's Entra tenant gains: nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn, RowChanged
from shared.flows import person, tenant_settings, tenants
from shared.flows.person import ADMIN_ROLE, AGENT_ROLE
from shared.flows.tenant_settings import Wanted
from shared.ports import Identity, Tenant
from tests.support.app import World
from tests.support.memory import MemoryTables
from tests.support.people import ACME_TID, ANNA, BOB, EVE, OTHER_TID, MemoryEntra

ADMIN = replace(BOB, roles=frozenset({ADMIN_ROLE}))


@pytest.fixture
def acme(world: World) -> World:
    """A desk that lets people of ACME_TID in, where it lists them."""
    world.app = replace(world.app, entra=MemoryEntra())
    desk(world, "acme", ACME_TID)
    return world


def desk(world: World, slug: str, tid: str) -> Tenant:
    made, _ = tenants.put(world.app, slug, slug.title())
    return tenant_settings.configure(world.app, made, Wanted(None, tid, False))


def prove(world: World, who: Identity = ADMIN, slug: str = "acme") -> Tenant:
    return person.prove(world.app, tenants.get(world.app, slug), who)


def opens(world: World, who: Identity) -> dict[str, str]:
    """Which desks this account may enter, in which role."""
    try:
        return {door.tenant.slug: door.role for door in person.doors(world.app, who)}
    except NotAllowed:
        return {}


def rows(world: World) -> dict[Any, Any]:
    assert isinstance(world.tables, MemoryTables)
    return dict(world.tables.rows)


# ── the list ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_gets_in_who_is_not_listed(acme: World) -> None:
    with pytest.raises(NotAllowed, match=r"Nobody has given anna@acme\.example access"):
        person.doors(acme.app, ANNA)
    with pytest.raises(NotAllowed):
        person.enter(acme.app, ANNA, "acme")


@pytest.mark.parametrize("role", ["admin", "agent"])
def test_a_listed_person_enters_in_the_role_that_was_given(acme: World, role: str) -> None:
    person.add(acme.app, "acme", " Anna@ACME.example ", role)
    caller, entered = person.enter(acme.app, ANNA, "acme")
    assert (caller.slug, caller.role, caller.name, caller.is_person) == ("acme", role, "Anna Berg", True)
    assert person.still_valid(acme.app, "acme", entered.id) == caller
    assert entered.oid == ANNA.oid


def test_the_account_is_known_from_then_on_whatever_its_address_becomes(acme: World) -> None:
    person.add(acme.app, "acme", ANNA.address, "agent")
    first, _ = person.enter(acme.app, ANNA, "acme")
    married = replace(ANNA, address="anna.ek@acme.example", name="Anna Ek")
    again, _ = person.enter(acme.app, married, "acme")
    assert again.key_id == first.key_id
    assert again.name == "Anna Ek"


def test_an_address_that_went_to_somebody_else_is_refused_and_it_says_so(acme: World) -> None:
    person.add(acme.app, "acme", ANNA.address, "admin")
    person.enter(acme.app, ANNA, "acme")
    successor = replace(BOB, address=ANNA.address)
    with pytest.raises(NotAllowed, match="for another account that had this address before") as refused:
        person.doors(acme.app, successor)
    assert "removes the entry" in refused.value.fix
    with pytest.raises(NotAllowed):
        person.enter(acme.app, successor, "acme")
    assert opens(acme, ANNA) == {"acme": "admin"}


def test_listed_anew_the_successor_gets_in_and_the_predecessor_does_not(acme: World) -> None:
    old = person.add(acme.app, "acme", ANNA.address, "admin")
    person.enter(acme.app, ANNA, "acme")
    person.remove(acme.app, "acme", old.id)
    person.add(acme.app, "acme", ANNA.address, "agent")
    person.enter(acme.app, replace(BOB, address=ANNA.address), "acme")
    assert opens(acme, ANNA) == {}


def test_an_account_of_the_same_number_or_address_in_another_entra_tenant_is_nobody(acme: World) -> None:
    person.add(acme.app, "acme", ANNA.address, "admin")
    person.enter(acme.app, ANNA, "acme")
    for stranger in (replace(ANNA, tid=OTHER_TID), replace(EVE, address=ANNA.address), replace(EVE, oid=ANNA.oid)):
        assert opens(acme, stranger) == {}
        with pytest.raises(NotAllowed):
            person.enter(acme.app, stranger, "acme")


def test_an_address_of_another_entra_tenant_does_not_take_an_entry_that_nobody_used_yet(acme: World) -> None:
    """nOAuth: whoever runs an Entra tenant may call his people as he likes."""
    person.add(acme.app, "acme", ANNA.address, "admin")
    stranger = replace(EVE, address=ANNA.address)
    assert opens(acme, stranger) == {}
    with pytest.raises(NotAllowed):
        person.enter(acme.app, stranger, "acme")
    assert [one.oid for one in person.people(acme.app, "acme")] == [""]


def test_a_guest_is_not_found_by_an_address(acme: World) -> None:
    person.add(acme.app, "acme", ANNA.address, "admin")
    with pytest.raises(NotAllowed, match="a guest's address proves nothing"):
        person.doors(acme.app, replace(ANNA, is_guest=True))


def test_an_account_without_an_address_is_not_the_one_that_is_listed(acme: World) -> None:
    person.add(acme.app, "acme", ANNA.address, "admin")
    assert opens(acme, replace(ANNA, address="")) == {}


@pytest.mark.parametrize("address", ["", "anna", "anna@", "@acme.example", "a b@x.y", "änna@acme.example", "a@b\nc@d"])
def test_what_is_no_address_is_not_listed(acme: World, address: str) -> None:
    with pytest.raises(Invalid):
        person.add(acme.app, "acme", address, "agent")


def test_nobody_is_listed_twice_or_in_a_role_that_there_is_not(acme: World) -> None:
    person.add(acme.app, "acme", ANNA.address, "agent")
    with pytest.raises(Conflict, match="listed already"):
        person.add(acme.app, "acme", ANNA.address.upper(), "admin")
    with pytest.raises(Invalid):
        person.add(acme.app, "acme", BOB.address, "owner")


def test_without_an_entra_tenant_nobody_can_be_listed(world: World) -> None:
    tenants.put(world.app, "acme", "Acme")
    with pytest.raises(Conflict, match="lets nobody in"):
        person.add(world.app, "acme", ANNA.address, "agent")


def test_the_list_has_an_end(acme: World) -> None:
    for number in range(person.MAX_PEOPLE):
        person.add(acme.app, "acme", f"p{number}@acme.example", "agent")
    with pytest.raises(Conflict, match="500 people"):
        person.add(acme.app, "acme", "one@acme.example", "agent")


# ── access ends at once ───────────────────────────────────────────────────────────────────────────────────────────


def _removed(world: World, id: str) -> None:
    person.remove(world.app, "acme", id)


def _unmapped(world: World, id: str) -> None:
    tenant_settings.configure(world.app, tenants.get(world.app, "acme"), Wanted(None, "", False))


def _mapped_elsewhere(world: World, id: str) -> None:
    tenant_settings.configure(world.app, tenants.get(world.app, "acme"), Wanted(None, OTHER_TID, False))


def _switched_off(world: World, id: str) -> None:
    world.app = replace(world.app, entra=None)


def _made_anew(world: World, id: str) -> None:
    tenants.delete(world.app, "acme", "acme")
    desk(world, "acme", ACME_TID)


@pytest.mark.parametrize("ends", [_removed, _unmapped, _mapped_elsewhere, _switched_off, _made_anew])
def test_a_session_is_over_at_the_next_request(acme: World, ends: Callable[[World, str], None]) -> None:
    person.add(acme.app, "acme", ANNA.address, "admin")
    caller, _ = person.enter(acme.app, ANNA, "acme")
    acme.app.tenants.begin_session(caller.tenant, caller.key_id, "s1", acme.clock.now, acme.clock.now)
    ends(acme, caller.key_id)
    with pytest.raises(NotSignedIn):
        person.still_valid(acme.app, "acme", caller.key_id)


def test_a_disabled_desk_lets_nobody_in(acme: World) -> None:
    person.add(acme.app, "acme", ANNA.address, "admin")
    caller, _ = person.enter(acme.app, ANNA, "acme")
    tenants.switch(acme.app, "acme", True)
    for ask in (
        lambda: person.still_valid(acme.app, "acme", caller.key_id),
        lambda: person.doors(acme.app, ANNA),
        lambda: person.enter(acme.app, ANNA, "acme"),
    ):
        with pytest.raises(NotAllowed, match="disabled"):
            ask()
    with pytest.raises(NotAllowed, match="Nobody has given"):  # a stranger does not even learn that
        person.doors(acme.app, BOB)


def test_removing_somebody_takes_sessions_and_notes_along(acme: World) -> None:
    before = rows(acme)
    one = person.add(acme.app, "acme", ANNA.address, "admin")
    caller, _ = person.enter(acme.app, ANNA, "acme")
    acme.app.tenants.begin_session(caller.tenant, one.id, "s1", acme.clock.now, acme.clock.now)
    acme.app.tenants.note_use(caller.tenant, one.id, acme.clock.now.date())
    person.remove(acme.app, "acme", one.id)
    assert rows(acme) == before
    with pytest.raises(NotFound):
        person.remove(acme.app, "acme", one.id)


def test_another_role_counts_at_the_next_request(acme: World) -> None:
    one = person.add(acme.app, "acme", ANNA.address, "admin")
    caller, _ = person.enter(acme.app, ANNA, "acme")
    person.remove(acme.app, "acme", one.id)
    person.add(acme.app, "acme", ANNA.address, "agent")
    with pytest.raises(NotSignedIn):
        person.still_valid(acme.app, "acme", caller.key_id)
    assert person.enter(acme.app, ANNA, "acme")[0].role == "agent"


# ── app roles ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("roles", "role"), [([ADMIN_ROLE], "admin"), ([AGENT_ROLE], "agent"), ([AGENT_ROLE, ADMIN_ROLE], "admin")]
)
def test_whoever_has_an_app_role_gets_in_once_they_count(acme: World, roles: list[str], role: str) -> None:
    who = replace(ANNA, roles=frozenset(roles))
    assert opens(acme, who) == {}
    prove(acme)
    assert opens(acme, who) == {"acme": role}
    caller, entered = person.enter(acme.app, who, "acme")
    assert (caller.role, entered.by_role) == (role, True)
    assert [one.address for one in person.people(acme.app, "acme")] == [ANNA.address]


@pytest.mark.parametrize("role", ["inbound.admin", "Inbound.Owner", "Admin", ""])
def test_other_roles_are_none(acme: World, role: str) -> None:
    prove(acme)
    assert opens(acme, replace(ANNA, roles=frozenset({role}))) == {}


def test_a_role_that_was_taken_away_lets_nobody_in_again(acme: World) -> None:
    prove(acme)
    person.enter(acme.app, replace(ANNA, roles=frozenset({AGENT_ROLE})), "acme")
    assert opens(acme, ANNA) == {}


def test_an_app_role_that_changed_counts_from_the_next_sign_in(acme: World) -> None:
    prove(acme)
    first, _ = person.enter(acme.app, replace(ANNA, roles=frozenset({ADMIN_ROLE})), "acme")
    second, _ = person.enter(acme.app, replace(ANNA, roles=frozenset({AGENT_ROLE})), "acme")
    assert (first.key_id, second.role) == (second.key_id, "agent")
    assert person.still_valid(acme.app, "acme", first.key_id).role == "agent"


def test_the_list_says_more_than_an_app_role(acme: World) -> None:
    prove(acme)
    who = replace(ANNA, roles=frozenset({ADMIN_ROLE}))
    by_role, _ = person.enter(acme.app, who, "acme")
    person.add(acme.app, "acme", ANNA.address, "agent")
    listed, _ = person.enter(acme.app, who, "acme")
    assert listed.role == "agent"
    with pytest.raises(NotSignedIn):
        person.still_valid(acme.app, "acme", by_role.key_id)
    assert [one.by_role for one in person.people(acme.app, "acme")] == [False]


def test_when_app_roles_count_no_more_whoever_came_by_one_is_out_at_once(acme: World) -> None:
    after = prove(acme)
    caller, _ = person.enter(acme.app, replace(ANNA, roles=frozenset({ADMIN_ROLE})), "acme")
    tenant_settings.configure(acme.app, after, Wanted(None, ACME_TID, False))
    with pytest.raises(NotSignedIn):
        person.still_valid(acme.app, "acme", caller.key_id)


# ── naming somebody else's Entra tenant ───────────────────────────────────────────────────────────────────────────


def test_naming_a_foreign_entra_tenant_opens_nothing_of_those_who_own_it(acme: World) -> None:
    person.add(acme.app, "acme", ANNA.address, "admin")
    caller, _ = person.enter(acme.app, ANNA, "acme")
    before = {key: row for key, row in rows(acme).items() if "acme" in "/".join(key)}
    desk(acme, "evil", ACME_TID)
    person.add(acme.app, "evil", "eve@globex.example", "admin")
    assert opens(acme, EVE) == {}
    with pytest.raises(NotAllowed):
        person.enter(acme.app, EVE, "acme")
    with pytest.raises(NotSignedIn):
        person.still_valid(acme.app, "evil", caller.key_id)
    assert {key: row for key, row in rows(acme).items() if "acme" in "/".join(key)} == before


def test_it_draws_nobody_of_theirs_in_not_even_those_with_an_app_role(acme: World) -> None:
    prove(acme)
    desk(acme, "evil", ACME_TID)
    for who in (ANNA, ADMIN, replace(ANNA, roles=frozenset({AGENT_ROLE}))):
        assert "evil" not in opens(acme, who)
        with pytest.raises(NotAllowed):
            person.enter(acme.app, who, "evil")


def test_only_who_holds_the_admin_role_there_can_say_that_app_roles_count(acme: World) -> None:
    for who in (ANNA, replace(ANNA, roles=frozenset({AGENT_ROLE})), replace(EVE, roles=frozenset({ADMIN_ROLE}))):
        with pytest.raises(NotAllowed):
            prove(acme, who)
    assert not tenants.get(acme.app, "acme").has_app_roles


def test_a_proof_is_for_one_desk_and_one_entra_tenant(acme: World) -> None:
    desk(acme, "evil", ACME_TID)
    proven = prove(acme)
    assert not tenants.get(acme.app, "evil").has_app_roles
    with pytest.raises(Invalid, match="Prove first"):
        tenant_settings.configure(acme.app, tenants.get(acme.app, "evil"), Wanted(None, ACME_TID, True))
    with pytest.raises(Invalid, match="Prove first"):
        tenant_settings.configure(acme.app, proven, Wanted(None, OTHER_TID, True))
    elsewhere = tenant_settings.configure(acme.app, proven, Wanted(None, OTHER_TID, False))
    back = tenant_settings.configure(acme.app, elsewhere, Wanted(None, ACME_TID, False))
    assert not back.has_app_roles


def test_who_is_listed_by_a_stranger_sees_the_desk_first_and_loses_nothing(acme: World) -> None:
    person.add(acme.app, "acme", ANNA.address, "admin")
    person.enter(acme.app, ANNA, "acme")
    evil = desk(acme, "evil", ACME_TID)
    person.add(acme.app, "evil", ANNA.address, "agent")
    before = rows(acme)
    found = {door.tenant.slug: door.is_new for door in person.doors(acme.app, ANNA)}
    assert found == {"acme": False, "evil": True}
    assert rows(acme) == before  # the stranger has not learned that she signed in
    (entry,) = acme.app.people.all(evil.key)
    assert (entry.oid, entry.name) == ("", "")


def test_two_desks_of_one_organisation_are_both_open(acme: World) -> None:
    desk(acme, "field", ACME_TID)
    person.add(acme.app, "acme", ANNA.address, "agent")
    person.add(acme.app, "field", ANNA.address, "admin")
    assert opens(acme, ANNA) == {"acme": "agent", "field": "admin"}
    one, other = (person.enter(acme.app, ANNA, slug)[0] for slug in ("acme", "field"))
    with pytest.raises(NotSignedIn):
        person.still_valid(acme.app, "field", one.key_id)
    assert (one.role, other.role) == ("agent", "admin")


@pytest.mark.parametrize("entra", ["acme.example", "common", "organizations", tenant_settings.PERSONAL, "x" * 36])
def test_what_is_nobodys_entra_tenant_is_refused(acme: World, entra: str) -> None:
    with pytest.raises(Invalid, match=r"Directory \(tenant\) ID"):
        tenant_settings.configure(acme.app, tenants.get(acme.app, "acme"), Wanted(None, entra, False))


# ── at the same moment ────────────────────────────────────────────────────────────────────────────────────────────


def test_signing_in_twice_at_the_same_moment_ends_as_one_person(acme: World) -> None:
    person.add(acme.app, "acme", ANNA.address, "agent")
    people = acme.app.people

    class Twice:
        """The first to bind finds that another window was faster."""

        raced = False

        def __getattr__(self, name: str) -> Any:
            return getattr(people, name)

        def bind(self, tenant: str, one: Any, instead_of: Any) -> None:
            if not self.raced:
                self.raced = True
                people.bind(tenant, one, instead_of)
            people.bind(tenant, one, instead_of)

    caller, _ = person.enter(replace(acme.app, people=Twice()), ANNA, "acme")
    assert [one.id for one in people.all(caller.tenant)] == [caller.key_id]


def test_two_admins_who_change_the_desk_at_once_do_not_overwrite_each_other(acme: World) -> None:
    read = tenants.get(acme.app, "acme")
    tenant_settings.configure(acme.app, read, Wanted(30, ACME_TID, False))
    with pytest.raises(Conflict, match="Somebody else"):
        tenant_settings.configure(acme.app, read, Wanted(None, OTHER_TID, False))
    assert tenants.get(acme.app, "acme").retention_days == 30


def test_an_account_is_never_two_people_of_a_desk(acme: World) -> None:
    one = person.add(acme.app, "acme", ANNA.address, "agent")
    person.enter(acme.app, ANNA, "acme")
    tenant = tenants.get(acme.app, "acme").key
    with pytest.raises(RowChanged):
        acme.app.people.add(tenant, replace(one, id="f" * 24, tid=ANNA.tid, oid=ANNA.oid, by_role=True))


# ── the log ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_log_tells_what_changed_and_nobodys_name(acme: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "inbound")
    one = person.add(acme.app, "acme", ANNA.address, "admin")
    person.enter(acme.app, ANNA, "acme")
    prove(acme)
    person.remove(acme.app, "acme", one.id)
    told = [json.loads(record.getMessage()) for record in caplog.records]
    assert [(one["event"], one["state"]) for one in told if "state" in one] == [
        ("sign_in_mapping_changed", "person_added"),
        ("sign_in_mapping_changed", "app_roles"),
        ("sign_in_mapping_changed", "person_removed"),
    ]
    for private in (ANNA.address, ANNA.name, ANNA.oid, BOB.address, BOB.oid):
        assert private not in caplog.text
