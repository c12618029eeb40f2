"""Everything of a tenant, page by page: mailboxes without secrets, incidents with their notes, and the ledger.

Incidents go by number and mail by when it was kept, so that nothing is left out because it changed meanwhile. What
comes in after an export has begun may be in it or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from shared.errors import Invalid
from shared.model.inbound import Inbound
from shared.model.incident import Incident, Note
from shared.model.mailbox import Mailbox
from shared.model.outbound import Outbound
from shared.ports import App

MAX_ITEMS = 200
MAX_CHARS = 2_000_000
"""Of the notes of one page: memory holds it a few times over."""

AT_MOST = timedelta(seconds=20)
"""Of one page; Azure ends a request after 230 s."""

NOTES_AT_ONCE = 20
"""Each may have 200,000 characters, and its quoted text and HTML."""

_PLACE = re.compile(r"|mailbox-[a-z0-9-]{1,63}|note-[1-9][0-9]{0,8}-[0-9]{1,6}|mail(-[0-9]{15}:[0-9a-f]{32})?")


@dataclass(frozen=True, slots=True)
class Entry:
    """A note of an incident, and the mail that sends it."""

    incident: int
    note: Note
    outbound: Outbound | None


Item = Mailbox | Incident | Entry | Inbound


@dataclass(frozen=True, slots=True)
class Part:
    """A page. ``next`` asks for the one behind it; None at the end."""

    items: tuple[Item, ...]
    next: str | None


def part(app: App, tenant: str, after: str) -> Part:
    """The page behind a place; empty: the first. Raises ``Invalid``."""
    if not _PLACE.fullmatch(after):
        raise Invalid([("after", "This is no place in an export. Use the next of an answer, or leave it out.")])
    kind, _, rest = after.partition("-")
    if kind == "mail":
        page = app.desk.ledger(tenant, None, None, None, rest, MAX_ITEMS)
        return Part(page.items, f"mail-{page.next}" if page.next else None)
    until = app.now() + AT_MOST
    items: list[Item] = []
    chars = 0
    for item, place in _from(app, tenant, kind, rest):
        items.append(item)
        chars += _length(item)
        if len(items) >= MAX_ITEMS or chars >= MAX_CHARS or app.now() >= until:
            return Part(tuple(items), place)
    return Part(tuple(items), "mail")


def _from(app: App, tenant: str, kind: str, rest: str) -> Iterator[tuple[Item, str]]:
    """Mailboxes and incidents behind a place, each with the place behind it."""
    if kind in ("", "mailbox"):
        for mailbox in app.mailboxes.all(tenant):
            if mailbox.id > rest:
                yield mailbox, f"mailbox-{mailbox.id}"
        rest = "1"
    number, _, seq = rest.partition("-")
    yield from _incidents(app, tenant, int(number), int(seq) if seq else None)


def _incidents(app: App, tenant: str, number: int, seq: int | None) -> Iterator[tuple[Item, str]]:
    """From this one on, or from behind this note of it. Numbers have no gaps: the first that is missing is the end."""
    while (incident := app.desk.incident(tenant, number)) is not None:
        if seq is None:
            yield incident, f"note-{number}-0"
        last = seq or 0
        while notes := app.desk.notes(tenant, number, last, NOTES_AT_ONCE):
            outbounds = app.answers.of_incident(tenant, number, notes[0].seq, notes[-1].seq)
            for note in notes:
                yield Entry(number, note, outbounds.get(note.seq)), f"note-{number}-{note.seq}"
            last = notes[-1].seq
        number, seq = number + 1, None


def _length(item: Item) -> int:
    return len(item.note.body.text) + len(item.note.body.quoted) if isinstance(item, Entry) else 0
