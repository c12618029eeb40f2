"""POP3 (RFC 1939) as a ``Source``: by UIDL only, mail left where it is unless the tenant wants it deleted.

The cursor (``pop3_state``) remembers every mail that is on the server. What is new: ``pop3_news``; what is too old for
a first connection: ``pop3_dates``; what may go: ``pop3_delete``.

A deletion is never written down as done before the server said +OK to QUIT; and a mail that is not listed any more has
nothing left to do. So the list is the truth, whatever happened to an earlier session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Literal, Self

from shared.errors import InboundError
from shared.model.inbound import MAX_RAW_BYTES
from shared.model.mailbox import Settings
from shared.ports import Arrival
from shared.servers.credential import Credential
from shared.servers.dial import Dialer
from shared.servers.pop3_client import Refused
from shared.servers.pop3_dates import Dating, dated, is_too_old, received
from shared.servers.pop3_delete import Deletion, delete
from shared.servers.pop3_fetch import Fetcher
from shared.servers.pop3_lists import Listed, whole_list
from shared.servers.pop3_login import open_session
from shared.servers.pop3_news import News
from shared.servers.pop3_refusals import mail_refused, not_deleted, translated
from shared.servers.pop3_state import State

DATED_AT_ONCE = 50
"""Header blocks asked for in one go."""


class Pop3Source:
    """``ports.Source`` on a POP3 mailbox.

    Reading changes nothing by itself, but some servers mark a mail as read when it is fetched (Dovecot does at RETR,
    unless told pop3_no_flag_updates). TOP with very many lines would avoid that; there are servers that cut it short.
    """

    def __init__(
        self,
        settings: Settings,
        credential: Credential,
        dialer: Dialer,
        floor: date,
        now: Callable[[], datetime],
        after_import: Literal["leave", "delete"] = "leave",
        delete_after_days: int = 0,
    ) -> None:
        """``floor``: the oldest day (UTC) to download on a first connection. ``delete_after_days``: how long a mail
        stays on the server after we got it; 0 is until the next session."""
        self._settings = settings
        self._credential = credential
        self._dialer = dialer
        self._watch = dialer.watch
        self._floor = floor
        self._now = now
        self._deletion = Deletion(delete_after_days if after_import == "delete" else None)
        # Of this session: which mails are not settled yet, whether all was gone through, what is to be deleted.
        self._open: set[bytes] = set()
        self._complete = False
        self._due: list[Listed] = []
        self._upcoming: Sequence[Listed] = ()

    # ── the session ───────────────────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> Self:
        """Connect and log in."""
        self._client = open_session(self._settings, self._credential, self._dialer)
        self._prepare(State())
        return self

    def __exit__(self, *exception: object) -> None:
        """QUIT unlocks the mailbox for the next one, and nothing depends on its answer: a session with deletions ended
        in ``act``."""
        if self._client.is_open:
            with suppress(InboundError), self._translated():
                self._client.quit()
        self._client.close()

    def _prepare(self, state: State) -> None:
        self._dating = Dating(self._client, self._now, self._watch)
        minutes = self._settings.polling_minutes
        self._news = News(self._client, state, self._dating, minutes, self._now, self._watch)
        # Something went wrong last time, perhaps because of one mail: then it must be clear because of which.
        self._fetcher = Fetcher(self._client, self._settings, one_by_one=bool(state.again))

    def _translated(self) -> AbstractContextManager[None]:
        return translated(self._settings, self._client)

    @property
    def _state(self) -> State:
        return self._news.state

    # ── listing ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def starts_over(self) -> bool:
        """See ``ports.Source.starts_over``."""
        return self._news.starts_over

    def cursor(self) -> str:
        """See ``ports.Source.cursor``. About 11 characters for each mail on the server, so it may be long."""
        count, octets, last = self._news.seen if self._complete and not self._open else (0, 0, "")
        return replace(self._state, count=count, octets=octets, last=last).write()

    def new(self, cursor: str) -> Iterator[Arrival]:
        """See ``ports.Source.new``."""
        self._prepare(State.read(cursor))
        with self._translated():
            self._watch.step("list")
            deletes = self._deletion.is_due(self._state, self._today())
            found = self._news.find(first=not cursor, floor=self._floor, whole=deletes)
            if deletes:
                self._due = self._deletion.due(self._state, self._news.listed.values(), self._today())
            fresh = self._news.sized([mail for mail in found if mail.key not in self._state.again])
            again = self._news.sized([mail for mail in found if mail.key in self._state.again])
        self._open = {mail.key for mail in fresh + again}
        yield from self._arrivals(fresh)
        yield from self._arrivals(again)
        self._complete = True

    def listing(self, since: datetime) -> Iterator[str]:
        """See ``ports.Source.listing``: all of them, as POP3 tells no times."""
        with self._translated():
            self._watch.step("list")
            found = whole_list(self._client, self._watch)
        yield from (mail.position for mail in found)

    def look_up(self, positions: Sequence[str]) -> Iterator[Arrival]:
        """See ``ports.Source.look_up``."""
        wanted = set(positions)
        with self._translated():
            found = [mail for mail in whole_list(self._client, self._watch) if mail.position in wanted]
            mails = self._news.sized(found)
        for start in range(0, len(mails), DATED_AT_ONCE):
            group = mails[start : start + DATED_AT_ONCE]
            with self._translated():
                heads = self._dating.heads(group)
            for mail, head in zip(group, heads, strict=True):
                yield Arrival(mail.position, mail.size, min(dated(head) or self._now(), self._now()))

    def _arrivals(self, mails: Sequence[Listed]) -> Iterator[Arrival]:
        """Mails with the time of their arrival, which only their header tells.

        As a rule a mail is fetched here, whole, before it is yielded: that costs one command instead of two. Where it
        may well be too old or known already, only its header is.
        """
        while mails:
            too_large = mails[0].size > MAX_RAW_BYTES
            head_first = too_large or self.starts_over or mails[0].key in self._state.undated
            if head_first:
                group = mails[: 1 if too_large else DATED_AT_ONCE]
            else:
                group = self._fetcher.group_from(mails)
            mails = mails[len(group) :]
            self._upcoming = group
            if head_first:
                if self._dating.is_over:
                    return  # they stay open, and undated
                yield from self._dated_arrivals(group)
            else:
                with self._translated():
                    self._fetcher.retrieve(group)
                for mail in group:
                    yield self._arrival(mail, self._fetcher.head(mail))

    def _dated_arrivals(self, group: Sequence[Listed]) -> Iterator[Arrival]:
        with self._translated():
            heads = self._dating.heads(group)
        for mail, head in zip(group, heads, strict=True):
            if mail.key in self._state.undated and is_too_old(dated(head), self._state.floor):
                self._close(mail)
                self._state.left.add(mail.key)
            else:
                yield self._arrival(mail, head)

    def _arrival(self, mail: Listed, head: bytes) -> Arrival:
        now = self._now()
        moment = received(head)
        return Arrival(mail.position, mail.size, min(moment, now) if moment else now)

    # ── fetching ──────────────────────────────────────────────────────────────────────────────────────────────────

    def fetch(self, arrival: Arrival) -> bytes | None:
        """See ``ports.Source.fetch``. Never None: POP3 does not tell a mail that is gone from one that is refused."""
        mail = self._mail(arrival)
        if not self._fetcher.has(mail):
            with self._translated():
                self._fetcher.retrieve(self._group_of(mail))
        return self._fetcher.take(mail)

    def fetch_head(self, arrival: Arrival) -> bytes | None:
        """See ``ports.Source.fetch_head``."""
        with self._translated():
            (head,) = self._client.bodies([f"TOP {self._mail(arrival).number} 0"], MAX_RAW_BYTES)
        if isinstance(head, Refused):
            raise mail_refused()
        return head

    def _group_of(self, mail: Listed) -> Sequence[Listed]:
        waiting = self._upcoming[self._upcoming.index(mail) :] if mail in self._upcoming else [mail]
        return self._fetcher.group_from([one for one in waiting if one.key in self._open] or [mail])

    def _mail(self, arrival: Arrival) -> Listed:
        return self._news.listed[arrival.position]

    # ── settling ──────────────────────────────────────────────────────────────────────────────────────────────────

    def settle(self, arrival: Arrival) -> None:
        """See ``ports.Source.settle``."""
        mail = self._mail(arrival)
        if mail.size > MAX_RAW_BYTES:
            # Known from before, so nobody looked at it now; but of a mail of this size we have the head at most.
            self.skip(arrival)
            return
        self._close(mail)
        self._state.again.pop(mail.key, None)
        self._state.kept.setdefault(mail.key, self._today())

    def skip(self, arrival: Arrival) -> None:
        """See ``ports.Source.skip``."""
        mail = self._mail(arrival)
        self._close(mail)
        self._state.again.pop(mail.key, None)
        self._state.left.add(mail.key)

    def put_off(self, arrival: Arrival) -> int:
        """See ``ports.Source.put_off``."""
        mail = self._mail(arrival)
        self._close(mail)
        self._state.again[mail.key] = self._state.again.get(mail.key, 0) + 1
        return self._state.again[mail.key]

    def _close(self, mail: Listed) -> None:
        self._open.discard(mail.key)
        self._state.undated.discard(mail.key)

    def act(self) -> None:
        """See ``ports.Source.act``: delete what is due.

        Nothing happens before ``new`` is gone through: QUIT, which makes deletions real, ends the session.
        """
        if not self._complete or not self._due:
            return
        due, self._due = self._due, []
        with self._translated():
            left = delete(self._client, due)
        for mail in due:
            if mail.key not in left:
                self._state.kept.pop(mail.key, None)
        self._news.seen = (0, 0, "")
        if left:
            raise not_deleted()

    def may_act(self) -> None:
        """See ``ports.Source.may_act``. POP3 knows no rights: only a deletion would show, and a test makes none."""

    def _today(self) -> int:
        return self._now().astimezone(UTC).toordinal()
