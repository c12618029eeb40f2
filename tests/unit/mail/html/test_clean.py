import re
from collections.abc import Sequence
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail import limits
from shared.mail.html.clean import clean_html

IMAGES = {"Logo@x": "/api/attachments/1", "image001.png": "/api/attachments/2"}

# Written down again on purpose: what may come out, whatever the cleaner thinks of it.
TAGS = frozenset(
    """a abbr address b big blockquote br caption center cite code col colgroup dd del dfn div dl dt em h1 h2 h3 h4 h5 h6
    hr i img ins kbd li ol p pre q s samp small span strike strong sub sup table tbody td tfoot th thead tr tt u ul
    var""".split()  # noqa: SIM905 - a list of names, not of strings
)
ATTRIBUTES = frozenset(
    """align valign dir lang title href rel target alt width height border src data-src cellpadding cellspacing colspan
    rowspan span start type value""".split()  # noqa: SIM905
)


class _Reader(HTMLParser):
    """Reads what came out, and says what is not allowed in it."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.tags: list[str] = []
        self.depth = 0
        self.deepest = 0

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("br", "col", "hr", "img"):
            self.depth += 1
            self.deepest = max(self.deepest, self.depth)
        if tag not in TAGS:
            self.wrong.append(f"<{tag}>")
        known = dict(attrs)
        for name, value in attrs:
            if not _allowed(tag, name, value or ""):
                self.wrong.append(f"{tag} {name}={value!r}")
        if tag == "a" and (known.get("rel"), known.get("target")) != ("noopener noreferrer nofollow", "_blank"):
            self.wrong.append("a link without rel and target")

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1

    def handle_comment(self, data: str) -> None:
        self.wrong.append(f"a comment {data!r}")

    def handle_decl(self, decl: str) -> None:
        self.wrong.append(f"a declaration {decl!r}")

    def handle_pi(self, data: str) -> None:
        self.wrong.append(f"an instruction {data!r}")

    def unknown_decl(self, data: str) -> None:
        self.wrong.append(f"an unknown declaration {data!r}")


def _allowed(tag: str, name: str, value: str) -> bool:
    if name not in ATTRIBUTES:
        return False
    if name == "href":
        return tag == "a" and re.match(r"(?:https?://|mailto:|tel:)[^\s<>]", value) is not None
    if name == "src":
        picture = re.fullmatch(r"data:image/(?:png|gif|jpe?g|webp);base64,[A-Za-z0-9+/]+=*", value)
        return tag == "img" and (value in IMAGES.values() or picture is not None)
    if name == "data-src":
        return tag == "img" and re.match(r"https?://[^\s<>]", value) is not None
    return True


def _read(source: str) -> tuple[str, _Reader]:
    cleaned = clean_html(source, IMAGES).html
    reader = _Reader()
    reader.feed(cleaned)
    reader.close()
    return cleaned, reader


_HREFS = [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "java\nscript:alert(1)",
    "java\rscript:alert(1)", "java&#9;script:alert(1)", "java&#10;script:alert(1)", "java&Tab;script:alert(1)",
    "java&NewLine;script:alert(1)", "&#1;javascript:alert(1)", "\x01javascript:alert(1)", "\x0bjavascript:alert(1)",
    "javascript&colon;alert(1)", "javascript&#58;alert(1)", "javascript&#x3a;alert(1)", "javascript&#0000058alert(1)",
    "&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;alert(1)", "&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A;alert(1)",
    "java\x00script:alert(1)", "\ufeffjavascript:alert(1)", "\u2028javascript:alert(1)", "javascript:alert(1)//https://x.example",
    "vbscript:msgbox(1)", "livescript:x", "mocha:x", "data:text/html,<script>alert(1)</script>",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "data:image/svg+xml;base64,PHN2Zz4=", "data:,x",
    "feed:javascript:alert(1)", "view-source:javascript:alert(1)", "jar:javascript:alert(1)", "blob:https://x.example/1",
    "file:///etc/passwd", "filesystem:https://x.example/1", "ms-msdt:/id", "search-ms:query=x", "//x.example/", "/api/mailboxes",
    "?x", "#x", "", "https:x.example", "http:\\\\x.example", "cid:Logo@x", "about:blank",
]  # fmt: skip

_VECTORS = [
    "<script>alert(1)</script>", "<SCRIPT SRC=//x.example/a.js></SCRIPT>", "<script\n>alert(1)</script\n>", "<script/x>alert(1)</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>", "<<script>alert(1)//<</script>", "<script>alert(1)", "<script x='>'>alert(1)</script>",
    "<img src=x onerror=alert(1)>", "<img src=x onerror\n=\nalert(1)>", "<img/src=x/onerror=alert(1)>", "<img src=`x`onerror=alert(1)>",
    "<img src='x'onerror='alert(1)'>", '<img """><script>alert(1)</script>">', "<img src=x:alert(alt) onerror=eval(src) alt=1>",
    "<body onload=alert(1)>", "<div onmouseover='alert(1)'>x</div>", "<p onclick&#61;alert(1)>x", "<b x=\"y\"onclick=alert(1)>x</b>",
    "<input autofocus onfocus=alert(1)>", "<details open ontoggle=alert(1)>x</details>", "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>", "<marquee onstart=alert(1)>x</marquee>", "<select autofocus onfocus=alert(1)><option>x</select>",
    "<svg onload=alert(1)>", "<svg/onload=alert(1)>", "<svg><script>alert(1)</script></svg>", "<svg><script href=data:,alert(1) /></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>", "<svg><animate onbegin=alert(1) attributeName=x></svg>",
    "<svg><animate xlink:href=#x attributeName=href values=javascript:alert(1) /><a id=x><text>x</text></a></svg>",
    "<svg><set attributeName=href to=javascript:alert(1)></svg>", "<svg><use href='data:image/svg+xml,<svg onload=alert(1)>'/></svg>",
    "<svg><foreignObject><iframe onload=alert(1)></foreignObject></svg>", "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">", "<svg><title><img src=x onerror=alert(1)></title></svg>",
    "<svg><desc><img src=x onerror=alert(1)></desc></svg>", "<svg><image href=x onerror=alert(1)></svg>", "</p><svg><p><img src=x onerror=alert(1)>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>", "<math href='javascript:alert(1)'>x</math>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<math><mtext><table><mglyph><style><math><img src onerror=alert(1)></style></table></mtext></math>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<math><annotation-xml encoding='text/html'><style><img src=x onerror=alert(1)></style></annotation-xml></math>",
    "<math><mi><style><!-- </style><img src=x onerror=alert(1)> --></mi></math>", "<math><maction actiontype=statusline xlink:href=javascript:alert(1)>x</maction></math>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">", "<noscript><style></noscript><img src=x onerror=alert(1)></style>",
    "<textarea><img title=\"</textarea><img src=x onerror=alert(1)>\"></textarea>", "<title><a title=\"</title><img src=x onerror=alert(1)>\">",
    "<xmp><p title=\"</xmp><img src=x onerror=alert(1)>\">", "<noembed><img title=\"</noembed><img src=x onerror=alert(1)>\"></noembed>",
    "<noframes><style></noframes><img src=x onerror=alert(1)></style></noframes>", "<plaintext><img src=x onerror=alert(1)>",
    "<template><script>alert(1)</script></template>", "<template><style></template><img src=x onerror=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>", "<iframe srcdoc='<script>alert(1)</script>'></iframe>", "<iframe><img title=\"</iframe><img src=x onerror=alert(1)>\">",
    "<frameset><frame src=javascript:alert(1)></frameset>", "<object data='data:text/html,<script>alert(1)</script>'></object>",
    "<embed src=javascript:alert(1)>", "<applet code=x></applet>", "<portal src=//x.example></portal>", "<fencedframe></fencedframe>",
    "<form action=javascript:alert(1)><input type=submit></form>", "<button formaction=javascript:alert(1)>x</button>", "<form><input name=innerHTML><input type=password></form>",
    "<isindex action=javascript:alert(1)>", "<keygen autofocus onfocus=alert(1)>", "<menu><menuitem onclick=alert(1)>x</menu>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>", "<meta http-equiv=Set-Cookie content=a=b>", "<meta charset=utf-7>+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "<link rel=stylesheet href=//x.example/a.css>", "<link rel=import href=//x.example/a.html>", "<base href=javascript:alert(1)//>", "<base target=_top href=https://x.example/>",
    "<style>@import '//x.example/a.css';</style>", "<style>body{background:url(javascript:alert(1))}</style>", "<style>*{xss:expression(alert(1))}</style>",
    "<style><!--</style><script>alert(1)//--></script>", "<style></style\t><script>alert(1)</script>", "<STYLE type=text/css>x</STYLE>",
    "<div style='background:url(javascript:alert(1))'>x</div>", "<div style='width:expression(alert(1))'>x</div>", "<div style='behavior:url(x.htc)'>x</div>",
    "<div style='-moz-binding:url(x.xml#x)'>x</div>", "<div style='position:fixed;top:0;left:0;width:100%;height:100%'>x</div>",
    "<div style=\"background:\\75rl('//x.example/')\">x</div>", "<p style='font-weight:bold;x:</p><script>alert(1)</script>'>x",
    "<body background=javascript:alert(1)>", "<table background=//x.example/a.png><tr><td background='javascript:alert(1)'>x</table>", "<img lowsrc=javascript:alert(1)>", "<img dynsrc=javascript:alert(1)>",
    "<img srcset='https://x.example/a.png 1x, javascript:alert(1) 2x'>", "<picture><source srcset=//x.example/a><img></picture>", "<img src=data:image/svg+xml;base64,PHN2Zz4=>",
    "<img src='data:text/html,<script>alert(1)</script>'>", "<img src=javascript:alert(1)>", "<img src='//x.example/a.png'>", "<img src='https://x.example/\" onerror=\"alert(1)'>", "<img src='cid:\" onerror=\"alert(1)'>",
    "<img src='data:image/png;base64,AAAA\" onerror=\"alert(1)'>", "<image src=x onerror=alert(1)>", "<img usemap=#m><map name=m><area href=javascript:alert(1)></map>", "<input type=image src=x onerror=alert(1)>",
    "<a href='https://x.example' onclick=alert(1) id=x name=y class=z style=color:red>x</a>", "<a href='https://x.example/' target=_self rel=opener>x</a>", "<a href='https://x.example' ping=https://y.example download>x</a>",
    "<a xlink:href=javascript:alert(1)>x</a>", "<a href=https://x.example href=javascript:alert(1)>x</a>", "<q cite=javascript:alert(1)>x</q>", "<blockquote cite=javascript:alert(1)>x</blockquote>", "<ins cite=javascript:alert(1)>x</ins>",
    "<p title='--><script>alert(1)</script>'>x", "<p title='\"><img src=x onerror=alert(1)>'>x", "<p title='`><img src=x onerror=alert(1)>'>x", "<a title='</a><script>alert(1)</script>' href=https://x.example>x",
    "<!--><script>alert(1)</script>-->", "<!--[if IE]><script>alert(1)</script><![endif]-->", "<!-- --!><script>alert(1)</script> -->", "<!--><img src=x onerror=alert(1)>", "<![CDATA[<script>alert(1)</script>]]>", "<!doctype html [<!ENTITY x '<script>'>]>&x;",
    "<?xml version='1.0'?><script>alert(1)</script>", "<?php echo 1 ?><img src=x onerror=alert(1)>", "<%<img src=x onerror=alert(1)>%>", "</ <script>alert(1)</script>", "</a onmouseover=alert(1)>", "<a\x00 href=javascript:alert(1)>x</a>",
    "<sc\x00ript>alert(1)</sc\x00ript>", "<img src=x on\x00error=alert(1)>", "\x00<script>alert(1)</script>", "＜script＞alert(1)＜/script＞", "<ſcript>alert(1)</ſcript>", "<ıframe src=x>", "%3Cscript%3Ealert(1)%3C/script%3E", "&lt;script&gt;alert(1)&lt;/script&gt;", "&amp;lt;script&amp;gt;alert(1)",
    "<table><td><svg><td></table><img src=x onerror=alert(1)>", "<table><caption><svg><desc><table><caption></svg><style><img src=x onerror=alert(1)></style>", "<form><form><svg><style></form><img src=x onerror=alert(1)>",
    "<div id=x></div><a id=x name=getElementById>x</a>", "<img name=cookie>", "<p><p><table><p><svg><style><!--</style><img src=x onerror=alert(1)>-->", "<ul><li><svg></li><script>alert(1)</script></ul>", "<select><svg><style></select><img src=x onerror=alert(1)>",
    "<dialog open>x</dialog>", "<slot></slot><x-y is=z onclick=alert(1)>x</x-y>", "<bgsound src=javascript:alert(1)>", "<layer src=x></layer>", "<xml id=x><a><b>&lt;script&gt;alert(1)</b></a></xml>", "<span datasrc=#x datafld=b dataformatas=html>x</span>",
    "<div contenteditable autofocus onfocus=alert(1)>x</div>", "<div popover id=x>y</div>", "<p lang='\"><script>alert(1)</script>'>x", "<td width='1\" onclick=\"alert(1)'>x", "<table border='\"><script>'><tr><td colspan=javascript:1>x</table>", "<font color=red face='\"><script>alert(1)</script>'>x</font>",
]  # fmt: skip


