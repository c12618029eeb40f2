"""An HTML mail made safe to show, inside a sandboxed frame under a strict Content-Security-Policy.

Two steps. First the source is written anew from the few tags and attributes that are allowed, each opened and closed
in order: what comes out is small, flat and the same to every HTML parser. Then nh3 (the HTML5 parser of browsers,
in Rust) cleans it by the same lists; what both let through is shown. The first step is also what makes nh3 safe to
call: its time is quadratic in depth, and formatting elements that overlap multiply.
"""

import html
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import nh3

from shared.mail import limits
from shared.mail.html.htmlscan import Scanner, read_attributes
from shared.mail.html.htmlstyle import VOID, Visibility
from shared.mail.html.htmltext import html_to_text

_SIMPLE = """a abbr address b big blockquote br caption center cite code col colgroup dd del dfn div dl dt em h1 h2 h3
h4 h5 h6 hr i img ins kbd li ol p pre q s samp small span strike strong sub sup table tbody td tfoot th thead tr tt u
ul var"""
_TAGS = frozenset(_SIMPLE.split())
_RENAMED = {"article": "div", "section": "div", "header": "div", "footer": "div", "main": "div", "font": "span"}
_VOID = VOID & _TAGS

_ALIGNMENTS = re.compile(r"left|right|center|justify|top|middle|bottom|baseline", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,4}(?:px|%)?")
_NUMBER = re.compile(r"[0-9]{1,4}")
_WORDS = re.compile(r"[^<>]{0,500}")
_ADDRESS = r"[^\s<>\"'`\\\x00-\x1f\x7f-\x9f]{1,4000}"
_LINK = re.compile(rf"(?:https?://|mailto:|tel:){_ADDRESS}", re.IGNORECASE)
_REMOTE = re.compile(rf"https?://{_ADDRESS}", re.IGNORECASE)
_DATA = re.compile(r"data:image/(?:png|gif|jpeg|jpg|webp);base64,[A-Za-z0-9+/]{1,400000}={0,2}", re.IGNORECASE)
# Browsers drop these from an address before they read its scheme (WHATWG URL section 4.4).
_DROPPED = re.compile("[\t\r\n]")
_ENDS_OF_ADDRESS = "".join(map(chr, range(0x21)))

_BY_TAG: dict[str, dict[str, re.Pattern[str]]] = {
    "*": {"align": _ALIGNMENTS, "valign": _ALIGNMENTS, "dir": re.compile("ltr|rtl|auto", re.IGNORECASE),
          "lang": re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,4}"), "title": _WORDS},
    "a": {"href": _LINK},
    "img": {"alt": _WORDS, "width": _LENGTH, "height": _LENGTH, "border": _NUMBER, "data-src": _REMOTE},
    "table": {"width": _LENGTH, "border": _NUMBER, "cellpadding": _NUMBER, "cellspacing": _NUMBER},
    "td": {"width": _LENGTH, "height": _LENGTH, "colspan": _NUMBER, "rowspan": _NUMBER},
    "th": {"width": _LENGTH, "height": _LENGTH, "colspan": _NUMBER, "rowspan": _NUMBER},
    "col": {"width": _LENGTH, "span": _NUMBER},
    "ol": {"start": _NUMBER, "type": re.compile("[1aAiI]")},
    "li": {"value": _NUMBER},
}  # fmt: skip
_LINK_ATTRIBUTES = {"rel": "noopener noreferrer nofollow", "target": "_blank"}
"""Of every link, whatever the sender wrote: a window of its own that knows nothing of ours."""

_STYLES = (
    (re.compile(r"(?:^|;)font-weight:(?:bold|[6-9]00)"), "b"),
    (re.compile(r"(?:^|;)font-style:italic"), "i"),
    (re.compile(r"(?:^|;)text-decoration(?:-line)?:[^;]{0,40}underline"), "u"),
    (re.compile(r"(?:^|;)text-decoration(?:-line)?:[^;]{0,40}line-through"), "s"),
)
"""What a style attribute says that matters to the reader. Everything else in it goes: the page's policy refuses it."""

