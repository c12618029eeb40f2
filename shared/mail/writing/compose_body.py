"""The body of a mail that we send: RFC 2045 and 2046, file names in RFC 2231.

Boundaries begin with ``=_``, which stands in no quoted-printable and no base64 (RFC 2045 section 6.7), and text that
goes as it is has no line with two dashes in front: nothing that a stranger wrote can end a part.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from shared.mail.text import clean_text
from shared.mail.writing import compose_words as words
from shared.mail.writing.outgoing import File, Outgoing

_SOFT_CHARS = 72
"""Of a piece of a longer line: with one character more encoded at each end, 76."""

_PARAMETER_CHARS = 60
"""Of one piece of a file name that is written in pieces (RFC 2231 section 3)."""

_NO_TYPE = "application/octet-stream"
_TYPE = re.compile(r"(?:text|image|audio|video|font|model|application)/[a-z0-9][a-z0-9!#$&^_.+-]{0,100}")
"""RFC 6838 section 4.2. An attached message may not be sent in base64 (RFC 2046 section 5.2.1) nor be taken apart by
whoever carries it, so it goes as a file; its name says what it is."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9 ._()+,&!#@'\[\]-]+")
_CODES = [chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x3D else f"={byte:02X}" for byte in range(256)]
_CODES[0x09] = "\t"
_SIGNATURE = "\n-- \n"  # RFC 3676 section 4.3
_AS_IT_IS = re.compile(r"[ -~\t]{0,76}")


@dataclass(frozen=True, slots=True)
class Part:
    """A body part: its fields with their names, and what stands below the empty line."""

    fields: list[tuple[str, bytes]]
    body: bytes


def body(mail: Outgoing) -> Part:
    """The body of a ``cleaned`` mail: text; text and HTML (alternative); either with files (mixed)."""
    part = text_part(_text(mail), "plain")
    if mail.html is not None:
        part = _multipart("alternative", [part, text_part(_html(mail, mail.html), "html")], mail.message_id)
    if mail.attachments:
        part = _multipart("mixed", [part, *map(file_part, mail.attachments)], mail.message_id)
    return part


def text_part(text: str, subtype: str) -> Part:
    """Text as it is where that is safe on every road; else readable (quoted-printable) unless half of it were codes."""
    text = clean_text(text).rstrip("\n")
    kind = ("Content-Type", words.field("Content-Type", [f"text/{subtype};", "charset=utf-8"]))
    if all(map(_goes_as_it_is, text.split("\n"))):
        return Part([kind, _encoding("7bit")], text.replace("\n", "\r\n").encode() + b"\r\n")
    printable = quoted_printable(text)
    data = text.replace("\n", "\r\n").encode() + b"\r\n"
    if len(printable) <= 2 * len(data):  # base64 is shorter, but nobody can read it
        return Part([kind, _encoding("quoted-printable")], printable)
    return Part([kind, _encoding("base64")], _base64(data))


def file_part(file: File) -> Part:
    """An attachment of a ``cleaned`` mail, byte for byte."""
    kind = file.content_type.strip().lower()
    kind = kind if _TYPE.fullmatch(kind) else _NO_TYPE
    parameters = _charset(file.content) if kind.startswith("text/") else []
    fields = [
        (
            "Content-Type",
            words.field("Content-Type", [*_ended([kind, *parameters]), *_name_for_old_readers(file.name)]),
        ),
        _encoding("base64"),
        ("Content-Disposition", words.field("Content-Disposition", ["attachment;", *_file_name(file.name)])),
    ]
    return Part(fields, _base64(file.content))


def quoted_printable(text: str) -> bytes:
    """RFC 2045 section 6.7. Line ends are line ends; spaces before them, dots and "From " at the start of a line, which
    servers and mail stores change, are encoded."""
    lines: list[str] = []
    for line in text.split("\n"):
        pieces = _soft_lines([_CODES[byte] for byte in line.encode()])
        lines += [_safe_start(piece) + "=" for piece in pieces[:-1]] + [_safe_end(_safe_start(pieces[-1]))]
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def _soft_lines(codes: Sequence[str]) -> list[str]:
    if len(codes) <= _SOFT_CHARS // 3:
        return ["".join(codes)]
    pieces: list[str] = []
    start, size = 0, 0
    for place, code in enumerate(codes):
        if size + len(code) > _SOFT_CHARS:
            pieces.append("".join(codes[start:place]))
            start, size = place, 0
        size += len(code)
    return [*pieces, "".join(codes[start:])]


