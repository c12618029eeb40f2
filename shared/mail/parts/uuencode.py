"""uuencode: files in the text of old mail, between ``begin 644 name`` and ``end`` (POSIX.1)."""

import binascii
import re
from io import BytesIO

from shared.mail import limits

_BEGIN = re.compile(r"^begin(?:-base64)? [0-7]{3,4} (\S[^\n]{0,200})$", re.MULTILINE)
_END = re.compile(r"^end[ \t]*$", re.MULTILINE)
_DATA_LINE = re.compile(r"[ -`]{1,100}")


def decode_uu(data: bytes) -> bytes:
    """The bytes of one uuencoded file; lines that are not uuencode are skipped.

    A line may stand for more than it holds: gateways cut off the spaces at its end, which are zeros.
    """
    decoded = BytesIO()
    position, room = 0, limits.UU_RATIO * len(data)
    # One line at a time: all at once, short ones need 50 times the memory of the text.
    while position < len(data) and room > 0:
        end = data.find(b"\n", position)
        end = end if end >= 0 else len(data)
        line = data[position:end].rstrip(b"\r")
        if line and not line.startswith((b"begin ", b"end")):
            room -= decoded.write(_decode_line(line))
        position = end + 1
    return decoded.getvalue()


def extract_uu(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text without the uuencoded files in it, and these as (name, content)."""
    if "begin" not in text:
        return text, []
    files: list[tuple[str, bytes]] = []
    kept: list[str] = []
    position = 0
    while begin := _BEGIN.search(text, position):
        end = _END.search(text, begin.end())
        if end is None:
            break
        body = text[begin.end() : end.start()]
        kept.append(text[position : begin.start()])
        if _is_uuencoded(body):
            files.append((begin[1], decode_uu(body.encode("ascii", "replace"))))
        else:
            kept.append(text[begin.start() : end.end()])
        position = end.end()
    kept.append(text[position:])
    return "".join(kept), files


def _is_uuencoded(body: str) -> bool:
    """Whether it is a file and not the words of somebody who writes "begin 644 things"."""
    lines = body.strip("\n").split("\n")
    first = lines[0] if lines else ""
    if not _DATA_LINE.fullmatch(first):
        return False
    return (ord(first[0]) - 32) % 64 <= len(first) * 3 // 4 + 1


def _decode_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Encoders that pad wrongly: take as many characters as the length in the first one needs.
        needed = ((line[0] - 32) & 63) * 4 + 5
    try:
        return binascii.a2b_uu(line[: needed // 3])
    except binascii.Error:
        return b""
