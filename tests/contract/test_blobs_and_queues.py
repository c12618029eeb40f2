"""What blobs and queues promise, in memory and on Azurite."""

from __future__ import annotations

import secrets

import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient, TextBase64DecodePolicy

from infra.local.azurite import Azurite
from shared.model.doorbell import InboundBell, PollBell
from shared.store.queues import AzureQueues
from shared.store.raw import AzureBlobs, Blobs
from tests.support.memory import MemoryBlobs


@pytest.fixture(params=["memory", pytest.param("azurite", marks=pytest.mark.azurite)])
def blobs(request: pytest.FixtureRequest) -> Blobs:
    if request.param == "memory":
        return MemoryBlobs()
    running = request.getfixturevalue("azurite")
    real = AzureBlobs(BlobServiceClient.from_connection_string(running.connection_string))
    real.create()
    real.create()  # a second start finds them
    return real


@pytest.mark.parametrize("content", [b"", b"raw \x00\xff\r\n mail", bytes(range(256)) * 5000])
def test_what_was_written_is_read_back(blobs: Blobs, content: bytes) -> None:
    name = secrets.token_hex(6)
    blobs.write("raw", name, content)
    assert blobs.read("raw", name) == content


def test_what_is_there_stays(blobs: Blobs) -> None:
    name = secrets.token_hex(6)
    blobs.write("raw", name, b"first")
    blobs.write("raw", name, b"second")
    assert blobs.read("raw", name) == b"first"


def test_what_was_never_written_is_none(blobs: Blobs) -> None:
    assert blobs.read("raw", secrets.token_hex(6)) is None


def test_names_are_listed_by_how_they_begin(blobs: Blobs) -> None:
    tenant = secrets.token_hex(6)
    for name in (f"{tenant}/b", f"{tenant}/a", f"{tenant}x/c"):
        blobs.write("raw", name, b"")
    blobs.write("bodies", f"{tenant}/d", b"")
    assert sorted(blobs.names("raw", f"{tenant}/")) == [f"{tenant}/a", f"{tenant}/b"]
    assert list(blobs.names("attachments", f"{tenant}/")) == []


@pytest.mark.azurite
def test_bells_are_base64_json_with_keys_only_and_never_expire(azurite: Azurite) -> None:
    service = QueueServiceClient.from_connection_string(azurite.connection_string)
    queues = AzureQueues(service)
    queues.create()
    queues.create()  # a second start finds them
    queues.ring_inbound("acme.1", "support", "0a")
    queues.ring_poll("acme.1", "support")
    heard = {
        name: service.get_queue_client(name, message_decode_policy=TextBase64DecodePolicy()).receive_message()
        for name in ("inbound", "polls")
    }
    inbound, polls = heard["inbound"], heard["polls"]
    assert inbound is not None
    assert polls is not None
    assert InboundBell.decode(inbound.content) == InboundBell("acme.1", "support", "0a")
    assert PollBell.decode(polls.content) == PollBell("acme.1", "support")
    assert inbound.expires_on is not None
    assert inbound.expires_on.year == 9999
