"""A mail server in memory that asks for a password and takes the steps of a real one, one by one if it is told to."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Any, Self

from shared.errors import LoginRefused
from shared.model.discovery import Discovery, Offer
from shared.model.mailbox import Mailbox
from shared.ports import NOBODY, Watch
from tests.support.app import World, make_app
from tests.support.mailserver import MemoryFolder, MemorySource

PASSWORD = "right-p4ss"
REFUSED = "The server refused the user name and password."
FIX = "Type the password again; some providers want an app password."


class GuardedSource(MemorySource):
    """A source that connects, logs in and opens its folder in steps."""

    def __init__(self, folder: MemoryFolder, watch: Watch, password: str, server: Guarded) -> None:
        super().__init__(folder, None, watch)
        self._password = password
        self._server = server

    def __enter__(self) -> Self:
        for name in ("dns", "tcp", "tls", "greeting", "login"):
            self._watch.step(name)
            if name == self._server.stops_at:
                self._server.go_on.wait(20)
        self._watch.sent(b"a1 LOGIN support")
        if self._password != PASSWORD:
            raise LoginRefused(REFUSED, FIX)
        self._watch.step("folder")
        return self

    def new(self, cursor: str) -> Any:
        self._watch.step("list")
        return super().new(cursor)


@dataclass
class Guarded:
    """The server. ``stops_at``: the step that waits until ``go_on`` is set. ``found``: what discovery says."""

    world: World = field(default_factory=make_app)
    stops_at: str = ""
    go_on: threading.Event = field(default_factory=threading.Event)
    found: Discovery | None = None

    def __post_init__(self) -> None:
        self.world.app = replace(self.world.app, open=self._open, discover=self._discover)

    def _open(self, mailbox: Mailbox, watch: Watch = NOBODY) -> GuardedSource:
        sealed = mailbox.secret("password")
        app = self.world.app
        password = app.secrets.open(mailbox.tenant, mailbox.id, "password", sealed) if sealed else ""
        folder = self.world.folders.setdefault(mailbox.id, MemoryFolder())
        return GuardedSource(folder, watch, password, self)

    def _discover(self, address: str) -> Discovery:
        return replace(self.found, address=address) if self.found else Discovery(address)


def imap_found(host: str = "imap.acme.example") -> Discovery:
    """What is found for an ordinary domain."""
    return Discovery(
        "",
        "imap",
        incoming=(Offer("imap", host, 993, "ssl", "support@acme.example", "autoconfig", True),),
        outgoing=(Offer("smtp", "smtp.acme.example", 465, "ssl", "support@acme.example", "autoconfig", True),),
        notes=("It wants an app password.",),
    )
