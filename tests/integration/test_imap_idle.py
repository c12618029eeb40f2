"""What an idle poll costs, counted in lines that we send: each is a round trip."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from shared.model.mailbox import Settings
from shared.ports import Nobody
from shared.servers.credential import Credential
from shared.servers.imap import ImapSource
from shared.servers.imap_client import hang_up
from shared.servers.warm import MAX_CLIENTS, WarmClients
from tests.support import dovecot, road
from tests.support.mails import mail

pytestmark = pytest.mark.dovecot


class Counter(Nobody):
    """Counts and keeps the lines that we send."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def sent(self, line: bytes) -> None:
        self.lines.append(line)

    def commands(self) -> list[str]:
        """The names of the commands sent since the last time."""
        names = [line.split()[1].decode() for line in self.lines if len(line.split()) > 1]
        self.lines = []
        return names


@pytest.fixture(scope="module")
def server() -> Iterator[dovecot.Dovecot]:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d)")
    with dovecot.Dovecot() as running:
        yield running


@pytest.fixture
def warm() -> Iterator[WarmClients]:
    clients = WarmClients(hang_up)
    yield clients
    clients.close()


class Poller:
    """Polls a mailbox of its own, as the app does."""

    def __init__(self, server: dovecot.Dovecot, warm: WarmClients | None) -> None:
        self.user = f"u{secrets.token_hex(4)}"
        self.server = server
        self.warm = warm
        self.counter = Counter()
        self.cursor = ""
        fields: dict[str, Any] = {"group": "g", "host": "localhost", "port": server.ports.imaps}
        self.settings = Settings.model_validate({**fields, "username": self.user})

    def deliver(self, subject: str) -> None:
        client = self.server.client(self.user)
        client.append("INBOX", mail(subject=subject, message_id=f"<{subject}@e>"))
        client.logout()

    def poll(self) -> list[bytes]:
        place = (self.warm, self.user) if self.warm else None
        dialer = road.dialer(self.server.ca_file, self.counter)
        floor, now = date(2020, 1, 1), lambda: datetime.now(UTC)
        found = []
        with ImapSource(self.settings, Credential(dovecot.PASSWORD), dialer, floor, now, place) as source:
            for arrival in source.new(self.cursor):
                found.append(source.fetch(arrival) or b"")
                source.settle(arrival)
            self.cursor = source.cursor()
        return found


def test_an_idle_poll_of_a_cold_mailbox_is_a_log_in_and_one_status(server: dovecot.Dovecot) -> None:
    poller = Poller(server, None)
    poller.deliver("first")
    assert len(poller.poll()) == 1
    poller.counter.commands()
    assert poller.poll() == []
    assert poller.counter.commands() == ["CAPABILITY", "AUTHENTICATE", "STATUS"]


def test_an_idle_poll_of_a_warm_mailbox_is_one_round_trip(server: dovecot.Dovecot, warm: WarmClients) -> None:
    poller = Poller(server, warm)
    poller.deliver("first")
    assert len(poller.poll()) == 1
    poller.counter.commands()
    for _ in range(3):
        assert poller.poll() == []
        assert poller.counter.commands() == ["STATUS"]


def test_a_warm_connection_sees_what_arrives(server: dovecot.Dovecot, warm: WarmClients) -> None:
    poller = Poller(server, warm)
    assert poller.poll() == []
    for subject in ("one", "two", "three"):
        poller.deliver(subject)
        (raw,) = poller.poll()
        assert f"Subject: {subject}".encode() in raw
    assert poller.poll() == []


def test_a_warm_connection_that_the_server_closed_is_replaced_without_a_word(
    server: dovecot.Dovecot, warm: WarmClients
) -> None:
    poller = Poller(server, warm)
    poller.poll()
    client = warm.take(poller.user)
    assert client is not None
    client._imap.sock.close()
    warm.park(poller.user, client)
    poller.deliver("after the break")
    assert len(poller.poll()) == 1


def test_a_connection_waits_for_its_own_mailbox_only_and_not_for_ever() -> None:
    gone: list[str] = []
    time = [0.0]
    clients = WarmClients(gone.append, lambda: time[0])
    clients.park("a", "client a")
    assert clients.take("b") is None
    assert clients.take("a") == "client a"
    assert clients.take("a") is None
    clients.park("a", "client a")
    time[0] += 3600
    assert clients.take("a") is None
    assert gone == ["client a"]


def test_only_so_many_connections_wait_and_the_oldest_go_first() -> None:
    gone: list[str] = []
    count: Callable[[], float] = iter(range(1000)).__next__
    clients = WarmClients(gone.append, lambda: count() / 1000)
    for number in range(MAX_CLIENTS + 2):
        clients.park(f"{number}", f"client {number}")
    assert gone == ["client 0", "client 1"]
