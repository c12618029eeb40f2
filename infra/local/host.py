"""The local development host: runs the functions as function_app.py registers them, obeying host.json.

Azure's own host cannot run everywhere; this one does the part of it that Inbound needs:
functions.py (what the host would refuse), queues.py (the pump), timers.py, and HTTP by uvicorn on the very
ASGI app that the HTTP functions serve in Azure. Not for production.

Run it as `python -m infra.local.host` in the repository's root, with HTTP_PORT and the app's settings
(AzureWebJobsStorage among them) in the environment.
"""

import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn

from infra.local.functions import LocalFunction, is_disabled, read
from infra.local.outage import Outage
from infra.local.processes import ROOT
from infra.local.queues import QueueOptions, QueuePump
from infra.local.timers import Timers

log = logging.getLogger("host")

STOP_SECONDS = 20.0  # what running functions get to finish


class Refused(Exception):
    """Azure's host would not start this app; args are one line per reason."""


class Host:
    """The queue and timer functions of an app, at work between start() and stop().

    `functions` are what `app.get_functions()` gave (call it once). `owner` names this host among those that
    share the storage: only one of them fires timers. Raises Refused for what Azure's host would refuse.
    """

    def __init__(
        self,
        functions: Iterable[Any],
        host_json: Mapping[str, Any],
        settings: Mapping[str, str],
        *,
        owner: str,
    ) -> None:
        self.functions, problems = read(functions, settings)
        if problems:
            raise Refused(*problems)
        enabled = [function for function in self.functions if not is_disabled(function.name, settings)]
        options = QueueOptions.read(host_json)
        # Azure's worker has one pool for all functions, of the size of this setting.
        threads = int(settings.get("PYTHON_THREADPOOL_THREAD_COUNT") or options.at_once)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="function")
        outage = Outage()
        self._pumps = [
            QueuePump(function, settings[str(function.trigger["connection"])], options, self._pool, outage)
            for function in enabled
            if function.kind == "queueTrigger"
        ]
        timers = [function for function in enabled if function.kind == "timerTrigger"]
        self._timers = Timers(timers, settings["AzureWebJobsStorage"], self._pool, outage, owner=owner)

    def start(self) -> None:
        """Begin to take messages and to fire timers, in threads of their own."""
        for pump in self._pumps:
            pump.start()
        self._timers.start()

    def stop(self, seconds: float = STOP_SECONDS) -> bool:
        """Take nothing more and wait for running functions; whether all had finished within `seconds`."""
        self._timers.stop()
        for pump in self._pumps:
            pump.stop()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._idle():
            time.sleep(0.02)
        self._pool.shutdown(wait=False, cancel_futures=True)
        return self._idle()

    def _idle(self) -> bool:
        return self._timers.idle() and all(pump.idle() for pump in self._pumps)


class WebServer:
    """uvicorn on 127.0.0.1, in a thread, so that signals stay with the host."""

    def __init__(self, app: Any, listener: socket.socket) -> None:
        self._listener = listener
        config = uvicorn.Config(
            app,
            lifespan="off",  # Azure sends no lifespan events either
            log_config=None,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="http", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer what is being asked, then close."""
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)
        self._listener.close()


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; OSError when the port is taken."""
    return socket.create_server(("127.0.0.1", port), backlog=128)


def describe(functions: Iterable[LocalFunction], settings: Mapping[str, str]) -> str:
    """The list that a start prints: name, trigger and what it waits for."""
    lines = []
    for function in functions:
        kind = function.kind.removesuffix("Trigger")
        trigger = function.trigger
        waits_for = trigger.get("queueName") or trigger.get("schedule") or "/" + str(trigger.get("route", ""))
        off = "  (disabled)" if is_disabled(function.name, settings) else ""
        lines.append(f"  {function.name:<32} {kind:<6} {waits_for}{off}")
    return "\n".join(lines)


def main() -> int:
    """Run the app in the repository's root until SIGTERM or SIGINT; the process's exit code."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    for library in ("azure", "imapclient"):  # they tell each request and each login
        logging.getLogger(library).setLevel(logging.WARNING)
    port = int(os.environ.get("HTTP_PORT", "7071"))
    try:
        listener = listen(port)
    except OSError:
        print(f"port {port} is taken: set HTTP_PORT to a free one", file=sys.stderr)
        return 1
    sys.path.insert(0, str(ROOT))
    from shared import bootstrap  # late: the settings are there only now, and it may take a second
    from shared.errors import StoreError

    try:
        bootstrap.app()
    except (StoreError, ValueError) as error:  # a setting that is wrong, or storage that does not answer
        print(f"the app cannot start: {error}", file=sys.stderr)
        return 1
    from function_app import app

    host_json = json.loads((ROOT / "host.json").read_text())
    try:
        host = Host(app.get_functions(), host_json, os.environ, owner=f"{socket.gethostname()}:{port}")
    except Refused as refused:
        print("Azure's host would refuse this app:", *refused.args, sep="\n  ", file=sys.stderr)
        return 1
    print("Inbound's development host, not for production. Functions:")
    print(describe(host.functions, os.environ), flush=True)
    return serve(host, WebServer(bootstrap.web_app(), listener), stop)


def serve(host: Host, web: WebServer, stop: threading.Event) -> int:
    """Run both until `stop` is set; 0."""
    host.start()
    web.start()
    stop.wait()
    web.stop()
    if not host.stop():
        print(f"functions still ran after {STOP_SECONDS:.0f} s and were left", file=sys.stderr)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # not sys.exit, which would wait for a function that does not end