@pytest.mark.parametrize("href", _HREFS)
def test_no_link_leads_where_it_must_not(href: str) -> None:
    for quote in ('"', "'"):
        cleaned, reader = _read(f"<a href={quote}{href}{quote}>x</a><img src={quote}{href}{quote}>")
        assert reader.wrong == [], cleaned
        assert "href=" not in cleaned


@pytest.mark.parametrize("source", _VECTORS)
def test_nothing_that_can_run_comes_out(source: str) -> None:
    for whole in (
        source,
        f"<div>{source}</div>",
        f"<table><tr><td>{source}",
        f"<b><p>{source}</b>",
        f"<a href='{source}'>x",
    ):
        cleaned, reader = _read(whole)
        assert reader.wrong == [], cleaned


_PIECES = st.sampled_from(
    """<svg> </svg> <math> <mtext> <mglyph> <style> </style> <table> <tr> <td> </table> <p> </p> <b> </b> <a_href= "> '>
    <img_src=x_onerror=alert(1)> <script> </script> <!-- --> <noscript> </noscript> <title> </title> <form> </form> javascript:
    <template> <xmp> <pre> \n x <select> <iframe_srcdoc=" &lt; &gt; &quot; <br> <img_title="> <div_style='display:none'> </div>
    <font_size=1> <ul> <li> <h1> <col> <caption> <foreignObject> <desc> cid:Logo@x https://x.example/ data:image/png;base64,AA""".split()  # noqa: SIM905
).map(lambda word: word.replace("_", " "))


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_nothing_that_can_run_comes_out_of_any_mixture(source: str) -> None:
    cleaned, reader = _read(source)
    assert reader.wrong == [], cleaned


