import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail import limits
from shared.mail.sender.canonical import Form, canonical_body, canonical_field, split_mail

# The message of RFC 6376 section 3.4.5.
MAIL = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n"


@pytest.mark.parametrize(
    ("form", "head", "body"),
    [
        ("relaxed", b"a:X\r\nb:Y Z\r\n", b" C\r\nD E\r\n"),
        ("simple", b"A: X\r\nB : Y\t\r\n\tZ  \r\n", b" C \r\nD \t E\r\n"),
    ],
)
def test_the_message_of_the_rfc_becomes_what_it_shows(form: Form, head: bytes, body: bytes) -> None:
    for raw in (MAIL, MAIL.replace(b"\r\n", b"\n")):
        found = split_mail(raw)
        assert found
        assert b"".join(canonical_field(field, form) for field in found[0]) == head
        assert canonical_body(found[1], form) == body


@pytest.mark.parametrize(
    ("form", "digest"),
    [  # RFC 6376 sections 3.4.3 and 3.4.4
        ("simple", b"frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="),
        ("relaxed", b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
    ],
)
@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n\r\n"])
def test_an_empty_body_has_the_hash_that_the_rfc_gives(form: Form, digest: bytes, body: bytes) -> None:
    assert base64.b64encode(hashlib.sha256(canonical_body(body, form)).digest()) == digest


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"x\r\r\n\r\n", b"x\r\r\n"),
        (b"x\r\n\r\r\n", b"x\r\n\r\r\n"),
        (b"\r\r\n", b"\r\r\n"),
        (b"x\r", b"x\r\r\n"),
        (b"x", b"x\r\n"),
    ],
)
def test_a_carriage_return_alone_is_text(body: bytes, kept: bytes) -> None:
    assert canonical_body(body, "simple") == canonical_body(body, "relaxed") == kept


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\nFrom: a@b.example\r\n\r\n",
        b"From a Mon\r\nFrom: a@b.example\r\n\r\n",
        b" From: a@b.example\r\n\r\n",
        b"From: a@b.example\r\njunk\r\n\r\n",
        b"From: a@b.example\r\n--b: c\r\n\r\n",
        b"From: a\r@b.example\r\n\r\n",
        b"Fr\xc3\xb6m: a@b.example\r\n\r\n",
        b": a@b.example\r\n\r\n",
        b"A: b\r\n" * (limits.FIELDS + 1) + b"\r\n",
        b"A: " + b"b" * limits.HEADER_BYTES + b"\r\n\r\n",
    ],
)
def test_a_header_that_readers_may_take_apart_differently_is_none(raw: bytes) -> None:
    assert split_mail(raw) is None


@given(st.binary(max_size=40) | st.text(alphabet="a: \t\r\n", max_size=40).map(str.encode))
def test_what_is_canonical_stays_as_it_is(data: bytes) -> None:
    found = split_mail(b"A: b\r\n\r\n" + data)
    assert found
    for form in ("simple", "relaxed"):
        once = canonical_body(found[1], form)
        assert canonical_body(once, form) == once
    split_mail(data)
