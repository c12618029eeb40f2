"""What every Courier promises: the fake of the fast tests, SMTP against aiosmtpd, and Graph, by the same tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest
import trustme

from shared.errors import AccessDenied, LoginRefused, NotSent, ServerError, SettingsError
from shared.model.mailbox import Settings
from shared.ports import Courier, Refusal
from shared.servers.credential import Credential
from shared.servers.graph_send import GraphCourier
from shared.servers.smtp import SmtpCourier
from tests.support import road
from tests.support.courier import MemoryCourier, MemoryPost
from tests.support.discovering import server_context
from tests.support.mails import mail
from tests.support.microsoft.mailbox import GraphMailbox
from tests.support.microsoft.server import Microsoft, Reply
from tests.support.microsoft.wire import graph_error
from tests.support.smtpserver import PASSWORD, USER, SmtpServer

ANN, BOB, GONE = "ann@x.example", "bob@y.example", "gone@z.example"


class Server(Protocol):
    """A way out, seen from the other side."""

    address: str
    has_envelope: bool

    def courier(self) -> Courier: ...

    def sent(self) -> list[tuple[bytes, set[str]]]:
        """Each mail, and who got it."""
        ...

    def shut(self) -> None:
        """Nobody may come in any more."""
        ...

    def forbid(self) -> None:
        """The account may not send as the mailbox's address any more."""
        ...

    def refuse(self) -> None:
        """Mails are not taken any more, for good."""
        ...

    def put_off(self) -> None:
        """Mails are not taken just now."""
        ...

    def die(self) -> None:
        """The next mail is taken, and then the connection breaks."""
        ...


class Memory(Server):
    address, has_envelope = USER, True

    def __init__(self) -> None:
        self.post = MemoryPost(refuses={GONE: Refusal(550, "5.1.1", "no such user", True)})

    def courier(self) -> Courier:
        return MemoryCourier(self.post)

    def sent(self) -> list[tuple[bytes, set[str]]]:
        return [(raw, set(recipients)) for raw, _, recipients in self.post.sent]

    def shut(self) -> None:
        self.post.closed_with = LoginRefused("No.", "Go.")

    def forbid(self) -> None:
        self.post.refuses_to_send = AccessDenied("No.", "Go.")

    def refuse(self) -> None:
        self.post.refuses_mail = NotSent("No.", "Go.", permanent=True)

    def put_off(self) -> None:
        self.post.refuses_mail = NotSent("Later.", "Wait.")

    def die(self) -> None:
        self.post.dies_after_taking = NotSent("Gone.", "Ask.", in_doubt=True)


class Smtp(Server):
    address, has_envelope = USER, True

    def __init__(self, running: SmtpServer, security: str, ca_file: str) -> None:
        self.running = running
        outgoing = {"enabled": True, "host": "localhost", "port": running.port, "security": security}
        self.settings = Settings.stored({"group": "g", "username": USER, "email": USER, "outgoing": outgoing})
        self.dialer = replace(road.dialer(ca_file), read_seconds=5)
        self.password = PASSWORD
        running.mood.refuses[GONE] = "550 5.1.1 no such user"

    def courier(self) -> Courier:
        return SmtpCourier(self.settings, Credential(self.password), self.dialer)

    def sent(self) -> list[tuple[bytes, set[str]]]:
        return [(one.raw, set(one.recipients)) for one in self.running.mood.taken]

    def shut(self) -> None:
        self.password = "not-the-one"

    def forbid(self) -> None:
        self.running.mood.sender = "550 5.7.60 Client does not have permissions to send as this sender"

    def refuse(self) -> None:
        self.running.mood.data = "554 5.6.0 not this one"

    def put_off(self) -> None:
        self.running.mood.data = "451 4.3.2 not just now"

    def die(self) -> None:
        self.running.mood.dies = True


class Graph(Server):
    has_envelope = False

    def __init__(self, microsoft: Microsoft) -> None:
        self.microsoft = microsoft
        self.box = GraphMailbox(microsoft)
        self.box.app.roles.add("Mail.Send")
        self.address = self.box.address
        self.microsoft.graph.post.sent.clear()

    def courier(self) -> Courier:
        return GraphCourier(self.address, self.box.token, self.box.cloud, self.microsoft.now)

    def sent(self) -> list[tuple[bytes, set[str]]]:
        return [(one.raw, set(one.recipients)) for one in self.microsoft.graph.post.sent]

    def shut(self) -> None:
        self.box.app.secrets.clear()

    def forbid(self) -> None:
        self.box.app.roles.discard("Mail.Send")

    def refuse(self) -> None:
        self.microsoft.fail("send", reply=graph_error(400, "ErrorInvalidRecipients", "Zanzibar"))

    def put_off(self) -> None:
        self.microsoft.fail("send", reply=Reply(429, b"", {"Retry-After": "300"}))

    def die(self) -> None:
        self.microsoft.fail("send", drop_after=-1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA) -> Iterator[str]:
    with authority.cert_pem.tempfile() as path:
        yield path


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(Path(tmp_path_factory.mktemp("microsoft"))) as running:
        yield running


