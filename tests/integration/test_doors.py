"""Each door from end to end, through the app as it is wired: a mail on the server becomes an incident."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.local.azurite import Azurite
from shared import bootstrap
from shared.config import Config, Storage
from shared.errors import Invalid
from shared.flows import convert, mailboxes, poll, tenants
from shared.flows.probe import ProbeReport, probe
from shared.model.mailbox import Settings
from shared.ports import App
from shared.servers.doors import Doors
from tests.support import dovecot
from tests.support.mails import mail
from tests.support.microsoft.mailbox import SECRET, GraphMailbox
from tests.support.microsoft.server import Microsoft
from tests.support.road import LOOPBACK

pytestmark = [pytest.mark.dovecot, pytest.mark.azurite]


@pytest.fixture(scope="module")
def server() -> Iterator[dovecot.Dovecot]:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d)")
    with dovecot.Dovecot() as running:
        yield running


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(Path(tmp_path_factory.mktemp("microsoft"))) as running:
        yield running


@pytest.fixture(scope="module")
def app(
    azurite: Azurite,
    key_file: str,
    server: dovecot.Dovecot,
    microsoft: Microsoft,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[App]:
    config = Config(Storage(connection_string=azurite.connection_string), key_file=key_file)
    config = replace(config, mail_ca_file=server.ca_file, allow_addresses=LOOPBACK)
    made = bootstrap.build(replace(config, authority=microsoft.authority, graph_url=microsoft.graph_url))
    yield made
    assert isinstance(made.microsoft, Doors)
    made.microsoft.warm.close()


@pytest.fixture
def tenant(app: App) -> str:
    return tenants.put(app, f"doors-{secrets.token_hex(4)}", "Doors")[0].key


def _office(box: GraphMailbox, **changes: Any) -> Settings:
    fields = {"group": "g", "server_type": "office365", "email": box.address, "client_id": box.app.client_id}
    return Settings.model_validate({**fields, "tenant_id": box.tenant.id, **changes})


def _poll_and_convert(app: App, tenant: str) -> list[str]:
    """Subjects of all incidents afterwards."""
    assert poll.poll(app, tenant, "box") is not None, app.schedule.get(tenant, "box")
    for key, _, _ in list(app.desk.pending(tenant)):
        convert.convert(app, tenant, key.id)
    return sorted(incident.subject for incident in app.desk.incidents(tenant, None, None, None, "", 100).items)


def _again(app: App, tenant: str) -> None:
    mailboxes.poll_now(app, tenant, "box")


@pytest.mark.parametrize("server_type", ["imap", "pop3"])
def test_mail_on_dovecot_becomes_incidents(app: App, tenant: str, server: dovecot.Dovecot, server_type: str) -> None:
    user = f"u{secrets.token_hex(4)}"
    client = server.client(user)
    client.append("INBOX", mail(subject="first", message_id="<1@e>"))
    port = server.ports.imaps if server_type == "imap" else server.ports.pop3s
    fields = {"group": "g", "server_type": server_type, "host": "localhost", "port": port, "username": user}
    mailboxes.save(app, tenant, "box", Settings.model_validate(fields), {"password": dovecot.PASSWORD})
    assert _poll_and_convert(app, tenant) == ["first"]
    client.append("INBOX", mail(subject="second", text="other\n", message_id="<2@e>"))
    client.logout()
    _again(app, tenant)
    assert _poll_and_convert(app, tenant) == ["first", "second"]


def test_mail_at_office_365_becomes_incidents(app: App, tenant: str, microsoft: Microsoft) -> None:
    box = GraphMailbox(microsoft)
    box.deliver(mail(subject="first", message_id="<1@e>"))
    mailboxes.save(app, tenant, "box", _office(box), {"client_secret": SECRET})
    assert _poll_and_convert(app, tenant) == ["first"]
    box.deliver(mail(subject="second", text="other\n", message_id="<2@e>"))
    _again(app, tenant)
    assert _poll_and_convert(app, tenant) == ["first", "second"]
    assert microsoft.violations == []


def test_a_wrong_client_secret_is_named_and_after_three_tries_the_mailbox_waits_for_the_tenant(
    app: App, tenant: str, microsoft: Microsoft
) -> None:
    box = GraphMailbox(microsoft)
    mailboxes.save(app, tenant, "box", _office(box), {"client_secret": "wrong"})
    for _ in range(3):
        slot = app.schedule.get(tenant, "box")
        assert slot is not None
        app.schedule.put(replace(slot, due=datetime.now(UTC)))
        poll.poll(app, tenant, "box")
    status = mailboxes.status(app, tenant, "box")
    assert status.state == "paused"
    assert status.error is not None
    assert status.error[0] == "login_refused"
    assert status.next_poll is None
    mailboxes.save(app, tenant, "box", _office(box), {"client_secret": SECRET})
    assert poll.poll(app, tenant, "box") is not None
    assert mailboxes.status(app, tenant, "box").state == "ok"


def _probe(app: App, tenant: str, settings: Settings, secret: str = SECRET) -> ProbeReport:
    return probe(app, mailboxes.draft(app, tenant, "draft", settings, {"client_secret": secret}))


def test_testing_office_365_shows_its_steps_and_that_the_app_may_read_too_much(
    app: App, tenant: str, microsoft: Microsoft
) -> None:
    box = GraphMailbox(microsoft)
    box.deliver(mail())
    report = _probe(app, tenant, _office(box))
    assert report.ok, report.steps
    assert [step.name for step in report.steps if step.state == "ok"] == [
        *("token", "folder", "list", "fetch", "parse", "waiting", "permissions")
    ]
    details = {step.name: step.detail for step in report.steps}
    assert "Over-privileged" in details["permissions"]
    assert "New-ManagementScope" in details["permissions"]


@pytest.mark.parametrize(
    ("changes", "secret", "step", "code", "field"),
    [
        ({}, "wrong", "token", "login_refused", "client_secret"),
        ({"client_id": "99999999-0000-0000-0000-000000000000"}, SECRET, "token", "login_refused", "client_secret"),
        ({"tenant_id": "nobody.example"}, SECRET, "token", "login_refused", "client_secret"),
        ({"email": "nobody@elsewhere.example"}, SECRET, "folder", "mailbox_not_found", "email"),
        ({"folder": "Nowhere"}, SECRET, "folder", "folder_not_found", "folder"),
    ],
)
def test_what_is_wrong_with_office_365_settings_is_named(
    app: App, tenant: str, microsoft: Microsoft, changes: dict[str, Any], secret: str, step: str, code: str, field: str
) -> None:
    report = _probe(app, tenant, _office(GraphMailbox(microsoft), **changes), secret)
    (failed,) = [one for one in report.steps if one.state == "failed"]
    assert (failed.name, failed.code) == (step, code)
    assert failed.cause.endswith(".")
    assert failed.fix.endswith(".")
    assert secret not in repr(report)


def test_an_app_that_trusts_our_identity_needs_no_secret_and_only_for_the_tenant_that_is_named(
    app: App, microsoft: Microsoft
) -> None:
    box = GraphMailbox(microsoft)
    box.app.assertions.add("of-our-identity")
    box.deliver(mail())
    named, other = (tenants.put(app, f"fed-{secrets.token_hex(4)}", "Fed")[0] for _ in range(2))
    assert isinstance(app.microsoft, Doors)
    apps = frozenset({(named.slug, box.tenant.id.lower(), box.app.client_id.lower())})
    doors = replace(app.microsoft, federated_apps=apps, assertion=lambda: "of-our-identity")
    trusting = replace(app, open=doors.open, needs_no_secret=doors.needs_no_secret)
    report = probe(trusting, mailboxes.draft(trusting, named.key, "draft", _office(box), {}))
    assert report.ok, report.steps
    with pytest.raises(Invalid, match="client secret"):
        mailboxes.draft(trusting, other.key, "draft", _office(box), {})
