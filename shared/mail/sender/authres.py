"""What a receiving server says of a mail: Authentication-Results (RFC 8601), its copy in ARC (RFC 8617), Received-SPF.

Only reads; ``verdict`` decides whom to believe. Much of such a header repeats what the sender wrote (envelope sender,
signing domain, greeting), often in comments. So a header that could be read in two ways, where a quote or a parenthesis
does not close or closes twice, yields no results at all: nobody can hide or add one by means of a bracket.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

RESULTS_CHARS = 16 * 1024
"""Of one header. Real ones have up to 4 KB; a longer one may have been cut, and what was cut off may be the verdict."""

MOST_RESULTS = 100
"""Of one header. A mail with many signatures has 20."""

MOST_INSTANCES = 50
"""RFC 8617 section 4.2.1."""

_RUN = re.compile(r'[^;"()]+')
_QUOTED_STOP = re.compile(r'["\\]')
_COMMENT_STOP = re.compile(r'[()"\\]')
_NAME = r"[A-Za-z0-9_-]+"
_METHOD = re.compile(rf"\s*({_NAME})\s*(?:/\s*\d+\s*)?=\s*([A-Za-z0-9_.-]+)(?!\S)", re.ASCII)
_PROPERTY = re.compile(rf"({_NAME}(?:\s*\.\s*{_NAME})?)\s*=", re.ASCII)
_VALUE = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s"])*', re.DOTALL)
_PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"|[^"]+', re.DOTALL)
_NEWLINES = re.compile(r"[\r\n]+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPACE = re.compile(r"\s*")
_INSTANCE = re.compile(r"\s*i\s*=\s*(\d{1,3})\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Result:
    """One check and how it ended, as in ``dkim=pass header.d=example.org``. Names are lower-case."""

    method: str
    result: str
    reason: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    """``"header.d"`` → value, quotes undone; also words without a dot (Microsoft's ``action``). A property that comes
    twice with different values says nothing: its value is empty."""


@dataclass(frozen=True, slots=True)
class AuthResults:
    """One header."""

    authserv_id: str
    """Who says so, as written; empty in the form of Exchange Online, which begins with the first result."""
    version: int = 1
    results: tuple[Result, ...] = ()
    defect: Literal["", "ambiguous", "too-long"] = ""
    """Why there are no results although there may have been some."""


def parse_authentication_results(value: str) -> AuthResults | None:
    """The value of an Authentication-Results header, folded or not; None if not even its server can be read. Total."""
    segments, defect = _segments(value)
    return _read(segments, defect) if segments else None


def parse_arc_authentication_results(value: str) -> tuple[int, AuthResults] | None:
    """The value of an ARC-Authentication-Results header: its instance (``i=``) and what it says; None if unreadable."""
    segments, defect = _segments(value)
    instance = _INSTANCE.fullmatch(segments[0]) if segments else None
    if not instance or not 1 <= int(instance[1]) <= MOST_INSTANCES:
        return None
    found = _read(segments[1:], defect) if segments[1:] else None
    return (int(instance[1]), found) if found else None


def _read(segments: list[str], defect: Literal["", "ambiguous", "too-long"]) -> AuthResults | None:
    """The header of these segments: server and version, then the results; or at once the first result."""
    first = segments[0]
    if _METHOD.match(first):
        authserv_id, version = "", 1
    else:
        start = _SPACE.match(first).end()  # type: ignore[union-attr] # matches everything
        written = _VALUE.match(first, start)[0]  # type: ignore[index]
        rest = first[start + len(written) :].split()
        authserv_id, segments = _unquoted(written), segments[1:]
        version = int(rest[0]) if rest and re.fullmatch(r"\d{1,4}", rest[0], re.ASCII) else 1
        if not authserv_id:
            return None
    if defect:
        return AuthResults(authserv_id, version, defect=defect)
    results = (_result(segment) for segment in segments[:MOST_RESULTS])
    return AuthResults(authserv_id, version, tuple(result for result in results if result))


def _result(segment: str) -> Result | None:
    """``method[/version]=result`` and what follows; None for "none", Microsoft's bare domains, and anything else."""
    method = _METHOD.match(segment)
    if not method:
        return None
    properties = _properties(_pairs(segment[method.end() :]))
    return Result(method[1].lower(), method[2].lower(), properties.pop("reason", ""), properties)


def _properties(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = value if found.get(name, value) == value else ""
    return found


def _pairs(text: str) -> list[tuple[str, str]]:
    """Every ``name=value`` of the text, names lower-case; words that are none are skipped."""
    pairs: list[tuple[str, str]] = []
    position = _end(_SPACE, text, 0)
    while position < len(text):
        name = _PROPERTY.match(text, position)
        if name is None:
            position = _end(_SPACE, text, max(_end(_VALUE, text, position), position + 1))
            continue
        start = _end(_SPACE, text, name.end())
        if start > name.end() and _PROPERTY.match(text, start):
            value = ""  # "smtp.mailfrom= header.from=b": the first has no value
        else:
            value = _unquoted(text[start : _end(_VALUE, text, start)])
            start = _end(_VALUE, text, start)
        pairs.append(("".join(name[1].split()).lower(), value))
        position = _end(_SPACE, text, start)
    return pairs


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Where the match ends of a pattern that matches even nothing."""
    found = pattern.match(text, position)
    return found.end() if found else position


def _unquoted(text: str) -> str:
    text = _NEWLINES.sub("", text)  # only a quoted string can have been folded
    return "".join(
        _ESCAPED.sub(r"\1", piece[1]) if piece[1] is not None else piece[0] for piece in _PIECE.finditer(text)
    )


def _segments(value: str) -> tuple[list[str], Literal["", "ambiguous", "too-long"]]:
    """The value cut at its semicolons, each comment a space; with a defect, as far as the last semicolon before it."""
    segments: list[str] = []
    pieces: list[str] = []
    position = 0
    while position < min(len(value), RESULTS_CHARS):
        if run := _RUN.match(value, position):
            pieces.append(run[0])
            position = run.end()
            continue
        character = value[position]
        end = position + 1
        if character == ";":
            segments.append("".join(pieces))
            pieces = []
        elif character == '"':
            end = _quoted_end(value, end)
            pieces.append(value[position:end])
        elif character == "(":
            end = _comment_end(value, end)
            pieces.append(" ")
        else:
            end = -1  # a parenthesis that closes nothing
        if end < 0:
            return segments, "ambiguous"
        position = end
    if len(value) > RESULTS_CHARS:
        return segments, "too-long"
    return [*segments, "".join(pieces)], ""


def _quoted_end(value: str, position: int) -> int:
    """The place behind the quoted string; -1 if it never ends."""
    while stop := _QUOTED_STOP.search(value, position):
        if stop[0] == '"':
            return stop.end()
        position = stop.end() + 1
    return -1


def _comment_end(value: str, position: int) -> int:
    """The place behind the comment; -1 if it never ends, or a parenthesis stands between quotes.

    RFC 5322 knows no quotes in comments, but servers copy quoted local parts there: ``(domain of "a) b"@c.example)``.
    """
    depth, quoted = 1, False
    while stop := _COMMENT_STOP.search(value, position):
        position = stop.end()
        if stop[0] == "\\":
            position += 1
        elif stop[0] == '"':
            quoted = not quoted
        elif quoted:
            return -1
        else:
            depth += 1 if stop[0] == "(" else -1
            if depth == 0:
                return position
    return -1
