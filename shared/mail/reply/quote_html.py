"""What mail programs mark as quoted in their HTML: the marks are theirs, found in mails they sent.

Gmail, Outlook (desktop, web, mobile, Mac), Apple Mail, Thunderbird, Yahoo, Proton, Zimbra, Zoho, Tuta, Spark,
GMX and WEB.DE, Airmail, Front, Superhuman, Missive, Roundcube, 163 and QQ. Where a program marks nothing, the
text decides (``quote_cut``).
"""

import re
from enum import Enum

from shared.mail.html.htmlscan import Scanner, read_attributes
from shared.mail.html.htmltext import html_to_text


class Mark(Enum):
    """What the HTML says about a piece of text."""

    NONE = "none"
    QUOTE = "quote"
    INDENT = "indent"
    """A blockquote without more: a quote if an attribution stands above, else somebody's layout."""
    ATTRIBUTION = "attribution"
    SIGNATURE = "signature"
    RULE = "rule"
    """Below Word's line above a header block; it becomes TAIL if the block is there. Not seen outside this module."""
    TAIL = "tail"
    """Everything from here on is an older mail."""


_FRAMES = frozenset(["gmail_quote", "gmail_quote_container", "protonmail_quote"])
"""Classes of a div with the attribution, then a blockquote; answers between and below the quotes stand in it, too."""
_CLASSES = {
    "gmail_attr": Mark.ATTRIBUTION,
    "moz-cite-prefix": Mark.ATTRIBUTION,
    "airmail_on": Mark.ATTRIBUTION,
    "yahoo_quoted": Mark.QUOTE,
    "yahoo-quoted": Mark.QUOTE,
    "zmail_extra": Mark.QUOTE,
    "tutanota_quote": Mark.QUOTE,
    "front-blockquote": Mark.QUOTE,
    "cm_quote": Mark.QUOTE,
    "sh-quoted-content": Mark.QUOTE,
    "missive_quote": Mark.QUOTE,
    "iosymail": Mark.QUOTE,
    "clean_bq": Mark.QUOTE,
    "outlookmessageheader": Mark.TAIL,
    "moz-forward-container": Mark.TAIL,
    "ms-outlook-mobile-reference-message": Mark.TAIL,
    "gmail_signature": Mark.SIGNATURE,
    "gmail_signature_prefix": Mark.SIGNATURE,
    "moz-signature": Mark.SIGNATURE,
    "protonmail_signature_block": Mark.SIGNATURE,
}
_IDS = {
    "divrplyfwdmsg": Mark.TAIL,
    "appendonsend": Mark.TAIL,
    "mail-editor-reference-message-container": Mark.TAIL,
    "ms-outlook-mobile-reference-message": Mark.TAIL,
    "olk_src_body_section": Mark.TAIL,
    "stopspelling": Mark.TAIL,
    "isreplycontent": Mark.QUOTE,
    "origbody": Mark.QUOTE,
    "reply-intro": Mark.ATTRIBUTION,
    "applemailsignature": Mark.SIGNATURE,
    "composer_signature": Mark.SIGNATURE,
    "ms-outlook-mobile-signature": Mark.SIGNATURE,
    "signature": Mark.SIGNATURE,
    "ymail_android_signature": Mark.SIGNATURE,
}
_NAMES = {
    "quote": Mark.QUOTE,  # GMX, WEB.DE
    "messagesignaturesection": Mark.SIGNATURE,  # Spark
}
_ZIMBRA = {
    "__quoted_text__": Mark.QUOTE,
    "__headers__": Mark.ATTRIBUTION,
    "__sig_post__": Mark.SIGNATURE,
    "__sig_pre__": Mark.SIGNATURE,
}
_MARKING = re.compile(r"\b(?:class|id|name|data-marker|data-smartmail|style)\b", re.IGNORECASE)
_ATTRIBUTE_CHARS = 2000
"""Of one tag; the marks stand in the first hundred."""
_WORD_RULE = re.compile(r"border:\s?none[^\"]{0,80}?;\s?border-top:\s?(?:\d\S{0,8}\s)?solid", re.IGNORECASE)
_WORD_RULE_CHARS = 3000
"""Of HTML below Word's rule in which two fields of a header must be found: it needs many tags for few words."""
_WORD_RULES = 20
"""Rules that are looked below. A mail has one for each older mail in it; the first counts."""
_TRACKED = frozenset(["div", "blockquote", "span", "pre", "table", "section"])
_LEVELS = 64
"""How far up an end tag looks for its start tag."""
_PIECES = 2000
"""Changes of the mark; an answer between quoted lines has ten, a long one a hundred."""


