"""A list in pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list; ``next`` asks for those after them, None when there are none."""

    items: tuple[Item, ...]
    next: str | None = None
