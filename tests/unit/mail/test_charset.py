import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.charset import _CODECS, codec_of, decode, meta_charset

GERMAN = "Grüße aus Köln"


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ('"utf-8"', "utf-8"),
        ("iso-UTF-8", "utf-8"),
        ("utf-8*de", "utf-8"),
        ("iso-8859-1", "windows-1252"),
        ("ISO_8859-1", "windows-1252"),
        ("latin1", "windows-1252"),
        ("us-ascii", "ascii"),
        ("charset=us-ascii", "ascii"),
        ("gb2312", "gb18030"),
        ("X-GBK", "gb18030"),
        ("iso-gb2312", "gb18030"),
        ("shift_jis", "cp932"),
        ("x-sjis", "cp932"),
        ("ks_c_5601-1987", "cp949"),
        ("euc-kr", "cp949"),
        ("x-mac-cyrillic", "mac-cyrillic"),
        ("iso-8859-8-i", "iso8859-8"),
        ("big5", "big5hkscs"),
        ("iso-8859-9", "cp1254"),
        ("x-unknown", None),
        ("", None),
        (None, None),
        ("punycode", None),
        ("idna", None),
        ("unicode_escape", None),
        ("raw_unicode_escape", None),
        ("undefined", None),
        ("rot13", None),
        ("base64", None),
        ("a\0b", None),
        ("x" * 10_000, None),
    ],
)
def test_a_label_means_what_browsers_mean_and_nothing_dangerous(label: str | None, codec: str | None) -> None:
    assert codec_of(label) == codec


def test_every_codec_we_name_exists() -> None:
    for codec in set(_CODECS.values()):
        assert codecs.lookup(codec)


@pytest.mark.parametrize(
    ("data", "label", "hint", "text", "defect"),
    [
        (GERMAN.encode(), "utf-8", None, GERMAN, None),
        (GERMAN.encode("latin-1"), "iso-8859-1", None, GERMAN, None),
        (GERMAN.encode(), "iso-8859-1", None, GERMAN, None),
        (GERMAN.encode(), None, None, GERMAN, None),
        (GERMAN.encode("latin-1"), None, None, GERMAN, "charset-guessed"),
        (GERMAN.encode("latin-1"), "utf-8", None, GERMAN, "charset-guessed"),
        (GERMAN.encode("latin-1"), "us-ascii", None, GERMAN, "charset-guessed"),
        (GERMAN.encode(), "us-ascii", None, GERMAN, "charset-guessed"),
        (GERMAN.encode(), "x-unknown", None, GERMAN, "charset-unknown"),
        (GERMAN.encode("cp1250"), None, "iso-8859-2", GERMAN, None),
        (b"\x80\x81\x9d", "windows-1252", None, "€\x81\x9d", None),
        (b"\xef\xbb\xbf" + GERMAN.encode(), "iso-8859-1", None, GERMAN, None),
        (GERMAN.encode("utf-16"), None, None, GERMAN, None),
        (GERMAN.encode("utf-16-le"), "utf-16le", None, GERMAN, None),
        (b"plain ascii", "utf-16", None, "plain ascii", None),
        ("日本".encode("iso2022_jp"), None, None, "日本", None),
        (b"\x1b(I1234\x1b(B", "iso-2022-jp", None, "ｱｲｳｴ", None),
        ("你好，世界".encode("gbk"), "utf-8", None, "你好，世界", "charset-guessed"),
        ("Größe &c".encode("utf-7"), "utf-7", None, "Größe &c", None),
        (b"", "utf-8", None, "", None),
    ],
)
def test_bytes_become_the_text_that_was_meant(
    data: bytes, label: str | None, hint: str | None, text: str, defect: str | None
) -> None:
    assert decode(data, label, hint) == (text, defect)


def test_one_cut_character_does_not_change_the_charset() -> None:
    text, defect = decode("你好，世界，今天天气很好".encode("gb18030") + b"\xc4", "gb2312")
    assert (text, defect) == ("你好，世界，今天天气很好\ufffd", "charset-replaced")


@pytest.mark.parametrize(
    ("html", "charset"),
    [
        (b'<meta charset="gbk">', "gbk"),
        (b"<META HTTP-EQUIV=Content-Type CONTENT='text/html; charset=koi8-r'>", "koi8-r"),
        (b"<p>charset=gbk</p>", None),
        (b"x" * 5000 + b"<meta charset=gbk>", None),
    ],
)
def test_an_html_document_names_its_charset_in_a_meta_element(html: bytes, charset: str | None) -> None:
    assert meta_charset(html) == charset


@given(
    st.binary(max_size=300),
    st.sampled_from(["utf-8", "big5", "iso-2022-jp", "gb2312", "utf-16", "utf-7", "hz", "nope", None]),
)
def test_any_bytes_become_some_text(data: bytes, label: str | None) -> None:
    text, _ = decode(data, label)
    assert isinstance(text, str)
