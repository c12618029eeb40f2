"""HTML to plain text: what a person would read.

One pass and no tree: html.parser needs quadratic time for broken tags (CPython issue 135462).

This is not a cleaner: what comes out is text and must be escaped wherever it is shown.
"""

import html
import re

from shared.mail import limits

_TAG_NAME = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:_-]{0,40})")
_TAG_EVENT = re.compile(r"[>\"']")
_ATTRIBUTE = re.compile(r"([a-zA-Z_:-]{1,40})\s{0,20}=\s{0,20}(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_WHITESPACE = re.compile(r"[ \t\r\n\f]+")
# html.unescape reads any number of digits; CPython refuses more than 4300 of them and is slow below that.
_LONG_REFERENCE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{8,});?")
_BLANK_LINES = re.compile(r"\n{3,}")
_LINE_ENDS = re.compile(r"[ \t]+$", re.MULTILINE)

_LINE = frozenset(
    """div table thead tbody tfoot tr caption ul ol dl dd dt form fieldset section article header footer main aside nav
    address center figure figcaption body html select option details summary blockquote""".split()  # noqa: SIM905
)
_PARAGRAPH = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "hr"])
_CELL = frozenset(["td", "th"])
# Their content is no text of the mail.
_SKIPPED = frozenset(["script", "style", "title", "template", "svg", "math"])
_LINK_SCHEMES = ("http://", "https://", "ftp://", "mailto:", "tel:")
_MAX_LISTS = 50
"""Lists in lists that are told apart."""


def html_to_text(source: str) -> str:
    """The text of an HTML document: blocks on lines of their own, links with their address if it says more."""
    writer = _Writer()
    reader = _Reader(source, writer)
    reader.run()
    return writer.text()


class _Reader:
    """Cuts the source into text and tags. What is searched for in vain is not searched for again."""

    def __init__(self, source: str, writer: "_Writer") -> None:
        self._source = source
        self._writer = writer
        self._absent: set[str] = set()

    def run(self) -> None:
        source, position = self._source, 0
        while position < len(source):
            start = source.find("<", position)
            if start < 0:
                start = len(source)
            if start > position:
                self._writer.data(source[position:start])
            position = self._markup(start) if start < len(source) else start

    def _find(self, needle: str, position: int) -> int:
        if needle in self._absent:
            return -1
        found = self._source.find(needle, position)
        if found < 0:
            self._absent.add(needle)
        return found

    def _markup(self, start: int) -> int:
        """Handle what begins with the ``<`` at ``start``; the place behind it."""
        source = self._source
        if source.startswith("<!--", start):
            end = self._find("-->", start + 2)
            return end + 3 if end >= 0 else start + 4
        if source.startswith(("<!", "<?", "</ "), start):
            end = self._find(">", start)
            return end + 1 if end >= 0 else len(source)
        match = _TAG_NAME.match(source, start)
        end = self._tag_end(match.end()) if match else -1
        if match is None or end < 0:
            self._writer.data("<")
            return start + 1
        name = match[2].lower()
        if match[1]:
            self._writer.close(name)
            return end
        attributes = source[match.end() : end - 1]
        if name in _SKIPPED and not attributes.endswith("/"):
            return self._skip(name, end)
        self._writer.open(name, attributes)
        return end

    def _tag_end(self, position: int) -> int:
        """The place behind the ``>`` that ends the tag; -1 if there is none. Quoted values may hold ``>``."""
        if ">" in self._absent:
            return -1
        source = self._source
        while match := _TAG_EVENT.search(source, position):
            position = match.end()
            if match[0] == ">":
                return position
            if source[max(0, match.start() - 10) : match.start()].rstrip().endswith("="):
                quote = self._find(match[0], position)
                position = quote + 1 if quote >= 0 else position
        self._absent.add(">")
        return -1

    def _skip(self, name: str, position: int) -> int:
        """The place behind the element's end tag; if it has none, only the tag is left out, so that no text is lost."""
        needle = f"</{name}"
        if needle in self._absent:
            return position
        match = re.compile(needle + r"[^>]*>?", re.IGNORECASE).search(self._source, position)
        if match is None:
            self._absent.add(needle)
            return position
        return match.end()


