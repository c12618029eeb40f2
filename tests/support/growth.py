"""How the time for a piece of work grows with its size, measured so that a busy machine does not change the answer."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

RUNS = 3  # the fastest counts: others may have been held up by another process or the cache


def growth(work: Callable[[], object], larger: Callable[[], object], at_least: float = 0.002) -> float:
    """How many times as long the larger work takes, in this process's own processor seconds.

    `at_least` are the seconds that the smaller one is taken for, however fast it was: below them the clock and
    chance decide.
    """
    work()
    return _fastest(larger) / max(_fastest(work), at_least)


def _fastest(work: Callable[[], object]) -> float:
    return min(_seconds(work) for _ in range(RUNS))


def _seconds(work: Callable[[], object]) -> float:
    """Without the garbage collector: it would go through what thousands of other tests have left in this process."""
    gc.disable()
    try:
        start = time.process_time()
        work()
        return time.process_time() - start
    finally:
        gc.enable()
