"""`make run`: Azurite, the demo mail server, the local host and a demo tenant, until Ctrl-C.

Settings come from the environment (Settings below). Data stays in STATE_DIR, so that the next run carries on.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

import httpx

from infra.local import addresses, processes, tenant
from infra.local.azurite import ACCOUNT, KEY, Azurite, AzuriteError

HOST_START_SECONDS = 60.0  # importing the app takes 1-2 s; a busy CI machine ten times as long
HOST_STOP_SECONDS = 30.0  # the host gives running functions 20 s
MAIL_SERVER_SECONDS = 15.0  # to start or to stop; it takes 0.5 s
LOOPBACK = "127.0.0.0/8,::1/128"  # a local run may reach mail servers on this machine; in Azure the app may not
# The storage SDK for tables does not know the short form.
DEVELOPMENT_STORAGE = (
    f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
    f"BlobEndpoint=http://127.0.0.1:10000/{ACCOUNT};QueueEndpoint=http://127.0.0.1:10001/{ACCOUNT};"
    f"TableEndpoint=http://127.0.0.1:10002/{ACCOUNT};"
)


class CannotRun(Exception):
    """Something must be changed before a run is possible. The message says what."""


@dataclass(frozen=True)
class Settings:
    """The environment of `make run`."""

    http_port: int
    smtp_port: int
    imap_port: int
    state: Path  # STATE_DIR
    demo: bool  # DEMO=0: no demo mail server, no demo tenant
    storage: str  # AzureWebJobsStorage; empty: an Azurite of our own
    admin_key: str  # API_ADMIN_KEY; empty: one is made and kept
    func: bool  # HOST=func: Azure Functions Core Tools instead of the local host

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Raises CannotRun for a port that is no number."""
        storage = environ.get("AzureWebJobsStorage", "")
        return cls(
            http_port=_port(environ, "HTTP_PORT", 7071),
            smtp_port=_port(environ, "SMTP_PORT", 2525),
            imap_port=_port(environ, "IMAP_PORT", 1143),
            state=Path(environ.get("STATE_DIR") or ".local").absolute(),
            demo=environ.get("DEMO", "1") != "0",
            storage=DEVELOPMENT_STORAGE if storage == "UseDevelopmentStorage=true" else storage,
            admin_key=environ.get("API_ADMIN_KEY", ""),
            func=environ.get("HOST") == "func",
        )

    def ports(self) -> dict[str, int]:
        """The ports this run needs, by their variables."""
        ports = {"HTTP_PORT": self.http_port}
        return ports | {"SMTP_PORT": self.smtp_port, "IMAP_PORT": self.imap_port} if self.demo else ports


class Run:
    """Everything a run starts; `stack` stops it again: the host first, the storage last."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], stack: ExitStack) -> None:
        self._settings = settings
        self._environ = environ
        self._stack = stack
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start all of it and say how to use it. Raises CannotRun, AzuriteError, TenantError."""
        settings = self._settings
        storage = settings.storage or self._start_azurite()
        admin_key = settings.admin_key or tenant.secret(settings.state / "admin.key")
        secrets = tenant.Secrets(settings.state / "demo.json")
        if settings.demo:
            self._start_mail_server(secrets.password)
        self._start_host(storage, admin_key)
        self._wait("the host", HOST_START_SECONDS, self._is_healthy)
        if not settings.demo:
            print(f"\nInbound runs: http://localhost:{settings.http_port}  cloud admin's key: {admin_key}\n")
            return
        with httpx.Client(base_url=self._url(), trust_env=False, timeout=30.0) as http:
            tenant.make(http, admin_key, secrets, settings.imap_port, settings.smtp_port)
        print(_welcome(settings, secrets.key), flush=True)

    def check(self) -> None:
        """Raises CannotRun when something that was started has ended."""
        for name, child in self._children.items():
            code = child.poll()
            if code is not None:
                how = f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
                raise CannotRun(f"{name} ended ({how}); stopped the rest")

    def _start_azurite(self) -> str:
        azurite = self._stack.enter_context(Azurite(self._settings.state / "azurite"))
        self._children["Azurite"] = azurite.process
        return azurite.connection_string

    def _start_mail_server(self, password: str) -> None:
        settings = self._settings
        environ = {
            **self._environ,
            "SMTP_PORT": str(settings.smtp_port),
            "IMAP_PORT": str(settings.imap_port),
            "DEMO_MAIL": str(settings.state / "mail.sqlite"),
            "DEMO_PASSWORD": password,
        }
        command = [sys.executable, "-m", "infra.local.demo"]
        self._start_child("the demo mail server", command, environ, MAIL_SERVER_SECONDS)
        self._wait("the demo mail server", MAIL_SERVER_SECONDS, lambda: _listens(settings.imap_port))

    def _start_host(self, storage: str, admin_key: str) -> None:
        settings = self._settings
        environ = {
            "KEY_FILE": str(settings.state / "key.json"),
            "ALLOW_ADDRESSES": LOOPBACK,
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AzureWebJobsDisableHomepage": "true",
            "PYTHONUNBUFFERED": "1",
            **self._environ,
            "AzureWebJobsStorage": storage,
            "API_ADMIN_KEY": admin_key,
            "HTTP_PORT": str(settings.http_port),
        }
        command = [sys.executable, "-m", "infra.local.host"]
        if settings.func:
            command = ["func", "start", "--python", "--port", str(settings.http_port)]
            environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ.get('PATH', '')}"
        self._start_child("the host", command, environ, HOST_STOP_SECONDS)

    def _start_child(self, name: str, command: list[str], environ: Mapping[str, str], stop: float) -> None:
        child = processes.start(command, env=environ)
        self._stack.callback(processes.stop, child, stop)
        self._children[name] = child

    def _wait(self, name: str, seconds: float, ready: Callable[[], bool]) -> None:
        """Wait until `ready`; CannotRun when it takes longer than `seconds`, or when something ends."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise CannotRun(f"{name} was not ready within {seconds:.0f} s")
            time.sleep(0.05)

    def _is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self._url()}/api/health", trust_env=False, timeout=10.0).status_code == 200
        except httpx.TransportError:
            return False

    def _url(self) -> str:
        return f"http://127.0.0.1:{self._settings.http_port}"


def main() -> int:
    """Run until Ctrl-C or SIGTERM; the exit code: 0, or 1 after one line that says why."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        settings = Settings.read(os.environ)
        _check(settings)
        with ExitStack() as stack:
            _take(settings.state, stack)
            run = Run(settings, os.environ, stack)
            run.start()
            while True:
                run.check()
                time.sleep(0.2)
    except KeyboardInterrupt:
        return 0
    except (CannotRun, AzuriteError, tenant.TenantError) as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1


