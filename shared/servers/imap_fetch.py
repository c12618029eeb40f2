"""Fetching mails from an open IMAP folder: small ones together, large ones in parts."""

from __future__ import annotations

import imaplib
import io
from collections.abc import Sequence
from typing import Any

from shared.errors import MailRefused
from shared.model.inbound import MAX_RAW_BYTES
from shared.ports import Arrival

GROUP_MAILS = 25
GROUP_BYTES = 4 * 1024 * 1024
"""Small mails fetched in one command: saves round trips, costs this much memory."""

PART_BYTES = 1024 * 1024
"""A mail above this is fetched in parts of this size: imaplib holds a literal three times (50 MB cost 146 MB of
memory whole, 5 MB in parts, in the same time)."""


class Fetcher:
    """Fetches mails of the folder that is open. ``one_by_one``: so that it is clear which mail makes trouble.

    ``upcoming``: mails that will be asked for next, in this order.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._fetched: dict[str, bytes | None] = {}
        self.one_by_one = False
        self.upcoming: Sequence[Arrival] = ()

    def whole(self, arrival: Arrival) -> bytes | None:
        """The mail; None when it is gone. ``MailRefused`` when the server has it and does not give it."""
        if arrival.size > PART_BYTES:
            return self._parts(arrival)
        if arrival.position not in self._fetched:
            self._fetched = self._group(arrival)
        return self._fetched.pop(arrival.position)

    def head(self, arrival: Arrival) -> bytes | None:
        """The mail's header block; otherwise like ``whole``."""
        return self._one(arrival, "BODY.PEEK[HEADER]")

    def _group(self, arrival: Arrival) -> dict[str, bytes | None]:
        """This mail and the small ones after it, in one command; alone when that is refused."""
        group = [arrival] if self.one_by_one else self._group_from(arrival)
        if len(group) > 1:
            try:
                answers = self._client.fetch([uid_of(one) for one in group], ["BODY.PEEK[]"])
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error:
                self.one_by_one = True
            else:
                given = {one.position: _content(answers.get(uid_of(one)), b"BODY[]") for one in group}
                fetched: dict[str, bytes | None] = {position: content for position, content in given.items() if content}
                if arrival.position in fetched:
                    return fetched
        return {arrival.position: self._one(arrival, "BODY.PEEK[]")}

    def _group_from(self, arrival: Arrival) -> list[Arrival]:
        group: list[Arrival] = []
        total = 0
        start = self.upcoming.index(arrival) if arrival in self.upcoming else len(self.upcoming)
        for one in self.upcoming[start : start + GROUP_MAILS]:
            total += one.size
            if one.size > PART_BYTES or total > GROUP_BYTES:
                break
            group.append(one)
        return group or [arrival]

    def _one(self, arrival: Arrival, what: str) -> bytes | None:
        key = what.replace(".PEEK", "").encode()
        try:
            answer = self._client.fetch([uid_of(arrival)], [what]).get(uid_of(arrival))
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            raise _refused() from None
        if answer is None:
            return None
        content = _content(answer, key)
        # Of a mail that another client just deleted, a server may send nothing or NIL (RFC 2180, 4.1.3): the next
        # poll sees that it is gone.
        if content is None or (not content and "<" not in what):
            raise _refused()
        return content

    def _parts(self, arrival: Arrival) -> bytes | None:
        # BytesIO hands out its content without a copy: a mail of 50 MB takes 50 MB.
        whole = io.BytesIO()
        while True:
            part = self._one(arrival, f"BODY.PEEK[]<{whole.tell()}.{PART_BYTES}>")
            if part is None:
                return None
            whole.write(part)
            if whole.tell() > MAX_RAW_BYTES:
                raise _refused()  # far more than it said: too large to be kept whole
            # The stated size may be wrong (Exchange counts otherwise): only a short part is the end.
            if len(part) < PART_BYTES:
                return whole.getvalue()


def uid_of(arrival: Arrival) -> int:
    """The mail's UID."""
    return int(arrival.position.rpartition(":")[2])


def _content(answer: Any, key: bytes) -> bytes | None:
    """The content of a FETCH answer; a server names a part by its offset only: BODY[]<0> for BODY[]<0.1048576>."""
    name = key.partition(b".")[0] + b">" if b"<" in key else key
    content = answer.get(name, answer.get(key)) if answer else None
    return content if isinstance(content, bytes) else None


def _refused() -> MailRefused:
    return MailRefused("The server lists a mail and does not hand it over.", "The next polls try it again.")
