"""Requests to receivers over real TLS, through the production poster: what receivers do, and what they may not be."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
import trustme

from shared.errors import (
    AddressForbidden,
    CertificateRefused,
    HostNotFound,
    InboundError,
    ProtocolViolation,
    TimedOut,
    TlsRequired,
    Unreachable,
)
from shared.flows import hooks, webhooks
from shared.model.doorbell import WebhookBell
from shared.model.webhook import Hook, signed
from shared.ports import Answered
from shared.servers.address_guard import AddressGuard
from shared.servers.dial import Dialer
from shared.servers.webhook_post import WebhookPost
from tests.support.app import World, make_app
from tests.support.mails import mail
from tests.support.webhookreceiver import (
    RealReceiver,
    drips,
    drops,
    floods,
    floods_headers,
    hangs,
    receiver,
    says,
    status,
)

BODY = b'{"type": "ping"}'
HERE = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return str(file)


@pytest.fixture
def post(ca_file: str) -> WebhookPost:
    return WebhookPost(Dialer(AddressGuard(HERE), ca_file), now, seconds=2.0)


def send(post: WebhookPost, url: str) -> Answered:
    return post.send(url, {"content-type": "application/json", **signed(["whsec_MTIz"], "evt_1", now(), BODY)}, BODY)


def test_a_request_arrives_whole_with_its_signature(authority: trustme.CA, post: WebhookPost) -> None:
    with receiver(authority, status(204)) as made:
        assert send(post, made.url) == Answered(204)
    ((head, body),) = made.got
    assert head.startswith("POST /in?token=t0p-query HTTP/1.1\r\n")
    lines = head.lower().split("\r\n")
    assert f"host: localhost:{made.port}" in lines
    assert {"content-type: application/json", "webhook-id: evt_1", "user-agent: inbound-webhooks/1"} <= set(lines)
    assert "cookie" not in head.lower()
    assert body == BODY


@pytest.mark.parametrize("code", [200, 202, 302, 404, 410, 429, 500, 503])
def test_every_status_is_told_as_it_is_and_redirects_lead_nowhere(
    authority: trustme.CA, post: WebhookPost, code: int
) -> None:
    with (
        receiver(authority, status(200)) as elsewhere,
        receiver(authority, status(code, f"Location: https://localhost:{elsewhere.port}/")) as made,
    ):
        assert send(post, made.url).status == code
    assert (made.connections, elsewhere.connections) == (1, 0)


def test_a_wait_that_is_asked_for_is_told(authority: trustme.CA, post: WebhookPost) -> None:
    later = f"{now() + timedelta(hours=1):%a, %d %b %Y %H:%M:%S GMT}"
    with receiver(authority, status(503, "retry-after: 120"), status(429, f"Retry-After: {later}")) as made:
        assert send(post, made.url) == Answered(503, 120.0)
        waits = send(post, made.url).retry_after
    assert waits is not None
    assert 3500 < waits <= 3600


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (hangs, TimedOut),
        (drips, TimedOut),
        (drops, Unreachable),
        (says("SSH-2.0-OpenSSH_9.9\r\n"), ProtocolViolation),
    ],
)
def test_what_is_no_answer_ends_in_time_with_words(
    authority: trustme.CA, post: WebhookPost, behaviour: Callable[..., None], kind: type[InboundError]
) -> None:
    with receiver(authority, behaviour) as made:
        began = time.monotonic()
        with pytest.raises(kind) as caught:
            send(post, made.url)
        assert time.monotonic() - began < 5
    assert "t0p-query" not in f"{caught.value.message} {caught.value.fix}"


@pytest.mark.parametrize("behaviour", [floods, floods_headers, says("HTTP/1.1 200 OK\r\nContent-Le")])
def test_the_status_counts_and_an_answer_without_end_is_not_read(
    authority: trustme.CA, post: WebhookPost, behaviour: Callable[..., None]
) -> None:
    with receiver(authority, behaviour) as made:
        began = time.monotonic()
        assert send(post, made.url).status == 200
        assert time.monotonic() - began < 3


def test_a_receiver_that_keeps_its_connection_open_holds_nobody_up(authority: trustme.CA, post: WebhookPost) -> None:
    def answers_and_stays(connection: object) -> None:
        status(200, body="ok")(connection)  # type: ignore[arg-type]
        hangs(connection)  # type: ignore[arg-type]

    with receiver(authority, answers_and_stays) as made:
        began = time.monotonic()
        assert send(post, made.url).status == 200
        assert time.monotonic() - began < 0.9


@pytest.mark.parametrize("name", ["localhost", "other.example"])
def test_a_certificate_that_cannot_be_trusted_gets_no_request(
    authority: trustme.CA, post: WebhookPost, name: str
) -> None:
    issuer = trustme.CA() if name == "localhost" else authority
    with receiver(issuer, status(200), name=name) as made, pytest.raises(CertificateRefused) as caught:
        send(post, made.url)
    assert made.got == []
    assert "localhost" in caught.value.message
    assert "mail" not in f"{caught.value.message} {caught.value.fix}"


@pytest.mark.parametrize("before_tls", [drops, says("220 mail.example ESMTP\r\n"), hangs, drips])
def test_whoever_speaks_no_tls_gets_no_request(
    authority: trustme.CA, post: WebhookPost, before_tls: Callable[..., None]
) -> None:
    with receiver(authority, before_tls=before_tls) as made:
        began = time.monotonic()
        with pytest.raises((TlsRequired, Unreachable, TimedOut)):
            send(post, made.url)
        assert time.monotonic() - began < 5
    assert made.got == []


def test_nobody_there_and_no_such_host_are_told_apart(authority: trustme.CA, post: WebhookPost) -> None:
    with receiver(authority) as made:
        pass
    with pytest.raises(Unreachable, match="nothing listens"):
        send(post, made.url)
    with pytest.raises((HostNotFound, Unreachable), match="nowhere"):
        send(post, "https://nowhere.invalid/")


# ── where requests may not go ─────────────────────────────────────────────────────────────────────────────────────

FORBIDDEN = [
    "https://127.0.0.1/",
    "https://localhost/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://127.1/",
    "https://10.0.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://168.63.129.16/",
    "https://0.0.0.0/",
    "https://100.64.0.1/",
    "http://93.184.215.14/",
]


@pytest.mark.parametrize("url", FORBIDDEN)
def test_what_is_not_public_is_refused_when_it_is_saved_and_at_each_request(ca_file: str, url: str) -> None:
    post = WebhookPost(Dialer(AddressGuard(), ca_file), now, seconds=2.0)
    with pytest.raises(AddressForbidden):
        post.judge(url)
    with pytest.raises(AddressForbidden) as caught:
        send(post, url)
    assert "mail server" not in caught.value.message


@pytest.mark.parametrize("url", ["https://169.254.169.254/", "http://169.254.169.254/", "https://168.63.129.16/"])
def test_no_setting_opens_the_metadata_service(ca_file: str, url: str) -> None:
    post = WebhookPost(Dialer(AddressGuard((ip_network("0.0.0.0/0"),)), ca_file), now, seconds=2.0)
    with pytest.raises(AddressForbidden):
        post.judge(url)
    with pytest.raises(AddressForbidden):
        send(post, url)


def test_plain_http_goes_only_where_the_operator_opened_a_network(authority: trustme.CA, ca_file: str) -> None:
    with receiver(authority, status(204), tls=False) as made:
        url = f"http://127.0.0.1:{made.port}/in"
        opened = WebhookPost(Dialer(AddressGuard(HERE), ca_file), now, seconds=2.0)
        opened.judge(url)
        assert send(opened, url).status == 204
        with pytest.raises(AddressForbidden, match="https only"):
            opened.judge("http://93.184.215.14/")
        with pytest.raises(AddressForbidden, match="https only"):
            send(opened, "http://93.184.215.14/")


def test_a_name_that_answers_differently_the_second_time_is_judged_anew(authority: trustme.CA, ca_file: str) -> None:
    answers = [["93.184.215.14"], ["127.0.0.1"], ["93.184.215.14", "127.0.0.1"]]

    def resolve(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    post = WebhookPost(Dialer(AddressGuard(resolve=resolve), ca_file), now, seconds=2.0)
    with receiver(authority, status(204), name="rebinding.example") as made:
        url = f"https://rebinding.example:{made.port}/"
        post.judge(url)
        for _ in range(2):
            with pytest.raises(AddressForbidden):
                send(post, url)
    assert made.connections == 0


def test_the_judged_address_is_connected_to_and_the_name_is_verified(authority: trustme.CA, ca_file: str) -> None:
    guard = AddressGuard(HERE, lambda host, port: ["127.0.0.1"])
    post = WebhookPost(Dialer(guard, ca_file), now, seconds=2.0)
    with receiver(authority, status(204), name="receiver.example") as made:
        assert send(post, f"https://receiver.example:{made.port}/").status == 204
        with pytest.raises(CertificateRefused):
            send(post, f"https://other.example:{made.port}/")
    assert len(made.got) == 1


# ── from the change to the receiver ───────────────────────────────────────────────────────────────────────────────


def told(world: World) -> None:
    bells = world.queues.webhooks
    for _ in range(len(bells)):
        bell = WebhookBell.decode(bells.popleft())
        webhooks.deliver(world.app, bell.tenant, bell.event)


def a_desk(post: WebhookPost, made: RealReceiver) -> tuple[World, str, Hook, str]:
    world = make_app()
    world.app = replace(world.app, post=post)
    tenant, _ = world.tenant()
    world.mailbox(tenant)
    wish = hooks.Wish(made.url, ["incident.created", "note.added", "status.changed", "mail.held"])
    hook, secret = hooks.make(world.app, tenant, wish)
    return world, tenant, hook, secret


def test_a_mail_is_told_over_tls_again_after_a_failure_with_the_same_id_and_no_log_tells_a_secret(
    authority: trustme.CA, post: WebhookPost, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with receiver(authority, status(500, body="an inner secret"), status(200)) as made:
        world, tenant, hook, secret = a_desk(post, made)
        world.receive(tenant, mail(text="The question.", subject="A subject of theirs"))
        told(world)
        world.clock.advance(seconds=6)
        told(world)
        hooks.test(world.app, tenant, hook.id)
    ids = [line for head, _ in made.got[:2] for line in head.split("\r\n") if line.startswith("webhook-id")]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    log = hooks.deliveries(world.app, tenant, hook.id, "", 10).items
    assert sorted((one.type, one.status) for one in log) == [
        ("incident.created", 200),
        ("incident.created", 500),
        ("ping", 200),
    ]
    events = [one.message for one in caplog.records if one.name == "inbound" and "webhook_out" in one.message]
    assert len(events) == 3
    for hidden in (secret, secret[6:20], "t0p-query", "A subject of theirs", "The question", "inner secret", "v1,"):
        assert hidden not in caplog.text
        assert all(hidden not in f"{one.cause}" for one in log)