def _interrupt(number: int, frame: object) -> NoReturn:
    for again in (signal.SIGINT, signal.SIGTERM):
        signal.signal(again, signal.SIG_IGN)  # a second Ctrl-C does not interrupt the clean end
    raise KeyboardInterrupt


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise CannotRun(f"{name}={text} is no port: set it to a number from 1 to 65535")
    return int(text)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((addresses.HOST, port)) == 0


def _check(settings: Settings) -> None:
    """Raise CannotRun for what can be known before anything is started."""
    if settings.func and shutil.which("func") is None:
        raise CannotRun("HOST=func: Azure Functions Core Tools are not installed; leave HOST out for our own host")
    taken: dict[int, str] = {}
    for name, port in settings.ports().items():
        if port in taken:
            raise CannotRun(f"{name} and {taken[port]} are both {port}: set one of them to another port")
        taken[port] = name
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except PermissionError:
            raise CannotRun(f"port {port} may not be used: set {name} to a port above 1023") from None
        except OSError:
            raise CannotRun(f"port {port} is taken: set {name} to a free one") from None


def _take(state: Path, stack: ExitStack) -> None:
    """Make the state directory ours alone for this run; CannotRun if another run uses it."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        state.chmod(0o700)  # whole mails lie in there
        lock = stack.enter_context((state / "run.lock").open("w"))
    except OSError as error:
        raise CannotRun(f"cannot write {state} ({error.strerror}): set STATE_DIR to another directory") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # let go by the kernel, however we end
    except BlockingIOError:
        raise CannotRun(f"another run uses {state}: stop it, or set STATE_DIR to another directory") from None


def _welcome(settings: Settings, key: str) -> str:
    page = f"http://localhost:{settings.http_port}"
    python = Path(sys.executable)
    shown = python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python
    own = {"SMTP_PORT": (settings.smtp_port, 2525), "STATE_DIR": (settings.state, Path(".local").absolute())}
    prefix = "".join(f"{name}={value} " for name, (value, usual) in own.items() if value != usual)
    send = f"{prefix}{shown} -m infra.local.send"
    return f"""
Inbound runs. Ctrl-C stops it; its data stays in {settings.state}.

  Page       {page}/sign-in#key={key}
  API key    {key}  (tenant demo)
  Write to   {addresses.ADDRESS}, by SMTP at {addresses.HOST}:{settings.smtp_port}
  Example    {send}
  Answer it  {send} --reply
  Answered   what the desk sent: {settings.state / addresses.SENT}
  Poll now   curl -X POST -H 'Authorization: Bearer {key}' {page}/api/mailboxes/support/poll
"""


if __name__ == "__main__":
    sys.exit(main())
