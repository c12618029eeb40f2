"""The tree of body parts: RFC 2046 section 5.1, read in one pass over the bytes, without recursion.

A multipart is open from its header to its closing boundary. Every line that begins with ``--`` is looked up
among the open boundaries; one look-up per line keeps the time linear however deep or wide a mail is nested.
"""

import re
from dataclasses import dataclass, field

from shared.mail import limits
from shared.mail.header import Field, read_block
from shared.mail.parameter import Parameters

NO_FINAL_BOUNDARY = "no-final-boundary"
NO_PARTS = "multipart-without-parts"

_LINE_BYTES = limits.BOUNDARY_BYTES + 80  # dashes and the spaces gateways add

_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,120}")
_FIRST_BOUNDARY = re.compile(rb"^--([^\s-][^\r\n]{0,200}|-[^\r\n]{1,200})\r?$", re.MULTILINE)


@dataclass(slots=True)
class Part:
    """One entity of the tree. ``start`` and ``end`` are the places of its body in the raw mail."""

    fields: list[Field]
    content_type: str
    parameters: Parameters
    parent: "Part | None"
    position: int  # among its siblings
    depth: int
    start: int
    end: int
    children: list["Part"] = field(default_factory=list)
    dissolved: bool = False  # too deep to be a level of its own; its children went to its parent

    def header(self, name: str) -> bytes | None:
        """The value of the first field of that name (lower-case), undecoded."""
        return next((entry.value for entry in self.fields if entry.name.lower() == name), None)

    @property
    def is_multipart(self) -> bool:
        """Whether it was meant to have parts and has some."""
        return self.content_type.startswith("multipart/") and (bool(self.children) or self.dissolved)


@dataclass(slots=True)
class _Level:
    """An open multipart and its boundary."""

    boundary: bytes
    part: Part
    holder: Part  # who gets the children: the part itself, or an ancestor if it is too deep
    closed: bool = False
    parts: int = 0


def split(raw: bytes, start: int) -> tuple[list[Part], list[str]]:
    """Every part of the mail whose header begins at ``start``, in the order of their headers; and defect codes."""
    splitter = _Splitter(raw)
    splitter.run(start)
    return splitter.parts, splitter.defects


