"""The whitelist: who may open incidents. On and empty blocks everyone (the seed's rule)."""

from __future__ import annotations

import re

from shared.mail.address import Address, parse_address

_SEPARATORS = re.compile(r"[,;\s]+")


def entries(text: str) -> tuple[str, ...]:
    """The entries of a whitelist as typed: comma separated; spaces, new lines and semicolons separate as well."""
    return tuple(entry for entry in _SEPARATORS.split(text) if entry)


def unreadable(text: str) -> tuple[str, ...]:
    """The entries that are neither a domain nor an address."""
    return tuple(entry for entry in entries(text) if _normalised(entry) is None)


def allows(text: str, sender: Address) -> str | None:
    """The entry that lets this sender in, or None.

    A domain (``example.com``, ``@example.com`` or ``*@example.com``) stands for exactly this domain,
    ``*.example.com`` for every domain below it. An address stands for itself; case does not matter.
    """
    for entry in entries(text):
        normalised = _normalised(entry)
        if normalised is not None and _matches(normalised, sender):
            return entry
    return None


def _matches(entry: str, sender: Address) -> bool:
    if entry.startswith("*."):
        return sender.domain.endswith(entry[1:])
    if entry.startswith("@"):
        return sender.domain == entry[1:]
    return sender.key == entry


def _normalised(entry: str) -> str | None:
    """``@domain``, ``*.domain`` or an address key; None for anything else."""
    if entry.startswith("*."):
        domain = _domain(entry[2:])
        return f"*.{domain}" if domain else None
    entry = entry.removeprefix("*@") if entry.startswith("*@") else entry
    if entry.startswith("@") or "@" not in entry:
        domain = _domain(entry.removeprefix("@"))
        return f"@{domain}" if domain else None
    parsed = parse_address(entry)
    return parsed.key if parsed else None


def _domain(text: str) -> str | None:
    # An address parser reads domains already (IDNA, case, trailing dot); a domain alone is read by the same one.
    parsed = parse_address(f"x@{text.rstrip('.')}")
    return parsed.domain if parsed and "." in parsed.domain else None
