"""Fetching mails by POP3: small ones in one go where the server takes several commands at once."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import InboundError, ServerError, Unreachable
from shared.model.inbound import MAX_RAW_BYTES
from shared.model.mailbox import Settings
from shared.servers.pop3_client import Pop3Client, Refused
from shared.servers.pop3_dates import HEAD_BYTES
from shared.servers.pop3_lists import Listed
from shared.servers.pop3_refusals import mail_refused, translated

GROUP_MAILS = 25
GROUP_BYTES = 4 * 1024 * 1024
"""Asked for in one go where the server takes it (PIPELINING): saves round trips, costs this much memory."""


class Fetcher:
    """Fetches mails of one session. ``one_by_one``: so that it is clear which mail makes trouble."""

    def __init__(self, client: Pop3Client, settings: Settings, one_by_one: bool) -> None:
        self._client = client
        self._settings = settings
        self._one_by_one = one_by_one
        self._fetched: dict[str, bytes | InboundError] = {}

    def group_from(self, mails: Sequence[Listed]) -> Sequence[Listed]:
        """The first mail and small ones after it, to be fetched in one go."""
        if self._one_by_one or "PIPELINING" not in self._client.capabilities:
            return mails[:1]
        total = 0
        for count, mail in enumerate(mails[:GROUP_MAILS]):
            total += mail.size
            if count and total > GROUP_BYTES:
                return mails[:count]
        return mails[:GROUP_MAILS]

    def retrieve(self, group: Sequence[Listed]) -> None:
        """Fetch them. What goes wrong is kept for ``take``, which is asked for that very mail."""
        self._fetched = {}
        answers = self._client.bodies([f"RETR {mail.number}" for mail in group], MAX_RAW_BYTES)
        for mail in group:
            try:
                with translated(self._settings, self._client):
                    answer = next(answers)
            except ServerError as error:
                self._fetched[mail.position] = error
                return
            # A server may send nothing of a mail that another client just deleted.
            if isinstance(answer, Refused) or (mail.size and not answer):
                self._fetched[mail.position] = mail_refused()
            else:
                self._fetched[mail.position] = answer

    def has(self, mail: Listed) -> bool:
        """Whether the mail was fetched, or tried to."""
        return mail.position in self._fetched

    def head(self, mail: Listed) -> bytes:
        """The beginning of a mail that was fetched, its header block in it; empty of one that did not come."""
        found = self._fetched.get(mail.position)
        return found[:HEAD_BYTES] if isinstance(found, bytes) else b""

    def take(self, mail: Listed) -> bytes:
        """A mail that was fetched. It is not held here any longer: memory has room for one large mail, not for two."""
        found = self._fetched.pop(mail.position, None)
        if isinstance(found, InboundError):
            raise found
        if found is None:
            raise Unreachable(f"The connection to {self._settings.host} broke.", "The next poll tries again.")
        return found