# Which open elements a start tag ends, and within which they are looked for (HTML section 13.1.2.4).
_BLOCKS = frozenset(
    """address blockquote center div dl h1 h2 h3 h4 h5 h6 hr ol p pre table ul""".split()  # noqa: SIM905
)
_ROWS = frozenset(["tr", "td", "th"])
_GROUPS = frozenset(["tbody", "thead", "tfoot", "caption", "colgroup"])
_ENDS: dict[str, frozenset[str]] = {
    **dict.fromkeys(_BLOCKS, frozenset(["p"])),
    "li": frozenset(["li", "p"]),
    "dt": frozenset(["dt", "dd", "p"]),
    "dd": frozenset(["dt", "dd", "p"]),
    "td": frozenset(["td", "th", "caption", "colgroup"]),
    "th": frozenset(["td", "th", "caption", "colgroup"]),
    "tr": _ROWS | {"caption", "colgroup"},
    **dict.fromkeys(_GROUPS, _ROWS | _GROUPS),
}
_WITHIN: dict[str, frozenset[str]] = {
    "li": frozenset(["ul", "ol", "table"]),
    "dt": frozenset(["dl", "table"]),
    "dd": frozenset(["dl", "table"]),
    **dict.fromkeys(_ROWS | _GROUPS, frozenset(["table"])),
}
_SCOPES = frozenset(["td", "th", "li", "dd", "blockquote", "div", "table", "caption"])
"""Where the search for an open paragraph ends."""

_IN_TABLE_ONLY = _ROWS | _GROUPS | {"col"}


class CleanHtml(NamedTuple):
    """What may be shown, and whether images wait elsewhere (their addresses are in ``data-src``)."""

    html: str
    remote_images: bool


def clean_html(source: str, images: Mapping[str, str]) -> CleanHtml:
    """The HTML of a mail made harmless. Total, and linear in its length.

    ``images``: the address to show for each Content-ID (without angle brackets) or Content-Location; http, https or
    relative. What is too large to be cleaned is shown as its text.
    """
    known = {name.lower(): address for name, address in images.items()}
    visibility = Visibility()
    tidy = _tidied(source, known, visibility)
    if visibility.unfinished:  # what was hidden may be the whole mail
        tidy = _tidied(source, known, None)
    if tidy.too_large:
        return CleanHtml(f"<pre>{html.escape(html_to_text(source)[: limits.CLEAN_CHARS])}</pre>", False)
    cleaned = nh3.clean(
        tidy.html(),
        tags=set(_TAGS),
        clean_content_tags={"script", "style"},
        attributes=_NH3_ATTRIBUTES,
        attribute_filter=_filter(frozenset(known.values())),
        url_schemes={"http", "https", "mailto", "tel", "data"},
        link_rel=_LINK_ATTRIBUTES["rel"],
        set_tag_attribute_values={"a": {"target": _LINK_ATTRIBUTES["target"]}},
        strip_comments=True,
    )
    return CleanHtml(cleaned, tidy.remote)


_NH3_ATTRIBUTES = {tag: set(rules) for tag, rules in _BY_TAG.items()}
_NH3_ATTRIBUTES["img"] = {*_BY_TAG["img"], "src"}


def _filter(addresses: frozenset[str]) -> Callable[[str, str, str], str | None]:
    """nh3's last word on each attribute: the value, or None to drop it."""

    def judge(tag: str, name: str, value: str) -> str | None:
        if tag == "a" and name in _LINK_ATTRIBUTES:
            return _LINK_ATTRIBUTES[name]
        if tag == "img" and name == "src":
            return value if value in addresses or _DATA.fullmatch(value) else None
        rule = _BY_TAG.get(tag, {}).get(name) or _BY_TAG["*"].get(name)
        return value if rule is not None and rule.fullmatch(value) else None

    return judge


def _tidied(source: str, images: Mapping[str, str], visibility: Visibility | None) -> "_Tidy":
    tidy = _Tidy(images, visibility)
    Scanner(source, tidy).run()
    return tidy


