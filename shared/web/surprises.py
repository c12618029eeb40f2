"""Settings that work, and may not do what somebody expects of them: sentences for whoever saves them."""

from __future__ import annotations

from shared.model import whitelist
from shared.model.mailbox import Settings

EMPTY = "The whitelist is on and empty: every mail is held."
UNUSED = "The whitelist has entries, but is off: mail of every sender is let in."
IN_CLEAR = "Passwords and mail travel in clear text."
ANSWERS_IN_CLEAR = "Answers and the outgoing server's password travel in clear text."
DELETED_AT_ONCE = "Mail is deleted from the mailbox as soon as it is kept here."
FIXED = (EMPTY, UNUSED, IN_CLEAR, ANSWERS_IN_CLEAR, DELETED_AT_ONCE)
"""Those without a number in them: pages say them in the reader's language."""

OLD_DAYS = 30
"""A month of old mail can be looked through; half a year of it, all open, buries a desk on its first day."""


def surprises(settings: Settings) -> list[str]:
    """What to know about these settings; none of it is an error."""
    return [*_whitelist(settings), *_security(settings), *_import(settings)]


def _whitelist(settings: Settings) -> list[str]:
    listed = bool(whitelist.entries(settings.whitelist))
    if settings.whitelist_enabled and not listed:
        return [EMPTY]
    if listed and not settings.whitelist_enabled:
        return [UNUSED]
    return []


def _security(settings: Settings) -> list[str]:
    found = []
    if settings.server_type != "office365" and settings.security == "none":
        found.append(IN_CLEAR)
    outgoing = settings.outgoing
    if outgoing.enabled and outgoing.host and outgoing.security == "none":
        found.append(ANSWERS_IN_CLEAR)
    return found


def _import(settings: Settings) -> list[str]:
    found = []
    if settings.after_import == "delete":
        found.append(_deleted(settings))
    if settings.old_mail == "open" and settings.days_to_download > OLD_DAYS:
        found.append(
            f"At the first connection, mail of the last {settings.days_to_download} days becomes open incidents."
            " If that is too much, choose fewer days, or let mail from before the connection become closed incidents"
            " or be skipped."
        )
    return found


def _deleted(settings: Settings) -> str:
    days = settings.delete_after_days
    if settings.server_type != "pop3" or days == 0:
        return DELETED_AT_ONCE
    return f"Mail is deleted from the mailbox {days} {'day' if days == 1 else 'days'} after it is kept here."
