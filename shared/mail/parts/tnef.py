"""winmail.dat: what Outlook packs a mail into when it thinks the reader is an Outlook, too. [MS-OXTNEF].

Ours, because tnefparse raises on damaged streams and unpacks rich text without a limit. Nothing here does.
"""

import struct
from dataclasses import dataclass, field

from shared.mail import limits
from shared.mail.charset import decode, meta_charset
from shared.mail.parts import mapi
from shared.mail.parts.embedded import Embedded, write_message
from shared.mail.parts.lzfu import decompress_rtf
from shared.mail.parts.mapi import Properties
from shared.mail.parts.rtf import read_rtf
from shared.mail.text import clean_text

BROKEN = "tnef-broken"
TOO_DEEP = "truncated:tnef"

_SIGNATURE = 0x223E9F78
_HEAD_BYTES = 6
"""The signature and a key nobody uses."""

_MESSAGE, _ATTACHMENT = 1, 2
_SUBJECT = 0x8004
_BODY = 0x800C
_CODEPAGE = 0x9007
_MESSAGE_PROPERTIES = 0x9003
_ATTACH_RENDERING = 0x9002  # each attachment begins with one
_ATTACH_TITLE = 0x8010
_ATTACH_DATA = 0x800F
_ATTACH_PROPERTIES = 0x9005


@dataclass(slots=True)
class TnefFile:
    """A file in a TNEF stream. Nothing is made safe yet."""

    name: str = ""
    content_type: str = "application/octet-stream"
    content: bytes = b""
    content_id: str = ""
    content_location: str = ""


