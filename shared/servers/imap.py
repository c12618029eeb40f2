"""IMAP (RFC 9051, RFC 3501) as a ``Source``: by UID only, reading without a trace.

What the cursor holds, and how a late mail is told from a settled one: imap_state.py.
"""

from __future__ import annotations

import imaplib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self, TypeVar

from shared.errors import FolderNotFound, InboundError, ServerUnfit, Throttled
from shared.model.mailbox import Settings
from shared.ports import Arrival
from shared.servers import imap_after as after_import
from shared.servers.credential import Credential
from shared.servers.dial import Dialer
from shared.servers.imap_client import connect, hang_up, log_in
from shared.servers.imap_fetch import Fetcher, uid_of
from shared.servers.imap_folders import there_are
from shared.servers.imap_search import highest, search, search_range
from shared.servers.imap_state import WINDOW, ImapState
from shared.servers.translate import errors_translated, opening_refused
from shared.servers.warm import WarmClients

Result = TypeVar("Result")

SIZES_AT_ONCE = 100
"""Mails whose size and date are asked for together."""

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
        self._fetcher = Fetcher(client)
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
        again = dict(self._state.again)
        uids = self._begin_poll()
        if uids is None:
            return
        # Something went wrong last time, perhaps because of one mail: then it must be clear because of which.
        self._fetcher.one_by_one = bool(again)
        yield from self._arrivals(uids)
        yield from self._arrivals(uid for uid in again if uid in self._state.again)
        self._state.next = max(self._state.next, self._uidnext)
        self._state.first = None
        self._state.messages = self._messages

    def _begin_poll(self) -> list[int] | None:
        """UIDs that are not settled; None when one STATUS said that nothing is new."""
        return self._asked(self._look)

    def _asked(self, question: Callable[[], Result]) -> Result:
        """The session's first question to the server."""
        with self._translated():
            try:
                return question()
            except (imaplib.IMAP4.abort, OSError):
                if not self._is_warm:
                    raise
        # The connection that waited was closed meanwhile: that is no fault of anybody's.
        self._is_warm = False
        self._watchdog.cancel()
        hang_up(self._client)
        self._connect()
        with self._translated():
            return question()

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
            if isinstance(wait := self._opening_refused(error), Throttled):
                raise wait from None
            return False  # some servers know no STATUS, or not of every folder: whether it opens, EXAMINE tells
        if status.get(b"UIDVALIDITY") != state.validity or status.get(b"UIDNEXT") != state.next:
            return False
        messages = status.get(b"MESSAGES")
        if not isinstance(messages, int):
            return False
        # Fewer than before (somebody deleted) is remembered: one that then appears late makes the count grow.
        came_late = messages > state.messages
        state.messages = messages
        return not came_late

    def _open_folder(self) -> None:
        """Here a UIDVALIDITY change is noticed."""
        validity = self._examine()
        if validity != self._state.validity:
            self._starts_over = True
            self._begin(validity)

    def _examine(self) -> int:
        """EXAMINE: SELECT without the right to change anything. The UIDVALIDITY."""
        self._watch.step("folder")
        opened = self._select(readonly=True)
        validity = opened.get(b"UIDVALIDITY")
        if validity is None:
            raise ServerUnfit(
                "This server gives its mails no lasting numbers (UIDVALIDITY), so mail could be taken in twice.",
                "Choose POP3 as server type, if the server offers it.",
            )
        self._messages = int(opened.get(b"EXISTS", 0))
        self._uidnext = int(opened.get(b"UIDNEXT", 0)) or highest(self._client) + 1
        return int(validity)

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
        self._state.recent = set(search(self._client, f"{max(1, self._uidnext - WINDOW)}:*"))

    def _list(self) -> list[int]:
        """UIDs that are not settled, ascending."""
        low = max(1, self._state.next - WINDOW)
        if self._state.first is None:
            found = search_range(self._client, low, self._uidnext, self._uidnext, self._messages)
        else:
            until, since = self._state.first
            # The date limits only what was there when the mailbox was connected. A mail that comes later is new
            # whatever its INTERNALDATE says (one that was moved here keeps its old one).
            by_date = ["SINCE", date.fromisoformat(since)]
            found = search_range(self._client, low, until - 1, self._uidnext, self._messages, by_date)
            found += search_range(self._client, until, self._uidnext, self._uidnext, self._messages)
        return sorted({uid for uid in found if self._state.is_new(uid)})

    def listing(self, since: datetime) -> Iterator[str]:
        """See ``ports.Source.listing``."""
        # A day before, as the day of INTERNALDATE is one in the server's zone.
        by_date = ["SINCE", since.astimezone(UTC).date() - timedelta(days=1)]
        validity = self._asked(self._examine)
        self._watch.step("list")
        with self._translated():
            found = search_range(self._client, 1, self._uidnext, self._uidnext, self._messages, by_date)
        yield from (_position(validity, uid) for uid in sorted(set(found)))

    def look_up(self, positions: Sequence[str]) -> Iterator[Arrival]:
        """See ``ports.Source.look_up``."""
        validity = self._asked(self._examine)
        uids = [
            int(uid) for before, _, uid in (one.rpartition(":") for one in positions) if before == f"imap:{validity}"
        ]
        for start in range(0, len(uids), SIZES_AT_ONCE):
            with self._translated():
                answers = self._client.fetch(uids[start : start + SIZES_AT_ONCE], ["RFC822.SIZE", "INTERNALDATE"])
            yield from (self._arrival(uid, answers[uid], validity) for uid in sorted(answers) if uid in uids)

    def _arrivals(self, uids: Iterable[int]) -> Iterator[Arrival]:
        waiting = list(uids)
        for start in range(0, len(waiting), SIZES_AT_ONCE):
            some = waiting[start : start + SIZES_AT_ONCE]
            with self._translated():
                described = self._describe(some)
            self._fetcher.upcoming = [described[uid] for uid in some if uid in described]
            for uid in some:
                if uid in described:
                    yield described[uid]
                else:
                    self._gone(uid)

    def _describe(self, uids: list[int]) -> dict[int, Arrival]:
        answers = self._client.fetch(uids, ["RFC822.SIZE", "INTERNALDATE"])
        return {uid: self._arrival(uid, answers[uid], self._state.validity) for uid in uids if uid in answers}

    def _arrival(self, uid: int, answer: Any, validity: int) -> Arrival:
        size = answer.get(b"RFC822.SIZE")
        return Arrival(
            position=_position(validity, uid),
            size=size if isinstance(size, int) and size > 0 else 0,
            received=_utc(answer.get(b"INTERNALDATE")) or self._now(),
        )

    def _gone(self, uid: int) -> None:
        """Listed and not there any more: somebody deleted it before we could read it."""
        self._state.again.pop(uid, None)
        self._state.pass_by(uid)

    def _not_opened(self, error: imaplib.IMAP4.error) -> InboundError:
        return self._opening_refused(error) or FolderNotFound(
            f"There is no folder {self._settings.folder} in this mailbox.", there_are(self._client)
        )

    def _opening_refused(self, error: imaplib.IMAP4.error) -> InboundError | None:
        return opening_refused(str(error), self._settings.host, self._settings.username)

    # ── fetching ──────────────────────────────────────────────────────────────────────────────────────────────────

    def fetch(self, arrival: Arrival) -> bytes | None:
        """See ``ports.Source.fetch``."""
        with self._translated():
            return self._fetcher.whole(arrival)

    def fetch_head(self, arrival: Arrival) -> bytes | None:
        """See ``ports.Source.fetch_head``."""
        with self._translated():
            return self._fetcher.head(arrival)

    def settle(self, arrival: Arrival) -> None:
        """See ``ports.Source.settle``."""
        self.skip(arrival)
        if self._settings.after_import != "leave":
            self._state.todo.add(uid_of(arrival))

    def skip(self, arrival: Arrival) -> None:
        """See ``ports.Source.skip``."""
        uid = uid_of(arrival)
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
        uid = uid_of(arrival)
        self._state.again[uid] = self._state.again.get(uid, 0) + 1
        self._state.pass_by(uid)
        return self._state.again[uid]


def _position(validity: int, uid: int) -> str:
    return f"imap:{validity}:{uid}"


def _utc(moment: Any) -> datetime | None:
    """A server's INTERNALDATE; None where it makes no sense, also just beyond the end of the calendar."""
    try:
        return moment.astimezone(UTC) if isinstance(moment, datetime) else None
    except OverflowError:
        return None
