"""Rich text to plain text, and back to the HTML it was made from: [MS-OXRTFEX], RTF 1.9.1.

Outlook turns an HTML mail into RTF and hides the HTML in it (``\\fromhtml1``): tags stand in ``{\\*\\htmltag …}``, what
``\\htmlrtf … \\htmlrtf0`` encloses is for RTF readers only. One pass over the tokens, groups on a stack of our own.
"""

import html
import re
from typing import NamedTuple

from shared.mail.charset import decode

_TOKEN = re.compile(
    rb"\\'([0-9a-fA-F]{2})"  # 1: a byte
    rb"|\\([a-zA-Z]{1,32})(-?[0-9]{1,10})?[ ]?"  # 2, 3: a word and its number
    rb"|\\([^a-zA-Z])"  # 4: a symbol
    rb"|([{}])"  # 5: a group
    rb"|([^\\{}\r\n]+)",  # 6: text
    re.DOTALL,
)
_IGNORED = frozenset(
    b"""colortbl stylesheet info pict objdata header headerl headerr headerf footer footerl footerr footerf
    mhtmltag fldinst themedata""".split()
)
_BREAKS = {b"par": "\n", b"line": "\n", b"row": "\n", b"page": "\n", b"sect": "\n", b"tab": "\t", b"cell": "\t"}
_LETTERS = {
    b"lquote": "\u2018",
    b"rquote": "\u2019",
    b"ldblquote": "\u201c",
    b"rdblquote": "\u201d",
    b"bullet": "\u2022",
    b"endash": "\u2013",
    b"emdash": "\u2014",
    b"emspace": "\u2003",
    b"enspace": "\u2002",
    b"zwj": "\u200d",
    b"zwnj": "\u200c",
}
_SYMBOLS = {b"~": "\u00a0", b"_": "\u2011", b"{": "{", b"}": "}", b"\\": "\\", b"\n": "\n", b"\r": "\n"}
# \fcharset: the code page of a font's letters (RTF 1.9.1, "Font Table").
_CHARSETS = {
    128: "cp932", 129: "cp949", 134: "gb18030", 136: "cp950", 161: "cp1253", 162: "cp1254", 163: "cp1258",
    177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 255: "cp850",
}  # fmt: skip
_MAX_GROUPS = 1000
"""Groups in groups that keep a state of their own. Word writes about ten."""

_MAX_FONTS = 1000


class RichText(NamedTuple):
    """What a rich text says. ``html`` is None unless it was made from HTML; then ``text`` is empty."""

    text: str
    html: str | None


class _State(NamedTuple):
    ignored: bool = False
    tag: bool = False  # in {\*\htmltag …}
    hidden: bool = False  # between \htmlrtf and \htmlrtf0
    fonts: bool = False  # in the font table
    skip: int = 1  # characters that stand for one \u in older readers
    charset: str = ""


def read_rtf(data: bytes) -> RichText | None:
    """What the rich text says; None if this is none."""
    if not data[:64].lstrip(b" \r\n\t\0").startswith(b"{\\rtf"):
        return None
    reader = _Reader(data, b"\\fromhtml1" in data[:1024])
    reader.run()
    text = "".join(reader.pieces).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return RichText("", text) if reader.from_html else RichText(text.strip("\n"), None)


