import base64
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.mail import limits, message
from shared.mail.message import Message, content_digest, parse
from tests.unit.mail.hostile import GENERATORS

CORPUS = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "corpus").glob("*.eml"))]
MAIL = b"Message-ID: <a@b>\nFrom: Anna <a@b.example>\nDate: Mon, 3 May 2021 10:11:12 +0200\nSubject: s\n"
TEXT = "Grüße aus Köln\n"
FILE = "Name;Wert\r\na;1\r\n"


def _has_all_fields(found: Message) -> bool:
    return isinstance(found, Message) and "parser-failed" not in found.defects


def _mail(
    head: bytes = b"", text: str = TEXT, file: str = FILE, encoded: bool = False, boundary: bytes = b"b"
) -> bytes:
    """One and the same mail, as different servers hand it out."""
    body, attached = text.encode(), file.encode()
    kind = b""
    if encoded:
        body, attached, kind = (
            base64.encodebytes(body),
            base64.encodebytes(attached),
            b"Content-Transfer-Encoding: base64\n",
        )
    return (
        head + MAIL + b"Content-Type: multipart/mixed; boundary=" + boundary + b"\n\n--" + boundary + b"\n"
        b"Content-Type: text/plain; charset=utf-8\n" + kind + b"\n" + body + b"\n--" + boundary + b"\n"
        b"Content-Type: text/csv; name=a.csv\n" + kind + b"\n" + attached + b"\n--" + boundary + b"--\n"
    )  # fmt: skip


# --- the message ----------------------------------------------------------------------------------------------------


def test_headers_are_all_there_in_order_and_found_in_any_case() -> None:
    found = parse(b"Received: one\nX-A: =?utf-8?Q?=C3=BC?=\nreceived: two\n three\n\n")
    assert found.headers == (("Received", "one"), ("X-A", "ü"), ("received", "two three"))
    assert found.header_all("RECEIVED") == ("one", "two three")
    assert found.header("x-a") == "ü"
    assert found.header("absent") is None


def test_no_header_value_holds_a_newline_or_a_control_character() -> None:
    found = parse(b"X-A: =?utf-8?Q?a=0D=0AX-B:_c=00?=\n\n")
    assert found.headers == (("X-A", "a X-B: c"),)


@pytest.mark.parametrize("count", [19, 20, 21, 10_000])
def test_of_many_references_the_first_and_the_last_19_are_kept(count: int) -> None:
    ids = [f"<{number}@b.example>" for number in range(count)]
    found = parse(b"References: " + " ".join(ids).encode() + b"\n\n").references
    assert list(found) == (ids if count <= 20 else ids[:1] + ids[-19:])


@pytest.mark.parametrize("size", [limits.FIELD_BYTES - 1, limits.FIELD_BYTES, limits.FIELD_BYTES + 1])
def test_a_field_beyond_the_limit_is_cut_and_said_so(size: int) -> None:
    found = parse(b"X-A: " + b"x" * size + b"\n\n")
    assert len(found.header("x-a") or "") == min(size, limits.FIELD_BYTES)
    assert ("truncated:field" in found.defects) == (size > limits.FIELD_BYTES)


def test_a_sender_behind_too_many_fields_is_not_trusted() -> None:
    found = parse(b"From: a@b.example\n" + b"X: y\n" * limits.FIELDS + b"From: c@d.example\n\n")
    assert found.sender is None
    assert {"truncated:headers", "sender-unreadable"} <= set(found.defects)


def test_recipients_beyond_the_limit_are_said_so() -> None:
    recipients = b",".join(b"u%d@b.example" % number for number in range(limits.ADDRESSES + 1))
    found = parse(b"To: " + recipients + b"\n\n")
    assert len(found.to) == limits.ADDRESSES
    assert "truncated:addresses" in found.defects


