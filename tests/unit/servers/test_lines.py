"""What POP3 and SMTP have in common on the wire: lines with a bound, and a deadline that nobody can stretch."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from shared.errors import TimedOut
from shared.servers.lines import CHUNK_BYTES, Lines, TooLong

SLOW = ("Too slow.", "Later.")


@pytest.fixture
def pair() -> Iterator[tuple[Lines, socket.socket]]:
    """Ours, and the other side of it."""
    ours, theirs = socket.socketpair()
    lines = Lines(5, SLOW)
    lines.begin(ours)
    with theirs:
        yield lines, theirs
    lines.close()


def test_lines_come_one_by_one_however_they_arrive(pair: tuple[Lines, socket.socket]) -> None:
    lines, theirs = pair
    theirs.sendall(b"one\r\ntwo\nthr")
    assert [lines.line(100, 1), lines.line(100, 1)] == [b"one\r\n", b"two\n"]
    assert lines.buffer == b"thr"
    theirs.sendall(b"ee\r\n\r\n")
    assert [lines.line(100, 1), lines.line(100, 1)] == [b"three\r\n", b"\r\n"]


def test_a_line_without_end_is_read_to_its_bound_and_ends_the_connection(pair: tuple[Lines, socket.socket]) -> None:
    lines, theirs = pair
    threading.Thread(target=theirs.sendall, args=(b"x" * 50_000,), daemon=True).start()
    with pytest.raises(TooLong):
        lines.line(1000, 1)
    assert len(lines.buffer) <= 1000 + CHUNK_BYTES
    assert not lines.is_open


def test_a_connection_that_is_closed_by_the_other_side_is_closed(pair: tuple[Lines, socket.socket]) -> None:
    lines, theirs = pair
    theirs.sendall(b"half a li")
    theirs.close()
    with pytest.raises(ConnectionResetError):
        lines.line(100, 1)
    assert not lines.is_open
    with pytest.raises(ConnectionResetError):
        _ = lines.connection


def test_who_says_nothing_meets_the_time_for_one_reading(pair: tuple[Lines, socket.socket]) -> None:
    lines, _ = pair
    with pytest.raises(TimeoutError):
        lines.line(100, 0.05)
    assert not lines.is_open


def test_who_sends_a_byte_now_and_then_meets_the_deadline_of_the_whole() -> None:
    ours = Lines(0.3, SLOW)
    near, far = socket.socketpair()
    ours.begin(near)

    def drip() -> None:
        for _ in range(100):
            try:
                far.sendall(b"x")
            except OSError:
                return
            time.sleep(0.02)

    threading.Thread(target=drip, daemon=True).start()
    with far, pytest.raises(TimedOut) as raised:
        ours.line(10_000, 0.25)
    assert (raised.value.message, raised.value.fix) == SLOW
    assert not ours.is_open


def test_whatever_goes_wrong_inside_ends_the_connection(pair: tuple[Lines, socket.socket]) -> None:
    lines, _ = pair
    with pytest.raises(ZeroDivisionError), lines.closed_on_error():
        raise ZeroDivisionError
    assert not lines.is_open


def test_a_new_connection_begins_with_nothing_read(pair: tuple[Lines, socket.socket]) -> None:
    """What was sent in clear text before encryption began must not be taken for an answer inside it."""
    lines, theirs = pair
    theirs.sendall(b"go on\r\n250 injected\r\n")
    assert lines.line(100, 1) == b"go on\r\n"
    assert lines.buffer
    again, other = socket.socketpair()
    lines.connection.close()
    lines.begin(again)
    assert not lines.buffer
    with other:
        other.sendall(b"true\r\n")
        assert lines.line(100, 1) == b"true\r\n"