# --- what stays ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "cleaned"),
    [
        ("Hello", "Hello"),
        ("1 < 2 &amp; 3 > 2 &copy;", "1 &lt; 2 &amp; 3 &gt; 2 ©"),
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("<b>a</b> <i>b</i><u>c</u>", "<b>a</b> <i>b</i><u>c</u>"),
        ("<b><p>a</b>b</p>c", "<b><p>a</p></b>bc"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
        ("<table border=1><tr><td>a<td>b<tr><th colspan=2>c</table>", '<table border="1"><tbody><tr><td>a</td><td>b</td></tr><tr><th colspan="2">c</th></tr></tbody></table>'),
        ("<td>a</td>", "a"),
        ("a<br>b<hr>", "a<br>b<hr>"),
        ("<pre>a\n  b</pre>", "<pre>a\n  b</pre>"),
        ("<h1 align=center>a</h1>", '<h1 align="center">a</h1>'),
        ("<ol start=3 type=a><li value=5>x</ol>", '<ol start="3" type="a"><li value="5">x</li></ol>'),
        ('<p dir="rtl" lang="he" title="t">a', '<p dir="rtl" lang="he" title="t">a</p>'),
        ("<font color=red>a</font><section>b</section>", "<span>a</span><div>b</div>"),
        ("<span style='font-weight:bold'>a</span>", "<span><b>a</b></span>"),
        ("<span style='FONT-WEIGHT: 700; font-style: italic'>a</span>", "<span><b><i>a</i></b></span>"),
        ("<td><span style='text-decoration: underline'>a</span>", "<span><u>a</u></span>"),
        ("<p style='text-decoration:line-through;color:red'>a</p>", "<p><s>a</s></p>"),
        ("<form>a<input>b<button>c</button></form>", "abc"),
        ("<noscript>a</noscript><o:p>b</o:p>", "ab"),
        ("<title>a</title><style>b</style>c", "c"),
        ("<div style='display:none'>preheader</div>a", "a"),
        ("<div style='display:none'>all there is", "<div>all there is</div>"),
    ],
)  # fmt: skip
def test_what_a_person_wrote_stays(source: str, cleaned: str) -> None:
    assert clean_html(source, {}).html == cleaned


