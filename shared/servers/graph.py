"""Microsoft Graph as a ``Source`` (Office 365): one delta query for what is new, ``$value`` for the mail.

A first connection has two parts. First a delta round walks the folder once, for nothing but its end: the delta link
from which on every arrival is reported, also of an old mail that somebody moves here (a ``$filter`` in a delta query
would hide it for ever, and stops at 5,000 mails). Then the days to download are listed by time, oldest first. What
comes in meanwhile is in both, and ``recent`` tells. After that, each poll reads the pages behind the stored link: one
request when nothing is new. A page's link is stored until all its mails are settled, so a crash repeats a page.
When Graph forgets a link (410), all that begins anew, listed from some time before the newest settled mail.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Self

from shared.errors import AccessDenied, MailRefused, ProtocolViolation
from shared.model.inbound import MAX_RAW_BYTES
from shared.ports import NOBODY, Arrival, Finding, Watch
from shared.servers.cloud import Cloud
from shared.servers.graph_folders import Folders, query, segment
from shared.servers.graph_head import head_block
from shared.servers.graph_http import Answer, GraphHttp
from shared.servers.graph_lists import Forgotten, Item, Lists
from shared.servers.graph_scope import AS_GRANTED, TOO_MUCH, Reach, limiting, roles_of
from shared.servers.graph_state import Again, GraphState, moment, written

AfterImport = Literal["leave", "mark_read", "move", "delete"]

WALK_SECONDS = timedelta(seconds=20)
"""How long a poll may go from page to page without finding a mail; the next poll goes on there."""

LOOK_BACK = timedelta(days=30)
"""How far before the newest settled mail the list begins after Graph forgot where we stood. Mail is sorted by when it
was received, and what was rescued from Junk Email meanwhile is up to 30 days old (it is deleted there after that)."""

TODO_MOST = 100
TODO_FIRST = 40
AGAIN_MOST = 40
"""So many ids the cursor has room for, and how many to do are worked off before more is taken in."""

_PREFIX = "graph:"


@dataclass(slots=True)
class _Page:
    """Listed mails that are not settled, and where the state stands once all are."""

    waiting: set[str]
    backlog: str
    link: str
    ends_round: bool = False


class GraphSource:
    """``ports.Source`` on a folder of an Exchange Online mailbox, also a shared one."""

    def __init__(
        self,
        mailbox_address: str,
        folder: str,
        token: Callable[[bool], str],
        cloud: Cloud,
        floor: datetime,
        now: Callable[[], datetime],
        after_import: AfterImport = "leave",
        move_to: str = "",
        watch: Watch = NOBODY,
        signed_in: Callable[[], bool] = lambda: False,
    ) -> None:
        """``token(force)``: an access token; ``force`` when Graph refused the last one. ``floor``: the oldest
        receivedDateTime to download on a first connection. ``move_to``: a folder, named as ``folder`` is.
        ``signed_in``: whether the token is of a person, not of the app itself."""
        self._http = GraphHttp(cloud, token, now, watch)
        self._address = mailbox_address
        self._name = folder
        self._signed_in = signed_in
        self._is_proved = False
        self._user = f"{cloud.graph}/users/{segment(mailbox_address)}"
        self._folders = Folders(self._http, self._user)
        self._lists = Lists(self._http, self._folders, self._user, folder)
        self._floor = floor
        self._now = now
        self._after_import = after_import
        self._move_to = move_to
        self._destination = ""
        self._state = GraphState()
        self._starts_over = False
        self._pages: deque[_Page] = deque()
        self._seen: set[str] = set()
        self._covered: set[str] = set()

    def __enter__(self) -> Self:
        """Nothing is asked yet: an idle poll is one request."""
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    @property
    def starts_over(self) -> bool:
        """See ``ports.Source.starts_over``."""
        return self._starts_over

    def cursor(self) -> str:
        """See ``ports.Source.cursor``. The caller saves it before it calls ``act``."""
        self._covered = set(self._state.todo)
        return self._state.write()

    # ── listing ───────────────────────────────────────────────────────────────────────────────────────────────────

    def new(self, cursor: str) -> Iterator[Arrival]:
        """See ``ports.Source.new``."""
        self._state = GraphState.read(cursor)
        self._starts_over = self._state.over or self._state.lapped
        self._covered = set(self._state.todo)
        self._pages.clear()
        self._seen.clear()
        if len(self._state.todo) >= TODO_FIRST:
            self.act()
        put_off = list(self._state.again)
        try:
            yield from self._fresh()
        except Forgotten as forgotten:
            self._begin_anew(forgotten.location)
            yield from self._fresh_or_give_up()
        yield from self._put_off_before(put_off)

    def _fresh_or_give_up(self) -> Iterator[Arrival]:
        try:
            yield from self._fresh()
        except Forgotten:
            self._begin_anew("")
            raise ProtocolViolation(
                "Microsoft 365 forgets where polling stood as soon as it began anew.", "The next poll tries again."
            ) from None

    def _fresh(self) -> Iterator[Arrival]:
        self._lists.folder = self._state.folder
        if self._is_full() or not (self._state.link or self._walk()):
            return
        yield from self._backlog()
        yield from self._rounds()

    def _begin_anew(self, location: str) -> None:
        """What is kept: mails to try again, what is to be done, and what was settled lately."""
        state = self._state
        since = written(moment(state.last) - LOOK_BACK) if state.last else state.floor
        state.link, state.walk = "", location if location and self._http.is_own(location) else ""
        # A first connection that is not at its end yet goes on where it was.
        since = max(since, state.floor)
        state.backlog = min(state.backlog, since) if state.backlog else since
        state.over = self._starts_over = True
        self._pages.clear()
        self._seen.clear()

    def _walk(self) -> bool:
        """Go to the end of a first round, for its delta link. False when that takes longer than one poll."""
        state = self._state
        if not state.floor:
            state.floor = state.backlog = written(self._floor)
        page = self._lists.walk(state.walk) if state.walk else self._lists.first_round(state.floor)
        state.folder = self._lists.folder
        until = self._now() + WALK_SECONDS
        while not page.delta:
            state.walk = page.next
            if self._now() >= until:
                return False
            page = self._lists.walk(state.walk)
        state.link, state.walk = page.delta, ""
        return True

    def _backlog(self) -> Iterator[Arrival]:
        """What was there when the walk ended, oldest first, by time: pages by ``$skip`` would leave out one mail for
        each that is deleted meanwhile, also by us."""
        since = self._state.backlog
        page = self._lists.since(since) if since else None
        while page and not self._is_full():
            fresh = self._unknown(page.items)
            times = [item.received for item in page.items]
            # Time leads to the next page only if it is the order of this one; else only the next link does.
            last = max([since, *times]) if times == sorted(times) else since
            yield from self._open(_Page(set(), last if page.next else "", self._state.link), fresh)
            if not page.next:
                return
            # Where one second fills a page there is no other way than its next link either.
            stuck = last == since and not fresh
            page, since = (self._lists.after(page) if stuck else self._lists.since(last)), last

    def _rounds(self) -> Iterator[Arrival]:
        """The pages behind the link."""
        link = self._pages[-1].link if self._pages else self._state.link
        until = self._now() + WALK_SECONDS
        while link and not self._is_full():
            page = self._lists.round(link)
            fresh = sorted(self._unknown(page.items), key=lambda item: item.received)
            onward = page.delta or page.next
            yield from self._open(_Page(set(), "", onward, ends_round=bool(page.delta)), fresh)
            link = "" if page.delta else onward
            if not fresh and self._now() >= until:
                return

    def _open(self, page: _Page, items: list[Item]) -> Iterator[Arrival]:
        page.waiting = {item.id for item in items}
        self._seen |= page.waiting
        self._pages.append(page)
        self._turn_pages()
        for item in items:
            if self._is_full():
                return
            yield Arrival(_PREFIX + item.id, item.size, moment(item.received))

    def _is_full(self) -> bool:
        """Whether the cursor has no room for more ids: the rest stays on its page, for the next poll."""
        return len(self._state.again) >= AGAIN_MOST or len(self._state.todo) >= TODO_MOST

    def _turn_pages(self) -> None:
        """The state moves past each page in turn as soon as none of its mails waits."""
        while self._pages and not self._pages[0].waiting:
            page = self._pages.popleft()
            self._state.link, self._state.backlog = page.link, page.backlog
            if page.ends_round:
                self._state.end_round()

    def _unknown(self, items: list[Item]) -> list[Item]:
        state = self._state
        unknown: dict[str, Item] = {}
        for item in items:
            if item.id not in self._seen and item.id not in state.again and not state.is_settled(item.id):
                unknown.setdefault(item.id, item)
        return list(unknown.values())

    def _put_off_before(self, ids: list[str]) -> Iterator[Arrival]:
        for id in ids:
            if id not in self._state.again:
                continue
            size = self._lists.size_of(id)
            if size is None:
                del self._state.again[id]
                continue
            known = self._state.again[id]
            # What proved too long when it was fetched stays too long, whatever Exchange's own count says.
            yield Arrival(_PREFIX + id, max(known.size, size), moment(known.received))

    def listing(self, since: datetime) -> Iterator[str]:
        """See ``ports.Source.listing``: a plain list, which shares nothing with delta queries."""
        for id in self._lists.ids(written(since)):
            yield _PREFIX + id

    def look_up(self, positions: Sequence[str]) -> Iterator[Arrival]:
        """See ``ports.Source.look_up``."""
        for position in positions:
            item = self._lists.one(position.removeprefix(_PREFIX))
            if item is not None:
                yield Arrival(position, item.size, moment(item.received))

    # ── fetching ──────────────────────────────────────────────────────────────────────────────────────────────────

    def fetch(self, arrival: Arrival) -> bytes | None:
        """See ``ports.Source.fetch``."""
        id = _id(arrival)
        # Not below mailFolders/…: Graph answers 405 there.
        answer = self._http.raw(f"{self._user}/messages/{segment(id)}/$value", MAX_RAW_BYTES)
        self._check_fetched(answer)
        if answer.ok and answer.body is None:
            self._note_too_long(id, arrival)
        if answer.ok and not answer.body:
            raise _refused(answer)
        return answer.body if answer.ok else None

    def fetch_head(self, arrival: Arrival) -> bytes | None:
        """See ``ports.Source.fetch_head``."""
        id = _id(arrival)
        fields = "internetMessageHeaders,internetMessageId,subject,from,toRecipients,sentDateTime"
        answer = self._http.get(f"{self._user}/messages/{segment(id)}?{query(select=fields)}")
        self._check_fetched(answer)
        return head_block(answer.json()) if answer.ok else None

    def _check_fetched(self, answer: Answer) -> None:
        """Raise what is wrong with the mailbox, or with this mail alone."""
        if answer.ok or answer.gone:
            return
        error = self._http.refused(answer)
        raise _refused(answer) if isinstance(error, ProtocolViolation) else error

    def _note_too_long(self, id: str, arrival: Arrival) -> None:
        """Delta queries tell no size: next time it is listed as too large, and only its head is fetched."""
        again = self._state.again.setdefault(id, Again(0, written(arrival.received)))
        again.size = MAX_RAW_BYTES + 1

    # ── settling ──────────────────────────────────────────────────────────────────────────────────────────────────

    def settle(self, arrival: Arrival) -> None:
        """See ``ports.Source.settle``."""
        self.skip(arrival)
        if self._after_import != "leave" and _id(arrival) not in self._state.todo:
            self._state.todo.append(_id(arrival))

    def skip(self, arrival: Arrival) -> None:
        """See ``ports.Source.skip``."""
        id = _id(arrival)
        self._state.again.pop(id, None)
        self._state.note_settled(id, written(arrival.received))
        self._pass(id)

    def put_off(self, arrival: Arrival) -> int:
        """See ``ports.Source.put_off``."""
        id = _id(arrival)
        again = self._state.again.setdefault(id, Again(0, written(arrival.received)))
        again.tries += 1
        self._pass(id)
        return again.tries

    def _pass(self, id: str) -> None:
        for page in self._pages:
            page.waiting.discard(id)
        self._turn_pages()

    def act(self) -> None:
        """See ``ports.Source.act``. A crash repeats it: reading, moving and deleting twice is the same as once."""
        for id in [id for id in self._state.todo if id in self._covered]:
            answer = self._act_on(f"{self._user}/messages/{segment(id)}")
            if not (answer.ok or answer.gone):
                raise self._http.refused(answer, "Mail.ReadWrite")
            self._state.todo.remove(id)

    def may_act(self) -> None:
        """See ``ports.Source.may_act``. The token says what was granted; a scoped app's token may say nothing."""
        self._http.step("permissions")
        claims = self._http.claims
        granted = {*roles_of(claims), *str(claims.get("scp") or "").split()}
        if TOO_MUCH & roles_of(claims) and not self._is_proved:
            self._http.watch.note(f"{AS_GRANTED} {limiting(claims, self._address, self._role())}")
        if self._after_import == "leave":
            return
        if any(name.startswith("Mail.Read") for name in granted) and not any(
            "Mail.ReadWrite" in name for name in granted
        ):
            raise AccessDenied(
                "The app may read mail, but not mark, move or delete it.",
                "Grant it Mail.ReadWrite instead of Mail.Read in Entra, or choose to leave mail where it is.",
                field="after_import",
            )
        if self._after_import == "move":
            self._folders.find(self._move_to, "move_to")

    def scope(self, other: str, meant: frozenset[str]) -> Finding:
        """See ``ports.Scoped.scope``."""
        if self._signed_in():
            return Finding("A person signed in: what that person may open is open, and nothing else.", is_known=False)
        folder = self._lists.folder or self._folders.find(self._name)[0]
        found = Reach(self._http, self._address, folder, self._role()).prove(other, meant)
        self._is_proved = found.is_known
        return found

    def _role(self) -> str:
        return "Mail.Read" if self._after_import == "leave" else "Mail.ReadWrite"

    def _act_on(self, message: str) -> Answer:
        if self._after_import == "delete":
            return self._http.change("DELETE", message)
        if self._after_import == "move":
            self._destination = self._destination or self._folders.find(self._move_to, "move_to")[0]
            return self._http.change("POST", f"{message}/move", {"destinationId": self._destination})
        return self._http.change("PATCH", message, {"isRead": True})


def _id(arrival: Arrival) -> str:
    return arrival.position.removeprefix(_PREFIX)


def _refused(answer: Answer) -> MailRefused:
    return MailRefused(
        f"Microsoft 365 lists a mail and does not hand it over{answer.reference}.", "The next polls try it again."
    )
