"""Signing in with Microsoft: a person's consent, kept alive by refresh tokens; certificates and assertions of apps."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
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

from shared.errors import AccessDenied, ConsentNeeded, LoginRefused, NotAllowed, Throttled, Unreachable
from shared.servers.graph import GraphSource
from shared.servers.token import Account, AppLogin
from tests.support.mails import mail
from tests.support.microsoft import Microsoft, Reply
from tests.support.microsoft.entra import Person
from tests.support.microsoft.mailbox import SECRET, GraphMailbox

CALLBACK = "https://inbound.example/oauth/callback"
SCOPES = ("https://graph.microsoft.com/Mail.Read",)
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(Path(tmp_path_factory.mktemp("microsoft"))) as microsoft:
        yield microsoft


@pytest.fixture
def microsoft(running: Microsoft) -> Iterator[Microsoft]:
    running.forget_requests()
    running.faults.clear()
    running.skew = timedelta()
    running.entra.one_use_refresh_tokens = False
    yield running
    assert running.violations == []


@dataclass
class Desk:
    """Somebody at a browser who connects a mailbox."""

    box: GraphMailbox
    person: Person

    def begin(self) -> dict[str, Any]:
        return self.box.tokens.begin_sign_in(self.box.cloud, self.box.login, CALLBACK, SCOPES, self.person.username)

    def browse(self, flow: dict[str, Any]) -> dict[str, str]:
        answer = requests.get(flow["auth_uri"], allow_redirects=False, timeout=10)
        assert answer.status_code == 302
        place = urlsplit(answer.headers["Location"])
        assert f"{place.scheme}://{place.netloc}{place.path}" == CALLBACK
        return dict(parse_qsl(place.query))

    def finish(self, flow: dict[str, Any], params: dict[str, str]) -> tuple[Account, str]:
        return self.box.tokens.finish_sign_in(self.box.cloud, self.box.login, flow, params)

    def sign_in(self) -> str:
        flow = self.begin()
        return self.finish(flow, self.browse(flow))[1]

    def token(self, cache: str, force: bool = False) -> tuple[str, str | None]:
        token, changed = self.box.tokens.delegated_token(self.box.cloud, self.box.login, cache, SCOPES, force)
        return token.value, changed

    def source(self, cache: str) -> GraphSource:
        box = self.box
        return GraphSource(
            box.address, "INBOX", lambda force: self.token(cache, force)[0], box.cloud, box.floor, box.microsoft.now
        )


@pytest.fixture
def desk(microsoft: Microsoft) -> Desk:
    box = GraphMailbox(microsoft)
    person = microsoft.entra.add_person(box.tenant, box.address)
    box.box.owner = person.oid
    box.app.redirect_uris.add(CALLBACK)
    microsoft.entra.signs_in = person.username
    return Desk(box, person)


# ── signing in ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_signed_in_is_known_and_their_mailbox_opens(desk: Desk) -> None:
    flow = desk.begin()
    account, cache = desk.finish(flow, desk.browse(flow))
    assert account == Account(desk.person.oid, desk.box.tenant.id, desk.person.username)
    desk.box.deliver(mail())
    with desk.source(cache) as source:
        assert [source.fetch(arrival) for arrival in source.new("")] == [mail()]


def test_a_tenant_may_be_named_by_its_domain(desk: Desk) -> None:
    desk.box.login = AppLogin(desk.box.tenant.domain, desk.box.app.client_id, SECRET)
    flow = desk.begin()
    account, cache = desk.finish(flow, desk.browse(flow))
    assert account.tid == desk.box.tenant.id
    assert desk.token(cache)[0]


def test_the_browser_carries_state_nonce_and_challenge_and_comes_back_by_get(desk: Desk) -> None:
    query = dict(parse_qsl(urlsplit(desk.begin()["auth_uri"]).query))
    assert query["response_mode"] == "query"
    assert query["code_challenge_method"] == "S256"
    assert query["login_hint"] == desk.person.username
    assert len({query["state"], query["nonce"], query["code_challenge"]}) == 3
    assert "offline_access" in query["scope"].split()


def test_a_callback_of_another_flow_is_refused_and_no_token_is_asked_for(desk: Desk) -> None:
    flow, other = desk.begin(), desk.begin()
    params = desk.browse(flow)
    for forged in ({**params, "state": other["state"]}, {**params, "state": ""}, {"code": params["code"]}, {}):
        with pytest.raises(NotAllowed):
            desk.finish(flow, forged)
    with pytest.raises(NotAllowed):
        desk.finish(other, params)
    assert desk.box.microsoft.count("token") == 0


def test_a_callback_that_is_replayed_gets_nothing(desk: Desk) -> None:
    flow = desk.begin()
    params = desk.browse(flow)
    desk.finish(flow, params)
    with pytest.raises(ConsentNeeded):
        desk.finish(flow, params)


def test_a_stolen_code_without_its_verifier_gets_nothing(desk: Desk) -> None:
    flow, thiefs = desk.begin(), desk.begin()
    params = desk.browse(flow)
    with pytest.raises(ConsentNeeded):
        desk.finish(thiefs, {**params, "state": thiefs["state"]})


def test_a_code_of_another_issuer_is_refused_before_it_is_sent_anywhere(desk: Desk) -> None:
    """RFC 9207: the mix-up attack."""
    flow = desk.begin()
    with pytest.raises(NotAllowed):
        desk.finish(flow, {**desk.browse(flow), "iss": "https://evil.example/v2.0"})
    assert desk.box.microsoft.count("token") == 0


@pytest.mark.parametrize(
    ("claim", "value", "error"),
    [
        ("aud", "another-app", NotAllowed),
        ("nonce", "another-nonce", NotAllowed),
        ("exp", 1_000_000_000, NotAllowed),
        ("oid", "", NotAllowed),
        ("tid", "11111111-2222-4333-8444-555555555555", ConsentNeeded),
        ("iss", "https://login.microsoftonline.com/x/v2.0", ConsentNeeded),
    ],
)
def test_an_identity_of_somewhere_else_is_refused(desk: Desk, claim: str, value: Any, error: type[Exception]) -> None:
    import jwt

    def forge(body: dict[str, Any]) -> dict[str, Any]:
        claims = jwt.decode(body["id_token"], options={"verify_signature": False})
        return {**body, "id_token": jwt.encode({**claims, claim: value}, "k" * 32, algorithm="HS256")}

    flow = desk.begin()
    params = desk.browse(flow)
    desk.box.microsoft.fail("token", change=forge)
    with pytest.raises(error):
        desk.finish(flow, params)


def test_whoever_cancels_changes_nothing(desk: Desk) -> None:
    desk.box.microsoft.entra.signs_in = None
    flow = desk.begin()
    with pytest.raises(ConsentNeeded, match="cancelled"):
        desk.finish(flow, desk.browse(flow))


def test_a_callback_that_brings_a_token_along_brings_nothing(desk: Desk) -> None:
    flow = desk.begin()
    params = {"state": flow["state"], "error": "access_denied", "access_token": "evil", "id_token": "evil"}
    with pytest.raises(ConsentNeeded):
        desk.finish(flow, params)


# ── staying signed in ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_in_the_cache_costs_no_request(desk: Desk) -> None:
    cache = desk.sign_in()
    desk.box.microsoft.forget_requests()
    _, changed = desk.token(cache)
    assert changed is None
    assert desk.box.microsoft.count() == 0


def test_an_idle_poll_of_a_signed_in_mailbox_is_one_request(desk: Desk) -> None:
    cache = desk.sign_in()
    with desk.source(cache) as source:
        list(source.new(""))
        cursor = source.cursor()
    desk.box.microsoft.forget_requests()
    with desk.source(cache) as source:
        assert list(source.new(cursor)) == []
    assert desk.box.microsoft.count() == 1


def test_refresh_tokens_rotate_and_the_changed_cache_is_handed_out(desk: Desk) -> None:
    desk.box.microsoft.entra.one_use_refresh_tokens = True
    cache = desk.sign_in()
    seen = set()
    for _ in range(4):
        token, changed = desk.token(cache, force=True)
        assert changed is not None
        seen.add(token)
        cache = changed
    assert len(seen) == 4


def test_an_expired_token_is_refreshed(desk: Desk) -> None:
    cache = desk.sign_in()
    desk.box.microsoft.entra.revoke_tokens()
    with desk.source(cache) as source:
        assert list(source.new("")) == []


def test_a_revoked_sign_in_asks_for_a_new_one_and_the_new_one_works(desk: Desk) -> None:
    cache = desk.sign_in()
    desk.box.microsoft.entra.revoke_sign_ins()
    with pytest.raises(ConsentNeeded, match="has ended") as raised:
        desk.token(cache, force=True)
    assert "AADSTS50173" in raised.value.message
    assert "sign in with Microsoft again" in raised.value.fix
    assert desk.token(desk.sign_in(), force=True)[0]


def test_a_consent_that_was_taken_back_asks_for_it_again(desk: Desk) -> None:
    cache = desk.sign_in()
    desk.box.app.delegated.clear()
    with pytest.raises(ConsentNeeded, match="allowed") as raised:
        desk.token(cache, force=True)
    assert "AADSTS65001" in raised.value.message


@pytest.mark.parametrize("cache", ["", "{}", "not json"])
def test_a_cache_without_an_account_asks_to_sign_in(desk: Desk, cache: str) -> None:
    with pytest.raises(ConsentNeeded):
        desk.token(cache)


def test_a_busy_sign_in_is_no_reason_to_sign_in_again(desk: Desk) -> None:
    cache = desk.sign_in()
    desk.box.microsoft.fail("token", drop_after=-1)
    with pytest.raises(Unreachable):
        desk.token(cache, force=True)
    desk.box.microsoft.fail("token", reply=Reply(429, b"", {"Retry-After": "30"}))
    with pytest.raises(Throttled):
        desk.token(cache, force=True)


def test_a_shared_mailbox_takes_the_permission_for_shared_ones(desk: Desk) -> None:
    desk.box.box.owner = "somebody else"
    with desk.source(desk.sign_in()) as source, pytest.raises(AccessDenied, match="account that signed in") as raised:
        list(source.new(""))
    assert "Full Access" in raised.value.fix


def test_nothing_of_a_sign_in_is_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    flow = desk.begin()
    params = desk.browse(flow)
    _, cache = desk.finish(flow, params)
    token, _ = desk.token(cache, force=True)
    for hidden in (SECRET, token, params["code"], flow["code_verifier"], desk.person.username):
        assert hidden not in caplog.text


# ── apps without a secret ─────────────────────────────────────────────────────────────────────────────────────────


def _certificate() -> tuple[str, Any]:
    """PEM with certificate and key, and the public key."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "inbound")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=1))
    certificate = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + certificate).decode(), key.public_key()


