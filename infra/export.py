"""Everything of a desk into a folder: ``python3 infra/export.py https://<host> <folder>``.

An admin's key is in ``INBOUND_KEY``. What comes out: ``export.ndjson`` (one item a line), ``mail/<id>.eml``,
``files/<sha256>``, and ``SHA256SUMS`` of them all. Begun again in the same folder, it fetches what is missing. Needs
nothing but Python.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

Fetch = Callable[[str], bytes | None]
"""What stands at a path of the API; None where nothing does (raw mail past its retention)."""


def export(fetch: Fetch, folder: Path) -> int:
    """Write everything; how many items there were."""
    for name in ("mail", "files"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    count, after = 0, ""
    with (folder / "export.ndjson").open("w", encoding="utf-8") as lines:
        while True:
            page = json.loads(fetch(f"/api/export?after={quote(after)}") or b"{}")
            for item in page["items"]:
                lines.write(json.dumps(item, ensure_ascii=False) + "\n")
                _files(fetch, folder, item)
                count += 1
            if page["next"] is None:
                break
            after = page["next"]
    _sums(folder)
    return count


def _files(fetch: Fetch, folder: Path, item: dict[str, Any]) -> None:
    if item["type"] == "mail":
        _keep(fetch, folder / "mail" / f"{item['mail']['id']}.eml", f"/api/mail/{item['mail']['id']}/raw")
    if item["type"] == "note":
        for one in item["note"]["attachments"]:
            path = f"/api/incidents/{item['incident']}/attachments/{quote(one['id'])}"
            _keep(fetch, folder / "files" / one["sha256"], path)


def _keep(fetch: Fetch, place: Path, path: str) -> None:
    if not place.exists() and (content := fetch(path)) is not None:
        written = place.with_suffix(".part")
        written.write_bytes(content)
        written.rename(place)


def _sums(folder: Path) -> None:
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".part")
    files = sorted(path for path in found if path.name != "SHA256SUMS")
    (folder / "SHA256SUMS").write_text("".join(f"{_sum(path)}  {path.relative_to(folder)}\n" for path in files))


def _sum(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def over_http(host: str, key: str) -> Fetch:
    """From a running service."""

    def fetch(path: str) -> bytes | None:
        request = urllib.request.Request(host.rstrip("/") + path, headers={"Authorization": f"Bearer {key}"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=240) as answer:  # noqa: S310  (whoever calls says where)
                content: bytes = answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        return content

    return fetch


def main(arguments: Sequence[str], key: str) -> int:
    """The command; its exit status."""
    if len(arguments) != 2 or not arguments[0].startswith(("https://", "http://")) or not key:
        sys.stderr.write("Usage: INBOUND_KEY=<an admin's key> python3 infra/export.py https://<host> <folder>\n")
        return 2
    host, folder = arguments
    try:
        count = export(over_http(host, key), Path(folder))
    except OSError as error:  # also what urllib raises
        sys.stderr.write(f"It stopped: {error}. Begin again in the same folder to go on.\n")
        return 1
    sys.stdout.write(f"{count} items are in {folder}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ.get("INBOUND_KEY", "")))
