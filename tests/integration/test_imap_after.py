"""What happens to mail on the server once it is kept: marked, moved or deleted, and nothing else touched."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from shared.errors import FolderNotFound
from shared.model.mailbox import Settings
from shared.servers.credential import Credential
from shared.servers.imap import ImapSource
from tests.support import dovecot, road
from tests.support.mails import mail

pytestmark = pytest.mark.dovecot


@pytest.fixture(scope="module", params=["all extensions", "no MOVE", "no MOVE, no UIDPLUS"])
def server(request: pytest.FixtureRequest) -> Iterator[dovecot.Dovecot]:
    if not dovecot.installed():
        pytest.skip("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d)")
    capability = {"all extensions": "", "no MOVE": "IMAP4rev1 UIDPLUS", "no MOVE, no UIDPLUS": "IMAP4rev1"}
    with dovecot.Dovecot(capability=capability[request.param]) as running:
        running.has_uidplus = "no UIDPLUS" not in request.param
        yield running


class Box:
    """A user's mailbox with three mails, the second of which somebody else has marked as deleted."""

    def __init__(self, server: dovecot.Dovecot, **settings: Any) -> None:
        self.user = f"u{secrets.token_hex(4)}"
        self.client = server.client(self.user)
        for number in range(3):
            self.client.append("INBOX", mail(message_id=f"<{number}@e>", subject=f"mail {number}"))
        self.client.select_folder("INBOX")
        self.client.add_flags([2], [rb"\Deleted"], silent=True)
        fields = {"group": "g", "host": "localhost", "port": server.ports.imaps, "username": self.user, **settings}
        self.settings = Settings.model_validate(fields)
        self.server = server

    def source(self) -> ImapSource:
        dialer = road.dialer(self.server.ca_file)
        return ImapSource(
            self.settings, Credential(dovecot.PASSWORD), dialer, date(2020, 1, 1), lambda: datetime.now(UTC)
        )

    def subjects(self, folder: str = "INBOX") -> list[str]:
        self.client.select_folder(folder)
        uids = self.client.search("ALL")
        found = self.client.fetch(uids, ["ENVELOPE"]) if uids else {}
        return [found[uid][b"ENVELOPE"].subject.decode() for uid in uids]

    def flags(self) -> dict[int, tuple[bytes, ...]]:
        self.client.select_folder("INBOX", readonly=True)
        uids = self.client.search("ALL")
        return {uid: tuple(sorted(set(flags) - {rb"\Recent"})) for uid, flags in self.client.get_flags(uids).items()}


@pytest.fixture
def made(server: dovecot.Dovecot) -> Iterator[Callable[..., Box]]:
    """Makes boxes with these settings, and lets go of them afterwards."""
    boxes: list[Box] = []

    def make(**settings: Any) -> Box:
        boxes.append(Box(server, **settings))
        return boxes[-1]

    yield make
    for box in boxes:
        box.client.shutdown()


def _take_first_and_last(box: Box, act: bool = True) -> str:
    """Settle mails 0 and 2; skip mail 1, as one that is not kept whole."""
    with box.source() as source:
        for arrival in source.new(""):
            source.fetch(arrival)
            (source.skip if arrival.position.endswith(":2") else source.settle)(arrival)
        cursor = source.cursor()
        if act:
            source.act()
            cursor = source.cursor()
    return cursor


def test_left_alone_by_default(made: Callable[..., Box]) -> None:
    box = made()
    _take_first_and_last(box)
    assert box.flags() == {1: (), 2: (rb"\Deleted",), 3: ()}


def test_marked_as_read(made: Callable[..., Box]) -> None:
    box = made(after_import="mark_read")
    _take_first_and_last(box)
    assert box.flags() == {1: (rb"\Seen",), 2: (rb"\Deleted",), 3: (rb"\Seen",)}


def test_deleted_are_only_those_that_are_kept_whole(made: Callable[..., Box]) -> None:
    box = made(after_import="delete")
    _take_first_and_last(box)
    if box.server.has_uidplus:
        # The second is marked by somebody else, and it is theirs to expunge.
        assert box.flags() == {2: (rb"\Deleted",)}
    else:
        assert box.flags() == dict.fromkeys((1, 2, 3), (rb"\Deleted",))


def test_moved_to_a_folder_with_a_name_beyond_ascii(made: Callable[..., Box]) -> None:
    box = made(after_import="move", move_to="Erledigt & übernommen")
    box.client.create_folder("Erledigt & übernommen")
    _take_first_and_last(box)
    assert box.subjects("Erledigt & übernommen") == ["mail 0", "mail 2"]
    if box.server.has_uidplus:
        assert box.subjects() == ["mail 1"]


def test_what_a_crash_left_undone_is_done_by_the_next_poll(made: Callable[..., Box]) -> None:
    box = made(after_import="mark_read")
    cursor = _take_first_and_last(box, act=False)
    assert box.flags()[1] == ()
    with box.source() as source:
        assert list(source.new(cursor)) == []
        source.act()
        cursor = source.cursor()
    assert box.flags() == {1: (rb"\Seen",), 2: (rb"\Deleted",), 3: (rb"\Seen",)}
    with box.source() as source:
        assert list(source.new(cursor)) == []
        assert source.cursor() == cursor


def test_what_was_settled_before_a_renumbering_is_not_touched_under_its_old_numbers(made: Callable[..., Box]) -> None:
    box = made(after_import="delete", folder="Box")
    box.client.create_folder("Box")
    box.client.append("Box", mail(subject="old"))
    with box.source() as source:
        (arrival,) = source.new("")
        source.settle(arrival)
        cursor = source.cursor()
    box.client.delete_folder("Box")
    box.client.create_folder("Box")
    box.client.append("Box", mail(subject="another, under the same number"))
    with box.source() as source:
        list(source.new(cursor))
        source.act()
    assert box.subjects("Box") == ["another, under the same number"]


def test_a_target_that_is_not_there_is_named_and_nothing_is_lost(made: Callable[..., Box]) -> None:
    box = made(after_import="move", move_to="Nowhere")
    with pytest.raises(FolderNotFound, match="Nowhere"):
        _take_first_and_last(box)
    assert box.subjects() == ["mail 0", "mail 1", "mail 2"]
