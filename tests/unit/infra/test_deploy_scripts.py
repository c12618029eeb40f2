"""What the workflows run, run here: Azure's and git's commands are scripts of the test's own, the app is the real one."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from tests.support.app import World
from tests.unit.infra.workflows import GITHUB, ROOT
from tests.unit.web.house import House, make_house

SCRIPTS = GITHUB / "scripts"

SYNC = """
case "$*" in
"cloud show"*) echo https://management.example/ ;;
"functionapp show"*) echo /subscriptions/1/app ;;
"rest --method post"*) [ ! -e {home}/refuses ] ;;
"functionapp function list"*) cat {home}/known ;;
esac
"""


class Commands:
    """A folder of commands that take the place of the real ones, and what was asked of them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "bin").mkdir()

    def put(self, name: str, script: str) -> None:
        file = self.home / "bin" / name
        file.write_text(f'#!/bin/sh\necho "$@" >>{self.home}/asked\n{script.format(home=self.home)}')
        file.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        return (self.home / "asked").read_text().splitlines()

    def run(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.home / 'bin'}:{os.environ['PATH']}"
        known = {"PATH": path, "ROUNDS": "3", "PAUSE_SECONDS": "0", **environment}
        return subprocess.run(command, env=known, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


def function_names() -> list[str]:
    command = [sys.executable, str(SCRIPTS / "function_names.py")]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()


# ── the functions that Azure must know ────────────────────────────────────────────────────────────────────────────


def test_the_functions_are_those_that_the_app_registers() -> None:
    # In a process of its own: an app can be indexed once only. Without storage it has no mailbox's timer.
    code = "import function_app; print(*[one.get_function_name() for one in function_app.app.get_functions()])"
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, timeout=60)
    assert sorted(done.stdout.decode().split()) == sorted(function_names())


# ── sync_triggers.sh ──────────────────────────────────────────────────────────────────────────────────────────────


def sync(commands: Commands, known: list[str]) -> subprocess.CompletedProcess[str]:
    commands.put("az", SYNC)
    (commands.home / "known").write_text("".join(f"func-inbound/{name}\n" for name in known))
    return commands.run(SCRIPTS / "sync_triggers.sh", "func-inbound", "rg-inbound-dev")


def test_triggers_are_synced_until_every_function_is_known(commands: Commands) -> None:
    done = sync(commands, [*function_names(), "poll_acme_support_0a1b2c"])
    assert done.returncode == 0, done.stdout + done.stderr
    url = "https://management.example/subscriptions/1/app/host/default/sync?api-version=2024-04-01"
    assert [one for one in commands.asked if url in one] == [f"rest --method post --url {url} --output none"]


def test_a_function_that_never_comes_ends_the_loop_and_is_named(commands: Commands) -> None:
    done = sync(commands, [name for name in function_names() if name != "sweep"])
    assert done.returncode == 1
    assert "round 3 of 3: not known yet: sweep\n" in done.stdout
    assert len([one for one in commands.asked if one.startswith("rest")]) == 3


def test_a_function_whose_name_only_contains_another_does_not_stand_for_it(commands: Commands) -> None:
    done = sync(commands, [*(name for name in function_names() if name != "send"), "send_gave_up"])
    assert "not known yet: send\n" in done.stdout


def test_a_sync_that_is_refused_is_tried_again(commands: Commands) -> None:
    (commands.home / "refuses").touch()
    done = sync(commands, [])
    assert done.returncode == 1
    assert done.stdout.count("the sync was refused") == 3


# ── check_pins.sh ─────────────────────────────────────────────────────────────────────────────────────────────────


def pins() -> dict[str, tuple[str, str]]:
    """Repository to hash and release, as the workflows have them."""
    texts = "\n".join(path.read_text() for path in GITHUB.rglob("*.yml"))
    return {
        name: (pin, tag) for name, pin, tag in re.findall(r"uses: ([\w-]+/[\w-]+)@([0-9a-f]{40}) # (v[\d.]+)", texts)
    }


