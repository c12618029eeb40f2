import pytest

from shared.mail import limits
from shared.mail.mime import Part, split
from tests.unit.mail.hostile import nested, wide


def _tree(part: Part, raw: bytes) -> object:
    """The tree in short: a leaf is its body, a multipart a list."""
    return [_tree(child, raw) for child in part.children] if part.children else raw[part.start : part.end]


def _multipart(body: bytes, boundary: bytes = b"b") -> bytes:
    return b"Content-Type: multipart/mixed; boundary=" + boundary + b"\n\n" + body


@pytest.mark.parametrize(
    ("raw", "tree", "defects"),
    [
        (b"A: 1\n\nbody", b"body", []),
        (_multipart(b"pre\n--b\n\none\n--b\n\ntwo\n--b--\n \n"), [b"one", b"two"], []),
        (_multipart(b"--b\n\none\n--b--\npost"), [b"one"], ["text-after-end"]),
        (_multipart(b"--b\r\n\r\none\r\n--b  \r\n\r\ntwo\r\n--b-- \r\n"), [b"one", b"two"], []),
        (_multipart(b"--b\n\n--b\n\n\n--b--"), [b"", b""], []),
        (_multipart(b"--b\n\none\n--bc\n--b--\n"), [b"one\n--bc"], []),
        (_multipart(b"--b\n\none\n --b\n--b--\n"), [b"one\n --b"], []),
        (_multipart(b"--b\n\none"), [b"one"], ["no-final-boundary"]),
        (_multipart(b"--b\nA: 1\n--b\n\ntwo\n--b--"), [b"", b"two"], []),
        (
            _multipart(b"--b\n" + _multipart(b"--c\n\none\n--c--\n", b"c") + b"--b\n\ntwo\n--b--"),
            [[b"one"], b"two"],
            [],
        ),
        (
            _multipart(b"--b\n" + _multipart(b"--c\n\none\n", b"c") + b"--b\n\ntwo\n--b--"),
            [[b"one"], b"two"],
            ["no-final-boundary"],
        ),
        (_multipart(b"--b\n" + _multipart(b"--b\n\none\n--b--\n") + b"--b\n\ntwo\n--b--"), [[b"one"], b"two"], []),
        (_multipart(b"--b\n\none\n--b--\n--b\n\ntwo\n--b--\n"), [b"one", b"two"], ["part-after-end"]),
        (_multipart(b"--b\n\none\n--b--\n").replace(b"\n\n--b", b"\n--b", 1), [b"one"], ["header-no-end"]),
        (_multipart(b"just text\n"), b"just text\n", ["multipart-without-parts"]),
        (_multipart(b""), b"", ["multipart-without-parts"]),
        (_multipart(b"--other\n\none\n--other--\n"), [b"one"], ["boundary-guessed"]),
        (b"Content-Type: multipart/mixed\n\n--b\n\none\n--b--\n", [b"one"], ["boundary-guessed"]),
        (b'Content-Type: multipart/mixed; boundary=""\n\n--b\n\none\n--b--\n', [b"one"], ["boundary-guessed"]),
        (_multipart(b"--a--b--\n\none\n--a--b----\n", b'"a--b--"'), [b"one"], []),
        (b"Content-Type: message/rfc822\n\nA: 1\n\ninner", b"A: 1\n\ninner", []),
    ],
)
def test_the_tree_is_read_as_sent_and_repaired_where_broken(raw: bytes, tree: object, defects: list[str]) -> None:
    parts, found = split(raw, 0)
    assert _tree(parts[0], raw) == tree
    assert found == defects


@pytest.mark.parametrize(
    ("value", "content_type"),
    [
        (b"text/html; charset=x", "text/html"),
        (b"TEXT/HTML", "text/html"),
        (b"", "text/plain"),
        (b"text", "text/plain"),
        (b"text/plain/extra", "text/plain"),
        (b"; charset=utf-8", "text/plain"),
        (b"pdf; name=a.pdf", "application/octet-stream"),
    ],
)
def test_a_type_that_cannot_be_read_is_plain_text_or_a_file(value: bytes, content_type: str) -> None:
    parts, _ = split(b"Content-Type: " + value + b"\n\n", 0)
    assert parts[0].content_type == content_type


def test_parts_of_a_digest_are_messages() -> None:
    parts, _ = split(b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: s\n\nx\n--b--\n", 0)
    assert parts[1].content_type == "message/rfc822"


@pytest.mark.parametrize("count", [limits.PARTS - 2, limits.PARTS - 1, limits.PARTS])
def test_parts_beyond_the_limit_are_left_out_and_said_so(count: int) -> None:
    parts, defects = split(wide(count), 0)
    assert len(parts) == min(count + 1, limits.PARTS)
    assert ("truncated:parts" in defects) == (count + 1 > limits.PARTS)


@pytest.mark.parametrize("levels", [limits.DEPTH, limits.DEPTH + 1, limits.DEPTH + 2, 500])
def test_parts_beyond_the_depth_count_as_if_at_it(levels: int) -> None:
    raw = nested(levels)
    parts, defects = split(raw, 0)
    assert max(part.depth for part in parts) <= limits.DEPTH + 1
    assert ("truncated:depth" in defects) == (levels > limits.DEPTH + 1)
    assert raw[parts[-1].start : parts[-1].end] == b"innermost\r\n"
