"""The way out by SMTP: how it logs in, what it tells the server beforehand, and what becomes of each recipient."""

from __future__ import annotations

import base64
import hmac
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import trustme

from shared.errors import InboundError, LoginRefused, NotSent, SettingsError, SignInNotOffered, Throttled
from shared.model.mailbox import Settings
from shared.ports import Sent
from shared.servers.address_guard import AddressGuard
from shared.servers.credential import Credential, Tokens
from shared.servers.dial import Dialer
from shared.servers.smtp import DEFAULT_PORTS, SmtpCourier
from tests.support.discovering import listening, server_context
from tests.support.mails import mail
from tests.support.road import LOOPBACK
from tests.support.scripted import Talk
from tests.support.smtpserver import PASSWORD, USER, SmtpServer, smtp

MICROSOFT = "smtp.office365.com"
ANN, BOB = "ann@x.example", "bob@y.example"

HERE = Dialer(
    AddressGuard(LOOPBACK, lambda host, port: ["127.0.0.1"]), connect_seconds=3, read_seconds=2, greeting_seconds=2
)


def _settings(email: str = USER, username: str = USER, **outgoing: Any) -> Settings:
    usual = {"enabled": True, "host": "localhost", "security": "none", **outgoing}
    return Settings.stored({"group": "g", "host": "imap.x", "username": username, "email": email, "outgoing": usual})


def _courier(port: int, credential: Credential | None = None, dialer: Dialer = HERE, **settings: Any) -> SmtpCourier:
    return SmtpCourier(_settings(port=port, **settings), credential or Credential(PASSWORD), dialer)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> Iterator[Dialer]:
    with authority.cert_pem.tempfile() as path:
        yield replace(HERE, ca_file=path)


# ── logging in ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("security", "without", "used"),
    [
        ("ssl", (), "PLAIN"),
        ("starttls", (), "PLAIN"),
        ("ssl", ("PLAIN",), "LOGIN"),
        ("ssl", ("PLAIN", "LOGIN"), "CRAM-MD5"),
        ("none", (), "CRAM-MD5"),
        ("none", ("CRAM-MD5",), "PLAIN"),
    ],
)
def test_the_best_way_that_is_offered_is_taken(
    authority: trustme.CA, trusting: Dialer, security: str, without: Sequence[str], used: str
) -> None:
    with SmtpServer(server_context(authority, "localhost"), security, without) as server:
        with _courier(server.port, dialer=trusting, security=security) as courier:
            courier.may_send()
        assert server.mood.used == [used]


def _overheard(talk: Talk, password: str, username: str = "ann") -> None:
    with listening(talk) as port, _courier(port, Credential(password), username=username):
        pass


@pytest.mark.parametrize("password", ["geheim-€", "日本語", "🔑", "a b", "x" * 400])
def test_plain_carries_every_letter(password: str) -> None:
    heard: list[bytes] = []
    _overheard(_asks(heard, b"PLAIN"), password, "änn")
    assert base64.b64decode(heard[-2].split()[-1]) == f"\0änn\0{password}".encode()


@pytest.mark.parametrize("password", ["geheim-€", "日本語", "x" * 400])
def test_login_carries_every_letter(password: str) -> None:
    heard: list[bytes] = []
    _overheard(_asks(heard, b"LOGIN", b"Username:", b"Password:"), password, "änn")
    assert [base64.b64decode(line) for line in heard[-3:-1]] == ["änn".encode(), password.encode()]


def test_cram_md5_shows_the_password_to_nobody() -> None:
    heard: list[bytes] = []
    _overheard(_asks(heard, b"CRAM-MD5", b"<1@localhost>"), "geheim-€")
    digest = hmac.new("geheim-€".encode(), b"<1@localhost>", "md5").hexdigest()
    assert base64.b64decode(heard[-2]) == f"ann {digest}".encode()


