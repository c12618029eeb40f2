from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.html.clean import clean_html
from shared.mail.html.htmltext import html_to_text
from shared.mail.writing.texthtml import plain_to_html
from tests.unit.mail.steps import linear


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("", ""),
        ("\n \n", ""),
        ("a", "<p>a</p>"),
        ("a\nb\n\n \nc", "<p>a<br>\nb</p>\n<p>c</p>"),
        ("<b>&\"'", "<p>&lt;b&gt;&amp;&quot;&#x27;</p>"),
        ("  a  b\n c", "<p>&nbsp; a&nbsp; b<br>\n&nbsp;c</p>"),
        ("see https://x.example.", '<p>see <a href="https://x.example">https://x.example</a>.</p>'),
        (
            "(HTTP://x.example/a?b=1&c=2)",
            '<p>(<a href="HTTP://x.example/a?b=1&amp;c=2">HTTP://x.example/a?b=1&amp;c=2</a>)</p>',
        ),
        (
            "https://x.example/a_(b)!",
            '<p><a href="https://x.example/a_(b)">https://x.example/a_(b)</a>!</p>',
        ),
        ("javascript:alert(1) ftp://x.example", "<p>javascript:alert(1) ftp://x.example</p>"),
        ("xhttps://x.example", "<p>xhttps://x.example</p>"),
        ("https://... https://)", "<p>https://... https://)</p>"),
        (
            'https://x.example/" onclick="x',
            '<p><a href="https://x.example/">https://x.example/</a>&quot; onclick=&quot;x</p>',
        ),
        ("https://x.example/\u202eexe", '<p><a href="https://x.example/">https://x.example/</a>\u202eexe</p>'),
    ],
)
def test_plain_text_becomes_paragraphs_breaks_and_links(text: str, html: str) -> None:
    assert plain_to_html(text) == html


@given(st.text() | st.text("ab <>&\"'\n\t.)(:/https", max_size=80))
def test_nothing_but_paragraphs_breaks_and_links_to_the_web_is_written(text: str) -> None:
    html = plain_to_html(text)
    tags = re.findall(r"<[^>]*>", html)
    assert all(re.fullmatch(r'</?p>|<br>|</a>|<a href="https?://[^"<>\s]+">', tag, re.IGNORECASE) for tag in tags)
    assert html.count("<") == html.count(">") == len(tags)


_WORDS = st.lists(st.text("abcäö日&<>.,-", min_size=1, max_size=9), min_size=1, max_size=5).map(" ".join)


@given(st.lists(_WORDS | st.just(""), max_size=8).map("\n".join))
def test_the_html_says_the_same_as_the_text(text: str) -> None:
    wanted = re.sub(r"\n{3,}", "\n\n", text.strip("\n"))
    assert html_to_text(plain_to_html(text)) == wanted


def _write(text: str) -> None:
    plain_to_html(text)


def test_what_we_write_is_clean_by_our_own_cleaner() -> None:
    html = plain_to_html("a https://x.example/?a=1&b=2 b\n\n<c>")
    cleaned = clean_html(html, {}).html
    assert html_to_text(cleaned) == html_to_text(html)


@pytest.mark.parametrize(
    "unit", ["https://", "https://a)(", " ", "\n ", ")", "&", "\t", "https://x/" + "(" * 90 + ")" * 90]
)
def test_time_grows_with_the_text_and_not_faster(unit: str) -> None:
    linear(_write, lambda size: unit * (size // len(unit)))
