"""Deleting mails by POP3, some days after they were taken in.

Due are only mails that the cursor had which a session began with, so their rows are stored since an earlier one. QUIT
makes deletions real (RFC 1939 section 6), and only its +OK shows that they are: without it all of it stays to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.servers.pop3_client import Pop3Client, Refused
from shared.servers.pop3_lists import Listed
from shared.servers.pop3_refusals import not_deleted
from shared.servers.pop3_state import State

DELETIONS = 200
"""Of one session, so that a server without PIPELINING gets to QUIT well within the session."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """When a mail is to go. ``after_days``: since the day on which we got it; None is never."""

    after_days: int | None

    def is_due(self, state: State, today: int) -> bool:
        """Whether any mail is. Days are counted as by ``date.toordinal``."""
        return any(self._may_go(state, key, today) for key in state.kept)

    def due(self, state: State, listed: Iterable[Listed], today: int) -> list[Listed]:
        """Mails of the whole list that are to go in this session."""
        return [mail for mail in listed if self._may_go(state, mail.key, today)][:DELETIONS]

    def _may_go(self, state: State, key: bytes, today: int) -> bool:
        day = state.kept.get(key)
        return self.after_days is not None and day is not None and day + self.after_days <= today


def delete(client: Pop3Client, mails: list[Listed]) -> set[bytes]:
    """Delete them and end the session; the keys of those that the server did not delete. Raises ``AccessDenied`` when
    it ends the session with a refusal, and what the connection raises."""
    answers = client.statuses([f"DELE {mail.number}" for mail in mails])
    refused = [mail for mail, answer in zip(mails, answers, strict=True) if isinstance(answer, Refused)]
    # A mail that another client just deleted is not listed any more: that is done, too.
    still = client.statuses([f"LIST {mail.number}" for mail in refused])
    left = {mail.key for mail, answer in zip(refused, still, strict=True) if isinstance(answer, str)}
    try:
        client.quit()
    except Refused:
        raise not_deleted() from None
    return left
