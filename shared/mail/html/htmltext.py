"""HTML to plain text: what a person would read.

One pass and no tree. This is not a cleaner: what comes out is text and must be escaped wherever it is shown.
"""

import re

from shared.mail import limits
from shared.mail.html.htmlscan import Scanner, read_attributes, unescape
from shared.mail.html.htmlstyle import VOID, Visibility

_WHITESPACE = re.compile(r"[ \t\r\n\f]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_BLANK_QUOTES = re.compile(r"^(>[> ]*)\n(?:\1\n)+", re.MULTILINE)
_LINE_ENDS = re.compile(r"(?<![ \t])[ \t]+$", re.MULTILINE)  # each run is looked at once

_LINE = frozenset(
    """div table thead tbody tfoot tr caption ul ol dl dd dt form fieldset section article header footer main aside nav
    address center figure figcaption body html select option details summary blockquote""".split()  # noqa: SIM905
)
_PARAGRAPH = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "hr"])
_CELL = frozenset(["td", "th"])
_LINK_SCHEMES = ("http://", "https://", "ftp://", "mailto:", "tel:")
_BORDERLESS = re.compile(r"border(?:-width)?:(?:none|0)")
_MAX_LISTS = 50
"""Lists in lists that are told apart."""

_MAX_INDENT = 8
"""Lists in lists that are indented by two spaces each."""

_MAX_QUOTES = 10
"""Quotes in quotes that get a mark of their own."""

_MAX_TABLES = 50
"""Tables in tables that are told apart; newsletters have 15."""

_ALTERNATIVE_CHARS = 200
"""Of an image's text: a sentence, not a description a machine made up."""


def html_to_text(source: str) -> str:
    """The text of an HTML document, with quotes, lists, tables and links as people write them in plain text.

    What a reader does not see is left out, unless nothing else is there or it never ends: no text may be lost.
    """
    visibility = Visibility()
    text = _written(source, visibility)
    if visibility.unfinished or (not text and visibility.used):
        return _written(source, None)
    return text


def _written(source: str, visibility: Visibility | None) -> str:
    writer = _Writer(visibility)
    Scanner(source, writer).run()
    return writer.text()


