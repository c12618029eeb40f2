"""Answers through a real Postfix, whose log-ins a real Dovecot judges, into real mailboxes; and what comes back.

Each test goes through the app as it is wired: Azurite, TLS by an authority of our own, IMAP to fetch what arrives.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from infra.local.azurite import Azurite
from shared import bootstrap
from shared.config import Config, Storage
from shared.errors import CertificateRefused, InboundError, LoginRefused, NotSent, TlsRequired
from shared.flows import reply, send
from shared.flows.reply import File
from shared.mail.message import parse
from shared.model.incident import NoteKind
from shared.model.mailbox import Settings
from shared.model.outbound import SendKind, SendState
from shared.model.reason import Outcome
from shared.ports import App
from shared.servers.credential import Credential
from shared.servers.doors import Doors
from shared.servers.smtp import SmtpCourier
from tests.support import postfix, road
from tests.support.discovering import listening
from tests.support.dovecot import PASSWORD
from tests.support.firm import Firm
from tests.support.mailclients import Quote, apple, gmail, outlook, samsung
from tests.support.mailclients import reply as reply_of
from tests.support.mails import mail
from tests.support.postfix import SIZE_LIMIT, Postfix
from tests.support.road import LOOPBACK
from tests.support.smtpserver import smtp

# One Postfix for all of them: it takes three seconds to start.
pytestmark = [pytest.mark.azurite, pytest.mark.postfix, pytest.mark.xdist_group("postfix")]

DESK = "desk@firm.example"
ANN, BOB, CARL, DORA, JÖRG = (f"{name}@people.example" for name in ("ann", "bob", "carl", "dora", "jörg"))
FILES = (File("Plan für ☃.pdf", "application/pdf", bytes(range(256)) * 40), File("a.txt", "text/plain", b".\r\n..\r\n"))
WAYS = [("submission", "starttls"), ("smtps", "ssl")]


@pytest.fixture(scope="module")
def server() -> Iterator[Postfix]:
    if not postfix.installed():
        pytest.skip("Postfix or Dovecot is not installed, or this is not root (apt-get install postfix dovecot-imapd)")
    with Postfix() as running:
        yield running


@pytest.fixture(scope="module")
def app(azurite: Azurite, key_file: str, server: Postfix) -> Iterator[App]:
    config = Config(Storage(connection_string=azurite.connection_string), key_file=key_file)
    made = bootstrap.build(replace(config, mail_ca_file=server.dovecot.ca_file, allow_addresses=LOOPBACK))
    yield made
    assert isinstance(made.microsoft, Doors)
    made.microsoft.warm.close()


@pytest.fixture(autouse=True)
def _empty_mailboxes(server: Postfix) -> None:
    """Everybody's mailbox, and nobody refused."""
    server.empty()
    server.people(DESK, ANN, BOB, CARL, DORA, JÖRG)
    server.answers({})


@pytest.fixture
def firm(app: App, azurite: Azurite) -> Firm:
    return Firm(app, azurite.connection_string)


def connected(firm: Firm, server: Postfix, port: str = "submission", security: str = "starttls", **more: Any) -> Firm:
    """Its mailbox sends by the Postfix; it is read from the Dovecot."""
    fields = {"password": PASSWORD, **more, "port": server.dovecot.ports.imaps}
    firm.smtp(server.ports[port], security, **fields)
    return firm


def question(sender: str = f"Ann <{ANN}>", cc: str = f"Bob <{BOB}>", **more: Any) -> bytes:
    """Of today: what lay about for days is not acknowledged."""
    fields: dict[str, Any] = {"to": DESK, "message_id": "<q@people.example>", "cc": cc, **more}
    raw = mail(sender, fields.pop("subject", "Grüße & Fire"), "Es brennt.", **fields)
    today = format_datetime(datetime.now(UTC)).encode()
    # Python's own writer encodes the letters of an address, which makes it another one (RFC 6532).
    return raw.replace(b"Mon, 16 Nov 2026 09:00:00 +0000", today).replace(b"joerg@", "jörg@".encode())


def posts(server: Postfix, sender: str, raw: bytes, to: Sequence[str] = (DESK,)) -> None:
    """A person sends a mail, with a program that is not ours."""
    context = ssl.create_default_context(cafile=server.dovecot.ca_file)
    with smtplib.SMTP("localhost", server.ports["submission"]) as client:
        client.starttls(context=context)
        client.login(sender, PASSWORD)
        client.sendmail(sender, list(to), raw, ["BODY=8BITMIME"])


