"""S/MIME's outer shell: which kind a CMS message is, and what a signed one signs. RFC 8551, RFC 5652, X.690.

Signatures are not checked here. A walker of our own for the few fields that lead there, in DER and BER (Outlook
writes indefinite lengths): no recursion, every step forward, nothing copied but the content.
"""

from typing import NamedTuple

SIGNED = "signed"
ENCRYPTED = "encrypted"
COMPRESSED = "compressed"

# contentType of ContentInfo: RFC 5652, 5083 (authEnvelopedData), 3274 (compressedData), as the bytes of the OID.
_PKCS7 = bytes.fromhex("2a864886f70d0107")
_CT = bytes.fromhex("2a864886f70d01091001")
_KINDS = {
    _PKCS7 + b"\x02": SIGNED,
    _PKCS7 + b"\x03": ENCRYPTED,
    _PKCS7 + b"\x04": ENCRYPTED,
    _PKCS7 + b"\x06": ENCRYPTED,
    _CT + b"\x17": ENCRYPTED,
    _CT + b"\x09": COMPRESSED,
}
_SEQUENCE, _SET, _INTEGER, _OID, _EXPLICIT = 0x30, 0x31, 0x02, 0x06, 0xA0
_OCTETS, _OCTETS_IN_PIECES = 0x04, 0x24
_END = b"\0\0"
_LENGTH_BYTES = 4
"""Of a definite length: more than 4 GB never comes."""

_ELEMENTS = 100_000
"""Elements looked at in one message. Programs cut content into pieces of some KB; 35 MB are 9,000 of 4 KB."""

_NESTING = 50
"""Open indefinite lengths that are followed when something is skipped: certificates nest about 15 deep."""


class _Element(NamedTuple):
    tag: int
    start: int  # of its content
    end: int  # of its content; -1 if the length is indefinite


class _Broken(Exception):
    """Not BER, or not what stands here in a CMS message."""


def cms_kind(data: bytes) -> str | None:
    """Which kind of CMS message this is; None if it is none we know."""
    try:
        return _Walker(data).kind()
    except _Broken:
        return None


def signed_content(data: bytes) -> bytes | None:
    """What a signed-data message carries and signs; None if it carries nothing (a detached signature) or is broken."""
    try:
        return _Walker(data).content()
    except _Broken:
        return None


class _Walker:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._left = _ELEMENTS

    def kind(self) -> str | None:
        self._expect(_SEQUENCE)
        return _KINDS.get(self._value(_OID))

    def content(self) -> bytes | None:
        """ContentInfo → SignedData → encapContentInfo → eContent (RFC 5652 sections 3, 5.1, 5.2)."""
        if self.kind() != SIGNED:
            return None
        self._expect(_EXPLICIT)
        self._expect(_SEQUENCE)
        self._value(_INTEGER)
        self._skip(_SET)
        info = self._expect(_SEQUENCE)
        self._value(_OID)
        if (info.end >= 0 and self._position >= info.end) or self._data.startswith(_END, self._position):
            return None
        self._expect(_EXPLICIT)
        element = self._next()
        if element.tag == _OCTETS:
            return self._content_of(element)
        if element.tag == _OCTETS_IN_PIECES:
            return self._pieces(element)
        raise _Broken

    def _next(self) -> _Element:
        """The element at the current place; the place moves to its content."""
        self._left -= 1
        data, position = self._data, self._position
        if self._left < 0 or position + 2 > len(data):
            raise _Broken
        tag, length = data[position], data[position + 1]
        if tag & 0x1F == 0x1F:  # tags of several bytes: none in CMS
            raise _Broken
        position += 2
        if length > 0x80:
            count = length & 0x7F
            if count > _LENGTH_BYTES or position + count > len(data):
                raise _Broken
            length = int.from_bytes(data[position : position + count], "big")
            position += count
        elif length == 0x80:
            length = -1
        self._position = position
        return _Element(tag, position, position + length if length >= 0 else -1)

    def _expect(self, tag: int) -> _Element:
        element = self._next()
        if element.tag != tag:
            raise _Broken
        return element

    def _value(self, tag: int) -> bytes:
        return self._content_of(self._expect(tag))

    def _content_of(self, element: _Element) -> bytes:
        """The content of a primitive element, and past it. Cut off: what is there."""
        if element.end < 0:
            raise _Broken
        self._position = element.end
        return self._data[element.start : element.end]

    def _skip(self, tag: int) -> None:
        """Past a whole element."""
        element = self._expect(tag)
        if element.end >= 0:
            self._position = element.end
            return
        nesting = 1
        while nesting:
            if self._data.startswith(_END, self._position):
                self._position += len(_END)
                nesting -= 1
                continue
            element = self._next()
            if element.end >= 0:
                self._position = element.end
            elif nesting < _NESTING:
                nesting += 1
            else:
                raise _Broken

    def _pieces(self, whole: _Element) -> bytes:
        """An octet string in pieces, which may be in pieces, too (X.690 section 8.7.3). Cut off: what is there."""
        pieces: list[bytes] = []
        ends = [whole.end]
        while ends and self._position < len(self._data):
            if ends[-1] >= 0 and self._position >= ends[-1]:
                ends.pop()
                continue
            if ends[-1] < 0 and self._data.startswith(_END, self._position):
                self._position += len(_END)
                ends.pop()
                continue
            element = self._next()
            if element.tag == _OCTETS:
                pieces.append(self._content_of(element))
            elif element.tag == _OCTETS_IN_PIECES and len(ends) < _NESTING:
                ends.append(element.end)
            else:
                raise _Broken
        return b"".join(pieces)
