"""Pieces of header fields that we write: RFC 5322 section 2.2.3 (folding) and 3.2 (words), RFC 2047 (encoded words).

A piece is never broken; lines are, between pieces. Python's own folding is not used: it has encoded the commas between
recipients, and has let line breaks from encoded words into headers (CVE-2024-6923, CVE-2026-1299).
"""

import base64
import re
from collections.abc import Sequence
from functools import partial

from shared.mail.address import Address

LINE_CHARS = 76
"""Of a line with encoded words (RFC 2047 section 2); RFC 5322 section 2.1.1 wants 78 at most in any line."""

LINE_BYTES = 998
"""Of any line without its end (RFC 5322 section 2.1.1)."""

_WORD_CHARS = 62
"""Of one encoded word: RFC 2047 section 2 allows 75, and the first one stands behind its field's name."""

_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,60}(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,60})*")
_PRINTABLE = re.compile(r"[ -~]*")
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[a-z0-9._-]+")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
PHRASE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
"""What stands for itself in an encoded word that is part of a name (RFC 2047 section 5, rule 3)."""

TEXT = frozenset(range(0x21, 0x7F)) - frozenset(b"=?_")
"""Likewise in a text on its own (rule 1)."""


def field(name: str, pieces: Sequence[str]) -> bytes:
    """One header field, folded, with its line end. Every field of a mail comes from here.

    Raises ValueError for what would break out of it: a control character, a line that is too long.
    """
    lines = [f"{name}:"]
    for piece in pieces:
        if not piece or piece.isspace() or _UNSAFE.search(piece):
            raise ValueError(f"a piece of {name} that no header can hold")
        if len(lines[-1]) + 1 + len(piece) > LINE_CHARS and lines != [f"{name}:"]:
            lines.append("")
        lines[-1] += f" {piece}"
    data = "\r\n".join(lines).encode()
    if any(len(line) > LINE_BYTES for line in data.split(b"\r\n")):
        raise ValueError(f"a line of {name} that is too long")
    return data + b"\r\n"


def unstructured(text: str) -> list[str]:
    """A text on one line (a subject), as it is where every reader reads that alike."""
    words = text.split(" ") if text else []
    if _is_plain(text) and all(0 < len(word) <= _WORD_CHARS for word in words):
        return words
    return encoded_words(text, TEXT) if text else []


def addresses(found: Sequence[Address]) -> list[str]:
    """Mailboxes with commas between them (RFC 5322 section 3.4)."""
    pieces: list[str] = []
    for place, one in enumerate(found):
        bare = not one.name and _DOT_ATOM.fullmatch(one.address)
        pieces += [*phrase(one.name), one.address if bare else f"<{one.address}>"]
        if place < len(found) - 1:
            pieces[-1] += ","
    return pieces


def phrase(name: str) -> list[str]:
    """A display name: atoms, one quoted string, or encoded words."""
    if not name:
        return []
    if _ATOMS.fullmatch(name) and "=?" not in name:
        return name.split(" ")
    if _is_plain(name) and len(name) <= _WORD_CHARS:
        return [quoted_string(name)]
    return encoded_words(name, PHRASE)


def quoted_string(text: str) -> str:
    """RFC 5322 section 3.2.4, of printable ASCII."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def encoded_words(text: str, safe: frozenset[int]) -> list[str]:
    """The text in encoded words, each with whole characters; readable (q) unless half of it would be codes."""
    data = text.encode()
    as_q = sum(1 if byte in safe or byte == 0x20 else 3 for byte in data)
    encode, name = (partial(_in_q, safe=safe), "q") if as_q <= 2 * len(data) else (_in_b, "b")
    opening = f"=?utf-8?{name}?"
    most = _WORD_CHARS - len(opening) - len("?=")
    fits = most if name == "q" else most // 4 * 3
    words, size = [""], 0
    for character in text:
        length = len(_in_q(character, safe)) if name == "q" else len(character.encode())
        if size + length > fits:
            words.append("")
            size = 0
        words[-1] += character
        size += length
    return [f"{opening}{encode(word)}?=" for word in words]


def _in_b(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _in_q(text: str, safe: frozenset[int]) -> str:
    codes = (chr(byte) if byte in safe else "_" if byte == 0x20 else f"={byte:02X}" for byte in text.encode())
    return "".join(codes)


def _is_plain(text: str) -> bool:
    """Whether it can stand in a header as it is: printable ASCII that nobody takes for an encoded word."""
    return _PRINTABLE.fullmatch(text) is not None and "=?" not in text
