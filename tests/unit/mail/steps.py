"""Whether work grows as its input does, measured generously: a busy machine must not fail a test."""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

SMALL = 16 * 1024
"""Bytes. Eight times as much is still below the sizes from which the readers stop looking."""
_TOO_SHORT = 0.05
"""Seconds of processor time; less cannot be compared, and is fast enough."""


def linear(work: Callable[[_T], None], make: Callable[[int], _T]) -> None:
    """Fails if eight times the input takes more than 24 times as long, five times over (quadratic work takes 64)."""
    small, large = make(SMALL), make(8 * SMALL)
    ratios = []
    for _ in range(5):
        seconds = _seconds(work, large)
        if seconds < _TOO_SHORT:
            return
        ratios.append(seconds / max(_seconds(work, small), 1e-9))
        if ratios[-1] < 24:
            return
    raise AssertionError(f"eight times the bytes took {ratios} times as long")


def _seconds(work: Callable[[_T], None], value: _T) -> float:
    best = float("inf")
    for _ in range(2):
        start = time.thread_time()
        work(value)
        best = min(best, time.thread_time() - start)
    return best
