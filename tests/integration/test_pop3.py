"""POP3 as a ``Source``, against a server that does as it is told: what is listed, kept, left and deleted, and at what
price."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from shared.errors import AccessDenied, MailRefused, SettingsError
from shared.model.inbound import MAX_RAW_BYTES
from shared.servers import pop3_dates
from shared.servers.pop3 import Pop3Source
from shared.servers.transcript import Recorder
from tests.support import road
from tests.support.mails import mail
from tests.support.pop3server import CAPABILITIES, PASSWORD, Faults, Pop3Server, read, source

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server() as running:
        yield running


def _text(number: int, received: datetime | None = NOON - timedelta(days=1)) -> bytes:
    """A mail that a server received at some time."""
    raw = mail(message_id=f"<{number}@example.com>", subject=f"mail {number}", text=f".{number}\n..\n.\n")
    if received is None:
        return raw
    return f"Received: from a by b; {received:%a, %d %b %Y %H:%M:%S} +0000 (UTC)\r\n".encode() + raw


def _poll(server: Pop3Server, now: Clock, cursor: str = "", **options: Any) -> tuple[list[bytes | None], str]:
    """What the flow does: take in, save the cursor, act, save the cursor."""
    server.heard.clear()
    with source(server.port, now, **options) as opened:
        raws, _ = read(opened, cursor)
        opened.act()
        return raws, opened.cursor()


# ── what is new ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_idle_poll_costs_five_commands_and_changes_no_cursor(server: Pop3Server, clock: Clock) -> None:
    for number in range(3):
        server.deliver(_text(number))
    _, cursor = _poll(server, clock)
    assert _poll(server, clock, cursor) == ([], cursor)
    assert server.verbs == ["CAPA", "AUTH", "STAT", "UIDL", "QUIT"]


def test_an_idle_poll_of_a_server_without_pipelining_costs_the_same_commands(server: Pop3Server, clock: Clock) -> None:
    server.capabilities = None
    server.deliver(_text(1))
    _, cursor = _poll(server, clock)
    assert _poll(server, clock, cursor) == ([], cursor)
    assert server.verbs == ["CAPA", "USER", "PASS", "STAT", "UIDL", "QUIT"]


def test_an_idle_poll_of_an_empty_mailbox_asks_only_how_many_there_are(server: Pop3Server, clock: Clock) -> None:
    _, cursor = _poll(server, clock)
    assert _poll(server, clock, cursor) == ([], cursor)
    assert server.verbs[-2:] == ["STAT", "QUIT"]


def test_a_few_new_mails_are_asked_for_one_by_one(server: Pop3Server, clock: Clock) -> None:
    for number in range(20):
        server.deliver(_text(number))
    _, cursor = _poll(server, clock)
    server.deliver(_text(20))
    server.deliver(_text(21))
    raws, _ = _poll(server, clock, cursor)
    assert raws == [_text(20), _text(21)]
    asked = [line for line in server.heard if line.startswith(("UIDL", "LIST", "RETR", "TOP"))]
    assert asked == ["UIDL 20", "UIDL 21", "UIDL 22", "LIST 21", "LIST 22", "RETR 21", "RETR 22"]


def test_many_new_mails_are_asked_for_at_once(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(0))
    _, cursor = _poll(server, clock)
    for number in range(1, 40):
        server.deliver(_text(number))
    raws, _ = _poll(server, clock, cursor)
    assert raws == [_text(number) for number in range(1, 40)]
    assert (server.heard.count("UIDL"), server.heard.count("LIST"), server.verbs.count("LIST")) == (1, 1, 1)


def test_the_whole_list_is_read_again_every_tenth_poll(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1))
    _, cursor = _poll(server, clock)
    whole = 0
    for _ in range(30):
        clock.time += timedelta(minutes=2)
        _, cursor = _poll(server, clock, cursor, polling_minutes=2)
        whole += server.heard.count("UIDL")
    assert whole == 3


def test_the_whole_list_is_read_again_every_hour_however_rare_the_polls(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1))
    _, cursor = _poll(server, clock)
    clock.time += timedelta(minutes=60)
    _poll(server, clock, cursor, polling_minutes=60)
    assert server.heard.count("UIDL") == 1


def test_a_mail_that_was_slipped_in_among_old_ones_is_found_by_the_next_whole_list(
    server: Pop3Server, clock: Clock
) -> None:
    for number in range(3):
        server.deliver(_text(number))
    _, cursor = _poll(server, clock)
    # The same number, the same size, the same last mail: STAT shows nothing.
    server.letters[1] = type(server.letters[1])("other", _text(7))
    assert _poll(server, clock, cursor)[0] == []
    clock.time += timedelta(hours=1)
    assert _poll(server, clock, cursor)[0] == [_text(7)]


def test_a_mail_gone_and_another_come_is_noticed_at_once(server: Pop3Server, clock: Clock) -> None:
    for number in range(3):
        server.deliver(_text(number))
    _, cursor = _poll(server, clock)
    del server.letters[0]
    server.deliver(_text(3))
    assert _poll(server, clock, cursor)[0] == [_text(3)]


def test_what_was_listed_and_not_settled_is_listed_again(server: Pop3Server, clock: Clock) -> None:
    for number in range(4):
        server.deliver(_text(number))
    with source(server.port, clock) as opened:
        arrivals = list(opened.new(""))
        opened.settle(arrivals[0])
        opened.settle(arrivals[2])
        cursor = opened.cursor()
    assert _poll(server, clock, cursor)[0] == [_text(1), _text(3)]


@pytest.mark.parametrize("settled", [0, 1, 2])
def test_what_a_later_poll_listed_and_did_not_settle_is_listed_again(
    server: Pop3Server, clock: Clock, settled: int
) -> None:
    server.deliver(_text(0))
    _, cursor = _poll(server, clock)
    for number in (1, 2, 3):
        server.deliver(_text(number))
    with source(server.port, clock) as opened:
        opened.settle(list(opened.new(cursor))[settled])
        cursor = opened.cursor()
    raws, cursor = _poll(server, clock, cursor)
    assert raws == [_text(number) for number in (1, 2, 3) if number != settled + 1]
    with source(server.port, clock) as opened:
        server.deliver(_text(4))
        assert next(opened.new(cursor), None) is None
        server.deliver(_text(5))
    with source(server.port, clock) as opened:
        opened.settle(next(opened.new(cursor)))
        cursor = opened.cursor()
    assert _poll(server, clock, cursor)[0] == [_text(5)]


def test_a_mail_that_is_refused_comes_last_next_time_and_does_not_hold_up_others(
    server: Pop3Server, clock: Clock
) -> None:
    gone = server.deliver(_text(0))
    server.deliver(_text(1))
    with source(server.port, clock) as opened:
        first, second = opened.new("")
        server.letters = [letter for letter in server.letters if letter.uidl != gone]
        with pytest.raises(MailRefused):
            opened.fetch(first)
        assert opened.put_off(first) == 1
        assert opened.fetch(second) == _text(1)
        opened.settle(second)
        cursor = opened.cursor()
    server.deliver(_text(0), uidl=gone)
    server.deliver(_text(2))
    assert _poll(server, clock, cursor)[0] == [_text(2), _text(0)]


def test_a_body_may_have_lines_of_any_length(server: Pop3Server, clock: Clock) -> None:
    for length in (2_047, 2_048, 2_049, 100_000, 3_000_000):
        server.deliver(_text(length) + b"x" * length + b"\r\n")
    raws, _ = _poll(server, clock)
    assert [len(raw or b"") for raw in raws] == [len(letter.raw) for letter in server.letters]
    assert raws == [letter.raw for letter in server.letters]


def test_a_server_that_ends_its_lines_with_lf_alone_is_read(server: Pop3Server, clock: Clock) -> None:
    server.faults = Faults(line_end=b"\n")
    server.deliver(_text(1))
    assert _poll(server, clock)[0] == [_text(1).replace(b"\r\n", b"\n")]


def test_a_mail_that_is_too_large_is_not_fetched_but_its_head_is(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1))
    _, cursor = _poll(server, clock)
    server.deliver(_text(2), size=MAX_RAW_BYTES + 1)
    server.heard.clear()
    with source(server.port, clock) as opened:
        (arrival,) = opened.new(cursor)
        assert arrival.size == MAX_RAW_BYTES + 1
        assert arrival.received == NOON - timedelta(days=1)
        head = opened.fetch_head(arrival) or b""
    assert b"Subject: mail 2\r\n" in head
    assert head.endswith(b"\r\n\r\n")
    assert "RETR" not in server.verbs


def test_the_time_of_a_mail_is_that_of_its_topmost_received_field_or_now(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1, NOON - timedelta(days=2)))
    server.deliver(_text(2, None))
    server.deliver(_text(3, NOON + timedelta(days=2)))
    for cursor in ("", _poll(server, clock)[1]):
        if cursor:
            server.letters = [type(one)(f"new{one.uidl}", one.raw) for one in server.letters]
        with source(server.port, clock) as opened:
            times = [arrival.received for arrival in opened.new(cursor)]
        assert times == [NOON - timedelta(days=2), NOON, NOON]


# ── UIDLs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_server_without_uidl_is_refused_with_the_way_out(server: Pop3Server, clock: Clock) -> None:
    server.faults = Faults(answers={"UIDL": b"-ERR unknown command"})
    server.deliver(_text(1))
    with pytest.raises(SettingsError, match="UIDL") as raised:
        _poll(server, clock)
    assert "IMAP" in raised.value.fix


def test_a_server_that_renames_everything_starts_over(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1))
    server.deliver(_text(2))
    with source(server.port, clock) as opened:
        before = [arrival.position for arrival in opened.new("")]
        _, cursor = read(opened, "")
    server.rename()
    with source(server.port, clock) as opened:
        after = [arrival.position for arrival in opened.new(cursor)]
        assert opened.starts_over
    assert len(after) == 2
    assert not set(after) & set(before)


def test_one_mail_that_is_still_known_is_enough_to_go_on(server: Pop3Server, clock: Clock) -> None:
    for number in range(3):
        server.deliver(_text(number))
    _, cursor = _poll(server, clock)
    del server.letters[:2]
    server.deliver(_text(3))
    with source(server.port, clock) as opened:
        assert read(opened, cursor)[0] == [_text(3)]
        assert not opened.starts_over


def test_a_server_that_renames_everything_does_not_bring_old_mail_in(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1, NOON - timedelta(days=800)))
    server.deliver(_text(2))
    raws, cursor = _poll(server, clock)
    assert raws == [_text(2)]
    server.rename()
    assert _poll(server, clock, cursor)[0] == [_text(2)]


def test_mails_with_the_same_uidl_are_told_apart_by_size_and_order(server: Pop3Server, clock: Clock) -> None:
    recorder = Recorder()
    sent = [_text(1), _text(22), _text(3), _text(3), _text(4)]
    for raw, uidl in zip(sent, ["same", "same", "same", "same", "other"], strict=True):
        server.deliver(raw, uidl)
    raws, cursor = _poll(server, clock, dialer=road.dialer(watch=recorder))
    assert raws == sent
    assert any("same UIDL" in line for line in recorder.lines)
    assert _poll(server, clock, cursor) == ([], cursor)


def test_a_new_mail_with_a_known_uidl_is_not_taken_for_the_known_one(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1), "same")
    server.deliver(_text(2), "other")
    with source(server.port, clock) as opened:
        known = {arrival.position for arrival in opened.new("")}
        _, cursor = read(opened, "")
    server.deliver(_text(33), "same")
    with source(server.port, clock) as opened:
        found = {arrival.position: opened.fetch(arrival) for arrival in opened.new(cursor)}
        cursor = read(opened, cursor)[1]
    assert _text(33) in found.values()
    assert not known & set(found)
    assert _poll(server, clock, cursor)[0] == []


def test_uidls_of_any_printable_characters_make_clean_positions(server: Pop3Server, clock: Clock) -> None:
    strange = ["~" * 70, "a/b\\c#?", '"{}"', "\xe9\xff"]
    for number, uidl in enumerate(strange):
        server.deliver(_text(number), uidl)
    with source(server.port, clock) as opened:
        positions = [arrival.position for arrival in opened.new("")]
        _, cursor = read(opened, "")
    assert len(set(positions)) == 4
    assert all(len(position) == 37 and position[5:].isalnum() for position in positions)
    assert _poll(server, clock, cursor) == ([], cursor)


# ── the first connection ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_first_connection_leaves_out_what_is_too_old_in_any_order(server: Pop3Server, clock: Clock) -> None:
    for number in range(20):
        server.deliver(_text(number, NOON - timedelta(days=900 if number % 3 else 3)))
    raws, cursor = _poll(server, clock)
    assert raws == [_text(number, NOON - timedelta(days=3)) for number in range(0, 20, 3)]
    assert _poll(server, clock, cursor)[0] == []
    clock.time += timedelta(hours=2)
    assert _poll(server, clock, cursor)[0] == []


def test_a_first_connection_to_a_full_mailbox_looks_at_few_dates(server: Pop3Server, clock: Clock) -> None:
    for number in range(3_000):
        server.deliver(_text(number, NOON - timedelta(days=3_000 - number)))
    with source(server.port, clock, floor=(NOON - timedelta(days=30)).date()) as opened:
        found = [arrival.received for arrival in opened.new("")]
    assert found == [NOON - timedelta(days=days) for days in range(30, 0, -1)]
    assert server.verbs.count("TOP") <= 12 + pop3_dates.SAMPLES + 1 + pop3_dates.NEIGHBOURS + 30
    assert server.verbs.count("RETR") == 0


def test_a_first_connection_to_a_full_mailbox_in_no_order_looks_at_all_dates(server: Pop3Server, clock: Clock) -> None:
    for number in range(300):
        server.deliver(_text(number, NOON - timedelta(days=2 if number % 10 == 0 else 900)))
    raws, cursor = _poll(server, clock)
    assert raws == [_text(number, NOON - timedelta(days=2)) for number in range(0, 300, 10)]
    assert _poll(server, clock, cursor)[0] == []


def test_looking_at_dates_ends_in_time_and_goes_on_in_the_next_session(server: Pop3Server, clock: Clock) -> None:
    for number in range(300):
        server.deliver(_text(number, NOON - timedelta(days=2 if number % 10 == 0 else 900)))

    def slow(line: str) -> None:
        clock.time += timedelta(seconds=0.25 if line.startswith("TOP") else 0)

    server.on_command = slow
    raws, cursor = _poll(server, clock)
    assert 0 < len(raws) < 30
    assert raws + _poll(server, clock, cursor)[0] == [
        _text(number, NOON - timedelta(days=2)) for number in range(0, 300, 10)
    ]


def test_a_first_connection_without_top_dates_by_the_whole_mail(server: Pop3Server, clock: Clock) -> None:
    server.faults = Faults(answers={"TOP": b"-ERR unknown command"})
    server.deliver(_text(1, NOON - timedelta(days=900)))
    server.deliver(_text(2))
    assert _poll(server, clock)[0] == [_text(2)]


def test_a_first_connection_that_was_cut_off_goes_on_and_still_leaves_out_old_mail(
    server: Pop3Server, clock: Clock
) -> None:
    days = [1, 900, 2, 900, 3, 900]
    for number, age in enumerate(days):
        server.deliver(_text(number, NOON - timedelta(days=age)))
    with source(server.port, clock) as opened:
        opened.settle(next(opened.new("")))
        cursor = opened.cursor()
    raws, cursor = _poll(server, clock, cursor)
    assert raws == [_text(2, NOON - timedelta(days=2)), _text(4, NOON - timedelta(days=3))]
    assert _poll(server, clock, cursor)[0] == []


def test_what_comes_after_the_first_connection_is_new_whatever_its_date(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1))
    _, cursor = _poll(server, clock)
    server.deliver(_text(2, NOON - timedelta(days=900)))
    assert _poll(server, clock, cursor)[0] == [_text(2, NOON - timedelta(days=900))]


def test_a_mail_without_any_date_is_taken_in(server: Pop3Server, clock: Clock) -> None:
    server.deliver(b"Subject: no date\r\n\r\nHello\r\n")
    assert _poll(server, clock)[0] == [b"Subject: no date\r\n\r\nHello\r\n"]


# ── deleting ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_mail_is_left_on_the_server_by_default(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1))
    cursor = ""
    for _ in range(5):
        _, cursor = _poll(server, clock, cursor)
        clock.time += timedelta(days=100)
        assert "DELE" not in server.verbs
    assert len(server.letters) == 1


def test_a_mail_is_deleted_in_the_session_after_it_was_taken_in(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1))
    _, cursor = _poll(server, clock, deletes_after=0)
    assert len(server.letters) == 1
    server.deliver(_text(2))
    raws, cursor = _poll(server, clock, cursor, deletes_after=0)
    assert raws == [_text(2)]
    assert [letter.raw for letter in server.letters] == [_text(2)]
    assert server.verbs[-2:] == ["DELE", "QUIT"]
    _, cursor = _poll(server, clock, cursor, deletes_after=0)
    assert server.letters == []
    assert json.loads(cursor)["kept"] == {}


def test_a_mail_is_deleted_after_as_many_days_as_the_tenant_wants(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1))
    _, cursor = _poll(server, clock, deletes_after=7)
    for _ in range(6):
        clock.time += timedelta(days=1)
        _, cursor = _poll(server, clock, cursor, deletes_after=7)
        assert len(server.letters) == 1
    clock.time += timedelta(days=1)
    _poll(server, clock, cursor, deletes_after=7)
    assert server.letters == []


def test_what_was_taken_in_before_deleting_was_chosen_is_counted_from_its_own_day(
    server: Pop3Server, clock: Clock
) -> None:
    server.deliver(_text(1))
    _, cursor = _poll(server, clock)
    clock.time += timedelta(days=8)
    _poll(server, clock, cursor, deletes_after=7)
    assert server.letters == []


def test_what_we_do_not_have_whole_is_never_deleted(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1, NOON - timedelta(days=900)), "old")
    server.deliver(_text(2), "large", size=MAX_RAW_BYTES + 1)
    server.deliver(_text(3), "skipped")
    server.deliver(_text(4), "put off")
    server.deliver(_text(5), "had")
    with source(server.port, clock, deletes_after=0) as opened:
        large, skipped, put_off, had = opened.new("")
        opened.settle(large)
        opened.put_off(skipped)
        opened.skip(skipped)
        opened.put_off(put_off)
        opened.settle(had)
        cursor = opened.cursor()
    with source(server.port, clock, deletes_after=0) as opened:
        list(opened.new(cursor))
        opened.act()
    assert [letter.uidl for letter in server.letters] == ["old", "large", "skipped", "put off"]


def test_nothing_is_deleted_before_all_new_mail_was_gone_through(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1))
    _, cursor = _poll(server, clock, deletes_after=0)
    server.deliver(_text(2))
    server.deliver(_text(3))
    with source(server.port, clock, deletes_after=0) as opened:
        for arrival in opened.new(cursor):
            assert opened.fetch(arrival) is not None
            opened.settle(arrival)
            opened.act()
            assert len(server.letters) == 3
        opened.act()
    assert len(server.letters) == 2


@pytest.mark.parametrize(
    "faults",
    [
        Faults(answers={"QUIT": b"-ERR some deleted messages not removed"}),
        Faults(answers={"DELE": b"-ERR read only"}),
    ],
)
def test_a_server_that_does_not_delete_is_named_and_everything_stays_to_do(
    server: Pop3Server, clock: Clock, faults: Faults
) -> None:
    server.deliver(_text(1))
    _, saved = _poll(server, clock, deletes_after=0)
    server.faults = faults
    with source(server.port, clock, deletes_after=0) as opened:
        _, cursor = read(opened, saved)
        with pytest.raises(AccessDenied, match="does not delete"):
            opened.act()
        assert json.loads(opened.cursor())["kept"] == json.loads(cursor)["kept"] != {}
    server.faults = Faults()
    assert _poll(server, clock, cursor, deletes_after=0)[0] == []
    assert server.letters == []


def test_a_lost_answer_to_quit_is_settled_by_the_next_list(server: Pop3Server, clock: Clock) -> None:
    for faults, left in ((Faults(drop_before="QUIT"), 1), (Faults(drop_after="QUIT"), 0)):
        server.deliver(_text(1))
        _, cursor = _poll(server, clock, deletes_after=0)
        server.faults = faults
        with source(server.port, clock, deletes_after=0) as opened:
            _, cursor = read(opened, cursor)
            with pytest.raises(Exception, match="broke"):
                opened.act()
            cursor = opened.cursor()
        assert len(server.letters) == left
        server.faults = Faults()
        raws, cursor = _poll(server, clock, cursor, deletes_after=0)
        assert raws == []
        assert server.letters == []
        assert json.loads(_poll(server, clock, cursor)[1])["kept"] == {}


def test_a_mail_that_somebody_else_deleted_counts_as_done(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1))
    server.deliver(_text(2))
    _, cursor = _poll(server, clock, deletes_after=3)
    clock.time += timedelta(days=3)
    del server.letters[0]
    _, cursor = _poll(server, clock, cursor, deletes_after=3)
    assert server.letters == []
    assert json.loads(cursor)["kept"] == {}
    assert server.verbs.count("DELE") == 1


def test_a_mail_that_somebody_else_deletes_while_we_do_counts_as_done(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1))
    _, cursor = _poll(server, clock, deletes_after=0)
    server.on_command = lambda line: server.letters.clear() if line == "DELE 1" else None
    _, cursor = _poll(server, clock, cursor, deletes_after=0)
    assert json.loads(cursor)["kept"] == {}


# ── the cursor ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cursor_takes_at_most_twelve_characters_for_each_mail(server: Pop3Server, clock: Clock) -> None:
    small = b"Subject: small\r\n\r\n"
    for number in range(5_000):
        server.deliver(small, f"uidl-of-the-longest-kind-{number:045}")
    with source(server.port, clock) as opened:
        for arrival in opened.new(""):
            opened.settle(arrival)
        cursor = opened.cursor()
    assert len(cursor) <= 12 * 5_000
    _, after = _poll(server, clock, cursor)
    assert after == cursor
    assert len(server.heard) == 5


def test_the_days_in_a_cursor_are_those_of_the_clock_not_of_the_mail(server: Pop3Server, clock: Clock) -> None:
    server.deliver(_text(1))
    _, cursor = _poll(server, clock)
    assert list(json.loads(cursor)["kept"]) == [str(date(2026, 11, 20).toordinal())]


# ── the transcript ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("capabilities", [CAPABILITIES, None, ("SASL CRAM-MD5", "UIDL")])
def test_the_transcript_has_every_command_and_no_secret_or_body(
    server: Pop3Server, clock: Clock, capabilities: tuple[str, ...] | None
) -> None:
    server.capabilities = capabilities
    recorder = Recorder()
    server.deliver(_text(1))
    _poll(server, clock, dialer=road.dialer(watch=recorder))
    said = "\n".join(recorder.lines)
    for verb in ("CAPA", "STAT", "UIDL", "TOP 1 0", "RETR 1", "QUIT"):
        assert f"C: {verb}" in said
    assert f"S: ({len(_text(1))} bytes)" in said
    assert "burns" not in said
    assert "Subject" not in said
    assert PASSWORD not in said
    assert not any(line.split(" ")[-1] in said for line in server.heard if len(line.split(" ")[-1]) > 12)


def test_the_source_is_one() -> None:
    from shared.ports import Source

    opened: Source = source(1, Clock())
    assert isinstance(opened, Pop3Source)
