"""`make run` as a process of its own, for tests that meet it as its user does."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from imapclient import IMAPClient

from infra.local.addresses import HOST, USER
from infra.local.processes import ROOT
from infra.local.tenant import Secrets

IN_TIME = 90.0  # seconds; a start takes 4 on an idle machine
PORTS = ("HTTP_PORT", "SMTP_PORT", "IMAP_PORT")


class Run:
    """One `make run`, with free ports and a state directory of its own, in a process group like a terminal's."""

    def __init__(self, state: Path, **environ: str) -> None:
        self.state = state
        self.output = state.with_name(f"{state.name}-{uuid.uuid4().hex}.out")  # each run's own
        given = {name: int(text) for name, text in environ.items() if name in PORTS and text.isdigit()}
        self.ports = {**free_ports(), **given}
        environ = {**os.environ, **{k: str(v) for k, v in self.ports.items()}, "STATE_DIR": str(state), **environ}
        for name in ("AzureWebJobsStorage", "API_ADMIN_KEY", "KEY_FILE"):
            if environ.get(name) == os.environ.get(name):
                environ.pop(name, None)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.local.run"],
                cwd=ROOT,
                env=environ,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_until_it_says(self, words: str) -> None:
        eventually(lambda: words in self.said or self.process.poll() is not None)
        assert words in self.said, f"exit code {self.process.poll()}: {self.said}"

    def printed(self, label: str) -> str:
        """The value that the block shows behind `label`."""
        found = re.search(rf"^  {label} +(.+)$", self.said, re.MULTILINE)
        assert found, self.said
        return found[1]

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(IN_TIME)

    def processes(self) -> list[int]:
        """All processes that this run's state directory can be found in the environment of."""
        return processes_with(f"STATE_DIR={self.state}")

    def pids(self, module: str) -> list[int]:
        """Those of them that run this module."""
        return [pid for pid in self.processes() if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def imap(self) -> IMAPClient:
        client = IMAPClient(HOST, self.ports["IMAP_PORT"], ssl=False)
        client.login(USER, Secrets(self.state / "demo.json").password)
        return client


def processes_with(setting: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if setting.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue  # it ended, or is another user's
    return found


def free_ports() -> dict[str, int]:
    sockets = [socket.create_server((HOST, 0)) for _ in PORTS]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return dict(zip(PORTS, ports, strict=True))


def eventually(happened: Callable[[], object], within: float = IN_TIME) -> None:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError(f"did not happen within {within} s")
