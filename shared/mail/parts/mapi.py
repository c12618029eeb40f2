"""MAPI properties as TNEF writes them: [MS-OXTNEF] section 2.1.3.4, types from [MS-OXCDATA] section 2.11.1.

Values are read by their place in the data, not cut out of it: a file of 30 MB is copied once.
"""

import struct
from typing import NamedTuple

from shared.mail import limits
from shared.mail.charset import decode

SUBJECT = 0x0037
SENT = 0x0039
REPRESENTING_NAME = 0x0042
REPRESENTING_ADDRESS = 0x0065
SENDER_NAME = 0x0C1A
SENDER_ADDRESS = 0x0C1F
DISPLAY_CC = 0x0E03
DISPLAY_TO = 0x0E04
BODY = 0x1000
RTF_COMPRESSED = 0x1009
BODY_HTML = 0x1013
MESSAGE_ID = 0x1035
DISPLAY_NAME = 0x3001
ATTACH_DATA = 0x3701
ATTACH_FILENAME = 0x3704
ATTACH_LONG_FILENAME = 0x3707
ATTACH_MIME_TAG = 0x370E
ATTACH_CONTENT_ID = 0x3712
ATTACH_CONTENT_LOCATION = 0x3713
INTERNET_CPID = 0x3FDE
REPRESENTING_SMTP = 0x5D02
SENDER_SMTP = 0x5D01

_STRING8, _UNICODE, _OBJECT, _BINARY = 0x1E, 0x1F, 0x0D, 0x102
_VARIABLE = frozenset([_STRING8, _UNICODE, _OBJECT, _BINARY])
_FIXED = {0x01: 4, 0x02: 2, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 2, 0x14: 8, 0x40: 8, 0x48: 16}
"""Bytes of a value by its type; each property is padded to four."""

_MULTIPLE = 0x1000
_NAMED = 0x8000
_IID_BYTES = 16
"""In front of an object's data: which interface it is for."""


class Property(NamedTuple):
    """Where the value of a property stands."""

    type: int
    start: int
    end: int


class Properties:
    """The properties that begin at ``start``; ``broken`` if they do not fit where they stand."""

    def __init__(self, data: bytes, start: int, end: int, codepage: str) -> None:
        self.broken = False
        self._data = data
        self._end = end
        self._codepage = codepage
        self._left = 2 * limits.MAPI_PROPERTIES  # a property and its value count one each
        self._found: dict[int, Property] = {}
        try:
            self._read(start)
        except (struct.error, KeyError, ValueError):
            self.broken = True

    def _read(self, position: int) -> None:
        (count,) = self._unpack("<I", position)
        position += 4
        while count and self._left:
            count, self._left = count - 1, self._left - 1
            kind, identity = self._unpack("<HH", position)
            position += 4
            if identity >= _NAMED:
                position = self._behind_name(position)
            position = self._value(kind, identity, position)

    def _unpack(self, form: str, position: int) -> tuple[int, ...]:
        if position + struct.calcsize(form) > self._end:
            raise ValueError
        return struct.unpack_from(form, self._data, position)

    def _behind_name(self, position: int) -> int:
        """Past the GUID and the number or name of a named property."""
        kind, size = self._unpack("<II", position + 16)
        return position + 24 + (_padded(size) if kind == 1 else 0)

    def _value(self, kind: int, identity: int, position: int) -> int:
        single = kind & ~_MULTIPLE
        count = 1
        if kind & _MULTIPLE or single in _VARIABLE:
            (count,) = self._unpack("<I", position)
            position += 4
        if single not in _VARIABLE:
            size = _FIXED[single]
            self._keep(identity, single, position, position + size)
            return position + _padded(size * count)
        while count and self._left:
            count, self._left = count - 1, self._left - 1
            (size,) = self._unpack("<I", position)
            self._keep(identity, single, position + 4, position + 4 + size)
            position += 4 + _padded(size)
        return position

    def _keep(self, identity: int, kind: int, start: int, end: int) -> None:
        if end > self._end:
            self.broken = True
            end = max(start, self._end)
        self._found.setdefault(identity, Property(kind, start, end))

    def binary(self, identity: int) -> bytes:
        """The value's bytes; without the interface of an object."""
        found = self._found.get(identity)
        if found is None:
            return b""
        return self._data[found.start + (_IID_BYTES if found.type == _OBJECT else 0) : found.end]

    def text(self, identity: int) -> str:
        """The value of a text property, "" if there is none."""
        found = self._found.get(identity)
        if found is None or found.type not in (_STRING8, _UNICODE):
            return ""
        value = self._data[found.start : min(found.end, found.start + limits.BODY_BYTES)]
        if found.type == _UNICODE:
            return value.decode("utf-16-le", "replace").split("\0")[0]
        return decode(value.split(b"\0")[0], self._codepage)[0]

    def number(self, identity: int) -> int | None:
        """The value of a whole number or a time; None if there is none."""
        found = self._found.get(identity)
        if found is None or found.type not in (0x02, 0x03, 0x14, 0x40):
            return None
        return int.from_bytes(self._data[found.start : found.end], "little")

    def objects(self, identity: int) -> tuple[int, int] | None:
        """Where the data of an object property stands; None if it is no object."""
        found = self._found.get(identity)
        return (found.start + _IID_BYTES, found.end) if found and found.type == _OBJECT else None


def _padded(size: int) -> int:
    return size + -size % 4
