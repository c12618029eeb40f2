"""Style, script and icon: kept by browsers for ever, because their addresses change with their content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

router = APIRouter(prefix="/static")

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FOLDER = Path(__file__).parent / "static"


def _named(path: Path) -> str:
    return f"{path.stem}.{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}{path.suffix}"


_FILES = {_named(path): path.read_bytes() for path in _FOLDER.iterdir() if path.suffix in _TYPES}
_ADDRESSES = {path.name: f"/static/{_named(path)}" for path in _FOLDER.iterdir() if path.suffix in _TYPES}


def address(name: str) -> str:
    """Where browsers find this file."""
    return _ADDRESSES[name]


def read(name: str) -> str:
    """The text of a file that goes into a document of its own."""
    return (_FOLDER / name).read_text()


@router.get("/{name}")
def get_file(name: str) -> Response:
    """A file by its name with the hash of its content."""
    if name not in _FILES:
        raise HTTPException(404)
    return Response(
        _FILES[name],
        media_type=_TYPES[Path(name).suffix],
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )
