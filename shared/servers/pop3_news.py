"""What is new in a POP3 mailbox, found with as few commands as the server lets us.

POP3 numbers mails anew in each session and knows no "since". Where the last mail of the last time is still at its
place, only what comes after it is asked for; else the whole list is read, and that is the truth, whatever happened to
an earlier session.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime

from shared.errors import ProtocolViolation
from shared.ports import Watch
from shared.servers.pop3_client import Pop3Client, Refused
from shared.servers.pop3_dates import DATED_ONE_BY_ONE, Dating
from shared.servers.pop3_lists import SINGLE_COMMANDS, Listed, listed, named, numbered, whole_list, with_sizes
from shared.servers.pop3_state import State

WHOLE_MINUTES = 60
WHOLE_POLLS = 10
"""The whole list is read again after this time or this many polls, whichever is less: a mail that a server slips in
among the old ones is noticed by nothing else. 10,000 mails cost 230 KB each time."""


class News:
    """The list of one session, compared with the cursor.

    state         the cursor, opened; a first pass begins another one
    seen          how many mails and octets there are, and the last mail's key (empty where it is not known)
    listed        mails by position, as far as they were looked at
    starts_over   see ``ports.Source``
    """

    def __init__(
        self,
        client: Pop3Client,
        state: State,
        dating: Dating,
        polling_minutes: int,
        now: Callable[[], datetime],
        watch: Watch,
    ) -> None:
        self._client = client
        self._dating = dating
        self._whole_minutes = min(WHOLE_MINUTES, WHOLE_POLLS * polling_minutes)
        self._now = now
        self._watch = watch
        self.state = state
        self.seen = (0, 0, "")
        self.listed: dict[str, Listed] = {}
        self.starts_over = False

    def find(self, first: bool, floor: date, whole: bool) -> list[Listed]:
        """Mails that are not settled, in the server's order: that of arrival, as a rule.

        ``first``: the mailbox was never read; ``floor``: the oldest day to download then, and where the server names
        everything anew; ``whole``: the whole list is wanted.
        """
        state = self.state
        if not (whole or first or state.again or state.undated or self._whole_is_old()):
            tail = self._tail()
            if tail is not None:
                return tail
        else:
            self._note_stat(self._client.command("STAT"))
        return self._whole(first, floor)

    def sized(self, mails: list[Listed]) -> list[Listed]:
        """With their sizes."""
        sized = with_sizes(self._client, mails)
        self.listed |= {mail.position: mail for mail in sized}
        return sized

    def _note_stat(self, answer: str) -> None:
        match = re.match(r"(\d{1,10}) (\d{1,20})", answer)
        if not match:
            raise ProtocolViolation("The server does not say how many mails there are.", "The next poll tries again.")
        self.seen = (int(match.group(1)), int(match.group(2)), "")

    def _tail(self) -> list[Listed] | None:
        """What came after the last mail of the last time, by single UIDLs; None when they cannot tell.

        Where the last mail is still the last one, and count and size are the same, there is nothing new.
        """
        state = self.state
        known = f"UIDL {state.count}"
        if "PIPELINING" in self._client.capabilities and state.count:
            stat, uidl = self._client.statuses(["STAT", known])
        else:
            (stat,) = self._client.statuses(["STAT"])
            uidl = ""
        if isinstance(stat, Refused):
            raise stat
        self._note_stat(stat)
        count, octets, _ = self.seen
        if count == 0 and state.count == 0:
            return []
        if not state.count or not 0 <= count - state.count <= SINGLE_COMMANDS:
            return None
        (uidl,) = [uidl] if uidl else self._client.statuses([known])
        if named(uidl) is None or named(uidl) != state.last:
            return None
        if count == state.count:
            self.seen = (count, octets, state.last)
            return [] if octets == state.octets else None
        return self._after(state.count, count)

    def _after(self, known: int, count: int) -> list[Listed] | None:
        answers = self._client.statuses([f"UIDL {number}" for number in range(known + 1, count + 1)])
        lines = [numbered(answer.encode("latin-1")) for answer in answers if isinstance(answer, str)]
        found = [listed(*line) for line in lines if line is not None]
        # A UIDL that is known is there twice, or the server miscounts: only the whole list shows which.
        keys = {mail.key for mail in found}
        if len(keys) < count - known or any(self.state.is_known(key) for key in keys):
            return None
        self.seen = (count, self.seen[1], found[-1].key.hex())
        return found

    def _whole(self, first: bool, floor: date) -> list[Listed]:
        """The whole list; only it can tell what is gone, and that the server names everything anew."""
        found = whole_list(self._client, self._watch)
        keys = {mail.key for mail in found}
        known = not self.state.is_empty()
        if first or (known and found and not any(self.state.is_known(key) for key in keys)):
            self.starts_over = True
            self._begin(found, floor.isoformat())
        self.state.forget_all_but(keys)
        self.state.whole = self._minute()
        count, octets, _ = self.seen
        # Counted here, not by STAT: a mail that came between the two would never be looked for.
        last = found[-1].key.hex() if found and len(found) == count else ""
        self.seen = (len(found), octets, last)
        self.listed = {mail.position: mail for mail in found}
        return [mail for mail in found if not self.state.is_settled(mail.key)]

    def _begin(self, found: list[Listed], floor: str) -> None:
        """Everything is new, and only mail of the days to download is wanted: a short list is dated mail by mail, of a
        long one only what is above the border. If there is none, every mail is dated, over several sessions if need
        be."""
        border = self._dating.border(self.sized(found), floor) if len(found) > DATED_ONE_BY_ONE else 0
        self.state = State(floor=floor)
        self.state.left = {mail.key for mail in found[:border]}
        self.state.undated = {mail.key for mail in found[border:]}

    def _whole_is_old(self) -> bool:
        return not 0 <= self._minute() - self.state.whole < self._whole_minutes

    def _minute(self) -> int:
        return int(self._now().timestamp()) // 60