class _Reader:
    def __init__(self, data: bytes, from_html: bool) -> None:
        self.from_html = from_html
        self.pieces: list[str] = []
        self._data = data
        self._state = _State()
        self._stack: list[_State] = []
        self._deeper = 0  # groups beyond _MAX_GROUPS
        self._fresh = False  # right behind { or {\*
        self._starred = False
        self._bytes = bytearray()  # of one charset, not yet decoded
        self._codepage = "cp1252"
        self._fonts: dict[int, str] = {}
        self._font = 0
        self._to_skip = 0

    def run(self) -> None:
        position = 0
        while match := _TOKEN.search(self._data, position):
            position = match.end() + self._token(match)
        self._flush()

    def _token(self, match: "re.Match[bytes]") -> int:
        """Handle one token; how many bytes behind it belong to it, too."""
        kind = match.lastindex
        if kind == 5:
            self._group(match[5] == b"{")
            return 0
        fresh, self._fresh = self._fresh, False
        if kind == 6:
            self._letters(match[6])
        elif kind == 1:
            self._letters(bytes([int(match[1], 16)]), escaped=True)
        elif kind == 4:
            self._symbol(match[4], fresh)
        else:
            number = int(match[3]) if match[3] is not None else None
            if match[2] == b"bin":
                return min(max(number or 0, 0), len(self._data))
            self._word(match[2], number, fresh)
        return 0

    def _group(self, opens: bool) -> None:
        self._to_skip = 0
        self._fresh, self._starred = opens, False
        if opens:
            if len(self._stack) < _MAX_GROUPS:
                self._stack.append(self._state)
            else:
                self._deeper += 1
        elif self._deeper:
            self._deeper -= 1
        elif self._stack:
            self._flush()
            self._state = self._stack.pop()

    def _symbol(self, symbol: bytes, fresh: bool) -> None:
        if symbol == b"*":
            self._fresh, self._starred = fresh, fresh
        elif symbol in _SYMBOLS and not self._skipped():
            if symbol in b"{}\\":
                self._letters(symbol, escaped=True)
            else:
                self._write(_SYMBOLS[symbol])

    def _word(self, word: bytes, number: int | None, fresh: bool) -> None:
        if fresh and self._destination(word):
            return
        if word == b"u" and number is not None:
            self._write(chr(number & 0xFFFF))
            self._to_skip = self._state.skip
        elif word == b"uc" and number is not None:
            self._state = self._state._replace(skip=min(max(number, 0), 10))
        elif word == b"htmlrtf":
            self._flush()
            self._state = self._state._replace(hidden=number != 0)
        elif word in (b"f", b"fcharset") and number is not None:
            self._set_font(word, number)
        elif word in (b"plain", b"pard"):
            if word == b"plain":
                self._use("")
        elif word == b"ansicpg" and number is not None:
            self._codepage = f"cp{number}"
        elif word in _BREAKS:
            self._write(_BREAKS[word])
        elif word in _LETTERS:
            self._write(_LETTERS[word])

    def _destination(self, word: bytes) -> bool:
        """Whether the group that begins here is something else than text."""
        starred, self._starred = self._starred, False
        if word == b"htmltag" and starred:
            self._flush()
            self._state = self._state._replace(tag=True, hidden=False, ignored=self._state.ignored)
        elif word == b"fonttbl":
            self._state = self._state._replace(fonts=True)
        elif starred or word in _IGNORED:
            self._flush()
            self._state = self._state._replace(ignored=True)
        else:
            return False
        return True

    def _set_font(self, word: bytes, number: int) -> None:
        if word == b"fcharset":
            if self._state.fonts and len(self._fonts) < _MAX_FONTS:
                self._fonts[self._font] = _CHARSETS.get(number, "")
        elif self._state.fonts:
            self._font = number
        else:
            self._use(self._fonts.get(number, ""))

    def _use(self, charset: str) -> None:
        if charset != self._state.charset:
            self._flush()
            self._state = self._state._replace(charset=charset)

    def _skipped(self) -> bool:
        """Whether a character stands only for readers that do not know the \\u before it."""
        if self._to_skip:
            self._to_skip -= 1
            return True
        return False

    def _silent(self) -> bool:
        state = self._state
        if state.ignored or state.fonts:
            return True
        return state.hidden and not state.tag

    def _letters(self, data: bytes, escaped: bool = False) -> None:
        if self._to_skip:
            if escaped:
                self._to_skip -= 1
                return
            skipped, data = min(self._to_skip, len(data)), data[self._to_skip :]
            self._to_skip -= skipped
        if not self._silent():
            self._bytes += data

    def _write(self, text: str) -> None:
        if self._silent():
            return
        self._flush()
        self.pieces.append(self._content(text))

    def _flush(self) -> None:
        if self._bytes:
            text = decode(bytes(self._bytes), self._state.charset or self._codepage)[0]
            self._bytes.clear()
            self.pieces.append(self._content(text))

    def _content(self, text: str) -> str:
        """Between the tags of the HTML, ``<`` is a letter."""
        return html.escape(text, quote=False) if self.from_html and not self._state.tag else text
