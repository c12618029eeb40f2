"""Requests and replies as the stand-in's parts see them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True)
class Request:
    """One request; ``url`` is path and query exactly as they came."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def raw_path(self) -> str:
        return urlsplit(self.url).path

    @property
    def parts(self) -> list[str]:
        """The pieces of the path, decoded."""
        return [unquote(part) for part in self.raw_path.split("/")[1:]]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Reply:
    """One reply. ``drop_after``: send so many bytes of the body and cut the connection; -1: not even the status."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drop_after: int | None = None
    chunked: bool = False
    pause: float = 0.0


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8", **named})


def graph_error(status: int, code: str, message: str, **headers: str) -> Reply:
    """The form of every error of Graph's."""
    inner = {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": str(uuid.uuid4()),
        "client-request-id": str(uuid.uuid4()),
    }
    return as_json({"error": {"code": code, "message": message, "innerError": inner}}, status, **headers)


def entra_error(status: int, error: str, number: int, text: str, suberror: str = "") -> Reply:
    """The form of every error of Entra's. The description names what a log must never show."""
    body: dict[str, Any] = {
        "error": error,
        "error_description": f"AADSTS{number}: {text} Trace ID: x Correlation ID: y",
        "error_codes": [number],
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
        "trace_id": str(uuid.uuid4()),
        "correlation_id": str(uuid.uuid4()),
    }
    return as_json({**body, "suberror": suberror} if suberror else body, status)


Route = Callable[[Request], Reply]
