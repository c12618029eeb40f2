"""Azurite, Microsoft's storage emulator, as a process of our own: for `make run` and for the tests.

Installed by `make` from package-lock.json beside this file. Version and flags: what was measured is in the
flags' comments; 3.35.0 is the newest that runs on node 18 and 20.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from infra.local import processes

SCRIPT = Path(__file__).with_name("node_modules") / "azurite" / "dist" / "src" / "azurite.js"
SERVICES = ("blob", "queue", "table")
# The emulator's account is the same everywhere and no secret
# (learn.microsoft.com/azure/storage/common/storage-connect-azurite).
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
LISTENS = re.compile(r"Azurite (\w+) service is successfully listening at http://127\.0\.0\.1:(\d+)")
FLAGS = [
    "--silent",  # no line per request
    "--skipApiVersionCheck",  # today's SDKs speak a newer API version than Azurite knows: 400 without it
    "--disableTelemetry",  # on by default
]
START_SECONDS = 30.0  # 0.8 s on an idle machine; a busy CI machine has been seen to take ten times as long
STOP_SECONDS = 30.0  # it writes its tables and waits for requests in flight: 0.02 s idle


class AzuriteError(Exception):
    """Azurite did not start. The message says what to do."""


class Azurite:
    """A storage emulator on free ports of 127.0.0.1; after stop(), start() takes the same ports again.

    `location` is the directory that keeps the data; None keeps it in memory, where a stop loses it. Start it
    from a thread that lives as long as it shall (child.py).
    """

    def __init__(self, location: Path | None = None, script: Path = SCRIPT) -> None:
        self._location = location
        self._script = script
        self._ports = dict.fromkeys(SERVICES, 0)  # 0: any free port; the real ones are read from its output
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running process; AssertionError when it was not started."""
        assert self._process is not None, "Azurite was not started"
        return self._process

    @property
    def connection_string(self) -> str:
        """What AzureWebJobsStorage holds to reach this Azurite, once started."""
        ends = "".join(
            f"{service.capitalize()}Endpoint=http://127.0.0.1:{port}/{ACCOUNT};"
            for service, port in self._ports.items()
        )
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{ends}"

    def start(self) -> None:
        """Start and wait until all three services listen; AzuriteError if not within START_SECONDS."""
        if self._location:
            self._location.mkdir(parents=True, exist_ok=True)
        # A file, not a pipe: when whoever started us is killed, a write to the broken pipe would end Azurite
        # before it has written its tables.
        with tempfile.TemporaryFile() as output:
            self._process = processes.start(self._command(), stdout=output, stderr=output)
            try:
                self._ports = self._wait_until_it_listens(output)
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Stop by SIGTERM and wait: a SIGKILL would lose rows that were already acknowledged."""
        if self._process is not None:
            processes.stop(self._process, STOP_SECONDS)
            self._process = None

    def _command(self) -> list[str]:
        node = shutil.which("node") or shutil.which("nodejs")
        if node is None:
            raise AzuriteError("Node.js 18 or newer is missing: apt-get install nodejs npm")
        if not self._script.exists():
            raise AzuriteError("Azurite is not installed: make infra/local/node_modules/.installed")
        where = ["--location", str(self._location.resolve())] if self._location else ["--inMemoryPersistence"]
        ports = [word for name, port in self._ports.items() for word in (f"--{name}Port", str(port))]
        return [node, str(self._script), *FLAGS, *where, *ports]

    def _wait_until_it_listens(self, output: IO[bytes]) -> dict[str, int]:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None  # asked before reading, so that its last words are read
            # pread: the child shares our file offset, and a seek would make it overwrite itself
            said = os.pread(output.fileno(), 64 * 1024, 0).decode(errors="replace")
            ports = {name.lower(): int(port) for name, port in LISTENS.findall(said)}
            if len(ports) == len(SERVICES):
                return ports
            if ended:
                raise AzuriteError(f"Azurite ended at once: {said.strip().splitlines()[-1] if said else 'no output'}")
            time.sleep(0.02)
        raise AzuriteError(f"Azurite did not listen within {START_SECONDS:.0f} s")
