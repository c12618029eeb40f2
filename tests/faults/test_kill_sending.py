"""A fault at every single storage request while an answer is written and sent, on the real SDKs and Azurite: the mail
is taken once, or it says that nobody knows; and nothing waits for ever."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from azure.core.exceptions import AzureError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient, TextBase64DecodePolicy

from infra.local.azurite import Azurite
from shared.errors import StoreError
from shared.flows import convert, reply, send
from shared.flows.reply import Draft, File
from shared.mail.message import parse
from shared.model.doorbell import OutboundBell
from shared.model.outbound import SendState
from shared.store.queues import AzureQueues
from shared.store.raw import AzureBlobs
from shared.store.tables import AzureTables
from tests.faults.test_kill_matrix import MODES, Faults, FaultyTransport, Killed
from tests.support.app import World, make_app
from tests.support.checker import violations
from tests.support.courier import MemoryPost
from tests.support.mails import mail

pytestmark = [pytest.mark.azurite, pytest.mark.slow]

TELLING = ("kill after", "answer lost")
"""Faults after which nobody knows what happened: tried at every request. The others, which the same story in memory
tries at every request as well, at every third; FAULTS=all tries all (five minutes more)."""

ANSWER = Draft("The answer. " + "x" * 31_000, True, "Kim", files=(File("plan.txt", "text/plain", b"1. water"),))
"""Long enough to need a blob."""


@pytest.fixture(scope="module")
def faults() -> Faults:
    return Faults()


@pytest.fixture(scope="module")
def service(azurite: Azurite, faults: Faults) -> Any:
    """A maker of clients over the faulty transport, with the SDK's retries: they meet their own writes."""
    limits: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0}
    limits |= {"initial_backoff": 0, "increment_base": 0, "random_jitter_range": 0}

    def made(kind: Any) -> Any:
        return kind.from_connection_string(azurite.connection_string, transport=FaultyTransport(faults), **limits)

    return made


@pytest.fixture(scope="module")
def storage(service: Any) -> tuple[AzureTables, AzureBlobs, QueueServiceClient]:
    tables, blobs = AzureTables(service(TableServiceClient)), AzureBlobs(service(BlobServiceClient))
    tables.create()
    blobs.create()
    return tables, blobs, service(QueueServiceClient)


@pytest.fixture(autouse=True)
def _quiet_queue(azurite: Azurite) -> Iterator[None]:
    """Bells of earlier tests must not ring in later ones."""
    yield
    service = QueueServiceClient.from_connection_string(azurite.connection_string)
    for name in ("inbound", "outbound"):
        service.get_queue_client(name).clear_messages()


class Story:
    """One trial: a tenant of its own with one incident, an agent who answers, and a worker that sends."""

    def __init__(self, storage: tuple[AzureTables, AzureBlobs, QueueServiceClient]) -> None:
        tables, blobs, self.service = storage
        queues = AzureQueues(self.service)
        queues.create()
        self.world: World = make_app(tables, blobs, queues)
        self.tenant, _ = self.world.tenant(f"s-{secrets.token_hex(6)}")
        self.world.mailbox(self.tenant, outgoing={"enabled": True, "host": "smtp.example.org"})
        self.post = self.world.posts.setdefault("support", MemoryPost())
        self.world.folders["support"].deliver(mail(message_id="<q@example.com>"))
        self.world.poll(self.tenant)
        for key, _, _ in self.world.app.desk.pending(self.tenant):
            convert.convert(self.world.app, self.tenant, key.id)

    def run(self) -> None:
        reply.add(self.world.app, self.tenant, 1, ANSWER)
        self.hear()

    def hear(self) -> None:
        client = self.service.get_queue_client("outbound", message_decode_policy=TextBase64DecodePolicy())
        for message in client.receive_messages(messages_per_page=32, visibility_timeout=1):
            bell = OutboundBell.decode(message.content)
            send.send(self.world.app, bell.tenant, bell.incident, bell.note)
            client.delete_message(message)

    def recover(self) -> None:
        """The agent looks, and writes what is not there; then everything happens that does by itself."""
        if len(self.world.notes(self.tenant, 1)) == 1:
            reply.add(self.world.app, self.tenant, 1, ANSWER)
        for _ in range(3):
            self.world.clock.advance(minutes=15)
            send.rescue(self.world.app, self.tenant)
            self.hear()
            for one in self.world.app.answers.open(self.tenant):
                send.send(self.world.app, self.tenant, one.incident, one.note)

    def judge(self) -> list[str]:
        found = violations(self.world.tables, self.world.blobs, self.tenant)
        taken = Counter(parse(raw).message_id for raw, _, _ in self.post.sent)
        mails = self.world.app.answers.of_incident(self.tenant, 1, 1, 99)
        if len(mails) != 1 or len(self.world.notes(self.tenant, 1)) != 2:
            found.append(f"{len(mails)} mails for {len(self.world.notes(self.tenant, 1))} notes")
        for one in mails.values():
            if max(taken.values(), default=0) > 1 or (one.state is SendState.SENT) > bool(taken):
                found.append(f"{one.state}, and the server took {taken}")
            if one.state not in (SendState.SENT, SendState.IN_DOUBT):
                found.append(f"it is {one.state}: {one.said}")
        return found


def _trial(storage: Any, faults: Faults, at: int, mode: str) -> list[str]:
    faults.disarm()
    story = Story(storage)
    faults.arm(at, mode)
    with suppress(Killed, StoreError, AzureError):
        story.run()
    faults.disarm()
    story.recover()
    return story.judge()


@pytest.mark.parametrize("mode", MODES)
def test_no_fault_at_any_storage_request_sends_an_answer_twice_or_never(
    storage: Any, faults: Faults, mode: str
) -> None:
    faults.disarm()
    story = Story(storage)
    faults.arm(0, "")
    story.run()
    requests = faults.count
    assert (story.judge(), len(story.post.sent)) == ([], 1)
    assert requests > 20, "the story has become too small to prove anything"
    trials = range(1, requests + 1, 1 if mode in TELLING or os.environ.get("FAULTS") == "all" else 3)
    bad = {at: found for at in trials if (found := _trial(storage, faults, at, mode))}
    assert bad == {}
    print(f"{requests} requests, {mode}: no violation")
