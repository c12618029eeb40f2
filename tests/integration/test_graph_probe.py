"""Test Settings on Office 365, through the flow and the doors: what the app can read besides, and when its credential
ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from shared.errors import SecretExpired
from shared.flows import mailboxes
from shared.flows.probe import PATHS, ProbeReport, ProbeStep, probe
from shared.model.mailbox import Mailbox, Settings
from shared.ports import App
from shared.servers.cloud import Cloud
from shared.servers.doors import Doors
from shared.servers.token import AppLogin, Tokens
from shared.servers.warm import WarmClients
from tests.support import road
from tests.support.app import make_app
from tests.support.mails import mail
from tests.support.microsoft import Microsoft, Reply
from tests.support.microsoft.mailbox import SECRET, GraphMailbox

CALLBACK = "https://inbound.example/oauth/callback"
KEY = rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(Path(tmp_path_factory.mktemp("microsoft"))) as microsoft:
        yield microsoft


@pytest.fixture
def box(running: Microsoft) -> Iterator[GraphMailbox]:
    running.forget_requests()
    running.faults.clear()
    running.skew = timedelta()
    yield GraphMailbox(running)
    assert running.violations == []


@pytest.fixture
def app(running: Microsoft) -> App:
    """In memory, with the doors as they are wired."""
    made = make_app().app
    cloud = GraphMailbox(running).cloud
    tokens, warm = Tokens(running.now), WarmClients(lambda client: None)
    doors = Doors(made.secrets, made.sign_ins, road.dialer(), cloud, tokens, warm, running.now)
    return replace(made, open=doors.open, microsoft=doors, now=running.now)


def _settings(box: GraphMailbox, **changes: Any) -> Settings:
    fields = {"group": "g", "server_type": "office365", "email": box.address, "client_id": box.app.client_id}
    return Settings.model_validate({**fields, "tenant_id": box.tenant.id, **changes})


def _probe(app: App, box: GraphMailbox, other: str = "", secret: str = SECRET, **changes: Any) -> ProbeReport:
    settings = _settings(box, **changes)
    return probe(app, mailboxes.draft(app, "acme.1", "draft", settings, {"client_secret": secret}), other)


def _step(report: ProbeReport, name: str) -> ProbeStep:
    (step,) = [one for one in report.steps if one.name == name]
    return step


def _certificate(days: float) -> str:
    """PEM with certificate and key that ends in so many days."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "inbound")])
    ends = datetime.now(UTC) + timedelta(days=days)
    made = x509.CertificateBuilder(name, name, KEY.public_key(), 1, ends - timedelta(days=365), ends)
    private = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + made.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)).decode()


# ── may this app read only this mailbox? ──────────────────────────────────────────────────────────────────────────


def test_an_over_privileged_app_passes_the_test_and_is_warned_of(app: App, box: GraphMailbox) -> None:
    other = box.microsoft.graph.add_mailbox(f"ann@{box.tenant.domain}", box.tenant.id)
    box.deliver(mail(sender=other.address))
    report = _probe(app, box)
    assert report.ok
    assert [step.name for step in report.steps] == list(PATHS["office365"])
    step = _step(report, "scope")
    assert (step.state, step.code) == ("ok", "over_privileged")
    assert "over-privileged" in step.detail
    assert other.address in step.detail
    assert "New-ManagementScope" in step.fix
    assert "by its token" not in _step(report, "permissions").detail
    assert report.transcript
    assert other.address not in "\n".join(report.transcript)
    assert sum("step: permissions" in line for line in report.transcript) == 1


def test_a_limited_app_is_said_to_be_limited(app: App, box: GraphMailbox) -> None:
    other = box.microsoft.graph.add_mailbox(f"ann@{box.tenant.domain}", box.tenant.id)
    box.app.only = {box.address}
    step = _step(_probe(app, box, other.address), "scope")
    assert (step.state, step.code, step.fix) == ("ok", "", "")
    assert "Proved limited" in step.detail