def _asks(heard: list[bytes], mechanism: bytes, *challenges: bytes) -> Talk:
    """Offers one mechanism, and asks these in turn."""

    def talk(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        waiting = list(challenges or [b""])
        while line := reader.readline():
            heard.append(line)
            if line.startswith(b"EHLO"):
                connection.sendall(b"250-hi\r\n250 AUTH " + mechanism + b"\r\n")
            elif waiting and line.count(b" ") < 2 and not line.startswith((b"MAIL", b"RCPT", b"RSET", b"QUIT")):
                connection.sendall(b"334 " + base64.b64encode(waiting.pop(0)) + b"\r\n")
            else:
                connection.sendall(b"235 in\r\n")

    return talk


@pytest.mark.parametrize("length", [40, 4000])
def test_a_token_is_sent_as_microsoft_wants_it_however_long_it_is(
    authority: trustme.CA, trusting: Dialer, length: int
) -> None:
    with SmtpServer(server_context(authority, MICROSOFT), "starttls") as server:
        server.mood.token = "t" * length
        tokens: Tokens = lambda force: server.mood.token  # noqa: E731
        with _courier(server.port, Credential(tokens=tokens), trusting, host=MICROSOFT, security="starttls") as courier:
            courier.may_send()
        assert server.mood.used == ["XOAUTH2 at once" if length < 300 else "XOAUTH2"]


def test_a_token_that_is_refused_is_replaced_once(authority: trustme.CA, trusting: Dialer) -> None:
    with SmtpServer(server_context(authority, MICROSOFT), "starttls") as server:
        server.mood.token = "the new one"
        asked: list[bool] = []

        def tokens(force: bool) -> str:
            asked.append(force)
            return "the new one" if force else "the old one"

        with _courier(server.port, Credential(tokens=tokens), trusting, host=MICROSOFT, security="starttls") as courier:
            courier.may_send()
        assert asked == [False, True]


def test_a_token_goes_nowhere_else() -> None:
    asked: list[bool] = []

    def tokens(force: bool) -> str:
        asked.append(force)
        return "token"

    for host in ("smtp.evil.example", "smtp.office365.com.evil.example", "evil-smtp.office365.com", "localhost"):
        with pytest.raises(SettingsError), _courier(1, Credential(tokens=tokens), host=host, security="ssl"):
            pass
    assert asked == []


def test_a_token_is_never_sent_in_clear_text() -> None:
    with (
        pytest.raises(SettingsError) as raised,
        _courier(1, Credential(tokens=lambda force: "token"), host=MICROSOFT, security="none"),
    ):
        pass
    assert raised.value.field == "security"


def test_a_server_that_takes_no_tokens_is_named(authority: trustme.CA, trusting: Dialer) -> None:
    context = server_context(authority, MICROSOFT)
    with (
        listening(smtp(), context) as port,
        pytest.raises(SignInNotOffered),
        _courier(port, Credential(tokens=lambda force: "token"), trusting, host=MICROSOFT, security="ssl"),
    ):
        pass


def test_a_passing_trouble_with_a_token_does_not_ask_for_another(authority: trustme.CA, trusting: Dialer) -> None:
    context, asked = server_context(authority, MICROSOFT), []

    def tokens(force: bool) -> str:
        asked.append(force)
        return "token"

    talk = smtp({"AUTH": "454 4.7.0 later"}, ("AUTH XOAUTH2",))
    with (
        listening(talk, context) as port,
        pytest.raises(Throttled),
        _courier(port, Credential(tokens=tokens), trusting, host=MICROSOFT, security="ssl"),
    ):
        pass
    assert asked == [False]


def test_nobody_logs_in_without_a_password() -> None:
    heard: list[bytes] = []
    with listening(smtp(heard=heard)) as port, pytest.raises(LoginRefused), _courier(port, Credential()):
        pass
    assert heard == []


@pytest.mark.parametrize("security", ["ssl", "starttls", "none"])
def test_a_port_that_is_not_given_is_the_usual_one(security: str) -> None:
    asked: list[int] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(port)
        raise socket.gaierror(socket.EAI_NONAME, "x")

    dialer = Dialer(AddressGuard(LOOPBACK, resolve))
    with pytest.raises(InboundError), SmtpCourier(_settings(security=security), Credential(PASSWORD), dialer):
        pass
    assert asked == [DEFAULT_PORTS[security]]
    assert 25 not in DEFAULT_PORTS.values()


# ── beforehand ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _heard(
    raw: bytes, sender: str = USER, recipients: Sequence[str] = (ANN,), offered: Sequence[str] = (), **answers: str
) -> tuple[Sent, list[str]]:
    """What became of it, and the commands."""
    heard: list[bytes] = []
    with listening(smtp(answers, ("AUTH PLAIN", *offered), heard=heard)) as port, _courier(port) as courier:
        sent = courier.send(raw, sender, recipients)
    return sent, [line.decode().strip() for line in heard]


