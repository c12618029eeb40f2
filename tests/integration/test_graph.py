"""Microsoft 365 through Graph, on a stand-in that is strict about what it is asked."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.errors import FolderNotFound, MailRefused
from shared.model.inbound import MAX_RAW_BYTES
from shared.ports import Arrival
from shared.servers import graph, graph_lists, graph_state
from shared.servers.graph import GraphSource
from shared.servers.transcript import Recorder
from tests.support.mails import mail
from tests.support.microsoft import Microsoft
from tests.support.microsoft.mailbox import SECRET, GraphMailbox
from tests.support.microsoft.wire import graph_error

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(Path(tmp_path_factory.mktemp("microsoft"))) as microsoft:
        yield microsoft


@pytest.fixture
def microsoft(running: Microsoft) -> Iterator[Microsoft]:
    running.forget_requests()
    running.faults.clear()
    running.most_at_once = 0
    yield running
    assert running.violations == []
    assert running.most_at_once <= 1


@pytest.fixture
def box(microsoft: Microsoft) -> GraphMailbox:
    return GraphMailbox(microsoft, NOW - timedelta(days=180))


def _mail(number: int) -> bytes:
    return mail(message_id=f"<{number}@example.com>", subject=f"mail {number}")


def _take(source: GraphSource, cursor: str) -> tuple[list[bytes | None], str]:
    """One poll as the flow does it: keep, save the cursor, act, save again."""
    raws = []
    for arrival in source.new(cursor):
        raws.append(source.fetch(arrival))
        source.settle(arrival)
    source.cursor()
    source.act()
    return raws, source.cursor()


def _poll(box: GraphMailbox, cursor: str = "", **more: Any) -> tuple[list[bytes | None], str]:
    with box.source(**more) as source:
        return _take(source, cursor)


def _connected(box: GraphMailbox) -> str:
    """A cursor at which all is settled."""
    return _poll(box)[1]


# ── what it costs ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_idle_poll_is_one_request(box: GraphMailbox) -> None:
    cursor = _connected(box)
    for _ in range(3):
        box.microsoft.forget_requests()
        raws, cursor = _poll(box, cursor)
        assert raws == []
        assert [kind for kind, _ in box.microsoft.requests] == ["delta"]


def test_a_poll_with_new_mail_is_one_request_more_for_each(box: GraphMailbox) -> None:
    cursor = _connected(box)
    for number in range(5):
        box.deliver(_mail(number))
    box.microsoft.forget_requests()
    raws, _ = _poll(box, cursor)
    assert len(raws) == 5
    assert (box.microsoft.count("delta"), box.microsoft.count("value"), box.microsoft.count()) == (1, 5, 6)


def test_a_first_connection_to_an_empty_mailbox_is_six_requests(box: GraphMailbox) -> None:
    _connected(box)
    kinds = [kind for kind, _ in box.microsoft.requests]
    assert kinds == ["discovery", "token", "folder", "delta", "list", "delta"]


def test_a_token_serves_all_polls_of_its_hour(box: GraphMailbox) -> None:
    cursor = _connected(box)
    for _ in range(5):
        _, cursor = _poll(box, cursor)
    assert (box.microsoft.count("token"), box.microsoft.count("discovery")) == (1, 1)


# ── first connection ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_backlog_of_many_pages_comes_oldest_first_and_once(box: GraphMailbox) -> None:
    order = [(number * 37) % 250 for number in range(250)]
    for number in order:
        box.deliver(_mail(number), NOW - timedelta(days=100) + timedelta(minutes=number))
    raws, cursor = _poll(box)
    assert raws == [_mail(number) for number in range(250)]
    assert _poll(box, cursor)[0] == []


def test_a_backlog_whose_mails_are_deleted_as_they_are_taken_in_is_complete(box: GraphMailbox) -> None:
    for number in range(250):
        box.deliver(_mail(number), NOW - timedelta(minutes=250 - number))
    raws: list[bytes | None] = []
    with box.source(after_import="delete") as source:
        for arrival in source.new(""):
            raws.append(source.fetch(arrival))
            source.settle(arrival)
            if len(raws) % 25 == 0:
                source.cursor()
                source.act()
        source.cursor()
        source.act()
    assert raws == [_mail(number) for number in range(250)]
    assert box.box.messages == {}


def test_more_mails_in_one_second_than_a_page_holds_all_come(box: GraphMailbox) -> None:
    """A migration gives many mails the same second."""
    for number in range(350):
        box.deliver(_mail(number), NOW - timedelta(days=1))
    cursor, raws = "", []
    for _ in range(20):
        with box.source() as source:
            for count, arrival in enumerate(source.new(cursor)):
                if count == 60:
                    break
                raws.append(source.fetch(arrival))
                source.settle(arrival)
            cursor = source.cursor()
    assert sorted(raws, key=str) == sorted((_mail(number) for number in range(350)), key=str)


def test_a_list_in_another_order_than_asked_for_is_complete_all_the_same(box: GraphMailbox) -> None:
    for number in range(250):
        box.deliver(_mail(number), NOW - timedelta(minutes=250 - number))
    box.microsoft.fail("list", change=lambda body: {**body, "value": body["value"][::-1]}, times=99)
    raws, cursor = _poll(box)
    assert sorted(raws, key=str) == sorted((_mail(number) for number in range(250)), key=str)
    assert _poll(box, cursor)[0] == []


def test_a_mail_that_comes_during_the_backlog_comes_once(box: GraphMailbox) -> None:
    for number in range(3):
        box.deliver(_mail(number), NOW - timedelta(days=1))
    with box.source() as source:
        arrivals = source.new("")
        raws = []
        for arrival in arrivals:
            raws.append(source.fetch(arrival))
            source.settle(arrival)
            if len(raws) == 2:
                box.deliver(_mail(3))
        cursor = source.cursor()
    assert raws == [_mail(number) for number in range(4)]
    assert _poll(box, cursor)[0] == []


def test_a_folder_of_very_many_mails_is_asked_only_for_the_days_to_download(
    box: GraphMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The filter of a delta query gives 5,000 mails at most (here 20): the list by time has them all."""
    monkeypatch.setattr(graph_lists, "WALKED_WHOLE", 30)
    box.microsoft.graph.limit = 20
    for number in range(60):
        box.deliver(_mail(number), NOW - timedelta(days=300 if number < 10 else 1))
    raws, cursor = _poll(box)
    box.microsoft.graph.limit = 5000
    assert raws == [_mail(number) for number in range(10, 60)]
    first = next(request for kind, request in box.microsoft.requests if kind == "delta")
    assert "receivedDateTime ge " in first.query["$filter"]
    box.deliver(_mail(99))
    assert _poll(box, cursor)[0] == [_mail(99)]