class _Tidy:
    """Writes HTML from allowed tags only, each closed where it must be, never deeper than limits.CLEAN_DEPTH."""

    def __init__(self, images: Mapping[str, str], visibility: Visibility | None) -> None:
        self.remote = False
        self._images = images
        self._visibility = visibility
        self._pieces: list[str] = []
        self._size = 0
        self._data_left = limits.CLEAN_DATA_CHARS
        self._open: list[tuple[str, str]] = []  # the element, and what closes it and its styles
        self._counts: dict[str, int] = {}
        self._dropped: dict[str, int] = {}  # start tags left out whose end tags will come

    @property
    def too_large(self) -> bool:
        return self._size > limits.CLEAN_CHARS

    def html(self) -> str:
        while self._open:
            self._pop()
        return "".join(self._pieces)

    def data(self, source: str) -> None:
        if not self._hidden:
            self._write(source.replace("<", "&lt;").replace(">", "&gt;").replace("\0", ""))

    @property
    def _hidden(self) -> bool:
        return self._visibility is not None and self._visibility.hidden

    def _write(self, markup: str) -> None:
        self._size += len(markup)
        if not self.too_large:
            self._pieces.append(markup)

    def open(self, name: str, attributes: str) -> None:
        if self._visibility is not None:
            self._visibility.open(name, attributes)
            if self._visibility.hidden:
                return
        name = _RENAMED.get(name, name)
        if name not in _TAGS or self.too_large:
            return
        self._end_implied(name)
        if name in _IN_TABLE_ONLY and not self._counts.get("table"):
            return
        found = read_attributes(attributes)
        if name in _VOID:
            self._write(self._image(found) if name == "img" else f"<{name}{_safe(name, found)}>")
        elif len(self._open) >= limits.CLEAN_DEPTH:
            self._dropped[name] = self._dropped.get(name, 0) + 1
        else:
            self._push(name, found)

    def _push(self, name: str, found: dict[str, str]) -> None:
        style = "".join(found.get("style", "").lower().split()) if "style" in found else ""
        inner = [tag for rule, tag in _STYLES if rule.search(style)] if name not in _STRUCTURE else []
        self._write(f"<{name}{_safe(name, found)}>" + "".join(f"<{tag}>" for tag in inner))
        self._open.append((name, "".join(f"</{tag}>" for tag in reversed(inner)) + f"</{name}>"))
        self._counts[name] = self._counts.get(name, 0) + 1

    def close(self, name: str) -> None:
        if self._visibility is not None:
            was_hidden = self._visibility.hidden
            self._visibility.close(name)
            if was_hidden:
                return
        name = _RENAMED.get(name, name)
        if self._dropped.get(name):
            self._dropped[name] -= 1
        elif self._counts.get(name) and self._may_close(name):
            self._pop_to(name)

    def _may_close(self, name: str) -> bool:
        """An end tag in a cell closes nothing outside of its table."""
        if name in _IN_TABLE_ONLY or name == "table":
            return True
        for known, _ in reversed(self._open):
            if known == name:
                return True
            if known == "table":
                return False
        return False

    def _pop_to(self, name: str) -> None:
        while self._pop() != name:
            pass

    def _pop(self) -> str:
        name, closing = self._open.pop()
        self._counts[name] -= 1
        self._pieces.append(closing)
        return name

    def _end_implied(self, name: str) -> None:
        """Close what this start tag ends without saying so."""
        ended, within = _ENDS.get(name), _WITHIN.get(name, _SCOPES)
        if ended is None:
            return
        outermost = -1
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] in ended:
                outermost = place
            elif self._open[place][0] in within:
                break
        while 0 <= outermost < len(self._open):
            self._pop()

    def _image(self, found: dict[str, str]) -> str:
        """The image from the mail itself, or a place for one that waits elsewhere."""
        safe = _safe("img", found)
        address = _address(found.get("src", ""))
        if shown := self._known(address):
            return f'<img src="{html.escape(shown)}"{safe}>'
        if _DATA.fullmatch(address) and len(address) <= self._data_left:
            self._data_left -= len(address)
            self._size -= len(address)
            return f'<img src="{html.escape(address)}"{safe}>'
        if address.startswith("//"):
            address = f"https:{address}"
        if _REMOTE.fullmatch(address):
            self.remote = True
            return f'<img data-src="{html.escape(address)}"{safe}>'
        return f"<img{safe}>" if "alt=" in safe else ""

    def _known(self, address: str) -> str | None:
        key = address.lower()
        return self._images.get(key[4:].split("?")[0]) if key.startswith("cid:") else self._images.get(key)


_STRUCTURE = _IN_TABLE_ONLY - {"td", "th"} | {"table", "ul", "ol", "dl"}
"""Elements that hold no text themselves, so no bold or italic text either."""


def _address(value: str) -> str:
    """An address as a browser reads it before it looks at the scheme."""
    return _DROPPED.sub("", value.strip(_ENDS_OF_ADDRESS)).replace(" ", "%20")


def _safe(name: str, found: dict[str, str]) -> str:
    """The allowed attributes, written so that they can be read in one way only. An image's source is not among them."""
    rules = _BY_TAG["*"] | _BY_TAG.get(name, {})
    pieces = []
    for key, value in found.items():
        rule = rules.get(key)
        if rule is None or key == "data-src":
            continue
        if key == "href":
            value = _address(value)
        if rule.fullmatch(value):
            pieces.append(f' {key}="{html.escape(value)}"')
    return "".join(pieces)