ALL = ("SIZE 1000000", "8BITMIME", "SMTPUTF8")


def test_what_the_server_does_not_offer_is_not_asked_of_it() -> None:
    _, heard = _heard(mail())
    assert f"MAIL FROM:<{USER}>" in heard


def test_a_plain_mail_says_only_how_large_it_is() -> None:
    raw = mail(text=".dots\n..\n")
    _, heard = _heard(raw, offered=ALL)
    assert f"MAIL FROM:<{USER}> SIZE={len(raw)}" in heard  # before dots are doubled (RFC 1870, 6.1)


def test_a_mail_of_eight_bits_says_so() -> None:
    raw = "Subject: x\r\n\r\nGrüße\r\n".encode()
    _, heard = _heard(raw, offered=ALL)
    assert f"MAIL FROM:<{USER}> SIZE={len(raw)} BODY=8BITMIME" in heard


@pytest.mark.parametrize(
    ("raw", "sender", "to"),
    [("Subject: Grüße\r\n\r\nhi\r\n", USER, ANN), ("A: b\r\n\r\nhi\r\n", "dësk@firm.example", ANN), ("A: b\r\n\r\nhi\r\n", USER, "jörg@x.example")],
)  # fmt: skip
def test_letters_beyond_ascii_in_headers_and_addresses_are_announced(raw: str, sender: str, to: str) -> None:
    _, heard = _heard(raw.encode(), sender, [to], ALL)
    assert f"MAIL FROM:<{sender}> SIZE={len(raw.encode())} BODY=8BITMIME SMTPUTF8" in heard
    assert f"RCPT TO:<{to}>" in heard


def test_mail_that_no_machine_is_to_answer_has_no_sender() -> None:
    _, heard = _heard(mail(), sender="")
    assert "MAIL FROM:<>" in heard


@pytest.mark.parametrize("limit", ["0", "", "x", "99999999999999999999999"])
def test_a_size_limit_that_says_nothing_limits_nothing(limit: str) -> None:
    sent, _ = _heard(mail(), offered=(f"SIZE {limit}".strip(),))
    assert sent.refused == {}


def test_a_mail_that_is_too_large_is_not_begun() -> None:
    heard: list[bytes] = []
    talk = smtp(offered=("AUTH PLAIN", "SIZE 1048576"), heard=heard)
    with listening(talk) as port, _courier(port) as courier, pytest.raises(NotSent, match=r"1\.0 MB at most"):
        courier.send(b"x" * 1_048_577, USER, [ANN])
    assert not any(line.startswith(b"MAIL") for line in heard)


# ── recipients ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_is_named_twice_is_asked_for_once() -> None:
    _, heard = _heard(mail(), recipients=[ANN, BOB, ANN])
    assert [line for line in heard if line.startswith("RCPT")] == [f"RCPT TO:<{ANN}>", f"RCPT TO:<{BOB}>"]