def test_a_walk_that_takes_longer_than_a_poll_goes_on_in_the_next(
    box: GraphMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_lists, "WALK_PAGE", 10)
    monkeypatch.setattr(graph, "WALK_SECONDS", timedelta())
    for number in range(45):
        box.deliver(_mail(number))
    cursor, polls = "", 0
    raws: list[bytes | None] = []
    while not raws:
        raws, cursor = _poll(box, cursor)
        polls += 1
    assert polls == 5
    assert len(raws) == 45


def test_a_mailbox_of_a_cloud_that_knows_no_sizes_is_read_all_the_same(box: GraphMailbox) -> None:
    """China: $expand=singleValueExtendedProperties is answered by 400."""
    box.deliver(_mail(1))
    box.microsoft.graph.knows_sizes = False
    with box.source() as source:
        (arrival,) = source.new("")
        assert arrival.size == 0
        assert source.fetch(arrival) == _mail(1)
    box.microsoft.graph.knows_sizes = True


# ── delta rounds ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_round_of_many_pages_is_taken_in_over_several_polls(box: GraphMailbox) -> None:
    cursor = _connected(box)
    for number in range(230):
        box.deliver(_mail(number))
    raws: list[bytes | None] = []
    for _ in range(10):
        with box.source() as source:
            for count, arrival in enumerate(source.new(cursor)):
                if count == 40:
                    break
                raws.append(source.fetch(arrival))
                source.settle(arrival)
            cursor = source.cursor()
    assert raws == [_mail(number) for number in range(230)]
    assert box.microsoft.count("value") == 230


