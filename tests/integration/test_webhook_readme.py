"""The README's receiver, as it stands there: it takes what Inbound really sends, and nothing else."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import HTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import requests

from shared.flows import hooks, webhooks
from shared.model.doorbell import WebhookBell
from shared.servers.address_guard import AddressGuard
from shared.servers.dial import Dialer
from shared.servers.webhook_post import WebhookPost
from tests.support.app import World, make_app
from tests.support.mails import mail

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.fixture
def example() -> dict[str, Any]:
    section = README.partition("\n## Webhooks\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.S)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, "README.md", "exec"), names)
    names["Receiver"].log_message = lambda *_: None
    return names


@contextmanager
def serving(handler: Any) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/inbound"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def a_desk() -> tuple[World, str]:
    world = make_app()
    world.clock.now = datetime.now(UTC)
    guard = AddressGuard((ip_network("127.0.0.0/8"),))
    world.app = replace(world.app, post=WebhookPost(Dialer(guard), world.clock))
    tenant, _ = world.tenant()
    world.mailbox(tenant)
    return world, tenant


def hear(world: World) -> None:
    while world.queues.webhooks:
        bell = WebhookBell.decode(world.queues.webhooks.popleft())
        webhooks.deliver(world.app, bell.tenant, bell.event)


def test_it_takes_what_is_signed_once_also_while_secrets_change(example: dict[str, Any]) -> None:
    with serving(example["Receiver"]) as url:
        world, tenant = a_desk()
        hook, example["SECRET"] = hooks.make(world.app, tenant, hooks.Wish(url, ["incident.created"]))
        world.receive(tenant, mail(text="Hello."))
        hear(world)
        (told,) = world.app.webhooks.log(tenant, hook.id, "", 9).items
        assert (told.status, example["Receiver"].seen) == (204, {told.event})
        hooks.resend(world.app, tenant, hook.id, told.id)
        hear(world)
        assert example["Receiver"].seen == {told.event}
        _, new = hooks.rotate(world.app, tenant, hook.id)
        assert hooks.test(world.app, tenant, hook.id).status == 204
        example["SECRET"] = new
        assert hooks.test(world.app, tenant, hook.id).status == 204


def test_it_refuses_what_is_old_or_by_somebody_else(example: dict[str, Any]) -> None:
    with serving(example["Receiver"]) as url:
        world, tenant = a_desk()
        hook, example["SECRET"] = hooks.make(world.app, tenant, hooks.Wish(url, ["incident.created"]))
        world.clock.advance(seconds=-301)
        assert hooks.test(world.app, tenant, hook.id).status == 401
        world.clock.advance(seconds=602)
        assert hooks.test(world.app, tenant, hook.id).status == 401
        world.clock.now = datetime.now(UTC)
        example["SECRET"] = "whsec_c29tZWJvZHkgZWxzZQ=="
        assert hooks.test(world.app, tenant, hook.id).status == 401
        assert requests.post(url, b"{}", timeout=5).status_code == 401
        odd = {"webhook-id": "x", "webhook-timestamp": "now", "webhook-signature": "v1,"}
        assert requests.post(url, b"{}", headers=odd, timeout=5).status_code == 401
        assert example["Receiver"].seen == set()


def test_a_changed_body_is_refused(example: dict[str, Any]) -> None:
    from shared.model.webhook import secret_text, signed

    example["SECRET"], now = secret_text(b"k" * 32), datetime.now(UTC)
    headers = signed([secret_text(b"o" * 32), example["SECRET"]], "evt_1", now, b"{}")
    assert example["is_ours"](headers, b"{}", now.timestamp())
    assert not example["is_ours"](headers, b"{ }", now.timestamp())
    assert not example["is_ours"]({**headers, "webhook-id": "evt_2"}, b"{}", now.timestamp())
    assert not example["is_ours"]({**headers, "webhook-timestamp": "1"}, b"{}", 1.0)
