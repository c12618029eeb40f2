"""POP3 (RFC 1939) as a ``Source``: by UIDL only, mail left where it is unless the tenant wants it deleted.

POP3 numbers mails anew in each session and knows no "since", so the cursor (``pop3_state``) remembers every mail that
is on the server.

A deletion is never written down as done before the server said +OK to QUIT; and a mail that is not listed any more has
nothing left to do. So the list is the truth, whatever happened to an earlier session.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Literal, Self

from shared.errors import (
    AccessDenied,
    InboundError,
    MailRefused,
    ProtocolViolation,
    ServerError,
    ServerUnfit,
    SignInNotOffered,
    Throttled,
    Unreachable,
)
from shared.mail.date import parse_date
from shared.mail.header import read_block
from shared.model.inbound import MAX_RAW_BYTES
from shared.model.mailbox import Settings
from shared.ports import Arrival
from shared.servers.credential import Credential, Tokens
from shared.servers.dial import Dialer
from shared.servers.pop3_client import Pop3Client, Refused
from shared.servers.pop3_state import HASH_BYTES, State
from shared.servers.translate import (
    control_character,
    errors_translated,
    in_use,
    login_refused,
    not_enabled,
    special_refusal,
    token_refused,
)

SESSION_SECONDS = 180
"""The end of a conversation, whatever the server does; as with IMAP."""

WHOLE_MINUTES = 60
WHOLE_POLLS = 10
"""The whole list is read again after this time or this many polls, whichever is less: a mail that a server slips in
among the old ones is noticed by nothing else. 10,000 mails cost 230 KB each time."""

SINGLE_COMMANDS = 10
"""Up to this many mails are asked for one by one (UIDL n, LIST n); above, the whole list costs less time."""

DATED_ONE_BY_ONE = 200
"""A first list up to this length is dated mail by mail; a longer one by bisection, which needs dates that ascend."""

SAMPLES = 32
NEIGHBOURS = 8
"""Mails below the bisected border whose dates are looked at, spread evenly and right below it: one that is new enough
shows that the dates do not ascend."""

DATING_SECONDS = 45
"""Of one session for looking at dates. The rest is the next session's; less than a poll's budget (60 s), because a
mail that is yielded must still be fetched."""

DATED_AT_ONCE = 50
GROUP_MAILS = 25
GROUP_BYTES = 4 * 1024 * 1024
"""Asked for in one go where the server takes it (PIPELINING): saves round trips, costs this much memory."""

HEAD_BYTES = 1024 * 1024
"""Of a header block are looked at for a date; what is longer is not read as one anyway (mail.limits)."""

DELETIONS = 200
"""Of one session, so that a server without PIPELINING gets to QUIT well within the session."""

_IN_USE = re.compile(r"\block(ed)?\b|in use|already open", re.I)
"""How servers without response codes (RFC 2449) say that somebody else has the mailbox open."""

_BUSY = re.compile(r"busy|too many|overload|later", re.I)
"""Likewise that they want to be left alone."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A mail in this session. ``name`` tells it from all others of the mailbox, for ever."""

    number: int
    name: str
    key: bytes
    size: int = 0

    @property
    def position(self) -> str:
        return f"pop3:{self.name}"


def _listed(number: int, uidl: bytes) -> _Listed:
    # Hashed, because a UIDL may hold any printable character, and some servers let more through.
    digest = hashlib.sha256(uidl)
    return _Listed(number, digest.hexdigest()[:32], digest.digest()[:HASH_BYTES])