def test_a_page_is_not_passed_before_each_of_its_mails_is_settled(box: GraphMailbox) -> None:
    cursor = _connected(box)
    for number in range(120):
        box.deliver(_mail(number))
    with box.source() as source:
        for number, arrival in enumerate(source.new(cursor)):
            if number != 5:
                source.settle(arrival)
        cursor = source.cursor()
    assert _poll(box, cursor)[0] == [_mail(5)]


def test_removals_partial_items_repeats_and_empty_pages_are_no_mail(box: GraphMailbox) -> None:
    cursor = _connected(box)
    box.deliver(_mail(1))
    old = box.box.deliver(_mail(2), NOW - timedelta(days=300), "archive")

    def odd(body: dict[str, Any]) -> dict[str, Any]:
        (item,) = body["value"]
        changed = {"id": old.id, "isRead": True}
        removed = {"@removed": {"reason": "deleted"}, "id": old.id}
        dated = {**removed, "receivedDateTime": "2026-11-16T09:00:00Z"}
        return {**body, "value": [removed, dated, changed, item, item, {**item, "isRead": True}, {}, "x"]}

    box.microsoft.fail("delta", change=odd)
    raws, cursor = _poll(box, cursor)
    assert raws == [_mail(1)]


def test_an_empty_page_with_a_next_link_is_not_the_end(box: GraphMailbox) -> None:
    cursor = _connected(box)
    box.deliver(_mail(1))
    kept: dict[str, Any] = {}

    def empty(body: dict[str, Any]) -> dict[str, Any]:
        kept.update(body)
        link = body["@odata.deltaLink"].replace("$deltatoken", "$skiptoken")
        return {"value": [], "@odata.nextLink": f"{link}-next"}

    box.microsoft.fail("delta", change=empty)
    box.microsoft.fail("delta", change=lambda body: kept, when=lambda request: request.url.endswith("-next"))
    with box.source() as source:
        # The stand-in does not know that next link; what matters is that it is followed.
        found = list(source.new(cursor))
    assert any(request.url.endswith("-next") for _, request in box.microsoft.requests)
    assert len(found) == 1


def test_a_mail_that_is_replayed_is_not_listed_again(box: GraphMailbox) -> None:
    cursor = _connected(box)
    message = box.deliver(_mail(1))
    _, cursor = _poll(box, cursor)
    item = message.item({"id", "receivedDateTime"}, True)
    for _ in range(3):
        box.microsoft.fail("delta", change=lambda body: {**body, "value": [item]})
        raws, cursor = _poll(box, cursor)
        assert raws == []


def test_reading_a_mail_elsewhere_makes_nothing_new(box: GraphMailbox) -> None:
    message = box.deliver(_mail(1))
    cursor = _connected(box)
    for read in (True, False, True):
        box.box.mark(message.id, read)
        raws, cursor = _poll(box, cursor)
        assert raws == []


def test_a_mail_that_is_moved_away_and_back_is_the_same_mail(box: GraphMailbox) -> None:
    message = box.deliver(_mail(1))
    cursor = _connected(box)
    box.box.move(message.id, "archive")
    _, cursor = _poll(box, cursor)
    box.box.move(message.id, "inbox")
    assert _poll(box, cursor)[0] == []


def test_a_mail_that_is_rescued_from_junk_comes_whatever_its_date(box: GraphMailbox) -> None:
    message = box.box.deliver(_mail(1), NOW - timedelta(days=400), "junkemail")
    cursor = _connected(box)
    box.box.move(message.id, "inbox")
    assert _poll(box, cursor)[0] == [_mail(1)]


def test_a_mail_that_vanishes_between_list_and_fetch_is_gone_and_the_others_come(box: GraphMailbox) -> None:
    for index in range(3):
        cursor = _connected(box)
        there = [box.deliver(_mail(number)) for number in range(3)]
        box.microsoft.fail("value", before=lambda gone=there[index].id: box.box.delete(gone), skip=index)
        raws, _ = _poll(box, cursor)
        assert raws == [None if number == index else _mail(number) for number in range(3)]


