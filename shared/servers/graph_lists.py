"""What a folder holds and what came into it, as Graph lists it: page by page, each item judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.errors import FolderNotFound, ProtocolViolation
from shared.servers.graph_folders import Folders, query, segment
from shared.servers.graph_http import Answer, GraphHttp
from shared.servers.graph_state import moment, written

PAGE = 100
"""Mails of a page that are fetched one by one: bounds what a crash repeats, and the cursor."""

WALK_PAGE = 500
"""Mails of a page that only leads to the delta link."""

LIST_PAGE = 1000
"""Mails of a page of which only the ids are wanted: Graph's most."""

WALKED_WHOLE = 50_000
"""Above this many mails a folder is not walked whole (a hundred requests and more): the delta query then sees only
what was received since the days to download began."""

SIZE = "singleValueExtendedProperties($filter=id eq 'LONG 0x0E08')"
"""PidTagMessageSize [MS-OXPROPS]. Not in a delta query: Graph answers 500 there (microsoft-graph-docs #2270). China's
cloud does not know it at all: 400 (msgraph-sdk-dotnet #2578)."""

_FORGOTTEN = frozenset({"syncstatenotfound", "syncstateinvalid", "resyncrequired", "errorinvalidsyncstatedata"})


@dataclass(frozen=True, slots=True)
class Item:
    """A mail of a list. ``received`` as Graph writes it; ``size`` in bytes as Exchange counts, 0 where it does not
    tell (it is not the length of the MIME)."""

    id: str
    received: str
    size: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A page: its mails, and the link of the next page or (at the end of a delta round) of the next round."""

    items: list[Item]
    next: str
    delta: str


class Forgotten(Exception):
    """Graph does not know the link (any more); ``location`` is where it wants us to begin, if it says."""

    def __init__(self, location: str = "") -> None:
        self.location = location


class Lists:
    """Lists of one folder. ``folder`` is its id, empty until it is needed."""

    def __init__(self, http: GraphHttp, folders: Folders, user: str, name: str) -> None:
        self.folder = ""
        self._http = http
        self._folders = folders
        self._user = user
        self._name = name
        self._with_size = True

    def first_round(self, floor: str) -> Listed:
        """The first page of a first delta round, which goes through the whole folder."""
        self.folder, count = self._folders.find(self._name)
        self._http.step("list")
        options = {"changeType": "created", "select": "id,receivedDateTime"}
        if count > WALKED_WHOLE:
            options["filter"] = f"receivedDateTime ge {floor}"
        return self._delta(f"{self._messages()}/delta?{query(**options)}", WALK_PAGE, is_link=False)

    def walk(self, link: str) -> Listed:
        """A further page of it. Raises ``Forgotten``."""
        return self._delta(link, WALK_PAGE)

    def round(self, link: str) -> Listed:
        """The page behind a delta or next link. Raises ``Forgotten``."""
        self._http.step("list")
        return self._delta(link, PAGE)

    def since(self, time: str) -> Listed:
        """The oldest mails received at or after a time."""
        if not self.folder:
            self.folder, _ = self._folders.find(self._name)
        # What is ordered by must be in the filter, in the same order.
        options = query(
            filter=f"receivedDateTime ge {time}",
            orderby="receivedDateTime",
            select="id,receivedDateTime",
            top=str(PAGE),
        )
        return self._read(self._sized(f"{self._messages()}?{options}"))

    def after(self, page: Listed) -> Listed:
        """The page behind a page of ``since``."""
        following = self._read(self._http.get(page.next))
        _check_onward(page.next, following)
        return following

    def ids(self, since: str) -> Iterator[str]:
        """All mails received at or after a time, the oldest first: by a plain list, which knows of no delta."""
        if not self.folder:
            self.folder, _ = self._folders.find(self._name)
        self._http.step("list")
        options = query(
            filter=f"receivedDateTime ge {since}",
            orderby="receivedDateTime",
            select="id,receivedDateTime",
            top=str(LIST_PAGE),
        )
        page = self._read(self._http.get(f"{self._messages()}?{options}"))
        while True:
            yield from (item.id for item in page.items)
            if not page.next:
                return
            page = self.after(page)

    def one(self, id: str) -> Item | None:
        """One mail; None when it is gone."""
        answer = self._one(id)
        return _item(answer.json()) if answer is not None else None

    def size_of(self, id: str) -> int | None:
        """The size of one mail, 0 if unknown; None when it is gone."""
        answer = self._one(id)
        return _size(answer.json()) if answer is not None else None

    def _one(self, id: str) -> Answer | None:
        answer = self._sized(f"{self._user}/messages/{segment(id)}?{query(select='id,receivedDateTime')}")
        if answer.gone:
            return None
        if not answer.ok:
            raise self._http.refused(answer)
        return answer

    def _messages(self) -> str:
        return f"{self._user}/mailFolders/{segment(self.folder)}/messages"

    def _sized(self, url: str) -> Answer:
        """With each mail's size where this cloud can tell."""
        if self._with_size:
            answer = self._http.get(f"{url}&{query(expand=SIZE)}")
            if answer.status != 400:
                return answer
            self._with_size = False
        return self._http.get(url)

    def _delta(self, url: str, page: int, is_link: bool = True) -> Listed:
        answer = self._http.get(url, page)
        if answer.status == 410 or answer.code.lower() in _FORGOTTEN or (answer.status == 400 and is_link):
            raise Forgotten("" if answer.location == url else answer.location)
        if answer.no_folder and is_link:
            # Deleted, and perhaps made again under the same name; if not, looking for it says so.
            self.folder, _ = self._folders.find(self._name)
            raise Forgotten
        listed = self._read(answer)
        if not listed.delta:
            _check_onward(url, listed)
            if not listed.next:
                raise ProtocolViolation("Microsoft 365 sent a list without an end.", "The next poll tries again.")
        return listed

    def _read(self, answer: Answer) -> Listed:
        if answer.no_folder:
            raise FolderNotFound(
                f"The folder {self._name} is not there any more{answer.reference}.", "Choose another folder."
            )
        if not answer.ok:
            raise self._http.refused(answer)
        body = answer.json()
        found = body.get("value")
        next, delta = str(body.get("@odata.nextLink") or ""), str(body.get("@odata.deltaLink") or "")
        if not all(self._http.is_own(link) for link in (next, delta) if link):
            raise ProtocolViolation(
                "Microsoft 365 sent a link to a place that is not its own.", "Nothing was sent there."
            )
        items = [_item(one) for one in found if _is_mail(one)] if isinstance(found, list) else []
        return Listed(items, next, delta)


def _check_onward(url: str, listed: Listed) -> None:
    if listed.next == url:
        raise ProtocolViolation("Microsoft 365 sent a list that goes in circles.", "The next poll tries again.")


def _is_mail(one: Any) -> bool:
    """Not a removal, and not the mere change of a mail (which has an id and what changed)."""
    if not isinstance(one, dict) or "@removed" in one or not one.get("id"):
        return False
    try:
        moment(str(one.get("receivedDateTime")))
    except ValueError:
        return False
    return True


def _item(one: dict[str, Any]) -> Item:
    return Item(str(one["id"]), written(moment(str(one["receivedDateTime"]))), _size(one))


def _size(one: dict[str, Any]) -> int:
    properties = one.get("singleValueExtendedProperties")
    for each in properties if isinstance(properties, list) else []:
        value = str(each.get("value", "")) if isinstance(each, dict) else ""
        if value.isascii() and value.isdigit():
            return int(value)
    return 0
