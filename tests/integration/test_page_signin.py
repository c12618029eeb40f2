"""Who signs in to the pages with Entra ID, by MSAL against the strict stand-in: what is believed, and what is not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
import requests

from infra.local.azurite import Azurite
from shared import bootstrap, config
from shared.errors import InboundError, LoginRefused, NotAllowed, Unreachable
from shared.ports import Identity
from shared.servers.cloud import Cloud
from shared.servers.page_signin import PageSignIn
from shared.servers.token import AppLogin
from tests.support.microsoft import Microsoft, Reply
from tests.support.microsoft.entra import App, Person, Tenant

CALLBACK = "https://inbound.example/oauth/callback"
SECRET = "the~page's.own-secret"
STATE = "page.0123456789abcdef0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(Path(tmp_path_factory.mktemp("microsoft"))) as microsoft:
        yield microsoft


@dataclass
class Gate:
    """The page's sign-in, and Anna at a browser."""

    microsoft: Microsoft
    app: App
    home: Tenant
    anna: Person
    page: PageSignIn

    def browse(self, flow: Any) -> dict[str, str]:
        answer = requests.get(flow["auth_uri"], allow_redirects=False, timeout=10)
        assert answer.status_code == 302, answer.text
        place = urlsplit(answer.headers["Location"])
        assert f"{place.scheme}://{place.netloc}{place.path}" == CALLBACK
        return dict(parse_qsl(place.query))

    def sign_in(self, page: PageSignIn | None = None) -> Identity:
        page = page or self.page
        flow = page.begin(CALLBACK, STATE)
        return page.finish(flow, self.browse(flow))

    def forge(self, **claims: Any) -> None:
        """The next ID token says this instead; None takes a claim away."""

        def change(body: dict[str, Any]) -> dict[str, Any]:
            true = jwt.decode(body["id_token"], options={"verify_signature": False})
            said = {name: value for name, value in {**true, **claims}.items() if value is not None}
            return {**body, "id_token": jwt.encode(said, "k" * 32, algorithm="HS256")}

        self.microsoft.fail("token", change=change)

    def refused(self, kind: type[InboundError] = NotAllowed) -> InboundError:
        with pytest.raises(kind) as refused:
            self.sign_in()
        assert SECRET not in refused.value.message + refused.value.fix
        return refused.value


@pytest.fixture
def gate(running: Microsoft) -> Iterator[Gate]:
    running.forget_requests()
    running.faults.clear()
    running.skew = timedelta()
    app = running.entra.add_app_for_everybody(SECRET, CALLBACK)
    home = running.entra.add_tenant(f"acme{len(running.entra.tenants)}.example")
    anna = running.entra.add_person(home, f"Anna@{home.domain}")
    anna.name = "Anna Berg"
    running.entra.signs_in = anna.username
    login = AppLogin("", app.client_id, SECRET)
    cloud = Cloud.custom(running.authority, running.graph_url)
    yield Gate(running, app, home, anna, PageSignIn(cloud, login, running.now))
    assert running.violations == []


def test_who_signed_in_is_known_by_tenant_and_object(gate: Gate) -> None:
    gate.anna.roles = ["Inbound.Agent"]
    assert gate.sign_in() == Identity(
        gate.home.id, gate.anna.oid, f"anna@{gate.home.domain}", "Anna Berg", frozenset({"Inbound.Agent"})
    )


def test_only_who_somebody_is_is_asked_for(gate: Gate) -> None:
    asked = dict(parse_qsl(urlsplit(gate.page.begin(CALLBACK, STATE)["auth_uri"]).query))
    assert set(asked["scope"].split()) == {"openid", "profile"}
    assert (asked["state"], asked["prompt"], asked["response_mode"]) == (STATE, "select_account", "query")
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["nonce"]) >= 16


def test_people_of_every_organisation_come_through_one_app(gate: Gate) -> None:
    globex = gate.microsoft.entra.add_tenant("globex.example")
    eve = gate.microsoft.entra.add_person(globex, "eve@globex.example")
    gate.microsoft.entra.signs_in = eve.username
    assert gate.sign_in().tid == globex.id


def test_a_managed_identity_proves_the_app_without_any_secret(gate: Gate) -> None:
    gate.app.assertions.add("the identity's token")
    login = AppLogin("", gate.app.client_id, assertion=lambda: "the identity's token")
    page = PageSignIn(gate.page.cloud, login, gate.microsoft.now)
    assert gate.sign_in(page).oid == gate.anna.oid
    _, request = next(one for one in gate.microsoft.requests if one[0] == "token")
    assert "client_secret" not in request.form


def test_an_identity_that_gives_no_token_judges_nobody(gate: Gate) -> None:
    def no_token() -> str:
        raise Unreachable("The identity of this service gives no token just now.")

    page = PageSignIn(gate.page.cloud, AppLogin("", gate.app.client_id, assertion=no_token), gate.microsoft.now)
    with pytest.raises(Unreachable, match="does not answer just now"):
        gate.sign_in(page)


def test_a_guest_is_known_for_one(gate: Gate) -> None:
    gate.anna.idp = "https://sts.windows.net/99999999-9999-4999-8999-999999999999/"
    assert gate.sign_in().is_guest


