"""What runs beside the mail, on the real SDKs and Azurite: clearing away, counting requests, one trace through queues."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.queue import QueueServiceClient, TextBase64DecodePolicy

from infra.local.azurite import Azurite
from shared import bootstrap, log
from shared.config import ConfigError, read
from shared.flows import convert, incinerate, poll
from shared.model.doorbell import InboundBell
from shared.store.expired import TableExpired
from shared.store.keyvault import KeyVaultKey
from shared.store.queues import AzureQueues
from shared.store.secrets import KeyFile
from tests.support.app import World, make_app
from tests.support.mails import mail

pytestmark = pytest.mark.azurite


@pytest.fixture
def world(azurite: Azurite, key_file: str) -> Iterator[World]:
    """Real storage as bootstrap wires it, and a folder in memory."""
    settings = read({"AzureWebJobsStorage": azurite.connection_string, "KEY_FILE": key_file})
    app = bootstrap.build(settings)
    service = QueueServiceClient.from_connection_string(azurite.connection_string)
    tables, blobs = app.tenants._tables, app.raw._blobs  # type: ignore[attr-defined]
    made = make_app(tables, blobs, AzureQueues(service), KeyFile(Path(key_file)))
    for name in ("inbound", "polls"):
        service.get_queue_client(name).clear_messages()
    made.clock.now = datetime.now(UTC)
    yield made
    service.close()


@pytest.fixture
def tenant(world: World) -> str:
    key, _ = world.tenant(f"t{world.clock.now:%H%M%S%f}")
    world.mailbox(key, whitelist_enabled=True, whitelist="example.com")
    return key


def events(lines: pytest.LogCaptureFixture, *names: str) -> list[dict[str, object]]:
    written = [json.loads(record.getMessage()) for record in lines.records if record.name == "inbound"]
    return [one for one in written if one["event"] in names]


def test_from_the_poll_to_the_incident_is_one_trace_that_the_message_carries(
    world: World, tenant: str, azurite: Azurite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "inbound")
    world.folders["support"].deliver(mail())
    poll.poll(world.app, tenant, "support")
    service = QueueServiceClient.from_connection_string(azurite.connection_string)
    client = service.get_queue_client("inbound", message_decode_policy=TextBase64DecodePolicy())
    (message,) = client.receive_messages(messages_per_page=1)
    service.close()
    bell = InboundBell.decode(message.content)
    convert.convert(world.app, bell.tenant, bell.id)
    kept, converted = events(caplog, "kept", "converted")
    assert json.loads(message.content)["traceparent"] == f"00-{kept['trace']}-{kept['span']}-01"
    assert kept["trace"] == converted["trace"] == bell.id
    assert (converted["outcome"], converted["reason"], converted["incident"]) == ("delivered", "new_incident", 1)
    delay, waited = converted["delay"], converted["waited"]
    assert isinstance(delay, float)
    assert isinstance(waited, float)
    assert delay >= waited >= 0
    assert isinstance(converted["operations"], int)
    assert 5 <= converted["operations"] <= 40


def test_requests_to_storage_are_counted_retries_and_blobs_and_all(world: World, tenant: str) -> None:
    log._counted()  # what came before on this thread
    world.app.tenants.get("nobody")
    assert log._counted() == {"operations": 1}
    world.app.raw.keep(tenant, "0" * 32, b"raw")
    assert world.app.raw.get(tenant, "0" * 32) == b"raw"
    assert log._counted() == {"operations": 2}


def test_what_is_past_its_time_goes_from_real_storage(world: World, tenant: str) -> None:
    app = world.app
    for number in range(12):
        sender = "Bob <bob@else.example>" if number % 3 == 0 else "Ann <ann@example.com>"
        world.folders["support"].deliver(mail(sender, message_id=f"<{number}@example.com>", text=str(number)))
    poll.poll(app, tenant, "support")
    mails = world.ledger(tenant)
    for one in mails:
        convert.convert(app, tenant, one.id)
    for number in range(130):
        app.transcripts.add(tenant, "support", ["line"], world.clock.now + timedelta(milliseconds=number))
    app.sign_ins.begin(f"{tenant}-state", "sealed", world.clock.now, world.clock.now)
    world.clock.advance(days=31)
    app = replace(app, now=world.clock)
    assert incinerate.incinerate(app, TableExpired(world.tables), 30)
    assert [app.raw.get(tenant, one.id) for one in mails] == [None] * 12
    assert sorted(one.reason for one in world.ledger(tenant)) == ["new_incident"] * 8 + ["retention_over"] * 4
    assert len(world.incidents(tenant)) == 8
    keys = [row.key for row in world.tables.query("desk", tenant)]
    assert [key for key in keys if key[:2] in ("X:", "R:")] == []
    assert list(world.tables.query("tenants", "sign-in")) == []
    log._counted()
    assert incinerate.incinerate(app, TableExpired(world.tables), 30)
    # Sign-ins, the tenants; of each tenant transcripts, limits, tries and events of webhooks, three times what is
    # pending, held, failed, progress.
    tenants = len(list(app.tenants.all()))
    assert log._counted().get("operations", 0) <= 4 + 12 * tenants


def test_the_wrapping_key_is_the_one_that_is_configured(tmp_path: Path) -> None:
    storage = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
    vault = read({**storage, "KEY_VAULT_KEY": "https://desk.vault.azure.net/keys/wrapping"})
    assert isinstance(bootstrap._wrapper(vault), KeyVaultKey)
    assert isinstance(bootstrap._wrapper(read({**storage, "KEY_FILE": str(tmp_path / "key")})), KeyFile)
    with pytest.raises(ConfigError, match=r"KEY_VAULT_KEY.*KEY_FILE"):
        bootstrap.build(read(storage))
