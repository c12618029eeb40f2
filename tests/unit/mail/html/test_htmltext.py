import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.html.htmltext import html_to_text


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
        ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>", "- a\n- b\n  - c"),
        ("<ul><li><p>a</p></li><li><div>b</div>c</li></ul>", "- a\n- b\nc"),
        ("<ol start=3><li>a<li>b</ol><ol start=x><li>c</ol>", "3. a\n4. b\n1. c"),
        ("<ul><li>a<ol><li>b</ol><li>c</ul>d", "- a\n  1. b\n- c\nd"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><th>c</th><td>d</td></tr></table>", "a b\nc | d"),
        ("<table border=1><tr><td><p>a</p></td><td><p>b</p></td></tr><tr><td>c<td><td>d</table>", "a | b\nc | | d"),
        ("<table><tr><th>Name<th>Wert<tr><td>a<td>1</table>x", "Name | Wert\na | 1\nx"),
        ("<table border=0><tr><td>a<td><table border=1><tr><td>b<td>c</table><td>d</table>", "a\nb | c\nd"),
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
        ('<img alt="a > b">x', "[a > b]x"),
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
        ('a <img alt="😀"> b <img alt="Logo">', "a 😀 b [Logo]"),
        ('<img alt="  A\n  picture "><img alt=""><img>', "[A picture]"),
        ('<img alt=x width=1><img alt=y height="0">a', "a"),
        ('<img alt="' + "x" * 300 + '">', "[" + "x" * 200 + "]"),
        ('<a href="https://x.example/a"><img alt="Shop"></a>', "[Shop] <https://x.example/a>"),
        ('<a href="https://x.example"> &nbsp; </a>b', "  b"),
        ("<p>a</p>\n\n\n<p></p><p> </p><p>b</p>", "a\n\nb"),
        ("<o:p>a</o:p>", "a"),
        ("<blockquote>a</blockquote>b", "> a\nb"),
        ("a<blockquote type=cite>b<br>c</blockquote>d", "a\n> b\n> c\nd"),
        ("<p>a</p><blockquote><p>b</p><p>c</p></blockquote><p>d</p>", "a\n\n> b\n>\n> c\n\nd"),
        ("<blockquote>a<blockquote>b</blockquote>c</blockquote>d", "> a\n> > b\n> c\nd"),
        ("<blockquote><blockquote><p>a</p></blockquote><p>b</p></blockquote>", "> > a\n>\n> b"),
        ("<blockquote><pre>a\n\n b</pre></blockquote>", "> a\n>\n>  b"),
        ("<blockquote><p></p><p> </p></blockquote>a", "a"),
        ("<blockquote><ul><li>a<li>b</ul></blockquote>", "> - a\n> - b"),
        ("</blockquote>a<blockquote>b", "a\n> b"),
        ("<blockquote>" * 12 + "a", "> " * 10 + "a"),
        ('<blockquote style="margin: 0 0 0 40px; border: none; padding: 0px;"><div>a</div></blockquote>b', "a\nb"),
        ('<blockquote class="webkit-indent-blockquote">a</blockquote>b', "a\nb"),
        ('<blockquote type="cite" style="border:none">a</blockquote>b', "> a\nb"),
        ("&nbsp;&nbsp;a&nbsp;&nbsp;", "  a"),
        ("", ""),
        ("<p></p>", ""),
    ],
)
def test_html_becomes_the_text_a_person_reads(source: str, text: str) -> None:
    assert html_to_text(source) == text


@given(st.text("<>/!-'\"= abp&#;x\n", max_size=80))
def test_any_text_is_some_html(source: str) -> None:
    assert isinstance(html_to_text(source), str)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('<div style="display:none">a</div>b', "b"),
        ('<div style="DISPLAY : none !important; x:y">a<div>b</div>c</div>d', "d"),
        ("<div hidden>a</div>b", "b"),
        ('<span style="visibility:hidden">a</span>b', "b"),
        ('<span style="opacity:0">a</span><span style="opacity:0.5">b</span>', "b"),
        ('<div style="max-height:0px;overflow:hidden">a</div><div style="max-height:0">b</div>', "b"),
        ('<span style="font-size:0px;line-height:0">a</span>b', "b"),
        ('<span style="font-size:0.5em">a</span>b', "ab"),
        ('<div style="mso-hide:all">a</div>b', "b"),
        ('<a href="https://x.example/a" style="mso-hide:all">Button</a>', "Button <https://x.example/a>"),
        ('<td style="font-size:0px"><div style="font-size:13px">a</div>b</td>c', "a\nc"),
        ('<div style="font-size:0"><font size=2>a</font></div>b', "a\nb"),
        ('<div style="display:none"><span style="font-size:13px">a</span></div>b', "b"),
        ('<p style="display:none">a<p>b', "b"),
        ('<div style="display:none"><br><img alt=x><hr></div>b', "b"),
        ('<table><tr style="display:none"><td>a</td></tr><tr><td>b</td></tr></table>', "b"),
        ("<div title='display:none'>a</div>b", "a\nb"),
        ("<div style='content:display:none'>a</div>b", "a\nb"),
    ],
)
def test_what_a_reader_does_not_see_is_left_out(source: str, text: str) -> None:
    assert html_to_text(source) == text


@pytest.mark.parametrize(
    "source", ['<div style="display:none">all there is</div>', '<div style="display:none">all <b>there is']
)
def test_hidden_text_is_shown_if_it_is_all_there_is_or_never_ends(source: str) -> None:
    assert html_to_text(source) == "all there is"


_WORDS = st.sampled_from(
    """<blockquote> </blockquote> <ul> <li> </ul> <table_border=1> <tr> <td> <th> </table> <pre> </pre> <p> </p> <br> a
    <a_href=http://x.example/> </a> <img_alt=y> &nbsp; <hr> <div_style=display:none> </div> <font_style=font-size:0> </font>
    <p_style=font-size:1> _ \n""".split()  # noqa: SIM905
).map(lambda word: word.replace("_", " ").replace("\\n", "\n"))


@given(st.lists(_WORDS, max_size=50).map("".join))
def test_any_tags_are_some_text(source: str) -> None:
    text = html_to_text(source)
    assert text == text.strip("\n")
    assert "\n\n\n" not in text


def test_letters_are_never_lost_in_what_is_shown() -> None:
    chance = random.Random(1)
    tags = ["<blockquote>", "</blockquote>", "<ul>", "<li>", "</ul>", "<table border=1>", "<td>", "<tr>", "</table>", "<p>", "<pre>",
            "</pre>", "<a href=http://x.example/>", "</a>", "<br>", "<div>", "</div>"]  # fmt: skip
    for _ in range(300):
        source = "".join(chance.choice(tags) + "q" for _ in range(30))
        assert html_to_text(source).count("q") == 30