def test_an_app_proves_itself_by_a_certificate(microsoft: Microsoft) -> None:
    box = GraphMailbox(microsoft)
    pem, box.app.certificate = _certificate()
    box.login = AppLogin(box.tenant.id, box.app.client_id, certificate=pem)
    assert box.token(False)
    box.login = AppLogin(box.tenant.id, box.app.client_id, certificate=_certificate()[0])
    with pytest.raises(LoginRefused, match="certificate"):
        box.token(False)


@pytest.mark.parametrize("text", ["nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_a_certificate_that_cannot_be_read_is_said_before_anything_is_asked(microsoft: Microsoft, text: str) -> None:
    box = GraphMailbox(microsoft)
    box.login = AppLogin(box.tenant.id, box.app.client_id, certificate=text)
    with pytest.raises(LoginRefused, match="cannot be read"):
        box.token(False)
    assert microsoft.count("token") == 0


def test_an_app_proves_itself_by_the_identity_that_it_runs_under(microsoft: Microsoft) -> None:
    box = GraphMailbox(microsoft)
    box.app.assertions.add("of-the-managed-identity")
    box.login = AppLogin(box.tenant.id, box.app.client_id, assertion=lambda: "of-the-managed-identity")
    assert box.token(False)
    box.microsoft.forget_requests()
    # The function is made anew for each poll; the token is the same app's.
    box.login = AppLogin(box.tenant.id, box.app.client_id, assertion=lambda: "of-the-managed-identity")
    assert box.token(False)
    assert microsoft.count() == 0


def test_what_a_token_says_is_there_for_test_settings(microsoft: Microsoft) -> None:
    box = GraphMailbox(microsoft)
    token = box.tokens.app_token(box.cloud, box.login, box.cloud.graph_scope)
    assert token.claims["roles"] == ["Mail.Read", "Mail.ReadWrite"]
    assert token.claims["aud"] == "https://graph.microsoft.com"
    assert timedelta(minutes=59) < token.expires_on - microsoft.now() < timedelta(minutes=61)
    assert token.value not in repr(token)
    assert SECRET not in repr(box.login)


def test_an_app_gets_a_token_for_exchange_online_too(microsoft: Microsoft) -> None:
    box = GraphMailbox(microsoft)
    token = box.tokens.app_token(box.cloud, box.login, box.cloud.outlook_scope)
    assert token.claims["aud"] == "https://outlook.office365.com"
