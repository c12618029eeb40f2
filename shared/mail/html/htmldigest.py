"""HTML as the content digest knows it: flattened as it was when the first digests were stored.

Never change what comes out, not even its white space (it decides where a long text is cut): a mail that is delivered
again would not be known any more. For people there is ``htmltext``, which may become better every day.
"""

import re

from shared.mail import limits
from shared.mail.html.htmlscan import Scanner, unescape

_ATTRIBUTE = re.compile(r"([a-zA-Z_:-]{1,40})\s{0,20}=\s{0,20}(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_WHITESPACE = re.compile(r"[ \t\r\n\f]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_LINE_ENDS = re.compile(r"(?<![ \t])[ \t]+$", re.MULTILINE)  # each run is looked at once

_LINE = frozenset(
    """div table thead tbody tfoot tr caption ul ol dl dd dt form fieldset section article header footer main aside nav
    address center figure figcaption body html select option details summary blockquote""".split()  # noqa: SIM905
)
_PARAGRAPH = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "hr"])
_CELL = frozenset(["td", "th"])
_LINK_SCHEMES = ("http://", "https://", "ftp://", "mailto:", "tel:")
_MAX_LISTS = 50
"""Lists in lists that are told apart."""


def html_for_digest(source: str) -> str:
    """The words of an HTML document that the content digest is made of."""
    writer = _Writer()
    Scanner(source, writer).run()
    return writer.text()


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
        source = unescape(source)
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
            return unescape(match[2] or match[3] or match[4] or "")
    return ""


def _bare(link: str) -> str:
    """A link as people write it, for comparison."""
    link = link.lower().strip("<>()[] .,/")
    for scheme in _LINK_SCHEMES:
        link = link.removeprefix(scheme)
    return link.removeprefix("www.").split("?subject=")[0]
