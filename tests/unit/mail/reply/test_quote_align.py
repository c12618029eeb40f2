from shared.mail.reply.quote_align import marked_lines
from shared.mail.reply.quote_html import Mark

HTML = '<div>Thanks, it <b>works</b>.</div><blockquote type="cite">Is it on?<br>Support</blockquote><div>Anna</div>'


def _marks(text: str, html: str | None) -> list[Mark]:
    return [line.mark for line in marked_lines(text, html)]


def test_a_line_is_marked_as_its_words_in_the_html_are() -> None:
    assert _marks("Thanks, it *works*.\n> Is it on?\n> Support\nAnna", HTML) == [
        Mark.NONE,
        Mark.QUOTE,
        Mark.QUOTE,
        Mark.NONE,
    ]


def test_lines_may_be_wrapped_otherwise() -> None:
    assert _marks("Thanks,\nit works.\n\nIs it\non? Support\nAnna", HTML)[3:] == [Mark.QUOTE, Mark.QUOTE, Mark.NONE]


def test_a_line_the_html_does_not_have_is_marked_as_both_neighbours_are() -> None:
    text = "Thanks, it works.\nIs it on?\n[image: logo]\nSupport\n[image: face]\nAnna"
    assert _marks(text, HTML) == [Mark.NONE, Mark.QUOTE, Mark.QUOTE, Mark.QUOTE, Mark.NONE, Mark.NONE]


def test_links_that_only_one_of_both_shows_are_stepped_over() -> None:
    html = (
        '<a href="https://kunde.example/'
        + "x" * 300
        + '">Our page</a> is broken.<blockquote type=cite>Which?</blockquote>'
    )
    assert _marks("Our page is broken.\nWhich?", html) == [Mark.NONE, Mark.QUOTE]
    assert _marks("Our page <https://short.example> is broken.\nWhich?", html)[1] is Mark.QUOTE


def test_a_text_that_says_something_else_takes_no_marks() -> None:
    assert _marks("To read this mail, turn on the display of HTML in your mail program.\nAnna", HTML) == [Mark.NONE] * 2


def test_without_html_nothing_is_marked() -> None:
    assert _marks("a\nb", None) == [Mark.NONE] * 2
    assert _marks("a\nb", "<p>a</p><p>b</p>") == [Mark.NONE] * 2
