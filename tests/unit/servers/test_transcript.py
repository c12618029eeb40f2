"""The transcript: readable, in bounds, and without a secret in any form, also when the server echoes it."""

from __future__ import annotations

import base64
import hmac
import html
import json
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from shared.errors import InboundError
from shared.model.mailbox import Settings
from shared.servers.credential import Credential
from shared.servers.imap_client import connect, hang_up, log_in
from shared.servers.transcript import MAX_LINE, MAX_LINES, STRUCK, Recorder
from tests.support import dovecot, road
from tests.support.discovering import listening
from tests.support.mails import mail

NOON = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)

PASSWORDS = {
    "plain": "correct-horse-battery",
    "quote": 'pa"ss"wo"rd',
    "backslash": "pa\\ss\\\\word\\",
    "both": '"\\"\\pa ss"',
    "percent": "pass!word%1%20%%",
    "umlauts": "Pässwörd-ß-ÄÖÜ",
    "euro": "geheim€20-日本語",
    "emoji": "s3cret🔑🔒",
    "markup": "<pa&ss>'word'",
    "spaces": "  two words  ",
    "base64-like": "cGFzc3dvcmQ=+/",
    "regex": "^.*(pass)[word]+$",
    "six": "Tr0ub4",
    "token": secrets.token_urlsafe(1536),
    "jwt": ".".join(base64.urlsafe_b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (40, 1200, 256)),
}

FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "quoted": lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"',
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "every byte percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "url": quote,
    "url, slashes too": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "html": html.escape,
    "json": lambda text: json.dumps(text)[1:-1],
    "json, raw": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "wrong charset": lambda text: text.encode().decode("latin-1"),
}


def _recorder() -> Recorder:
    return Recorder(lambda: NOON)


def _core(text: str) -> str:
    """Of base64, what does not depend on its neighbours."""
    return text.rstrip("=")[2:-2] if len(text) > 8 else text


def _shows(recorder: Recorder, text: str) -> bool:
    return any(text in line for line in recorder.lines)


