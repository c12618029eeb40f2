"""What really goes wrong between us, Entra ID and Graph, in words that say who must act."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from shared.errors import (
    AccessDenied,
    ConsentNeeded,
    InboundError,
    LoginRefused,
    MailboxNotFound,
    ProtocolViolation,
    SecretExpired,
    ServerError,
    SettingsError,
    Throttled,
    TimedOut,
    Unreachable,
)
from shared.servers import graph_http
from shared.servers.graph import GraphSource
from shared.servers.token import AppLogin, Tokens
from tests.support.mails import mail
from tests.support.microsoft import Fault, Microsoft, Reply
from tests.support.microsoft.mailbox import SECRET, GraphMailbox
from tests.support.microsoft.wire import entra_error, graph_error

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(Path(tmp_path_factory.mktemp("microsoft"))) as microsoft:
        yield microsoft


@pytest.fixture
def microsoft(running: Microsoft) -> Iterator[Microsoft]:
    running.forget_requests()
    running.faults.clear()
    running.skew = timedelta()
    yield running
    assert running.violations == []


@pytest.fixture
def box(microsoft: Microsoft) -> GraphMailbox:
    made = GraphMailbox(microsoft)
    for number in range(3):
        made.deliver(_mail(number), NOW - timedelta(minutes=10 - number))
    return made


def _mail(number: int) -> bytes:
    return mail(message_id=f"<{number}@example.com>", subject=f"mail {number}")


def _take(source: GraphSource, cursor: str) -> tuple[list[bytes | None], str]:
    raws = []
    for arrival in source.new(cursor):
        raws.append(source.fetch(arrival))
        source.settle(arrival)
    source.cursor()
    source.act()
    return raws, source.cursor()


def _poll(box: GraphMailbox, cursor: str = "", **more: Any) -> tuple[list[bytes | None], str]:
    with box.source(**more) as source:
        return _take(source, cursor)


def _refused(box: GraphMailbox, **more: Any) -> InboundError:
    """How a poll fails; its words must help and give nothing away."""
    with pytest.raises(InboundError) as raised:
        _poll(box, **more)
    error = raised.value
    shown = f"{error.message} {error.fix}"
    assert error.message.endswith(".")
    assert error.fix.endswith(".")
    for hidden in (box.login.secret or "-", box.address, box.tenant.domain, "Traceback"):
        assert hidden not in shown
    return error


# ── sign-in: the tenant acts ──────────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_secret_says_that_the_value_is_wanted_not_the_id(box: GraphMailbox) -> None:
    box.login = AppLogin(box.tenant.id, box.app.client_id, "not~the.secret")
    error = _refused(box)
    assert isinstance(error, LoginRefused)
    assert "Value" in error.fix
    assert "AADSTS7000215" in error.message
    assert "trace " in error.message


def test_an_expired_secret_says_so(box: GraphMailbox) -> None:
    box.app.secrets[SECRET] = box.microsoft.now() - timedelta(days=1)
    error = _refused(box)
    assert isinstance(error, SecretExpired)
    assert "Certificates & secrets" in error.fix


def test_mending_the_secret_works_at_once(box: GraphMailbox) -> None:
    box.app.secrets.clear()
    _refused(box)
    box.app.secrets[SECRET] = box.microsoft.now() + timedelta(days=1)
    assert len(_poll(box)[0]) == 3


@pytest.mark.parametrize("tenant", ["11111111-2222-4333-8444-555555555555", "nowhere.example"])
def test_an_unknown_tenant_says_where_its_id_stands(box: GraphMailbox, tenant: str) -> None:
    box.login = AppLogin(tenant, box.app.client_id, SECRET)
    error = _refused(box)
    assert isinstance(error, LoginRefused)
    assert "Directory (tenant) ID" in error.fix
    assert "AADSTS90002" in error.message


@pytest.mark.parametrize("tenant", ["common", "organizations", "Consumers", "../x", "a/b", "a?b", "", "a..b", "x\r\ny"])
def test_what_names_no_tenant_is_refused_before_anything_is_sent(box: GraphMailbox, tenant: str) -> None:
    box.login = AppLogin(tenant, box.app.client_id, SECRET)
    assert isinstance(_refused(box), LoginRefused)
    assert box.microsoft.count() == 0


def test_a_tenant_that_is_neither_id_nor_domain_is_said(box: GraphMailbox) -> None:
    box.login = AppLogin("contoso", box.app.client_id, SECRET)
    error = _refused(box)
    assert isinstance(error, LoginRefused)
    assert "AADSTS900023" in error.message


def test_an_unknown_app_says_which_id_is_wanted(box: GraphMailbox) -> None:
    box.login = AppLogin(box.tenant.id, "99999999-2222-4333-8444-555555555555", SECRET)
    error = _refused(box)
    assert isinstance(error, LoginRefused)
    assert "not its Object ID" in error.fix


def test_registering_the_app_works_at_once(box: GraphMailbox) -> None:
    """MSAL remembers an answer of 400 for a minute."""
    del box.tenant.apps[box.app.client_id]
    assert isinstance(_refused(box), LoginRefused)
    box.tenant.apps[box.app.client_id] = box.app
    assert len(_poll(box)[0]) == 3


def test_an_app_that_was_never_added_to_the_tenant_needs_consent(box: GraphMailbox) -> None:
    box.app.added = False
    error = _refused(box)
    assert isinstance(error, ConsentNeeded)
    assert "Grant admin consent" in error.fix
    box.app.added = True
    assert len(_poll(box)[0]) == 3


@pytest.mark.parametrize("login", [AppLogin("a.example", "", SECRET), AppLogin("a.example", "client")])
def test_what_is_missing_is_said_before_anything_is_sent(box: GraphMailbox, login: AppLogin) -> None:
    box.login = login
    assert isinstance(_refused(box), LoginRefused)
    assert box.microsoft.count() == 0


def test_a_number_that_nobody_knows_shows_itself_and_its_trace(box: GraphMailbox) -> None:
    reply = entra_error(400, "some_new_error", 999123, f"secret words about {box.address}")
    box.microsoft.fail("token", reply=reply)
    error = _refused(box)
    assert isinstance(error, SettingsError)
    assert "AADSTS999123" in error.message


# ── sign-in: nobody acts ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_busy_sign_in_is_left_alone_as_long_as_it_asks(box: GraphMailbox) -> None:
    fault = box.microsoft.fail("token", reply=Reply(429, b"{}", {"Retry-After": "2"}), times=9)
    error = _refused(box)
    assert isinstance(error, Throttled)
    assert error.retry_after == 2
    asked = box.microsoft.count("token")
    again = _refused(box)
    assert isinstance(again, Throttled)
    assert 0 < (again.retry_after or 0) <= 2
    assert box.microsoft.count("token") == asked == 1
    time.sleep(2.1)
    fault.times = 0
    assert len(_poll(box)[0]) == 3


@pytest.mark.parametrize("kind", ["discovery", "token"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"reply": Reply(503, b"<html>busy</html>", {"Content-Type": "text/html"})}, Unreachable),
        ({"reply": Reply(503, b"", {"Retry-After": "7"})}, Throttled),
        ({"reply": Reply(500, b"{}")}, Unreachable),
        ({"reply": Reply(200, b"<html>proxy</html>")}, ProtocolViolation),
        ({"reply": Reply(302, b"{}", {"Location": "https://evil.example/"})}, ProtocolViolation),
        ({"drop_after": -1}, Unreachable),
        ({"drop_after": 20}, Unreachable),
        ({"reply": entra_error(400, "temporarily_unavailable", 90033, "busy")}, Unreachable),
    ],
)
def test_a_sign_in_that_fails_for_now_judges_nothing(
    box: GraphMailbox, kind: str, fault: dict[str, Any], error: type[ServerError]
) -> None:
    box.microsoft.fail(kind, **fault)
    found = _refused(box)
    assert type(found) is error
    assert not isinstance(found, SettingsError)


def test_a_sign_in_that_never_answers_ends(box: GraphMailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.servers.login_web.READ_SECONDS", 0.3)
    box.microsoft.fail("token", reply=Reply(200, b"{}", pause=1.0))
    assert isinstance(_refused(box), TimedOut)


def test_an_authority_that_is_not_trusted_is_no_fault_of_the_tenant(
    box: GraphMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    error = _refused(box)
    assert isinstance(error, Unreachable)
    assert "administrator of this service" in error.fix


def test_ssl_cert_file_is_honoured_too(microsoft: Microsoft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", microsoft.ca_file)
    assert _poll(GraphMailbox(microsoft))[0] == []


# ── the mailbox: the tenant acts ──────────────────────────────────────────────────────────────────────────────────


def test_an_app_without_the_permission_is_told_which(box: GraphMailbox) -> None:
    box.app.roles.clear()
    error = _refused(box)
    assert isinstance(error, AccessDenied)
    assert "no permission Mail.Read" in error.message
    assert "Grant admin consent" in error.fix


def test_a_mailbox_outside_the_policy_is_told_apart_from_a_missing_permission(box: GraphMailbox) -> None:
    box.app.only = {"other@example.com"}
    error = _refused(box)
    assert isinstance(error, AccessDenied)
    assert "limited to other mailboxes" in error.message
    assert "over an hour" in error.fix


def test_reading_is_allowed_and_changing_is_not(box: GraphMailbox) -> None:
    box.app.roles.discard("Mail.ReadWrite")
    error = _refused(box, after_import="mark_read")
    assert isinstance(error, AccessDenied)
    assert "Mail.ReadWrite" in error.message


def test_a_mailbox_that_does_not_exist(box: GraphMailbox) -> None:
    box.microsoft.graph.mailboxes.pop(box.address)
    error = _refused(box)
    assert isinstance(error, MailboxNotFound)
    assert "ErrorInvalidUser" in error.message
    assert "request " in error.message


def test_a_mailbox_without_a_licence_or_on_another_server(box: GraphMailbox) -> None:
    box.box.enabled = False
    error = _refused(box)
    assert isinstance(error, MailboxNotFound)
    assert "IMAP" in error.fix


def test_a_token_that_graph_never_accepts_is_refreshed_once_and_then_said(box: GraphMailbox) -> None:
    reply = graph_error(401, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
    box.microsoft.fail("folder", reply=reply, times=9)
    error = _refused(box)
    assert isinstance(error, LoginRefused)
    assert "cloud" in error.fix
    assert (box.microsoft.count("folder"), box.microsoft.count("token")) == (2, 2)


# ── in the middle ─────────────────────────────────────────────────────────────────────────────────────────────────


def _graph_requests(box: GraphMailbox) -> int:
    kinds = ("folder", "delta", "list", "value", "patch")
    return box.microsoft.count(*kinds)


def test_a_token_that_dies_at_any_request_is_replaced_once_and_nothing_is_lost(box: GraphMailbox) -> None:
    expected, _ = _poll(box, after_import="mark_read")
    calls = _graph_requests(box)
    assert calls == 10
    for index in range(calls):
        box.microsoft.forget_requests()
        box.microsoft.faults[:] = [
            Fault("discovery"),
            Fault("any", before=box.microsoft.entra.revoke_tokens, skip=index, when=lambda one: "/v1.0/" in one.url),
        ]
        raws, _ = _poll(box, after_import="mark_read")
        assert raws == expected
        assert box.microsoft.count("token") == 1


def test_a_token_that_expired_is_renewed_before_it_is_used(box: GraphMailbox) -> None:
    _, cursor = _poll(box)
    with box.source() as source:
        source.cursor()
        box.microsoft.entra.revoke_tokens()
        assert list(source.new(cursor)) == []
    assert box.microsoft.count("token") == 2


@pytest.mark.parametrize("index", range(7))
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"reply": Reply(429, b"", {"Retry-After": "30"})}, Throttled),
        ({"reply": graph_error(429, "ApplicationThrottled", "Over its MailboxConcurrency limit.")}, Throttled),
        ({"reply": Reply(503, b"<html>no</html>", {"Content-Type": "text/html"})}, Throttled),
        ({"reply": Reply(504, b"")}, Throttled),
        ({"reply": graph_error(500, "ErrorInternalServerError", "x")}, Unreachable),
        ({"reply": Reply(502, b"<html>")}, Unreachable),
        ({"reply": Reply(307, b"", {"Location": "https://localhost:1/v1.0/x"})}, ProtocolViolation),
        ({"drop_after": -1, "times": 2}, Unreachable),
        ({"drop_after": 30, "times": 2}, Unreachable),
    ],
)
def test_whatever_breaks_at_any_request_is_passing_and_the_next_poll_has_it_all(
    box: GraphMailbox, index: int, fault: dict[str, Any], error: type[ServerError]
) -> None:
    box.token(False)
    box.microsoft.fail("any", skip=index, **fault)
    kept, cursor, raised = _until_it_breaks(box)
    assert type(raised) is error
    kept += _poll(box, cursor)[0]
    assert kept == [_mail(number) for number in range(3)]


def _until_it_breaks(box: GraphMailbox) -> tuple[list[bytes | None], str, InboundError | None]:
    kept: list[bytes | None] = []
    cursor = ""
    with box.source() as source:
        try:
            for arrival in source.new(""):
                kept.append(source.fetch(arrival))
                source.settle(arrival)
                cursor = source.cursor()
        except InboundError as error:
            return kept, cursor, error
    return kept, cursor, None


@pytest.mark.parametrize("drop_after", [-1, 0, 30])
def test_a_connection_that_breaks_once_is_not_even_noticed(box: GraphMailbox, drop_after: int) -> None:
    for kind in ("folder", "delta", "list", "value"):
        box.microsoft.fail(kind, drop_after=drop_after)
        assert len(_poll(box)[0]) == 3


def test_a_change_is_not_repeated_after_a_broken_connection(box: GraphMailbox) -> None:
    box.microsoft.fail("patch", drop_after=-1)
    assert isinstance(_refused(box, after_import="mark_read"), Unreachable)
    assert box.microsoft.count("patch") == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("30", 30.0), ("2.5", 2.5), ("99999999", 24 * 3600.0), ("soon", None), ("nan", None), ("", None)],
)
def test_how_long_to_wait_is_what_graph_says(box: GraphMailbox, header: str, seconds: float | None) -> None:
    box.microsoft.fail("folder", reply=Reply(429, b"", {"Retry-After": header} if header else {}))
    error = _refused(box)
    assert isinstance(error, Throttled)
    assert error.retry_after == seconds


def test_a_wait_until_a_date_is_understood(box: GraphMailbox) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    box.microsoft.fail("folder", reply=Reply(503, b"", {"Retry-After": until}))
    error = _refused(box)
    assert isinstance(error, Throttled)
    assert 95 < (error.retry_after or 0) <= 100


def test_a_short_wait_is_waited_for(box: GraphMailbox) -> None:
    box.token(False)
    box.microsoft.fail("value", reply=Reply(429, b"", {"Retry-After": "1"}))
    began = time.monotonic()
    assert len(_poll(box)[0]) == 3
    assert time.monotonic() - began >= 1


def test_short_waits_are_waited_for_only_so_long(box: GraphMailbox) -> None:
    box.token(False)
    box.microsoft.fail("folder", reply=Reply(429, b"", {"Retry-After": "0"}), times=99)
    began = time.monotonic()
    assert isinstance(_refused(box), Throttled)
    assert time.monotonic() - began < 4
    assert box.microsoft.count("folder") <= 5


def test_a_mail_that_never_comes_to_its_end_is_given_up(box: GraphMailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_http, "RAW_READ_SECONDS", 0.3)
    box.microsoft.fail("value", reply=Reply(200, b"From", pause=1.0), times=2)
    assert isinstance(_refused(box), TimedOut)


# ── where the token goes ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["@odata.nextLink", "@odata.deltaLink"])
def test_a_link_to_a_foreign_place_is_refused_and_not_stored(box: GraphMailbox, name: str) -> None:
    link = "https://graph.microsoft.com.evil.example/v1.0/users/x/messages/delta?$deltatoken=y"
    box.microsoft.fail("delta", change=lambda body: {"value": [], name: link})
    with box.source() as source:
        with pytest.raises(ProtocolViolation, match="not its own"):
            list(source.new(""))
        assert "evil" not in source.cursor()


def test_a_stored_link_to_a_foreign_place_is_not_followed(box: GraphMailbox) -> None:
    _, cursor = _poll(box)
    stolen = cursor.replace("https://localhost", "https://127.0.0.1")
    assert stolen != cursor
    box.microsoft.forget_requests()
    with pytest.raises(ProtocolViolation, match="not its own"):
        _poll(box, stolen)
    assert box.microsoft.count() == 0


def test_a_password_in_netrc_does_not_take_the_tokens_place(
    box: GraphMailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert len(_poll(box)[0]) == 3


def test_a_list_that_goes_in_circles_ends(box: GraphMailbox) -> None:
    _, cursor = _poll(box)

    def circle(body: dict[str, Any]) -> dict[str, Any]:
        request = box.microsoft.requests[-1][1]
        return {"value": [], "@odata.nextLink": box.microsoft.authority + request.url}

    box.microsoft.fail("delta", change=circle, times=9)
    with pytest.raises(ProtocolViolation, match="circles"):
        _poll(box, cursor)


def test_graph_that_forgets_again_and_again_does_not_hold_a_poll_for_ever(box: GraphMailbox) -> None:
    _, cursor = _poll(box)
    box.microsoft.forget_requests()
    box.microsoft.fail("delta", reply=graph_error(410, "SyncStateNotFound", "No."), times=99)
    with pytest.raises(ProtocolViolation, match="forgets"):
        _poll(box, cursor)
    assert box.microsoft.count("delta") == 2


# ── tokens of tenants ─────────────────────────────────────────────────────────────────────────────────────────────


def test_two_tenants_of_the_same_app_never_get_each_others_token(microsoft: Microsoft) -> None:
    """A token belongs to one tenant and app, whoever asks at the same time."""
    boxes = [GraphMailbox(microsoft) for _ in range(2)]
    boxes[1].tenant.apps[boxes[0].app.client_id] = boxes[0].app
    tokens = Tokens(microsoft.now)
    for number in range(200):
        box = boxes[number % 2]
        login = AppLogin(box.tenant.id, boxes[0].app.client_id, SECRET)
        token = tokens.app_token(box.cloud, login, box.cloud.graph_scope, force=number % 17 == 0)
        assert token.claims["tid"] == box.tenant.id


def test_a_changed_secret_is_not_served_the_old_ones_token(box: GraphMailbox) -> None:
    box.token(False)
    box.login = AppLogin(box.tenant.id, box.app.client_id, "changed")
    assert isinstance(_refused(box), LoginRefused)
