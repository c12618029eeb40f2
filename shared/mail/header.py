"""Header blocks: RFC 5322 section 2.2, and what is found where a header should be."""

import re
from collections.abc import Container
from typing import NamedTuple

from shared.mail import limits

TRUNCATED = "truncated:headers"
FIELD_CUT = "truncated:field"

_NAME = re.compile(rb"([!-9;-~]{1,100})[ \t]*:")
# Names that prove a line is a header although junk stands before it.
_KNOWN = re.compile(
    rb"(?:x-[\w-]+|content-(?:type|transfer-encoding|disposition|id|description|language|location|class)|mime-version"
    rb"|from|to|cc|bcc|subject|date|message-id|in-reply-to|references|reply-to|sender|received|return-path|resent-[\w-]+"
    rb"|list-[\w-]+|arc-[\w-]+|dkim-signature|domainkey-signature|authentication-results|received-spf|delivered-to"
    rb"|envelope-to|delivery-date|thread-(?:topic|index)|user-agent|importance|priority|precedence|auto-submitted"
    rb"|errors-to|organization|status|lines|newsgroups|apparently-to|feedback-id|accept-language)[ \t]*:",
    re.IGNORECASE,
)
_NEWLINES = re.compile(rb"[\r\n]+")
_PARAMETER = re.compile(rb"[\w-]{1,30}(?:\*\d{0,3}\*?)?[ \t]*=[ \t]*[\"\w']")
_FREE_TEXT = frozenset([b"subject", b"comments", b"content-description", b"thread-topic"])


class Field(NamedTuple):
    """One header field: its name as written, its value unfolded (no newlines), undecoded."""

    name: str
    value: bytes


class Block(NamedTuple):
    """The fields at the start of an entity, and where its body starts."""

    fields: list[Field]
    body: int
    defects: list[str]


def read_block(data: bytes, start: int, stops: Container[bytes] = ()) -> Block:
    """The header block that starts at ``start``. ``stops`` are boundary lines, which end it if no empty line does.

    Junk lines are skipped while real fields follow; when none does, the body has begun without an empty line.
    """
    lines, end, ended = _lines(data, start, stops)
    fields: list[tuple[bytes, list[bytes]]] = []
    defects: list[str] = [] if ended else ["header-no-end"]
    size = 0
    last_known = max((index for index, (_, line) in enumerate(lines) if _KNOWN.match(line)), default=-1)
    for index, (offset, line) in enumerate(lines):
        size += len(line)
        match = _NAME.match(line)
        if size > limits.HEADER_BYTES or (match and len(fields) == limits.FIELDS):
            defects.append(TRUNCATED)
            break
        if fields and line.startswith((b" ", b"\t")):
            fields[-1][1].append(line)
        elif match:
            fields.append((match[1], [line[match.end() :]]))
        elif fields and _goes_on(fields[-1], line, index < last_known):
            fields[-1][1].append(b" " + line)
            defects.append("header-unfolded")
        elif index < last_known:
            defects.append("header-junk")
        else:
            defects += ["header-no-end"] if ended else []
            end = offset
            break
    return Block([_field(name, parts) for name, parts in fields], end, defects)


def skip_leading_junk(data: bytes) -> int:
    """Where the first header can start: behind a byte order mark, empty lines and an mbox ``From `` line (RFC 4155)."""
    position = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    if newlines := _NEWLINES.match(data, position):
        position = newlines.end()
    if data.startswith((b"From ", b">From "), position):
        position = data.find(b"\n", position) + 1 or len(data)
    return position


def _lines(data: bytes, start: int, stops: Container[bytes]) -> tuple[list[tuple[int, bytes]], int, bool]:
    """The lines before the empty line (or a boundary), each with its offset; where the body starts; if rightly so."""
    lines: list[tuple[int, bytes]] = []
    position = start
    size = len(data)
    # Far over the limit the rest of the block is only searched for its end.
    while position < size and position - start <= 2 * limits.HEADER_BYTES:
        newline = data.find(b"\n", position)
        after = newline + 1 if newline >= 0 else size
        line = data[position : min(after, position + limits.HEADER_BYTES + 1)].rstrip(b"\r\n")
        if not line:
            return lines, after, True
        # No field begins so; a boundary does, also one whose declaration is among these very lines.
        if line.startswith(b"--") and (lines or line.rstrip() in stops):
            return lines, position, line.rstrip() in stops
        lines.append((position, line))
        position = after
    if position >= size:
        return lines, size, True
    empty = re.compile(rb"\n\r*\n").search(data, position - 1)
    return lines, empty.end() if empty else size, True


def _goes_on(field: tuple[bytes, list[bytes]], line: bytes, fields_follow: bool) -> bool:
    """Whether a line without a field name belongs to the field above although it is not indented."""
    name, parts = field[0].lower(), field[1]
    value = parts[-1].rstrip()
    if name.startswith(b"content-"):
        return value.endswith(b";") or bool(_PARAMETER.match(line))
    if name in (b"to", b"cc", b"from", b"reply-to"):
        return value.endswith(b",")
    if name in (b"references", b"in-reply-to", b"message-id"):
        return line.lstrip().startswith(b"<")
    return fields_follow and name in _FREE_TEXT and bool(value)


def _field(name: bytes, parts: list[bytes]) -> Field:
    return Field(name.decode("ascii"), b"".join(parts).strip(b" \t\r\n"))
