"""What an idle poll costs in round trips, by IMAP and by POP3. Counted is each time that we speak after the server did:
continuations of a log-in and the question for capabilities are in it, commands sent together are one."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from shared.model.mailbox import Settings
from shared.ports import Nobody, Source
from shared.servers.credential import Credential
from shared.servers.imap import ImapSource
from shared.servers.imap_client import hang_up
from shared.servers.pop3 import Pop3Source
from shared.servers.warm import MAX_CLIENTS, WarmClients
from tests.support import dovecot, road, scripted
from tests.support.discovering import listening
from tests.support.mails import mail

pytestmark = pytest.mark.dovecot


class Counter(Nobody):
    """Counts round trips, and keeps the lines that we send."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._round_trips = 0
        self._server_spoke = True

    def sent(self, line: bytes) -> None:
        self._round_trips += self._server_spoke
        self._server_spoke = False
        self._lines += line.splitlines()

    def received(self, line: bytes) -> None:
        self._server_spoke = True

    def take(self) -> tuple[int, list[str]]:
        """Round trips since the last time, and the commands that were sent (a continuation is "…")."""
        lines = [line.decode().split() for line in self._lines if line]
        names = [next((word for word in words[:2] if word in COMMANDS), "…") for words in lines]
        counted = self._round_trips
        self._lines, self._round_trips, self._server_spoke = [], 0, True
        return counted, names


COMMANDS = frozenset(
    {"CAPABILITY", "AUTHENTICATE", "LOGIN", "STARTTLS", "STATUS", "EXAMINE", "SEARCH", "CLOSE", "LOGOUT"}
    | {"CAPA", "STLS", "AUTH", "USER", "PASS", "STAT", "UIDL", "LIST", "QUIT"}
)


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

    def __init__(self, server: dovecot.Dovecot, warm: WarmClients | None, **settings: Any) -> None:
        self.user = f"u{secrets.token_hex(4)}"
        self.server = server
        self.warm = warm
        self.counter = Counter()
        self.cursor = ""
        fields: dict[str, Any] = {"group": "g", "server_type": "imap", "host": "localhost", "port": server.ports.imaps}
        self.settings = Settings.stored({**fields, "username": self.user, **settings})

    def deliver(self, subject: str) -> None:
        client = self.server.client(self.user)
        client.append("INBOX", mail(subject=subject, message_id=f"<{subject}@e>"))
        client.logout()

    def poll(self) -> list[bytes]:
        found = []
        with self._source() as source:
            for arrival in source.new(self.cursor):
                found.append(source.fetch(arrival) or b"")
                source.settle(arrival)
            self.cursor = source.cursor()
        return found

    def idle_poll(self) -> tuple[int, list[str]]:
        """Round trips and commands of a poll that brings nothing."""
        self.counter.take()
        assert self.poll() == []
        return self.counter.take()

    def _source(self) -> Source:
        dialer = road.dialer(self.server.ca_file, self.counter)
        credential, floor = Credential(dovecot.PASSWORD), date(2020, 1, 1)
        if self.settings.server_type == "pop3":
            return Pop3Source(self.settings, credential, dialer, floor, lambda: datetime.now(UTC))
        place = (self.warm, self.user) if self.warm else None
        return ImapSource(self.settings, credential, dialer, floor, lambda: datetime.now(UTC), place)


def test_an_idle_poll_of_a_cold_mailbox_is_a_log_in_and_one_status(server: dovecot.Dovecot) -> None:
    """The greeting tells the capabilities, and the log-in takes its answer along (SASL-IR)."""
    poller = Poller(server, None)
    poller.deliver("first")
    assert len(poller.poll()) == 1
    assert poller.idle_poll() == (2, ["AUTHENTICATE", "STATUS"])


def test_starttls_costs_itself_and_the_capabilities_inside_it(server: dovecot.Dovecot) -> None:
    poller = Poller(server, None, security="starttls", port=server.ports.imap)
    poller.deliver("first")
    poller.poll()
    # What was told in clear text may be anybody's.
    assert poller.idle_poll() == (4, ["STARTTLS", "CAPABILITY", "AUTHENTICATE", "STATUS"])


def test_a_server_that_tells_no_capabilities_is_asked_and_one_without_sasl_ir_is_answered(
    server: dovecot.Dovecot,
) -> None:
    def edit(line: bytes) -> bytes:
        line = re.sub(rb"^\* OK \[CAPABILITY [^]]*\]", b"* OK", line)
        return line.replace(b" SASL-IR", b"")

    with listening(scripted.between(server.ports.imap, edit)) as port:
        poller = Poller(server, None, security="none", port=port)
        poller.deliver("first")
        poller.poll()
        assert poller.idle_poll() == (4, ["CAPABILITY", "AUTHENTICATE", "…", "STATUS"])


def test_an_idle_poll_of_a_warm_mailbox_is_one_round_trip(server: dovecot.Dovecot, warm: WarmClients) -> None:
    poller = Poller(server, warm)
    poller.deliver("first")
    assert len(poller.poll()) == 1
    for _ in range(3):
        assert poller.idle_poll() == (1, ["STATUS"])


def test_the_first_poll_of_a_warm_mailbox_leaves_the_next_one_nothing_to_clear_up(
    server: dovecot.Dovecot, warm: WarmClients
) -> None:
    poller = Poller(server, warm)
    poller.poll()
    _, commands = poller.counter.take()
    assert commands[-1] == "CLOSE"
    assert poller.idle_poll() == (1, ["STATUS"])


@pytest.mark.parametrize("count", [1, 30])
def test_an_idle_poll_by_pop3_does_not_grow_with_what_lies_there(server: dovecot.Dovecot, count: int) -> None:
    poller = Poller(server, None, server_type="pop3", port=server.ports.pop3s)
    for number in range(count):
        poller.deliver(f"mail {number}")
    assert len(poller.poll()) == count
    assert poller.idle_poll() == (5, ["CAPA", "AUTH", "…", "STAT", "UIDL", "QUIT"])


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
