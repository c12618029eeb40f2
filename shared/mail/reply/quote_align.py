"""Which lines of the text the HTML marks as quoted.

The text is what is shown and kept; the HTML only lends its knowledge. Both say the same words in the same order,
with other line breaks, links and signs, so letters and digits alone are compared.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass

from shared.mail import limits
from shared.mail.html.htmltext import html_to_text
from shared.mail.reply.quote_html import Mark, segments

_NO_WORD = re.compile(r"[\W_]+")
_LINK = re.compile(r"https?://[^\s<>]{1,2000}")
_NEAR, _FAR = 30, 600
"""Letters that may be missing from the text before a short line (under 12 letters) and before a longer one."""
_LEAPS = 50
"""Searches through the whole rest, for a piece of HTML the text leaves out. Each reads the rest once."""
_AGREEMENT = 0.6
"""Of the text's letters must be found in the HTML; below this the two are different texts."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the text and what the HTML says about it."""

    text: str
    mark: Mark = Mark.NONE


def marked_lines(text: str, html: str | None) -> list[Line]:
    """The lines of the text, with the marks of the HTML if there are any and both say the same."""
    texts = text.split("\n")
    pieces = segments(html[: limits.HTML_CHARS]) if html else []
    if all(mark is Mark.NONE for mark, _ in pieces):
        return [Line(line) for line in texts]
    marks = _marks(texts, pieces)
    return [Line(line, mark) for line, mark in zip(texts, marks, strict=True)]


def _marks(texts: list[str], pieces: list[tuple[Mark, str]]) -> list[Mark]:
    stream, offsets = _stream(pieces)
    position, found, wanted, leaps = 0, 0, 0, _LEAPS
    places: list[int | None] = []
    for line in texts:
        key = _key(line)
        wanted += len(key)
        place = stream.find(key, position, position + len(key) + (_FAR if len(key) >= 12 else _NEAR)) if key else -1
        if place < 0 and len(key) >= 30 and leaps:
            leaps -= 1
            place = stream.find(key, position)
        if place >= 0:
            position = place + len(key)
            found += len(key)
        places.append(place if place >= 0 else None)
    if found < _AGREEMENT * wanted:
        return [Mark.NONE] * len(texts)
    known = [None if place is None else pieces[bisect_right(offsets, place) - 1][0] for place in places]
    return _filled(known)


def _stream(pieces: list[tuple[Mark, str]]) -> tuple[str, list[int]]:
    """All letters and digits of the HTML, and where each piece begins."""
    keys: list[str] = []
    offsets: list[int] = []
    total = 0
    for _, source in pieces:
        offsets.append(total)
        keys.append(_key(html_to_text(source)))
        total += len(keys[-1])
    return "".join(keys), offsets


def _key(text: str) -> str:
    if "://" in text:
        text = _LINK.sub(" ", text)
    return _NO_WORD.sub("", text).lower()


def _filled(known: list[Mark | None]) -> list[Mark]:
    """Lines not found in the HTML are marked as their neighbours are, if both agree."""
    after: list[Mark | None] = []
    following: Mark | None = None
    for mark in reversed(known):
        following = mark or following
        after.append(following)
    marks: list[Mark] = []
    previous = Mark.NONE
    for mark, following in zip(known, reversed(after), strict=True):
        previous = mark or previous
        marks.append(previous if following in (previous, None) else Mark.NONE)
    return marks
