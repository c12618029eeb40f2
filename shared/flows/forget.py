"""One person is erased: everything that an address wrote, and its name wherever we wrote it down.

Each erasure is a row that says how far it has come; it goes through the tenant's rows in stretches that may be cut off
and repeated, round after round, until a round finds nothing more. Numbers, outcomes and times stay, without content.
What other people wrote stays too, also where they quote the person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared import log
from shared.errors import Conflict, Invalid, NotFound, RowChanged, SecretLost, StoreError
from shared.mail.address import Address, parse_address
from shared.model.erasing import COUNTED, PHASES, DataSubject, Erasure, Stretch, together
from shared.ports import App

BUDGET = timedelta(minutes=4)
"""Of one run of the timer, for all erasures: with that of ``erase`` below host.json's functionTimeout."""

PAUSE = timedelta(minutes=10)
"""Between two runs of the timer."""

AT_ONCE = timedelta(seconds=10)
"""In which the request that orders it, or a preview, goes on by itself: people wait for it, and most desks are
small."""

STRETCH = 500
"""Rows between two notes of how far it has come."""

MAX_OPEN = 20
"""Of one tenant at a time: each goes through all of its rows."""

ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Preview:
    """What an erasure would erase. ``more``: there is more than was looked through."""

    counts: tuple[tuple[str, int], ...]
    more: bool


def preview(app: App, tenant: str, address: str) -> Preview:
    """Count, and change nothing. Raises ``Invalid``."""
    person = DataSubject(_address(address).key, "", app.now())
    until = app.now() + AT_ONCE
    counts: tuple[tuple[str, int], ...] = together((), ())
    for phase in PHASES[:-1]:
        place = ""
        while True:
            stretch = app.forgetting.stretch(tenant, "", phase, person, place, STRETCH, dry=True)
            counts, place = together(counts, stretch.counts), stretch.place
            if not place:
                break
            if app.now() >= until:
                return Preview(counts, True)
    return Preview(counts, False)


def order(app: App, tenant: str, address: str, confirmed: str, by: str) -> Erasure:
    """Have a person erased, for good; it begins at once. ``confirmed``: the address, typed once more. Raises
    ``Invalid``, ``Conflict``."""
    wanted, again = _address(address), parse_address(confirmed.strip())
    if again is None or again.key != wanted.key:
        raise Invalid([("confirm", "Type the address once more, to confirm that everything it wrote is to be erased.")])
    running = [one for one in app.forgetting.all(tenant) if one.done is None]
    for one in running:
        if _read(app, one) == wanted.key:
            return advance(app, one, app.now() + AT_ONCE)
    if len(running) >= MAX_OPEN:
        raise Conflict(f"{MAX_OPEN} erasures are running already.", "Wait until one of them is done.")
    id = app.random(8).hex()
    sealed = app.secrets.seal(tenant, id, "erasure", wanted.key)
    erasure = app.forgetting.save(Erasure(id, tenant, sealed, by, app.now()))
    log.event("erasure_ordered", tenant=tenant, erasure=id)
    return advance(app, erasure, app.now() + AT_ONCE)


def get(app: App, tenant: str, id: str) -> Erasure:
    """Raises ``NotFound``."""
    found = app.forgetting.get(tenant, id) if ID.fullmatch(id) else None
    if found is None:
        raise NotFound("There is no such erasure.")
    return found


def listed(app: App, tenant: str) -> tuple[Erasure, ...]:
    """All of a tenant, the newest first."""
    return tuple(sorted(app.forgetting.all(tenant), key=lambda one: one.created, reverse=True))


def forget(app: App) -> bool:
    """Go on with every erasure; whether all are done. Raises ``StoreError`` at the end: what storage refuses of one
    holds up no other."""
    until = app.now() + BUDGET
    running = [one for one in app.forgetting.all() if one.done is None]
    # Another one comes first each time: large ones that wait for mail on its way must not take the time of all others.
    first = int(until.timestamp() // PAUSE.total_seconds()) % len(running) if running else 0
    done, failed = True, None
    for erasure in (*running[first:], *running[:first]):
        try:
            done = advance(app, erasure, until).done is not None and done
        except StoreError as error:
            failed = error
    if failed is not None:
        raise failed
    return done


def advance(app: App, erasure: Erasure, until: datetime) -> Erasure:
    """Go on until it is done, waits for mail on its way, or the time is over. How far it is then."""
    key = _read(app, erasure)
    if key is None:
        return erasure  # its tenant was deleted, and all of it goes
    person = DataSubject(key, erasure.alias, erasure.created)
    while erasure.done is None and app.now() < until:
        stretch = app.forgetting.stretch(
            erasure.tenant, erasure.id, erasure.phase, person, erasure.place, STRETCH, dry=False
        )
        after = _onward(erasure, stretch, app.now())
        try:
            saved = app.forgetting.save(after)
        except RowChanged:
            return app.forgetting.get(erasure.tenant, erasure.id) or erasure  # somebody else goes on with it
        begins_anew = saved.phase == PHASES[0] and not saved.place
        if saved.done is not None:
            counts = dict(saved.counts)
            log.event(
                "person_erased",
                tenant=saved.tenant,
                erasure=saved.id,
                rows=sum(counts[name] for name in COUNTED if name != "attachments"),
                blobs=counts["attachments"],
                seconds=(app.now() - saved.created).total_seconds(),
            )
        erasure = saved
        if begins_anew and saved.waiting:
            break  # until that mail has left
    return erasure


def _onward(erasure: Erasure, stretch: Stretch, now: datetime) -> Erasure:
    """Where it stands after these rows."""
    after = replace(
        erasure,
        place=stretch.place,
        found=erasure.found + stretch.found,
        waiting=stretch.waiting + (erasure.waiting if erasure.place or erasure.phase != PHASES[0] else 0),
        counts=together(erasure.counts, stretch.counts),
    )
    if stretch.place:
        return after
    if erasure.phase != PHASES[-1]:
        return replace(after, phase=PHASES[PHASES.index(erasure.phase) + 1])
    if after.found or after.waiting:
        return replace(after, phase=PHASES[0], found=0)
    return replace(after, phase="", sealed="", done=now)


def _read(app: App, erasure: Erasure) -> str | None:
    try:
        return app.secrets.open(erasure.tenant, erasure.id, "erasure", erasure.sealed)
    except SecretLost:
        return None


def _address(text: str) -> Address:
    found = parse_address(text.strip())
    if found is None:
        raise Invalid([("address", "Give one whole mail address, such as ann@example.com.")])
    return found
