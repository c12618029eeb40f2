"""The way out by Graph: what is posted, to whom, and what is made of each answer."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests
import urllib3

from shared.errors import (
    AccessDenied,
    InboundError,
    LoginRefused,
    MailboxNotFound,
    NotSent,
    Throttled,
    Unreachable,
)
from shared.flows import mailboxes
from shared.model.mailbox import Mailbox, Settings
from shared.servers.address_guard import AddressGuard
from shared.servers.dial import Dialer
from shared.servers.doors import Doors
from shared.servers.graph_send import GraphCourier, _addressed, _never_left
from shared.servers.imap_client import hang_up
from shared.servers.token import Tokens
from shared.servers.transcript import Recorder
from shared.servers.warm import WarmClients
from tests.support.app import World
from tests.support.mails import mail
from tests.support.microsoft import Microsoft, Reply
from tests.support.microsoft.mailbox import SECRET, GraphMailbox
from tests.support.microsoft.wire import graph_error

ANN, BOB = "ann@x.example", "bob@y.example"
CALLBACK = "https://inbound.example/oauth/callback"


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(Path(tmp_path_factory.mktemp("microsoft"))) as running:
        yield running


@pytest.fixture
def box(microsoft: Microsoft) -> Iterator[GraphMailbox]:
    microsoft.faults.clear()
    microsoft.forget_requests()
    microsoft.graph.post.sent.clear()
    made = GraphMailbox(microsoft)
    made.app.roles.add("Mail.Send")
    yield made
    microsoft.faults.clear()
    assert microsoft.violations == []


def _courier(box: GraphMailbox, **more: Any) -> GraphCourier:
    return GraphCourier(box.address, box.token, box.cloud, box.microsoft.now, **more)


def _send(box: GraphMailbox, raw: bytes | None = None, to: tuple[str, ...] = (ANN,), **more: Any) -> None:
    with _courier(box, **more) as courier:
        courier.send(raw or mail(sender=box.address, to=", ".join(to)), box.address, to)


# ── what is posted ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_mail_is_posted_as_it_is_with_what_json_could_not_carry(box: GraphMailbox) -> None:
    raw = mail(sender=box.address, to=ANN, in_reply_to="<1@x>", auto_submitted="auto-replied")
    _send(box, raw)
    ((kind, request),) = [one for one in box.microsoft.requests if one[0] == "send"]
    assert (kind, request.headers["content-type"]) == ("send", "text/plain")
    assert base64.b64decode(request.body, validate=True) == raw


def test_who_is_to_get_it_and_is_not_named_is_added_unseen(box: GraphMailbox) -> None:
    _send(box, mail(sender=box.address, to=ANN), (ANN, BOB))
    (sent,) = box.microsoft.graph.post.sent
    assert set(sent.recipients) == {ANN, BOB}


def test_who_is_named_and_not_to_get_it_stops_the_mail(box: GraphMailbox) -> None:
    """Graph knows no envelope: it would be sent to them as well."""
    with pytest.raises(NotSent) as raised:
        _send(box, mail(sender=box.address, to=f"{ANN}, {BOB}"), (ANN,))
    assert raised.value.permanent
    assert box.microsoft.count("send") == 0


@pytest.mark.parametrize("address", ["a@x.example>\r\nBcc: evil@x.example", "a@x.example,evil@x.example", "a b", "a;b"])
def test_an_address_never_becomes_two(address: str) -> None:
    with pytest.raises(NotSent):
        _addressed(mail(to=ANN), [ANN, address])


def test_many_recipients_make_short_lines() -> None:
    many = [f"{number}@x.example" for number in range(1000)]
    made = _addressed(mail(to=ANN), [ANN, *many])
    assert max(map(len, made.split(b"\r\n"))) < 998


def test_capital_letters_make_no_other_recipient(box: GraphMailbox) -> None:
    _send(box, mail(sender=box.address, to="Ann@X.example"), (ANN,))
    assert b"Bcc" not in box.microsoft.graph.post.sent[0].raw


def test_the_transcript_holds_neither_token_nor_mail(box: GraphMailbox) -> None:
    recorder = Recorder()
    _send(box, mail(sender=box.address, to=ANN, text="canary of the body"), watch=recorder)
    said = "\n".join(recorder.lines)
    assert "sendMail" in said
    assert "202" in said
    for hidden in (box.token(False), base64.b64encode(b"canary of the body").decode()[:16], "canary", ANN):
        assert hidden not in said


# ── what is answered ────────────────────────────────────────────────────────────────────────────────────────────────

HTML = Reply(502, b"<html>Zanzibar</html>", {"Content-Type": "text/html"})


@pytest.mark.parametrize(
    ("reply", "kind", "permanent", "in_doubt"),
    [
        (graph_error(400, "ErrorInvalidRecipients", "Zanzibar"), NotSent, True, False),
        (graph_error(400, "ErrorMimeContentInvalidBase64String", "Zanzibar"), NotSent, True, False),
        (graph_error(403, "ErrorSendAsDenied", "Zanzibar"), NotSent, True, False),
        (graph_error(413, "RequestEntityTooLarge", "Zanzibar"), NotSent, True, False),
        (graph_error(400, "ErrorMessageSizeExceeded", "Zanzibar"), NotSent, True, False),
        (graph_error(408, "RequestTimeout", "Zanzibar"), NotSent, False, False),
        (graph_error(404, "ErrorInvalidUser", "Zanzibar"), MailboxNotFound, None, None),
        (graph_error(403, "ErrorAccessDenied", "Zanzibar"), AccessDenied, None, None),
        (Reply(429, b"", {"Retry-After": "300"}), Throttled, None, None),
        (graph_error(503, "ServiceUnavailable", "Zanzibar", Retry_After="2"), Throttled, None, None),
        (graph_error(500, "ErrorInternalServerError", "Zanzibar"), NotSent, False, True),
        (HTML, NotSent, False, True),
        (Reply(504), NotSent, False, True),
        (Reply(302, b"", {"Location": "https://evil.example/"}), NotSent, False, False),
        (Reply(200), NotSent, False, False),
    ],
)
def test_what_an_answer_means(
    box: GraphMailbox, reply: Reply, kind: type[InboundError], permanent: bool | None, in_doubt: bool | None
) -> None:
    box.microsoft.fail("send", reply=reply, times=9)
    with pytest.raises(kind) as raised:
        _send(box)
    assert getattr(raised.value, "permanent", None) == permanent
    assert getattr(raised.value, "in_doubt", None) == in_doubt
    assert "Zanzibar" not in f"{raised.value.message}{raised.value.fix}"
    assert box.microsoft.count("send") == 1


def test_how_long_to_wait_is_told(box: GraphMailbox) -> None:
    box.microsoft.fail("send", reply=Reply(429, b"", {"Retry-After": "300"}))
    with pytest.raises(Throttled) as raised:
        _send(box)
    assert raised.value.retry_after == 300


def test_a_token_that_was_refused_is_replaced_once_and_the_mail_goes_once(box: GraphMailbox) -> None:
    box.token(False)
    box.microsoft.entra.revoke_tokens()
    _send(box)
    assert box.microsoft.count("send") == 2
    assert len(box.microsoft.graph.post.sent) == 1


def test_a_token_that_is_refused_again_is_the_tenants_to_mend(box: GraphMailbox) -> None:
    box.microsoft.fail("send", reply=graph_error(401, "InvalidAuthenticationToken", "no"), times=9)
    with pytest.raises(LoginRefused):
        _send(box)
    assert box.microsoft.count("send") == 2


def test_a_sender_that_is_not_the_mailbox_is_refused_by_name(box: GraphMailbox) -> None:
    with pytest.raises(NotSent, match="sender") as raised:
        _send(box, mail(sender="boss@elsewhere.example", to=ANN))
    assert raised.value.permanent


@pytest.mark.parametrize("drop", [-1, 0])
def test_an_answer_that_is_cut_off_before_its_status_is_in_doubt_after_it_not(box: GraphMailbox, drop: int) -> None:
    box.microsoft.fail("send", drop_after=drop)
    if drop < 0:
        with pytest.raises(NotSent) as raised:
            _send(box)
        assert raised.value.in_doubt
    else:
        _send(box)
    assert len(box.microsoft.graph.post.sent) == 1


def test_a_server_that_cannot_be_reached_leaves_no_doubt(box: GraphMailbox) -> None:
    token = box.token(False)
    nowhere = replace(box.cloud, graph="https://localhost:1/v1.0")
    courier = GraphCourier(box.address, lambda force: token, nowhere, box.microsoft.now)
    with courier, pytest.raises(Unreachable):
        courier.send(mail(sender=box.address, to=ANN), "", [ANN])


@pytest.mark.parametrize(
    ("error", "sure"),
    [
        (requests.ConnectTimeout(), True),
        (requests.exceptions.SSLError(), True),
        (requests.exceptions.ProxyError(), True),
        (requests.ReadTimeout(), False),
        (
            requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError())),
            False,
        ),
        (requests.exceptions.ChunkedEncodingError(), False),
        (TimeoutError(), False),
        (OSError(), False),
    ],
)
def test_only_what_surely_never_left_is_no_doubt(error: Exception, sure: bool) -> None:
    assert _never_left(error) == sure


# ── a person who signed in ──────────────────────────────────────────────────────────────────────────────────────────


def _doors(world: World, box: GraphMailbox) -> Doors:
    app = world.app
    dialer = Dialer(AddressGuard())
    return Doors(
        app.secrets, app.sign_ins, dialer, box.cloud, Tokens(), WarmClients(hang_up), lambda: datetime.now(UTC)
    )


def _mailbox(world: World, box: GraphMailbox, **fields: Any) -> Mailbox:
    tenant, _ = world.tenant()
    usual = {"group": "g", "server_type": "office365", "email": box.address, "client_id": box.app.client_id}
    settings = Settings.stored({**usual, "tenant_id": box.tenant.id, **fields})
    return mailboxes.draft(world.app, tenant, "draft", settings, {"client_secret": SECRET})


def _asked_for(doors: Doors, mailbox: Mailbox) -> set[str]:
    query = parse_qs(urlsplit(doors.begin_sign_in(mailbox, CALLBACK)["auth_uri"]).query)
    return {scope.rpartition("/")[2] for scope in query["scope"][0].split() if "://" in scope}


def test_sending_is_asked_for_only_where_mail_is_to_be_sent(world: World, box: GraphMailbox) -> None:
    doors = _doors(world, box)
    assert _asked_for(doors, _mailbox(world, box)) == {"Mail.Read", "Mail.Read.Shared"}
    sends = _mailbox(world, box, outgoing={"enabled": True})
    assert _asked_for(doors, sends) == {"Mail.Read", "Mail.Read.Shared", "Mail.Send", "Mail.Send.Shared"}


def test_by_smtp_sending_is_asked_for_only_where_the_sign_in_is_used_for_it(world: World, box: GraphMailbox) -> None:
    doors = _doors(world, box)
    fields = {"server_type": "imap", "auth": "oauth2", "host": "outlook.office365.com", "username": box.address}
    outgoing = {"enabled": True, "host": "smtp.office365.com"}
    assert _asked_for(doors, _mailbox(world, box, **fields)) == {"IMAP.AccessAsUser.All"}
    assert "SMTP.Send" in _asked_for(doors, _mailbox(world, box, **fields, outgoing=outgoing))
    other = {**outgoing, "username": "relay@firm.example"}
    assert "SMTP.Send" not in _asked_for(doors, _mailbox(world, box, **fields, outgoing=other))


def test_a_person_who_signed_in_sends_from_a_mailbox(world: World, box: GraphMailbox) -> None:
    doors, mailbox = _doors(world, box), _mailbox(world, box, outgoing={"enabled": True})
    entra = box.microsoft.entra
    person = entra.add_person(box.tenant, box.address)
    box.box.owner, entra.signs_in = person.oid, person.username
    box.app.redirect_uris.add(CALLBACK)
    flow = doors.begin_sign_in(mailbox, CALLBACK)
    browser = requests.get(flow["auth_uri"], allow_redirects=False, timeout=10)
    _, cache = doors.finish_sign_in(mailbox, flow, dict(parse_qsl(urlsplit(browser.headers["Location"]).query)))
    sealed = world.app.secrets.seal(mailbox.tenant, mailbox.id, mailbox.settings.sign_in_field(), cache)
    world.app.sign_ins.put_cache(mailbox.tenant, mailbox.id, sealed, "")
    with doors.courier(mailbox) as courier:
        courier.may_send()
        courier.send(mail(sender=box.address, to=ANN), box.address, [ANN])
    assert len(box.microsoft.graph.post.sent) == 1


@pytest.mark.parametrize(("secrets", "used"), [({}, "mailbox"), ({"outgoing_password": "its own"}, "its own")])
@pytest.mark.parametrize("username", ["", "ann@firm.example"])
def test_the_outgoing_server_gets_its_own_password_or_that_of_the_mailbox(
    world: World, box: GraphMailbox, secrets: dict[str, str], used: str, username: str
) -> None:
    tenant, _ = world.tenant()
    outgoing = {"enabled": True, "host": "smtp.x.example", "username": username}
    fields = {"group": "g", "host": "imap.x.example", "username": "ann@firm.example", "outgoing": outgoing}
    mailbox = mailboxes.draft(world.app, tenant, "draft", Settings.stored(fields), {"password": "mailbox", **secrets})
    assert _doors(world, box)._outgoing_credential(mailbox).password == used


def test_the_mailboxs_password_is_not_sent_for_another_user(world: World, box: GraphMailbox) -> None:
    tenant, _ = world.tenant()
    outgoing = {"enabled": True, "host": "smtp.x.example", "username": "relay@firm.example"}
    fields = {"group": "g", "host": "imap.x.example", "username": "ann@firm.example", "outgoing": outgoing}
    mailbox = mailboxes.draft(world.app, tenant, "draft", Settings.stored(fields), {"password": "mailbox"})
    assert _doors(world, box)._outgoing_credential(mailbox).password == ""
