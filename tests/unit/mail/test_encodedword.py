import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.encodedword import decode_header, decode_words


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("plain", "plain"),
        ("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?UTF-8?b?R3LDvMOfZQ==?=", "Grüße"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=\r\n\t=?iso-8859-1?q?=FC?=", "aü"),
        ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        ("=?utf-8?q?a_b?=", "a b"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),
        ("=?utf-8?B?w7w?= =?utf-8?B?w7w=?=", "üü"),
        ("=?utf-8?Q?a b?=", "a b"),
        ("=?utf-8?Q?a", "a"),
        ("=?utf-8?Q?a =?utf-8?Q?b?=", "a b"),
        ("=?utf-8*en?Q?a?=", "a"),
        ("=?x-unknown?Q?=C3=BC?=", "ü"),
        ("=?punycode?Q?a-b?=", "a-b"),
        ("=?utf-8?X?a?=", "=?utf-8?X?a?="),
        ("=??Q?a?=", "=??Q?a?="),
        ("=?", "=?"),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?= =?iso-2022-jp?B?GyRCOGwbKEI=?=", "日本語"),
        ("=?gb2312?B?6Ew=?=", "鐻"),
        ("=?utf-8?Q?What??=", "What?"),
        ("=?utf-8?Q??=", ""),
        ("(=?utf-8?Q?a?=)", "(a)"),
        ("=?utf-8?Q?=ZZ=4?=", "=ZZ=4"),
        ("=?utf-8?B?!!!?=", ""),
    ],
)
def test_encoded_words_are_decoded_as_well_as_they_allow(text: str, decoded: str) -> None:
    assert decode_words(text) == decoded


@pytest.mark.parametrize(
    ("value", "hint", "decoded"),
    [
        ("Störung".encode(), None, "Störung"),
        ("Störung".encode("latin-1"), None, "Störung"),
        ("发票".encode("gbk"), "gb2312", "发票"),
        ("発注".encode("shift_jis"), "shift_jis", "発注"),
        ("発注".encode("iso2022_jp"), None, "発注"),
        (b"=?utf-8?Q?=C3=BC?= " + "ü".encode(), None, "ü ü"),
    ],
)
def test_raw_bytes_in_headers_are_decoded_too(value: bytes, hint: str | None, decoded: str) -> None:
    assert decode_header(value, hint) == decoded


@given(st.text("=?utf-8QB_ab+/", max_size=60))
def test_any_text_is_decoded_to_some_text(text: str) -> None:
    assert isinstance(decode_words(text), str)
