"""Whose fault an exception is that no protocol knows: a server's nonsense, on which a library stumbled, or our own bug.

Both become an error that the mailbox can show. Ours is written down for the administrator as well, as nobody else would
ever learn of it.
"""

from __future__ import annotations

import http.client
import imaplib
import logging
import traceback
from types import FrameType

from shared import log

THEIRS = (imaplib.IMAP4.error, OSError, EOFError, http.client.HTTPException)
"""What mail libraries, sockets and TLS raise on purpose (smtplib's errors are OSErrors, too). Whatever the server did,
that is no bug."""

_LIBRARIES = frozenset({"imaplib", "imapclient", "ssl", "socket", "http"})
"""Whose code stumbles on nonsense: imapclient raises IndexError, ValueError and TypeError on answers that it cannot
read (seen with 2,500 damaged ones)."""

_OURS = "shared"


def is_ours(error: Exception) -> bool:
    """Whether an exception shows a bug of this app.

    Not its type tells (a ``ValueError`` may be either's), but whose code was at work: the innermost frame that is ours
    or a library's. What stumbles in json or datetime belongs to whoever called it. Code of ours that reads what a
    server said has to expect anything, so what it stumbles on is a bug as well.
    """
    if isinstance(error, THEIRS):
        return False
    at_work = [_root(frame) for frame, _ in _frames(error) if _root(frame) in {_OURS, *_LIBRARIES}]
    return not at_work or at_work[-1] == _OURS


def place_of(error: Exception) -> str:
    """Where in our code it went wrong, as "module:function:line"; empty where that is not known."""
    for frame, line in reversed(_frames(error)):
        if _root(frame) == _OURS:
            return f"{frame.f_globals.get('__name__')}:{frame.f_code.co_name}:{line}"
    return ""


def write_down(error: Exception) -> None:
    """The event for the administrator: the exception's class and the place; not its text, which may quote a mail."""
    log.event("bug", logging.ERROR, error=type(error).__name__, place=place_of(error))


def _frames(error: Exception) -> list[tuple[FrameType, int]]:
    return list(traceback.walk_tb(error.__traceback__))


def _root(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
