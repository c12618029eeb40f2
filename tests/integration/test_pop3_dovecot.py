"""POP3 against a real Dovecot: every way in, and what only a real server does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.errors import CertificateRefused, ConsentNeeded, LoginRefused, MailRefused, TlsRequired
from shared.servers.transcript import Recorder
from tests.support import dovecot, road
from tests.support.mails import mail
from tests.support.pop3server import read, source

pytestmark = pytest.mark.dovecot

KEY = secrets.token_bytes(32)
"""What the tokens of the tests are signed with."""

OAUTH = """
auth_mechanisms = {mechanisms}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {home}/oauth2.conf
}}
"""


class OauthDovecot(dovecot.Dovecot):
    """Lets in with a token (a JWT signed with ``KEY``), too. ``mechanisms``: what it offers."""

    mechanisms = "plain login xoauth2 oauthbearer"

    def _write_files(self) -> None:
        super()._write_files()
        keys = self._home / "keys" / "default" / "HS256"
        keys.mkdir(parents=True)
        (keys / "default").write_bytes(base64.b64encode(KEY))
        (self._home / "oauth2.conf").write_text(
            "introspection_mode = local\n"
            f"local_validation_key_dict = fs:posix:prefix={self._home}/keys/\n"
            "username_attribute = sub\n"
        )
        config = Path(self._home / "dovecot.conf")
        # The first passdb that knows a mechanism decides, so this one must come first.
        text = config.read_text().replace("listen = 127.0.0.1\n", "listen = 127.0.0.1, 127.0.0.2\n")
        text = text.replace(
            "auth_mechanisms = plain login\n", OAUTH.format(home=self._home, mechanisms=self.mechanisms)
        )
        config.write_text(
            text.replace(
                "driver = static\n  args = password", "driver = static\n  mechanisms = plain login\n  args = password"
            )
        )


def _token(user: str, seconds: int = 600) -> str:
    now = int(time.time())
    claims = {"sub": user, "iat": now - 5, "nbf": now - 5, "exp": now + seconds}
    signed = f"{_base64url({'alg': 'HS256', 'typ': 'JWT'})}.{_base64url(claims)}"
    signature = hmac.new(KEY, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _base64url(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.fixture(scope="module")
def server() -> Iterator[dovecot.Dovecot]:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d)")
    with OauthDovecot(allow_plain=False) as running:
        yield running


@pytest.fixture
def user() -> str:
    return f"ann{secrets.token_hex(4)}"


def _now() -> datetime:
    return datetime.now(UTC)


def _text(number: int) -> bytes:
    return mail(message_id=f"<{number}@example.com>", subject=f"mail {number}", text=f".{number}\n.\n..\n")


def _deliver(server: dovecot.Dovecot, user: str, *raws: bytes) -> None:
    client = server.client(user)
    for raw in raws:
        client.append("INBOX", raw)
    client.logout()


def _poll(server: dovecot.Dovecot, user: str, cursor: str = "", **options: Any) -> tuple[list[bytes | None], str]:
    fields = {
        "security": "ssl",
        "port": server.ports.pop3s,
        "credential": dovecot.PASSWORD,
        "username": user,
        **options,
    }
    watch = fields.pop("watch", Recorder())
    with source(fields.pop("port"), _now, dialer=road.dialer(server.ca_file, watch), **fields) as opened:
        raws, _ = read(opened, cursor)
        opened.act()
        return raws, opened.cursor()


@pytest.mark.parametrize("security", ["ssl", "starttls", "none"])
@pytest.mark.parametrize("way", ["password", "token"])
def test_every_way_in_leads_to_the_mail_byte_for_byte(
    server: dovecot.Dovecot, user: str, security: str, way: str
) -> None:
    raws = [_text(number) for number in range(30)]
    _deliver(server, user, *raws)
    options: dict[str, Any] = {"security": security}
    options["port"] = server.ports.pop3s if security == "ssl" else server.ports.pop3
    options["credential"] = dovecot.PASSWORD if way == "password" else lambda renew: _token(user)
    recorder = Recorder()
    found, cursor = _poll(server, user, watch=recorder, **options)
    assert found == raws
    assert _poll(server, user, cursor, **options) == ([], cursor)
    assert any(("PLAIN" if way == "password" else "XOAUTH2") in line for line in recorder.lines if "C: AUTH" in line)


def test_an_unknown_authority_is_refused(server: dovecot.Dovecot, user: str) -> None:
    for security, port in (("ssl", server.ports.pop3s), ("starttls", server.ports.pop3)):
        opened = source(port, _now, dovecot.PASSWORD, security=security, username=user)
        with pytest.raises(CertificateRefused, match="not known here"), opened:
            pass


def test_ssl_on_the_plain_port_says_which_port_to_use(server: dovecot.Dovecot, user: str) -> None:
    with pytest.raises(TlsRequired, match="without encryption") as raised:
        _poll(server, user, port=server.ports.pop3)
    assert "995" in raised.value.fix


def test_a_server_that_wants_encryption_for_passwords_says_so(server: dovecot.Dovecot, user: str) -> None:
    # From 127.0.0.1 to itself Dovecot takes clear text always; another loopback address is "outside" to it.
    with pytest.raises(TlsRequired, match="only over encryption"):
        _poll(server, user, security="none", host="127.0.0.2", port=server.ports.pop3)


def test_long_lines_dots_and_megabytes_come_whole(server: dovecot.Dovecot, user: str) -> None:
    raws = [
        mail(message_id=f"<{length}@example.com>") + b"x" * length + b"\r\n" for length in (2_048, 100_000, 5_000_000)
    ]
    raws.append(mail(message_id="<dots@example.com>") + b".\r\n..\r\n.x\r\n\r\n.\r\n" * 1_000)
    _deliver(server, user, *raws)
    assert _poll(server, user)[0] == raws


def test_mail_is_deleted_when_it_was_taken_in_by_an_earlier_session(server: dovecot.Dovecot, user: str) -> None:
    _deliver(server, user, _text(1), _text(2))
    raws, cursor = _poll(server, user, deletes_after=0)
    assert len(raws) == 2
    _deliver(server, user, _text(3))
    raws, cursor = _poll(server, user, cursor, deletes_after=0)
    assert raws == [_text(3)]
    client = server.client(user)
    assert client.search("ALL") == [3]
    client.logout()
    raws, cursor = _poll(server, user, cursor, deletes_after=0)
    assert raws == []
    client = server.client(user)
    assert client.search("ALL") == []
    client.logout()


def test_reading_leaves_every_mail_where_it_is(server: dovecot.Dovecot, user: str) -> None:
    _deliver(server, user, _text(1), _text(2))
    _, cursor = _poll(server, user)
    _poll(server, user, cursor)
    client = server.client(user)
    assert client.search("ALL") == [1, 2]
    assert client.search("DELETED") == []
    client.logout()


def test_a_mail_deleted_by_another_client_after_it_was_listed(server: dovecot.Dovecot, user: str) -> None:
    _deliver(server, user, *[_text(number) for number in range(30)])
    options: dict[str, Any] = {"security": "ssl", "username": user}
    with source(server.ports.pop3s, _now, dovecot.PASSWORD, dialer=road.dialer(server.ca_file), **options) as opened:
        arrivals = list(opened.new(""))
        client = server.client(user)
        client.delete_messages([30])
        client.expunge()
        client.logout()
        for arrival in arrivals[:29]:
            assert opened.fetch(arrival) is not None
            opened.settle(arrival)
        with pytest.raises(MailRefused):
            opened.fetch(arrivals[29])
        opened.put_off(arrivals[29])
        cursor = opened.cursor()
    assert _poll(server, user, cursor)[0] == []


# Last, because after each refusal Dovecot makes this address wait, up to 15 s (auth penalty).


def test_a_server_with_the_standard_way_alone_takes_a_token_and_refuses_an_old_one(user: str) -> None:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d)")
    running = OauthDovecot(allow_plain=False, more="auth_failure_delay = 0")
    running.mechanisms = "plain oauthbearer"
    recorder = Recorder()
    with running:
        _deliver(running, user, _text(1))
        assert _poll(running, user, credential=lambda renew: _token(user), watch=recorder)[0] == [_text(1)]
        with pytest.raises(ConsentNeeded):
            _poll(running, user, credential=lambda renew: _token(user, seconds=-60))
    assert any("C: AUTH OAUTHBEARER" in line for line in recorder.lines)
    assert not any("XOAUTH2" in line and "C:" in line for line in recorder.lines)


def test_a_token_that_has_ended_asks_for_a_new_sign_in(server: dovecot.Dovecot, user: str) -> None:
    asked: list[bool] = []

    def token(renew: bool) -> str:
        asked.append(renew)
        return _token(user, seconds=-60)

    recorder = Recorder()
    with pytest.raises(ConsentNeeded):
        _poll(server, user, credential=token, watch=recorder)
    assert asked == [False, True]
    assert not any("eyJ" in line for line in recorder.lines)


def test_a_wrong_password_beyond_ascii_is_sent_and_judged(server: dovecot.Dovecot, user: str) -> None:
    with pytest.raises(LoginRefused, match="user name and password"):
        _poll(server, user, credential="Paßwort€")
