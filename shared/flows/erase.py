"""A deleted tenant's data go: all rows and blobs under its key, whatever they are, and what lies elsewhere of it.

Everything is removed by where it lies, not by lists of what there should be, in steps that may be cut off anywhere and
be repeated. A day after nothing was left it is looked at once more, and then the tenant's row says that it is erased,
when, and how much that was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from shared import log
from shared.errors import StoreError
from shared.model.erasing import Gone
from shared.ports import App

BUDGET = timedelta(minutes=4)
"""Of one run, for all tenants: below half of host.json's functionTimeout. The next run goes on."""

AT_ONCE = 500
"""Rows, and blobs, between two notes of how far it has come."""


class Erasing(Protocol):
    """Everything that lies in storage under a tenant's key. Raises ``StoreError``."""

    def gone(self) -> Iterator[Gone]:
        """The tenants that were deleted, also those that are erased."""
        ...

    def save(self, gone: Gone) -> None: ...

    def remove_rows(self, tenant: str, most: int) -> int:
        """Some of its rows; how many, 0 when there are none."""
        ...

    def remove_blobs(self, tenant: str, most: int) -> int:
        """Some of its blobs; how many, 0 when there are none."""
        ...


def erase(app: App, erasing: Erasing) -> bool:
    """Go on with every tenant that was deleted; whether nothing is left to do now. Raises ``StoreError`` at the end:
    what storage refuses of one tenant holds up no other."""
    until = app.now() + BUDGET
    done, failed = True, None
    for gone in erasing.gone():
        try:
            done = _go_on(app, erasing, gone, until) and done
        except StoreError as error:
            failed = error
    if failed is not None:
        raise failed
    return done


def _go_on(app: App, erasing: Erasing, gone: Gone, until: datetime) -> bool:
    while not gone.waits(app.now()):
        if app.now() >= until:
            return False
        gone = _step(app, erasing, gone)
    return True


def _step(app: App, erasing: Erasing, gone: Gone) -> Gone:
    """Some more of it, and how far it has come then."""
    # A poll that ran when the tenant was deleted may have made a new one.
    app.secrets.destroy(gone.tenant)
    # The blobs first: they hold what people wrote.
    blobs = erasing.remove_blobs(gone.tenant, AT_ONCE)
    rows = erasing.remove_rows(gone.tenant, AT_ONCE)
    after = replace(gone, blobs=gone.blobs + blobs, rows=gone.rows + rows)
    if blobs or rows:
        # Whatever was found on the second look has to be looked for a third time.
        after = replace(after, emptied=None)
    elif gone.emptied is None:
        after = replace(after, emptied=app.now())
        log.event("tenant_emptied", tenant=gone.tenant, rows=after.rows, blobs=after.blobs)
    else:
        after = replace(after, erased=app.now())
        seconds = (app.now() - gone.deleted).total_seconds()
        log.event("tenant_erased", tenant=gone.tenant, rows=after.rows, blobs=after.blobs, seconds=seconds)
    erasing.save(after)
    return after
