"""Content-Transfer-Encoding undone: RFC 2045 section 6. What can be decoded is decoded."""

import binascii
import re

from shared.mail import limits
from shared.mail.parts.uuencode import decode_uu

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(byte for byte in range(256) if byte not in _BASE64 + b"=")
_BASE64_LINES = re.compile(rb"[A-Za-z0-9+/=\r\n]*")
# Spaces a gateway added behind a soft line break.
_SOFT_BREAK = re.compile(rb"=[ \t]+(?=\r?\n)")
_PLAIN = frozenset(["", "7bit", "8bit", "binary", "7-bit", "8-bit", "7bits", "8bits", "none", "utf-8", "us-ascii"])


def decode_transfer(data: bytes, encoding: str) -> tuple[bytes, str | None]:
    """The bytes that were encoded, and a defect code if they had to be repaired or the encoding is not known."""
    encoding = encoding.strip(" \t\"';:").lower()
    if encoding in _PLAIN:
        return data, None
    if encoding.startswith("base64"):
        return decode_base64(data)
    if encoding.startswith(("quoted-printable", "quotedprintable", "quoted_printable")):
        return binascii.a2b_qp(_SOFT_BREAK.sub(b"=", data)), None
    if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return decode_uu(data), None
    return data, "encoding-unknown"


def decode_base64(data: bytes) -> tuple[bytes, str | None]:
    """Base64 with foreign characters skipped, missing padding added, and texts one after the other joined.

    Plain text behind the padding (a list's footer) is left out.
    """
    end = data.find(b"=")
    defect = None
    if end >= 0 and not _BASE64_LINES.fullmatch(data, end):
        data, defect = data[: end + 2], "base64-broken"
    data = data.translate(None, _NOT_BASE64)
    if data.count(b"=") > limits.BASE64_PIECES:
        data, defect = data.replace(b"=", b""), "base64-broken"
    pieces = data.split(b"=")
    if any(len(piece) % 4 == 1 for piece in pieces):
        defect = "base64-broken"
    return b"".join(_quanta(piece) for piece in pieces if piece), defect


def _quanta(piece: bytes) -> bytes:
    if len(piece) % 4 == 1:  # six bits are no byte
        piece = piece[:-1]
    return binascii.a2b_base64(piece + b"=" * (-len(piece) % 4))
