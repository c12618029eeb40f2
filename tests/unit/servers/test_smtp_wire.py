"""A mail on the wire: the same mail on the other side, whatever it holds."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.servers.smtp_wire import stuffed, wire_form
from tests.support.growth import growth


def _unstuffed(wire: bytes) -> bytes:
    """As a server reads it (RFC 5321, 4.5.2)."""
    lines = wire.split(b"\r\n")
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)


@given(some.lists(some.sampled_from([b".", b"..", b"\r", b"\n", b"\r\n", b"x", b".\r\n", b"\0", b"\xff"]), max_size=40))
def test_what_a_server_reads_is_the_mail_with_the_right_line_ends(pieces: list[bytes]) -> None:
    message = b"".join(pieces)
    wire = stuffed(wire_form(message))
    assert wire.endswith(b"\r\n")
    assert b"\r\n.\r\n" not in b"\r\n" + wire  # the end of a mail stands nowhere in it
    assert b"\r" not in wire.replace(b"\r\n", b"")
    assert b"\n" not in wire.replace(b"\r\n", b"")
    wanted = re.sub(rb"\r\n|\r|\n", b"\n", message)
    assert _unstuffed(wire).replace(b"\r\n", b"\n") in (wanted, wanted + b"\n")


@pytest.mark.parametrize("piece", [b"\r", b"\n", b".\n", b"\r\n.", b"."])
def test_a_hostile_mail_takes_no_longer_than_another_one(piece: bytes) -> None:
    small, large = (piece * (count // len(piece)) for count in (200_000, 2_000_000))
    # Ten times the mail; quadratic work would take a hundred times.
    assert growth(lambda: stuffed(wire_form(small)), lambda: stuffed(wire_form(large)), at_least=0.001) < 60
