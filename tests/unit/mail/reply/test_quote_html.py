import pytest

from shared.mail.html.htmltext import html_to_text
from shared.mail.reply.quote_html import Mark, segments


def _marked(source: str) -> list[tuple[Mark, str]]:
    """The pieces with words."""
    return [(mark, text) for mark, piece in segments(source) if (text := html_to_text(piece).lstrip("> "))]


@pytest.mark.parametrize(
    ("quote", "mark"),
    [
        ('<blockquote type="cite">old</blockquote>', Mark.QUOTE),
        ('<blockquote cite="mid:1@desk.example">old</blockquote>', Mark.QUOTE),
        ('<blockquote class="gmail_quote">old</blockquote>', Mark.QUOTE),
        ("<blockquote>old</blockquote>", Mark.INDENT),
        ('<div class="yahoo_quoted" id="yahoo_quoted_1">old</div>', Mark.QUOTE),
        ('<div class="x_yahoo_quoted">old</div>', Mark.QUOTE),
        ('<div name="quote">old</div>', Mark.QUOTE),
        ('<div data-marker="__QUOTED_TEXT__">old</div>', Mark.QUOTE),
        ('<div class="zmail_extra">old</div>', Mark.QUOTE),
        ('<div class="moz-cite-prefix">old</div>', Mark.ATTRIBUTION),
        ('<p id="reply-intro">old</p>', Mark.ATTRIBUTION),
        ('<div class="gmail_signature">old</div>', Mark.SIGNATURE),
        ('<div data-smartmail="gmail_signature">old</div>', Mark.SIGNATURE),
        ('<pre class="moz-signature">old</pre>', Mark.SIGNATURE),
        ('<p name="quote">old</p>', Mark.NONE),
        ('<div class="quote">old</div>', Mark.NONE),
    ],
)
def test_what_a_program_marks_is_known_and_ends_with_its_element(quote: str, mark: Mark) -> None:
    found = _marked(f"<div>new</div>{quote}<div>newer</div>")
    if mark is Mark.NONE:
        assert {mark for mark, _ in found} == {Mark.NONE}
    else:
        assert found == [(Mark.NONE, "new"), (mark, "old"), (Mark.NONE, "newer")]


@pytest.mark.parametrize(
    "tag",
    [
        '<div id="divRplyFwdMsg">',
        '<div id="x_divRplyFwdMsg">',
        '<div id="appendonsend"></div>',
        '<div class="OutlookMessageHeader">',
        '<hr id="stopSpelling">',
        '<div id="mail-editor-reference-message-container">',
    ],
)
def test_below_the_mark_of_outlook_all_is_old(tag: str) -> None:
    found = _marked(f"<div><div>new</div>{tag}old</div></div><p>older</p>")
    assert [mark for mark, _ in found] == [Mark.NONE, Mark.TAIL]
    assert found[1][1].endswith("old\n\nolder")


RULE = "<div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'>"


def test_words_rule_counts_if_a_header_block_follows() -> None:
    header = "<p><b>Xxx:</b> a<br><b>Yyy:</b> b</p></div><p>old</p>"
    assert [mark for mark, _ in _marked(f"<p>new</p>{RULE}{header}")] == [Mark.NONE, Mark.TAIL]
    assert {mark for mark, _ in _marked(f"<p>new</p>{RULE}<p>new: too</p></div><p>newer</p>")} == {Mark.NONE}


def test_answers_between_gmails_quotes_are_new() -> None:
    source = (
        'new<div class="gmail_quote"><div class="gmail_attr">A wrote:</div><blockquote class="gmail_quote">old</blockquote>'
        "<div>answer</div><blockquote class='gmail_quote'>older</blockquote></div>"
    )
    assert [mark for mark, _ in _marked(source)] == [Mark.NONE, Mark.ATTRIBUTION, Mark.QUOTE, Mark.NONE, Mark.QUOTE]


def test_what_gmail_forwards_is_no_answer() -> None:
    source = '<div class="gmail_quote"><div class="gmail_attr">Forwarded</div><div>old<blockquote>a</blockquote>b</div></div>'
    assert Mark.NONE not in {mark for mark, _ in _marked(source)}


def test_a_quote_in_a_quote_changes_nothing() -> None:
    source = '<blockquote type="cite">a<blockquote type="cite">b</blockquote>c</blockquote>d'
    assert [mark for mark, _ in _marked(source)] == [Mark.QUOTE, Mark.NONE]


@pytest.mark.parametrize(
    "source", ["", "<", "<div", "</div></blockquote>", "<blockquote type=cite>", "<div class='gmail_quote"]
)
def test_broken_html_has_pieces_too(source: str) -> None:
    assert isinstance(segments(source), list)
