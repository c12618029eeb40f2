import binascii

import pytest

from shared.mail.parts.uuencode import decode_uu, extract_uu

CONTENT = bytes(range(256))
LINES = b"".join(binascii.b2a_uu(CONTENT[at : at + 45]) for at in range(0, 256, 45)).decode()


def test_a_file_in_the_text_is_taken_out() -> None:
    text, files = extract_uu(f"before\nbegin 644 a b.bin\n{LINES}`\nend\nafter")
    assert text == "before\n\nafter"
    assert files == [("a b.bin", CONTENT)]


@pytest.mark.parametrize(
    "text",
    [
        "we begin 644 things\nend",
        "begin 644 things\nand then we will do all the rest of it\nend",
        f"begin 644 a.bin\n{LINES}",
        "begin\nend",
        "begin 644 a\n\nend",
    ],
)
def test_words_that_only_look_alike_stay_text(text: str) -> None:
    assert extract_uu(text) == (text, [])


def test_lines_without_their_trailing_spaces_or_with_windows_ends_are_decoded() -> None:
    stripped = "\r\n".join(line.rstrip() for line in LINES.split("\n"))
    assert decode_uu(stripped.encode()) == CONTENT


def test_a_line_with_characters_too_many_is_cut_to_its_length() -> None:
    assert decode_uu(b"#0D%4XX\n") == b"BAT"