HOUR = timedelta(hours=1)
OTHER = "11111111-2222-4333-8444-555555555555"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": OTHER},
        {"aud": ["the-page", OTHER]},
        {"nonce": "another-nonce"},
        {"nonce": None},
        {"exp": -HOUR},
        {"exp": None},
        {"exp": "soon"},
        {"exp": math.nan},
        {"nbf": HOUR},
        {"iat": HOUR},
        {"oid": ""},
        {"oid": None},
        {"oid": "*"},
        {"tid": OTHER},
        {"tid": None},
        {"tid": "{tenantid}"},
        {"iss": f"https://login.microsoftonline.com/{OTHER}/v2.0"},
        {"iss": None},
    ],
    ids=str,
)
def test_an_identity_that_is_old_or_of_somewhere_else_is_refused(gate: Gate, claims: dict[str, Any]) -> None:
    now = datetime.now(UTC)  # a timedelta stands for so long from now: names of tests do not depend on the time
    gate.forge(**{k: int((now + v).timestamp()) if isinstance(v, timedelta) else v for k, v in claims.items()})
    assert gate.refused().message.startswith("This sign-in was not begun here")


def test_without_an_id_token_nobody_is_anybody(gate: Gate) -> None:
    gate.microsoft.fail("token", change=lambda body: {k: v for k, v in body.items() if k != "id_token"})
    gate.refused()


@pytest.mark.parametrize("roles", ["Inbound.Admin", {"Inbound.Admin": 1}, [1, None, ["Inbound.Admin"]], None])
def test_roles_that_are_no_list_of_words_are_none(gate: Gate, roles: Any) -> None:
    gate.forge(roles=roles)
    assert gate.sign_in().roles == frozenset()


def test_a_name_that_turns_text_around_is_made_plain(gate: Gate) -> None:
    gate.anna.name = "Anna\u202e\x00\nBerg" + "x" * 1000
    assert gate.sign_in().name == ("AnnaBerg" + "x" * 1000)[:320]


def test_a_callback_of_another_sign_in_is_refused_and_no_token_is_asked_for(gate: Gate) -> None:
    flow, other = gate.page.begin(CALLBACK, STATE), gate.page.begin(CALLBACK, STATE[::-1])
    params = gate.browse(flow)
    for forged in ({**params, "state": other["state"]}, {**params, "state": ""}, {"code": params["code"]}, {}):
        with pytest.raises(NotAllowed):
            gate.page.finish(flow, forged)
    assert gate.microsoft.count("token") == 0


def test_a_code_works_once_and_only_with_its_verifier(gate: Gate) -> None:
    flow = gate.page.begin(CALLBACK, STATE)
    params = gate.browse(flow)
    gate.page.finish(flow, params)
    for again in (flow, gate.page.begin(CALLBACK, STATE)):
        with pytest.raises(NotAllowed):
            gate.page.finish(again, params)


@pytest.mark.parametrize("evil", ["https://evil.example/v2.0", "", "{0}/{{tenantid}}/v2.0", "{0}/evil/v2.0", "{0}/x"])
def test_a_code_of_another_issuer_goes_nowhere(gate: Gate, evil: str) -> None:
    """RFC 9207: the mix-up attack."""
    flow = gate.page.begin(CALLBACK, STATE)
    with pytest.raises(NotAllowed):
        gate.page.finish(flow, {**gate.browse(flow), "iss": evil.format(gate.microsoft.authority)})
    assert gate.microsoft.count("token") == 0


def test_a_callback_that_names_its_issuer_is_taken(gate: Gate) -> None:
    flow = gate.page.begin(CALLBACK, STATE)
    issuer = f"{gate.microsoft.authority}/{gate.home.id}/v2.0"
    assert gate.page.finish(flow, {**gate.browse(flow), "iss": issuer}).oid == gate.anna.oid


@pytest.mark.parametrize("ends", [timedelta(days=-1), None])
def test_a_secret_that_does_not_work_is_for_the_operator_to_mend(gate: Gate, ends: timedelta | None) -> None:
    gate.app.secrets.clear()
    if ends:
        gate.app.secrets[SECRET] = gate.microsoft.now() + ends
    error = gate.refused(LoginRefused)
    assert "AADSTS" in error.message
    assert "SIGN_IN_CLIENT_SECRET" in error.fix
    assert "Tell the operator" in error.fix


def test_a_sign_in_service_that_is_away_judges_nobody(gate: Gate) -> None:
    gate.microsoft.fail("token", reply=Reply(503, b"busy"))
    error = gate.refused(Unreachable)
    assert "poll" not in error.message + error.fix


# ── as it is deployed ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_app_settings_switch_it_on(gate: Gate, azurite: Azurite, key_file: str) -> None:
    settings = {
        "AzureWebJobsStorage": azurite.connection_string,
        "KEY_FILE": key_file,
        "AZURE_AUTHORITY_HOST": gate.microsoft.authority,
        "GRAPH_URL": gate.microsoft.graph_url,
    }
    assert bootstrap.build(config.read(settings)).entra is None
    registered = {"SIGN_IN_CLIENT_ID": gate.app.client_id, "SIGN_IN_CLIENT_SECRET": SECRET, "RETENTION_DAYS": "30"}
    app = bootstrap.build(config.read({**settings, **registered}))
    assert isinstance(app.entra, PageSignIn)
    assert gate.sign_in(app.entra).oid == gate.anna.oid
    assert app.retention_days == 30
