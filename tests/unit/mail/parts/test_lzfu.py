import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.parts.lzfu import decompress_rtf

# The two examples of [MS-OXRTFCP] section 3.
SIMPLE = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a00726370673132354232 0af320 68656c 09 00 20 62 77 05 b0 6c 64 7d 0a 80 0f a0"
)
CROSSING = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")


@pytest.mark.parametrize(
    ("packed", "rtf"),
    [
        (SIMPLE, b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"),
        (CROSSING, b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"),
        (struct.pack("<II4sI", 14 + 12, 14, b"MELA", 0) + b"{\\rtf1 plain }", b"{\\rtf1 plain }"),
    ],
)
def test_rich_text_is_unpacked(packed: bytes, rtf: bytes) -> None:
    assert decompress_rtf(packed, 1000) == rtf


@pytest.mark.parametrize("data", [b"", b"x" * 15, b"x" * 16, struct.pack("<II4sI", 12, 0, b"ZFuL", 0)])
def test_what_is_no_compressed_rich_text_is_none(data: bytes) -> None:
    assert decompress_rtf(data, 1000) is None


def test_a_cut_off_text_is_unpacked_as_far_as_it_goes() -> None:
    assert decompress_rtf(CROSSING[:-4], 1000) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ"


@pytest.mark.parametrize("limit", [0, 1, 1000, 100_000])
def test_a_bomb_is_unpacked_up_to_the_limit(limit: int) -> None:
    # Every token repeats 17 bytes; none of them points at the place that is written next, which would be the end.
    body = (b"\xff" + b"\x00\x1f" * 8) * 50
    packed = struct.pack("<II4sI", len(body) + 12, 0, b"LZFu", 0) + body * 200
    assert len(decompress_rtf(packed, limit) or b"") <= limit


@given(st.binary(max_size=300))
def test_any_bytes_are_some_rich_text_of_at_most_eight_times_their_size(body: bytes) -> None:
    packed = struct.pack("<II4sI", len(body) + 12, 0, b"LZFu", 0) + body
    found = decompress_rtf(packed, 10_000)
    assert found is not None
    assert len(found) <= 8 * len(body) + 17