def test_what_could_not_be_proved_is_skipped_says_how_and_leaves_the_hint(app: App, box: GraphMailbox) -> None:
    report = _probe(app, box)
    assert report.ok
    step = _step(report, "scope")
    assert (step.state, step.code) == ("skipped", "")
    assert "other_address" in step.detail
    assert "by its token" in _step(report, "permissions").detail


def test_other_mailboxes_of_the_tenant_that_the_same_app_serves_are_meant(app: App, box: GraphMailbox) -> None:
    sales = box.microsoft.graph.add_mailbox(f"sales@{box.tenant.domain}", box.tenant.id)
    box.deliver(mail(sender=sales.address))
    settings = _settings(box, email=sales.address.title())
    mailboxes.save(app, "acme.1", "sales", settings, {"client_secret": SECRET})
    assert _step(_probe(app, box), "scope").state == "skipped"
    # Another app's mailboxes are none of this one's, and neither are those of another tenant of ours.
    mailboxes.save(
        app, "acme.1", "sales", settings.model_copy(update={"client_id": "other"}), {"client_secret": SECRET}
    )
    assert _step(_probe(app, box), "scope").code == "over_privileged"
    mailboxes.save(app, "acme.1", "sales", settings, {"client_secret": SECRET})
    draft = mailboxes.draft(app, "other.1", "draft", _settings(box), {"client_secret": SECRET})
    assert _step(probe(app, draft), "scope").code == "over_privileged"


def test_where_the_list_fails_the_later_steps_are_skipped_without_a_word(app: App, box: GraphMailbox) -> None:
    report = _probe(app, box, folder="Nowhere")
    assert not report.ok
    assert _step(report, "scope") == ProbeStep("scope", "May this app read only this mailbox?", "skipped")


def test_a_busy_graph_leaves_the_verdict_open_and_the_test_goes_on(app: App, box: GraphMailbox) -> None:
    other = f"ann@{box.tenant.domain}"
    box.microsoft.fail("folder", reply=Reply(503, b""), when=lambda request: other in request.url)
    report = _probe(app, box, other)
    assert report.ok
    assert _step(report, "scope").state == "skipped"
    assert _step(report, "permissions").state == "ok"


# ── when the credential ends ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", ["Application.Read.All", "Application.ReadWrite.OwnedBy"])
def test_an_app_that_may_read_its_registration_knows_when_its_secret_ends(
    app: App, box: GraphMailbox, role: str
) -> None:
    box.app.roles.add(role)
    box.app.owns_itself = True
    box.app.secrets[SECRET] = box.microsoft.now() + timedelta(days=200, minutes=1)
    step = _step(_probe(app, box), "token")
    ends = box.app.secrets[SECRET]
    assert step.detail == f"The client secret is good for 200 days, until {ends:%Y-%m-%d}."
    assert (step.state, step.code) == ("ok", "")


def test_of_several_secrets_the_one_in_use_is_told_by_its_first_letters(app: App, box: GraphMailbox) -> None:
    now = box.microsoft.now()
    box.app.roles.add("Application.Read.All")
    box.app.secrets = {
        "zzz~another": now + timedelta(days=5),
        SECRET[:3] + "~ended already": now - timedelta(days=5),
        SECRET: now + timedelta(days=100, minutes=1),
    }
    assert "good for 100 days" in _step(_probe(app, box), "token").detail


@pytest.mark.parametrize(
    ("left", "words"), [(timedelta(days=12, hours=1), "12 days"), (timedelta(hours=5), "less than a day")]
)
def test_a_secret_that_ends_within_a_month_is_a_warning(
    app: App, box: GraphMailbox, left: timedelta, words: str
) -> None:
    box.app.roles.add("Application.Read.All")
    box.app.secrets[SECRET] = box.microsoft.now() + left
    report = _probe(app, box)
    assert report.ok
    step = _step(report, "token")
    assert (step.state, step.code) == ("ok", "secret_ends_soon")
    assert f"ends in {words}" in step.cause
    assert "Certificates & secrets" in step.fix