@pytest.mark.parametrize(
    "address",
    [
        "a@x.example> NOTIFY=SUCCESS", "a@x.example>\r\nDATA", "a b@x.example", "<a@x.example>", "", "a\0@x.example", "a" * 400 + "@x",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_here_and_the_others_get_the_mail(address: str) -> None:
    sent, heard = _heard(mail(), recipients=[address, ANN])
    assert [line for line in heard if line.startswith("RCPT")] == [f"RCPT TO:<{ANN}>"]
    assert {one: why.status for one, why in sent.refused.items()} == {address: "5.1.3"}


def test_who_has_letters_that_the_server_cannot_carry_is_refused_here_and_the_others_get_the_mail() -> None:
    sent, heard = _heard(mail(), recipients=["jörg@x.example", ANN])
    assert {one: (why.status, why.permanent) for one, why in sent.refused.items()} == {
        "jörg@x.example": ("5.6.7", True)
    }
    assert ".".join(line for line in heard if line.startswith("RCPT")) == f"RCPT TO:<{ANN}>"


def test_when_none_can_be_written_to_the_server_is_not_asked() -> None:
    sent, heard = _heard(mail(), recipients=["jörg@x.example"])
    assert (list(sent.refused), sent.response) == (["jörg@x.example"], "")
    assert not any(line.startswith("MAIL") for line in heard)


@pytest.mark.parametrize(("answer", "permanent"), [("550 5.1.1 no", True), ("450 4.2.1 later", False), ("452 4.5.3 too many", False)])  # fmt: skip
def test_a_refusal_says_whether_to_try_again(answer: str, permanent: bool) -> None:
    sent, heard = _heard(mail(), RCPT=answer)
    (why,) = sent.refused.values()
    assert (f"{why.code} {why.status}", why.permanent) == (answer.rsplit(" ", answer.count(" ") - 1)[0], permanent)
    assert "DATA" not in heard
    assert "RSET" in heard


def test_the_words_of_a_refusal_are_cut_cleaned_and_hold_no_password() -> None:
    encoded = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    talk = smtp({"RCPT": f"550 5.1.1 \x1b[31m{PASSWORD} {encoded} \u202e" + "x" * 3000}, ("AUTH PLAIN",))
    with listening(talk) as port, _courier(port) as courier:
        (why,) = courier.send(mail(), USER, [ANN]).refused.values()
    assert len(why.text) <= 500
    assert PASSWORD not in why.text
    assert base64.b64encode(PASSWORD.encode()).decode()[4:-4] not in why.text
    assert why.text.isprintable()


def test_a_server_that_leaves_between_two_recipients_has_sent_nothing() -> None:
    talk = smtp({"RCPT": "421 4.3.2 closing"}, ("AUTH PLAIN",))
    with listening(talk) as port, _courier(port) as courier, pytest.raises(NotSent) as raised:
        courier.send(mail(), USER, [ANN, BOB])
    assert (raised.value.permanent, raised.value.in_doubt, raised.value.status) == (False, False, "4.3.2")


NOT_OWNED = "553 5.7.1 <desk@firm.example>: Sender address rejected: not owned by user ann"
"""As Postfix says it: at the recipient, as it does with all that it judges."""


def test_a_sender_who_is_refused_at_each_recipient_is_none_of_their_doing() -> None:
    talk = smtp({"RCPT": NOT_OWNED}, ("AUTH PLAIN",))
    with listening(talk) as port, _courier(port) as courier, pytest.raises(NotSent, match="send as") as raised:
        courier.send(mail(), USER, [ANN, BOB])
    assert (raised.value.permanent, raised.value.status, raised.value.field) == (True, "5.7.1", "email")


@pytest.mark.parametrize(
    "refuses",
    [
        {b"MAIL FROM:<>": "550 5.1.7 no null sender here"},
        {b"MAIL FROM:<>": "501 5.1.7 Invalid address"},
        {b"MAIL FROM:<>": "553 5.7.1 not owned by user"},
    ],
)
def test_a_server_that_takes_no_mail_without_a_sender_gets_the_mailboxs_own(refuses: dict[bytes, str]) -> None:
    heard: list[bytes] = []
    with listening(_refusing(refuses, heard)) as port, _courier(port) as courier:
        assert courier.send(mail(), "", [ANN]).refused == {}
    senders = [line.split(b">")[0] for line in heard if line.startswith(b"MAIL")]
    assert senders == [b"MAIL FROM:<", f"MAIL FROM:<{USER}".encode()]
    assert heard.count(b".\r\n") == 1


@pytest.mark.parametrize("stage", ["RCPT", "."])
def test_a_server_that_says_so_later_gets_the_mailboxs_own_sender_too(stage: str) -> None:
    """Postfix says it at the recipient, Exchange Online at the end of the mail."""
    heard: list[bytes] = []
    no = "550 5.7.60 SMTP; Client does not have permissions to send as this sender"
    with listening(_refusing({}, heard, {stage: no})) as port, _courier(port) as courier:
        assert courier.send(mail(), "", [ANN]).refused == {}
    assert len([line for line in heard if line.startswith(b"MAIL")]) == 2


def test_a_mail_with_a_sender_is_not_tried_with_another() -> None:
    heard: list[bytes] = []
    talk = _refusing({b"MAIL FROM:<desk": "550 5.1.7 no"}, heard)
    with listening(talk) as port, _courier(port) as courier, pytest.raises(NotSent):
        courier.send(mail(), USER, [ANN])
    assert len([line for line in heard if line.startswith(b"MAIL")]) == 1


def test_a_mail_without_sender_that_is_not_wanted_is_not_tried_again() -> None:
    heard: list[bytes] = []
    talk = smtp({".": "554 5.7.1 spam"}, ("AUTH PLAIN",), heard=heard)
    with listening(talk) as port, _courier(port) as courier, pytest.raises(NotSent):
        courier.send(mail(), "", [ANN])
    assert len([line for line in heard if line.startswith(b"MAIL")]) == 1


def _refusing(starts: dict[bytes, str], heard: list[bytes], null: dict[str, str] | None = None) -> Talk:
    """Refuses lines that start so; ``null``: verbs that it refuses while a mail without sender is under way."""

    def talk(connection: socket.socket) -> None:
        reader, in_mail, of_nobody = connection.makefile("rb"), False, False
        connection.sendall(b"220 hi\r\n")
        while line := reader.readline():
            heard.append(line)
            if in_mail and line != b".\r\n":
                continue
            verb = "." if in_mail else line.split(b" ")[0].strip().decode()
            in_mail = False
            of_nobody = line.startswith(b"MAIL FROM:<>") if verb == "MAIL" else of_nobody
            told = {"EHLO": "250-hi\r\n250 AUTH PLAIN", "AUTH": "235 in", "DATA": "354 go on", "QUIT": "221 bye"}
            answer = next((no for start, no in starts.items() if line.startswith(start)), told.get(verb, "250 ok"))
            if of_nobody and null and verb in null:
                answer = null[verb]
            connection.sendall(f"{answer}\r\n".encode())
            in_mail = verb == "DATA" and answer.startswith("354")

    return talk


def test_who_alone_is_not_relayed_to_is_refused_alone() -> None:
    with SmtpServer(None, "none") as server:
        server.mood.refuses = {BOB: "550 5.7.1 Unable to relay"}
        with _courier(server.port) as courier:
            assert list(courier.send(mail(), USER, [ANN, BOB]).refused) == [BOB]
        assert [one.recipients for one in server.mood.taken] == [(ANN,)]


def test_after_a_refused_mail_the_next_one_begins_anew() -> None:
    heard: list[bytes] = []
    talk = smtp({"DATA": "554 5.5.1 no"}, ("AUTH PLAIN",), heard=heard)
    with listening(talk) as port, _courier(port) as courier:
        for _ in range(2):
            with pytest.raises(NotSent):
                courier.send(mail(), USER, [ANN])
    verbs = [line.split()[0].split(b":")[0] for line in heard]
    assert verbs == [b"EHLO", b"AUTH", *[b"MAIL", b"RCPT", b"DATA", b"RSET"] * 2, b"QUIT"]


def test_a_farewell_that_goes_wrong_takes_nothing_back() -> None:
    sent, _ = _heard(mail(), QUIT="")
    assert sent.refused == {}


# ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_asking_writes_from_the_mailbox_to_itself_and_takes_it_back() -> None:
    heard: list[bytes] = []
    with listening(smtp(offered=("AUTH PLAIN", *ALL), heard=heard)) as port, _courier(port) as courier:
        courier.may_send()
    assert [line.decode().strip() for line in heard[2:]] == [f"MAIL FROM:<{USER}>", f"RCPT TO:<{USER}>", "RSET", "QUIT"]


def test_a_mailbox_without_an_address_sends_as_its_user_name_where_that_is_one() -> None:
    heard: list[bytes] = []
    with listening(smtp(heard=heard)) as port, _courier(port, email="") as courier:
        courier.may_send()
    assert f"MAIL FROM:<{USER}>\r\n".encode() in heard


def test_a_mailbox_without_any_address_cannot_send() -> None:
    with listening(smtp()) as port, _courier(port, email="", username="ann") as courier:
        with pytest.raises(SettingsError) as raised:
            courier.may_send()
        assert raised.value.field == "email"


def test_another_user_of_the_outgoing_server_is_named_to_it() -> None:
    heard: list[bytes] = []
    with listening(_asks(heard, b"PLAIN")) as port:
        outgoing = {"enabled": True, "host": "localhost", "port": port, "security": "none", "username": "relay"}
        settings = Settings.stored({"group": "g", "host": "imap.x", "username": USER, "outgoing": outgoing})
        with SmtpCourier(settings, Credential("other"), HERE) as courier:
            courier.may_send()
    assert base64.b64decode(heard[1].split()[-1]) == b"\0relay\0other"
    assert f"MAIL FROM:<{USER}>\r\n".encode() in heard