class _Splitter:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.parts: list[Part] = []
        self.defects: list[str] = []
        self._levels: list[_Level] = []
        self._open: dict[bytes, list[int]] = {}  # boundary → its levels, outermost first
        self._stops: set[bytes] = set()  # every line that would end a header block
        self._current: Part | None = None
        self._guesses = 0
        self._lines = 0

    def run(self, start: int) -> None:
        position = self._enter(start, None)
        while self._levels:
            found = self._next_boundary(position)
            if found is None:
                if self._levels[0].closed and self.raw[position:].strip():
                    self.defects.append("text-after-end")
                break
            line_start, position, level, closes = found
            self._leave_current(line_start)
            self._pop_above(level, line_start)
            if closes:
                self._levels[level].closed = True
                self._current = None
                continue
            if len(self.parts) >= limits.PARTS:
                self.defects.append("truncated:parts")
                break
            if self._levels[level].closed:
                self._levels[level].closed = False
                self.defects.append("part-after-end")
            self._levels[level].parts += 1
            position = self._enter(position, self._levels[level].holder)
        self._leave_current(len(self.raw), at_boundary=False)
        self._pop_above(-1, len(self.raw))

    def _enter(self, start: int, parent: Part | None) -> int:
        """Read the header of the part that starts here; the place where its body starts."""
        block = read_block(self.raw, start, self._stops)
        self.defects += block.defects
        part = _part(block.fields, parent, block.body)
        self.parts.append(part)
        if parent:
            parent.children.append(part)
        self._current = part
        if part.content_type.startswith("multipart/"):
            boundary = self._boundary(part)
            if boundary:
                self._push(part, boundary)
        return block.body

    def _push(self, part: Part, boundary: bytes) -> None:
        holder = part
        if part.depth > limits.DEPTH and part.parent:
            holder = part.parent
            self.defects.append("truncated:depth")
        self._open.setdefault(boundary, []).append(len(self._levels))
        self._levels.append(_Level(boundary, part, holder))
        self._stops |= {b"--" + boundary, b"--" + boundary + b"--"}

    def _boundary(self, part: Part) -> bytes:
        """The declared boundary; if none is declared, or it never comes, the one that does."""
        declared = part.parameters.raw("boundary").strip().encode("latin-1")[: limits.BOUNDARY_BYTES]
        peek = self.raw[part.start : part.start + limits.BOUNDARY_PEEK]
        if declared and b"--" + declared in peek:
            return declared
        first = _FIRST_BOUNDARY.search(peek)
        seen = first[1].rstrip() if first else b""
        if not seen or seen in self._open or b"--" + seen in self._stops:
            return declared
        if declared:
            self._guesses += 1
            if self._guesses > limits.BOUNDARY_GUESSES or self.raw.find(b"--" + declared, part.start) >= 0:
                return declared
        self.defects.append("boundary-guessed")
        return seen

    def _next_boundary(self, position: int) -> tuple[int, int, int, bool] | None:
        """The next line that is an open boundary: its start, the place behind it, its level, whether it closes."""
        raw = self.raw
        at = self._dashes(position - 1)
        while at >= 0:
            self._lines += 1
            if self._lines > limits.BOUNDARY_LINES:
                self.defects.append("truncated:parts")
                break
            newline = raw.find(b"\n", at, at + _LINE_BYTES)
            after = newline + 1 if newline >= 0 else min(at + _LINE_BYTES, len(raw))
            level, closes = self._level(raw[at + 2 : after].rstrip())
            if level >= 0 and (newline >= 0 or after == len(raw)):
                return at, after, level, closes
            at = self._dashes(after - 1)
        return None

    def _level(self, line: bytes) -> tuple[int, bool]:
        """Which level's boundary this is (-1: none's), and whether the closing one."""
        levels, closes = self._open.get(line), False
        if levels is None and line.endswith(b"--"):
            levels, closes = self._open.get(line[:-2]), True
        if not levels:
            return -1, False
        # The innermost that is still open. Only the innermost of all levels can be closed already: whatever happens
        # to an outer one ends it.
        last = levels[-1]
        level = levels[-2] if self._levels[last].closed and len(levels) > 1 else last
        return (-1, False) if closes and self._levels[level].closed else (level, closes)

    def _dashes(self, position: int) -> int:
        found = self.raw.find(b"\n--", max(position, 0))
        return found + 1 if found >= 0 else -1

    def _leave_current(self, end: int, at_boundary: bool = True) -> None:
        """The newline in front of a boundary belongs to the boundary (RFC 2046 section 5.1.1)."""
        part, self._current = self._current, None
        if part is None:
            return
        if at_boundary:
            if end > part.start and self.raw[end - 1 : end] == b"\n":
                end -= 1
            if end > part.start and self.raw[end - 1 : end] == b"\r":
                end -= 1
        part.end = max(end, part.start)

    def _pop_above(self, level: int, end: int) -> None:
        while len(self._levels) > level + 1:
            popped = self._levels.pop()
            positions = self._open[popped.boundary]
            positions.pop()
            if not positions:
                del self._open[popped.boundary]
                self._stops -= {b"--" + popped.boundary, b"--" + popped.boundary + b"--"}
            popped.part.end = max(end, popped.part.start)
            popped.part.dissolved = popped.parts > 0 and popped.holder is not popped.part
            if popped.parts == 0:
                self.defects.append(NO_PARTS)
            elif not popped.closed:
                self.defects.append(NO_FINAL_BOUNDARY)


def _part(fields: list[Field], parent: Part | None, start: int) -> Part:
    value = next((entry.value for entry in fields if entry.name.lower() == "content-type"), b"")
    parameters = Parameters(value)
    content_type = parameters.value
    if not _TYPE.fullmatch(content_type):
        content_type = _default_type(parent, bool(parameters.raw("name")))
    position = len(parent.children) if parent else 0
    return Part(fields, content_type, parameters, parent, position, parent.depth + 1 if parent else 0, start, start)


def _default_type(parent: Part | None, named: bool) -> str:
    """RFC 2045 section 5.2, RFC 2046 section 5.1.5; a file without a type is bytes."""
    if named:
        return "application/octet-stream"
    if parent and parent.content_type == "multipart/digest":
        return "message/rfc822"
    return "text/plain"
