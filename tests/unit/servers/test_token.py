"""Clouds, claims, and what Entra's refusals mean."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from shared.errors import ConsentNeeded, InboundError, LoginRefused, ProtocolViolation, SecretExpired, Unreachable
from shared.servers.entra import refusal
from shared.servers.token import AppLogin, Cloud, claims_of

TRACE = "0b1c2d3e-1111-2222-3333-444455556666"


@pytest.mark.parametrize(
    ("name", "login", "graph"),
    [
        ("global", "login.microsoftonline.com", "graph.microsoft.com"),
        ("usgov", "login.microsoftonline.us", "graph.microsoft.us"),
        ("dod", "login.microsoftonline.us", "dod-graph.microsoft.us"),
        ("china", "login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn"),
    ],
)
def test_each_cloud_has_its_own_places_and_its_tokens_are_for_them(name: str, login: str, graph: str) -> None:
    cloud = Cloud.of(name)
    assert (cloud.authority, cloud.graph) == (f"https://{login}", f"https://{graph}/v1.0")
    assert cloud.graph_scope == f"https://{graph}/.default"
    # The settings of the app lead to the same cloud.
    assert Cloud.custom(login, f"https://{graph}/v1.0/") == cloud


@pytest.mark.parametrize(
    ("name", "apps", "people"),
    [
        ("global", "https://outlook.office365.com", "https://outlook.office.com"),
        ("usgov", "https://outlook.office365.us", "https://outlook.office365.us"),
        ("dod", "https://outlook-dod.office365.us", "https://outlook-dod.office365.us"),
        ("china", "https://partner.outlook.cn", "https://partner.outlook.cn"),
    ],
)
def test_each_cloud_has_its_own_exchange_online(name: str, apps: str, people: str) -> None:
    cloud = Cloud.of(name)
    assert (cloud.outlook_scope, cloud.outlook_of_people) == (f"{apps}/.default", people)
    assert Cloud.custom(cloud.authority, cloud.graph).outlook_of_people == people


def test_one_setting_alone_chooses_the_cloud() -> None:
    assert Cloud.custom() == Cloud.of("global")
    assert Cloud.custom(authority="https://login.chinacloudapi.cn/") == Cloud.of("china")
    assert Cloud.custom(graph_url="https://dod-graph.microsoft.us/v1.0") == Cloud.of("dod")


def test_a_stand_in_plays_the_global_cloud() -> None:
    cloud = Cloud.custom("https://localhost:8443", "http://127.0.0.1:9000/v1.0")
    assert cloud.graph == "http://127.0.0.1:9000/v1.0"
    assert cloud.graph_scope == "https://graph.microsoft.com/.default"


@pytest.mark.parametrize(
    ("authority", "graph", "setting"),
    [
        ("http://login.example", "", "AZURE_AUTHORITY_HOST"),
        ("https://login.example/tenant", "", "AZURE_AUTHORITY_HOST"),
        ("", "http://graph.example/v1.0", "GRAPH_URL"),
        ("", "https://graph.example", "GRAPH_URL"),
        ("", "https://graph.example/v1.0?x=y", "GRAPH_URL"),
        ("", "https://user:pass@graph.example/v1.0", "GRAPH_URL"),
        ("", "graph.example/v1.0", "GRAPH_URL"),
    ],
)
def test_a_setting_that_would_give_tokens_away_is_refused_by_name(authority: str, graph: str, setting: str) -> None:
    with pytest.raises(ValueError, match=setting):
        Cloud.custom(authority, graph)


def test_claims_are_read_from_a_token_and_nothing_from_what_is_none() -> None:
    body = base64.urlsafe_b64encode(json.dumps({"roles": ["Mail.Read"]}).encode()).rstrip(b"=").decode()
    assert claims_of(f"e30.{body}.sig") == {"roles": ["Mail.Read"]}
    for other in ("", "opaque", "a.b", "a.!!.c", "a.e30.c", f"a.{base64.b64encode(b'[1]').decode()}.c", "a.é.c"):
        assert claims_of(other) == {}


@pytest.mark.parametrize("pem", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_a_certificate_that_cannot_be_read_tells_no_end(pem: str) -> None:
    assert AppLogin("t", "c", certificate=pem).certificate_ends() is None


def test_credentials_are_told_apart_and_never_shown() -> None:
    logins = [AppLogin("t", "c", "one"), AppLogin("t", "c", "two"), AppLogin("t", "c", certificate="one")]
    assert len({login.fingerprint() for login in logins}) == 3
    assert "one" not in repr(logins)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"error": "invalid_client", "error_codes": [7000215]}, LoginRefused, "not its Secret ID"),
        ({"error": "invalid_client", "error_codes": [7000222]}, SecretExpired, "new one"),
        ({"error": "invalid_client", "error_codes": [7000229]}, ConsentNeeded, "admin consent"),
        ({"error": "invalid_client", "error_codes": [700027]}, LoginRefused, "certificate"),
        ({"error": "unauthorized_client", "error_codes": [700016]}, LoginRefused, "Application (client) ID"),
        ({"error": "invalid_tenant", "error_codes": [90002]}, LoginRefused, "Directory (tenant) ID"),
        ({"error": "invalid_request", "error_codes": [90002]}, LoginRefused, "Directory (tenant) ID"),
        ({"error": "invalid_request", "error_codes": [900023]}, LoginRefused, "Directory (tenant) ID"),
        ({"error": "invalid_resource", "error_codes": [500011]}, ConsentNeeded, "admin consent"),
        ({"error": "invalid_scope", "error_codes": [1002012]}, ProtocolViolation, "same cloud"),
        ({"error": "invalid_request", "error_codes": [50011]}, LoginRefused, "callback address"),
        ({"error": "invalid_grant", "error_codes": [65001], "suberror": "consent_required"}, ConsentNeeded, "accept"),
        ({"error": "invalid_grant", "error_codes": [50173]}, ConsentNeeded, "again"),
        ({"error": "invalid_grant", "error_codes": [700082]}, ConsentNeeded, "again"),
        ({"error": "invalid_grant", "suberror": "token_expired"}, ConsentNeeded, "again"),
        ({"error": "invalid_grant", "error_codes": [50076], "suberror": "basic_action"}, ConsentNeeded, "Conditional"),
        ({"error": "interaction_required", "error_codes": [53003]}, ConsentNeeded, "Conditional Access"),
        ({"error": "access_denied", "error_description": "AADSTS65004: declined"}, ConsentNeeded, "ready"),
        ({"error": "access_denied", "error_description": "AADSTS90094: admin"}, ConsentNeeded, "admin consent"),
        ({"error": "access_denied", "error_description": "AADSTS50020: guest"}, ConsentNeeded, "account of the tenant"),
        ({"error": "temporarily_unavailable", "error_codes": [7000215]}, Unreachable, "nothing was judged"),
        ({"error": "server_error"}, Unreachable, "nothing was judged"),
    ],
)
def test_a_refusal_says_who_must_act_and_how(answer: dict[str, Any], kind: type[InboundError], words: str) -> None:
    error = refusal({**answer, "trace_id": TRACE})
    assert type(error) is kind
    assert words in error.fix
    assert TRACE in error.message


@pytest.mark.parametrize(
    ("error", "kind"),
    [("invalid_client", LoginRefused), ("invalid_grant", ConsentNeeded), ("consent_required", ConsentNeeded)],
)
def test_numbers_change_and_the_error_decides(error: str, kind: type[InboundError]) -> None:
    assert type(refusal({"error": error, "error_codes": [123456789]})) is kind
    assert type(refusal({"error": "invalid_grant", "error_codes": [7000215]})) is ConsentNeeded


@pytest.mark.parametrize("answer", [{}, {"error": None}, {"error": 3, "error_codes": "x", "trace_id": ["y"]}])
def test_an_answer_without_sense_is_refused_in_words_all_the_same(answer: dict[str, Any]) -> None:
    error = refusal(answer)
    assert isinstance(error, LoginRefused)
    assert error.message == "Microsoft refused the sign-in." or "(" in error.message


def test_microsofts_own_text_is_never_shown() -> None:
    text = "AADSTS7000215: the secret 'hunter2' of ann@example.com is wrong"
    error = refusal({"error": "invalid_client", "error_description": text, "trace_id": "<script>", "claims": "hunter2"})
    assert "AADSTS7000215" in error.message
    for hidden in ("hunter2", "ann@", "<script>"):
        assert hidden not in f"{error.message} {error.fix}"
