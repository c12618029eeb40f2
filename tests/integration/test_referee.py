"""Microsoft's own worker library (Python 3.13) indexes and invokes this app, as it would in Azure."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from infra.local.azurite import Azurite
from shared.model.schedule import timer_name

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-referee" / "bin" / "python"

pytestmark = [
    pytest.mark.azurite,
    pytest.mark.skipif(not PYTHON.exists(), reason="no Python 3.13 was found for Microsoft's runtime (make referee)"),
]


def _run(connection_string: str, tmp_path: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [str(PYTHON), "-m", "tests.referee.run", *arguments],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "AzureWebJobsStorage": connection_string,
            "KEY_FILE": str(tmp_path / "key"),
            "API_ADMIN_KEY": "0123456789abcdef",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _with_mailboxes(azurite: Azurite, tmp_path: Path, count: int) -> list[str]:
    """Mailboxes as the app itself would save them; the names that their timers must have."""
    from shared import bootstrap
    from shared.config import read
    from shared.flows import mailboxes, tenants
    from shared.model.mailbox import Settings

    app = bootstrap.build(read({"AzureWebJobsStorage": azurite.connection_string, "KEY_FILE": str(tmp_path / "key")}))
    tenant, _ = tenants.put(app, "acme", "Acme")
    names = []
    for number in range(count):
        minutes = (2, 7, 60, 1440)[number % 4]
        settings = Settings(group="g", host="mail.example.org", username="u", polling_minutes=minutes)
        mailboxes.save(app, tenant.key, f"box-{number}", settings, {"password": "p"})
        names.append(timer_name(tenant.key, f"box-{number}"))
    return names


def test_every_function_is_indexed_and_can_be_invoked(tmp_path: Path) -> None:
    with Azurite(None) as azurite:
        result = _run(azurite.connection_string, tmp_path)
    names = {
        "sweep",
        "poll_mailbox",
        "convert",
        "give_up",
        "send",
        "send_gave_up",
        "rescue",
        "heal",
        "incinerate",
        "watch",
        "reconcile",
        "erase",
        "webhook",
        "webhook_gave_up",
    }
    names |= {"api", "oauth", "pages"}
    assert set(result["functions"]) == names
    assert {name: one["error"] for name, one in result["invoked"].items() if not one["ok"]} == {}
    assert result["health"]["status"] == 200
    assert result["page"]["status"] == 200


@pytest.mark.parametrize("count", [3, 80])
def test_mailboxes_have_a_timer_function_each_up_to_the_cap(tmp_path: Path, count: int) -> None:
    with Azurite(None) as azurite:
        names = _with_mailboxes(azurite, tmp_path, count)
        result = _run(azurite.connection_string, tmp_path, "--index", DEDICATED_TIMERS="80")
        capped = _run(azurite.connection_string, tmp_path, "--index", DEDICATED_TIMERS="2")
    assert set(names) <= set(result["functions"])
    timers = [name for name in capped["functions"] if name.startswith("poll_acme")]
    assert sorted(timers) == sorted(names[:2])


def test_unreachable_storage_does_not_keep_the_app_from_starting(tmp_path: Path) -> None:
    dead = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;TableEndpoint=http://127.0.0.1:9/a;"
    result = _run(dead, tmp_path, "--index")
    assert "sweep" in result["functions"]


def test_storage_that_never_answers_does_not_keep_the_app_from_starting(tmp_path: Path) -> None:
    """Azure ends a start after 30 s; a connection that is taken and left alone is the slowest way to fail."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/a"
        hangs = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;TableEndpoint={address};"
        began = time.monotonic()
        result = _run(hangs, tmp_path, "--index")
        assert time.monotonic() - began < 25
    assert "sweep" in result["functions"]
