"""Saying once, not a thousand times, that the storage is away."""

import logging
import threading

log = logging.getLogger("host")


class Outage:
    """What the pumps and timers of one host know of the storage: one line when it goes, one when back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._away: set[str] = set()

    def lost(self, what: str, error: Exception) -> None:
        """`what` (a queue, the timers) could not reach the storage."""
        with self._lock:
            first = not self._away
            self._away.add(what)
        if first:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            log.warning("the storage is away, trying again: %s", reason)

    def back(self, what: str) -> None:
        """`what` reached the storage."""
        with self._lock:
            last = self._away == {what}
            self._away.discard(what)
        if last:
            log.warning("the storage is back")