def test_an_end_date_that_cannot_be_read_is_said_in_one_sentence_and_costs_no_request(
    app: App, box: GraphMailbox
) -> None:
    step = _step(_probe(app, box), "token")
    assert "cannot be read by this app; note it" in step.detail
    assert (step.detail.count(". "), step.code) == (0, "")
    assert box.microsoft.count("application") == 0


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"passwordCredentials": null}',
        b'{"passwordCredentials": [null, {"hint": null}, {"hint": "s3c"}, {"hint": "s3c", "endDateTime": "soon"}]}',
        b'{"passwordCredentials": [{"hint": "zzz", "endDateTime": "2099-01-01T00:00:00Z"}]}',
        b"<html>",
    ],
)
def test_a_registration_that_tells_nothing_is_no_failure(app: App, box: GraphMailbox, body: bytes) -> None:
    box.app.roles.add("Application.Read.All")
    box.microsoft.fail("application", reply=Reply(200, body))
    report = _probe(app, box)
    assert report.ok
    assert "cannot be read by this app" in _step(report, "token").detail


@pytest.mark.parametrize("fault", [{"reply": Reply(503, b"")}, {"drop_after": -1, "times": 2}])
def test_a_registration_that_cannot_be_had_just_now_fails_nothing(
    app: App, box: GraphMailbox, fault: dict[str, Any]
) -> None:
    box.app.roles.add("Application.Read.All")
    box.microsoft.fail("application", **fault)
    assert _probe(app, box).ok


def test_an_app_that_does_not_own_its_registration_is_refused_and_that_is_no_failure(
    app: App, box: GraphMailbox
) -> None:
    box.app.roles.add("Application.ReadWrite.OwnedBy")
    report = _probe(app, box)
    assert report.ok
    assert box.microsoft.count("application") == 1
    assert "cannot be read by this app" in _step(report, "token").detail


def test_only_a_test_asks_for_the_end_date_never_a_poll(app: App, box: GraphMailbox) -> None:
    box.app.roles.add("Application.Read.All")
    mailbox = mailboxes.draft(app, "acme.1", "draft", _settings(box), {"client_secret": SECRET})
    with app.open(mailbox, app.record()) as source:
        list(source.new(""))
    assert box.microsoft.count("application") == 0


@pytest.mark.parametrize(("days", "code"), [(100.5, ""), (12.5, "secret_ends_soon")])
def test_a_certificate_says_itself_when_it_ends(app: App, box: GraphMailbox, days: float, code: str) -> None:
    box.app.certificate = KEY.public_key()
    report = _probe(app, box, secret=_certificate(days))
    assert report.ok
    step = _step(report, "token")
    assert f"{int(days)} days" in step.detail
    assert step.code == code
    assert box.microsoft.count("application") == 0


def test_a_certificate_that_ended_fails_the_token_before_anything_is_asked(app: App, box: GraphMailbox) -> None:
    box.app.certificate = KEY.public_key()
    report = _probe(app, box, secret=_certificate(-1))
    step = _step(report, "token")
    assert (step.state, step.code, step.field) == ("failed", "secret_expired", "client_secret")
    assert "ended on" in step.cause
    assert box.microsoft.count("token") == 0


def test_a_certificate_that_ended_while_the_service_ran_says_so_too(box: GraphMailbox) -> None:
    box.app.certificate = KEY.public_key()
    box.login = AppLogin(box.tenant.id, box.app.client_id, certificate=_certificate(1))
    assert box.token(False)
    box.microsoft.skew = timedelta(days=2)
    # Its token in memory still opens the door; it is Entra that wants no new one of it.
    box.app.certificate = None
    with pytest.raises(SecretExpired, match="ended on"):
        box.tokens.app_token(box.cloud, box.login, box.cloud.graph_scope, force=True)


