"""Plain text to HTML: what an agent typed, as mail programs show it."""

import re
from collections.abc import Iterable
from html import escape

from shared.mail import limits
from shared.mail.text import clean_text

# Http and https only, and nothing in it that makes a line read otherwise than it is (direction marks).
_LINK = re.compile(
    rf"(?<![A-Za-z0-9])https?://[^\s<>\"'`\x00-\x20\u200e\u200f\u202a-\u202e\u2066-\u2069]{{1,{limits.URL_CHARS}}}",
    re.IGNORECASE,
)
_BLANK_LINES = re.compile(r"\n(?:[ ]*\n)+")
_SPACES = re.compile(r"^ | (?= )", re.MULTILINE)
_PUNCTUATION = frozenset(".,;:!?…*_~|\\’”»)]}")
"""At the end of an address it belongs to the sentence, but for a bracket that was opened in the address."""
_OPENED = {")": "(", "]": "[", "}": "{"}
_TAB = 4


def plain_to_html(text: str) -> str:
    """Paragraphs, line breaks, indentation, and links to http and https; everything else is escaped. One kind of tag
    each: ``p``, ``br``, ``a``. Empty for a text without words."""
    text = clean_text(text).expandtabs(_TAB).strip("\n")
    if not text.strip():
        return ""
    paragraphs = _BLANK_LINES.split(text)
    return "\n".join(f"<p>{lines_to_html(one.split(chr(10)), links=True)}</p>" for one in paragraphs)


def lines_to_html(lines: Iterable[str], links: bool = False) -> str:
    """The lines with a break between two, escaped; with their links if ``links``."""
    return "<br>\n".join(_with_links(line) if links else _escaped(line) for line in lines)


def _with_links(line: str) -> str:
    pieces: list[str] = []
    position = 0
    for match in _LINK.finditer(line):
        address = _without_punctuation(match[0])
        if address.endswith("://"):
            continue
        pieces.append(_escaped(line[position : match.start()], inner=position > 0))
        pieces.append(f'<a href="{escape(address)}">{escape(address)}</a>')
        position = match.start() + len(address)
    pieces.append(_escaped(line[position:], inner=position > 0))
    return "".join(pieces)


def _escaped(text: str, inner: bool = False) -> str:
    """``inner``: no line begins here, so that one space in front is a space."""
    kept = _SPACES.sub("\u00a0", text if not inner else f"\0{text}").removeprefix("\0")
    return escape(kept).replace("\u00a0", "&nbsp;")


def _without_punctuation(address: str) -> str:
    surplus = {close: address.count(close) - address.count(opening) for close, opening in _OPENED.items()}
    end = len(address)
    while end and address[end - 1] in _PUNCTUATION:
        last = address[end - 1]
        if last in surplus:
            if surplus[last] <= 0:
                break
            surplus[last] -= 1
        end -= 1
    return address[:end]
