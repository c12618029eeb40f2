import pytest

from shared.mail.reply.quote_align import Line
from shared.mail.reply.quote_html import Mark
from shared.mail.reply.quote_page import Page


def _page(text: str) -> Page:
    return Page([Line(line) for line in text.split("\n")])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a\n-----Original Message-----\nb", (1, False)),
        ("a\n---------- Forwarded message ---------\nb", (1, True)),
        ("a\n----- Qqq -----\nFrom: b\nSubject: c\n\nd", (1, False)),
        ("a\nFrom: b@c.example\nSent: 3 May 2021\nSubject: d", (1, False)),
        ("a\nAnna wrote:\nb", (3, False)),
        ("a\nOn 5/3/21 9:02 AM, Anna wrote:\nb", (1, False)),
        ("a\nOn 5/3/21 9:02 AM, Anna wrote:\n> b", (3, False)),
        ("a\n-----Original Message-----\nOn 5/3/21 9:02 AM, Anna wrote:\n> b", (4, False)),
        ("> -----Original Message-----\nb", (2, False)),
    ],
)
def test_the_line_from_which_all_is_old_is_found(text: str, found: tuple[int, bool]) -> None:
    assert _page(text).old_from() == found


def test_the_htmls_mark_decides_first() -> None:
    page = Page([Line("a"), Line("b", Mark.TAIL), Line("-----Original Message-----", Mark.TAIL)])
    assert page.old_from() == (1, False)


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("a\nAnna wrote:\n\n> b", 1),
        ("a\nno attribution\n> b", 2),
        ("a\n-----Original Message-----\nAnna wrote:\n> b", 1),
        ("a\nFrom: b@c.example\nDate: 3 May 2021\nSubject: d\n\n> b", 1),
        ("> b", 0),
    ],
)
def test_the_heading_of_a_quote_is_found(text: str, heading: int) -> None:
    page = _page(text)
    assert page.heading_of(page.kind.index("q")) == heading


def test_an_indent_below_an_attribution_is_a_quote() -> None:
    marks = [Line("Anna wrote:"), Line("a", Mark.INDENT), Line(""), Line("b", Mark.INDENT), Line("c")]
    assert "".join(Page(marks).kind) == "tqeqt"
    assert "".join(Page(marks[1:]).kind) == "tett"
    assert "".join(_page("Anna wrote:\n| a\n| b\nc").kind) == "tqqt"


def test_lines_of_dashes_above_the_old_belong_to_it() -> None:
    page = _page("a\n\n____\n\nb")
    assert page.without_rules(4) == 2
    assert page.without_rules(5) == 5