# ── it arrives ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("port", "security"), WAYS)
def test_an_answer_arrives_whole_and_the_answer_to_it_comes_back_to_its_incident(
    firm: Firm, server: Postfix, port: str, security: str
) -> None:
    connected(firm, server, port, security)
    posts(server, ANN, question())
    server.arrived(DESK)
    firm.poll()
    firm.answer(files=FILES)
    assert (firm.state().state, firm.state().attempts) == (SendState.SENT, 1)
    (raw,) = server.arrived(ANN)
    server.arrived(BOB)
    taken = parse(raw)
    assert taken.defects == ()
    assert taken.subject == "Re: Grüße & Fire [INC-000001]"
    assert taken.text.startswith("Nehmen Sie Wasser.")
    assert [(one.name, one.content) for one in taken.attachments] == [(one.name, one.content) for one in FILES]
    assert [one.address for one in (*taken.to, *taken.cc)] == [ANN, BOB]
    assert b"Return-Path: <desk@firm.example>" in raw
    assert b"ESMTPSA" in raw, "encrypted and logged in, says the server"
    posts(server, ANN, reply_of(raw, gmail, f"Ann <{ANN}>", "Danke, es ist aus!"))
    server.arrived(DESK, 2)
    row = firm.poll()[0]
    assert (row.incident, row.note) == (1, 3)
    assert [note.body.text for note in firm.notes()][1:] == ["Nehmen Sie Wasser.", "Danke, es ist aus!"]


@pytest.mark.parametrize("port", ["submission", "login", "cram"])
def test_each_way_to_log_in_is_taken_by_dovecot(server: Postfix, port: str) -> None:
    with _Courier(server, port) as courier:
        assert courier.send(mail(sender=DESK, to=ANN), DESK, [ANN]).refused == {}
    assert len(server.arrived(ANN)) == 1


def test_an_address_with_letters_beyond_ascii_gets_its_answer(firm: Firm, server: Postfix) -> None:
    connected(firm, server)
    firm.receive(question(sender="Joerg <joerg@people.example>", cc=""))
    firm.answer()
    assert firm.state().state is SendState.SENT, firm.state().said
    assert [one.address for one in parse(server.arrived(JÖRG)[0]).to] == [JÖRG]


def test_where_such_addresses_are_not_taken_the_others_get_it_and_he_is_named(firm: Firm, server: Postfix) -> None:
    connected(firm, server, "old", "ssl")
    firm.receive(question(cc="Joerg <joerg@people.example>"))
    firm.answer()
    assert (firm.state().state, len(firm.state().refused)) == (SendState.QUEUED, 1)
    firm.again(minutes=2)
    assert (firm.state().state, firm.state().got) == (SendState.SENT, (ANN,))
    assert firm.state().said.startswith(f"{JÖRG} did not get it: 5.6.7")
    assert [one.address for one in parse(server.arrived(ANN)[0]).to] == [ANN]


def test_eight_bits_arrive_as_they_were_sent(server: Postfix) -> None:
    raw = f"From: {DESK}\r\nTo: {ANN}\r\nSubject: Gr\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    body = "Grüße\r\n.\r\n..x\r\nEnde\r\n"
    with _Courier(server) as courier:
        courier.send(f"{raw}{body}".encode(), DESK, [ANN])
    assert server.arrived(ANN)[0].endswith(body.replace("\r\n", "\n").encode())


def test_an_acknowledgement_has_no_envelope_sender_and_one_that_does_not_arrive_comes_back_to_nobody(
    firm: Firm, server: Postfix
) -> None:
    with _nobody_there() as port:
        server.passes_on("elsewhere.example", port)
        connected(firm, server, acknowledge=True)
        firm.receive(question(cc=""))
        firm.receive(question(sender="Carl <carl@elsewhere.example>", cc="", message_id="<c@elsewhere.example>"))
        firm.hear()
        (raw,) = server.arrived(ANN)
        server.settled()
    assert b"Return-Path: <>" in raw
    assert parse(raw).header("Auto-Submitted") == "auto-replied"
    assert firm.state(2).kind is SendKind.ACKNOWLEDGEMENT
    assert server.inbox(DESK) == []


def test_where_mail_without_a_sender_is_not_taken_an_acknowledgement_has_the_mailboxs_own(
    firm: Firm, server: Postfix
) -> None:
    connected(firm, server, "named", "ssl", acknowledge=True)
    firm.receive(question(cc=""))
    firm.hear()
    assert firm.state(2).state is SendState.SENT, firm.state(2).said
    (raw,) = server.arrived(ANN)
    assert f"Return-Path: <{DESK}>".encode() in raw
    assert parse(raw).header("Auto-Submitted") == "auto-replied"


