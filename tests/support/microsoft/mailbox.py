"""A mailbox on the stand-in, seen from its owner: what tests/contract/test_source.py calls a ``Server``."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.ports import NOBODY, Watch
from shared.servers.graph import GraphSource
from shared.servers.token import AppLogin, Cloud, Tokens
from tests.support.microsoft.exchange import Message
from tests.support.microsoft.server import Microsoft

SECRET = "s3cr3t~Value.of-the-app"


class GraphMailbox:
    """A new tenant with an app and a mailbox. ``floor``: the oldest mail that a first connection downloads."""

    def __init__(self, microsoft: Microsoft, floor: datetime | None = None, folder: str = "INBOX") -> None:
        self.microsoft = microsoft
        self.floor = floor or datetime.now(UTC) - timedelta(days=180)
        self.folder = folder
        name = secrets.token_hex(4)
        self.tenant = microsoft.entra.add_tenant(f"{name}.example")
        self.app = microsoft.entra.add_app(self.tenant, SECRET, "Mail.Read", "Mail.ReadWrite")
        self.address = f"support-{name}@{name}.example"
        self.box = microsoft.graph.add_mailbox(self.address, self.tenant.id)
        self.cloud = Cloud.custom(microsoft.authority, microsoft.graph_url)
        self.tokens = Tokens(microsoft.now)
        self.login = AppLogin(self.tenant.id, self.app.client_id, SECRET)

    def deliver(self, raw: bytes, received: datetime | None = None) -> Message:
        """A mail arrives; or is moved here, when it is old."""
        return self.box.deliver(raw, received or datetime.now(UTC))

    def delete(self, index: int) -> None:
        """The mail that came at this place goes."""
        inbox = self.box.folder("inbox")
        assert inbox is not None
        self.box.delete(self.box.within(inbox.id)[index].id)

    def renumber(self) -> None:
        """What renumbering is to Graph: export and import."""
        self.box.export_and_import()

    def source(self, watch: Watch = NOBODY, **more: Any) -> GraphSource:
        """The mailbox, opened by the app; ``more`` as ``GraphSource`` takes it."""
        return GraphSource(
            self.address, self.folder, self.token, self.cloud, self.floor, self.microsoft.now, watch=watch, **more
        )

    def token(self, force: bool) -> str:
        """An access token for Graph."""
        return self.tokens.app_token(self.cloud, self.login, self.cloud.graph_scope, force).value
