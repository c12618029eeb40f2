import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.htmltext import html_to_text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hello", "Hello"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("a<br>b<br/><br />c", "a\nb\n\nc"),
        ("<div><div>a</div></div>\n<div>b</div>", "a\nb"),
        ("<p>a\r\n  b</p>", "a b"),
        ("a <b>b</b> c<i> d</i>", "a b c d"),
        ("a<b> </b>b", "a b"),
        ("<b>a</b> <b>b</b>", "a b"),
        ("a&nbsp;&amp;&lt;b&gt;&#252;&#xfc;&uuml;&unknown;", "a &<b>üüü&unknown;"),
        ("&#99999999999999999999;", "\ufffd"),
        ("&#" + "9" * 5000 + ";", "\ufffd"),
        ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>", "- a\n- b\n- c"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><th>c</th><td>d</td></tr></table>", "a b\nc d"),
        ("<pre>a\n  b</pre>c", "a\n  b\n\nc"),
        ("a<hr>b", "a\n\n---\n\nb"),
        ("<style>p{}</style><script>x<y</script><title>t</title>a", "a"),
        ("<STYLE>p{}</Style >a", "a"),
        ("<head><title>t</title></head><body>a</body>", "a"),
        ("<!-- c > d -->a", "a"),
        ("<!--[if mso]><p>x</p><![endif]-->a", "a"),
        ("<![if !mso]>a<![endif]>", "a"),
        ("<!DOCTYPE html><?xml version='1'?>a", "a"),
        ("<!-- never closed <p>a</p>", "never closed\n\na"),
        ("<script>never closed", "never closed"),
        ("a < b > c", "a < b > c"),
        ("1<2", "1<2"),
        ("a <", "a <"),
        ("<b never closed", "<b never closed"),
        ('<img alt="a > b">x', "x"),
        ('<p title="a>b">x', "x"),
        ("<p title='it\"s'>x", "x"),
        ('<p title=5">x', "x"),
        ('<a href="https://x.example/a">here</a>', "here <https://x.example/a>"),
        ('<a href="https://x.example/?a=1&amp;b=2">here</a>', "here <https://x.example/?a=1&b=2>"),
        ('<a href="https://www.x.example/">x.example</a>', "x.example"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example"),
        ('<a href="mailto:a@x.example">Anna</a>', "Anna <mailto:a@x.example>"),
        ('<a href="javascript:alert(1)">here</a>', "here"),
        ('<a href="https://x.example"><img src=x></a>b', "b"),
        (
            '<a href="https://x.example">a<a href="https://y.example">b</a>',
            "a <https://x.example>b <https://y.example>",
        ),
        ("<a name=top>x</a>", "x"),
        ('<a href="https://x.example/' + "y" * 2000 + '">x</a>', "x"),
        ('a <img alt="😀"> b <img alt="Logo">', "a 😀 b"),
        ("<p>a</p>\n\n\n<p></p><p> </p><p>b</p>", "a\n\nb"),
        ("<o:p>a</o:p>", "a"),
        ("<blockquote>a</blockquote>b", "a\nb"),
        ("", ""),
        ("<p></p>", ""),
    ],
)
def test_html_becomes_the_text_a_person_reads(source: str, text: str) -> None:
    assert html_to_text(source) == text


@given(st.text("<>/!-'\"= abp&#;x\n", max_size=80))
def test_any_text_is_some_html(source: str) -> None:
    assert isinstance(html_to_text(source), str)