@dataclass(slots=True)
class Tnef:
    """What a TNEF stream holds."""

    text: str = ""
    html: str | None = None
    subject: str = ""
    files: list[TnefFile] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether nothing could be unpacked."""
        return not self.files and not self.text.strip() and not (self.html or "").strip()


def read_tnef(data: bytes) -> Tnef | None:
    """What is in a TNEF stream, as far as it can be read; None if it is none."""
    if not _is_tnef(data, 0, len(data)):
        return None
    reader = _Reader(data, depth=1)
    reader.run(0, len(data))
    return reader.result()


def _is_tnef(data: bytes, start: int, end: int) -> bool:
    return end - start >= _HEAD_BYTES and struct.unpack_from("<I", data, start)[0] == _SIGNATURE


class _Reader:
    def __init__(self, data: bytes, depth: int) -> None:
        self._data = data
        self._depth = depth
        self._codepage = ""
        self._tnef = Tnef()
        self._message: Properties | None = None
        self._file: TnefFile | None = None
        self._filled = False  # its properties were read

    def run(self, position: int, end: int) -> None:
        """Attributes one after the other: level, number, length, data, checksum."""
        position += _HEAD_BYTES
        for _ in range(limits.TNEF_ATTRIBUTES):
            if position + 11 > end:
                break
            level, tag, size = struct.unpack_from("<BII", self._data, position)
            position += 9
            if level not in (_MESSAGE, _ATTACHMENT):
                self._broken()
                return
            if position + size > end:
                self._broken()
            self._attribute(tag & 0xFFFF, position, min(position + size, end))
            position += size + 2
        else:
            self._tnef.defects.append(TOO_DEEP)

    def _broken(self) -> None:
        self._tnef.defects.append(BROKEN)

    def _attribute(self, name: int, start: int, end: int) -> None:
        data = self._data
        if name == _CODEPAGE:
            number = int.from_bytes(data[start : min(end, start + 4)], "little")
            self._codepage = f"cp{number}"
        elif name == _MESSAGE_PROPERTIES and self._message is None:
            self._message = Properties(data, start, end, self._codepage)
        elif name == _BODY:
            self._tnef.text = self._tnef.text or self._text(start, end)
        elif name == _SUBJECT:
            self._tnef.subject = self._text(start, end)
        elif name == _ATTACH_RENDERING:
            self._begin_file()
        elif name in (_ATTACH_TITLE, _ATTACH_DATA, _ATTACH_PROPERTIES):
            file = self._file or self._begin_file()
            if file is not None:
                self._fill(file, name, start, end)

    def _text(self, start: int, end: int) -> str:
        data = self._data[start : min(end, start + limits.BODY_BYTES)]
        return decode(data.split(b"\0")[0], self._codepage)[0]

    def _begin_file(self) -> TnefFile | None:
        self._file, self._filled = None, False
        if len(self._tnef.files) >= limits.PARTS:
            self._tnef.defects.append(TOO_DEEP)
            return None
        self._file = TnefFile()
        self._tnef.files.append(self._file)
        return self._file

    def _fill(self, file: TnefFile, name: int, start: int, end: int) -> None:
        if name == _ATTACH_TITLE:
            file.name = file.name or self._text(start, end)
        elif name == _ATTACH_DATA:
            file.content = file.content or self._data[start:end]
        elif not self._filled:
            self._filled = True
            self._fill_properties(file, Properties(self._data, start, end, self._codepage))

    def _fill_properties(self, file: TnefFile, properties: Properties) -> None:
        if properties.broken:
            self._broken()
        names = (mapi.ATTACH_LONG_FILENAME, mapi.ATTACH_FILENAME, mapi.DISPLAY_NAME)
        file.name = next((name for name in map(properties.text, names) if name.strip()), file.name)
        file.content_type = properties.text(mapi.ATTACH_MIME_TAG).strip().lower() or file.content_type
        file.content_id = properties.text(mapi.ATTACH_CONTENT_ID)
        file.content_location = properties.text(mapi.ATTACH_CONTENT_LOCATION)
        place = properties.objects(mapi.ATTACH_DATA)
        if place and not file.content and self._embedded(file, *place):
            return
        file.content = file.content or properties.binary(mapi.ATTACH_DATA)

    def _embedded(self, file: TnefFile, start: int, end: int) -> bool:
        """A message in the message becomes an .eml; whether this is one, and not too deep."""
        if not _is_tnef(self._data, start, end):
            return False
        if self._depth >= limits.TNEF_DEPTH:
            self._tnef.defects.append(TOO_DEEP)
            return False
        inner = _Reader(self._data, self._depth + 1)
        inner.run(start, end)
        tnef = inner.result()
        self._tnef.defects += tnef.defects
        message = Embedded(inner.properties(), tnef.subject, tnef.text, tnef.html)
        files = [(one.name, one.content_type, one.content, one.content_id) for one in tnef.files]
        file.content = write_message(message, files)
        file.content_type = "message/rfc822"
        file.name = tnef.subject or file.name
        return True

    def properties(self) -> Properties:
        return self._message or Properties(b"\0\0\0\0", 0, 4, "")

    def result(self) -> Tnef:
        """The stream, with the best of its bodies: HTML, else what the rich text says, else plain text."""
        tnef, properties = self._tnef, self.properties()
        if properties.broken:
            self._broken()
        tnef.subject = properties.text(mapi.SUBJECT) or tnef.subject
        tnef.text = properties.text(mapi.BODY) or tnef.text
        tnef.html = self._html(properties)
        if tnef.html is None:
            packed = properties.binary(mapi.RTF_COMPRESSED)[: limits.BODY_BYTES]
            rich = read_rtf(decompress_rtf(packed, limits.RTF_BYTES) or b"")
            if rich:
                tnef.html = rich.html
                tnef.text = tnef.text or rich.text
        tnef.text = clean_text(tnef.text).strip()
        tnef.html = clean_text(tnef.html) if tnef.html is not None else None
        tnef.files = [file for file in tnef.files if file.content or file.name]
        tnef.defects = list(dict.fromkeys(tnef.defects))
        return tnef

    def _html(self, properties: Properties) -> str | None:
        data = properties.binary(mapi.BODY_HTML)[: limits.BODY_BYTES]
        if not data:
            return None
        if properties.text(mapi.BODY_HTML):
            return properties.text(mapi.BODY_HTML)
        number = properties.number(mapi.INTERNET_CPID)
        return decode(data, f"cp{number}" if number else None, meta_charset(data))[0]
