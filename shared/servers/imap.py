"""IMAP (RFC 9051, RFC 3501) as a ``Source``: by UID only, reading without a trace.

What the cursor holds, and how a late mail is told from a settled one: imap_state.py.
"""

from __future__ import annotations

import imaplib
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any, Self

from shared.errors import FolderNotFound, InboundError, MailRefused, ServerUnfit
from shared.model.mailbox import Settings
from shared.ports import Arrival
from shared.servers import imap_after as after_import
from shared.servers.credential import Credential
from shared.servers.dial import Dialer
from shared.servers.imap_client import connect, hang_up, log_in
from shared.servers.imap_folders import there_are
from shared.servers.imap_state import WINDOW, ImapState
from shared.servers.translate import errors_translated, opening_refused
from shared.servers.warm import WarmClients

LIST_WINDOW = 20_000
"""UIDs of one SEARCH: imaplib refuses an answer over 1,000,000 bytes, which is about 150,000 UIDs."""

SIZES_AT_ONCE = 100
"""Mails whose size and date are asked for together."""

GROUP_MAILS = 25
GROUP_BYTES = 4 * 1024 * 1024
"""Small mails fetched in one command: saves round trips, costs this much memory."""

PART_BYTES = 1024 * 1024
"""A mail above this is fetched in parts of this size: imaplib holds a literal three times (50 MB cost 146 MB of
memory whole, 5 MB in parts, in the same time)."""

SESSION_SECONDS = 180
"""A server that drips one byte a second never runs into a read timeout; this ends the session whatever it does."""


