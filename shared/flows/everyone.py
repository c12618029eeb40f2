"""The same work for every tenant, where what storage refuses of one holds up no other."""

from __future__ import annotations

from collections.abc import Callable

from shared.errors import StoreError
from shared.ports import App, Tenant


def for_each(app: App, work: Callable[[Tenant], int]) -> int:
    """Do it for each tenant; the sum of what it returns. The last ``StoreError`` is raised at the end, so that the
    run counts as failed."""
    total, failed = 0, None
    for tenant in app.tenants.all():
        try:
            total += work(tenant)
        except StoreError as error:
            failed = error
    if failed is not None:
        raise failed
    return total
