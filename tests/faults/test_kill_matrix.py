"""A fault at every single storage request of a small story, on the real SDKs and Azurite: nothing lost, nothing doubled.

Each trial counts the requests that leave the process and lets the k-th go wrong in one of five ways; then everything
is tried again without faults, and a checker that reads only storage judges. (SQLite tests its I/O errors so.)
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient, TextBase64DecodePolicy

from infra.local.azurite import Azurite
from shared.errors import StoreError
from shared.flows import convert, poll, tenants, upkeep
from shared.model.doorbell import InboundBell
from shared.store.queues import AzureQueues
from shared.store.raw import AzureBlobs
from shared.store.tables import AzureTables
from tests.support.app import World, make_app
from tests.support.checker import Stored, violations
from tests.support.mails import mail

pytestmark = [pytest.mark.azurite, pytest.mark.slow]

MODES = ("kill before", "kill after", "reset before", "answer lost", "503 after")

QUESTION = mail(text="question\n", message_id="<q@example.com>")
ANSWER = mail(text="answer\n", subject="Re: x", message_id="<a@example.com>", in_reply_to="<q@example.com>")
STRANGER = mail("eve@else.example", text="stranger\n", message_id="<s@else.example>", in_reply_to="<q@example.com>")
STORY = (ANSWER, QUESTION, STRANGER, QUESTION)
"""The answer is delivered before its question, and the question is delivered twice."""


class Killed(BaseException):
    """The process ends here: nothing may catch it."""


class Faults:
    """Counts storage requests; the one numbered ``at`` goes wrong in the given way, once."""

    def __init__(self) -> None:
        self.count = 0
        self.at = 0
        self.mode = ""

    def arm(self, at: int, mode: str) -> None:
        self.count, self.at, self.mode = 0, at, mode

    def disarm(self) -> None:
        self.at = 0

    def hits(self) -> bool:
        self.count += 1
        return self.count == self.at


class FaultyTransport(RequestsTransport):  # type: ignore[misc]
    """The SDK's own transport, with faults."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults

    def send(self, request: Any, **kwargs: Any) -> Any:
        if not self._faults.hits():
            return super().send(request, **kwargs)
        if self._faults.mode == "kill before":
            raise Killed
        if self._faults.mode == "reset before":
            raise ServiceRequestError("connection reset")
        response = super().send(request, **kwargs)
        # Read to its end: an answer left unread would leave its connection open, which fails whatever test comes next.
        assert response.internal_response.content is not None
        if self._faults.mode == "kill after":
            raise Killed
        if self._faults.mode == "answer lost":
            raise ServiceResponseError("connection closed without a response")
        response.status_code = 503
        return response


@pytest.fixture(scope="module")
def faults() -> Faults:
    return Faults()


@pytest.fixture(scope="module")
def storage(azurite: Azurite, faults: Faults) -> tuple[AzureTables, AzureBlobs, QueueServiceClient]:
    """The real adapters over the faulty transport; one retry without a pause, as the SDK's retries are part of it."""
    limits: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0}
    limits |= {"initial_backoff": 0, "increment_base": 0, "random_jitter_range": 0}
    text = azurite.connection_string

    def made(kind: Any) -> Any:
        return kind.from_connection_string(text, transport=FaultyTransport(faults), **limits)

    tables = AzureTables(made(TableServiceClient))
    blobs = AzureBlobs(made(BlobServiceClient))
    tables.create()
    blobs.create()
    return tables, blobs, made(QueueServiceClient)


class Story:
    """One trial: a tenant of its own, the four mails, a worker that polls and converts."""

    def __init__(self, storage: tuple[AzureTables, AzureBlobs, QueueServiceClient], slug: str) -> None:
        tables, blobs, service = storage
        self.service = service
        queues = AzureQueues(service)
        queues.create()
        self.world: World = make_app(tables, blobs, queues)
        self.tenant, _ = self.world.tenant(slug)
        self.world.mailbox(self.tenant)
        for raw in STORY:
            self.world.folders["support"].deliver(raw)

    def run(self) -> None:
        """Poll and answer every bell; stops where it is killed, or where storage fails it."""
        poll.poll(self.world.app, self.tenant, "support")
        self.answer_bells()

    def answer_bells(self) -> None:
        client = self.service.get_queue_client("inbound", message_decode_policy=TextBase64DecodePolicy())
        for message in client.receive_messages(messages_per_page=32, visibility_timeout=1):
            bell = InboundBell.decode(message.content)
            convert.convert(self.world.app, bell.tenant, bell.id)
            client.delete_message(message)

    def recover(self) -> None:
        """Everything that would happen by itself within some minutes."""
        for _ in range(3):
            self.world.clock.advance(minutes=5)
            poll.poll(self.world.app, self.tenant, "support")
            upkeep.rescue(self.world.app)
            self.answer_bells()

    def judge(self) -> list[str]:
        found = violations(self.world.tables, self.world.blobs, self.tenant)
        stored = Stored(self.world.tables, self.world.blobs, self.tenant)
        if stored.threads() != [("answer", "question"), ("stranger",)]:
            found.append(f"incidents are {stored.threads()}")
        if stored.outcomes() != {"new_incident": 2, "reply_by_reference": 1, "same_mail": 1}:
            found.append(f"outcomes are {stored.outcomes()}")
        return found


def _trial(storage: Any, faults: Faults, slug: str, at: int, mode: str) -> list[str]:
    faults.disarm()
    story = Story(storage, slug)
    faults.arm(at, mode)
    # The worker is dead then, or the host will run it again: both are what recover() stands for.
    with suppress(Killed, StoreError, AzureError):
        story.run()
    faults.disarm()
    story.recover()
    found = story.judge()
    # Else each rescue would go through the tenants of all trials before it.
    tenants.delete(story.world.app, slug, slug)
    return found


def test_without_faults_the_story_is_as_expected(storage: Any, faults: Faults) -> None:
    assert _trial(storage, faults, "plain", 0, "") == []


def _requests_of_the_story(storage: Any, faults: Faults) -> int:
    faults.disarm()
    story = Story(storage, f"counted-{secrets.token_hex(4)}")
    faults.arm(0, "")
    story.run()
    return faults.count


@pytest.mark.parametrize("mode", MODES)
def test_no_fault_at_any_storage_request_loses_or_doubles_a_mail(storage: Any, faults: Faults, mode: str) -> None:
    requests = _requests_of_the_story(storage, faults)
    assert requests > 40, "the story has become too small to prove anything"
    name = mode.replace(" ", "-")
    bad = {
        at: found for at in range(1, requests + 1) if (found := _trial(storage, faults, f"at-{name}-{at}", at, mode))
    }
    assert bad == {}
    print(f"{requests} requests, {mode}: no violation")


@pytest.fixture(autouse=True)
def _quiet_queue(request: pytest.FixtureRequest) -> Iterator[None]:
    """Bells of earlier tests must not ring in later ones."""
    yield
    running = request.getfixturevalue("azurite")
    client = QueueServiceClient.from_connection_string(running.connection_string).get_queue_client("inbound")
    client.clear_messages()
