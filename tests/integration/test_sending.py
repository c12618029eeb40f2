"""Answers from the page to the recipient's server, through the app as it is wired: Azurite, TLS, real conversations.

Two independent servers take the mail: aiosmtpd, whose mood can be set, and one by a script of our own; and Graph's
stand-in for Office 365.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from infra.local.azurite import Azurite
from shared import bootstrap
from shared.config import Config, Storage
from shared.flows import reply, send
from shared.flows.reply import Draft, File
from shared.mail.message import Message, parse
from shared.model.outbound import SendState
from shared.ports import App
from shared.servers.doors import Doors
from tests.support.discovering import listening, server_context
from tests.support.firm import Firm
from tests.support.mailclients import gmail
from tests.support.mailclients import reply as reply_of
from tests.support.mails import mail
from tests.support.microsoft.mailbox import GraphMailbox
from tests.support.microsoft.server import Microsoft, Reply
from tests.support.microsoft.wire import graph_error
from tests.support.road import LOOPBACK
from tests.support.smtpserver import USER, SmtpServer, smtp

pytestmark = pytest.mark.azurite


def question(to: str = USER) -> bytes:
    return mail("Ann <ann@example.com>", "Grüße & Fire", "Es brennt.", to, "<q@x>", cc="Bob <bob@example.net>")


FILES = (File("Plan für ☃.pdf", "application/pdf", bytes(range(256)) * 40), File("a.txt", "text/plain", b".\r\n..\r\n"))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(Path(tmp_path_factory.mktemp("microsoft"))) as running:
        yield running


@pytest.fixture(scope="module")
def app(
    azurite: Azurite,
    key_file: str,
    authority: trustme.CA,
    microsoft: Microsoft,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("sending")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    config = Config(Storage(connection_string=azurite.connection_string), key_file=key_file)
    config = replace(config, mail_ca_file=str(folder / "ca.pem"), allow_addresses=LOOPBACK)
    made = bootstrap.build(replace(config, authority=microsoft.authority, graph_url=microsoft.graph_url))
    yield made
    assert isinstance(made.microsoft, Doors)
    made.microsoft.warm.close()


@pytest.fixture
def firm(app: App, azurite: Azurite) -> Firm:
    return Firm(app, azurite.connection_string)


@contextmanager
def serving(firm: Firm, authority: trustme.CA, security: str = "starttls", **more: Any) -> Iterator[SmtpServer]:
    with SmtpServer(server_context(authority, "localhost"), security, **more) as server:
        firm.smtp(server.port, security)
        firm.receive(question())
        yield server


def _as_it_is(message: Message) -> None:
    """What every recipient sees."""
    assert message.defects == ()
    assert message.subject == "Re: Grüße & Fire [INC-000001]"
    assert message.text.startswith("Nehmen Sie Wasser.")
    assert "> Es brennt." in message.text
    assert message.in_reply_to == ("<q@x>",)
    assert [(one.name, one.content) for one in message.attachments] == [(one.name, one.content) for one in FILES]
    assert [one.address for one in (*message.to, *message.cc)] == ["ann@example.com", "bob@example.net"]


@pytest.mark.parametrize("security", ["ssl", "starttls"])
def test_an_answer_arrives_whole_over_tls(firm: Firm, authority: trustme.CA, security: str) -> None:
    with serving(firm, authority, security) as server:
        firm.answer(files=FILES)
        (taken,) = server.mood.taken
        assert (taken.sender, taken.recipients) == (USER, ("ann@example.com", "bob@example.net"))
        _as_it_is(parse(taken.raw))
        assert (firm.state().state, firm.state().attempts) == (SendState.SENT, 1)
        firm.receive(reply_of(taken.raw, gmail, "ann@example.com", "Danke!"))
        firm.again(minutes=30)
        assert len(server.mood.taken) == 1
    assert [note.body.text for note in firm.app.desk.notes(firm.tenant, 1, 0, 9)][1:] == [
        "Nehmen Sie Wasser.",
        "Danke!",
    ]


def test_an_answer_arrives_at_another_server_too(firm: Firm, authority: trustme.CA) -> None:
    heard: list[bytes] = []
    script = smtp(context=server_context(authority, "localhost"), heard=heard)
    with listening(script) as port:
        firm.smtp(port, "starttls")
        firm.receive(question())
        firm.answer(files=FILES)
    assert firm.state().state is SendState.SENT
    commands = [line.split()[0].upper() for line in heard if line.split()]
    start, end = commands.index(b"DATA") + 1, heard.index(b".\r\n")
    raw = b"".join(line[1:] if line.startswith(b"..") else line for line in heard[start:end])
    _as_it_is(parse(raw))
    assert [line.strip() for line in heard if line.upper().startswith(b"RCPT")] == [
        b"RCPT TO:<ann@example.com>",
        b"RCPT TO:<bob@example.net>",
    ]


def test_greylisting_of_all_is_tried_again_after_its_pause(firm: Firm, authority: trustme.CA) -> None:
    with serving(firm, authority) as server:
        server.mood.refuses = dict.fromkeys(("ann@example.com", "bob@example.net"), "450 4.7.1 greylisted, come again")
        firm.answer()
        assert (firm.state().state, firm.state().got, server.mood.taken) == (SendState.QUEUED, (), [])
        assert "greylisted" in firm.state().said
        server.mood.refuses.clear()
        firm.again(seconds=20)
        assert server.mood.taken == []
        firm.again(minutes=1)
        assert (firm.state().state, firm.state().attempts, len(server.mood.taken)) == (SendState.SENT, 2, 1)


def test_greylisting_of_one_brings_it_to_him_later_and_to_nobody_twice(firm: Firm, authority: trustme.CA) -> None:
    with serving(firm, authority) as server:
        server.mood.refuses = {"bob@example.net": "451 4.7.1 greylisted"}
        firm.answer()
        assert (firm.state().state, firm.state().got) == (SendState.QUEUED, ("ann@example.com",))
        server.mood.refuses.clear()
        firm.again(minutes=2)
        assert [one.recipients for one in server.mood.taken] == [("ann@example.com",), ("bob@example.net",)]
        assert len({parse(one.raw).message_id for one in server.mood.taken}) == 1
        assert firm.state().state is SendState.SENT


def test_one_who_is_put_off_for_a_day_is_said_not_to_have_got_it(firm: Firm, authority: trustme.CA) -> None:
    with serving(firm, authority) as server:
        server.mood.refuses = {"bob@example.net": "451 4.2.1 not now"}
        firm.answer()
        for _ in range(30):
            firm.again(hours=1)
        assert [one.recipients for one in server.mood.taken] == [("ann@example.com",)]
    assert firm.state().state is SendState.SENT
    assert firm.state().said.startswith("Given up after a day. bob@example.net")
    assert firm.state().can_be_sent_again


@pytest.mark.parametrize("answer", ["554 5.7.1 spam, says the filter", "552 5.3.4 too big"])
def test_a_mail_that_is_refused_for_good_is_said_to_have_failed(firm: Firm, authority: trustme.CA, answer: str) -> None:
    with serving(firm, authority) as server:
        server.mood.data = answer
        firm.answer()
        firm.again(hours=2)
        assert (firm.state().state, firm.state().attempts) == (SendState.FAILED, 1)
        assert firm.state().said
        server.mood.data = ""
        reply.send_again(firm.app, firm.tenant, 1, 2)
        firm.hear()
        assert (firm.state().state, len(server.mood.taken)) == (SendState.SENT, 1)


def test_a_recipient_who_is_not_there_is_named_and_the_other_gets_it(firm: Firm, authority: trustme.CA) -> None:
    with serving(firm, authority) as server:
        server.mood.refuses = {"bob@example.net": "550 5.1.1 no such user"}
        firm.answer()
        assert [one.recipients for one in server.mood.taken] == [("ann@example.com",)]
    assert firm.state().state is SendState.SENT
    assert firm.state().said.startswith("bob@example.net did not get it: 5.1.1")


def test_a_connection_that_is_lost_after_the_mail_leaves_a_doubt_and_no_second_mail(
    firm: Firm, authority: trustme.CA
) -> None:
    with serving(firm, authority) as server:
        server.mood.dies = True
        firm.answer()
        assert firm.state().state is SendState.IN_DOUBT
        assert "may have been sent" in firm.state().said
        server.mood.dies = False
        firm.again(hours=5)
        send.rescue(firm.app, firm.tenant)
        firm.hear()
        assert len(server.mood.taken) == 1
        reply.send_again(firm.app, firm.tenant, 1, 2)
        firm.hear()
        assert len(server.mood.taken) == 2, "a person said so"
        assert firm.state().state is SendState.SENT


@pytest.mark.parametrize("verb", ["EHLO", "AUTH", "MAIL", "RCPT", "DATA"])
def test_a_connection_that_is_lost_before_the_mail_is_tried_again(firm: Firm, authority: trustme.CA, verb: str) -> None:
    script = smtp({verb: ""}, context=server_context(authority, "localhost"))
    with listening(script) as port:
        firm.smtp(port, "starttls")
        firm.receive(question())
        firm.answer()
    assert firm.state().state is SendState.QUEUED
    with SmtpServer(server_context(authority, "localhost"), "starttls") as server:
        firm.smtp(server.port, "starttls")
        firm.again(minutes=2)
        assert (firm.state().state, len(server.mood.taken)) == (SendState.SENT, 1)


def test_without_encryption_nothing_is_sent_and_the_password_neither(firm: Firm, authority: trustme.CA) -> None:
    heard: list[bytes] = []
    with listening(smtp(heard=heard)) as port:  # STARTTLS is stripped
        firm.smtp(port, "starttls")
        firm.receive(question())
        firm.answer()
    assert firm.state().state is SendState.QUEUED
    assert "encryption" in firm.state().said
    assert {line.split()[0].upper() for line in heard} <= {b"EHLO", b"QUIT"}


@pytest.mark.parametrize("names", [("localhost",), ("else.example",)], ids=["of an unknown issuer", "of another name"])
@pytest.mark.parametrize("security", ["ssl", "starttls"])
def test_a_wrong_certificate_stops_it_and_is_given_up_after_three_tries(
    firm: Firm, authority: trustme.CA, security: str, names: tuple[str, ...]
) -> None:
    issuer = trustme.CA() if names == ("localhost",) else authority
    with SmtpServer(server_context(issuer, *names), security) as server:
        firm.smtp(server.port, security)
        firm.receive(question())
        firm.answer()
        firm.again(minutes=2)
        firm.again(minutes=4)
        assert (server.mood.used, server.mood.taken) == ([], [])
    assert firm.state().state is SendState.FAILED
    assert "certificate" in firm.state().said


def test_a_wrong_password_is_tried_three_times_for_all_answers_that_wait_and_the_right_one_sends_them_all(
    firm: Firm, authority: trustme.CA
) -> None:
    with serving(firm, authority) as server:
        firm.smtp(server.port, "starttls", password="another one")
        for _ in range(10):
            firm.answer()
        for _ in range(10):
            for note in range(2, 12):
                firm.again(note, minutes=6)
        assert len(server.mood.used) == 3
        assert {firm.state(note).state for note in range(2, 12)} == {SendState.QUEUED}
        assert all("Correct user name or password" in firm.state(note).said for note in range(2, 12))
        firm.smtp(server.port, "starttls")
        firm.later += timedelta(minutes=5)
        send.rescue(firm.app, firm.tenant)  # for bells that only a clock that really runs would ring
        while firm.hear():
            pass
        assert {firm.state(note).state for note in range(2, 12)} == {SendState.SENT}
        assert len(server.mood.taken) == 10
    assert len(server.mood.used) == 3 + 10


def test_two_functions_that_send_the_same_note_at_once_send_one_mail(firm: Firm, authority: trustme.CA) -> None:
    with serving(firm, authority) as server:
        reply.add(firm.app, firm.tenant, 1, Draft("Wasser.", True, "Kim"))
        start = threading.Barrier(6)

        def run() -> None:
            start.wait()
            send.send(firm.app, firm.tenant, 1, 2)

        threads = [threading.Thread(target=run) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.mood.taken) == 1
        assert firm.state().state is SendState.SENT


def test_a_server_that_is_not_there_is_tried_again(firm: Firm, authority: trustme.CA) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        firm.smtp(unused.getsockname()[1], "ssl")
        firm.receive(question())
        firm.answer()
    assert firm.state().state is SendState.QUEUED
    with SmtpServer(server_context(authority, "localhost"), "ssl") as server:
        firm.smtp(server.port, "ssl")
        firm.again(minutes=2)
        assert len(server.mood.taken) == 1


# ── Office 365 ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def box(firm: Firm, microsoft: Microsoft) -> Iterator[GraphMailbox]:
    microsoft.faults.clear()
    made = GraphMailbox(microsoft)
    made.app.roles.add("Mail.Send")
    firm.office(made)
    firm.receive(question(made.address))
    yield made
    microsoft.faults.clear()
    assert microsoft.violations == []


def _posted(microsoft: Microsoft, box: GraphMailbox) -> list[tuple[str, ...]]:
    return [one.recipients for one in microsoft.graph.post.sent if one.mailbox == box.address]


def test_an_answer_leaves_through_graph_as_it_is(firm: Firm, microsoft: Microsoft, box: GraphMailbox) -> None:
    firm.answer(files=FILES)
    assert _posted(microsoft, box) == [("ann@example.com", "bob@example.net")]
    _as_it_is(parse(microsoft.graph.post.sent[-1].raw))
    assert firm.state().state is SendState.SENT


def test_through_graph_nobody_gets_it_whose_mail_came_back(firm: Firm, microsoft: Microsoft, box: GraphMailbox) -> None:
    firm.app.answers.note_undeliverable(firm.tenant, "bob@example.net", "5.1.10")
    firm.answer()
    assert _posted(microsoft, box) == [("ann@example.com",)]
    assert firm.state().state is SendState.SENT
    assert "bob@example.net did not get it" in firm.state().said


def test_graph_that_asks_to_wait_is_waited_for(firm: Firm, microsoft: Microsoft, box: GraphMailbox) -> None:
    microsoft.fail("send", reply=Reply(429, b"", {"Retry-After": "600"}))
    firm.answer()
    assert firm.state().state is SendState.QUEUED
    firm.again(minutes=5)
    assert _posted(microsoft, box) == []
    firm.again(minutes=6)
    assert len(_posted(microsoft, box)) == 1


def test_an_answer_of_graphs_that_is_lost_leaves_a_doubt(firm: Firm, microsoft: Microsoft, box: GraphMailbox) -> None:
    microsoft.fail("send", drop_after=-1)
    firm.answer()
    assert firm.state().state is SendState.IN_DOUBT
    firm.again(hours=3)
    assert len(_posted(microsoft, box)) <= 1


def test_what_graph_refuses_for_good_has_failed(firm: Firm, microsoft: Microsoft, box: GraphMailbox) -> None:
    microsoft.fail("send", reply=graph_error(400, "ErrorInvalidRecipients", "Zanzibar"))
    firm.answer()
    assert (firm.state().state, _posted(microsoft, box)) == (SendState.FAILED, [])
    assert "Zanzibar" not in firm.state().said
