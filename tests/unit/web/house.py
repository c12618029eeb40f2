"""A desk in memory with two tenants, and clients that call it over HTTP."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import StarletteDeprecationWarning

from shared.flows import hooks, reply, send, tenants, webhooks
from shared.flows.reply import Draft
from shared.mail.address import Address
from shared.model import reason
from shared.model.doorbell import OutboundBell, WebhookBell
from shared.model.inbound import Decision, Filing, Inbound, Kept, Step
from shared.model.incident import AttachmentRef, Body, Incident
from shared.model.outbound import SendState, ended
from shared.model.reason import Reason
from shared.ports import App
from shared.web.app import build
from tests.support.app import Clock, World
from tests.support.mailserver import MemoryFolder

with warnings.catch_warnings():
    # It asks for httpx2, which is not what requirements-dev.txt pins.
    warnings.simplefilter("ignore", StarletteDeprecationWarning)
    from starlette.testclient import TestClient

ADMIN_KEY = "cloud-admin-key-of-the-tests"
ANNA = Address("Anna Öz", "anna@customer.example")

SETTINGS: dict[str, Any] = {
    "group": "Support",
    "host": "imap.acme.example",
    "username": "support@acme.example",
    "email": "support@acme.example",
}


@dataclass
class House:
    """An app with tenants ``acme`` and ``other``, and a key for each role of each."""

    world: World
    web: FastAPI
    keys: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def app(self) -> App:
        return self.world.app

    @property
    def clock(self) -> Clock:
        return self.world.clock

    @property
    def acme(self) -> str:
        return tenants.get(self.app, "acme").key

    def client(self, role: str | None = "admin", tenant: str = "acme") -> TestClient:
        """A client with that key, or with none; it does not follow redirects."""
        headers = {"Authorization": f"Bearer {self.keys[tenant, role]}"} if role else {}
        return self._client(headers)

    def cloud_admin(self) -> TestClient:
        return self._client({"Authorization": f"Bearer {ADMIN_KEY}"})

    def browser(self, role: str = "admin", tenant: str = "acme") -> TestClient:
        """A client that signed in on the page, and says about itself what browsers say."""
        client = self._client({"Sec-Fetch-Site": "same-origin"})
        answer = client.post("/sign-in", data={"key": self.keys[tenant, role]})
        assert answer.status_code == 303
        return client

    def _client(self, headers: dict[str, str]) -> TestClient:
        return TestClient(self.web, base_url="http://inbound.test", headers=headers, follow_redirects=False)

    def mailbox(self, id: str = "support", **changes: Any) -> None:
        """A saved mailbox of acme."""
        answer = self.client().put(f"/api/mailboxes/{id}", json=SETTINGS | {"password": "secret-7"} | changes)
        assert answer.status_code in (200, 201), answer.text

    def hook(self, tenant: str = "acme", mark: str = "") -> tuple[str, str]:
        """A webhook that was told of a new incident: its id, and that of the delivery."""
        owner = tenants.get(self.app, tenant).key
        hook = self.subscribe(tenant, mark)
        self.hear()
        if not (log := self.app.webhooks.log(owner, hook, "", 1).items):
            self.deliver(mark or "Told", mark, tenant=tenant)
            self.hear()
            log = self.app.webhooks.log(owner, hook, "", 1).items
        return hook, log[0].id

    def subscribe(self, tenant: str = "acme", mark: str = "") -> str:
        """The tenant's first webhook: it is to hear of new incidents."""
        owner = tenants.get(self.app, tenant).key
        if not self.app.webhooks.hooks(owner).all:
            wish = hooks.Wish(f"https://receiver.example/{mark}", ["incident.created"], description=mark)
            hooks.make(self.app, owner, wish)
        return self.app.webhooks.hooks(owner).all[0].id

    def hear(self) -> None:
        """What the queue of webhooks does."""
        bells = self.world.queues.webhooks
        for _ in range(len(bells)):
            bell = WebhookBell.decode(bells.popleft())
            webhooks.deliver(self.app, bell.tenant, bell.event)

    def deliver(
        self,
        subject: str = "Printer on fire",
        text: str = "It burns.\n\nAnna",
        *,
        sender: Address = ANNA,
        quoted: str = "",
        html: str = "",
        files: tuple[tuple[str, str, bytes], ...] = (),
        inline: bool = False,
        join: Incident | None = None,
        related: tuple[int, ...] = (),
        raw: bytes = b"Subject: Printer on fire\r\n\r\nIt burns.\r\n",
        why: Reason = reason.NEW_INCIDENT,
        because: str = "because <b>",
        group: str = "Support",
        mailbox: str = "support",
        tenant: str = "acme",
    ) -> int | None:
        """File a mail the way a conversion does; the incident's number, where it made or joined one."""
        owner = tenants.get(self.app, tenant).key
        id = self.app.random(16).hex()
        self.clock.advance(seconds=1)
        self.app.raw.keep(owner, id, raw)
        self.app.desk.keep(owner, [Kept(id, mailbox, self.clock.now, len(raw), "0" * 64)], self.clock.now)
        references = tuple(
            AttachmentRef(
                f"{id}-{count}",
                name,
                type_,
                len(content),
                f"{count:064x}{id}"[-64:],
                content_id=f"{name}@mail" if inline else "",
                inline=inline,
            )
            for count, (name, type_, content) in enumerate(files)
        )
        for reference, (_, _, content) in zip(references, files, strict=True):
            self.app.raw.keep_attachment(owner, reference.sha256, content)
        inbound = self.app.desk.inbound(owner, id)
        assert inbound is not None
        filing = Filing(
            inbound=inbound,
            decision=Decision(why, (Step("rule", True, because),), join=join, related=related),
            group=group,
            at=self.clock.now,
            sender=sender.address,
            subject=subject,
            author=sender,
            body=Body(text, quoted, html, references),
            participants=(sender,),
            digest=id,
        )
        filed = self.app.desk.file(owner, filing)
        webhooks.ring_all(self.app, owner, filed.events)
        return filed.incident

    def failed_answer(self, state: SendState = SendState.FAILED, said: str = "550 5.1.1 nobody here") -> int:
        """An agent's answer to acme's first incident that ended so; its note."""
        note = reply.add(self.app, self.acme, 1, Draft("Use water.", True, "Bob"))
        before = self.app.answers.outbound(self.acme, 1, note.seq)
        assert before is not None
        self.app.answers.move(self.acme, before, ended(before, state, said))
        return note.seq

    def send_all(self) -> None:
        """Answer every bell for mail that is to leave."""
        while self.world.queues.outbound:
            bell = OutboundBell.decode(self.world.queues.outbound.popleft())
            send.send(self.app, bell.tenant, bell.incident, bell.note)

    def receive(self, raw: bytes, mailbox: str = "support", received: datetime | None = None) -> Inbound:
        """A mail arrives in a mailbox of acme, is polled and converted: what became of it."""
        folder = self.world.folders.setdefault(mailbox, MemoryFolder())
        self.clock.advance(seconds=1)
        if received is None:
            folder.deliver(raw)
        else:
            folder.deliver(raw, received)
        self.world.poll(self.acme, mailbox)
        self.world.convert_all()
        return self.mail(self.world.ledger(self.acme)[0].id)

    def mail(self, id: str) -> Inbound:
        found = self.app.desk.inbound(self.acme, id)
        assert found is not None
        return found

    def incident(self, number: int) -> Incident:
        found = self.app.desk.incident(self.acme, number)
        assert found is not None
        return found


def make_house(world: World) -> House:
    """Two tenants with two keys each."""
    house = House(world, build(world.app, ADMIN_KEY, later=lambda job: job()))
    for slug in ("acme", "other"):
        tenants.put(world.app, slug, slug.title())
        for role in ("admin", "agent"):
            house.keys[slug, role] = tenants.make_key(world.app, slug, role, f"{role}'s laptop")[1]
    return house
