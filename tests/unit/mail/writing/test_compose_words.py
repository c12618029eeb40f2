from __future__ import annotations

import pytest

from shared.mail.address import Address
from shared.mail.encodedword import decode_words
from shared.mail.writing import compose_words as words


def test_a_field_is_folded_between_its_pieces_and_never_behind_its_name() -> None:
    assert words.field("Subject", ["a" * 70, "b" * 40, "c"]) == b"Subject: %s\r\n %s c\r\n" % (b"a" * 70, b"b" * 40)


@pytest.mark.parametrize("piece", ["a\r\nBcc: b", "a\nb", "a\rb", "a\0", "", " ", "a\x7f", "a\u2028b", "a\x85b"])
def test_a_field_refuses_what_would_break_out_of_it(piece: str) -> None:
    with pytest.raises(ValueError, match="no header can hold"):
        words.field("Subject", [piece])


def test_a_field_refuses_a_line_that_servers_would_cut() -> None:
    assert words.field("X", ["a" * 995]).startswith(b"X: aaa")
    with pytest.raises(ValueError, match="too long"):
        words.field("X", ["a" * 996])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("", []),
        ("Anna Beispiel", ["Anna", "Beispiel"]),
        ("Beispiel, Anna", ['"Beispiel, Anna"']),
        ('Anna "Ann" \\ B.', ['"Anna \\"Ann\\" \\\\ B."']),
        ("Jürgen", ["=?utf-8?q?J=C3=BCrgen?="]),
        ("a =?utf-8?q?b?=", ["=?utf-8?q?a_=3D=3Futf-8=3Fq=3Fb=3F=3D?="]),
        ("日本", ["=?utf-8?b?5pel5pys?="]),
    ],
)
def test_a_name_is_atoms_or_a_quoted_string_or_encoded_words(name: str, wanted: list[str]) -> None:
    assert words.phrase(name) == wanted


def test_mailboxes_have_commas_between_them() -> None:
    found = [Address("", "a@b.example"), Address("C D", "c@b.example"), Address("", '"e f"@b.example')]
    assert words.addresses(found) == ["a@b.example,", "C", "D", "<c@b.example>,", '<"e f"@b.example>']


@pytest.mark.parametrize("text", ["ä" * 300, "日本語" * 100, "a ä " * 100, "👩‍👩‍👧‍👦" * 40, "x" * 500])
@pytest.mark.parametrize("safe", [words.TEXT, words.PHRASE])
def test_encoded_words_are_short_hold_whole_characters_and_say_the_text_together(
    text: str, safe: frozenset[int]
) -> None:
    found = words.encoded_words(text, safe)
    assert max(map(len, found)) <= 75
    assert "".join(map(decode_words, found)) == text  # one by one
    assert decode_words(" ".join(found)) == text
