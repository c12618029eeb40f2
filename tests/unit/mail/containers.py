"""TNEF streams and CMS messages, as small or as broken as a test wants them."""

import struct

MESSAGE, ATTACHMENT = 1, 2
SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
ENVELOPED_DATA = bytes.fromhex("06092a864886f70d010703")
COMPRESSED_DATA = bytes.fromhex("060b2a864886f70d0109100109")
DATA = bytes.fromhex("06092a864886f70d010701")


def attribute(level: int, name: int, data: bytes, size: int | None = None) -> bytes:
    """``size``: what the stream claims, if not the truth."""
    head = struct.pack("<BHHI", level, name, 6, len(data) if size is None else size)
    return head + data + struct.pack("<H", sum(data) & 0xFFFF)


def tnef(*attributes: bytes) -> bytes:
    return struct.pack("<IH", 0x223E9F78, 1) + b"".join(attributes)


def prop(identity: int, value: bytes | str | int, kind: int | None = None) -> bytes:
    """A MAPI property: text as Unicode, bytes as binary, a number as 32 bits."""
    if isinstance(value, int):
        return struct.pack("<HHI", kind or 0x03, identity, value)
    data = value.encode("utf-16-le") + b"\0\0" if isinstance(value, str) else value
    kind = kind or (0x1F if isinstance(value, str) else 0x102)
    return struct.pack("<HHII", kind, identity, 1, len(data)) + data + b"\0" * (-len(data) % 4)


def stamp(identity: int, ticks: int) -> bytes:
    """A MAPI time: tenths of microseconds since 1601."""
    return struct.pack("<HHQ", 0x40, identity, ticks)


def props(*properties: bytes, count: int | None = None) -> bytes:
    return struct.pack("<I", len(properties) if count is None else count) + b"".join(properties)


def tnef_file(title: bytes, content: bytes, *properties: bytes) -> bytes:
    """The attributes of one attachment."""
    found = attribute(ATTACHMENT, 0x9002, b"\x01\0" + b"\xff" * 12)
    found += attribute(ATTACHMENT, 0x8010, title + b"\0")
    if content:
        found += attribute(ATTACHMENT, 0x800F, content)
    return found + (attribute(ATTACHMENT, 0x9005, props(*properties)) if properties else b"")


def tnef_message(inner: bytes) -> bytes:
    """The attributes of an attached message, whose own stream is ``inner``."""
    interface = bytes.fromhex("0703020000000000c000000000000046")
    return tnef_file(b"Untitled", b"", prop(0x3701, interface + inner, 0x0D))


def plain_rtf(rtf: bytes) -> bytes:
    """ "Compressed" RTF that is not compressed."""
    return struct.pack("<II4sI", len(rtf) + 12, len(rtf), b"MELA", 0) + rtf


def der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def ber(tag: int, *contents: bytes) -> bytes:
    """Likewise, of indefinite length."""
    return bytes([tag, 0x80]) + b"".join(contents) + b"\0\0"


def signed(content: bytes | None) -> bytes:
    """A signed-data message without certificates and signatures."""
    carried = [] if content is None else [der(0xA0, der(0x04, content))]
    info = der(0x30, DATA, *carried)
    return der(0x30, SIGNED_DATA, der(0xA0, der(0x30, der(0x02, b"\1"), der(0x31), info, der(0x31))))


def signed_in_pieces(*pieces: bytes) -> bytes:
    """A signed-data message as programs write it that do not know its size beforehand."""
    octets = ber(0x24, *(der(0x04, piece) for piece in pieces))
    info = ber(0x30, DATA, ber(0xA0, octets))
    return ber(0x30, SIGNED_DATA, ber(0xA0, ber(0x30, der(0x02, b"\1"), der(0x31), info, der(0x31))))


def other(kind: bytes) -> bytes:
    """A CMS message of another kind."""
    return der(0x30, kind, der(0xA0, der(0x30, der(0x02, b"\0"))))
