from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra import export as command
from infra.export import export
from tests.unit.web.house import ADMIN_KEY, House


def fill(house: House) -> None:
    house.mailbox(password="the-secret")
    house.deliver(
        "Printer", "It burns.", files=(("plan.pdf", "application/pdf", b"%PDF"),), raw=b"From: a@b.c\r\n\r\nx"
    )


def test_everything_is_written_into_a_folder_with_its_sums(house: House, tmp_path: Path) -> None:
    fill(house)
    client = house.client("admin")

    def fetch(path: str) -> bytes | None:
        answer = client.get(path)
        assert answer.status_code in (200, 404), answer.text
        return answer.content if answer.status_code == 200 else None

    for _ in range(2):
        assert export(fetch, tmp_path) == 4
    items = [json.loads(line) for line in (tmp_path / "export.ndjson").read_text().splitlines()]
    assert [one["type"] for one in items] == ["mailbox", "incident", "note", "mail"]
    assert items[2]["note"]["text"] == "It burns."
    assert (tmp_path / "files" / items[2]["note"]["attachments"][0]["sha256"]).read_bytes() == b"%PDF"
    (mail,) = (tmp_path / "mail").iterdir()
    assert mail.read_bytes() == b"From: a@b.c\r\n\r\nx"
    for line in (tmp_path / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest


def test_no_secret_and_no_other_desk_is_in_it(house: House) -> None:
    fill(house)
    text = house.client("admin").get("/api/export").text
    assert "the-secret" not in text
    assert house.client("admin", "other").get("/api/export").json() == {"items": [], "next": "mail"}


def test_the_cloud_admin_gets_the_same(house: House) -> None:
    fill(house)
    cloud = house.client(None)
    answer = cloud.get("/api/tenants/acme/export", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    assert answer.json() == house.client("admin").get("/api/export").json()


def test_agents_do_not_export(house: House) -> None:
    assert house.client("agent").get("/api/export").status_code == 403


def run(*arguments: str, key: str = "the-key") -> subprocess.CompletedProcess[str]:
    """As README says, with nothing but Python."""
    given = [sys.executable, "-I", command.__file__, *arguments]
    return subprocess.run(given, env=os.environ | {"INBOUND_KEY": key}, capture_output=True, text=True, timeout=60)


def test_the_command_of_the_readme_writes_the_folder(tmp_path: Path) -> None:
    asked: list[tuple[str, str | None]] = []

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            pages = {
                "/api/export?after=": {"items": [{"type": "mail", "mail": {"id": "a" * 32}}], "next": "mail-1"},
                "/api/export?after=mail-1": {"items": [], "next": None},
            }
            found = self.path in pages
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(json.dumps(pages.get(self.path, {})).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run(f"http://127.0.0.1:{server.server_port}/", str(tmp_path / "acme"))
        server.shutdown()
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 items" in done.stdout
    assert len((tmp_path / "acme" / "export.ndjson").read_text().splitlines()) == 1
    assert {key for _, key in asked} == {"Bearer the-key"}
    assert f"/api/mail/{'a' * 32}/raw" in [path for path, _ in asked]


@pytest.mark.parametrize("arguments", [(), ("https://x.example",), ("x.example", "folder")])
def test_the_command_says_how_it_is_used(arguments: tuple[str, ...]) -> None:
    assert (run(*arguments).returncode, "Usage" in run(*arguments).stderr) == (2, True)


def test_the_command_says_that_nobody_answers(tmp_path: Path) -> None:
    done = run("http://127.0.0.1:1", str(tmp_path))
    assert done.returncode == 1
    assert "Begin again" in done.stderr
    assert "Traceback" not in done.stderr