# ── Graph forgets ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_forgotten_link_starts_over_and_what_is_new_comes(box: GraphMailbox) -> None:
    for number in range(40):
        box.deliver(_mail(number), NOW - timedelta(hours=50 - number))
    cursor = _connected(box)
    box.box.forget_sync()
    for number in range(40, 43):
        box.deliver(_mail(number))
    with box.source() as source:
        arrivals = list(source.new(cursor))
        assert source.starts_over
        fetched = [source.fetch(arrival) for arrival in arrivals]
        for arrival in arrivals:
            source.settle(arrival)
        cursor = source.cursor()
    assert fetched == [_mail(number) for number in range(40, 43)]
    with box.source() as source:
        assert list(source.new(cursor)) == []
        assert not source.starts_over


def test_starting_over_is_remembered_until_it_is_done(box: GraphMailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_state, "RECENT", 5)
    for number in range(30):
        box.deliver(_mail(number), NOW - timedelta(hours=50 - number))
    cursor = _connected(box)
    box.box.forget_sync()
    with box.source() as source:
        source.settle(next(source.new(cursor)))
        cursor = source.cursor()
    with box.source() as source:
        known = list(source.new(cursor))
        assert source.starts_over
    # All but the one that was settled now and the five that are remembered.
    assert len(known) == 24


def test_mail_that_was_moved_here_while_graph_forgot_is_found_by_the_look_back(box: GraphMailbox) -> None:
    box.deliver(_mail(1))
    cursor = _connected(box)
    box.box.forget_sync()
    box.deliver(_mail(2), NOW - timedelta(days=20))
    assert _poll(box, cursor)[0] == [_mail(2)]


def test_a_410_that_names_another_place_is_followed_there(box: GraphMailbox) -> None:
    cursor = _connected(box)
    box.deliver(_mail(1))
    place = f"{box.microsoft.graph_url}/users/{box.address}/mailFolders/inbox/messages/delta"
    place += "?changeType=created&$select=id,receivedDateTime"
    box.microsoft.fail("delta", reply=graph_error(410, "resyncRequired", "Resync.", Location=place))
    box.microsoft.forget_requests()
    raws, cursor = _poll(box, cursor)
    assert raws == [_mail(1)]
    assert box.microsoft.graph_url.removesuffix("/v1.0") + box.microsoft.requests[1][1].url == place


def test_a_link_that_graph_calls_malformed_starts_over_instead_of_failing_for_ever(box: GraphMailbox) -> None:
    cursor = _connected(box)
    box.deliver(_mail(1))
    box.microsoft.fail("delta", reply=graph_error(400, "BadRequest", "Badly formed token."))
    assert _poll(box, cursor)[0] == [_mail(1)]


def test_a_410_that_names_a_foreign_place_is_not_followed(box: GraphMailbox) -> None:
    cursor = _connected(box)
    box.deliver(_mail(1))
    box.microsoft.fail(
        "delta", reply=graph_error(410, "resyncRequired", "Resync.", Location="https://evil.example/v1.0/x")
    )
    assert _poll(box, cursor)[0] == [_mail(1)]


def test_a_walk_whose_next_link_expired_begins_anew(box: GraphMailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_lists, "WALK_PAGE", 10)
    monkeypatch.setattr(graph, "WALK_SECONDS", timedelta())
    for number in range(15):
        box.deliver(_mail(number))
    _, cursor = _poll(box)
    box.box.forget_sync()
    raws: list[bytes | None] = []
    for _ in range(4):
        more, cursor = _poll(box, cursor)
        raws += more
    assert raws == [_mail(number) for number in range(15)]


