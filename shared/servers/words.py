"""Pieces of sentences for people."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[\w.@+-]{1,254}")


def duration(seconds: float) -> str:
    """About how long: "40 seconds", "5 minutes", "3 hours"."""
    minutes = round(seconds / 60)
    if seconds < 90:
        count = max(1, round(seconds))
        return f"{count} second{'' if count == 1 else 's'}"
    return f"{minutes} minutes" if minutes < 120 else f"{round(minutes / 60)} hours"


def in_command(text: str, otherwise: str) -> str:
    """What a tenant typed, for a command that an administrator is to paste; a placeholder where a shell might read
    anything into it."""
    return text if _PLAIN.fullmatch(text) else otherwise