class _Writer:
    """Puts text together: collapses white space, counts the newlines that blocks ask for."""

    def __init__(self, visibility: Visibility | None) -> None:
        self._visibility = visibility
        self._pieces: list[str] = []
        self._newlines = 0  # asked for before the next text
        self._space = False  # white space seen since the last text
        self._marked = False  # a bullet or a cell's bar was written: its text goes on the same line
        self._preformatted = 0
        self._lists: list[int] = []  # 0: bullets; n: the next number
        self._quotes: list[bool] = []  # open blockquotes, and whether they quote somebody
        self._depth = 0  # quotes around the text that comes
        self._written_depth = 0  # and around the text written last
        self._tables: list[bool] = []  # open tables, and whether they show their cells
        self._row_begun = False
        self._link = ""
        self._link_start = 0

    def text(self) -> str:
        self._end_link()
        text = _LINE_ENDS.sub("", "".join(self._pieces).replace("\u00a0", " "))
        return _BLANK_LINES.sub("\n\n", _BLANK_QUOTES.sub(r"\1\n", text)).strip("\n")

    # --- text ---------------------------------------------------------------------------------------------------

    def data(self, source: str) -> None:
        if self._hidden:
            return
        source = unescape(source)
        if self._preformatted:
            self._write_lines(source)
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

    @property
    def _hidden(self) -> bool:
        return self._visibility is not None and self._visibility.hidden

    def _write(self, text: str) -> None:
        if not text:
            return
        if not self._pieces:
            self._pieces.append("> " * self._depth)
        elif self._newlines or self._depth != self._written_depth:
            self._end_line(max(self._newlines, 1))
        elif self._space and not self._pieces[-1].endswith(("\n", "\t", " ")):
            self._pieces.append(" ")
        self._newlines = 0
        self._space = self._marked = False
        self._written_depth = self._depth
        self._pieces.append(text)

    def _end_line(self, newlines: int) -> None:
        """Lines between two quotes belong to the outer one."""
        blank = "> " * min(self._depth, self._written_depth)
        self._pieces.append("\n" + f"{blank}\n" * (min(newlines, 3) - 1) + "> " * self._depth)

    def _write_lines(self, source: str) -> None:
        """Preformatted text: its white space counts."""
        first, *others = source.split("\n")
        self._write(first)
        for line in others:
            self._newlines += 1
            self._write(line)

    def _break(self, lines: int) -> None:
        if not self._marked:
            self._newlines = max(self._newlines, lines)
            self._space = False

    # --- tags ---------------------------------------------------------------------------------------------------

    def open(self, name: str, attributes: str) -> None:
        if self._visibility is not None:
            if name not in VOID:
                self._visibility.open(name, attributes)
            if self._visibility.hidden:
                self._break_sizeless(name, self._visibility.sizeless)
                return
        if name == "br":
            self._newlines += 1
            self._space = self._marked = False
        elif name in _PARAGRAPH:
            self._open_paragraph(name)
        elif name in _LINE:
            self._open_line(name, attributes)
        elif name == "li":
            self._item()
        elif name in _CELL:
            self._cell(name)
        elif name == "a":
            self._end_link()
            self._link = read_attributes(attributes).get("href", "")
            self._link_start = len(self._pieces)
        elif name == "img":
            self._image(read_attributes(attributes))

    def close(self, name: str) -> None:
        if self._visibility is not None:
            was_hidden, was_sizeless = self._visibility.hidden, self._visibility.sizeless
            self._visibility.close(name)
            if was_hidden:
                self._break_sizeless(name, was_sizeless)
                return
        if name in _PARAGRAPH:
            self._break(2)
            if name == "pre" and self._preformatted:
                self._preformatted -= 1
        elif name in _LINE or name == "li":
            self._marked = False
            self._break(1)
            self._close_line(name)
        elif name == "a":
            self._end_link()

    def _break_sizeless(self, name: str, sizeless: bool) -> None:
        if sizeless and (name in _LINE or name in _PARAGRAPH):
            self._break(1)

    def _open_paragraph(self, name: str) -> None:
        self._break(2)
        if name == "pre":
            self._preformatted += 1
        elif name == "hr":
            self._write("---")
            self._break(2)

    def _open_line(self, name: str, attributes: str) -> None:
        self._break(1)
        if name in ("ul", "ol"):
            self._marked = False
            self._break(1)
            if len(self._lists) < _MAX_LISTS:
                self._lists.append(_first_number(attributes) if name == "ol" else 0)
        elif name == "blockquote":
            self._quotes.append(_quotes(attributes))
            self._count_quotes()
        elif name == "table" and len(self._tables) < _MAX_TABLES:
            border = read_attributes(attributes, 20).get("border", "0")
            self._tables.append(border.strip() not in ("0", "0px"))
            self._row_begun = False
        elif name == "tr":
            self._marked = False
            self._end_row()

    def _close_line(self, name: str) -> None:
        if name in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif name == "blockquote" and self._quotes:
            self._quotes.pop()
            self._count_quotes()
        elif name == "table" and self._tables:
            self._tables.pop()
            self._row_begun = bool(self._tables)
        elif name == "tr":
            self._end_row()
        elif name == "li" and self._newlines:
            self._newlines = 1  # paragraphs in items do not pull the list apart

    def _end_row(self) -> None:
        """Rows stand below one another; paragraphs in the cells of a table with lines do not pull them apart."""
        if self._row_begun and self._tables and self._tables[-1] and self._newlines:
            self._newlines = 1
        self._break(1)
        self._row_begun = False

    def _count_quotes(self) -> None:
        # Only the last entry changed, but lists are short: nothing counts beyond _MAX_QUOTES.
        self._depth = min(sum(self._quotes[: 10 * _MAX_QUOTES]), _MAX_QUOTES)

    def _item(self) -> None:
        self._marked = False
        self._break(1)
        number = self._lists[-1] if self._lists else 0
        if number:
            self._lists[-1] += 1
        indent = "  " * min(len(self._lists) - 1, _MAX_INDENT)
        self._write(indent + (f"{number}. " if number else "- "))
        self._marked = True

    def _cell(self, name: str) -> None:
        """Cells of a row stand side by side; a bar between them if the table has lines or headings."""
        if self._tables and name == "th":
            self._tables[-1] = True
        if self._tables and self._tables[-1]:
            if self._row_begun:
                self._newlines = 0
                self._space = True
                self._write("|")
                self._space = True
            self._marked = True
        elif self._pieces and not self._newlines:
            self._space = True
        self._row_begun = True

    def _image(self, attributes: dict[str, str]) -> None:
        """Smileys are images with the character as their text; the text of others stands in brackets."""
        text = _WHITESPACE.sub(" ", attributes.get("alt", "")[:_ALTERNATIVE_CHARS]).strip()
        if not text or {"0", "1"} & {attributes.get("width", ""), attributes.get("height", "")}:
            return
        if len(text) <= 8 and not any(letter.isalnum() or letter.isascii() for letter in text):
            self._write(text)
        else:
            self._write(f"[{text}]")

    def _end_link(self) -> None:
        link, self._link = self._link.strip(), ""
        if not link.lower().startswith(_LINK_SCHEMES) or len(link) > limits.URL_CHARS:
            return
        shown = "".join(self._pieces[self._link_start :]).lstrip("> \n").strip()
        if shown and _bare(link) not in (_bare(shown), _bare(shown.split()[-1])):
            self._pieces.append(f" <{_WHITESPACE.sub('', link)}>")


def _quotes(attributes: str) -> bool:
    """Whether a blockquote quotes: Gmail and Apple Mail indent with blockquotes, too."""
    found = read_attributes(attributes, 20)
    if found.get("type", "").lower() == "cite" or "cite" in found:
        return True
    if "indent" in found.get("class", "").lower():
        return False
    return not _BORDERLESS.search("".join(found.get("style", "").lower().split()))


def _first_number(attributes: str) -> int:
    start = read_attributes(attributes, 20).get("start", "")
    return int(start) if re.fullmatch(r"[1-9][0-9]{0,5}", start) else 1


def _bare(link: str) -> str:
    """A link as people write it, for comparison."""
    link = link.lower().strip("<>()[] .,/")
    for scheme in _LINK_SCHEMES:
        link = link.removeprefix(scheme)
    return link.removeprefix("www.").split("?subject=")[0]
