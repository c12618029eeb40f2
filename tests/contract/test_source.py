"""What every Source promises: the fake of the fast tests, Dovecot, and the demo server, by the same tests."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
from imapclient import IMAPClient

from shared.errors import MailRefused
from shared.model.mailbox import Settings
from shared.ports import Arrival, Source
from shared.servers.credential import Credential
from shared.servers.imap import ImapSource
from shared.servers.pop3 import Pop3Source
from tests.support import dovecot, road
from tests.support.demo import DemoServer
from tests.support.mails import mail
from tests.support.mailserver import MemoryFolder, MemorySource
from tests.support.microsoft.mailbox import GraphMailbox
from tests.support.microsoft.server import Microsoft

NOW = datetime.now(UTC).replace(microsecond=0)
FLOOR = NOW - timedelta(days=180)


class Server(Protocol):
    """A mailbox on some server, seen from its owner."""

    def deliver(self, raw: bytes, received: datetime = NOW) -> None: ...

    def delete(self, index: int) -> None: ...

    def renumber(self) -> None: ...

    def source(self) -> Source: ...

    def wire(self, raw: bytes, received: datetime) -> bytes:
        """The bytes that come back for a mail delivered at this time."""
        return raw


class MemoryServer(Server):
    """The fake."""

    def __init__(self) -> None:
        self.folder = MemoryFolder()

    def deliver(self, raw: bytes, received: datetime = NOW) -> None:
        self.folder.deliver(raw, received)

    def delete(self, index: int) -> None:
        del self.folder.mails[sorted(self.folder.mails)[index]]

    def renumber(self) -> None:
        self.folder.renumber()

    def source(self) -> Source:
        return MemorySource(self.folder, FLOOR)


class ImapServer(Server):
    """A folder on a real IMAP server; a folder of its own so that it can be made anew (that renumbers)."""

    def __init__(self, client: IMAPClient, settings: Settings, password: str, ca_file: str = "") -> None:
        self.client = client
        self.settings = settings
        self.password = password
        self.dialer = road.dialer(ca_file)
        self.folder = settings.folder
        client.create_folder(self.folder)

    def deliver(self, raw: bytes, received: datetime = NOW) -> None:
        self.client.append(self.folder, raw, msg_time=received)

    def delete(self, index: int) -> None:
        self.client.select_folder(self.folder)
        uids = self.client.search("ALL")
        self.client.delete_messages([uids[index]])
        self.client.expunge()
        self.client.close_folder()

    def renumber(self) -> None:
        self.client.select_folder(self.folder)
        uids = self.client.search("ALL")
        kept = self.client.fetch(uids, ["BODY.PEEK[]", "INTERNALDATE"]) if uids else {}
        self.client.close_folder()
        self.client.delete_folder(self.folder)
        self.client.create_folder(self.folder)
        for uid in uids:
            self.client.append(self.folder, kept[uid][b"BODY[]"], msg_time=kept[uid][b"INTERNALDATE"])

    def source(self) -> Source:
        return ImapSource(
            self.settings, Credential(self.password), self.dialer, FLOOR.date(), lambda: datetime.now(UTC)
        )


class Pop3Server(Server):
    """An INBOX on Dovecot, read by POP3, which knows a mail's time only from its Received line."""

    def __init__(self, running: dovecot.Dovecot, security: str) -> None:
        self.user = f"u{secrets.token_hex(4)}"
        self.client = running.client(self.user)
        port = running.ports.pop3s if security == "ssl" else running.ports.pop3
        self.settings = _settings("localhost", port, security, self.user, "INBOX", server_type="pop3")
        self.dialer = road.dialer(running.ca_file)

    def wire(self, raw: bytes, received: datetime) -> bytes:
        if received == NOW:
            return raw
        return f"Received: from a by b; {format_datetime(received)}\r\n".encode() + raw

    def deliver(self, raw: bytes, received: datetime = NOW) -> None:
        self.client.append("INBOX", self.wire(raw, received))

    def delete(self, index: int) -> None:
        self._expunge([self._uids()[index]])

    def renumber(self) -> None:
        uids = self._uids()
        kept = self.client.fetch(uids, ["BODY.PEEK[]"]) if uids else {}
        for uid in uids:
            self.client.append("INBOX", kept[uid][b"BODY[]"])
        self._expunge(uids)

    def _uids(self) -> list[int]:
        self.client.select_folder("INBOX")
        return list(self.client.search("ALL"))

    def _expunge(self, uids: list[int]) -> None:
        self.client.delete_messages(uids)
        self.client.expunge()

    def source(self) -> Source:
        credential = Credential(dovecot.PASSWORD)
        return Pop3Source(self.settings, credential, self.dialer, FLOOR.date(), lambda: datetime.now(UTC))


