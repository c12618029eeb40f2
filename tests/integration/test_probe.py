"""Test Settings against servers that really behave so, through the flow that the endpoint calls."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.local.azurite import Azurite
from shared import bootstrap
from shared.config import Config, Storage
from shared.flows import mailboxes, tenants
from shared.flows.probe import PATHS, ProbeReport, ProbeStep, probe
from shared.model.mailbox import Settings
from shared.ports import App
from tests.support import dovecot
from tests.support.mails import mail
from tests.support.road import LOOPBACK

pytestmark = [pytest.mark.dovecot, pytest.mark.azurite]


@pytest.fixture(scope="module")
def server() -> Iterator[dovecot.Dovecot]:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d)")
    with dovecot.Dovecot() as running:
        yield running


@pytest.fixture(scope="module")
def app(azurite: Azurite, key_file: str, server: dovecot.Dovecot, tmp_path_factory: pytest.TempPathFactory) -> App:
    config = Config(Storage(connection_string=azurite.connection_string), key_file=key_file)
    return bootstrap.build(replace(config, mail_ca_file=server.ca_file, allow_addresses=LOOPBACK))


@pytest.fixture(scope="module")
def tenant(app: App) -> str:
    return tenants.put(app, f"probe-{secrets.token_hex(4)}", "Probe")[0].key


def _probe(
    app: App, tenant: str, server: dovecot.Dovecot, password: str = dovecot.PASSWORD, **changes: Any
) -> ProbeReport:
    fields = {"group": "g", "host": "localhost", "port": server.ports.imaps, "username": "ann", **changes}
    draft = mailboxes.draft(app, tenant, "draft", Settings.model_validate(fields), {"password": password})
    return probe(app, draft)


def _failed(report: ProbeReport) -> ProbeStep:
    (failed,) = [step for step in report.steps if step.state == "failed"]
    return failed


def test_settings_that_work_show_every_step_with_its_time(app: App, tenant: str, server: dovecot.Dovecot) -> None:
    client = server.client("ann")
    client.append("INBOX", mail(attachments=(("a.bin", b"x"),)))
    report = _probe(app, tenant, server)
    assert report.ok
    assert [(step.name, step.state) for step in report.steps] == [
        *((name, "ok") for name in PATHS["imap"][:-1]),
        ("outgoing", "skipped"),
    ]
    details = {step.name: step.detail for step in report.steps}
    assert "1 attachment" in details["parse"]
    assert "TLSv1" in details["tls"]
    assert client.search("UNSEEN") == client.search("ALL")
    client.logout()


def test_testing_saves_and_changes_nothing(app: App, tenant: str, server: dovecot.Dovecot) -> None:
    _probe(app, tenant, server, after_import="delete")
    assert app.mailboxes.get(tenant, "draft") is None
    assert app.schedule.get(tenant, "draft") is None
    client = server.client("ann")
    assert client.search("DELETED") == []
    client.logout()


@pytest.mark.parametrize(
    ("changes", "step", "code", "field"),
    [
        ({"host": "no-such-host.invalid"}, "dns", "host_not_found", "host"),
        ({"host": "169.254.169.254"}, "dns", "address_forbidden", "host"),
        ({"port": 9}, "tcp", "unreachable", "port"),
        ({"port": "imap"}, "tls", "tls_required", "security"),
        ({"password": "wrong"}, "login", "login_refused", "password"),
        ({"folder": "Nowhere"}, "folder", "folder_not_found", "folder"),
        ({"after_import": "move", "move_to": "Gone"}, "permissions", "folder_not_found", "move_to"),
        ({"port": "pop3", "security": "none"}, "greeting", "wrong_server", "server_type"),
    ],
)
def test_what_is_wrong_is_the_step_that_fails_with_cause_and_fix(
    app: App, tenant: str, server: dovecot.Dovecot, changes: dict[str, Any], step: str, code: str, field: str
) -> None:
    if isinstance(changes.get("port"), str):
        changes = {**changes, "port": getattr(server.ports, changes["port"])}
    report = _probe(app, tenant, server, **changes)
    assert not report.ok
    failed = _failed(report)
    assert (failed.name, failed.code, failed.field) == (step, code, field)
    assert failed.cause.endswith(".")
    assert failed.fix.endswith(".")
    names = [one.name for one in report.steps]
    assert {one.state for one in report.steps[names.index(step) + 1 :]} == {"skipped"}


@pytest.mark.parametrize("password", [dovecot.PASSWORD, "wrong-but-secret", 'quo"ted\\secret', "geheim-ü"])
def test_no_form_of_the_password_is_in_the_report(
    app: App, tenant: str, server: dovecot.Dovecot, password: str, tmp_path: Path
) -> None:
    report = _probe(app, tenant, server, password=password)
    shown = repr(report)
    assert report.transcript
    assert password not in shown
    assert b64encode(b"\0ann\0" + password.encode()).decode() not in shown
