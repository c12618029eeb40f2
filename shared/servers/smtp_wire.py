"""What stands on the wire of SMTP: an answer, and a mail in the form in which it is sent. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_STATUS = re.compile(r"([245])\.\d{1,3}\.\d{1,3}(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says. ``text``: its lines, without codes, joined by blanks; ``status``: see ``ports.Refusal``."""

    code: int
    status: str
    text: str
    lines: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """2xx."""
        return 200 <= self.code < 300

    @property
    def permanent(self) -> bool:
        """5xx: trying again is useless."""
        return self.code >= 500


def read_answer(code: int, lines: Sequence[bytes]) -> Answer:
    """An answer from its lines without their codes. The enhanced status is the first one that is of the class of the
    code (RFC 2034, 4)."""
    texts = [line.decode("utf-8", "replace").strip() for line in lines]
    statuses = (match[0] for text in texts if (match := _STATUS.match(text)) and match[1] == str(code)[0])
    return Answer(code, next(statuses, ""), " ".join(text for text in texts if text), tuple(texts))


def wire_form(message: bytes) -> bytes:
    """A mail with CR LF alone as line end, which it also ends with (RFC 5321, 2.3.8). A bare CR or LF would be read
    as a line end by some servers and not by others, and who can make them differ can smuggle a second mail."""
    lines = message
    if not message.count(b"\r\n") == message.count(b"\r") == message.count(b"\n"):
        lines = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return lines if lines.endswith(b"\r\n") else lines + b"\r\n"


def stuffed(wire: bytes) -> bytes:
    """A mail as ``wire_form`` makes it, with a second dot before each line that begins with one (RFC 5321, 4.5.2)."""
    doubled = wire.replace(b"\r\n.", b"\r\n..")
    return b"." + doubled if doubled.startswith(b".") else doubled
