"""The conversation with a mail server, for a tenant to read: every secret struck out, bodies cut.

Secrets are struck at the source, twice: by value (every form in which a password or token may appear, also when the
server echoes it) and by place (whatever is sent while logging in).
"""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

STRUCK = "***"
MAX_LINES = 400
"""Of one conversation; the newest stay. A poll of a hundred mails has about as many."""
MAX_LINE = 300
"""Characters of a line: what is longer is content, not protocol."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Recorder:
    """A transcript in memory: ``lines`` as ``time direction text``; C: is us, S: the server, * a remark."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._lines: deque[str] = deque(maxlen=MAX_LINES)
        self._secrets: set[str] = set()
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
        self._secrets |= forms(value)

    def private(self, on: bool) -> None:
        """See ``ports.Watch.private``."""
        self._private = on

    def _add(self, direction: str, line: bytes) -> None:
        if self._private and (direction == "C:" or line.startswith(b"+ ")):
            # That something was said helps to find where a log-in stops; what was said does not matter.
            self._append(direction, STRUCK)
            return
        self._append(direction, line.decode("utf-8", "replace").rstrip("\r\n"))

    def _append(self, direction: str, text: str) -> None:
        text = _CONTROL.sub("?", self._struck(text))
        if len(text) > MAX_LINE:
            text = f"{text[:MAX_LINE]}… ({len(text)} characters)"
        self._lines.append(f"{self._now().strftime('%H:%M:%S.%f')[:-3]} {direction} {text}")

    def _struck(self, text: str) -> str:
        # The longest first: a secret may be part of another form of itself.
        for form in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(form, STRUCK)
        return text


def forms(secret: str) -> set[str]:
    """Every way in which a secret may stand in a line: as it is, quoted, percent-encoded, hex, and base64 at any
    offset (a SASL answer holds it somewhere inside)."""
    if not secret:
        return set()
    raw = secret.encode()
    quoted = secret.replace("\\", "\\\\").replace('"', '\\"')
    found = {secret, quoted, raw.hex(), raw.hex().upper(), "".join(f"%{byte:02X}" for byte in raw)}
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + raw).decode()
        # The characters at both ends depend on the bytes beside the secret: only the middle is always the same.
        start = (lead * 8 + 5) // 6
        end = (lead + len(raw)) * 8 // 6
        middle = encoded[start:end]
        found |= {middle, middle.replace("+", "-").replace("/", "_")} if len(middle) >= 4 else set()
    return found
