import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.text import clean_text, one_line


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("a\u2028b\u2029c\x85d", "a\nb\nc\nd"),
        ("a\x00b\x07c\x1b[0m\x7f\x9f", "abc[0m"),
        ("a\ud800b", "a\ufffdb"),
        ("\ufffe\uffff", "\ufffd\ufffd"),
        ("Grüße 😀 e\u0301", "Grüße 😀 e\u0301"),
    ],
)
def test_text_is_cleaned_of_what_stores_refuse(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\n b\t c", "a b c"),
        ("  a\u00a0\u3000b  ", "a b"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("abcdef", "abcde"),
        ("abcd  ef", "abcd e"[:5].rstrip()),
    ],
)
def test_one_line_is_one_line_within_its_limit(text: str, line: str) -> None:
    assert one_line(text, 5 if text.startswith("abc") else 50) == line


def test_every_unit_of_the_basic_plane_can_be_encoded_after_cleaning() -> None:
    text = clean_text("".join(map(chr, range(0x10000))))
    assert text.encode("utf-8").decode("utf-8") == text
    assert clean_text(text) == text


@given(st.text(st.characters(), max_size=200))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)
