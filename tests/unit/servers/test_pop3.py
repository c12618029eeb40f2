"""POP3 without a server: where a body ends, and what the cursor holds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.servers import pop3_dates
from shared.servers.pop3_client import Refused, take_body
from shared.servers.pop3_state import State

ROUGH = st.lists(st.sampled_from([b"\r\n", b".", b"..", b"\r", b"\n", b"x", b"yz", b""]), max_size=30).map(b"".join)
"""What stuffing and line ends could be confused by."""


def _sent(body: bytes) -> bytes:
    """As RFC 1939 section 3 wants it: each line ended, dots stuffed, and a dot alone."""
    lines = body.split(b"\r\n")[:-1]
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"


def _taken(chunks: list[bytes], line_end: bytes = b"\r\n") -> tuple[bytes, bytes] | None:
    """The body and what came after it; None if it did not end."""
    buffer, body, starts_line = bytearray(), b"", True
    for index, chunk in enumerate(chunks):
        buffer += chunk
        ended = False
        piece, starts_line, ended = take_body(buffer, starts_line, line_end)
        body += piece
        if ended:
            return body, bytes(buffer) + b"".join(chunks[index + 1 :])
    return None


@given(ROUGH, st.lists(st.integers(min_value=1, max_value=5), max_size=100), ROUGH)
def test_a_body_comes_whole_however_it_is_cut_into_pieces(body: bytes, cuts: list[int], after: bytes) -> None:
    body += b"\r\n"
    wire = _sent(body) + after
    chunks, start = [], 0
    for cut in cuts:
        chunks.append(wire[start : start + cut])
        start += cut
    assert _taken([*chunks, wire[start:]]) == (body, after)


@given(ROUGH)
def test_a_body_that_has_not_ended_is_not_taken_for_ended(body: bytes) -> None:
    wire = _sent(body + b"\r\n")
    assert _taken([wire[:-1]]) is None
    assert _taken([wire[:-3]]) is None


def test_an_empty_body_is_one() -> None:
    assert _taken([b".", b"\r", b"\n+OK"]) == (b"", b"+OK")


@pytest.mark.parametrize("inside", [b"a\n.\n+OK bye\r\n", b"a\r\n.\n+OK\r\n", b"a\n.\r\nb\r\n", b"a\r.\rb\r\n"])
def test_what_a_sender_wrote_cannot_end_his_mail_and_speak_for_the_server(inside: bytes) -> None:
    # Sent as it is by a server that stuffs only lines that end with CR LF.
    assert _taken([inside + b".\r\n"]) == (inside, b"")


def test_a_line_with_one_dot_from_a_server_that_does_not_stuff_keeps_it() -> None:
    assert _taken([b".hidden\r\n..stuffed\r\n.\r\n"]) == (b".hidden\r\n.stuffed\r\n", b"")


def test_a_server_with_lf_alone_ends_with_lf_alone() -> None:
    assert _taken([b"a\n..b\n.", b"\n"], b"\n") == (b"a\n.b\n", b"")


def _state(keys: int, days: int) -> State:
    made = State(count=keys, octets=5, last="ab", whole=7, floor="2026-01-01")
    for number in range(keys):
        made.kept[number.to_bytes(8, "big")] = 739_000 + number % days
    return made


def test_a_cursor_reads_as_it_was_written() -> None:
    state = _state(500, 30)
    state.left = {b"left0000", b"left0001"}
    state.undated = {b"undated0"}
    state.again = {b"again000": 3}
    assert State.read(state.write()) == state
    assert State.read("") == State()


@pytest.mark.parametrize("keys", [1_000, 100_000])
def test_a_cursor_takes_at_most_twelve_characters_for_each_mail(keys: int) -> None:
    assert len(_state(keys, 30).write()) <= 12 * keys


def test_a_cursor_is_the_same_for_the_same_mails_in_any_order() -> None:
    state = _state(100, 3)
    turned = State(count=100, octets=5, last="ab", whole=7, floor="2026-01-01")
    turned.kept = dict(reversed(state.kept.items()))
    assert turned.write() == state.write()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[IN-USE] busy", "IN-USE"),
        ("[sys/temp]", "SYS/TEMP"),
        ("no code [AUTH]", ""),
        ("", ""),
        ("[", ""),
    ],
)
def test_a_refusal_knows_its_code(text: str, code: str) -> None:
    assert Refused(text).code == code


@pytest.mark.parametrize(
    ("head", "received", "dated"),
    [
        (b"Received: from a; Mon, 16 Nov 2026 09:00:00 +0100\r\nReceived: x; 1 Jan 2020 00:00 +0000\r\n", 8, 8),
        (b"Date: Mon, 16 Nov 2026 10:00:00 +0000\r\n", None, 10),
        (b"Received: from a by b\r\nDate: Mon, 16 Nov 2026 10:00:00 +0000\r\n", None, 10),
        (b"Subject: nothing\r\n", None, None),
        (b"", None, None),
        (b"\xff\x00\xfe", None, None),
    ],
)
def test_the_time_is_that_of_the_topmost_received_field(head: bytes, received: int | None, dated: int | None) -> None:
    def at(hour: int | None) -> datetime | None:
        return None if hour is None else datetime(2026, 11, 16, hour, tzinfo=UTC)

    assert pop3_dates.received(head + b"\r\n") == at(received)
    assert pop3_dates.dated(head + b"\r\n") == at(dated)
