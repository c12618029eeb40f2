import pytest

from shared.mail.flowed import unflow


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("a \nb", "a b"),
        ("a\nb", "a\nb"),
        ("a \nb \nc\nd", "a b c\nd"),
        ("a \n\nb", "a \nb"),
        (" From me", "From me"),
        (" >no quote", ">no quote"),
        ("> a \n> b", "> a b"),
        ("> a \n>> b", "> a \n>> b"),
        (">>a\n> b", ">> a\n> b"),
        ("a \n> b", "a \n> b"),
        ("text \n-- \nAnna", "text \n-- \nAnna"),
        ("> a \n> -- \n> Anna", "> a \n> -- \n> Anna"),
        ("a ", "a "),
        ("", ""),
    ],
)
def test_flowed_lines_become_paragraphs(text: str, joined: str) -> None:
    assert unflow(text, False) == joined


def test_with_delsp_the_space_goes() -> None:
    assert unflow("日本 \n語", True) == "日本語"