class _Writer:
    """Puts text together: collapses white space, counts the newlines that blocks ask for."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._newlines = 0  # asked for before the next text
        self._space = False  # white space seen since the last text
        self._preformatted = 0
        self._lists: list[int] = []  # 0: bullets; n: the next number
        self._link = ""
        self._link_start = 0

    def text(self) -> str:
        self._end_link()
        text = _LINE_ENDS.sub("", "".join(self._pieces).replace("\u00a0", " "))
        return _BLANK_LINES.sub("\n\n", text).strip("\n")

    def data(self, source: str) -> None:
        if "&" in source:
            source = html.unescape(_LONG_REFERENCE.sub("\ufffd", source))
        if self._preformatted:
            self._write(source)
            return
        text = _WHITESPACE.sub(" ", source)
        if text == " ":
            self._space = True
            return
        if text.startswith(" "):
            self._space = True
            text = text[1:]
        trailing = text.endswith(" ")
        self._write(text.removesuffix(" "))
        self._space = trailing

    def _write(self, text: str) -> None:
        if not text:
            return
        if self._newlines and self._pieces:
            self._pieces.append("\n" * self._newlines)
        elif self._space and self._pieces and not self._pieces[-1].endswith(("\n", "\t", " ")):
            self._pieces.append(" ")
        self._newlines = 0
        self._space = False
        self._pieces.append(text)

    def _break(self, lines: int) -> None:
        self._newlines = max(self._newlines, lines)
        self._space = False

    def open(self, name: str, attributes: str) -> None:
        if name == "br":
            self._newlines += 1
            self._space = False
        elif name in _PARAGRAPH:
            self._open_paragraph(name)
        elif name in _LINE:
            self._break(1)
            if name in ("ul", "ol") and len(self._lists) < _MAX_LISTS:
                self._lists.append(1 if name == "ol" else 0)
        elif name == "li":
            self._item()
        elif name in _CELL:
            self._cell()
        elif name == "a":
            self._end_link()
            self._link = _attribute(attributes, "href")
            self._link_start = len(self._pieces)
        elif name == "img":
            self._image(_attribute(attributes, "alt"))

    def close(self, name: str) -> None:
        if name in _PARAGRAPH:
            self._break(2)
            if name == "pre" and self._preformatted:
                self._preformatted -= 1
        elif name in _LINE or name == "li":
            self._break(1)
            if name in ("ul", "ol") and self._lists:
                self._lists.pop()
        elif name == "a":
            self._end_link()

    def _open_paragraph(self, name: str) -> None:
        self._break(2)
        if name == "pre":
            self._preformatted += 1
        elif name == "hr":
            self._write("---")
            self._break(2)

    def _item(self) -> None:
        self._break(1)
        number = self._lists[-1] if self._lists else 0
        if number:
            self._lists[-1] += 1
        self._write(f"{number}. " if number else "- ")

    def _cell(self) -> None:
        """Cells of a row stand side by side."""
        if self._pieces and not self._newlines:
            self._space = True

    def _image(self, alternative: str) -> None:
        """Smileys are images with the character as their text; other images are left to the HTML."""
        if 0 < len(alternative) <= 8 and not any(letter.isalnum() or letter.isascii() for letter in alternative):
            self._write(alternative)

    def _end_link(self) -> None:
        link, self._link = self._link.strip(), ""
        if not link.lower().startswith(_LINK_SCHEMES) or len(link) > limits.URL_CHARS:
            return
        shown = "".join(self._pieces[self._link_start :]).strip()
        if shown and _bare(link) not in (_bare(shown), _bare(shown.split()[-1])):
            self._pieces.append(f" <{_WHITESPACE.sub('', link)}>")


def _attribute(attributes: str, name: str) -> str:
    for match in _ATTRIBUTE.finditer(attributes):
        if match[1].lower() == name:
            value = match[2] or match[3] or match[4] or ""
            return html.unescape(_LONG_REFERENCE.sub("\ufffd", value)) if "&" in value else value
    return ""


def _bare(link: str) -> str:
    """A link as people write it, for comparison."""
    link = link.lower().strip("<>()[] .,/")
    for scheme in _LINK_SCHEMES:
        link = link.removeprefix(scheme)
    return link.removeprefix("www.").split("?subject=")[0]
