"""How DKIM sees a mail: canonicalization (RFC 6376 section 3.4), in time proportional to the mail."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from shared.mail import limits

Form = Literal["simple", "relaxed"]

_HEADER_END = re.compile(rb"\n\r?\n")
_LONE_RETURN = re.compile(rb"\r(?!\n)")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")


class RawField(NamedTuple):
    """One header field, folded as it came, with CRLF at its end."""

    name: str  # lower-case
    raw: bytes

    @property
    def value(self) -> str:
        """Behind the colon, folded. Bytes beyond ASCII become U+FFFD: tag lists have none that matter."""
        return self.raw.partition(b":")[2].decode("ascii", "replace")


def split_mail(raw: bytes) -> tuple[list[RawField], bytes] | None:
    """The header fields and the body, lines ended by CRLF; None if a reader of mail could see other fields than DKIM
    does: lines that are no fields, carriage returns in the middle, more than ``parse`` reads."""
    end = _HEADER_END.search(raw)
    head, body = (raw[: end.start() + 1], raw[end.end() :]) if end else (raw, b"")
    head = _crlf(head)
    if not head.endswith(b"\r\n"):
        head += b"\r\n"
    if len(head) > limits.HEADER_BYTES or _LONE_RETURN.search(head):
        return None
    fields = list(_fields(head))
    if len(fields) > limits.FIELDS or any(not field.name for field in fields):
        return None
    return fields, _crlf(body)


def _crlf(data: bytes) -> bytes:
    """Every newline with its carriage return, as it was sent."""
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _fields(head: bytes) -> Iterator[RawField]:
    """Every field; one without a name for anything else."""
    lines: list[bytes] = []
    for line in head.split(b"\r\n")[:-1]:
        if lines and line.startswith((b" ", b"\t")):
            lines.append(line)
            continue
        if lines:
            yield _field(lines)
        lines = [line]
    if lines:
        yield _field(lines)


def _field(lines: list[bytes]) -> RawField:
    name = _FIELD.match(lines[0])
    # ``--`` begins a boundary: readers that lenient end the header there.
    known = name[1].decode("ascii").lower() if name and not lines[0].startswith(b"--") else ""
    return RawField(known, b"\r\n".join(lines) + b"\r\n")


def canonical_field(field: RawField, form: Form) -> bytes:
    """The field with CRLF at its end."""
    if form == "simple":
        return field.raw
    value = field.raw.partition(b":")[2].replace(b"\r\n", b"")
    return field.name.encode("ascii") + b":" + _one_space(value).strip(b" ") + b"\r\n"


def canonical_body(body: bytes, form: Form) -> bytes:
    """The body without empty lines at its end. ``body``: lines ended by CRLF."""
    if form == "relaxed":
        if not body.endswith(b"\r\n"):
            body = body.rstrip(b" \t")
        body = _one_space(body).replace(b" \r\n", b"\r\n")
    body = _without_empty_lines(body)
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    return body if body or form == "relaxed" else b"\r\n"


def _one_space(data: bytes) -> bytes:
    """Spaces and tabs in a row as one space. Each pass halves the rows, so a row of a million takes twenty."""
    data = data.replace(b"\t", b" ")
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data


def _without_empty_lines(body: bytes) -> bytes:
    """Cut behind the last line that is not empty, its CRLF kept."""
    if not body.endswith(b"\r\n"):
        return body
    kept = len(body.rstrip(b"\r\n"))
    # Behind the text are only CRs and LFs, and each LF has its CR. A CR before a CR is text.
    kept = max(kept, body.rfind(b"\r\r", kept) + 1)
    return body[:kept] + b"\r\n" if kept else b""
