"""IMAP servers that leave something out, and names and passwords that are not plain ASCII: a real Dovecot, with some of
its answers changed on the way where it is too good."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from shared.errors import FolderNotFound, ServerUnfit, Throttled
from shared.model.mailbox import Settings
from shared.servers.credential import Credential
from shared.servers.imap import ImapSource
from tests.support import dovecot, road, scripted
from tests.support.discovering import listening
from tests.support.mails import mail

pytestmark = pytest.mark.dovecot

ODD = ('Größe & "Eilt"', "Aufträge & Rück\\fragen", "&", "受信トレイ", "&AOQ-", 'a"b', "100% *sicher*")
"""Folder names: letters beyond ASCII, what begins modified UTF-7 (RFC 3501, 5.1.3) and is in it, quotes, wildcards."""


@pytest.fixture(scope="module")
def server() -> Iterator[dovecot.Dovecot]:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d)")
    with dovecot.Dovecot() as running:
        yield running


class Box:
    """A mailbox of its own. ``port``: where it is read, if not straight from Dovecot."""

    def __init__(self, server: dovecot.Dovecot, port: int = 0, **settings: Any) -> None:
        self.user = f"u{secrets.token_hex(4)}"
        self.server = server
        fields = {"group": "g", "server_type": "imap", "host": "localhost", "security": "none", "username": self.user}
        self.settings = Settings.stored({**fields, "port": port or server.ports.imap, **settings})
        self.cursor = ""

    def deliver(self, subject: str, folder: str = "INBOX") -> None:
        client = self.server.client(self.user)
        if not client.folder_exists(folder):
            client.create_folder(folder)
        client.append(folder, mail(subject=subject, message_id=f"<{subject}@e>"))
        client.logout()

    def poll(self) -> list[str]:
        """The subjects of what is new."""
        credential, floor = Credential(dovecot.PASSWORD), date(2020, 1, 1)
        found = []
        with ImapSource(self.settings, credential, road.dialer(), floor, lambda: datetime.now(UTC)) as source:
            for arrival in source.new(self.cursor):
                raw = source.fetch(arrival) or b""
                found.append(re.findall(rb"Subject: (\w+)", raw)[0].decode())
                source.settle(arrival)
            source.act()
            self.cursor = source.cursor()
        return found

    def subjects(self, folder: str) -> list[str]:
        client = self.server.client(self.user)
        client.select_folder(folder)
        found = client.fetch(client.search("ALL"), ["ENVELOPE"])
        client.logout()
        return [answer[b"ENVELOPE"].subject.decode() for answer in found.values()]


def _takes_each_mail_once(box: Box) -> None:
    box.deliver("one")
    assert box.poll() == ["one"]
    assert box.poll() == []
    box.deliver("two")
    box.deliver("three")
    assert box.poll() == ["two", "three"]
    assert box.poll() == []


# ── what a server leaves out ────────────────────────────────────────────────────────────────────────────────────────


def _without_uidnext(line: bytes) -> bytes:
    return re.sub(rb" ?UIDNEXT \d+", b"", line) if line.startswith((b"* STATUS", b"* OK [UIDNEXT")) else line


def _without_count(line: bytes) -> bytes:
    return re.sub(rb" ?MESSAGES \d+", b"", line) if line.startswith(b"* STATUS") else line


def _with_nothing_in_status(line: bytes) -> bytes:
    return re.sub(rb"\(.*\)", b"()", line) if line.startswith(b"* STATUS") else line


@pytest.mark.parametrize("edit", [_without_uidnext, _without_count, _with_nothing_in_status])
def test_a_status_that_leaves_something_out_loses_and_doubles_nothing(
    server: dovecot.Dovecot, edit: Callable[[bytes], bytes]
) -> None:
    with listening(scripted.between(server.ports.imap, edit)) as port:
        _takes_each_mail_once(Box(server, port))


@pytest.mark.parametrize("answer", ["NO not of this folder", "BAD unknown command", "NO [CANNOT] status"])
def test_where_status_is_refused_the_folder_is_opened(server: dovecot.Dovecot, answer: str) -> None:
    with listening(scripted.between(server.ports.imap, answers={"STATUS": answer})) as port:
        _takes_each_mail_once(Box(server, port))


def test_where_status_is_refused_because_the_folder_is_gone_that_is_said(server: dovecot.Dovecot) -> None:
    box = Box(server, folder="Desk")
    box.deliver("one", "Desk")
    assert box.poll() == ["one"]
    client = server.client(box.user)
    client.delete_folder("Desk")
    client.logout()
    with pytest.raises(FolderNotFound, match="no folder Desk"):
        box.poll()


def test_a_status_that_is_refused_with_a_wish_to_wait_opens_nothing(server: dovecot.Dovecot) -> None:
    box = Box(server)
    box.deliver("one")
    box.poll()
    asked: dict[str, str] = {"STATUS": "NO Request is throttled. Suggested Backoff Time: 30000 milliseconds"}
    with listening(scripted.between(server.ports.imap, answers={**asked, "EXAMINE": "NO must not be asked"})) as port:
        box.settings = box.settings.model_copy(update={"port": port})
        with pytest.raises(Throttled) as raised:
            box.poll()
    assert raised.value.retry_after == 30


def test_a_server_without_uidvalidity_is_refused_with_the_way_out(server: dovecot.Dovecot) -> None:
    def edit(line: bytes) -> bytes:
        return b"" if line.startswith(b"* OK [UIDVALIDITY") else line

    with listening(scripted.between(server.ports.imap, edit)) as port, pytest.raises(ServerUnfit, match="UIDVALIDITY"):
        Box(server, port).poll()


# ── names and passwords ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("folder", ODD)
def test_a_folder_may_be_called_anything(server: dovecot.Dovecot, folder: str) -> None:
    box = Box(server, folder=folder)
    box.deliver("one", folder)
    assert box.poll() == ["one"]
    assert box.poll() == []
    box.deliver("two", folder)
    assert box.poll() == ["two"]


@pytest.mark.parametrize("folder", ODD)
def test_mail_may_be_moved_to_a_folder_of_any_name(server: dovecot.Dovecot, folder: str) -> None:
    box = Box(server, after_import="move", move_to=folder)
    client = server.client(box.user)
    client.create_folder(folder)
    client.logout()
    box.deliver("one")
    box.poll()
    assert box.subjects(folder) == ["one"]


def test_folders_of_any_name_are_named_as_they_are(server: dovecot.Dovecot) -> None:
    box = Box(server, folder="Nowhere")
    client = server.client(box.user)
    for folder in ODD:
        client.create_folder(folder)
    client.logout()
    with pytest.raises(FolderNotFound) as raised:
        box.poll()
    for folder in ODD:
        assert folder in raised.value.fix


LOGIN_ONLY = """
auth_mechanisms = login
auth_username_chars =
"""


def test_a_name_beyond_ascii_gets_in_by_the_mechanism_login_where_only_that_is_offered() -> None:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d)")
    with dovecot.Dovecot(more=LOGIN_ONLY) as running:
        assert Box(running, username="jörg").poll() == []
        assert Box(running, username="joerg").poll() == []
