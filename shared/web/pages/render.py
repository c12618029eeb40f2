"""Templates to answers. All words of a page stand in its template, so that it can be translated there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared.model.incident import label
from shared.web.pages import static


def _when(time: datetime) -> str:
    """A time for people, until the script shows it in the reader's own zone."""
    return f"{time.astimezone(UTC):%-d %b %Y, %H:%M} UTC"


def _machine(time: datetime) -> str:
    """A time for ``<time datetime>`` (RFC 3339)."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _size(size: int) -> str:
    """Bytes for people: decimal units, as file managers show them."""
    if size < 1000:
        return f"{size} B"
    for unit in ("kB", "MB", "GB"):
        shown = size / 1000 ** ("kB", "MB", "GB").index(unit) / 1000
        if shown < 999.5 or unit == "GB":
            return f"{shown:.1f} {unit}" if shown < 9.95 else f"{shown:.0f} {unit}"
    raise AssertionError("the last unit always fits")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        # Always, whatever a template is called: strangers wrote what is shown here.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(when=_when, machine=_machine, size=_size, label=label)
    environment.globals["static"] = static.address
    return environment


_ENVIRONMENT = _environment()


def _version() -> str:
    """Names what all pages look like: it changes with the templates and the static files."""
    folder = Path(__file__).parent
    files = sorted([*(folder / "templates").iterdir(), *(folder / "static").iterdir()])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()


VERSION = _version()


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    tag: str = "",
    **values: Any,
) -> Response:
    """A template as an answer. With ``caller`` among the values it shows the navigation. ``tag``: an entity tag that
    is known without the page; else it is made of the page."""
    html = _ENVIRONMENT.get_template(template).render({"caller": None, **values}).encode()
    if status != 200:
        return HTMLResponse(html, status, dict(headers or {}))
    # The script of the lists asks again and again; mostly nothing has changed.
    tag = tag or f'"{hashlib.sha256(html).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return HTMLResponse(html, status, {"ETag": tag, **(headers or {})})
