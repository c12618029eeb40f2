"""The demo mail server (pymap, aiosmtpd) as its own process, as ``make run`` starts it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local.addresses import USER

START_SECONDS = 20


class DemoServer:
    """A running demo server (``with DemoServer(folder) as demo``)."""

    def __init__(self, folder: Path) -> None:
        self.username = USER
        self.password = "demo-secret"
        self.imap_port, self.smtp_port = _free_port(), _free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, with the mail of last time."""
        environment = {
            **os.environ,
            "SMTP_PORT": str(self.smtp_port),
            "IMAP_PORT": str(self.imap_port),
            "DEMO_MAIL": str(self._folder / "mail.db"),
            "DEMO_PASSWORD": self.password,
        }
        self._process = subprocess.Popen([sys.executable, "-m", "infra.local.demo"], env=environment)
        self._wait()

    def stop(self) -> None:
        """Stop it; its mail stays."""
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=20)
            self._process = None

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.imap_port), timeout=1).close()
                socket.create_connection(("127.0.0.1", self.smtp_port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("the demo server does not answer")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
