"""What can go wrong in words of our own, for the API and for pages, which say it in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error in the words of HTTP."""

    status: int
    code: str
    detail: str
    fix: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


OUR_FAULT = Trouble(
    500,
    "our_fault",
    "Something went wrong on our side. It was logged.",
    "Try again; if it happens again, tell the operator of this service.",
)
NO_SUCH_PAGE = Trouble(404, "not_found", "There is nothing at this address.", "Check the address.")
CHANGED_MEANWHILE = Trouble(
    409, "conflict", "Somebody changed this at the same moment.", "Read it again and repeat your change."
)
STORAGE_AWAY = Trouble(
    503,
    "store_unavailable",
    "Inbound cannot reach its storage right now. Nothing is lost.",
    "Try again in a moment.",
    # Storage that is away is mostly back within seconds.
    headers=(("Retry-After", "5"),),
)
ON_PAGES = (OUR_FAULT, NO_SUCH_PAGE, CHANGED_MEANWHILE, STORAGE_AWAY)
"""Those that somebody may meet on a page, whatever it is."""
