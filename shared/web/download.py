"""Bytes from strangers, as a download that no browser shows or runs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from shared.mail.attachment import safe_name

FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}
"""How the API's description says so."""


def download(content: bytes, name: str) -> Response:
    """The content as application/octet-stream, whatever its sender called it."""
    return Response(
        content,
        media_type="application/octet-stream",
        headers={"Content-Disposition": disposition(name)},
    )


def disposition(name: str) -> str:
    """``attachment`` with the name twice: plain for old clients, and as it is (RFC 6266, RFC 8187)."""
    # Cleaned when it was read; again here, where a mistake would write headers.
    cleaned = safe_name(name)
    plain = "".join(letter if letter.isascii() and letter not in '"\\%' else "_" for letter in cleaned)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(cleaned, safe='')}"