# ── folders ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("INBOX", ["Inbox"]),
        ("inbox", ["Inbox"]),
        ("Junk Email", ["Junk Email"]),
        ("Inbox/Orders", ["Inbox", "Orders"]),
        ("Orders", ["Inbox", "Orders"]),
        ("INBOX/Orders/2026", ["Inbox", "Orders", "2026"]),
        ("Müller & O'Neil", ["Müller & O'Neil"]),
        ("Team/Ünïcode", ["Team", "Ünïcode"]),
        ("A/B", ["A/B"]),
    ],
)
def test_a_folder_is_found_by_what_people_call_it(microsoft: Microsoft, name: str, place: list[str]) -> None:
    box = GraphMailbox(microsoft, folder=name)
    parent = ""
    for part in place:
        found = next((one for one in box.box.folders.values() if (one.name, one.parent) == (part, parent)), None)
        parent = (found or box.box.add_folder(part, parent)).id
    box.box.deliver(_mail(1), NOW, parent)
    raws, cursor = _poll(box)
    assert raws == [_mail(1)]
    box.box.deliver(_mail(2), NOW, parent)
    assert _poll(box, cursor)[0] == [_mail(2)]


def test_a_folder_that_is_not_there_is_named_with_those_that_are(microsoft: Microsoft) -> None:
    box = GraphMailbox(microsoft, folder="Oders")
    box.box.add_folder("Orders", next(iter(box.box.folders)))
    with pytest.raises(FolderNotFound, match="Oders") as raised:
        _poll(box)
    assert "Inbox, Sent Items" in raised.value.fix
    assert "Inbox/Orders" in raised.value.fix


def test_a_folder_that_is_deleted_later_is_missed_and_one_of_the_same_name_takes_its_place(
    microsoft: Microsoft,
) -> None:
    box = GraphMailbox(microsoft, folder="Orders")
    first = box.box.add_folder("Orders")
    cursor = _connected(box)
    del box.box.folders[first.id]
    with pytest.raises(FolderNotFound, match="Orders"):
        _poll(box, cursor)
    second = box.box.add_folder("Orders")
    box.box.deliver(_mail(1), NOW, second.id)
    assert _poll(box, cursor)[0] == [_mail(1)]


# ── fetching ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mail_that_proves_too_large_is_put_off_and_then_listed_as_too_large(box: GraphMailbox) -> None:
    cursor = _connected(box)
    message = box.deliver(mail(subject="huge") + b"x" * MAX_RAW_BYTES)
    with box.source() as source:
        (arrival,) = source.new(cursor)
        assert arrival.size == 0
        with pytest.raises(MailRefused):
            source.fetch(arrival)
        assert source.put_off(arrival) == 1
        cursor = source.cursor()
    message.size = 1000  # Exchange's own count is another one
    with box.source() as source:
        (arrival,) = source.new(cursor)
        assert arrival.size > MAX_RAW_BYTES
        head = source.fetch_head(arrival)
        source.skip(arrival)
        cursor = source.cursor()
    assert head is not None
    assert b"Subject: huge\r\n" in head
    assert head.endswith(b"\r\n\r\n")
    assert _poll(box, cursor)[0] == []


def test_a_mail_without_headers_of_its_own_gets_them_from_its_fields(box: GraphMailbox) -> None:
    box.deliver(mail(sender="ann@example.com", subject="Grüße", message_id="<7@example.com>"))
    box.microsoft.fail("message", change=lambda body: {**body, "internetMessageHeaders": None, "subject": "Gr\r\nX: y"})
    with box.source() as source:
        (arrival,) = source.new("")
        head = source.fetch_head(arrival)
    assert head is not None
    lines = head.decode().split("\r\n")
    assert "From: ann@example.com" in lines
    assert "Subject: Gr X: y" in lines
    assert "Message-ID: <7@example.com>" in lines


def test_an_empty_mail_is_refused_and_not_taken_for_one(box: GraphMailbox) -> None:
    box.deliver(b"")
    with box.source() as source:
        (arrival,) = source.new("")
        with pytest.raises(MailRefused):
            source.fetch(arrival)


def test_a_mail_that_graph_does_not_hand_over_stops_no_other(box: GraphMailbox) -> None:
    for number in range(3):
        box.deliver(_mail(number))
    box.microsoft.fail("value", reply=graph_error(400, "ErrorMimeContentConversionFailed", "No."), skip=1)
    with box.source() as source:
        arrivals = source.new("")
        raws = [source.fetch(first := next(arrivals))]
        with pytest.raises(MailRefused, match="ErrorMimeContentConversionFailed"):
            source.fetch(second := next(arrivals))
        raws.append(source.fetch(third := next(arrivals)))
        source.settle(first)
        source.put_off(second)
        source.settle(third)
        cursor = source.cursor()
    assert raws == [_mail(0), _mail(2)]
    assert _poll(box, cursor)[0] == [_mail(1)]


