"""From what a tenant calls a folder to Graph's id of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from shared.errors import FolderNotFound
from shared.servers.graph_http import GraphHttp

WELL_KNOWN = frozenset(
    {"inbox", "archive", "drafts", "sentitems", "deleteditems", "junkemail", "outbox", "msgfolderroot"}
)
"""Names that work in every language of a mailbox (mailFolder resource type)."""

LISTED = 100
"""Folders of one level that an error names; more would help nobody."""


def query(**options: str) -> str:
    """Query options; ``$`` and what OData writes between names stay readable, blanks and the rest are encoded."""
    pairs = (
        f"{'' if name == 'changeType' else '$'}{name}={quote(value, safe=',()$:')}" for name, value in options.items()
    )
    return "&".join(pairs)


def segment(text: str) -> str:
    """Text as one piece of a path: an address or an id may hold ``/`` and ``#``."""
    return quote(text, safe="@=")


class Folders:
    """The folders of one mailbox; ``user`` is its address within Graph."""

    def __init__(self, http: GraphHttp, user: str) -> None:
        self._http = http
        self._user = user

    def find(self, name: str, field: str = "folder") -> tuple[str, int]:
        """Id and number of items of a folder: a well-known name (INBOX, Sent Items), a display name, or a path such
        as Inbox/Sub. Raises ``FolderNotFound`` with the names that are there. ``field``: the setting that
        names it."""
        if field == "folder":
            self._http.step("folder")
        found = self._well_known(name) or self._child("", name) or self._path(name)
        if not found and "/" not in name:
            # Whoever sees a folder below the inbox calls it by its own name.
            found = self._child("inbox", name)
        if not found:
            raise FolderNotFound(f"There is no folder {name} in this mailbox.", self._there_are(), field=field)
        return str(found["id"]), _count(found)

    def _path(self, name: str) -> dict[str, Any] | None:
        first, *rest = [part.strip() for part in name.strip("/").split("/")]
        if not rest:
            return None
        found = self._well_known(first) or self._child("", first)
        for part in rest:
            found = self._child(str(found["id"]), part) if found and part else None
        return found

    def _well_known(self, name: str) -> dict[str, Any] | None:
        known = name.strip().replace(" ", "").lower()
        if known not in WELL_KNOWN:
            return None
        answer = self._http.get(f"{self._user}/mailFolders/{known}?{query(select='id,totalItemCount')}")
        if answer.no_folder:
            return None
        if not answer.ok:
            raise self._http.refused(answer)
        return answer.json()

    def _child(self, parent: str, name: str) -> dict[str, Any] | None:
        """A folder by its display name, whatever its case; the same case wins."""
        literal = name.strip().replace("'", "''")
        options = query(filter=f"displayName eq '{literal}'", select="id,displayName,totalItemCount")
        found = self._items(f"{self._level(parent)}?{options}")
        same = [one for one in found if one.get("displayName") == name.strip()]
        return next(iter(same or found), None)

    def _there_are(self) -> str:
        options = query(select="displayName", top=str(LISTED))
        names = [str(one.get("displayName")) for one in self._items(f"{self._level('')}?{options}")]
        names += [f"Inbox/{one.get('displayName')}" for one in self._items(f"{self._level('inbox')}?{options}")]
        return f"These are there: {', '.join(names)}." if names else "Check its name, or use INBOX."

    def _level(self, parent: str) -> str:
        return f"{self._user}/mailFolders/{segment(parent)}/childFolders" if parent else f"{self._user}/mailFolders"

    def _items(self, url: str) -> list[dict[str, Any]]:
        answer = self._http.get(url)
        if answer.no_folder:
            return []
        if not answer.ok:
            raise self._http.refused(answer)
        found = answer.json().get("value")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _count(folder: dict[str, Any]) -> int:
    count = folder.get("totalItemCount")
    return count if isinstance(count, int) else 0