# ── it goes on ────────────────────────────────────────────────────────────────────────────────────────────────────

PROGRAMS: list[tuple[str, Quote, dict[str, Any]]] = [
    (ANN, gmail, {}),
    (BOB, outlook, {"keeps_headers": False, "Thread_Index": "AQHbOBKx9E2vVf4cT0+Qm1k3bq2hZLK1u5sg"}),
    (CARL, apple, {}),
    (DORA, samsung, {"keeps_headers": False}),
]
"""Gmail, Outlook with nothing but its own Thread-Index, Apple Mail, and a phone without ids."""


def test_ten_rounds_with_four_mail_programs_stay_one_incident(firm: Firm, server: Postfix) -> None:
    connected(firm, server, acknowledge=True)
    posts(server, ANN, question(cc=f"{BOB}, {CARL}, {DORA}"))
    server.arrived(DESK)
    assert firm.poll()[0].incident == 1
    firm.hear()
    server.arrived(ANN)  # the only acknowledgement
    for round_ in range(1, 11):
        firm.answer(f"Round {round_}: please try this.")
        address, quote, headers = PROGRAMS[round_ % len(PROGRAMS)]
        mine = server.arrived(address, round_ + (address == ANN))
        ours = mine[-1]
        words = f"I tried number {round_}, and it still burns."
        posts(server, address, reply_of(ours, quote, f"Somebody <{address}>", words, **headers))
        server.arrived(DESK, round_ + 1)
        row = firm.poll()[0]
        assert row.incident == 1, row.reason
        firm.hear()
        assert firm.notes()[-1].body.text == words
    assert firm.incidents() == 1
    kinds = [one.kind for one in firm.app.answers.of_incident(firm.tenant, 1, 1, 99).values()]
    assert (kinds.count(SendKind.ACKNOWLEDGEMENT), kinds.count(SendKind.ANSWER)) == (1, 10)


def test_a_vacation_program_gets_one_acknowledgement_and_answers_to_nobody(firm: Firm, server: Postfix) -> None:
    connected(firm, server, acknowledge=True)
    posts(server, ANN, question(cc=""))
    server.arrived(DESK)
    for round_ in range(1, 4):
        firm.poll()
        firm.hear()
        ours = parse(server.arrived(ANN)[-1])
        away = question(subject="Automatic reply", cc="", message_id=f"<v{round_}@people.example>")
        posts(server, ANN, away.replace(b"\r\n\r\n", f"\r\nIn-Reply-To: {ours.message_id}\r\n\r\n".encode(), 1))
        server.arrived(DESK, round_ + 1)
    firm.poll()
    firm.hear()
    server.settled()
    assert (len(server.inbox(ANN)), firm.incidents()) == (1, 1)


# ── it does not arrive ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("port", "security"), WAYS)
def test_a_wrong_password_is_the_tenants_to_mend(firm: Firm, server: Postfix, port: str, security: str) -> None:
    connected(firm, server, port, security, password="another one")
    firm.receive(question())
    firm.answer()
    assert firm.state().state is SendState.QUEUED
    assert "does not accept this user name and password" in firm.state().said
    connected(firm, server, port, security)
    firm.again(hours=1)
    assert firm.state().state is SendState.SENT
    server.arrived(ANN)


@pytest.mark.parametrize(("port", "security"), WAYS)
def test_a_certificate_of_an_unknown_issuer_stops_it_before_the_password(
    server: Postfix, port: str, security: str
) -> None:
    with pytest.raises(CertificateRefused), _Courier(server, port, ca_file=""):
        pass


def test_without_encryption_nobody_gets_in(server: Postfix) -> None:
    with pytest.raises(TlsRequired, match="without encryption"), _Courier(server, security="none"):
        pass


def test_a_server_that_cannot_judge_log_ins_just_now_is_no_wrong_password(server: Postfix) -> None:
    with pytest.raises(InboundError) as raised, _Courier(server, "lonely"):
        pass
    assert not isinstance(raised.value, LoginRefused)
    assert raised.value.code == "unreachable"


def test_a_recipient_who_is_not_there_is_named_and_the_other_gets_it(firm: Firm, server: Postfix) -> None:
    server.people(DESK, ANN)
    connected(firm, server)
    firm.receive(question())
    firm.answer()
    assert firm.state().state is SendState.SENT
    assert firm.state().said.startswith(f"{BOB} did not get it: 5.1.1")
    assert len(server.arrived(ANN)) == 1


