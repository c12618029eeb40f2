"""The words written now and the older mail below, above or between them.

Nothing is lost: every line of the text is in ``new`` or in ``quoted``, in order. When in doubt a line is new.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shared.mail.reply.quote_align import Line, marked_lines
from shared.mail.reply.quote_cut import new_lines
from shared.mail.reply.quote_html import Mark
from shared.mail.reply.quote_lines import QUOTE, kinds

_ROUNDS = 8
"""What is cut away may change what the rest is; real mails need two rounds."""
_LINES = 20_000
"""Lines that are looked at: a megabyte of ordinary text. What follows is as new or old as the last of them."""
_FORWARD_SUBJECT = re.compile(
    r"\s{0,5}(?:fwd?|wg|tr|rv|enc|i|fs|vb|vl|vs|pd|doorst|továbbítás|továbbított|ilt|i̇lt|пер|пересл|转发|轉寄|轉發|転送|전달|"
    r"הועבר|πρθ|إعادة توجيه|weitergeleitet|inoltra|chuyển tiếp)\s{0,2}(?:\[\d{1,3}\])?\s{0,2}[:：]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """A mail's text in two."""

    new: str
    """What the sender wrote now; with the quotes if the answers stand between them. Not blank if the text was not."""
    quoted: str
    """The rest in its order: older mails, attributions, signature."""


def split_reply(text: str, html: str | None = None, subject: str = "") -> Reply:
    """Split ``text`` (Message.text).

    ``html`` as sent (Message.html) tells what its mail program marked as quoted; ``subject`` tells forwards.
    Total, and linear in the length of both.
    """
    lines = marked_lines(text, html)
    start, end = 0, min(len(lines), _LINES)
    forward = bool(_FORWARD_SUBJECT.match(subject))
    for _ in range(_ROUNDS):
        first, last = new_lines(lines[start:end], forward)
        if (first, last) == (0, end - start):
            break
        start, end = start + first, start + last
    if end == _LINES:
        end = len(lines)
    new = "\n".join(_shown(lines[start:end])).strip()
    quoted = "\n".join(part for part in (_joined(lines[:start]), _joined(lines[end:])) if part)
    return Reply(new, quoted) if new else Reply(text.strip(), "")


def _joined(lines: Sequence[Line]) -> str:
    return "\n".join(line.text for line in lines).strip("\n").rstrip()


def _shown(lines: Sequence[Line]) -> list[str]:
    """Quotes that only the HTML marks get the mark of plain text, so that they are told from the answers."""
    kind = kinds(lines)
    return [
        f"> {line.text}"
        if line.mark is Mark.QUOTE and letter == QUOTE and not line.text.lstrip().startswith(">")
        else line.text
        for line, letter in zip(lines, kind, strict=True)
    ]
