"""Text that every store and page can hold."""

import re

_NEWLINES = re.compile("\r\n?|[\x85\u2028\u2029]")
# C0 but tab and newline, DEL, C1; U+FFFE and U+FFFF are no characters (XML and some stores refuse them).
_DROPPED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_REPLACED = re.compile("[\ud800-\udfff\ufffe\uffff]")
_SPACES = re.compile("[ \t\n\u00a0\u3000]+")
# Embeddings, overrides and isolates: they make a line read otherwise than it is. Marks (U+200E, U+200F) are
# harmless.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")


def clean_text(text: str) -> str:
    """The text without what stores refuse: newlines are ``\\n``, control characters dropped, lone surrogates U+FFFD."""
    text = _NEWLINES.sub("\n", text)
    text = _DROPPED.sub("", text)
    if text.isascii():
        return text
    return _REPLACED.sub("\ufffd", text)


def one_line(text: str, limit: int) -> str:
    """The text on one line of at most ``limit`` characters: for subjects, names and other header values."""
    text = _BIDI.sub("", clean_text(text[: 4 * limit]))
    return _SPACES.sub(" ", text).strip()[:limit].rstrip()
