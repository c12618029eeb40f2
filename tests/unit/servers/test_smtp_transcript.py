"""SMTP in the transcript: readable, and without a secret in any form, also when the server echoes it."""

from __future__ import annotations

import base64
import socket

import pytest

from shared.errors import InboundError
from shared.model.mailbox import Settings
from shared.servers.credential import Credential
from shared.servers.smtp import SmtpCourier
from shared.servers.transcript import MAX_LINE, STRUCK, Recorder
from tests.support import road
from tests.support.discovering import listening
from tests.support.mails import mail
from tests.support.scripted import Talk
from tests.unit.servers.test_transcript import FORMS, PASSWORDS, _core

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")


def _courier(port: int, password: str, recorder: Recorder) -> SmtpCourier:
    outgoing = {"enabled": True, "host": "127.0.0.1", "port": port, "security": "none"}
    settings = Settings.stored({"group": "g", "username": "ann", "email": "ann@x.example", "outgoing": outgoing})
    return SmtpCourier(settings, Credential(password), road.dialer(watch=recorder))


def _echoes(mechanism: str, heard: list[bytes], secret: str, verdict: bytes = b"535") -> Talk:
    """Says back whatever it hears during the log-in, and the secret in every form that it can think of."""

    def talk(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        asked = 0
        for line in reader:
            heard.append(line)
            if line.startswith(b"EHLO"):
                connection.sendall(f"250-hi\r\n250 AUTH {mechanism}\r\n".encode())
            elif line == f"AUTH {mechanism}\r\n".encode() or (mechanism == "LOGIN" and asked == 1):
                connection.sendall(b"334 " + base64.b64encode(b"<1@h> you said " + line.strip()) + b"\r\n")
                asked += 1
            else:
                words = [line.strip(), *(make(secret).encode() for make in FORMS.values())]
                lines = b"".join(verdict + b"-5.7.8 " + word + b"\r\n" for word in words)
                connection.sendall(lines + verdict + b" 5.7.8 no\r\n")

    return talk


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("name", PASSWORDS)
def test_a_hostile_server_gets_no_password_into_the_transcript(name: str, mechanism: str) -> None:
    secret, recorder = PASSWORDS[name], Recorder()
    heard: list[bytes] = []
    with (
        listening(_echoes(mechanism, heard, secret)) as port,
        pytest.raises(InboundError) as raised,
        _courier(port, secret, recorder),
    ):
        pass
    said = "\n".join(recorder.lines)
    answers = [line.split()[-1] for line in heard if b"EHLO" not in line and line.split()[-1] != mechanism.encode()]
    assert answers  # it did log in
    for answer in answers:
        assert _core(answer.decode())[4:][: MAX_LINE // 2] not in said or len(answer) < 16
    for form, make in FORMS.items():
        shown = _core(make(secret)) if form.startswith("base64") else make(secret).strip('"')
        assert shown[: MAX_LINE // 2] not in said, form
    assert secret not in f"{raised.value.message}{raised.value.fix}"


def test_the_conversation_can_be_read() -> None:
    recorder = Recorder()
    heard: list[bytes] = []
    with listening(_echoes("PLAIN", heard, "x", b"250")) as port, _courier(port, "geheim-77", recorder) as courier:
        courier.may_send()
    said = [line.split(" ", 1)[1] for line in recorder.lines]
    assert "S: 220 hi" in said
    assert "C: EHLO [127.0.0.1]" in said
    assert f"C: {STRUCK}" in said
    assert "C: MAIL FROM:<ann@x.example>" in said
    assert "C: RSET" in said
    assert not any("geheim" in line for line in said)


def test_of_a_mail_only_its_size_is_written_down() -> None:
    def talk(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        in_mail = False
        for line in reader:
            if in_mail and line != b".\r\n":
                continue
            in_mail = line == b"DATA\r\n"
            connection.sendall(b"354 go on\r\n" if in_mail else b"250-hi\r\n250 AUTH PLAIN\r\n")

    recorder = Recorder()
    with listening(talk) as port, _courier(port, "geheim-77", recorder) as courier:
        courier.send(mail(text="canary of the body"), "ann@x.example", ["bob@y.example"])
    said = "\n".join(recorder.lines)
    assert "canary" not in said
    assert "Printer" not in said
    assert " bytes)" in said


def test_a_challenge_is_not_shown_whatever_a_server_makes_of_what_it_heard() -> None:
    backwards = base64.b64encode("geheim-77"[::-1].encode())

    def talk(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        for answer in (
            b"250-hi\r\n250 AUTH LOGIN\r\n",
            b"334 VXNlcm5hbWU6\r\n",
            b"334 x\r\n",
            b"334 " + backwards + b"\r\n",
        ):
            reader.readline()
            connection.sendall(answer)
        reader.readline()
        connection.sendall(b"535 5.7.8 no\r\n")

    recorder = Recorder()
    with listening(talk) as port, pytest.raises(InboundError), _courier(port, "geheim-77", recorder):
        pass
    said = "\n".join(recorder.lines)
    assert said.count(f"S: 334 {STRUCK}") == 3
    assert backwards.decode() not in said
