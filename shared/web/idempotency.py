"""Idempotency-Key of requests that make something (draft-ietf-httpapi-idempotency-key-header): the same wish sent
again, because its answer was lost, is not done twice."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="A text of your own for this wish, such as a UUID. Send it again with the same wish: the answer is "
        "the same, and nothing is made twice.",
    ),
]


def once(who: str, key: str | None) -> str:
    """Who asks and what they call their wish, as one text; empty without an Idempotency-Key."""
    return f"{who}\n{key}" if key else ""