def test_who_is_greylisted_gets_it_later_and_nobody_twice(firm: Firm, server: Postfix) -> None:
    server.answers({BOB: "450 4.2.0 Greylisted, come again"})
    connected(firm, server)
    firm.receive(question())
    firm.answer()
    assert (firm.state().state, firm.state().got) == (SendState.QUEUED, (ANN,))
    assert "Greylisted" in firm.state().said
    server.answers({})
    firm.again(minutes=2)
    assert (firm.state().state, firm.state().attempts) == (SendState.SENT, 2)
    server.arrived(BOB)
    server.settled()
    assert len(server.inbox(ANN)) == 1


def test_a_mail_over_the_limit_that_is_announced_is_not_even_begun(firm: Firm, server: Postfix) -> None:
    connected(firm, server)
    firm.receive(question())
    firm.answer(files=(File("big.bin", "application/octet-stream", b"x" * SIZE_LIMIT),))
    assert (firm.state().state, firm.state().attempts) == (SendState.FAILED, 1)
    assert "too large" in firm.state().said
    assert "0.3 MB" in firm.state().said


def test_a_mail_over_the_limit_that_nobody_announced_is_too_large_as_well(firm: Firm, server: Postfix) -> None:
    connected(firm, server, "silent", "ssl")
    firm.receive(question())
    firm.answer(files=(File("big.bin", "application/octet-stream", b"x" * SIZE_LIMIT),))
    assert (firm.state().state, firm.state().attempts) == (SendState.FAILED, 1)
    assert "too large" in firm.state().said


def test_a_mail_that_is_refused_at_its_end_has_failed_for_all(firm: Firm, server: Postfix) -> None:
    connected(firm, server)
    firm.receive(question(subject="a forbidden word"))
    firm.answer()
    assert (firm.state().state, firm.state().attempts, firm.state().got) == (SendState.FAILED, 1, ())
    assert "does not take this mail (5.7.1)" in firm.state().said
    server.settled()
    assert server.inbox(ANN) == []


def test_who_logs_in_as_another_may_not_send_as_the_mailbox(server: Postfix) -> None:
    with _Courier(server, user=ANN) as courier, pytest.raises(InboundError, match=f"send as {DESK}"):
        courier.may_send()
    with _Courier(server, user=ANN) as courier, pytest.raises(NotSent, match=f"send as {DESK}") as raised:
        courier.send(mail(sender=DESK, to=ANN), DESK, [BOB])
    assert raised.value.permanent


def test_test_settings_begins_a_mail_and_sends_none(server: Postfix) -> None:
    with _Courier(server) as courier:
        courier.may_send()
    server.settled()
    assert server.inbox(DESK) == []


