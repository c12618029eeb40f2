from __future__ import annotations

import hashlib
import json
from pathlib import Path

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
