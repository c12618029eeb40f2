"""Settings that work, and may not do what somebody expects of them: sentences for whoever saves them."""

from __future__ import annotations

from shared.model import whitelist
from shared.model.mailbox import Settings

OLD_DAYS = 30
"""A month of old mail can be looked through; half a year of it, all open, buries a desk on its first day."""


def surprises(settings: Settings) -> list[str]:
    """What to know about these settings; none of it is an error."""
    return [*_whitelist(settings), *_security(settings), *_import(settings)]


def _whitelist(settings: Settings) -> list[str]:
    listed = bool(whitelist.entries(settings.whitelist))
    if settings.whitelist_enabled and not listed:
        return ["The whitelist is on and empty: every mail is held."]
    if listed and not settings.whitelist_enabled:
        return ["The whitelist has entries, but is off: mail of every sender is let in."]
    return []


def _security(settings: Settings) -> list[str]:
    found = []
    if settings.server_type != "office365" and settings.security == "none":
        found.append("Passwords and mail travel in clear text.")
    outgoing = settings.outgoing
    if outgoing.enabled and outgoing.host and outgoing.security == "none":
        found.append("Answers and the outgoing server's password travel in clear text.")
    return found


def _import(settings: Settings) -> list[str]:
    found = []
    if settings.after_import == "delete":
        found.append(f"Mail is deleted from the mailbox {_when_deleted(settings)}.")
    if settings.old_mail == "open" and settings.days_to_download > OLD_DAYS:
        found.append(
            f"At the first connection, mail of the last {settings.days_to_download} days becomes open incidents."
            " Choose fewer days, or have it closed or skipped (old_mail), if that is too much."
        )
    return found


def _when_deleted(settings: Settings) -> str:
    days = settings.delete_after_days
    if settings.server_type != "pop3" or days == 0:
        return "as soon as it is kept here"
    return f"{days} {'day' if days == 1 else 'days'} after it is kept here"
