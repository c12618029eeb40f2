"""The demo mail server: any mail sent to its SMTP door lies in one IMAP mailbox, and what the desk itself sends, after
logging in as `support`, in the folder `sent` beside DEMO_MAIL. Loopback only, not for production.

IMAP by pymap over SQLite (maildrop.py), SMTP by aiosmtpd. Run it as `python -m infra.local.demo` with
SMTP_PORT, IMAP_PORT, DEMO_MAIL (the SQLite file) and DEMO_PASSWORD in the environment; the user is `support`.
"""

import asyncio
import hmac
import logging
import os
import signal
import ssl
import sys
import time
from argparse import Namespace
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pymap.backend.dict import DictBackend
from pymap.backend.dict.filter import FilterSet
from pymap.imap import IMAPService

from infra.local.addresses import ADDRESS, HOST, SENT, USER
from infra.local.letterbox import Letterbox
from infra.local.maildrop import Folders, Maildrop

MAX_MAIL = 64 * 1024 * 1024  # bytes; twice what most providers let through


class Door(SMTP):
    """SMTP that takes mail as it comes: 8-bit, UTF-8 addresses, lines longer than RFC 5321's 1000 bytes."""

    line_length_limit = 1024 * 1024


class Deliver:
    """Puts each mail into the INBOX, whoever it is for, exactly as it came; the desk's own into the letterbox."""

    def __init__(self, drop: Maildrop, letterbox: Letterbox) -> None:
        self._drop = drop
        self._letterbox = letterbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep it, then say so."""
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content).encode()
        others = [one for one in envelope.rcpt_tos if one.lower() != ADDRESS]
        if session.authenticated and others:
            path = self._letterbox.put(raw)
            print(f"sent to {', '.join(others)}: {path}", flush=True)
        if not session.authenticated or len(others) < len(envelope.rcpt_tos):
            self._drop.add("INBOX", raw, time.time())
        return "250 2.0.0 kept"


class Doorkeeper:
    """Lets the desk in with its mailbox's password; nobody has to log in to write to it."""

    def __init__(self, password: str) -> None:
        self._password = password

    def __call__(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: Any) -> AuthResult:
        """Whether it is the desk."""
        right = (
            isinstance(login, LoginPassword)
            and login.login == USER.encode()
            and hmac.compare_digest(login.password, self._password.encode())
        )
        return AuthResult(success=right, handled=False)


async def serve_imap(stack: AsyncExitStack, port: int, drop: Maildrop, password: str) -> None:
    """Begin to serve `drop` by IMAP until the stack closes; OSError when the port is taken."""
    settings = Namespace(
        host=HOST, port=port, debug=False, cert=None, key=None, tls=False, passlib_cfg=None,
        proxy_protocol=None, inherited_sockets=None, demo_data=False, demo_user=USER, demo_password=password,
    )  # fmt: skip
    backend, config = await DictBackend.init(settings, ssl_context=ssl.create_default_context())
    config.apply_context()
    config.set_cache[USER] = (Folders(drop), FilterSet())  # type: ignore[assignment]
    await IMAPService(backend, config).start(stack)


async def serve_smtp(stack: AsyncExitStack, port: int, deliver: Deliver, password: str) -> None:
    """Begin to take mail by SMTP until the stack closes; OSError when the port is taken."""
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {"data_size_limit": MAX_MAIL, "enable_SMTPUTF8": True, "hostname": "localhost"}
    options |= {"authenticator": Doorkeeper(password), "auth_require_tls": False}  # it never leaves this machine
    server = await loop.create_server(lambda: Door(deliver, loop=loop, **options), HOST, port)
    stack.callback(server.close)


class Tasks(set[asyncio.Task[Any]]):
    """A task factory that holds every task until it is done: the event loop itself holds them weakly, and pymap's
    connections, which nobody else holds, were collected while they waited (seen on Python 3.13)."""

    def __call__(self, loop: asyncio.AbstractEventLoop, coro: Any, **more: Any) -> asyncio.Task[Any]:
        """A new task."""
        task = asyncio.Task(coro, loop=loop, **more)
        self.add(task)
        task.add_done_callback(self.discard)
        return task


async def main(smtp_port: int, imap_port: int, path: Path, password: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    asyncio.get_running_loop().set_task_factory(Tasks())
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    path.parent.mkdir(parents=True, exist_ok=True)
    drop = Maildrop(path)
    async with AsyncExitStack() as stack:
        await serve_smtp(stack, smtp_port, Deliver(drop, Letterbox(path.parent / SENT)), password)
        await serve_imap(stack, imap_port, drop, password)
        await stop.wait()
        # Sessions that are open would each be cancelled with a traceback; what they were told is on disk.
        drop.close()
        os._exit(0)


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    os.environ.setdefault("FQDN", "localhost")  # or pymap asks DNS for this machine's name
    asyncio.run(
        main(
            int(os.environ["SMTP_PORT"]),
            int(os.environ["IMAP_PORT"]),
            Path(os.environ["DEMO_MAIL"]),
            os.environ["DEMO_PASSWORD"],
        )
    )
