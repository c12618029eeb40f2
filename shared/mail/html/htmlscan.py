"""HTML cut into text and tags, in one pass and without a tree.

html.parser needs quadratic time for broken tags (CPython issue 135462). What the handlers make of the pieces is
their business: ``htmltext`` writes text, ``clean`` writes HTML again, ``htmldigest`` writes what digests are made of.
"""

import html
import re
from typing import Protocol

_TAG_NAME = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:_-]{0,40})")
_TAG_EVENT = re.compile(r"[>\"']")
_ATTRIBUTE = re.compile(r"([^\s\"'<>/=]{1,100})(?:\s{0,20}=\s{0,20}(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>][^\s>]*)))?")
# html.unescape reads any number of digits; CPython refuses more than 4300 of them and is slow below that.
_LONG_REFERENCE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{8,});?")

# Their content is no text of the mail.
SKIPPED = frozenset(["script", "style", "title", "template", "svg", "math"])


class Handler(Protocol):
    """Who takes the pieces, in order."""

    def data(self, source: str) -> None:
        """Text between tags, its character references not yet undone."""

    def open(self, name: str, attributes: str) -> None:
        """A start tag: its name in lower case, and everything up to its ``>``."""

    def close(self, name: str) -> None:
        """An end tag."""


def unescape(source: str) -> str:
    """Character references undone. Linear, unlike html.unescape alone."""
    return html.unescape(_LONG_REFERENCE.sub("\ufffd", source)) if "&" in source else source


def read_attributes(attributes: str, limit: int = 100) -> dict[str, str]:
    """The attributes of a start tag: names in lower case, references in values undone, the first of each name."""
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(attributes):
        if len(found) >= limit:
            break
        name = match[1].lower()
        if name not in found:
            found[name] = unescape(match[2] or match[3] or match[4] or "")
    return found


class Scanner:
    """Cuts the source into text and tags. What is searched for in vain is not searched for again."""

    def __init__(self, source: str, handler: Handler) -> None:
        self._source = source
        self._handler = handler
        self._absent: set[str] = set()

    def run(self) -> None:
        source, position = self._source, 0
        while position < len(source):
            start = source.find("<", position)
            if start < 0:
                start = len(source)
            if start > position:
                self._handler.data(source[position:start])
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
            self._handler.data("<")
            return start + 1
        name = match[2].lower()
        if match[1]:
            self._handler.close(name)
            return end
        attributes = source[match.end() : end - 1]
        if name in SKIPPED and not attributes.endswith("/"):
            return self._skip(name, end)
        self._handler.open(name, attributes)
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
