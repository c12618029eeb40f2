import pytest

from shared.mail.reply.quote_align import Line
from shared.mail.reply.quote_html import Mark
from shared.mail.reply.quote_lines import is_introduced, kinds, quote_runs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n\n> b", "teq"),
        (" > a\n>b\n＞ c", "qqq"),
        (">>> import a\n>>> b()", "tt"),
        (">>> a\n> b", "qq"),
        (">From here\na", "tt"),
        (">From here\n> a", "qq"),
        ("> " + "a" * 75 + "\nend of it\n> b", "qqq"),
        ("> short\nanswer\n> b", "qtq"),
        ("<anna@kunde.example\n> wrote:\n> a", "ttq"),
        ("a -> b", "t"),
    ],
)
def test_a_line_is_empty_text_or_quoted(text: str, expected: str) -> None:
    assert "".join(kinds([Line(line) for line in text.split("\n")])) == expected


def test_what_the_html_quotes_is_quoted_and_what_it_only_indents_is_not() -> None:
    lines = [Line("a", Mark.QUOTE), Line("> b", Mark.INDENT), Line("c", Mark.ATTRIBUTION), Line("d", Mark.SIGNATURE)]
    assert "".join(kinds(lines)) == "qtqt"


def test_empty_lines_do_not_end_a_run_of_quotes() -> None:
    assert quote_runs("tqeqetqq") == [(1, 4), (6, 8)]
    assert quote_runs("tet") == []


def test_what_a_line_with_a_colon_introduces_is_the_writers_own() -> None:
    lines = [Line("The log says:"), Line(""), Line("> no route")]
    assert is_introduced(lines, kinds(lines), 2, 3)
    assert not is_introduced(lines[1:], kinds(lines[1:]), 1, 2)
    many = [Line("The log says:"), *[Line("> no route")] * 11]
    assert not is_introduced(many, kinds(many), 1, 12)