# ── the source ────────────────────────────────────────────────────────────────────────────────────────────────────


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
        self._deletes = after_import == "delete"
        self._delete_after_days = delete_after_days
        self._state = State()
        self._starts_over = False
        self._one_by_one = False
        self._dating_seconds = 0.0
        # Of this session: what STAT said, what is listed, what is not settled yet, whether all of it was gone through.
        self._seen = (0, 0, "")
        self._listed: dict[str, _Listed] = {}
        self._open: set[bytes] = set()
        self._complete = False
        self._due: list[_Listed] = []
        self._upcoming: list[_Listed] = []
        self._fetched: dict[str, bytes | InboundError] = {}

    # ── the session ───────────────────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> Self:
        """Connect and log in."""
        with self._translated():
            self._connect()
            try:
                self._log_in()
            except BaseException:
                self._client.close()
                raise
        return self

    def _connect(self) -> None:
        settings = self._settings
        self._client = Pop3Client(self._dialer, settings.host, settings.effective_port, SESSION_SECONDS)
        try:
            self._client.connect(settings.security)
        except Refused as refused:
            raise self._transient(refused) or Unreachable(
                f"{settings.host} takes no connections just now.",
                "The next poll tries again; nothing is wrong with the settings as far as this shows.",
            ) from refused

    def __exit__(self, *exception: object) -> None:
        """QUIT unlocks the mailbox for the next one, and nothing depends on its answer: a session with deletions ended
        in ``act``."""
        if self._client.is_open:
            with suppress(InboundError), self._translated():
                self._client.quit()
        self._client.close()

    def _log_in(self) -> None:
        if self._credential.tokens is None:
            self._watch.step("login")
        user = _checked(self._settings.username or self._settings.email, "username")
        try:
            if self._credential.tokens is not None:
                self._sign_in(user, self._credential.tokens)
            else:
                self._watch.secret(self._credential.password)
                self._log_in_with(user, _checked(self._credential.password, "password"))
        except Refused as refused:
            raise self._login_refused(refused) from None

    def _log_in_with(self, user: str, password: str) -> None:
        """PLAIN carries any letter (UTF-8, RFC 4616). In clear text, a challenge shows nothing to whoever listens
        (RFC 2195); inside TLS it only makes the server keep the password readable."""
        offered = self._client.capabilities
        mechanisms = offered.get("SASL", "").split()
        in_clear = self._settings.security == "none"
        if "CRAM-MD5" in mechanisms and (in_clear or not ("PLAIN" in mechanisms or "USER" in offered)):
            self._client.authenticate("CRAM-MD5", lambda challenge: _cram(user, password, challenge))
        elif "PLAIN" in mechanisms:
            self._client.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
        else:
            self._client.command(f"USER {user}")
            self._client.command(f"PASS {password}", shown="PASS ***")

    def _sign_in(self, user: str, tokens: Tokens) -> None:
        """XOAUTH2 (Microsoft, Google). A token that the server refuses is replaced once."""
        mechanisms = self._client.capabilities.get("SASL", "XOAUTH2").split()
        if "XOAUTH2" not in mechanisms:
            raise SignInNotOffered(
                f"{self._settings.host} does not offer signing in by OAuth 2.0.",
                "Choose password as the way to log in; if this is Microsoft 365, use outlook.office365.com as server "
                "name.",
            )
        try:
            self._watch.step("token")
            self._bear(user, tokens(False))
        except Refused as refused:
            if self._transient(refused):
                raise
            # Some servers hang up after a refusal: a new connection is sure.
            self._client.close()
            self._connect()
            self._watch.step("token")
            self._bear(user, tokens(True))

    def _bear(self, user: str, token: str) -> None:
        self._watch.secret(token)
        self._watch.step("login")
        first = f"user={user}\x01auth=Bearer {_checked(token)}\x01\x01".encode()
        # A refusal comes as a challenge with the reason, which wants an empty answer before the server says no.
        self._client.authenticate("XOAUTH2", lambda challenge: b"" if challenge else first)

    def _login_refused(self, refused: Refused) -> InboundError:
        if transient := self._transient(refused):
            return transient
        host = self._settings.host
        if refused.code == "SYS/PERM":
            return special_refusal(refused.text, host) or not_enabled(host, "POP3")
        if self._credential.tokens is not None:
            return token_refused(refused, refused.challenge, host)
        return login_refused(refused, host)

    def _transient(self, refused: Refused) -> ServerError | None:
        """A refusal that time mends, by its code (RFC 2449 section 8.1, RFC 3206) or its words."""
        if refused.code == "LOGIN-DELAY":
            pause = re.match(r"\d{1,6}", self._client.capabilities.get("LOGIN-DELAY", ""))
            seconds = float(pause.group()) if pause else None
            return _longer_pauses(seconds)
        if refused.code == "IN-USE" or (not refused.code and _IN_USE.search(refused.text)):
            return in_use()
        if refused.code == "SYS/TEMP":
            return Unreachable("The mail server has trouble of its own just now.", "The next poll tries again.")
        if not refused.code and _BUSY.search(refused.text):
            return Throttled("The mail server has too much to do just now.", "Polling slows down by itself.")
        return None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        settings = self._settings
        with errors_translated(settings.host, settings.effective_port, "pop3", settings.security):
            try:
                yield
            except Refused as refused:
                raise self._transient(refused) or ProtocolViolation(
                    f"{self._settings.host} refused a command that it should know.", "The next poll tries again."
                ) from refused

    # ── listing ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def starts_over(self) -> bool:
        """See ``ports.Source.starts_over``."""
        return self._starts_over

    def cursor(self) -> str:
        """See ``ports.Source.cursor``. About 11 characters for each mail on the server, so it may be long."""
        count, octets, last = self._seen if self._complete and not self._open else (0, 0, "")
        return replace(self._state, count=count, octets=octets, last=last).write()

    def new(self, cursor: str) -> Iterator[Arrival]:
        """See ``ports.Source.new``."""
        self._state = State.read(cursor)
        # Something went wrong last time, perhaps because of one mail: then it must be clear because of which.
        self._one_by_one = bool(self._state.again)
        with self._translated():
            self._watch.step("list")
            found = self._list(first=not cursor)
            fresh = self._sized([mail for mail in found if mail.key not in self._state.again])
            again = self._sized([mail for mail in found if mail.key in self._state.again])
        self._open = {mail.key for mail in fresh + again}
        yield from self._arrivals(fresh)
        yield from self._arrivals(again)
        self._complete = True

    def _list(self, first: bool) -> list[_Listed]:
        """Mails that are not settled, in the server's order: that of arrival, as a rule."""
        state = self._state
        due = self._is_due()
        if not (due or first or state.again or state.undated or self._whole_is_old()):
            tail = self._tail()
            if tail is not None:
                return tail
            return self._whole(first)
        self._stat()
        return self._whole(first)

    def _stat(self) -> None:
        self._note_stat(self._client.command("STAT"))

    def _note_stat(self, answer: str) -> None:
        match = re.match(r"(\d{1,10}) (\d{1,20})", answer)
        if not match:
            raise ProtocolViolation("The server does not say how many mails there are.", "The next poll tries again.")
        self._seen = (int(match.group(1)), int(match.group(2)), "")

    def _tail(self) -> list[_Listed] | None:
        """What came after the last mail of the last time, by single UIDLs; None when they cannot tell.

        Where the last mail is still the last one, and count and size are the same, there is nothing new.
        """
        state = self._state
        known = f"UIDL {state.count}"
        if "PIPELINING" in self._client.capabilities and state.count:
            stat, uidl = self._client.statuses(["STAT", known])
        else:
            (stat,) = self._client.statuses(["STAT"])
            uidl = ""
        if isinstance(stat, Refused):
            raise stat
        self._note_stat(stat)
        count, octets, _ = self._seen
        if count == 0 and state.count == 0:
            return []
        if not state.count or not 0 <= count - state.count <= SINGLE_COMMANDS:
            return None
        (uidl,) = [uidl] if uidl else self._client.statuses([known])
        if _named(uidl) is None or _named(uidl) != state.last:
            return None
        if count == state.count:
            self._seen = (count, octets, state.last)
            return [] if octets == state.octets else None
        return self._after(state.count, count)

    def _after(self, known: int, count: int) -> list[_Listed] | None:
        answers = self._client.statuses([f"UIDL {number}" for number in range(known + 1, count + 1)])
        lines = [_numbered(answer.encode("latin-1")) for answer in answers if isinstance(answer, str)]
        found = [_listed(*line) for line in lines if line is not None]
        # A UIDL that is known is there twice, or the server miscounts: only the whole list shows which.
        keys = {mail.key for mail in found}
        if len(keys) < count - known or any(self._state.is_known(key) for key in keys):
            return None
        self._seen = (count, self._seen[1], found[-1].key.hex())
        return found

    def _whole(self, first: bool) -> list[_Listed]:
        """The whole list; only it can tell what is gone, and that the server names everything anew."""
        found = self._told_apart(self._uidl())
        keys = {mail.key for mail in found}
        known = not self._state.is_empty()
        if first or (known and found and not any(self._state.is_known(key) for key in keys)):
            self._starts_over = True
            self._begin(found)
        self._state.forget_all_but(keys)
        self._state.whole = self._minute()
        count, octets, _ = self._seen
        # Counted here, not by STAT: a mail that came between the two would never be looked for.
        last = found[-1].key.hex() if found and len(found) == count else ""
        self._seen = (len(found), octets, last)
        self._listed = {mail.position: mail for mail in found}
        if self._is_due():
            self._due = [mail for mail in found if self._may_go(mail.key)][:DELETIONS]
        return [mail for mail in found if not self._state.is_settled(mail.key)]

    def _uidl(self) -> list[tuple[int, bytes]]:
        try:
            lines = self._client.lines("UIDL")
        except Refused as refused:
            if self._transient(refused):
                raise
            raise ServerUnfit(
                "This server cannot tell mails apart (it has no UIDL), so mail could be taken in twice.",
                "Choose IMAP as server type, which most servers offer as well.",
            ) from None
        found = [_numbered(line) for line in lines]
        if None in found:
            raise ProtocolViolation("The server's list of mails makes no sense.", "The next poll tries again.")
        return sorted(line for line in found if line is not None)

    def _told_apart(self, lines: list[tuple[int, bytes]]) -> list[_Listed]:
        """RFC 1939 forbids two mails with one UIDL, and some servers send them: size and order tell them apart."""
        counts = Counter(uidl for _, uidl in lines)
        if len(counts) == len(lines):
            return [_listed(number, uidl) for number, uidl in lines]
        self._watch.note("several mails have the same UIDL; they are told apart by their sizes")
        sizes = self._sizes()
        seen: Counter[str] = Counter()
        found = []
        for number, uidl in lines:
            mail = _listed(number, uidl)
            if counts[uidl] > 1:
                name = f"{mail.name}:{sizes.get(number, 0)}"
                seen[name] += 1
                name = f"{name}:{seen[name]}" if seen[name] > 1 else name
                mail = replace(mail, name=name, key=hashlib.sha256(name.encode()).digest()[:HASH_BYTES])
            found.append(mail)
        return found

    def _sized(self, mails: list[_Listed]) -> list[_Listed]:
        """With their sizes; all at once where there are many."""
        if len(mails) > SINGLE_COMMANDS:
            sizes = self._sizes()
        else:
            answers = self._client.statuses([f"LIST {mail.number}" for mail in mails])
            lines = [_numbered(answer.encode("latin-1")) for answer in answers if isinstance(answer, str)]
            sizes = {line[0]: _size(line[1]) for line in lines if line is not None}
        sized = [replace(mail, size=sizes.get(mail.number, 0)) for mail in mails]
        self._listed |= {mail.position: mail for mail in sized}
        return sized

    def _sizes(self) -> dict[int, int]:
        lines = [_numbered(line) for line in self._client.lines("LIST")]
        return {line[0]: _size(line[1]) for line in lines if line is not None}

    def _whole_is_old(self) -> bool:
        minutes = min(WHOLE_MINUTES, WHOLE_POLLS * self._settings.polling_minutes)
        return not 0 <= self._minute() - self._state.whole < minutes

    def _minute(self) -> int:
        return int(self._now().timestamp()) // 60

    # ── the first pass ────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, found: list[_Listed]) -> None:
        """Everything is new: only mail of the days to download is wanted, and POP3 has no dates but those in the mails.

        A short list is dated mail by mail. In a long one the border is found by bisection, as mails lie in the order
        in which they came; what is above it is still dated one by one, and samples below it show whether the order
        can be trusted. If not, every mail is dated, over several sessions if need be.
        """
        self._state = State(floor=self._floor.isoformat())
        border = self._border(self._sized(found)) if len(found) > DATED_ONE_BY_ONE else 0
        self._state.left = {mail.key for mail in found[:border]}
        self._state.undated = {mail.key for mail in found[border:]}

    def _border(self, found: list[_Listed]) -> int:
        """The index of the oldest mail that is wanted, or 0 if the dates do not ascend."""
        low, high = 0, len(found)
        while low < high:
            middle = (low + high) // 2
            if self._is_too_old(self._dates([found[middle]])[0]):
                low = middle + 1
            else:
                high = middle
        evenly = found[: low : max(1, low // SAMPLES)]
        near = found[max(0, low - NEIGHBOURS) : low]
        if all(self._is_too_old(day) for day in self._dates([*evenly, *near])):
            return low
        self._watch.note("mails are not in the order of their dates: each one is looked at")
        return 0

    def _is_too_old(self, dated: datetime | None) -> bool:
        """What has no date is wanted: better an old incident than a lost one."""
        return dated is not None and dated.date() < date.fromisoformat(self._state.floor)

    def _dates(self, mails: Sequence[_Listed]) -> list[datetime | None]:
        return [_dated(head) for head in self._heads(mails)]

    def _heads(self, mails: Sequence[_Listed]) -> list[bytes]:
        """Header blocks, each empty where it cannot be had."""
        begun = self._now()
        heads = [_cut(head) for head in self._client.bodies([f"TOP {mail.number} 0" for mail in mails], MAX_RAW_BYTES)]
        for index, mail in enumerate(mails):
            # TOP is optional (RFC 1939 section 7); without it the whole mail tells.
            if heads[index] is None and mail.size <= MAX_RAW_BYTES:
                (whole,) = self._client.bodies([f"RETR {mail.number}"], MAX_RAW_BYTES)
                heads[index] = _cut(whole)
        self._dating_seconds += (self._now() - begun).total_seconds()
        return [head or b"" for head in heads]

    # ── mails ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _arrivals(self, mails: list[_Listed]) -> Iterator[Arrival]:
        """Mails with the time of their arrival, which only their header tells.

        As a rule a mail is fetched here, whole, before it is yielded: that costs one command instead of two. Where it
        may well be too old or known already, only its header is.
        """
        while mails:
            too_large = mails[0].size > MAX_RAW_BYTES
            head_first = too_large or self._starts_over or mails[0].key in self._state.undated
            group = mails[: 1 if too_large else DATED_AT_ONCE] if head_first else self._group_from(mails)
            mails = mails[len(group) :]
            self._upcoming = group
            if head_first:
                if self._dating_seconds > DATING_SECONDS:
                    return  # they stay open, and undated
                yield from self._dated_arrivals(group)
            else:
                with self._translated():
                    self._retrieve(group)
                for mail in group:
                    raw = self._fetched.get(mail.position)
                    yield self._arrival(mail, raw if isinstance(raw, bytes) else b"")

    def _dated_arrivals(self, group: list[_Listed]) -> Iterator[Arrival]:
        with self._translated():
            heads = self._heads(group)
        for mail, head in zip(group, heads, strict=True):
            if mail.key in self._state.undated and self._is_too_old(_dated(head)):
                self._close(mail)
                self._state.left.add(mail.key)
            else:
                yield self._arrival(mail, head)

    def _arrival(self, mail: _Listed, head: bytes) -> Arrival:
        now = self._now()
        received = _received(head)
        return Arrival(mail.position, mail.size, min(received, now) if received else now)

    def fetch(self, arrival: Arrival) -> bytes | None:
        """See ``ports.Source.fetch``. Never None: POP3 does not tell a mail that is gone from one that is refused."""
        if arrival.position not in self._fetched:
            with self._translated():
                self._retrieve(self._group_of(arrival))
        found = self._fetched.pop(arrival.position, None)
        if isinstance(found, InboundError):
            raise found
        if found is None:
            raise Unreachable(f"The connection to {self._settings.host} broke.", "The next poll tries again.")
        return found

    def fetch_head(self, arrival: Arrival) -> bytes | None:
        """See ``ports.Source.fetch_head``."""
        with self._translated():
            (head,) = self._client.bodies([f"TOP {self._listed[arrival.position].number} 0"], MAX_RAW_BYTES)
        if isinstance(head, Refused):
            raise _mail_refused()
        return head

    def settle(self, arrival: Arrival) -> None:
        """See ``ports.Source.settle``."""
        mail = self._listed[arrival.position]
        if mail.size > MAX_RAW_BYTES:
            # Known from before, so nobody looked at it now; but of a mail of this size we have the head at most.
            self.skip(arrival)
            return
        self._close(mail)
        self._state.again.pop(mail.key, None)
        self._state.kept.setdefault(mail.key, self._today())

    def skip(self, arrival: Arrival) -> None:
        """See ``ports.Source.skip``."""
        mail = self._listed[arrival.position]
        self._close(mail)
        self._state.again.pop(mail.key, None)
        self._state.left.add(mail.key)

    def put_off(self, arrival: Arrival) -> int:
        """See ``ports.Source.put_off``."""
        mail = self._listed[arrival.position]
        self._close(mail)
        self._state.again[mail.key] = self._state.again.get(mail.key, 0) + 1
        return self._state.again[mail.key]

    def _close(self, mail: _Listed) -> None:
        self._open.discard(mail.key)
        self._state.undated.discard(mail.key)

    def _group_of(self, arrival: Arrival) -> list[_Listed]:
        mail = self._listed[arrival.position]
        waiting = self._upcoming[self._upcoming.index(mail) :] if mail in self._upcoming else [mail]
        return self._group_from([one for one in waiting if one.key in self._open] or [mail])

    def _group_from(self, mails: list[_Listed]) -> list[_Listed]:
        """The first mail and small ones after it, to be fetched in one go."""
        if self._one_by_one or "PIPELINING" not in self._client.capabilities:
            return mails[:1]
        group = mails[:1]
        total = mails[0].size
        for mail in mails[1:GROUP_MAILS]:
            total += mail.size
            if total > GROUP_BYTES:
                break
            group.append(mail)
        return group

    def _retrieve(self, group: list[_Listed]) -> None:
        """Fetch them into ``_fetched``. What goes wrong is kept for ``fetch``, which is asked for that very mail."""
        self._fetched = {}
        answers = self._client.bodies([f"RETR {mail.number}" for mail in group], MAX_RAW_BYTES)
        for mail in group:
            try:
                with self._translated():
                    answer = next(answers)
            except ServerError as error:
                self._fetched[mail.position] = error
                return
            # A server may send nothing of a mail that another client just deleted.
            if isinstance(answer, Refused) or (mail.size and not answer):
                self._fetched[mail.position] = _mail_refused()
            else:
                self._fetched[mail.position] = answer

    # ── deleting ──────────────────────────────────────────────────────────────────────────────────────────────────

    def act(self) -> None:
        """See ``ports.Source.act``: delete what is due.

        Due are mails that the cursor had which ``new`` began with, so their rows are stored since an earlier session.
        Nothing happens before ``new`` is gone through: QUIT, which makes deletions real, ends the session. If it is
        not answered with +OK, all of it stays to do.
        """
        if not self._complete or not self._due:
            return
        due, self._due = self._due, []
        with self._translated():
            answers = self._client.statuses([f"DELE {mail.number}" for mail in due])
            refused = [mail for mail, answer in zip(due, answers, strict=True) if isinstance(answer, Refused)]
            # A mail that another client just deleted is not listed any more: that is done, too.
            still = self._client.statuses([f"LIST {mail.number}" for mail in refused])
            left = {mail.key for mail, answer in zip(refused, still, strict=True) if isinstance(answer, str)}
            try:
                self._client.quit()
            except Refused:
                raise _not_deleted() from None
        for mail in due:
            if mail.key not in left:
                self._state.kept.pop(mail.key, None)
        self._seen = (0, 0, "")
        if left:
            raise _not_deleted()

    def may_act(self) -> None:
        """See ``ports.Source.may_act``. POP3 knows no rights: only a deletion would show, and a test makes none."""

    def _is_due(self) -> bool:
        return any(self._may_go(key) for key in self._state.kept) if self._deletes else False

    def _may_go(self, key: bytes) -> bool:
        day = self._state.kept.get(key)
        return day is not None and day + self._delete_after_days <= self._today()

    def _today(self) -> int:
        return self._now().astimezone(UTC).toordinal()


# ── reading what servers say ──────────────────────────────────────────────────────────────────────────────────────


def _numbered(line: bytes) -> tuple[int, bytes] | None:
    """A line of UIDL or LIST: a mail's number, and the rest."""
    number, _, rest = line.strip().partition(b" ")
    return (int(number), rest.strip()) if number.isdigit() and len(number) <= 10 else None


def _named(answer: str | Refused) -> str | None:
    """The hash in the answer to UIDL n, as hex."""
    line = _numbered(answer.encode("latin-1")) if isinstance(answer, str) else None
    return _listed(*line).key.hex() if line is not None else None


def _size(rest: bytes) -> int:
    digits = rest.split(b" ")[0]
    return int(digits) if digits.isdigit() and len(digits) <= 20 else 0


def _cut(head: bytes | Refused) -> bytes | None:
    return None if isinstance(head, Refused) else head[:HEAD_BYTES]


def _received(head: bytes) -> datetime | None:
    """When the tenant's own server got it: the date of the topmost Received field (RFC 5321 section 4.4)."""
    for name, value in read_block(head[:HEAD_BYTES], 0).fields:
        if name.lower() == "received":
            return parse_date(value.rpartition(b";")[2].decode("ascii", "replace"))
    return None


def _dated(head: bytes) -> datetime | None:
    """When a mail came or, where no server says, when it was written."""
    if received := _received(head):
        return received
    for name, value in read_block(head[:HEAD_BYTES], 0).fields:
        if name.lower() == "date":
            return parse_date(value.decode("ascii", "replace"))
    return None


def _checked(text: str, field: str = "") -> str:
    """A line break would be a command, and NUL or 0x01 an end within SASL."""
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise control_character(field)
    return text


def _longer_pauses(seconds: float | None) -> Throttled:
    """For LOGIN-DELAY (RFC 2449, 6.5)."""
    minutes = f"at least {max(1, math.ceil(seconds / 60))} minutes" if seconds else "a longer time"
    return Throttled(
        "The mail server wants longer pauses between polls.",
        f"Set the polling frequency to {minutes}; until then polling slows down by itself.",
        seconds,
        field="polling_minutes",
    )


def _cram(user: str, password: str, challenge: bytes) -> bytes:
    """RFC 2195."""
    return f"{user} {hmac.new(password.encode(), challenge, 'md5').hexdigest()}".encode()


def _mail_refused() -> MailRefused:
    return MailRefused("The server lists a mail and does not hand it over.", "The next polls try it again.")


def _not_deleted() -> AccessDenied:
    return AccessDenied(
        "The server does not delete the mails that were taken in.",
        "The mails are kept here. Give the account the right to delete by POP3, or choose to leave mail where it is.",
        field="after_import",
    )
