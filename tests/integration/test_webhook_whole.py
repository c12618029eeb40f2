"""The whole way with real parts: bootstrap's app on Azurite, its queue, the function's message, HTTPS to a receiver."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from azure.storage.queue import QueueClient, TextBase64DecodePolicy

from infra.local.azurite import Azurite
from shared import bootstrap
from shared.config import Config, Storage
from shared.flows import hooks, tenants, webhooks
from shared.mail.address import Address
from shared.model import reason
from shared.model.doorbell import WebhookBell
from shared.model.inbound import Decision, Filing, Kept, Step
from shared.model.incident import Body
from shared.model.webhook import SUBSCRIBABLE, DeliveryState
from shared.ports import App
from tests.support.road import LOOPBACK
from tests.support.webhookreceiver import receiver, status

pytestmark = pytest.mark.azurite

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def app(azurite: Azurite, key_file: str, authority: trustme.CA, tmp_path: Path) -> App:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    storage = Storage(connection_string=azurite.connection_string)
    return bootstrap.build(Config(storage, key_file=key_file, mail_ca_file=str(file), allow_addresses=LOOPBACK))


@pytest.fixture
def queue(azurite: Azurite, app: App) -> Iterator[QueueClient]:
    client = QueueClient.from_connection_string(
        azurite.connection_string, "webhooks", message_decode_policy=TextBase64DecodePolicy()
    )
    client.clear_messages()
    yield client
    client.close()


def hear(app: App, queue: QueueClient, tenant: str, within: float = 12.0) -> int:
    """Take what is in the queue for this tenant, as the function does; how many."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        for message in queue.receive_messages(visibility_timeout=60):
            queue.delete_message(message)
            bell = WebhookBell.decode(message.content)
            if bell.tenant == tenant:
                webhooks.deliver(app, bell.tenant, bell.event)
                return 1
        time.sleep(0.2)
    return 0


def test_a_held_mail_and_a_new_incident_are_told_and_a_failure_is_told_again_from_the_queue(
    app: App, queue: QueueClient, authority: trustme.CA
) -> None:
    slug = f"t{secrets.token_hex(4)}"
    tenant, _ = tenants.put(app, slug, "Acme")
    with receiver(authority, status(500), status(204)) as made:
        hook, secret = hooks.make(app, tenant.key, hooks.Wish(made.url, SUBSCRIBABLE))
        for why in (reason.NEW_INCIDENT, reason.NOT_ON_WHITELIST):
            id, now = secrets.token_hex(16), app.now()
            app.desk.keep(tenant.key, [Kept(id, "support", now, 0, EMPTY)], now)
            mail = app.desk.inbound(tenant.key, id)
            assert mail is not None
            decision, ann = Decision(why, (Step("rule", True, "why"),)), Address("Ann", "ann@example.com")
            filing = Filing(mail, decision, "Support", now, "ann", "Fire", ann, Body("Fire."), digest=id, now=now)
            webhooks.ring_all(app, tenant.key, app.desk.file(tenant.key, filing).events)
        # Two bells, and one of the second try, which comes after five seconds.
        assert [hear(app, queue, tenant.key) for _ in range(3)] == [1, 1, 1]
        tested = hooks.test(app, tenant.key, hook.id)
    assert (tested.status, tested.cause) == (204, "")
    assert sorted(json.loads(body)["type"] for _, body in made.got[1:]) == ["incident.created", "mail.held", "ping"]
    log = hooks.deliveries(app, tenant.key, hook.id, "", 10).items
    assert sorted(one.state for one in log) == sorted([DeliveryState.FAILED, *[DeliveryState.DELIVERED] * 3])
    assert list(app.webhooks.all_waiting(tenant.key)) == []
    assert all(secret not in head for head, _ in made.got)
