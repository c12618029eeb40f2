"""The files under infra/ as texts, so that a test can damage a copy in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

INFRA = Path(__file__).parents[3] / "infra"

Sources = Mapping[str, str]
"""Text by path relative to infra/: templates, parameter files, queries."""


def read() -> Sources:
    """What lies in the repository; infra/local belongs to ``make run``."""
    patterns = ("*.bicep", "*.bicepparam", "modules/*.bicep", "modules/queries/*.kql")
    return {
        str(path.relative_to(INFRA)): path.read_text() for pattern in patterns for path in sorted(INFRA.glob(pattern))
    }


def damaged(sources: Sources, path: str, old: str, new: str) -> Sources:
    """A copy in which the one place that says ``old`` says ``new``. Fails when there is none, or more."""
    text = sources[path]
    assert text.count(old) == 1, f"{path} says {old!r} {text.count(old)} times"
    return {**sources, path: text.replace(old, new)}