def test_a_mail_beyond_the_limit_is_read_up_to_it() -> None:
    found = parse(MAIL + b"\n" + b"x\n" * (limits.RAW_BYTES // 2))
    assert found.subject == "s"
    assert "truncated:raw" in found.defects


def test_the_text_of_a_mail_nested_too_deeply_is_not_lost() -> None:
    assert "innermost" in parse(GENERATORS["nesting"](40 * 1500)).text


# --- the digest -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "same",
    [
        _mail(head=b"Received: from mx\nX-Trace: 1\n"),
        _mail(encoded=True),
        _mail(boundary=b"other"),
        _mail(text=TEXT.replace("\n", "\r\n\r\n")),
        _mail(file=FILE.replace("\r\n", "\n")),
        _mail(file=FILE.replace("\r\n", "\n")).replace(b"\n", b"\r\n"),
        _mail().replace(b"Mon, 3 May 2021 10:11:12 +0200", b"3 May 2021 08:11:12 GMT"),
        _mail().replace(b"Anna <a@b.example>", b'"Anna" <A@B.example>'),
        _mail().replace(b"Subject: s", b"Subject: [List] s"),
    ],
)
def test_the_digest_is_equal_for_the_same_mail_in_another_dress(same: bytes) -> None:
    assert content_digest(parse(same)) == content_digest(parse(_mail()))


@pytest.mark.parametrize(
    "other",
    [
        _mail(text="Grüße aus Bonn\n"),
        _mail(file="Name;Wert\r\na;2\r\n"),
        _mail().replace(b"<a@b>", b"<c@b>"),
        _mail().replace(b"a@b.example", b"c@b.example"),
        _mail().replace(b"10:11:12", b"10:11:13"),
        MAIL + b"\n" + TEXT.encode(),
    ],
)
def test_the_digest_differs_when_the_content_does(other: bytes) -> None:
    assert content_digest(parse(other)) != content_digest(parse(_mail()))


def test_values_cannot_be_moved_from_one_field_of_the_digest_to_the_next() -> None:
    one = parse(b"Message-ID: <a>\nFrom: b\n\nc")
    two = parse(b"Message-ID: <a>\nFrom: bc\n\n")
    assert content_digest(one) != content_digest(two)


# --- total and linear -----------------------------------------------------------------------------------------------


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_message(raw: bytes) -> None:
    found = parse(raw)
    assert _has_all_fields(found)
    assert re.fullmatch("[0-9a-f]{64}", content_digest(found))


_ALPHABET = st.sampled_from(
    """From:_ To:_ Subject:_ References:_ Date:_ Content-Type:_ multipart/mixed;_boundary=b text/html message/rfc822
    Content-Transfer-Encoding:_ base64 quoted-printable Content-Disposition:_ attachment;_filename*0*= ;_format=flowed
    \\n \\r\\n \\n\\n --b\\n --b--\\n _ =?utf-8?q? ?= < > @ , ; : " ( a =C3 \\xfc \\x00 \\x1b$B begin_644_a\\n end\\n &#""".split()  # noqa: SIM905
).map(lambda word: word.replace("_", " ").encode().decode("unicode_escape").encode("latin-1"))


@given(st.lists(_ALPHABET, max_size=60).map(b"".join))
@settings(max_examples=300)
def test_any_pieces_of_mail_are_a_message(raw: bytes) -> None:
    assert _has_all_fields(parse(raw))


@given(st.sampled_from(CORPUS), st.integers(0, 3000), st.integers(0, 200), st.binary(max_size=20))
@settings(max_examples=300)
def test_a_damaged_mail_of_the_corpus_is_a_message(raw: bytes, start: int, length: int, put: bytes) -> None:
    start %= len(raw) + 1
    assert _has_all_fields(parse(raw[:start] + put + raw[start + length :]))


@pytest.mark.parametrize("raw", CORPUS)
def test_a_mail_of_the_corpus_cut_anywhere_is_a_message(raw: bytes) -> None:
    for end in range(0, len(raw), max(1, len(raw) // 50)):
        assert _has_all_fields(parse(raw[:end]))


def _seconds(raw: bytes) -> float:
    """Processor time, so that other work on the machine does not count; the best of some."""
    best = float("inf")
    for _ in range(2):
        start = time.thread_time()
        parse(raw)
        best = min(best, time.thread_time() - start)
    return best


_SIZE = 8 * 1024
_TOO_SMALL_TO_COMPARE = 0.05
"""Seconds."""


@pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS.keys())
def test_time_grows_no_faster_than_the_mail(generator: Callable[[int], bytes]) -> None:
    small, large = generator(_SIZE), generator(8 * _SIZE)
    assert _has_all_fields(parse(small))
    ratios = []
    # A busy machine can spoil one measurement (caches, a core shared with others), but what is quadratic spoils all.
    for _ in range(5):
        seconds = _seconds(large)
        if seconds < _TOO_SMALL_TO_COMPARE:
            return
        ratios.append(seconds / _seconds(small))
        # Eight times the bytes: linear is 8, quadratic is 64.
        if ratios[-1] < 24:
            return
    raise AssertionError(f"eight times the bytes took {ratios} times as long")


# --- the day the parser has a bug -----------------------------------------------------------------------------------


def test_if_reading_fails_the_mail_still_arrives_with_what_is_plain_to_see() -> None:
    found = message._salvage(MAIL + b"\nHello\n")
    assert (found.from_text, found.subject, found.message_id) == ("Anna <a@b.example>", "s", "<a@b>")
    assert found.text.strip() == "Hello"
    assert found.sender is None
    assert found.defects == ("parser-failed",)


@given(st.binary(max_size=500))
def test_even_then_any_bytes_are_a_message(raw: bytes) -> None:
    assert isinstance(message._salvage(raw), Message)
