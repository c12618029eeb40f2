"""Which folders an IMAP mailbox has, for whoever named one that is not there."""

from __future__ import annotations

import imaplib
from typing import Any

MOST = 40
"""Folders that an error names; more would help nobody."""

_MOST_LETTERS = 80
_USES = frozenset({rb"\all", rb"\archive", rb"\drafts", rb"\flagged", rb"\important", rb"\junk", rb"\sent", rb"\trash"})
"""RFC 6154 and RFC 8457."""


def there_are(client: Any) -> str:
    """A sentence that lists the folders: INBOX, those with a special use, then the others."""
    try:
        found = client.list_folders()
    except (imaplib.IMAP4.error, OSError, ValueError):  # the last: a list that imapclient cannot read
        return "Check its name, or use INBOX."
    uses: dict[str, str] = {}
    for flags, _, name in found:
        marks = {flag.lower() for flag in flags if isinstance(flag, bytes)} if isinstance(flags, tuple) else set()
        if rb"\noselect" not in marks and rb"\nonexistent" not in marks:
            uses.setdefault(_shown(str(name)), _use(marks))
    names = sorted(uses, key=lambda name: (name.upper() != "INBOX", not uses[name], name.lower()))
    shown = [f"{name} ({uses[name]})" if uses[name] else name for name in names[:MOST]]
    more = ", and more" if len(names) > MOST else ""
    return f"These are there: {', '.join(shown)}{more}." if shown else "Check its name, or use INBOX."


def _use(marks: set[bytes]) -> str:
    return next((mark[1:].decode() for mark in sorted(marks & _USES)), "")


def _shown(name: str) -> str:
    """A folder may be called anything; a line of an error it must not break."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:_MOST_LETTERS]
