"""The conversation with a mail server, for a tenant to read: every secret struck out, bodies cut.

Secrets are struck at the source, twice: by value (every form in which a password or token may appear, also when the
server echoes it) and by place (whatever is sent while logging in).
"""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote, quote_plus

STRUCK = "***"
MAX_LINES = 400
"""Of one conversation; the newest stay. A poll of a hundred mails has about as many."""
MAX_LINE = 300
"""Characters of a line: what is longer is content, not protocol."""

PIECE = 12
"""Characters of a piece of a secret: long enough that no other text holds it by chance."""
MIN_ANSWER = 16
"""Characters: shorter words of a log-in are commands and names."""

MAX_LOOK = 10_000
"""Characters of a line that are searched for secrets: tokens have some thousand, and the rest is cut off anyway."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What would make a second line of one, or turn the reading direction: a server must not write lines of its own."""


class Recorder:
    """A transcript in memory: ``lines`` as ``time direction text``; C: is us, S: the server, * a remark."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._lines: deque[str] = deque(maxlen=MAX_LINES)
        self._secrets: list[str] = []
        self._private = False
        self._now = now

    @property
    def lines(self) -> list[str]:
        """What was said so far, the oldest first."""
        return [self._struck(line) for line in self._lines]

    def step(self, name: str) -> None:
        """See ``ports.Watch.step``."""
        self._append("*", f"step: {name}")

    def sent(self, line: bytes) -> None:
        """See ``ports.Watch.sent``."""
        self._add("C:", line)

    def received(self, line: bytes) -> None:
        """See ``ports.Watch.received``."""
        self._add("S:", line)

    def note(self, text: str) -> None:
        """See ``ports.Watch.note``."""
        self._append("*", text)

    def secret(self, value: str) -> None:
        """See ``ports.Watch.secret``."""
        self._remember(forms(value))

    def private(self, on: bool) -> None:
        """See ``ports.Watch.private``."""
        self._private = on

    def _add(self, direction: str, line: bytes) -> None:
        if self._private and (direction == "C:" or line.startswith(b"+ ")):
            # That something was said helps to find where a log-in stops; what was said does not matter, but a server
            # may echo it later.
            self._remember(_answers(line) if direction == "C:" else set())
            self._append(direction, STRUCK)
            return
        self._append(direction, line.decode("utf-8", "replace").rstrip("\r\n"))

    def _append(self, direction: str, text: str) -> None:
        length = len(text)
        text = _CONTROL.sub("?", self._struck(text[:MAX_LOOK]))
        if length > MAX_LINE:
            text = f"{text[:MAX_LINE]}… ({length} characters)"
        self._lines.append(f"{self._now().strftime('%H:%M:%S.%f')[:-3]} {direction} {text}")

    def _remember(self, found: set[str]) -> None:
        # Whole forms, and pieces of long ones: a secret may be split over two lines, or cut off with a long one.
        pieces = {
            form[at : at + PIECE] for form in found if len(form) >= 2 * PIECE for at in range(0, len(form), PIECE)
        }
        known = {*self._secrets, *found, *(piece for piece in pieces if len(piece) == PIECE)}
        # The longest first: a secret may be part of another form of itself.
        self._secrets = sorted(known, key=len, reverse=True)

    def _struck(self, text: str) -> str:
        for form in self._secrets:
            text = text.replace(form, STRUCK)
        return text


def _answers(line: bytes) -> set[str]:
    """What a line of a log-in proves: its last word, and that of what it encodes (a CRAM-MD5 digest, with which
    passwords could be tried at leisure)."""
    word = line.split()[-1].decode("ascii", "replace") if line.split() else ""
    try:
        inner = base64.b64decode(word, validate=True).split()[-1].decode("ascii", "replace")
    except (ValueError, IndexError):
        inner = ""
    return {found for found in (word, inner) if len(found) >= MIN_ANSWER}


def forms(secret: str) -> set[str]:
    """Every way in which a secret may stand in a line: as it is, quoted, escaped for URL, HTML or JSON, in hex, in a
    wrong charset, and base64 at any offset (a SASL answer holds it somewhere inside)."""
    if not secret:
        return set()
    raw = secret.encode()
    quoted = secret.replace("\\", "\\\\").replace('"', '\\"')
    found = {secret, quoted, raw.hex(), raw.hex().upper(), "".join(f"%{byte:02X}" for byte in raw)}
    found |= {quote(secret), quote(secret, safe=""), quote_plus(secret), escape(secret), json.dumps(secret)[1:-1]}
    # UTF-8 taken for Latin-1, and Latin-1 for UTF-8.
    found |= {raw.decode("latin-1")}
    found |= {secret.encode("latin-1").decode("utf-8", "replace")} if max(secret) <= "\xff" else set()
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + raw).decode()
        # The characters at both ends depend on the bytes beside the secret: only the middle is always the same.
        start = (lead * 8 + 5) // 6
        end = (lead + len(raw)) * 8 // 6
        middle = encoded[start:end]
        found |= {middle, middle.replace("+", "-").replace("/", "_")} if len(middle) >= 4 else set()
    return found