def segments(source: str) -> list[tuple[Mark, str]]:
    """The source cut where its mark changes, in order. One piece of ``Mark.NONE`` if nothing is marked."""
    reader = _Reader()
    Scanner(source, reader).run()
    return _with_word_rules(reader.pieces())


def _with_word_rules(pieces: list[tuple[Mark, str]]) -> list[tuple[Mark, str]]:
    """RULE becomes TAIL where a header block follows: in any language it has lines with a colon."""
    left = _WORD_RULES
    for index, (mark, _) in enumerate(pieces):
        if mark is not Mark.RULE:
            continue
        left -= 1
        below = "".join(source for _, source in pieces[index : index + 5])[:_WORD_RULE_CHARS]
        lines = html_to_text(below).split("\n")[:8]
        if left >= 0 and sum(":" in line[:40] or "：" in line[:40] for line in lines) >= 2:
            return [*pieces[:index], (Mark.TAIL, "".join(source for _, source in pieces[index:]))]
        pieces[index] = (Mark.NONE, pieces[index][1])
    return pieces


class _Reader:
    """Follows the open elements and the mark that holds inside them (htmlscan.Handler)."""

    def __init__(self) -> None:
        self._open: list[tuple[str, Mark, bool]] = []  # name, the mark outside, whether it is a frame
        self._mark = Mark.NONE
        self._pieces: list[tuple[Mark, list[str]]] = []

    def pieces(self) -> list[tuple[Mark, str]]:
        return [(mark, "".join(parts)) for mark, parts in self._pieces]

    def data(self, source: str) -> None:
        self._write(source)

    def open(self, name: str, attributes: str) -> None:
        if self._mark is not Mark.TAIL:
            self._enter(name, attributes)
        self._write(f"<{name}{attributes}>")

    def close(self, name: str) -> None:
        self._write(f"</{name}>")
        if self._mark is Mark.TAIL:
            return
        for level in range(len(self._open) - 1, max(-1, len(self._open) - 1 - _LEVELS), -1):
            if self._open[level][0] == name:
                self._leave(level)
                return

    def _write(self, source: str) -> None:
        last = self._pieces[-1][0] if self._pieces else None
        if last is not self._mark and len(self._pieces) < _PIECES:
            self._pieces.append((self._mark, []))
        self._pieces[-1][1].append(source)

    def _enter(self, name: str, attributes: str) -> None:
        mark, frame = Mark.NONE, False
        if self._mark is not Mark.QUOTE and (name == "blockquote" or _MARKING.search(attributes[:_ATTRIBUTE_CHARS])):
            mark, frame = _mark_of(name, attributes[:_ATTRIBUTE_CHARS])
        if mark is Mark.TAIL:
            self._mark = mark
        elif name in _TRACKED or mark is not Mark.NONE:
            self._open.append((name, self._mark, frame))
            self._mark = self._mark if mark is Mark.NONE else mark

    def _leave(self, level: int) -> None:
        inner, self._mark = self._mark, self._open[level][1]
        del self._open[level:]
        if inner is Mark.QUOTE and self._open and self._open[-1][2]:
            self._mark = Mark.NONE  # what follows a quote in its frame is an answer


def _mark_of(name: str, attributes: str) -> tuple[Mark, bool]:
    """The mark of an element, and whether it is a frame."""
    values = read_attributes(attributes, 20)
    # Outlook puts "x_" before the classes and ids of the mail it answers.
    classes = [word.replace("x_", "") for word in values.get("class", "").lower().split()[:20]]
    if name == "blockquote":
        cited = values.get("type", "").lower() == "cite" or "cite" in values
        known = any(word in _FRAMES or _CLASSES.get(word) is Mark.QUOTE for word in classes)
        return (Mark.QUOTE if cited or known else Mark.INDENT), False
    if not _FRAMES.isdisjoint(classes) or values.get("name", "").lower() == "messagereplysection":
        return Mark.ATTRIBUTION, True
    candidates = (
        *(_CLASSES.get(word) for word in classes),
        _IDS.get(values.get("id", "").lower().replace("x_", "")),
        _NAMES.get(values.get("name", "").lower()) if name == "div" else None,
        _ZIMBRA.get(values.get("data-marker", "").lower()),
        Mark.SIGNATURE if "data-smartmail" in values else None,  # Gmail on phones
        Mark.RULE if name == "div" and _WORD_RULE.search(values.get("style", "")) else None,
    )
    return next((mark for mark in candidates if mark), Mark.NONE), False
