"""Incidents by filters and words. Storage knows an order and a few equal signs, so words are looked for in the list,
as far as one request may read; whoever asks is told how far that was."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from shared.model.incident import Incident
from shared.ports import App, Page
from shared.web.shapes.lists import IncidentQuery

READ_AT_ONCE = 500
"""Incidents of one query: Azure hands out up to 1,000 rows at once."""

MOST_READ = 2000
"""Incidents that one request looks through: about a second on Azure Tables."""

BEGINNING = "0" * 15 + ":" + "0" * 10
"""The place before every other one of the list."""

_NUMBER = re.compile(r"(?:INC-)?0*([0-9]{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """Some incidents, the newest activity first; ``next`` asks for more, None when there are none. ``searched``: how
    many were looked through for words, None when that was not needed."""

    items: tuple[Incident, ...]
    next: str | None
    searched: int | None = None


def incidents(app: App, tenant: str, query: IncidentQuery) -> Found:
    """One page of the list. With words it may be short, or empty, and still have a ``next``."""
    if not query.q and not query.reporter:
        page = app.desk.incidents(tenant, query.status, query.mailbox, query.group, query.after, query.limit)
        return Found(page.items, page.next)
    return _Search(app, tenant, query).run()


class _Search:
    """Reads the list piece by piece until a page is full, the list ends or enough was read."""

    def __init__(self, app: App, tenant: str, query: IncidentQuery) -> None:
        self._app = app
        self._tenant = tenant
        self._query = query
        self._words = _folded(query.q).split()
        self._reporter = _folded(query.reporter or "")
        self._named = self._by_number()
        # One that was asked for by number stands first, on the first page only.
        self._found = [self._named] if self._named and not query.after else []

    def run(self) -> Found:
        after, searched = self._query.after, 0
        while searched < MOST_READ:
            page = self._read(after, READ_AT_ONCE)
            for place, incident in enumerate(page.items, 1):
                if not self._fits(incident):
                    continue
                if len(self._found) == self._query.limit:
                    # It goes on with this one: read again up to the one before it, for the place there.
                    before = self._read(after, place - 1).next if place > 1 else after or BEGINNING
                    return Found(tuple(self._found), before, searched + place - 1)
                self._found.append(incident)
            searched += len(page.items)
            if page.next is None:
                return Found(tuple(self._found), None, searched)
            after = page.next
        return Found(tuple(self._found), after, searched)

    def _read(self, after: str, limit: int) -> Page[Incident]:
        query = self._query
        return self._app.desk.incidents(self._tenant, query.status, query.mailbox, query.group, after, limit)

    def _by_number(self) -> Incident | None:
        match = _NUMBER.fullmatch(self._query.q.strip())
        found = self._app.desk.incident(self._tenant, int(match[1])) if match else None
        return found if found is not None and self._passes(found) else None

    def _passes(self, incident: Incident) -> bool:
        """The filters, for an incident that was not read from the filtered list."""
        query = self._query
        wanted = ((query.status, incident.status), (query.mailbox, incident.mailbox), (query.group, incident.group))
        return all(asked is None or asked == is_ for asked, is_ in wanted) and self._is_of_reporter(incident)

    def _fits(self, incident: Incident) -> bool:
        if self._named is not None and incident.number == self._named.number:
            return False
        return self._is_of_reporter(incident) and self._has_words(incident)

    def _is_of_reporter(self, incident: Incident) -> bool:
        return self._reporter in ("", _folded(incident.reporter.address))

    def _has_words(self, incident: Incident) -> bool:
        if not self._words:
            return True
        people = (incident.reporter, *incident.participants)
        text = _folded("\n".join([incident.subject, *(f"{one.name} {one.address}" for one in people)]))
        return all(word in text for word in self._words)


def _folded(text: str) -> str:
    """For comparison: without case, and with full-width letters and ligatures as plain ones."""
    return unicodedata.normalize("NFKC", text).casefold().strip()
