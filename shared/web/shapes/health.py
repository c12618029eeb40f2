"""Whether the app works."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Health(BaseModel):
    """Whether storage answers."""

    status: Literal["ok", "unavailable"]