def test_an_identity_without_a_secret_has_nothing_that_ends(app: App, box: GraphMailbox) -> None:
    box.app.assertions.add("of-our-identity")
    assert isinstance(app.microsoft, Doors)
    apps = frozenset({("acme", box.tenant.id.lower(), box.app.client_id.lower())})
    doors = replace(app.microsoft, federated_apps=apps, assertion=lambda: "of-our-identity")
    trusting = replace(app, open=doors.open, microsoft=doors, needs_no_secret=doors.needs_no_secret)
    report = probe(trusting, mailboxes.draft(trusting, "acme.1", "draft", _settings(box), {}))
    assert report.ok
    assert _step(report, "token").detail == ""


# ── a person who signed in ────────────────────────────────────────────────────────────────────────────────────────


def test_where_a_person_signed_in_there_is_nothing_to_prove(app: App, box: GraphMailbox) -> None:
    mailbox = mailboxes.draft(app, "acme.1", "draft", _settings(box), {"client_secret": SECRET})
    _sign_in(app, box, mailbox)
    report = probe(app, mailbox, f"ann@{box.tenant.domain}")
    assert report.ok, report.steps
    step = _step(report, "scope")
    assert (step.state, step.code) == ("skipped", "")
    assert "A person signed in" in step.detail
    assert "cannot be read by this app" in _step(report, "token").detail
    assert box.microsoft.count("users", "application") == 0


def _sign_in(app: App, box: GraphMailbox, mailbox: Mailbox) -> None:
    """The mailbox's own person grants it in a browser."""
    person = box.microsoft.entra.add_person(box.tenant, box.address)
    box.box.owner = person.oid
    box.app.redirect_uris.add(CALLBACK)
    box.microsoft.entra.signs_in = person.username
    flow = app.microsoft.begin_sign_in(mailbox, CALLBACK)
    browser = requests.get(flow["auth_uri"], allow_redirects=False, timeout=10)
    params = dict(parse_qsl(urlsplit(browser.headers["Location"]).query))
    _, cache = app.microsoft.finish_sign_in(mailbox, flow, params)
    sealed = app.secrets.seal(mailbox.tenant, mailbox.id, mailbox.settings.sign_in_field(), cache)
    app.sign_ins.put_cache(mailbox.tenant, mailbox.id, sealed, "")


@pytest.mark.parametrize(("server_type", "permission"), [("imap", "IMAP"), ("pop3", "POP")])
@pytest.mark.parametrize(
    ("cloud", "host", "resource"),
    [
        ("global", "outlook.office365.com", "https://outlook.office.com"),
        ("usgov", "outlook.office365.us", "https://outlook.office365.us"),
        ("dod", "outlook-dod.office365.us", "https://outlook-dod.office365.us"),
        ("china", "partner.outlook.cn", "https://partner.outlook.cn"),
    ],
)
def test_a_person_grants_imap_and_pop3_at_the_exchange_online_of_the_cloud(
    app: App, box: GraphMailbox, server_type: str, permission: str, cloud: str, host: str, resource: str
) -> None:
    assert isinstance(app.microsoft, Doors)
    # The stand-in in the place of that cloud's sign-in.
    national = replace(Cloud.of(cloud), authority=box.cloud.authority)
    doors = replace(app.microsoft, cloud=national)
    settings = _settings(box, server_type=server_type, host=host, auth="oauth2", username=box.address)
    mailbox = mailboxes.draft(app, "acme.1", "draft", settings, {"client_secret": SECRET})
    query = dict(parse_qsl(urlsplit(doors.begin_sign_in(mailbox, CALLBACK)["auth_uri"]).query))
    asked = [scope for scope in query["scope"].split() if "://" in scope]
    assert asked == [f"{resource}/{permission}.AccessAsUser.All"]