def test_an_answer_whose_server_is_lost_behind_it_has_arrived_and_is_not_sent_a_second_time(
    firm: Firm, server: Postfix
) -> None:
    with _losing_the_answer(server.ports["smtps"], SIZE_LIMIT // 3) as port:
        firm.smtp(port, "ssl", PASSWORD)
        firm.receive(question(cc=""))
        firm.answer(files=(File("plan.bin", "application/octet-stream", bytes(SIZE_LIMIT // 2)),))
    assert firm.state().state is SendState.IN_DOUBT
    (first,) = server.arrived(ANN)
    connected(firm, server)
    firm.again(hours=5)
    send.rescue(firm.app, firm.tenant)
    firm.hear()
    server.settled()
    assert len(server.inbox(ANN)) == 1
    reply.send_again(firm.app, firm.tenant, 1, 2)
    firm.hear()
    assert firm.state().state is SendState.SENT
    second = server.arrived(ANN, 2)[1]
    assert parse(first).message_id == parse(second).message_id, "mail programs show it once"


# ── it comes back ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_that_postfix_took_and_could_not_deliver_is_shown_as_bounced_at_its_note(
    firm: Firm, server: Postfix
) -> None:
    with _nobody_there() as port:
        server.passes_on("elsewhere.example", port)
        connected(firm, server)
        firm.receive(question(cc="Carl <carl@elsewhere.example>"))
        firm.answer()
        assert firm.state().state is SendState.SENT, "our server has taken it"
        (report,) = server.arrived(DESK)
    assert b"Return-Path: <>" in report
    row = firm.poll()[0]
    assert (row.outcome, row.incident) == (Outcome.DELIVERED, 1)
    state = firm.state()
    assert state.state is SendState.BOUNCED
    assert [who for who, _ in state.refused] == ["carl@elsewhere.example"]
    assert "5.1.1" in state.refused[0][1]
    assert (state.got, firm.incidents()) == ((ANN,), 1)
    assert (firm.notes()[-1].kind, firm.notes()[-1].marks) == (NoteKind.SYSTEM, ("failed",))
    # He is left out from now on, until an agent says "send again": then it goes to him alone.
    firm.answer("Oder Sand.")
    newest = len(firm.notes())
    assert firm.state(newest).got == (ANN,)
    assert "carl@elsewhere.example did not get it" in firm.state(newest).said
    heard: list[bytes] = []
    with listening(smtp(heard=heard)) as port:
        server.passes_on("elsewhere.example", port)
        reply.send_again(firm.app, firm.tenant, 1, 2)
        firm.hear()
        server.settled()
    assert firm.state().state is SendState.SENT
    (recipient,) = [line for line in heard if line.startswith(b"RCPT")]
    assert b"<carl@elsewhere.example>" in recipient
    assert len(server.inbox(ANN)) == 2


def test_bells_that_ring_again_bring_no_second_mail(firm: Firm, server: Postfix) -> None:
    connected(firm, server)
    firm.receive(question(cc=""))
    firm.answer()
    firm.again(hours=1)
    send.rescue(firm.app, firm.tenant)
    firm.hear()
    server.settled()
    assert len(server.arrived(ANN)) == 1


def test_a_bounce_of_an_address_beyond_ascii_is_understood_too(firm: Firm, server: Postfix) -> None:
    """Its report is in the form of RFC 6533, with message/global parts and an address of type utf-8."""
    with listening(smtp(offered=("8BITMIME",))) as port:
        server.passes_on("elsewhere.example", port)
        connected(firm, server)
        firm.receive(question(cc="Joerg <joerg@elsewhere.example>"))
        firm.answer()
        assert firm.state().state is SendState.SENT
        (report,) = server.arrived(DESK)
    assert b"message/global-delivery-status" in report
    firm.poll()
    assert (firm.state().state, firm.incidents()) == (SendState.BOUNCED, 1)
    ((who, why),) = firm.state().refused
    assert who == "jörg@elsewhere.example"
    assert "5.6.7" in why


def test_a_delay_is_noted_and_changes_nothing(firm: Firm, server: Postfix) -> None:
    with listening(smtp({"RCPT": "451 4.3.0 not now"})) as port:
        server.passes_on("elsewhere.example", port)
        connected(firm, server)
        firm.receive(question(cc="Carl <carl@elsewhere.example>"))
        firm.answer()
        (report,) = server.arrived(DESK)
    assert b"Action: delayed" in report
    firm.poll()
    assert (firm.state().state, firm.state().refused, firm.incidents()) == (SendState.SENT, (), 1)
    assert firm.notes()[-1].marks == ("delayed",)


# ── pieces ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _nobody_there() -> Any:
    """A server further on that takes nobody's mail."""
    return listening(smtp({"RCPT": "550 5.1.1 no such user"}))


@contextmanager
def _losing_the_answer(port: int, sent: int) -> Iterator[int]:
    """The port of a road to this one on which nothing comes back any more once so many bytes were sent; then it breaks
    off. Encryption begins before it, so that it knows no more than that."""

    def there(ours: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        passed = 0
        while data := _received(ours):
            server.sendall(data)
            passed += len(data)
            if passed >= sent and not lost.is_set():
                lost.set()
                # The rest of the mail goes on until there is none.
                ours.settimeout(1)
        for one in (ours, server):
            one.close()

    def talk(ours: socket.socket) -> None:
        lost = threading.Event()
        with socket.create_connection(("127.0.0.1", port)) as server:
            onwards = threading.Thread(target=there, args=(ours, server, lost), daemon=True)
            onwards.start()
            while data := _received(server):
                if not lost.is_set():
                    ours.sendall(data)
            onwards.join(10)

    with listening(talk) as made:
        yield made


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""


class _Courier:
    """The production courier alone, logged in as ``user``."""

    def __init__(
        self,
        server: Postfix,
        port: str = "submission",
        user: str = DESK,
        security: str = "",
        ca_file: str | None = None,
    ) -> None:
        security = security or ("starttls" if port == "submission" else "ssl")
        out = {"enabled": True, "host": "localhost", "port": server.ports[port], "security": security, "username": user}
        fields = {"group": "g", "host": "localhost", "username": DESK, "email": DESK, "outgoing": out}
        dialer = road.dialer(server.dovecot.ca_file if ca_file is None else ca_file)
        self._made = SmtpCourier(Settings.model_validate(fields), Credential(PASSWORD), dialer)

    def __enter__(self) -> SmtpCourier:
        return self._made.__enter__()

    def __exit__(self, *exception: object) -> None:
        self._made.__exit__(*exception)