class ImapSource:
    """``ports.Source`` on an IMAP folder."""

    def __init__(
        self,
        settings: Settings,
        credential: Credential,
        dialer: Dialer,
        floor: date,
        now: Callable[[], datetime],
        warm: tuple[WarmClients, str] | None = None,
    ) -> None:
        """``floor``: the oldest day to download on a first connection (INTERNALDATE, in the server's zone).

        ``warm``: where a connection may wait for the next poll, and under which key.
        """
        self._settings = settings
        self._credential = credential
        self._dialer = dialer
        self._watch = dialer.watch
        self._floor = floor
        self._now = now
        self._warm = warm
        self._is_warm = False
        self._state = ImapState()
        self._starts_over = False
        self._one_by_one = False
        self._upcoming: list[Arrival] = []
        self._fetched: dict[str, bytes | None] = {}

    # ── the session ───────────────────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> Self:
        """Connect and log in, or take the connection that the last poll left."""
        client = self._warm[0].take(self._warm[1]) if self._warm else None
        self._is_warm = client is not None
        if client is not None:
            self._use(client)
        else:
            self._connect()
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave the connection for the next poll, or hang up. LOGOUT would cost a round trip and change nothing."""
        self._watchdog.cancel()
        if self._warm and not any(exception) and self._rests():
            self._warm[0].park(self._warm[1], self._client)
        else:
            hang_up(self._client)

    def _connect(self) -> None:
        with self._translated():
            self._use(connect(self._settings, self._dialer))
            try:
                log_in(self._client, self._settings, self._credential, self._watch)
            except BaseException:
                self._watchdog.cancel()
                hang_up(self._client)
                raise

    def _use(self, client: Any) -> None:
        self._client = client
        self._selected = False
        self._watchdog = threading.Timer(SESSION_SECONDS, hang_up, [client])
        self._watchdog.daemon = True
        self._watchdog.start()

    def _rests(self) -> bool:
        """Whether the connection is fit to wait: no folder open, as STATUS of an open folder may be stale."""
        if not self._selected:
            return True
        try:
            # The folder is open for reading only, so closing it expunges nothing (RFC 9051, 6.4.1).
            self._client.close_folder()
        except (imaplib.IMAP4.error, OSError):
            return False
        return True

    def _translated(self) -> Any:
        settings = self._settings
        return errors_translated(settings.host, settings.effective_port, "imap", settings.security)

    # ── listing ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def starts_over(self) -> bool:
        """See ``ports.Source.starts_over``."""
        return self._starts_over

    def cursor(self) -> str:
        """See ``ports.Source.cursor``."""
        return self._state.write()

    def new(self, cursor: str) -> Iterator[Arrival]:
        """See ``ports.Source.new``."""
        self._state = ImapState.read(cursor)
        # Something went wrong last time, perhaps because of one mail: then it must be clear because of which.
        self._one_by_one = bool(self._state.again)
        again = dict(self._state.again)
        uids = self._begin_poll()
        if uids is None:
            return
        yield from self._arrivals(uids)
        yield from self._arrivals(uid for uid in again if uid in self._state.again)
        self._state.next = max(self._state.next, self._uidnext)
        self._state.first = None
        self._state.messages = self._messages

    def _begin_poll(self) -> list[int] | None:
        """UIDs that are not settled; None when one STATUS said that nothing is new."""
        with self._translated():
            try:
                return self._look()
            except (imaplib.IMAP4.abort, OSError):
                if not self._is_warm:
                    raise
        # The connection that waited was closed meanwhile: that is no fault of anybody's.
        self._is_warm = False
        self._watchdog.cancel()
        hang_up(self._client)
        self._connect()
        with self._translated():
            return self._look()

    def _look(self) -> list[int] | None:
        if self._is_idle():
            return None
        self._open_folder()
        self._watch.step("list")
        uids = self._list()
        self._watch.note(f"{self._messages} mails in the folder, {len(uids)} to download.")
        return uids

    def _is_idle(self) -> bool:
        """One STATUS tells: nothing new, nothing left over from last time."""
        state = self._state
        if not state.validity or state.first or state.again or state.todo:
            return False
        self._watch.step("folder")
        try:
            status = self._client.folder_status(self._settings.folder, ["UIDVALIDITY", "UIDNEXT", "MESSAGES"])
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            raise self._not_opened(error) from None
        if status.get(b"UIDVALIDITY") != state.validity or status.get(b"UIDNEXT") != state.next:
            return False
        # Fewer than before (somebody deleted) is remembered: one that then appears late makes the count grow.
        came_late = status[b"MESSAGES"] > state.messages
        state.messages = status[b"MESSAGES"]
        return not came_late

    def _open_folder(self) -> None:
        """EXAMINE: SELECT without the right to change anything. Here a UIDVALIDITY change is noticed."""
        self._watch.step("folder")
        opened = self._select(readonly=True)
        validity = opened.get(b"UIDVALIDITY")
        if validity is None:
            raise ServerUnfit(
                "This server gives its mails no lasting numbers (UIDVALIDITY), so mail could be taken in twice.",
                "Choose POP3 as server type, if the server offers it.",
            )
        self._messages = int(opened.get(b"EXISTS", 0))
        self._uidnext = int(opened.get(b"UIDNEXT", 0)) or self._highest_uid() + 1
        if validity != self._state.validity:
            self._starts_over = True
            self._begin(int(validity))

    def _select(self, readonly: bool) -> Any:
        self._selected = True
        try:
            return self._client.select_folder(self._settings.folder, readonly=readonly)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            raise self._not_opened(error) from None

    def _begin(self, validity: int) -> None:
        """A first pass: the days to download, by date; and what lies in the window now is not what came late."""
        self._state = ImapState(validity=validity, first=(self._uidnext, self._floor.isoformat()))
        self._state.recent = set(self._search(f"{max(1, self._uidnext - WINDOW)}:*"))

    def _highest_uid(self) -> int:
        return max(self._search("*"), default=0)

    def _list(self) -> list[int]:
        """UIDs that are not settled, ascending."""
        low = max(1, self._state.next - WINDOW)
        if self._state.first is None:
            found = self._search_range(low, self._uidnext, [])
        else:
            until, since = self._state.first
            # The date limits only what was there when the mailbox was connected. A mail that comes later is new
            # whatever its INTERNALDATE says (one that was moved here keeps its old one).
            found = self._search_range(low, until - 1, ["SINCE", date.fromisoformat(since)])
            found += self._search_range(until, self._uidnext, [])
        return sorted({uid for uid in found if self._state.is_new(uid)})

    def _search_range(self, low: int, high: int, more: list[Any]) -> list[int]:
        """UIDs from ``low``; up to ``high``, or all there are where that is the newest."""
        found: list[int] = []
        start = low
        while high - start > LIST_WINDOW:
            found += self._search(f"{start}:{start + LIST_WINDOW - 1}", more)
            start += LIST_WINDOW
        if start <= high:
            found += self._search(f"{start}:{'*' if high >= self._uidnext else high}", more)
        # "n:*" lists the last mail even when that is below n (RFC 9051, 6.4.9): UIDNEXT 6, "6:*" gives 5.
        return [uid for uid in found if uid >= low]

    def _search(self, uids: str, more: Iterable[Any] = ()) -> list[int]:
        # Only numbers and a date of ours go into a SEARCH: text of a sender would become commands.
        return [int(uid) for uid in self._client.search(["UID", uids, *more])]

    def _arrivals(self, uids: Iterable[int]) -> Iterator[Arrival]:
        waiting = list(uids)
        for start in range(0, len(waiting), SIZES_AT_ONCE):
            some = waiting[start : start + SIZES_AT_ONCE]
            with self._translated():
                described = self._describe(some)
            self._upcoming = [described[uid] for uid in some if uid in described]
            for uid in some:
                if uid in described:
                    yield described[uid]
                else:
                    self._gone(uid)

    def _describe(self, uids: list[int]) -> dict[int, Arrival]:
        answers = self._client.fetch(uids, ["RFC822.SIZE", "INTERNALDATE"])
        return {uid: self._arrival(uid, answers[uid]) for uid in uids if uid in answers}

    def _arrival(self, uid: int, answer: Any) -> Arrival:
        received = answer.get(b"INTERNALDATE")
        return Arrival(
            position=f"imap:{self._state.validity}:{uid}",
            size=int(answer.get(b"RFC822.SIZE") or 0),
            received=received.astimezone(UTC) if isinstance(received, datetime) else self._now(),
        )

    def _gone(self, uid: int) -> None:
        """Listed and not there any more: somebody deleted it before we could read it."""
        self._state.again.pop(uid, None)
        self._state.pass_by(uid)

    def _not_opened(self, error: imaplib.IMAP4.error) -> InboundError:
        settings = self._settings
        return opening_refused(str(error), settings.host, settings.username) or FolderNotFound(
            f"There is no folder {settings.folder} in this mailbox.", there_are(self._client)
        )

    # ── fetching ──────────────────────────────────────────────────────────────────────────────────────────────────

    def fetch(self, arrival: Arrival) -> bytes | None:
        """See ``ports.Source.fetch``."""
        with self._translated():
            if arrival.size > PART_BYTES:
                return self._fetch_parts(arrival)
            if arrival.position not in self._fetched:
                self._fetched = self._fetch_group(arrival)
            return self._fetched.pop(arrival.position)

    def fetch_head(self, arrival: Arrival) -> bytes | None:
        """See ``ports.Source.fetch_head``."""
        with self._translated():
            return self._fetch_one(arrival, "BODY.PEEK[HEADER]")

    def settle(self, arrival: Arrival) -> None:
        """See ``ports.Source.settle``."""
        self.skip(arrival)
        if self._settings.after_import != "leave":
            self._state.todo.add(_uid(arrival))

    def skip(self, arrival: Arrival) -> None:
        """See ``ports.Source.skip``."""
        uid = _uid(arrival)
        self._state.again.pop(uid, None)
        self._state.pass_by(uid)

    def act(self) -> None:
        """See ``ports.Source.act``."""
        if not self._state.todo:
            return
        with self._translated():
            # The right to change is taken for just this, and only where the UIDs still mean what they meant.
            if self._select(readonly=False).get(b"UIDVALIDITY") == self._state.validity:
                after_import.apply(self._client, self._settings, sorted(self._state.todo))
            self._state.todo.clear()
            self._select(readonly=True)

    def may_act(self) -> None:
        """See ``ports.Source.may_act``."""
        with self._translated():
            after_import.check(self._client, self._settings, self._watch)

    def put_off(self, arrival: Arrival) -> int:
        """See ``ports.Source.put_off``."""
        uid = _uid(arrival)
        self._state.again[uid] = self._state.again.get(uid, 0) + 1
        self._state.pass_by(uid)
        return self._state.again[uid]

    def _fetch_group(self, arrival: Arrival) -> dict[str, bytes | None]:
        """This mail and the small ones after it, in one command; alone when that is refused."""
        group = [arrival] if self._one_by_one else self._group_from(arrival)
        if len(group) > 1:
            try:
                answers = self._client.fetch([_uid(one) for one in group], ["BODY.PEEK[]"])
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error:
                self._one_by_one = True
            else:
                whole = {one.position: _part(answers[_uid(one)], b"BODY[]") for one in group if _uid(one) in answers}
                fetched: dict[str, bytes | None] = {position: content for position, content in whole.items() if content}
                if arrival.position in fetched:
                    return fetched
        return {arrival.position: self._fetch_one(arrival, "BODY.PEEK[]")}

    def _group_from(self, arrival: Arrival) -> list[Arrival]:
        group: list[Arrival] = []
        total = 0
        start = self._upcoming.index(arrival) if arrival in self._upcoming else len(self._upcoming)
        for one in self._upcoming[start : start + GROUP_MAILS]:
            total += one.size
            if one.size > PART_BYTES or total > GROUP_BYTES:
                break
            group.append(one)
        return group or [arrival]

    def _fetch_one(self, arrival: Arrival, what: str) -> bytes | None:
        """None when the mail is gone; ``MailRefused`` when the server has it and does not give it."""
        key = what.replace(".PEEK", "").encode()
        try:
            answer = self._client.fetch([_uid(arrival)], [what]).get(_uid(arrival))
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            raise _refused() from None
        if answer is None:
            return None
        content = _part(answer, key)
        # Of a mail that another client just deleted, a server may send nothing or NIL (RFC 2180, 4.1.3): the next
        # poll sees that it is gone.
        if content is None or (not content and "<" not in what):
            raise _refused()
        return content

    def _fetch_parts(self, arrival: Arrival) -> bytes | None:
        whole = bytearray()
        while True:
            part = self._fetch_one(arrival, f"BODY.PEEK[]<{len(whole)}.{PART_BYTES}>")
            if part is None:
                return None
            whole += part
            # The stated size may be wrong (Exchange counts otherwise): only a short part is the end.
            if len(part) < PART_BYTES:
                return bytes(whole)


def _uid(arrival: Arrival) -> int:
    return int(arrival.position.rpartition(":")[2])


def _part(answer: Any, key: bytes) -> bytes | None:
    """The content of a FETCH answer; a server names a part by its offset only: BODY[]<0> for BODY[]<0.1048576>."""
    name = key.partition(b".")[0] + b">" if b"<" in key else key
    content = answer.get(name, answer.get(key))
    return content if isinstance(content, bytes) else None


def _refused() -> MailRefused:
    return MailRefused("The server lists a mail and does not hand it over.", "The next polls try it again.")