@pytest.mark.parametrize(
    ("href", "shown"),
    [
        ("https://x.example/a?b=1&amp;c=2", "https://x.example/a?b=1&amp;c=2"),
        ("HTTP://x.example", "HTTP://x.example"),
        (" https://x.example/\n a b ", "https://x.example/%20a%20b"),
        ("mailto:a@x.example?subject=b", "mailto:a@x.example?subject=b"),
        ("tel:+4912345", "tel:+4912345"),
    ],
)
def test_a_link_stays_and_opens_in_a_window_of_its_own(href: str, shown: str) -> None:
    cleaned = clean_html(f'<a href="{href}">x</a>', {}).html
    assert cleaned == f'<a href="{shown}" target="_blank" rel="noopener noreferrer nofollow">x</a>'


@pytest.mark.parametrize(
    ("source", "cleaned"),
    [
        ("<img src='cid:Logo@x' alt=Logo width=20>", '<img src="/api/attachments/1" alt="Logo" width="20">'),
        ("<img src='CID:logo@X?size=1'>", '<img src="/api/attachments/1">'),
        ("<img src=image001.png>", '<img src="/api/attachments/2">'),
        ("<img src='cid:unknown'>", ""),
        ("<img src='cid:unknown' alt=Logo>", '<img alt="Logo">'),
        ("<img src='data:image/png;base64,AAAA'>", '<img src="data:image/png;base64,AAAA">'),
        ("<img src='data:image/bmp;base64,AAAA'>", ""),
    ],
)
def test_the_mails_own_images_are_shown(source: str, cleaned: str) -> None:
    assert clean_html(source, IMAGES) == (cleaned, False)