def _safe_start(line: str) -> str:
    if line.startswith((".", "From ", "--")):
        return f"={ord(line[0]):02X}{line[1:]}"
    return line


def _safe_end(line: str) -> str:
    return f"{line[:-1]}={ord(line[-1]):02X}" if line.endswith((" ", "\t")) else line


def _goes_as_it_is(line: str) -> bool:
    """Whether every server and mail store leaves the line alone."""
    return _AS_IT_IS.fullmatch(line) is not None and line == _safe_start(line) == _safe_end(line)


def _base64(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def _multipart(subtype: str, parts: Sequence[Part], seed: str) -> Part:
    boundary = "=_" + hashlib.sha256(f"{subtype}\n{seed}".encode()).hexdigest()[:32]
    lines: list[bytes] = []
    for part in parts:
        head = b"".join(value for _, value in part.fields)
        lines += [b"--%s\r\n" % boundary.encode(), head, b"\r\n", part.body, b"\r\n"]
    lines.append(b"--%s--\r\n" % boundary.encode())
    kind = words.field("Content-Type", [f"multipart/{subtype};", f'boundary="{boundary}"'])
    return Part([("Content-Type", kind)], b"".join(lines))


def _encoding(name: str) -> tuple[str, bytes]:
    return "Content-Transfer-Encoding", words.field("Content-Transfer-Encoding", [name])


# --- what the words stand in ----------------------------------------------------------------------


def _text(mail: Outgoing) -> str:
    words, signature = clean_text(mail.text).strip("\n"), ""
    if mail.reference_line and (place := f"\n{words}".find(_SIGNATURE)) >= 0:
        words, signature = words[: max(0, place - 1)].rstrip("\n"), words[place:]
    return "\n\n".join(part for part in (words, mail.reference_line, signature, mail.quoted) if part)


def _html(mail: Outgoing, html: str) -> str:
    # Plain text in a paragraph of its own: hidden text is dropped by some programs, and taken for a trick by filters.
    reference = f'<p style="color:#666666;font-size:12px">{escape(mail.reference_line)}</p>'
    parts = (html, reference if mail.reference_line else "", mail.quoted_html)
    inner = "\n".join(part for part in parts if part)
    meta = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
    return f"<!DOCTYPE html>\n<html><head>{meta}</head>\n<body>\n{inner}\n</body></html>"


# --- parameters -----------------------------------------------------------------------------------


def _ended(pieces: Sequence[str]) -> list[str]:
    return [f"{piece};" for piece in pieces]


def _charset(content: bytes) -> list[str]:
    """What a text file is written in, where that can be known: without, readers take it for ASCII."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return []
    return ["charset=utf-8"]


def _file_name(name: str) -> list[str]:
    """RFC 2231, in pieces where it is long; a plain short name needs none of it."""
    if len(name) <= _PARAMETER_CHARS and _PLAIN_NAME.fullmatch(name):
        return [f"filename={words.quoted_string(name)}"]
    first, *others = _percent_pieces(name)
    if not others:
        return [f"filename*=utf-8''{first}"]
    numbered = [f"filename*{place}*={piece}" for place, piece in enumerate(others, 1)]
    return [*_ended([f"filename*0*=utf-8''{first}", *numbered[:-1]]), numbered[-1]]


def _percent_pieces(name: str) -> list[str]:
    pieces = [""]
    for character in name:
        code = quote(character, safe="")
        if len(pieces[-1]) + len(code) > _PARAMETER_CHARS - len("utf-8''"):
            pieces.append("")
        pieces[-1] += code
    return pieces


def _name_for_old_readers(name: str) -> list[str]:
    """The name once more in the type, as Outlook and Gmail write it, for readers that know no RFC 2231."""
    if _PLAIN_NAME.fullmatch(name):
        return [f"name={words.quoted_string(name)}"]
    found = words.encoded_words(name, words.PHRASE)
    found[0] = f'name="{found[0]}'
    found[-1] += '"'
    return found