def check_pins(commands: Commands, released: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """``released``: what GitHub answers for a repository, instead of the right release."""
    commands.put("git", 'cat "{home}/$(basename "$2")"')
    for name, (pin, tag) in pins().items():
        # An annotated tag has two lines: its own hash, and that of the commit it points at.
        right = f"{'0' * 40}\trefs/tags/{tag}\n{pin}\trefs/tags/{tag}^{{}}\n"
        (commands.home / name.partition("/")[2]).write_text(released.get(name, right))
    return commands.run(SCRIPTS / "check_pins.sh")


def test_pins_that_are_what_they_claim_pass(commands: Commands) -> None:
    done = check_pins(commands, {})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok: ") == len(pins()) == 4
    assert all(one.startswith("ls-remote https://github.com/") for one in commands.asked)


@pytest.mark.parametrize("answer", [f"{'a' * 40}\trefs/tags/v1.5.7\n", ""])
def test_a_pin_that_is_another_commit_or_no_release_is_named(commands: Commands, answer: str) -> None:
    done = check_pins(commands, {"Azure/functions-action": answer})
    assert done.returncode == 1
    assert re.search(r"::error::Azure/functions-action@\w{40} is not v1\.5\.7", done.stdout)
    assert done.stdout.count("ok: ") == 3


def test_without_github_the_pins_are_not_taken_for_right(commands: Commands) -> None:
    commands.put("git", "exit 128")
    assert commands.run(SCRIPTS / "check_pins.sh").returncode != 0


# ── what_if.sh ────────────────────────────────────────────────────────────────────────────────────────────────────

ASK = """
case "$*" in
*inbound-prod*) group=prod ;;
*) group=dev ;;
esac
case "$*" in
"group exists"*) [ -e {home}/$group ] && echo true || echo false ;;
"deployment group what-if"*) cat {home}/$group; [ ! -e {home}/fails ] ;;
esac
"""


def what_if(commands: Commands, **groups: str) -> tuple[int, str]:
    commands.put("az", ASK)
    for name, answer in groups.items():
        (commands.home / name).write_text(answer)
    report = commands.home / "report.md"
    done = commands.run(SCRIPTS / "what_if.sh", report, "dev", "prod", RESOURCE_GROUP_PREFIX="rg-inbound")
    return done.returncode, report.read_text()


def test_the_report_holds_what_each_environment_would_change(commands: Commands) -> None:
    status, report = what_if(commands, dev="+ Microsoft.Storage/one", prod="~ Microsoft.Web/two")
    assert status == 0
    assert report.index("dev (rg-inbound-dev)") < report.index("+ Microsoft.Storage/one")
    assert report.index("prod (rg-inbound-prod)") < report.index("~ Microsoft.Web/two")
    asked = [one for one in commands.asked if "what-if" in one]
    assert [re.findall(r"infra/\w+\.bicepparam", one) for one in asked] == [
        ["infra/dev.bicepparam"],
        ["infra/prod.bicepparam"],
    ]


def test_an_environment_that_is_not_set_up_is_said_so_and_fails_nothing(commands: Commands) -> None:
    status, report = what_if(commands, dev="nothing")
    assert status == 0
    assert "Not set up" in report[report.index("prod (") :]


def test_a_what_if_that_fails_fails_the_job_and_is_reported_all_the_same(commands: Commands) -> None:
    (commands.home / "fails").touch()
    status, report = what_if(commands, dev="AuthorizationFailed", prod="AuthorizationFailed")
    assert status == 1
    assert report.count("AuthorizationFailed") == 2


def test_a_report_fits_into_a_comment(commands: Commands) -> None:
    _, report = what_if(commands, dev="x" * 200_000, prod="y" * 200_000)
    assert 50_000 < len(report) < 65_536


# ── smoke.py ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def served(world: World) -> Iterator[tuple[House, str]]:
    """The real app, in memory, on a free port of loopback."""
    house = make_house(world)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(house.web, log_level="warning", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield house, f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


def smoke(commands: Commands, address: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return commands.run(sys.executable, SCRIPTS / "smoke.py", address, **environment)


def test_a_healthy_app_passes_and_the_settings_test_is_skipped_by_name(
    commands: Commands, served: tuple[House, str]
) -> None:
    done = smoke(commands, served[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "health: ok (round 1)" in done.stdout
    assert "Settings test skipped" in done.stdout


def test_settings_that_work_pass(commands: Commands, served: tuple[House, str]) -> None:
    house, address = served
    house.mailbox()
    key = house.keys["acme", "admin"]
    done = smoke(commands, address, SMOKE_MAILBOX="support", SMOKE_API_KEY=key)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"settings test: \w+: ok", done.stdout)
    assert key not in done.stdout + done.stderr
    assert "acme.example" not in done.stdout


def test_a_key_of_another_tenant_or_a_missing_mailbox_fails(commands: Commands, served: tuple[House, str]) -> None:
    house, address = served
    house.mailbox()
    for key, mailbox in ((house.keys["other", "admin"], "support"), (house.keys["acme", "admin"], "missing")):
        done = smoke(commands, address, SMOKE_MAILBOX=mailbox, SMOKE_API_KEY=key)
        assert done.returncode == 1
        assert "settings test: 404" in done.stdout


def test_an_app_that_does_not_answer_fails_after_the_last_round(commands: Commands) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = smoke(commands, f"http://127.0.0.1:{port}")
    assert done.returncode == 1
    assert "health: round 3 of 3: no answer" in done.stdout