@pytest.fixture(params=["memory", "smtp ssl", "smtp starttls", "graph"])
def server(request: pytest.FixtureRequest, authority: trustme.CA, ca_file: str) -> Iterator[Server]:
    kind, _, security = str(request.param).partition(" ")
    if kind == "memory":
        yield Memory()
    elif kind == "smtp":
        with SmtpServer(server_context(authority, "localhost"), security) as running:
            yield Smtp(running, security, ca_file)
    else:
        microsoft: Microsoft = request.getfixturevalue("microsoft")
        microsoft.faults.clear()
        yield Graph(microsoft)
        microsoft.faults.clear()
        assert microsoft.violations == []


def _answer(server: Server, *recipients: str, **more: Any) -> bytes:
    return mail(sender=f"Desk <{server.address}>", to=", ".join(recipients or (ANN,)), **more)


def test_a_mail_comes_to_everybody_as_it_was_written(server: Server) -> None:
    raw = _answer(server, ANN, BOB, text=".\n..\n.a line\nthe end\n")
    with server.courier() as courier:
        sent = courier.send(raw, server.address, [ANN, BOB])
    assert sent.refused == {}
    assert sent.response
    assert server.sent() == [(raw, {ANN, BOB})]


def test_whatever_line_ends_it_was_written_with(server: Server) -> None:
    raw = _answer(server)
    with server.courier() as courier:
        courier.send(raw.replace(b"\r\n", b"\n"), server.address, [ANN])
    ((came, _),) = server.sent()
    assert came.replace(b"\r\n", b"\n") == raw.replace(b"\r\n", b"\n")


def test_who_is_not_named_in_the_mail_gets_it_all_the_same(server: Server) -> None:
    with server.courier() as courier:
        courier.send(_answer(server, ANN), server.address, [ANN, BOB])
    assert [who for _, who in server.sent()] == [{ANN, BOB}]


def test_several_mails_go_one_after_the_other(server: Server) -> None:
    with server.courier() as courier:
        for number in range(3):
            courier.send(_answer(server, subject=str(number)), server.address, [ANN])
    assert len(server.sent()) == 3


def test_asking_whether_mail_may_be_sent_sends_none(server: Server) -> None:
    with server.courier() as courier:
        courier.may_send()
        courier.may_send()
    assert server.sent() == []


def test_mail_can_be_sent_after_asking(server: Server) -> None:
    with server.courier() as courier:
        courier.may_send()
        courier.send(_answer(server), server.address, [ANN])
    assert len(server.sent()) == 1


def test_a_machine_is_not_to_answer_mail_without_a_sender(server: Server) -> None:
    with server.courier() as courier:
        assert courier.send(_answer(server), "", [ANN]).refused == {}
    assert len(server.sent()) == 1


def test_who_may_not_come_in_is_told_so_before_anything_is_sent(server: Server) -> None:
    server.shut()
    with pytest.raises(SettingsError), server.courier() as courier:
        courier.may_send()


def test_who_may_not_send_is_told_so(server: Server) -> None:
    server.forbid()
    with server.courier() as courier, pytest.raises(SettingsError):
        courier.may_send()


def test_a_recipient_that_is_refused_takes_nothing_from_the_others(server: Server) -> None:
    if not server.has_envelope:
        return  # Graph says nothing of recipients while it takes a mail: refusals come back as bounces
    with server.courier() as courier:
        sent = courier.send(_answer(server, ANN, GONE), server.address, [ANN, GONE])
    assert {one: (why.code, why.status, why.permanent) for one, why in sent.refused.items()} == {
        GONE: (550, "5.1.1", True)
    }
    assert [who for _, who in server.sent()] == [{ANN}]


def test_when_all_are_refused_nobody_gets_it(server: Server) -> None:
    if not server.has_envelope:
        return
    with server.courier() as courier:
        sent = courier.send(_answer(server, GONE), server.address, [GONE])
        assert (set(sent.refused), sent.response) == ({GONE}, "")
        assert server.sent() == []
        courier.send(_answer(server), server.address, [ANN])
    assert [who for _, who in server.sent()] == [{ANN}]


def test_a_mail_that_is_not_taken_for_good_says_so(server: Server) -> None:
    server.refuse()
    with server.courier() as courier, pytest.raises(NotSent) as raised:
        courier.send(_answer(server), server.address, [ANN])
    assert raised.value.permanent
    assert not raised.value.in_doubt
    assert server.sent() == []


def test_a_mail_that_is_put_off_may_be_tried_again(server: Server) -> None:
    server.put_off()
    with server.courier() as courier, pytest.raises(ServerError) as raised:
        courier.send(_answer(server), server.address, [ANN])
    assert not getattr(raised.value, "permanent", False)
    assert not getattr(raised.value, "in_doubt", False)
    assert server.sent() == []


def test_a_mail_whose_answer_was_lost_is_in_doubt_and_not_sent_again(server: Server) -> None:
    server.die()
    with server.courier() as courier, pytest.raises(NotSent) as raised:
        courier.send(_answer(server), server.address, [ANN])
    assert raised.value.in_doubt
    assert not raised.value.permanent
    assert len(server.sent()) <= 1


def test_a_mail_to_nobody_is_a_mistake_of_ours(server: Server) -> None:
    with server.courier() as courier, pytest.raises(ValueError, match="without recipients"):
        courier.send(_answer(server), server.address, [])
