"""A tenant of the app as it is wired (Azurite, real doors), whose mailbox sends through a server of the test."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.storage.queue import QueueServiceClient, TextBase64DecodePolicy

from shared.flows import convert, mailboxes, poll, reply, send, tenants
from shared.flows.reply import Draft
from shared.model.doorbell import OutboundBell
from shared.model.inbound import Inbound, Kept
from shared.model.incident import Note
from shared.model.mailbox import Settings
from shared.model.outbound import Outbound
from shared.ports import App
from tests.support.microsoft.mailbox import SECRET, GraphMailbox
from tests.support.smtpserver import PASSWORD, USER

MAX_BELLS = 32
"""What storage hands out at once."""


@dataclass
class Firm:
    """A tenant with the mailbox "box"; time goes by as a test says."""

    app: App
    connection_string: str
    tenant: str = field(init=False)
    later: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.tenant = tenants.put(self.app, f"sends-{secrets.token_hex(4)}", "Sends")[0].key
        now = self.app.now
        self.app = replace(self.app, now=lambda: now() + self.later)

    # ── its mailbox ───────────────────────────────────────────────────────────────────────────────────────────────

    def smtp(self, out_port: int, security: str, password: str = PASSWORD, **more: Any) -> None:
        """It sends by SMTP. ``more``: further settings, such as where its mail is read."""
        out = {"enabled": True, "host": "localhost", "port": out_port, "security": security, "from_name": "Desk"}
        fields = {"group": "g", "host": "localhost", "username": USER, "email": USER, "outgoing": out, **more}
        mailboxes.save(self.app, self.tenant, "box", Settings.model_validate(fields), {"password": password})

    def office(self, box: GraphMailbox) -> None:
        """It sends by Microsoft Graph."""
        fields: dict[str, Any] = {
            "group": "g",
            "server_type": "office365",
            "email": box.address,
            "client_id": box.app.client_id,
        }
        fields |= {"tenant_id": box.tenant.id, "outgoing": {"enabled": True}}
        mailboxes.save(self.app, self.tenant, "box", Settings.model_validate(fields), {"client_secret": SECRET})

    # ── what comes in ─────────────────────────────────────────────────────────────────────────────────────────────

    def receive(self, raw: bytes) -> None:
        """As a poll would have it."""
        id, now = secrets.token_hex(16), datetime.now(UTC)
        self.app.desk.keep(
            self.tenant, [Kept(id, "box", now, len(raw), self.app.raw.keep(self.tenant, id, raw))], self.app.now()
        )
        convert.convert(self.app, self.tenant, id)

    def poll(self) -> list[Inbound]:
        """Fetch what is new from its mail server, and decide each; all mails by now, newest first."""
        mailboxes.poll_now(self.app, self.tenant, "box")
        polled = poll.poll(self.app, self.tenant, "box")
        assert polled is not None, mailboxes.status(self.app, self.tenant, "box").error
        for key, _, _ in list(self.app.desk.pending(self.tenant)):
            convert.convert(self.app, self.tenant, key.id)
        return list(self.app.desk.ledger(self.tenant, None, None, None, "", 1000).items)

    # ── what goes out ─────────────────────────────────────────────────────────────────────────────────────────────

    def answer(self, text: str = "Nehmen Sie Wasser.", **fields: Any) -> None:
        """An agent writes it, and the queue is heard."""
        reply.add(self.app, self.tenant, 1, Draft(text, True, "Kim", **fields))
        self.hear()

    def hear(self) -> int:
        """What the queue of the app rings for now. How many bells of this tenant."""
        service = QueueServiceClient.from_connection_string(self.connection_string)
        client = service.get_queue_client("outbound", message_decode_policy=TextBase64DecodePolicy())
        found = client.receive_messages(messages_per_page=MAX_BELLS, visibility_timeout=300)
        bells = [OutboundBell.decode(one.content) for one in found]
        for bell in (mine := [one for one in bells if one.tenant == self.tenant]):
            send.send(self.app, bell.tenant, bell.incident, bell.note)
        return len(mine)

    def again(self, note: int = 2, **by: float) -> None:
        """Time goes by, and the bell that was rung for later is heard (here: at once)."""
        self.later += timedelta(**by)
        send.send(self.app, self.tenant, 1, note)

    def state(self, note: int = 2) -> Outbound:
        """How sending a note of the first incident goes."""
        found = self.app.answers.outbound(self.tenant, 1, note)
        assert found is not None
        return found

    def notes(self, incident: int = 1) -> tuple[Note, ...]:
        """All notes of an incident."""
        return self.app.desk.notes(self.tenant, incident, 0, 1000)

    def incidents(self) -> int:
        """How many there are."""
        return len(self.app.desk.incidents(self.tenant, None, None, None, "", 1000).items)