def test_when_many_mails_are_refused_the_rest_waits_and_the_cursor_fits_its_row(box: GraphMailbox) -> None:
    for number in range(300):
        box.deliver(_mail(number), NOW - timedelta(minutes=number))
    with box.source(after_import="mark_read") as source:
        for number, arrival in enumerate(source.new("")):
            if number % 3:
                source.settle(arrival)
            else:
                source.put_off(arrival)
        cursor = source.cursor()
    assert len(cursor) < 32_000
    settled = number - number // 3
    assert settled < 150
    raws: list[bytes | None] = []
    for _ in range(10):
        more, cursor = _poll(box, cursor, after_import="mark_read")
        raws += more
        assert len(cursor) < 32_000
    assert len(set(raws)) == len(raws)
    assert all(message.read for message in box.box.messages.values())


# ── after import ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_mails_are_marked_moved_or_deleted_once_they_are_settled_and_saved(microsoft: Microsoft) -> None:
    for after in ("mark_read", "move", "delete"):
        box = GraphMailbox(microsoft)
        done = box.box.add_folder("Done")
        message = box.deliver(_mail(1))
        _poll(box, after_import=after, move_to="Done")
        left = box.box.messages.get(message.id)
        if after == "delete":
            assert left is None
        else:
            assert left is not None
            assert (left.read, left.folder == done.id) == (after == "mark_read", after == "move")


def test_nothing_is_done_that_no_saved_cursor_covers(box: GraphMailbox) -> None:
    box.deliver(_mail(1))
    with box.source(after_import="delete") as source:
        for arrival in source.new(""):
            source.fetch(arrival)
            source.settle(arrival)
        source.act()
        assert len(box.box.messages) == 1
        source.cursor()
        source.act()
    assert box.box.messages == {}


def test_what_a_crash_left_undone_is_done_by_the_next_poll(box: GraphMailbox) -> None:
    for number in range(3):
        box.deliver(_mail(number))
    with box.source(after_import="delete") as source:
        for arrival in source.new(""):
            source.fetch(arrival)
            source.settle(arrival)
        cursor = source.cursor()
    box.delete(1)  # somebody else was faster with one
    raws, cursor = _poll(box, cursor, after_import="delete")
    assert raws == []
    assert box.box.messages == {}
    box.microsoft.forget_requests()
    _poll(box, cursor, after_import="delete")
    assert box.microsoft.count() == 1


def test_a_mail_that_was_skipped_stays_as_it_is(box: GraphMailbox) -> None:
    message = box.deliver(_mail(1))
    with box.source(after_import="delete") as source:
        for arrival in source.new(""):
            source.skip(arrival)
        source.cursor()
        source.act()
    assert message.id in box.box.messages


def test_a_folder_to_move_to_that_is_not_there_is_said(box: GraphMailbox) -> None:
    box.deliver(_mail(1))
    with pytest.raises(FolderNotFound, match="Nowhere"):
        _poll(box, after_import="move", move_to="Nowhere")
    assert len(box.box.messages) == 1


# ── what nobody may see ───────────────────────────────────────────────────────────────────────────────────────────


def test_neither_log_nor_transcript_holds_a_token_a_secret_an_address_or_a_mail(
    box: GraphMailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    box.deliver(_mail(12345))
    recorder = Recorder()
    _poll(box, watch=recorder, after_import="mark_read")
    shown = caplog.text + "\n".join(recorder.lines)
    assert "messages/delta" in shown
    for hidden in (SECRET, box.address, box.token(False), "12345", "It burns"):
        assert hidden not in shown


def test_a_position_is_the_immutable_id(box: GraphMailbox) -> None:
    message = box.deliver(_mail(1))
    with box.source() as source:
        (arrival,) = source.new("")
    assert arrival == Arrival(f"graph:{message.id}", len(_mail(1)), message.received)
