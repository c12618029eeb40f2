"""How far a mailbox was compared with what its server holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a mailbox is reconciled.

    ``floor``: what came before was never wanted; fixed when the mailbox is first looked at, as raising the days to
    download later brings in nothing either. ``until``: what came before has its rows. ``looked``: when it was last
    tried; ``whole``: when all of its days were last compared.
    """

    tenant: str
    mailbox: str
    generation: str
    floor: datetime
    until: datetime
    looked: datetime
    whole: datetime | None = None
