import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.parts.smime import COMPRESSED, ENCRYPTED, SIGNED, cms_kind, signed_content
from tests.unit.mail.containers import (
    COMPRESSED_DATA,
    DATA,
    ENVELOPED_DATA,
    SIGNED_DATA,
    ber,
    der,
    other,
    signed,
    signed_in_pieces,
)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (signed(b"x"), SIGNED),
        (signed_in_pieces(b"x"), SIGNED),
        (other(ENVELOPED_DATA), ENCRYPTED),
        (other(COMPRESSED_DATA), COMPRESSED),
        (ber(0x30, ENVELOPED_DATA), ENCRYPTED),
        (other(DATA), None),
        (b"", None),
        (b"0\x80", None),
        (b"-----BEGIN PKCS7-----", None),
    ],
)
def test_the_kind_is_what_the_message_says_it_is(data: bytes, kind: str | None) -> None:
    assert cms_kind(data) == kind


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65_535, 65_536, 1_000_000])
def test_what_was_signed_comes_out(size: int) -> None:
    content = b"x" * size
    assert signed_content(signed(content)) == content
    assert signed_content(signed_in_pieces(content[: size // 2], content[size // 2 :])) == content


def test_pieces_may_be_in_pieces() -> None:
    inner = ber(0x24, der(0x04, b"a"), der(0x24, der(0x04, b"b"), ber(0x24, der(0x04, b"c"))), der(0x04, b"d"))
    info = ber(0x30, DATA, ber(0xA0, inner))
    algorithms = ber(0x31, ber(0x30, der(0x06, b"\x2a")))
    data = ber(0x30, SIGNED_DATA, ber(0xA0, ber(0x30, der(0x02, b"\1"), algorithms, info)))
    assert signed_content(data) == b"abcd"


def test_what_is_cut_off_is_read_as_far_as_it_goes() -> None:
    data = signed(b"Hello, World")
    assert signed_content(data[: data.index(b"World")]) == b"Hello, "


@pytest.mark.parametrize(
    "data",
    [
        signed(None),
        other(SIGNED_DATA),
        other(ENVELOPED_DATA),
        der(0x30, SIGNED_DATA),
        der(0x30, SIGNED_DATA, der(0xA0, der(0x30, der(0x02, b"\1"), ber(0x31, *[b"\x30\x80"] * 100)))),
        signed(b"x").replace(b"\x04\x01x", b"\x05\x01x"),
    ],
)
def test_a_message_that_carries_nothing_has_no_content(data: bytes) -> None:
    assert signed_content(data) is None


def test_a_million_lengths_that_never_end_are_given_up() -> None:
    head = SIGNED_DATA + b"\xa0\x80\x30\x80\x02\x01\x01\x31\x80"
    assert signed_content(b"\x30\x80" + head + b"\x30\x80" * 500_000) is None
    info = b"\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80" + DATA + b"\xa0\x80"
    assert signed_content(b"\x30\x80" + SIGNED_DATA + info + b"\x24\x80" * 500_000) is None
    assert signed_content(b"\x30\x80" + SIGNED_DATA + info + b"\x24\x80" + b"\x04\x00" * 500_000) is None


def test_a_message_cut_or_changed_anywhere_is_no_failure() -> None:
    chance = random.Random(1)
    for whole in (signed(b"Hello" * 50), signed_in_pieces(b"Hello" * 20, b"World" * 20)):
        for end in range(len(whole)):
            signed_content(whole[:end])
            place = chance.randrange(len(whole))
            signed_content(whole[:place] + chance.randbytes(3) + whole[place + 3 :])


@given(st.binary(max_size=200))
def test_any_bytes_have_some_kind_and_content(data: bytes) -> None:
    assert cms_kind(data) in (None, SIGNED, ENCRYPTED, COMPRESSED)
    signed_content(b"\x30\x80" + SIGNED_DATA + data)
