"""Parameters of Content-Type and Content-Disposition: RFC 2045 section 5.1, RFC 2231, and their broken relatives."""

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from shared.mail import limits
from shared.mail.charset import decode
from shared.mail.encodedword import decode_header
from shared.mail.text import one_line

_SEGMENT = re.compile(r"([^*]{1,60})(?:\*(\d{1,3}))?(\*)?")
# Up to the character that ends or changes the state.
_PLAIN = re.compile(r"[^;\"(]*")
_QUOTED = re.compile(r'[^"\\]*')
_COMMENT = re.compile(r"[^()\\]*")
_VALUE_ENDS = re.compile(r"\s*(?:;|$)")


class Parameters:
    """A value such as ``text/plain; charset=utf-8``: what stands in front, and the parameters behind it."""

    def __init__(self, value: bytes, hint: str | None = None) -> None:
        first, *others = _split(value[: limits.FIELD_BYTES].decode("latin-1"))
        self.value = _joined(first).lower()
        self._hint = hint
        self._raw: dict[str, list[tuple[int, bool, str]]] = {}
        for item in others[: limits.PARAMETERS]:
            self._add(item)

    def _add(self, item: "list[_Piece]") -> None:
        name, equals, start = item[0].text.partition("=") if item else ("", "", "")
        match = _SEGMENT.fullmatch(name.strip().lower())
        if not equals or not match:
            return
        value = _joined([_Piece(start, False), *item[1:]])
        segments = self._raw.setdefault(match[1].strip(), [])
        number = int(match[2]) if match[2] else -1
        if not any(number == known and bool(match[3]) == encoded for known, encoded, _ in segments):
            segments.append((number, bool(match[3]), value))

    def raw(self, name: str) -> str:
        """The parameter's value byte for byte (as Latin-1), "" if absent. For boundaries and charsets."""
        return "".join(value for _, _, value in self._chosen(name))

    def text(self, name: str) -> str:
        """The parameter's value decoded, on one line, "" if absent. For file names."""
        segments = self._chosen(name)
        if not segments:
            return ""
        if not any(encoded for _, encoded, _ in segments):
            joined = "".join(value for _, _, value in segments)
            return one_line(decode_header(joined.encode("latin-1"), self._hint), limits.LINE_CHARS)
        charset, data = "", b""
        for index, (_, encoded, value) in enumerate(segments):
            if encoded and index == 0 and value.count("'") >= 2:
                charset, _, value = value.split("'", 2)
            data += unquote_to_bytes(value.encode("latin-1")) if encoded else value.encode("latin-1")
        return one_line(decode(data, charset, self._hint)[0], limits.LINE_CHARS)

    def _chosen(self, name: str) -> list[tuple[int, bool, str]]:
        """The segments in order. An extended value beats segments, these beat a plain value (RFC 6266 section 4.3)."""
        segments = self._raw.get(name, [])
        whole = sorted((segment for segment in segments if segment[0] < 0), key=lambda segment: not segment[1])
        if whole and (whole[0][1] or len(whole) == len(segments)):
            return whole[:1]
        return sorted((segment for segment in segments if segment[0] >= 0), key=lambda segment: segment[0])


class _Piece(NamedTuple):
    text: str
    quoted: bool  # spaces in it count


def _joined(pieces: list[_Piece]) -> str:
    """The pieces as one value, without the spaces around them."""
    pieces = [piece for piece in pieces if piece.quoted or piece.text.strip()]
    if pieces and not pieces[0].quoted:
        pieces[0] = _Piece(pieces[0].text.lstrip(), False)
    if pieces and not pieces[-1].quoted:
        pieces[-1] = _Piece(pieces[-1].text.rstrip(), False)
    return "".join(piece.text for piece in pieces)


def _split(value: str) -> list[list[_Piece]]:
    """The value cut at its semicolons, quotes and comments undone. Those that never end are letters."""
    items: list[list[_Piece]] = [[]]
    position = 0
    endless = ""  # characters that open something nothing closes any more
    while position < len(value):
        run = _PLAIN.match(value, position)
        if run and run[0]:
            items[-1].append(_Piece(run[0], False))
            position = run.end()
            continue
        character = value[position]
        position += 1
        if character == ";":
            items.append([])
            continue
        text, end = "", -1
        if character == '"' and character not in endless:
            text, end = _quoted(value, position)
        elif character not in endless:
            text, end = _comment(value, position, in_value=bool(items[-1]) and "=" in items[-1][0].text)
        if end < 0:
            endless += character
            items[-1].append(_Piece(character, False))
        else:
            items[-1].append(_Piece(text, character == '"'))
            position = end
    return items


def _quoted(value: str, position: int) -> tuple[str, int]:
    """The quoted string's content and the place behind it; place -1 if it never ends.

    Only ``\\\\"`` and ``\\\\\\\\`` are escapes: a Windows path in quotes keeps its backslashes.
    """
    text: list[str] = []
    while position < len(value):
        run = _QUOTED.match(value, position)
        if run:
            text.append(run[0])
            position = run.end()
        if position >= len(value):
            break
        if value[position] == '"':
            return "".join(text), position + 1
        if value[position + 1 : position + 2] in ('"', "\\"):
            position += 1
        text.append(value[position])
        position += 1
    return "", -1


def _comment(value: str, position: int, in_value: bool) -> tuple[str, int]:
    """What stands for the comment opened before ``position``, and the place behind it; place -1 if it never ends.

    A comment is nothing, unless a value goes on behind it: ``name=report (1).pdf`` has none. Comments may
    nest.
    """
    start = position
    depth = 1
    while depth and position < len(value):
        run = _COMMENT.match(value, position)
        position = run.end() if run else position
        character = value[position : position + 1]
        position += 2 if character == "\\" else 1
        depth += {"(": 1, ")": -1}.get(character, 0)
    if depth:
        return "", -1
    if in_value and _VALUE_ENDS.match(value, position) is None:
        return value[start - 1 : position], position
    return "", position
