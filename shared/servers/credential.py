"""What a mailbox is opened with: a password, or something that gives tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Tokens = Callable[[bool], str]
"""An OAuth 2.0 access token; True asks for a new one because the server refused the last."""


@dataclass(frozen=True, slots=True)
class Credential:
    """``tokens`` where the mailbox is opened by OAuth 2.0, else the password."""

    password: str = ""
    tokens: Tokens | None = None
