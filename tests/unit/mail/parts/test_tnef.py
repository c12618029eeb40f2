import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail import limits
from shared.mail.message import parse
from shared.mail.parts import mapi
from shared.mail.parts.tnef import BROKEN, TOO_DEEP, Tnef, read_tnef
from tests.unit.mail.containers import ATTACHMENT, MESSAGE, attribute, plain_rtf, prop, props, stamp, tnef, tnef_file
from tests.unit.mail.containers import tnef_message as message

CP1252 = attribute(MESSAGE, 0x9007, (1252).to_bytes(4, "little") + b"\0" * 4)


def _read(data: bytes) -> Tnef:
    found = read_tnef(data)
    assert found is not None
    return found


def _body(*properties: bytes) -> Tnef:
    return _read(tnef(CP1252, attribute(MESSAGE, 0x9003, props(*properties))))


@pytest.mark.parametrize("data", [b"", b"x", b"\x78\x9f\x3e", b"\x78\x9f\x3e\x23\0\0"])
def test_other_bytes_are_no_tnef(data: bytes) -> None:
    assert read_tnef(data) is None


def test_a_file_has_its_name_and_content() -> None:
    found = _read(tnef(CP1252, tnef_file(b"GR\xdcSSE~1.TXT", b"hello")))
    assert [(file.name, file.content) for file in found.files] == [("GRÜSSE~1.TXT", b"hello")]
    assert found.defects == []


def test_a_files_properties_say_more_than_its_title() -> None:
    known = [prop(0x3707, "Grüße an alle.pdf"), prop(0x370E, "application/pdf"), prop(0x3712, "a@b"), prop(0x3713, "c")]
    file = _read(tnef(tnef_file(b"GR~1.PDF", b"x", *known))).files[0]
    assert (file.name, file.content_type, file.content_id) == ("Grüße an alle.pdf", "application/pdf", "a@b")
    assert file.content_location == "c"


def test_a_files_content_may_be_a_property() -> None:
    assert _read(tnef(tnef_file(b"a", b"", prop(0x3701, b"hello")))).files[0].content == b"hello"


@pytest.mark.parametrize(
    ("properties", "text", "html"),
    [
        ([prop(mapi.BODY, "Grüße")], "Grüße", None),
        ([prop(mapi.BODY, b"Gr\xfc\xdfe\0", 0x1E)], "Grüße", None),
        ([prop(mapi.BODY, "a"), prop(mapi.BODY_HTML, b"<p>Gr\xc3\xbc\xc3\x9fe</p>")], "a", "<p>Grüße</p>"),
        ([prop(mapi.BODY_HTML, b"<p>\xcf</p>"), prop(mapi.INTERNET_CPID, 1251)], "", "<p>П</p>"),
        ([prop(mapi.BODY_HTML, "<p>ü</p>")], "", "<p>ü</p>"),
        ([prop(mapi.RTF_COMPRESSED, plain_rtf(rb"{\rtf1 a\par b}"))], "a\nb", None),
        ([prop(mapi.BODY, "a"), prop(mapi.RTF_COMPRESSED, plain_rtf(rb"{\rtf1 b}"))], "a", None),
        ([prop(mapi.RTF_COMPRESSED, plain_rtf(rb"{\rtf1\fromhtml1{\*\htmltag <b>}a}"))], "", "<b>a"),
        ([prop(mapi.RTF_COMPRESSED, b"no rtf")], "", None),
    ],
)
def test_the_body_is_the_best_there_is(properties: list[bytes], text: str, html: str | None) -> None:
    found = _body(*properties)
    assert (found.text, found.html, found.defects) == (text, html, [])


def test_properties_of_all_kinds_are_stepped_over() -> None:
    named = b"\x03\0\x00\x80" + b"g" * 16 + (0).to_bytes(4, "little") + (1).to_bytes(4, "little") + b"\0" * 4
    spelled = (
        b"\x03\0\x01\x80"
        + b"g" * 16
        + (1).to_bytes(4, "little")
        + (6).to_bytes(4, "little")
        + b"a\0b\0\0\0"
        + b"\0" * 6
    )
    many = b"\x1f\x10\x02\x00" + (2).to_bytes(4, "little") + (b"\x02\0\0\0" + b"\0" * 4) * 2
    numbers = b"\x03\x10\x03\x00" + (3).to_bytes(4, "little") + b"\0" * 12
    fixed = b"".join(
        kind.to_bytes(2, "little") + b"\x09\x00" + b"\0" * size
        for kind, size in [(1, 4), (2, 4), (4, 4), (5, 8), (6, 8), (7, 8), (10, 4), (11, 4), (20, 8), (64, 8), (72, 16)]
    )
    data = props(named, spelled, many, numbers, fixed, prop(mapi.BODY, "a"), count=4 + 11 + 1)
    assert _read(tnef(attribute(MESSAGE, 0x9003, data))).text == "a"


