"""yEnc: files in the text of old mail and news, one byte a letter (yEnc draft 1.3, www.yenc.org).

Works on bytes, before any charset is applied: yEnc uses nearly all of the 256.
"""

import re
import zlib
from typing import NamedTuple

BROKEN = "yenc-broken"

_BEGIN = re.compile(rb"^=ybegin ([^\r\n]{1,400})\r?\n", re.MULTILINE)
_END = re.compile(rb"^=yend([^\r\n]{0,200})(?:\r?\n|\Z)", re.MULTILINE)
_NAME = re.compile(rb"(?:^| )name=(.{1,250})$")
_SIZE = re.compile(rb"(?:^| )size=(\d{1,10})(?: |$)")
_CRC = re.compile(rb"(?:^| )crc32=([0-9a-fA-F]{1,8})(?: |$)")
_PARTS = re.compile(rb"(?:^| )part=\d")
_ESCAPED = re.compile(rb"=(.)", re.DOTALL)
_SHIFTED = bytes((value - 42) % 256 for value in range(256))
_UNESCAPED = bytes((value - 64) % 256 for value in range(256))


class YencFile(NamedTuple):
    """``name`` is as sent; ``intact`` is whether size and checksum agree."""

    name: bytes
    content: bytes
    intact: bool


def extract_yenc(data: bytes) -> tuple[bytes, list[YencFile]]:
    """The text without the yEnc files in it, and these. A piece of a file in several mails stays where it is."""
    files: list[YencFile] = []
    kept: list[bytes] = []
    position = 0
    while begin := _BEGIN.search(data, position):
        end = _END.search(data, begin.end())
        if end is None:
            break
        name = _NAME.search(begin[1])
        if name is None or _PARTS.search(begin[1]):
            kept.append(data[position : end.end()])
        else:
            kept.append(data[position : begin.start()])
            files.append(_file(name[1].strip(b' "'), begin[1], data[begin.end() : end.start()], end[1]))
        position = end.end()
    kept.append(data[position:])
    return b"".join(kept), files


def _file(name: bytes, head: bytes, lines: bytes, tail: bytes) -> YencFile:
    encoded = lines.translate(None, b"\r\n")
    unescaped = _ESCAPED.sub(lambda match: match[1].translate(_UNESCAPED), encoded) if b"=" in encoded else encoded
    content = unescaped.translate(_SHIFTED)
    size, crc = _SIZE.search(head), _CRC.search(tail)
    intact = size is not None and int(size[1]) == len(content)
    if crc:
        intact = intact and int(crc[1], 16) == zlib.crc32(content)
    return YencFile(name, content, intact)
