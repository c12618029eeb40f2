"""An app in memory: real flows and real store code on memory tables, blobs and queues; a clock that is told."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.flows import convert, mailboxes, poll, tenants
from shared.model.discovery import Discovery
from shared.model.doorbell import InboundBell
from shared.model.inbound import Inbound
from shared.model.incident import Incident, Note
from shared.model.mailbox import Mailbox, Settings
from shared.ports import NOBODY, NOTHING_FOUND, App, Finding, Watch
from shared.servers.transcript import Recorder
from shared.store.answers import TableAnswers
from shared.store.desk import TableDesk
from shared.store.forgetting import TableForgetting
from shared.store.mailboxes import TableMailboxes
from shared.store.people import TablePeople
from shared.store.raw import Blobs, StoredRawMail
from shared.store.schedule import TableSchedule
from shared.store.secrets import TableSecrets
from shared.store.signins import TableSignIns
from shared.store.tables import Tables
from shared.store.tenants import TableTenants
from shared.store.transcripts import TableTranscripts
from shared.store.webhooks import TableWebhooks
from tests.support.courier import MemoryCourier, MemoryPost
from tests.support.mailserver import MemoryFolder, MemorySource
from tests.support.memory import MemoryBlobs, MemoryQueues, MemoryTables
from tests.support.receiver import MemoryReceiver

NOON = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that stands until it is told to go on."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        """``advance(minutes=2)``."""
        self.now += timedelta(**by)


class PlainWrapper:
    """A wrapping key for tests: the data key is stored as it is."""

    def wrap(self, key: bytes) -> bytes:
        return key

    def unwrap(self, wrapped: bytes) -> bytes:
        return wrapped

    def newest(self) -> str:
        return ""

    def version_of(self, wrapped: bytes) -> str:
        return ""


@dataclass
class World:
    """The app with everything around it within reach."""

    app: App
    clock: Clock
    tables: Tables
    blobs: Blobs
    queues: MemoryQueues
    folders: dict[str, MemoryFolder] = field(default_factory=dict)
    posts: dict[str, MemoryPost] = field(default_factory=dict)
    receiver: MemoryReceiver = field(default_factory=MemoryReceiver)

    def tenant(self, slug: str = "acme", role: str = "admin") -> tuple[str, str]:
        """A tenant with one API key: its tenant key, and the API key's text."""
        tenant, _ = tenants.put(self.app, slug, slug.title())
        _, text = tenants.make_key(self.app, slug, role, "test")
        return tenant.key, text

    def mailbox(self, tenant: str, id: str = "support", **settings: Any) -> Mailbox:
        """A mailbox with an empty folder behind it."""
        fields = {"group": "Support", "host": "imap.example.org", "username": id, "email": f"{id}@example.org"}
        made = Settings.model_validate({**fields, **settings})
        saved, _ = mailboxes.save(self.app, tenant, id, made, {"password": "secret"})
        self.folders.setdefault(id, MemoryFolder())
        if isinstance(self.queues, MemoryQueues):
            self.queues.polls.clear()  # saving rings; a test polls when it wants to
        return saved

    def poll(self, tenant: str, mailbox: str = "support") -> None:
        """Poll at once, whatever is due."""
        mailboxes.poll_now(self.app, tenant, mailbox)
        poll.poll(self.app, tenant, mailbox)

    def unschedule(self, tenant: str, mailbox: str) -> None:
        """Take a mailbox's slot away, as a crash before scheduling would leave it."""
        slot = self.app.schedule.get(tenant, mailbox)
        assert slot is not None
        self.app.schedule.delete(slot)

    def convert_all(self) -> int:
        """Answer every bell that rang. How many."""
        answered = 0
        while self.queues.inbound:
            bell = InboundBell.decode(self.queues.inbound.popleft())
            convert.convert(self.app, bell.tenant, bell.id)
            answered += 1
        return answered

    def receive(self, tenant: str, raw: bytes, mailbox: str = "support") -> None:
        """A mail arrives, is polled and converted."""
        self.folders[mailbox].deliver(raw)
        self.poll(tenant, mailbox)
        self.convert_all()

    def incidents(self, tenant: str) -> list[Incident]:
        """All incidents by number."""
        page = self.app.desk.incidents(tenant, None, None, None, "", 1000)
        return sorted(page.items, key=lambda incident: incident.number)

    def notes(self, tenant: str, number: int) -> tuple[Note, ...]:
        """All notes of an incident."""
        return self.app.desk.notes(tenant, number, 0, 1000)

    def ledger(self, tenant: str) -> list[Inbound]:
        """All mails, newest first."""
        return list(self.app.desk.ledger(tenant, None, None, None, "", 10_000).items)


def make_app(
    tables: Tables | None = None, blobs: Blobs | None = None, queues: Any = None, wrapper: Any = None
) -> World:
    """A new, empty world; other tables, blobs or queues (failing ones, Azurite's) may be put beneath it.

    Storage that others use too has keys of theirs: the wrapper must be the one that they use.
    """
    tables = tables if tables is not None else MemoryTables()
    blobs = blobs if blobs is not None else MemoryBlobs()
    queues = queues if queues is not None else MemoryQueues()
    clock = Clock()
    folders: dict[str, MemoryFolder] = {}
    posts: dict[str, MemoryPost] = {}
    receiver = MemoryReceiver()
    app = App(
        tenants=TableTenants(tables),
        people=TablePeople(tables),
        mailboxes=TableMailboxes(tables),
        schedule=TableSchedule(tables),
        desk=TableDesk(tables, blobs),
        answers=TableAnswers(tables, blobs),
        webhooks=TableWebhooks(tables),
        raw=StoredRawMail(blobs),
        secrets=TableSecrets(tables, wrapper or PlainWrapper()),
        forgetting=TableForgetting(tables, blobs),
        queues=queues,
        now=clock,
        random=_numbered_bytes(itertools.count(1)),
        sleep=lambda seconds: clock.advance(seconds=seconds),
        open=lambda mailbox, watch=NOBODY: MemorySource(
            folders.setdefault(mailbox.id, MemoryFolder()),
            clock.now - timedelta(days=mailbox.settings.days_to_download),
            watch,
        ),
        courier=lambda mailbox, watch=NOBODY: MemoryCourier(posts.setdefault(mailbox.id, MemoryPost()), watch),
        post=receiver,
        record=lambda: Recorder(clock),
        transcripts=TableTranscripts(tables),
        sign_ins=TableSignIns(tables),
        microsoft=NoMicrosoft(),
        discover=_nothing_found,
        needs_no_secret=lambda tenant, settings: False,
        judge_host=lambda host, port: None,
        healthy=lambda: True,
        check_dkim=lambda raw: (),
    )
    return World(app, clock, tables, blobs, queues, folders, posts, receiver)


class NoMicrosoft:
    """A world without Microsoft."""

    def begin_sign_in(self, mailbox: Mailbox, redirect_uri: str) -> dict[str, Any]:
        return {"state": "the-state", "auth_uri": f"https://login.example/?back={redirect_uri}"}

    def finish_sign_in(self, mailbox: Mailbox, flow: Any, params: Any) -> tuple[str, str]:
        return mailbox.settings.email, "a token cache"

    def credential_end(self, mailbox: Mailbox, watch: Watch) -> Finding:
        return NOTHING_FOUND


def _nothing_found(address: str) -> Discovery:
    return Discovery(address, "unknown", None, False, (), (), (), 0.0)


def _numbered_bytes(numbers: Iterator[int]) -> Any:
    """Bytes that look random and are the same in each run."""
    return lambda count: hashlib.shake_256(str(next(numbers)).encode()).digest(count)
