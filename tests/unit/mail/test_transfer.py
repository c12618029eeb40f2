import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.transfer import decode_transfer


@pytest.mark.parametrize(
    ("data", "encoding", "decoded", "defect"),
    [
        (b"abc", "", b"abc", None),
        (b"abc", "7BIT", b"abc", None),
        (b"abc", " 8bit;", b"abc", None),
        (b"QUJD", "base64", b"ABC", None),
        (b"QUJD", "BASE64 ", b"ABC", None),
        (b"QUI", "base64", b"AB", None),
        (b"QUJDR", "base64", b"ABC", "base64-broken"),
        (b"QU*J\r\n\r\nD!", "base64", b"ABC", None),
        (b"QQ==QUJD", "base64", b"AABC", None),
        (b"QQ==\r\nQg==\r\n", "base64", b"AB", None),
        (b"QUI=\r\n\r\n-- \r\na footer", "base64", b"AB", "base64-broken"),
        (b"", "base64", b"", None),
        (b"====", "base64", b"", None),
        (b"a=3Db", "quoted-printable", b"a=b", None),
        (b"a=\r\nb", "Quoted-Printable", b"ab", None),
        (b"a=  \r\nb", "quoted-printable", b"ab", None),
        (b"a=ZZ=", "quoted-printable", b"a=ZZ", None),
        (b"a_b", "quoted-printable", b"a_b", None),
        (b"begin 644 a\n#0D%4\n`\nend\n", "x-uuencode", b"BAT", None),
        (b"abc", "x-nonsense", b"abc", "encoding-unknown"),
    ],
)
def test_an_encoding_is_undone_as_far_as_it_can_be(
    data: bytes, encoding: str, decoded: bytes, defect: str | None
) -> None:
    assert decode_transfer(data, encoding) == (decoded, defect)


@given(st.binary(max_size=300))
def test_whole_base64_and_quoted_printable_come_back_as_they_were(data: bytes) -> None:
    assert decode_transfer(base64.encodebytes(data), "base64")[0] == data
    assert decode_transfer(binascii.b2a_qp(data, istext=False), "quoted-printable")[0] == data


@given(st.binary(max_size=200), st.sampled_from(["base64", "quoted-printable", "uuencode"]))
def test_any_bytes_can_be_decoded(data: bytes, encoding: str) -> None:
    assert isinstance(decode_transfer(data, encoding)[0], bytes)
