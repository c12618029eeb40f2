"""People who sign in with Entra ID (table ``desk``, in the tenant's partition): a row each, and notes that lead to it
from an address and from an account. Row and notes change together, so that no two people share either."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date

from shared.errors import RowChanged
from shared.ports import Person
from shared.store import keys
from shared.store.sweeping import remove
from shared.store.tables import Delete, Insert, Operation, Replace, Row, Tables, Upsert, Value

TABLE = "desk"

MOST_SESSIONS = 1000
"""That one call removes; those left behind open nothing, as the person they name is gone."""


class TablePeople:
    """``ports.People`` on tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, tenant: str, id: str) -> Person | None:
        """See ``ports.People.get``."""
        row = self._tables.get(TABLE, tenant, keys.person(id))
        return _person(row) if row else None

    def listed(self, tenant: str, address: str) -> Person | None:
        """See ``ports.People.listed``."""
        return self._led_to(tenant, keys.person_listed(address))

    def known(self, tenant: str, tid: str, oid: str) -> Person | None:
        """See ``ports.People.known``."""
        return self._led_to(tenant, keys.person_known(tid, oid))

    def all(self, tenant: str) -> tuple[Person, ...]:
        """See ``ports.People.all``."""
        found = [_person(row) for row in self._all_of(tenant, keys.person(""))]
        used = {row.key: row.text("day") for row in self._all_of(tenant, keys.api_key_used(""))}
        days = {person.id: used.get(keys.api_key_used(person.id), "") for person in found}
        seen = (replace(one, used=date.fromisoformat(days[one.id])) if days[one.id] else one for one in found)
        return tuple(sorted(seen, key=lambda person: (person.address, person.added)))

    def add(self, tenant: str, person: Person) -> None:
        """See ``ports.People.add``."""
        operations: list[Operation] = [Insert(keys.person(person.id), _values(person))]
        operations += [Insert(key, {"person": person.id}) for key in _notes(person)]
        self._tables.commit(TABLE, tenant, operations)

    def bind(self, tenant: str, person: Person, instead_of: Person | None) -> None:
        """See ``ports.People.bind``."""
        known = keys.person_known(person.tid, person.oid)
        note = Upsert(known, {"person": person.id}) if instead_of else Insert(known, {"person": person.id})
        gone = [Delete(keys.person(instead_of.id), instead_of.version)] if instead_of else []
        self._tables.commit(
            TABLE, tenant, [Replace(keys.person(person.id), _values(person), person.version), note, *gone]
        )
        if instead_of:
            self._forget(tenant, instead_of.id)

    def put(self, tenant: str, person: Person) -> None:
        """See ``ports.People.put``."""
        self._tables.commit(TABLE, tenant, [Replace(keys.person(person.id), _values(person), person.version)])

    def remove(self, tenant: str, person: Person) -> None:
        """See ``ports.People.remove``."""
        gone = [Delete(key) for key in _notes(person)]
        self._tables.commit(TABLE, tenant, [Delete(keys.person(person.id), person.version), *gone])
        self._forget(tenant, person.id)

    def _led_to(self, tenant: str, note: str) -> Person | None:
        row = self._tables.get(TABLE, tenant, note)
        return self.get(tenant, row.text("person")) if row else None

    def _forget(self, tenant: str, id: str) -> None:
        """When they were here, and their sessions."""
        with suppress(RowChanged):  # they never were
            self._tables.commit(TABLE, tenant, [Delete(keys.api_key_used(id))])
        sessions = self._tables.query(TABLE, tenant, keys.session(id), keys.session(id) + keys.AFTER)
        remove(self._tables, TABLE, tenant, sessions, MOST_SESSIONS)

    def _all_of(self, tenant: str, prefix: str) -> list[Row]:
        return list(self._tables.query(TABLE, tenant, prefix, prefix + keys.AFTER))


def _notes(person: Person) -> list[str]:
    """Where somebody is found: by the address unless an app role let them in, by the account once there is one."""
    by_address = [] if person.by_role else [keys.person_listed(person.address)]
    return by_address + ([keys.person_known(person.tid, person.oid)] if person.oid else [])


def _values(person: Person) -> dict[str, Value]:
    return {
        "address": person.address,
        "name": person.name,
        "role": person.role,
        "added": keys.stamp(person.added),
        "tid": person.tid,
        "oid": person.oid,
        "by_role": person.by_role,
    }


def _person(row: Row) -> Person:
    return Person(
        id=row.key.partition(":")[2],
        address=row.text("address"),
        name=row.text("name"),
        role=row.text("role"),
        added=keys.read_stamp(row.text("added")),
        tid=row.text("tid"),
        oid=row.text("oid"),
        by_role=row.flag("by_role"),
        version=row.etag,
    )
