import pytest

from shared.mail import limits
from shared.mail.header import TRUNCATED, read_block, skip_leading_junk


@pytest.mark.parametrize(
    ("block", "fields", "body", "defects"),
    [
        (b"A: 1\nB: 2\n\nbody", [("A", b"1"), ("B", b"2")], b"body", []),
        (b"A: 1\r\nB: 2\r\n\r\nbody", [("A", b"1"), ("B", b"2")], b"body", []),
        (b"A: 1\r\r\n\r\r\nbody", [("A", b"1")], b"body", []),
        (b"A:1\n b\n\tc\n\nbody", [("A", b"1 b\tc")], b"body", []),
        (b"A :1\n\n", [("A", b"1")], b"", []),
        (b"A:\n\n", [("A", b"")], b"", []),
        (b"A: 1", [("A", b"1")], b"", []),
        (b"\nbody", [], b"body", []),
        (b"", [], b"", []),
        (b"A: 1\n--b\nnext", [("A", b"1")], b"--b\nnext", []),
        (b"A: 1\n--other\n\nbody", [("A", b"1")], b"--other\n\nbody", ["header-no-end"]),
        (b"words\n\nmore", [], b"words\n\nmore", ["header-no-end"]),
        (b"words\nSubject: s\n\nbody", [("Subject", b"s")], b"body", ["header-junk"]),
        (
            b"A: 1\nwords here\nNote: no header\n\nbody",
            [("A", b"1")],
            b"words here\nNote: no header\n\nbody",
            ["header-no-end"],
        ),
        (b"Subject: a\nb\nFrom: c\n\n", [("Subject", b"a b"), ("From", b"c")], b"", ["header-unfolded"]),
        (b"Received: a\nb\nFrom: c\n\n", [("Received", b"a"), ("From", b"c")], b"", ["header-junk"]),
        (b"To: a,\nb\n\n", [("To", b"a, b")], b"", ["header-unfolded"]),
        (b"References: <a@b>\n<c@d>\n\n", [("References", b"<a@b> <c@d>")], b"", ["header-unfolded"]),
        (b"Content-Type: a/b\nname=c\n\n", [("Content-Type", b"a/b name=c")], b"", ["header-unfolded"]),
        (b"Content-Type: a/b;\nname=c\n\n", [("Content-Type", b"a/b; name=c")], b"", ["header-unfolded"]),
    ],
)
def test_a_header_block_is_read_with_whatever_is_in_it(
    block: bytes, fields: list[tuple[str, bytes]], body: bytes, defects: list[str]
) -> None:
    found = read_block(block, 0, {b"--b"})
    assert [tuple(entry) for entry in found.fields] == fields
    assert block[found.body :] == body
    assert found.defects == defects


@pytest.mark.parametrize("count", [limits.FIELDS - 1, limits.FIELDS, limits.FIELDS + 1])
def test_fields_beyond_the_limit_are_left_out_and_the_body_is_still_found(count: int) -> None:
    block = read_block(b"A: 1\n" * count + b"\nbody", 0)
    assert len(block.fields) == min(count, limits.FIELDS)
    assert (TRUNCATED in block.defects) == (count > limits.FIELDS)
    assert block.body == 5 * count + 1


@pytest.mark.parametrize("extra", [0, 1, limits.HEADER_BYTES, 3 * limits.HEADER_BYTES])
def test_bytes_beyond_the_limit_are_left_out_and_the_body_is_still_found(extra: int) -> None:
    data = b"A: " + b"x" * (limits.HEADER_BYTES - 3 + extra) + b"\nB: 1\n\nbody"
    block = read_block(data, 0)
    assert data[block.body :] == b"body"
    assert (TRUNCATED in block.defects) == (len(b"B: 1") + extra > 0)


@pytest.mark.parametrize(
    ("data", "rest"),
    [
        (b"A: 1", b"A: 1"),
        (b"\xef\xbb\xbfA: 1", b"A: 1"),
        (b"\r\n\nA: 1", b"A: 1"),
        (b"From a@b Mon May  3 10:11:12 2021\r\nA: 1", b"A: 1"),
        (b">From a@b\nA: 1", b"A: 1"),
        (b"From a@b", b""),
        (b"From: a@b", b"From: a@b"),
    ],
)
def test_what_stands_in_front_of_the_first_header_is_skipped(data: bytes, rest: bytes) -> None:
    assert data[skip_leading_junk(data) :] == rest