@pytest.mark.parametrize("address", ["https://x.example/a.png", "http://x.example/a.png"])
def test_images_from_elsewhere_wait_to_be_asked_for(address: str) -> None:
    assert clean_html(f"<img src='{address}'>", {}) == (f'<img data-src="{address}">', True)


def test_an_address_in_data_src_that_the_sender_wrote_is_not_believed() -> None:
    assert clean_html("<img alt=a data-src='https://x.example/a.png'>", {}) == ('<img alt="a">', False)


def test_images_in_the_html_are_shown_up_to_a_size() -> None:
    large = "A" * 300_000
    cleaned = clean_html(f"<img src='data:image/png;base64,{large}'>" * 3, {}).html
    assert cleaned.count("<img") == limits.CLEAN_DATA_CHARS // 300_000
    assert "<img" not in clean_html(f"<img src='data:image/png;base64,{'A' * 400_001}'>", {}).html


# --- what is too much ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["div", "b", "table", "ul", "blockquote", "span", "a", "font", "table><tr><td"])
def test_a_hundred_thousand_tags_in_tags_are_flattened(tag: str) -> None:
    _, reader = _read(f"<{tag}>" * 100_000 + "innermost")
    assert reader.deepest <= 2 * limits.CLEAN_DEPTH
    assert len(reader.tags) <= 4 * limits.CLEAN_DEPTH
    assert "innermost" in clean_html(f"<{tag}>" * 100_000 + "innermost", {}).html


@pytest.mark.parametrize(
    "source", ["<b><p>", "<a href=x><div>", "<table><b>", "<i>a<p></i>", "<table><tr><i><u>", "<h1><h2>"]
)
def test_overlapping_tags_do_not_multiply(source: str) -> None:
    whole = source * (200_000 // len(source))
    assert len(clean_html(whole, {}).html) <= 5 * len(whole)


@pytest.mark.parametrize("size", [limits.CLEAN_CHARS, limits.CLEAN_CHARS + 1])
def test_what_is_too_large_is_shown_as_its_text(size: int) -> None:
    source = "<p>" + "x" * (size - len("<p>"))
    cleaned, remote = clean_html(source + "<img src=https://x.example/a.png>" * (size > limits.CLEAN_CHARS), {})
    assert cleaned.startswith("<p>x" if size <= limits.CLEAN_CHARS else "<pre>x")
    assert not remote


@pytest.mark.parametrize(
    "piece", ["<", "<a ", "<!--", "&#x", "<svg>", "<style>", '<a title="', "<b><p>", "<img src=data:", "</b>", "\x00"]
)
def test_a_million_letters_of_trouble_are_some_html(piece: str) -> None:
    _, reader = _read(piece * (1_000_000 // len(piece)))
    assert reader.wrong == []


def test_no_address_of_an_image_can_leave_its_attribute() -> None:
    cleaned = clean_html("<img src=cid:a>", {"a": '"><script>alert(1)</script>'}).html
    assert "<script" not in cleaned