class GraphServer(GraphMailbox, Server):
    """A mailbox at the stand-in of Microsoft Graph."""

    def deliver(self, raw: bytes, received: datetime = NOW) -> None:  # type: ignore[override]
        self.box.deliver(raw, received)


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(Path(tmp_path_factory.mktemp("microsoft"))) as running:
        yield running


@pytest.fixture(scope="module")
def running_dovecot() -> Iterator[dovecot.Dovecot]:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d)")
    with dovecot.Dovecot() as running:
        yield running


@pytest.fixture(scope="module")
def running_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    with DemoServer(Path(tmp_path_factory.mktemp("demo"))) as running:
        yield running


@pytest.fixture(
    params=[
        "memory",
        pytest.param("dovecot ssl", marks=pytest.mark.dovecot),
        pytest.param("dovecot starttls", marks=pytest.mark.dovecot),
        pytest.param("pop3 ssl", marks=pytest.mark.dovecot),
        pytest.param("pop3 starttls", marks=pytest.mark.dovecot),
        "demo",
        "graph",
    ]
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    kind, _, security = request.param.partition(" ")
    if kind == "memory":
        yield MemoryServer()
        return
    if kind == "graph":
        stand_in: Microsoft = request.getfixturevalue("microsoft")
        yield GraphServer(stand_in, FLOOR)
        assert stand_in.violations == []
        return
    if kind == "pop3":
        by_pop3 = Pop3Server(request.getfixturevalue("running_dovecot"), security)
        yield by_pop3
        by_pop3.client.shutdown()
        return
    folder = f"Box-{secrets.token_hex(4)}"
    if kind == "demo":
        demo: DemoServer = request.getfixturevalue("running_demo")
        client = IMAPClient("127.0.0.1", port=demo.imap_port, ssl=False)
        client.login(demo.username, demo.password)
        settings = _settings("127.0.0.1", demo.imap_port, "none", demo.username, folder)
        yield ImapServer(client, settings, demo.password)
    else:
        running: dovecot.Dovecot = request.getfixturevalue("running_dovecot")
        port = running.ports.imaps if security == "ssl" else running.ports.imap
        client = running.client("ann")
        settings = _settings("localhost", port, security, "ann", folder)
        yield ImapServer(client, settings, dovecot.PASSWORD, running.ca_file)
    client.logout()


def _settings(host: str, port: int, security: str, username: str, folder: str, **more: Any) -> Settings:
    fields: dict[str, Any] = {"group": "g", "host": host, "port": port, "security": security, "username": username}
    return Settings.model_validate({**fields, "folder": folder, **more})


def _text(number: int) -> bytes:
    return mail(message_id=f"<{number}@example.com>", subject=f"mail {number}")


def _read(source: Source, cursor: str) -> tuple[list[bytes | None], str]:
    """Take in all that is new."""
    raws = []
    for arrival in source.new(cursor):
        raws.append(source.fetch(arrival))
        source.settle(arrival)
    return raws, source.cursor()


def _poll(server: Server, cursor: str = "") -> tuple[list[bytes | None], str]:
    with server.source() as source:
        return _read(source, cursor)


def test_an_empty_mailbox_lists_nothing(server: Server) -> None:
    raws, cursor = _poll(server)
    assert raws == []
    assert _poll(server, cursor)[0] == []


def test_a_first_connection_lists_everything_oldest_first_byte_for_byte(server: Server) -> None:
    for number in range(60):
        server.deliver(_text(number))
    assert _poll(server)[0] == [_text(number) for number in range(60)]


def test_what_is_settled_is_not_listed_again(server: Server) -> None:
    server.deliver(_text(1))
    _, cursor = _poll(server)
    server.deliver(_text(2))
    raws, cursor = _poll(server, cursor)
    assert raws == [_text(2)]
    assert _poll(server, cursor)[0] == []


def test_what_was_listed_but_not_settled_is_listed_again(server: Server) -> None:
    for number in range(5):
        server.deliver(_text(number))
    with server.source() as source:
        arrivals = source.new("")
        for _ in range(2):
            source.settle(next(arrivals))
        next(arrivals)
        cursor = source.cursor()
    assert _poll(server, cursor)[0] == [_text(2), _text(3), _text(4)]


def test_a_cursor_taken_before_anything_was_settled_loses_nothing(server: Server) -> None:
    server.deliver(_text(1))
    with server.source() as source:
        next(source.new(""))
        cursor = source.cursor()
    assert _poll(server, cursor)[0] == [_text(1)]


def test_what_was_put_off_is_listed_again_after_the_new_ones(server: Server) -> None:
    for number in range(3):
        server.deliver(_text(number))
    with server.source() as source:
        for arrival in source.new(""):
            if source.fetch(arrival) == _text(1):
                assert source.put_off(arrival) == 1
            else:
                source.settle(arrival)
        cursor = source.cursor()
    server.deliver(_text(3))
    raws, cursor = _poll(server, cursor)
    assert raws == [_text(3), _text(1)]
    assert _poll(server, cursor)[0] == []


def test_tries_are_counted_from_poll_to_poll(server: Server) -> None:
    server.deliver(_text(1))
    cursor = ""
    for tries in (1, 2, 3):
        with server.source() as source:
            (arrival,) = source.new(cursor)
            assert source.put_off(arrival) == tries
            cursor = source.cursor()


def test_a_mail_that_was_put_off_and_deleted_is_forgotten(server: Server) -> None:
    server.deliver(_text(1))
    with server.source() as source:
        (arrival,) = source.new("")
        source.put_off(arrival)
        cursor = source.cursor()
    server.delete(0)
    raws, cursor = _poll(server, cursor)
    assert raws == []
    server.deliver(_text(2))
    assert _poll(server, cursor)[0] == [_text(2)]


def test_a_mail_deleted_after_it_was_listed_is_not_there_or_refused_and_forgotten_next_time(server: Server) -> None:
    for number in range(3):
        server.deliver(_text(number))
    with server.source() as source:
        arrivals = source.new("")
        first = next(arrivals)
        server.delete(2)
        raws = []
        for one in [first, *arrivals]:
            try:
                raws.append(source.fetch(one))
                source.settle(one)
            except MailRefused:
                source.put_off(one)
        cursor = source.cursor()
    assert [raw for raw in raws if raw is not None] == [_text(0), _text(1)]
    assert _poll(server, cursor)[0] == []


def test_deleting_elsewhere_does_not_hide_what_comes_next(server: Server) -> None:
    for number in range(4):
        server.deliver(_text(number))
    _, cursor = _poll(server)
    server.delete(0)
    server.delete(1)
    server.deliver(_text(4))
    assert _poll(server, cursor)[0] == [_text(4)]


def test_a_first_connection_leaves_out_what_is_older_than_the_days_to_download(server: Server) -> None:
    for number, days in ((1, 400), (2, 200), (3, 100)):
        server.deliver(_text(number), NOW - timedelta(days=days))
    raws, cursor = _poll(server)
    assert raws == [server.wire(_text(3), NOW - timedelta(days=100))]
    # … and they do not come in later, when there is something new.
    server.deliver(_text(4))
    assert _poll(server, cursor)[0] == [_text(4)]


def test_a_mail_that_is_moved_here_later_is_new_whatever_its_date(server: Server) -> None:
    server.deliver(_text(1))
    _, cursor = _poll(server)
    old = NOW - timedelta(days=400)
    server.deliver(_text(2), old)
    assert _poll(server, cursor)[0] == [server.wire(_text(2), old)]


def test_a_first_connection_that_was_cut_off_still_leaves_out_old_mail(server: Server) -> None:
    for number in range(10):
        server.deliver(_text(number), NOW - timedelta(days=300 if number % 2 else 1))
    with server.source() as source:
        arrivals = source.new("")
        source.settle(next(arrivals))
        cursor = source.cursor()
    yesterday = NOW - timedelta(days=1)
    assert _poll(server, cursor)[0] == [server.wire(_text(number), yesterday) for number in (2, 4, 6, 8)]


def test_a_renumbered_mailbox_starts_over_under_other_positions(server: Server) -> None:
    server.deliver(_text(1))
    server.deliver(_text(2))
    with server.source() as source:
        before = [arrival.position for arrival in source.new("")]
        _, cursor = _read(source, "")
    server.renumber()
    with server.source() as source:
        arrivals = list(source.new(cursor))
        assert source.starts_over
        assert [source.fetch(arrival) for arrival in arrivals] == [_text(1), _text(2)]
    assert not {arrival.position for arrival in arrivals} & set(before)


def test_a_mailbox_that_goes_on_does_not_start_over(server: Server) -> None:
    server.deliver(_text(1))
    _, cursor = _poll(server)
    with server.source() as source:
        list(source.new(cursor))
        assert not source.starts_over


def test_positions_name_a_mail_for_ever(server: Server) -> None:
    for number in range(3):
        server.deliver(_text(number))

    def positions() -> list[str]:
        with server.source() as source:
            return [arrival.position for arrival in source.new("")]

    first = positions()
    assert len(set(first)) == 3
    server.deliver(_text(3))
    assert positions()[:3] == first


def test_size_and_time_are_those_of_the_server(server: Server) -> None:
    received = NOW - timedelta(days=3, hours=5)
    server.deliver(_text(1), received)
    with server.source() as source:
        (arrival,) = source.new("")
    assert arrival == Arrival(arrival.position, len(server.wire(_text(1), received)), received)


def test_a_mail_of_megabytes_comes_whole(server: Server) -> None:
    large = mail(text="0123456789abcdef" * 4 + "\n", attachments=(("big.bin", bytes(range(256)) * 9000),))
    server.deliver(_text(1))
    server.deliver(large)
    server.deliver(_text(2))
    assert _poll(server)[0] == [_text(1), large, _text(2)]


def test_only_the_head_of_a_mail_can_be_had(server: Server) -> None:
    server.deliver(_text(7))
    with server.source() as source:
        (arrival,) = source.new("")
        head = source.fetch_head(arrival)
    assert head is not None
    assert b"Subject: mail 7" in head
    assert b"It burns" not in head


def _listing(server: Server, days: int = 30) -> list[str]:
    with server.source() as source:
        return list(source.listing(NOW - timedelta(days=days)))


def test_the_listing_names_mails_as_the_poll_does_whatever_the_cursor_says(server: Server) -> None:
    for number in range(3):
        server.deliver(_text(number))
    with server.source() as source:
        named = []
        for arrival in source.new(""):
            named.append(arrival.position)
            source.settle(arrival)
        cursor = source.cursor()
    assert _listing(server) == named
    server.delete(1)
    assert _listing(server) == [named[0], named[2]]
    server.deliver(_text(3))
    assert len(_listing(server)) == 3
    assert _poll(server, cursor)[0] == [_text(3)]


def test_the_listing_of_an_empty_mailbox_is_empty(server: Server) -> None:
    assert _listing(server) == []


def test_the_listing_holds_everything_that_is_new_enough(server: Server) -> None:
    for number, days in ((1, 400), (2, 100), (3, 20), (4, 0)):
        server.deliver(_text(number), NOW - timedelta(days=days))
    with server.source() as source:
        received = {one.position: one.received for one in source.look_up(_listing(server, 36500))}
    assert sorted(received.values()) == [NOW - timedelta(days=days) for days in (400, 100, 20)] + [
        max(received.values())
    ]
    wanted = {position for position, at in received.items() if at >= NOW - timedelta(days=150)}
    assert wanted <= set(_listing(server, 150))


def test_a_mail_that_is_looked_up_can_be_fetched_also_after_a_poll_of_nothing(server: Server) -> None:
    for number in range(3):
        server.deliver(_text(number))
    _, cursor = _poll(server)
    positions = _listing(server)
    server.delete(0)
    with server.source() as source:
        assert list(source.new(cursor)) == []
        found = {one.position: one for one in source.look_up(positions)}
        assert set(found) == set(positions[1:])
        assert [source.fetch(found[position]) for position in positions[1:]] == [_text(1), _text(2)]
        head = source.fetch_head(found[positions[2]])
    assert head is not None
    assert b"Subject: mail 2" in head
    assert {one.size for one in found.values()} <= {0, len(_text(1))}


def test_nothing_is_looked_up_under_the_numbers_of_before(server: Server) -> None:
    server.deliver(_text(1))
    positions = _listing(server)
    server.renumber()
    with server.source() as source:
        assert list(source.look_up(positions)) == []
    assert not set(positions) & set(_listing(server))


@pytest.mark.dovecot
def test_reading_leaves_no_trace(running_dovecot: dovecot.Dovecot) -> None:
    client = running_dovecot.client("trace")
    client.append("INBOX", _text(1))
    settings = _settings("localhost", running_dovecot.ports.imaps, "ssl", "trace", "INBOX")
    _poll(ImapServerOnInbox(client, settings, running_dovecot.ca_file))
    client.select_folder("INBOX")
    assert client.search("UNSEEN") == [1]
    client.logout()


class ImapServerOnInbox(ImapServer):
    """The same on INBOX, which is there already."""

    def __init__(self, client: IMAPClient, settings: Settings, ca_file: str) -> None:
        self.client = client
        self.settings = settings
        self.folder = settings.folder
        self.password = dovecot.PASSWORD
        self.dialer = road.dialer(ca_file)