# ── secrets by value ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PASSWORDS)
def test_a_secret_that_the_server_echoes_is_struck_in_every_form(name: str, form: str) -> None:
    secret = PASSWORDS[name]
    recorder, echoed = _recorder(), FORMS[form](secret)
    recorder.secret(secret)
    for before, after in (("", ""), ("A1 BAD you said ", " did you?"), ("x", "x")):
        recorder.received(f"{before}{echoed}{after}\r\n".encode())
        recorder.sent(f"{before}{echoed}{after}\r\n".encode())
        recorder.note(f"{before}{echoed}{after}")
    assert len(recorder.lines) == 9
    core = _core(echoed) if form.startswith("base64") else echoed.strip('"')
    assert not _shows(recorder, core[: MAX_LINE // 2])
    assert not _shows(recorder, secret[:200])
    assert all(STRUCK in line for line in recorder.lines)


@pytest.mark.parametrize("name", PASSWORDS)
@pytest.mark.parametrize("lead", range(7))
def test_a_secret_inside_a_sasl_answer_is_struck_at_any_offset(name: str, lead: int) -> None:
    secret = PASSWORDS[name]
    recorder = _recorder()
    recorder.secret(secret)
    for blob in (
        b"u" * lead + b"\0" + secret.encode(),
        b"\0" + b"u" * lead + b"\0" + secret.encode() + b"\n",
        b"user=" + b"u" * lead + b"\x01auth=Bearer " + secret.encode() + b"\x01\x01",
        b"n,a=" + b"u" * lead + b",\x01host=h\x01port=993\x01auth=Bearer " + secret.encode() + b"\x01\x01",
    ):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            recorder.received(b"A1 NO " + encode(blob) + b"\r\n")
    for line in recorder.lines:
        shown = line.rpartition(" ")[2].replace(STRUCK, "!")
        decoded = b"".join(_decodable(piece) for piece in shown.split("!"))
        # At the borders up to two characters may be told from the bits that they share with their neighbours.
        assert secret.encode()[2:-2] not in decoded
        assert STRUCK in line


def _decodable(piece: str) -> bytes:
    piece = re.sub(r"[^A-Za-z0-9+/_-]", "", piece).replace("-", "+").replace("_", "/")
    return base64.b64decode(piece + "A" * (-len(piece) % 4))


LETTERS = some.characters(exclude_categories=("Cc", "Cs"))
"""What a password may hold: the API refuses control characters and halves of pairs."""


@given(some.text(LETTERS, min_size=6, max_size=60), some.sampled_from(sorted(FORMS)), some.text(LETTERS, max_size=20))
@settings(max_examples=300, deadline=None)
def test_any_secret_in_any_form_anywhere_is_struck(secret: str, form: str, around: str) -> None:
    echoed = FORMS[form](secret)
    recorder = _recorder()
    recorder.secret(secret)
    recorder.received(f"{around}{echoed}{around}".encode())
    core = _core(echoed) if form.startswith("base64") else echoed
    if core not in f"{around}{STRUCK}{around}" and len(core) >= 6:
        assert not _shows(recorder, core)


def test_a_secret_that_is_part_of_another_leaves_nothing_of_the_longer_one() -> None:
    recorder = _recorder()
    recorder.secret("secret")
    recorder.secret("my-secret-token-of-today")
    recorder.received(b"my-secret-token-of-today and secret\r\n")
    assert recorder.lines == [f"12:00:00.000 S: {STRUCK} and {STRUCK}"]


def test_a_secret_that_is_known_only_later_is_struck_from_what_was_said_before() -> None:
    recorder = _recorder()
    recorder.received(b"* OK new token tok-1234567890\r\n")
    recorder.secret("tok-1234567890")
    assert recorder.lines == [f"12:00:00.000 S: * OK new token {STRUCK}"]


def test_an_empty_secret_strikes_nothing() -> None:
    recorder = _recorder()
    recorder.secret("")
    recorder.received(b"* OK hello\r\n")
    assert recorder.lines == ["12:00:00.000 S: * OK hello"]


def test_a_password_in_latin_1_is_struck_although_it_is_no_utf_8() -> None:
    recorder = _recorder()
    recorder.secret("Pässwörd")
    recorder.received("A1 BAD Pässwörd\r\n".encode("latin-1"))
    assert recorder.lines == [f"12:00:00.000 S: A1 BAD {STRUCK}"]


def test_a_secret_at_the_border_of_a_cut_line_leaves_no_beginning() -> None:
    for start in range(MAX_LINE - 30, MAX_LINE + 2):
        recorder = _recorder()
        recorder.secret("canary-password-1234")
        recorder.received(b"x" * start + b"canary-password-1234" + b"y" * 100)
        assert not _shows(recorder, "canary")


@pytest.mark.parametrize("name", ["token", "jwt"])
def test_a_token_that_is_split_over_two_lines_is_struck(name: str) -> None:
    secret = PASSWORDS[name]
    half = len(secret) // 2
    recorder = _recorder()
    recorder.secret(secret)
    recorder.received(f"* BAD {secret[:half]}\r\n".encode())
    recorder.received(f"* BAD {secret[half:]}\r\n".encode())
    assert not _shows(recorder, secret[:half][:200])
    assert not _shows(recorder, secret[half:][:200])


def test_a_long_token_that_was_said_and_cut_before_it_was_known_is_struck() -> None:
    recorder = _recorder()
    recorder.received(f"* OK {PASSWORDS['token']}\r\n".encode())
    recorder.secret(PASSWORDS["token"])
    assert not _shows(recorder, PASSWORDS["token"][:200])


# ── secrets by place ────────────────────────────────────────────────────────────────────────────────────────────────


def _cram(secret: str) -> bytes:
    return base64.b64encode(b"ann " + hmac.new(secret.encode(), b"<1@h>", "md5").hexdigest().encode())


ANSWERS: dict[str, Callable[[str], list[bytes]]] = {
    "LOGIN": lambda secret: [f'A1 LOGIN ann "{secret}"'.encode()],
    "LOGIN by literal": lambda secret: [b"A1 LOGIN ann {9}", secret.encode()],
    "PLAIN": lambda secret: [b"A1 AUTHENTICATE PLAIN", base64.b64encode(b"\0ann\0" + secret.encode())],
    "PLAIN at once": lambda secret: [b"A1 AUTHENTICATE PLAIN " + base64.b64encode(b"\0ann\0" + secret.encode())],
    "AUTH LOGIN": lambda secret: [base64.b64encode(b"ann"), base64.b64encode(secret.encode())],
    "XOAUTH2": lambda secret: [base64.b64encode(b"user=ann\x01auth=Bearer " + secret.encode() + b"\x01\x01")],
    "CRAM-MD5": lambda secret: [_cram(secret)],
    "USER and PASS": lambda secret: [b"USER ann", b"PASS " + secret.encode()],
}


@pytest.mark.parametrize("mechanism", ANSWERS)
@pytest.mark.parametrize("name", PASSWORDS)
def test_of_a_log_in_nothing_of_ours_is_written_down(name: str, mechanism: str) -> None:
    recorder = _recorder()  # it was not even told the secret
    recorder.private(True)
    for line in ANSWERS[mechanism](PASSWORDS[name]):
        recorder.sent(line + b"\r\n")
        recorder.received(b"+ " + line + b"\r\n")
    recorder.private(False)
    recorder.sent(b"A2 NOOP\r\n")
    *private, last = recorder.lines
    assert {line.split(" ", 1)[1] for line in private} <= {f"C: {STRUCK}", f"S: {STRUCK}"}
    assert last == "12:00:00.000 C: A2 NOOP"


def test_the_verdict_of_a_log_in_is_shown() -> None:
    recorder = _recorder()
    recorder.secret("geheim-77")
    recorder.private(True)
    recorder.sent(b"A1 LOGIN ann geheim-77\r\n")
    recorder.received(b"A1 NO [AUTHENTICATIONFAILED] geheim-77 is wrong\r\n")
    assert recorder.lines == [
        f"12:00:00.000 C: {STRUCK}",
        f"12:00:00.000 S: A1 NO [AUTHENTICATIONFAILED] {STRUCK} is wrong",
    ]


@pytest.mark.parametrize("mechanism", ["PLAIN", "XOAUTH2", "AUTH LOGIN"])
@pytest.mark.parametrize("name", PASSWORDS)
def test_a_server_that_echoes_the_answer_of_a_log_in_shows_nothing(name: str, mechanism: str) -> None:
    secret = PASSWORDS[name]
    recorder = _recorder()
    recorder.secret(secret)
    recorder.private(True)
    answer = ANSWERS[mechanism](secret)[-1]
    recorder.sent(answer)
    recorder.received(b"A1 BAD I do not understand " + answer + b"\r\n")
    assert not _shows(recorder, _core(answer.decode())[4:][:200])
    assert not _shows(recorder, secret[:200])


def test_the_digest_of_cram_md5_is_struck_when_it_is_echoed() -> None:
    """Who has challenge and digest can try passwords at leisure."""
    recorder = _recorder()
    recorder.secret("geheim-77")
    recorder.private(True)
    recorder.sent(_cram("geheim-77"))
    recorder.received(b"A1 NO " + _cram("geheim-77") + b"\r\n")
    assert not _shows(recorder, _core(_cram("geheim-77").decode()))


# ── in bounds ───────────────────────────────────────────────────────────────────────────────────────────────────────

CONTROLS = [*range(9), *range(0x0A, 0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]  # fmt: skip


def test_control_characters_are_not_shown() -> None:
    recorder = _recorder()
    for code in CONTROLS:
        recorder.received(f"* OK a{chr(code)}b\r\n".encode())
        recorder.note(f"a{chr(code)}b")
    assert not any(chr(code) in line for line in recorder.lines for code in CONTROLS)
    assert {line.split(" ", 1)[1] for line in recorder.lines} == {"S: * OK a?b", "* a?b"}


def test_a_server_cannot_write_a_line_of_its_own() -> None:
    recorder = _recorder()
    recorder.received(b"* OK hi\n12:00:00.000 C: A1 DELETE everything\r\n")
    recorder.note("hello\r\n12:00:00.000 * all is well")
    assert len("\n".join(recorder.lines).splitlines()) == 2


def test_bytes_that_are_no_text_are_shown_somehow() -> None:
    recorder = _recorder()
    recorder.received(bytes(range(256)))
    assert len(recorder.lines) == 1
    recorder.lines[0].encode()


def test_a_line_of_ten_megabytes_is_cut_in_no_time() -> None:
    recorder = _recorder()
    recorder.secret(PASSWORDS["token"])
    began = time.monotonic()
    recorder.received(b"x" * 10_000_000)
    assert time.monotonic() - began < 2
    assert len(recorder.lines[0]) < MAX_LINE + 60
    assert "(10000000 characters)" in recorder.lines[0]


def test_of_ten_thousand_lines_the_newest_stay() -> None:
    recorder = _recorder()
    for number in range(10_000):
        recorder.received(f"* {number} EXISTS\r\n".encode())
    assert len(recorder.lines) == MAX_LINES
    assert recorder.lines[-1] == "12:00:00.000 S: * 9999 EXISTS"
    assert recorder.lines[0] == f"12:00:00.000 S: * {10_000 - MAX_LINES} EXISTS"


# ── a real conversation ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def server() -> Iterator[dovecot.Dovecot]:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d)")
    with dovecot.Dovecot() as running:
        yield running


@pytest.mark.dovecot
@pytest.mark.parametrize("security", ["ssl", "starttls", "none"])
def test_a_conversation_with_dovecot_can_be_read_and_holds_no_mail(server: dovecot.Dovecot, security: str) -> None:
    body = "canary-of-the-body"
    owner = server.client("tess")
    owner.append("INBOX", mail(f"<{secrets.token_hex(8)}@x>", text=body))
    owner.logout()
    recorder = Recorder()
    port = server.ports.imaps if security == "ssl" else server.ports.imap
    described = {"group": "g", "host": "localhost", "port": port, "security": security, "username": "tess"}
    configured = Settings.model_validate(described)
    client = connect(configured, road.dialer(server.ca_file, watch=recorder))
    try:
        log_in(client, configured, Credential(dovecot.PASSWORD), recorder)
        client.select_folder("INBOX", readonly=True)
        uids = client.search("ALL")
        fetched = client.fetch(uids, ["BODY.PEEK[]"])
        assert body.encode() in fetched[uids[-1]][b"BODY[]"]
    finally:
        hang_up(client)
    text = "\n".join(recorder.lines)
    assert body not in text
    assert dovecot.PASSWORD not in text
    for words in ("connected to localhost:", "S: * OK", f"C: {STRUCK}", "EXAMINE", "SEARCH", "BODY.PEEK[]", "bytes)"):
        assert words in text
    assert ("encrypted with TLSv1." in text) == (security == "ssl")


@pytest.mark.parametrize("name", PASSWORDS)
def test_a_hostile_server_gets_no_password_into_the_transcript(name: str) -> None:
    """It sends back whatever it hears, as it is and in every form of it that it can think of."""
    secret = PASSWORDS[name]
    heard: list[bytes] = []

    def echo(connection: socket.socket) -> None:
        connection.sendall(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hello\r\n")
        lines = connection.makefile("rb")
        tag = b""
        for line in lines:
            heard.append(line)
            # Before the log-in it does not know the secret yet.
            for text in (line.decode("utf-8", "replace").strip(), secret if tag or b"AUTHENTICATE" in line else ""):
                for form in FORMS.values():
                    connection.sendall(f"* OK {form(text)}\r\n".encode())
            if b"AUTHENTICATE" in line:
                tag = line.split()[0]
                connection.sendall(b"+ \r\n")
            elif b"CAPABILITY" in line:
                connection.sendall(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n" + line.split()[0] + b" OK done\r\n")
            else:
                connection.sendall((tag or line.split()[0]) + b" NO " + line.strip() + b"\r\n")

    recorder = Recorder()
    with listening(echo) as port:
        configured = Settings(group="g", host="127.0.0.1", port=port, security="none", username="ann")
        client = connect(configured, road.dialer(watch=recorder))
        try:
            with pytest.raises(InboundError):
                log_in(client, configured, Credential(secret), recorder)
        finally:
            hang_up(client)
    said = b"".join(heard)
    assert base64.b64encode(b"\0ann\0" + secret.encode()) in said or secret.encode() in said
    for form, make in FORMS.items():
        shown = _core(make(secret)) if form.startswith("base64") else make(secret).strip('"')
        assert not _shows(recorder, shown[: MAX_LINE // 2]), form
