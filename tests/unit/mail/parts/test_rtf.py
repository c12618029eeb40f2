import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.parts.rtf import read_rtf

FONTS = rb"{\fonttbl{\f0\fswiss Arial;}{\f1\fcharset204 Arial;}{\f2\fcharset128 Gothic;}}"


@pytest.mark.parametrize(
    ("rtf", "text"),
    [
        (rb"{\rtf1 Hello}", "Hello"),
        (rb"{\rtf1 a\par b\line c\tab d}", "a\nb\nc\td"),
        (rb"{\rtf1\ansi\ansicpg1252 Gr\'fc\'dfe}", "Grüße"),
        (rb"{\rtf1\ansi\ansicpg1251 \'cf\'f0}", "Пр"),
        (rb"{\rtf1\ansi" + FONTS + rb"{\f1 \'cf\'f0} \f2\'93\'fa}", "Пр 日"),
        (rb"{\rtf1 \u8364?\u-10179?\u-8704?x}", "€😀x"),
        (rb"{\rtf1\uc0\u252 x\uc2\u252\'fc\'fcy}", "üxüy"),
        (rb"{\rtf1 a\{b\}\\c\~d}", "a{b}\\c\u00a0d"),
        (rb"{\rtf1 \ldblquote a\rdblquote\endash}", "“a”–"),
        (rb"{\rtf1{\colortbl;\red0;}{\stylesheet{\s0 Normal;}}{\info{\author x}}{\*\generator y;}a}", "a"),
        (rb"{\rtf1{\pict 0102ff}\bin3 {}}a}", "a"),
        (rb"{\rtf1{\field{\*\fldinst HYPERLINK x}{\fldrslt here}}}", "here"),
        (b"{\\rtf1 a\r\nb}", "ab"),
        (rb"{\rtf1 never closed", "never closed"),
        (rb"{\rtf1 a}}}} b", "a b"),
        (rb"{\rtf1 a\'zz\'e", "azze"),
        (rb"{\rtf1 \ud800\u55296?}", "\ufffd"),
    ],
)
def test_rich_text_becomes_text(rtf: bytes, text: str) -> None:
    found = read_rtf(rtf)
    assert found is not None
    assert (found.text, found.html) == (text, None)


@pytest.mark.parametrize(
    ("rtf", "html"),
    [
        (rb"{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 Hall\'f6{\*\htmltag72 </p>}\htmlrtf \par}\htmlrtf0", "<p>Hallö</p>"),
        (rb"{\*\htmltag84 &lt;}\htmlrtf <\htmlrtf0 x", "&lt;x"),
        (rb"a < b", "a &lt; b"),
        (rb'{\*\htmltag <a href="x\{y\}">}', '<a href="x{y}">'),
        (rb"{\*\htmltag a\par b\tab c}", "a\nb\tc"),
        (rb"{\*\mhtmltag1 <img src=x>}{\*\htmltag1 <img src=y>}", "<img src=y>"),
        (rb"\htmlrtf a{\*\htmltag <b>}c\htmlrtf0 d", "<b>d"),
    ],
)
def test_the_html_in_rich_text_comes_out_again(rtf: bytes, html: str) -> None:
    found = read_rtf(rb"{\rtf1\ansi\ansicpg1252\fromhtml1" + FONTS + rtf + b"}")
    assert found is not None
    assert (found.text, found.html) == ("", html)


@pytest.mark.parametrize("data", [b"", b"x", b"rtf1", b"\\rtf1", b"\x00" * 100])
def test_other_bytes_are_no_rich_text(data: bytes) -> None:
    assert read_rtf(data) is None


def test_groups_beyond_count_do_not_lose_their_text() -> None:
    found = read_rtf(b"{\\rtf1 " + b"{" * 100_000 + b"x" + b"}" * 100_000 + b"y}")
    assert found is not None
    assert found.text == "xy"


_WORDS = st.sampled_from(
    [b"{", b"}", b"{\\*", b"\\htmltag <b>", b"\\htmlrtf ", b"\\htmlrtf0 ", b"\\'e4", b"\\u300?", b"\\f1 ", b"\\uc9 ",
     b"{\\fonttbl", b"\\fcharset128 ", b"\\bin9999999999 ", b"\\ansicpg99999 ", b"\\", b"a", b"\\par", b"\\u-99999999 "]
)  # fmt: skip


@given(st.lists(_WORDS, max_size=60).map(b"".join), st.sampled_from([b"", b"\\fromhtml1 "]))
def test_any_words_are_some_rich_text(words: bytes, kind: bytes) -> None:
    found = read_rtf(b"{\\rtf1" + kind + words)
    assert found is not None
    ((found.html or "") + found.text).encode("utf-8")
