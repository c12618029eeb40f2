"""Encoded words in headers: RFC 2047, and the ways it is broken in the wild."""

import binascii
import re
from dataclasses import dataclass

from shared.mail.charset import codec_of, decode
from shared.mail.transfer import decode_base64

_OPENING = re.compile(r"=\?([A-Za-z0-9_.:+'*-]{1,60})\?([bBqQ])\?")
_BETWEEN = re.compile(r"[ \t\r\n]*")
_UNDERSCORE = bytes.maketrans(b"_", b" ")


@dataclass(frozen=True, slots=True)
class _Word:
    charset: str
    encoding: str  # "b" or "q"
    text: str


def decode_header(value: bytes, hint: str | None = None) -> str:
    """The value as a person reads it: raw 8-bit bytes and encoded words both decoded. May hold any character."""
    return decode_words(decode(value, None, hint)[0], hint)


def decode_words(text: str, hint: str | None = None) -> str:
    """The text with its encoded words decoded.

    Words that follow one another in one charset are decoded together, so that a character cut in two is
    whole again. Accepted: spaces in a word, missing padding, a missing end, words not set apart by space,
    unknown charsets.
    """
    if "=?" not in text:
        return text
    pieces: list[str] = []
    run: list[_Word] = []
    position = 0
    for start, end, word in _words(text):
        between = text[position:start]
        if run and (_BETWEEN.fullmatch(between) is None):
            pieces.append(_decode_run(run, hint))
            run = []
        if not run:
            pieces.append(between)
        run.append(word)
        position = end
    if run:
        pieces.append(_decode_run(run, hint))
    pieces.append(text[position:])
    return "".join(pieces)


def _words(text: str) -> list[tuple[int, int, _Word]]:
    """Every encoded word with its start and end. A word without an end reaches to the next one or to the end."""
    openings = list(_OPENING.finditer(text))
    words: list[tuple[int, int, _Word]] = []
    for index, opening in enumerate(openings):
        limit = openings[index + 1].start() if index + 1 < len(openings) else len(text)
        close = text.find("?=", opening.end(), limit)
        end = limit if close < 0 else close + 2
        content = text[opening.end() : limit if close < 0 else close]
        words.append((opening.start(), end, _Word(opening[1].split("*")[0].lower(), opening[2].lower(), content)))
    return words


def _decode_run(run: list[_Word], hint: str | None) -> str:
    """Adjacent words as one text, grouped by charset."""
    text: list[str] = []
    first = 0
    for index in range(1, len(run) + 1):
        if index == len(run) or run[index].charset != run[first].charset:
            text.append(_decode_group(run[first:index], hint))
            first = index
    return "".join(text)


def _decode_group(group: list[_Word], hint: str | None) -> str:
    charset = group[0].charset
    whole = b"".join(_bytes(_rejoined(group)))
    text, defect = decode(whole, charset, hint)
    if defect and len(group) > 1 and codec_of(charset):
        # Each word may be whole by itself and only their sum not (stateful charsets, one bad word).
        singles = [decode(b"".join(_bytes([word])), charset, hint) for word in group]
        if sum(1 for _, broken in singles if broken) < len(group):
            return "".join(single for single, _ in singles)
    return text


def _rejoined(group: list[_Word]) -> list[_Word]:
    """Base64 cut at a place that is no multiple of four goes on in the next word."""
    joined: list[_Word] = []
    parts: list[str] = []
    for word in group:
        parts.append(word.text)
        open_end = word.encoding == "b" and len(word.text.strip()) % 4 != 0 and not word.text.rstrip().endswith("=")
        if not open_end or word is group[-1]:
            joined.append(_Word(word.charset, word.encoding, "".join(parts)))
            parts = []
    return joined


def _bytes(words: list[_Word]) -> list[bytes]:
    return [_decode_b(word.text) if word.encoding == "b" else _decode_q(word.text) for word in words]


def _decode_b(text: str) -> bytes:
    return decode_base64(text.replace(" ", "").encode("latin-1", "ignore"))[0]


def _decode_q(text: str) -> bytes:
    # A raw letter inside is kept as UTF-8: it got there by a gateway that already decoded something.
    return binascii.a2b_qp(text.encode("utf-8", "replace").translate(_UNDERSCORE), header=False)
