import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.parts.yenc import extract_yenc


def _encoded(content: bytes, name: bytes = b"a b.bin", head: bytes = b"", crc: int | None = None) -> bytes:
    shifted = bytes((value + 42) % 256 for value in content)
    letters = b"".join(bytes([61, (one + 64) % 256]) if one in b"\0\n\r=" else bytes([one]) for one in shifted)
    # A line is never cut between "=" and the letter it changes.
    lines, line = [], b""
    for place in range(len(letters)):
        line += letters[place : place + 1]
        if len(line) >= 128 and not line.endswith(b"="):
            lines.append(line)
            line = b""
    body = b"".join(one + b"\r\n" for one in [*lines, line] if one)
    crc = zlib.crc32(content) if crc is None else crc
    size = b"%d" % len(content)
    return (
        b"=ybegin " + head + b"line=128 size=" + size + b" name=" + name + b"\r\n"
        + body + b"=yend size=" + size + b" crc32=%08x\r\n" % crc
    )  # fmt: skip


@given(st.binary(max_size=2000))
def test_any_file_comes_out_as_it_went_in(content: bytes) -> None:
    rest, files = extract_yenc(b"before\r\n" + _encoded(content) + b"after\r\n")
    assert rest == b"before\r\nafter\r\n"
    assert [(file.name, file.content, file.intact) for file in files] == [(b"a b.bin", content, True)]


def test_several_files_come_out_in_order() -> None:
    _, files = extract_yenc(_encoded(b"one", b"1") + b"\r\n" + _encoded(b"two", b"2"))
    assert [(file.name, file.content) for file in files] == [(b"1", b"one"), (b"2", b"two")]


@pytest.mark.parametrize("damaged", [_encoded(b"hello", crc=1), _encoded(b"hello").replace(b"size=5", b"size=6")])
def test_a_damaged_file_is_kept_and_said_so(damaged: bytes) -> None:
    _, files = extract_yenc(damaged)
    assert [(file.content, file.intact) for file in files] == [(b"hello", False)]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"=ybegin line=128 size=5 name=a\r\nnever ends",
        b"=ybegin line=128 size=5\r\nno name\r\n=yend\r\n",
        b"I like =ybegin line=128 size=5 name=a\r\nx\r\n=yend\r\n",
        _encoded(b"hello", head=b"part=1 "),
    ],
)
def test_other_text_stays_as_it_is(text: bytes) -> None:
    assert extract_yenc(text) == (text, [])


@given(st.binary(max_size=300))
def test_any_bytes_between_the_lines_are_some_file(body: bytes) -> None:
    extract_yenc(b"=ybegin line=128 size=5 name=a\r\n" + body + b"\r\n=yend\r\n")
