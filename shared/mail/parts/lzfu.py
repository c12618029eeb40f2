"""Compressed RTF (LZFu), as Outlook keeps rich text: [MS-OXRTFCP]."""

import struct

_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
"""What both sides know beforehand ([MS-OXRTFCP] section 2.1.2.1)."""

_WINDOW = 4096
"""Bytes a reference reaches back: 12 bits."""

_HISTORY = b" " * _WINDOW + _DICTIONARY
_COMPRESSED = b"LZFu"
_PLAIN = b"MELA"


def decompress_rtf(data: bytes, limit: int) -> bytes | None:
    """The RTF, at most ``limit`` bytes of it; None if this is no compressed RTF. The checksum is not looked at.

    A reference of two bytes becomes at most 17: never more than 8 times the input.
    """
    if len(data) < 16:
        return None
    size, _, kind, _ = struct.unpack_from("<II4sI", data)
    end = min(size + 4, len(data))
    if kind == _PLAIN:
        return data[16 : min(end, 16 + limit)]
    return _expanded(data, end, limit) if kind == _COMPRESSED else None


def _expanded(data: bytes, end: int, limit: int) -> bytes:
    """``history`` begins with a whole window, so that an offset in the window is a place in it modulo 4096."""
    history = bytearray(_HISTORY)
    stop = len(history) + limit
    position = 16
    while position < end and len(history) < stop:
        flags = data[position]
        position += 1
        if flags == 0:
            history += data[position : min(position + 8, end)]
            position += 8
            continue
        for bit in range(8):
            if position >= end:
                break
            if not flags >> bit & 1:
                history.append(data[position])
                position += 1
                continue
            token = int.from_bytes(data[position : position + 2], "big")
            position += 2
            back = (len(history) - (token >> 4)) % _WINDOW
            if back == 0 or position > end:  # a reference to the place written next is the end mark
                return bytes(history[len(_HISTORY) : stop])
            _copy(history, back, (token & 15) + 2)
    return bytes(history[len(_HISTORY) : stop])


def _copy(history: bytearray, back: int, length: int) -> None:
    """Repeat what stands ``back`` bytes before the end; the copy may reach into itself."""
    start = len(history) - back
    piece = bytes(history[start : start + length])
    history += (piece * (length // back + 1))[:length]