def test_an_attached_message_becomes_a_mail() -> None:
    inner = tnef(
        attribute(
            MESSAGE,
            0x9003,
            props(
                prop(mapi.SUBJECT, "Grüße: a\r\nBcc: x"),
                prop(mapi.BODY, "Hallo"),
                prop(mapi.SENDER_NAME, "Anna"),
                prop(mapi.SENDER_ADDRESS, "anna@kunde.example"),
                prop(mapi.MESSAGE_ID, "<one@kunde.example>"),
                stamp(mapi.SENT, 132645318720000000),
            ),
        ),
        tnef_file(b"a.txt", b"file", prop(0x3712, "a@b")),
    )  # fmt: skip
    file = _read(tnef(message(inner))).files[0]
    assert (file.name, file.content_type) == ("Grüße: a\r\nBcc: x", "message/rfc822")
    mail = parse(file.content)
    assert mail.subject == "Grüße: a Bcc: x"
    assert mail.sender
    assert (mail.sender.name, mail.sender.address) == ("Anna", "anna@kunde.example")
    assert (mail.text, mail.message_id) == ("Hallo", "<one@kunde.example>")
    assert mail.date
    assert mail.date.year == 2021
    assert [(one.name, one.content, one.content_id) for one in mail.attachments] == [("a.txt", b"file", "a@b")]
    assert mail.header("bcc") is None


@pytest.mark.parametrize("depth", [limits.TNEF_DEPTH - 1, limits.TNEF_DEPTH, limits.TNEF_DEPTH + 1])
def test_messages_in_messages_are_unpacked_to_a_depth(depth: int) -> None:
    stream = tnef(tnef_file(b"a.txt", b"innermost"))
    for _ in range(depth - 1):
        stream = tnef(message(stream))
    found = _read(stream)
    content = found.files[0].content
    for _ in range(depth - 1):
        files = parse(content).attachments
        content = files[0].content if files else b""
    assert (content == b"innermost") == (depth <= limits.TNEF_DEPTH)
    assert (TOO_DEEP in found.defects) == (depth > limits.TNEF_DEPTH)


@pytest.mark.parametrize("count", [limits.PARTS - 1, limits.PARTS, limits.PARTS + 1])
def test_of_many_files_the_first_are_kept(count: int) -> None:
    found = _read(tnef(*(tnef_file(b"a", b"x") for _ in range(count))))
    assert len(found.files) == min(count, limits.PARTS)
    assert (TOO_DEEP in found.defects) == (count > limits.PARTS)


@pytest.mark.parametrize(
    "data",
    [
        tnef(attribute(MESSAGE, 0x800C, b"hello", size=5000)),
        tnef(attribute(MESSAGE, 0x800C, b"hello"), b"\x09" + b"\0" * 20),
        tnef(attribute(MESSAGE, 0x800C, b"hello"), attribute(MESSAGE, 0x9003, props(count=2**32 - 1))),
        tnef(attribute(MESSAGE, 0x800C, b"hello"), attribute(MESSAGE, 0x9003, props(b"\xff\x0f\0\0", count=1))),
        tnef(attribute(MESSAGE, 0x800C, b"hello"), attribute(MESSAGE, 0x9003, b"")),
        tnef(attribute(MESSAGE, 0x800C, b"hello"), attribute(ATTACHMENT, 0x9005, props(count=7))),
    ],
)
def test_a_broken_stream_is_read_as_far_as_it_goes_and_said_so(data: bytes) -> None:
    found = _read(data)
    assert found.text.startswith("hello")
    assert BROKEN in found.defects


def test_a_stream_cut_or_changed_anywhere_is_some_tnef() -> None:
    whole = tnef(CP1252, attribute(MESSAGE, 0x9003, props(prop(mapi.BODY, "a"), prop(mapi.RTF_COMPRESSED, plain_rtf(b"{\\rtf1 b}")))),
                 tnef_file(b"a", b"x", prop(0x3707, "b")), message(tnef(tnef_file(b"c", b"y"))))  # fmt: skip
    chance = random.Random(1)
    for end in range(6, len(whole)):
        _read(whole[:end])
        place = chance.randrange(6, len(whole))
        _read(whole[:place] + chance.randbytes(4) + whole[place + 4 :])


@given(st.binary(max_size=400))
def test_any_bytes_behind_the_signature_are_some_tnef(data: bytes) -> None:
    _read(tnef(data))
    _read(tnef(attribute(MESSAGE, 0x9003, data), attribute(ATTACHMENT, 0x9005, data)))
