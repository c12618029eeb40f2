"""The mail that is answered, below our words: as mail programs write it, so that they and we cut it off again."""

from datetime import datetime
from html import escape

from shared.mail.address import Address
from shared.mail.text import clean_text
from shared.mail.writing.compose_headers import day_text
from shared.mail.writing.outgoing import header_text
from shared.mail.writing.texthtml import lines_to_html

QUOTE_LINES = 200
"""Four pages. Whoever needs more has the older mails."""

QUOTE_CHARS = 20_000
"""Likewise; also what long lines may have, of which a megabyte fits into 200."""

_NAME_CHARS = 60
"""Of a name: the line above a quote is known by its build as long as it is one line (400 characters)."""

_SHORTENED = "[…]"


def quote_original(author: Address, date: datetime | None, text: str) -> str:
    """``On 16 Nov 2026, Anna <anna@example.com> wrote:`` and the text behind ``>``; empty if it says nothing.

    ``date`` in the zone in which it is to be told; without a time, which would need one.
    """
    lines = _lines(text)
    if not lines:
        return ""
    return "\n".join([_attribution(author, date), *(_quoted(line) for line in lines)])


def quote_original_html(author: Address, date: datetime | None, text: str) -> str:
    """The same in HTML, with the mark that mail programs know a quote by. The text is a stranger's: no links."""
    lines = _lines(text)
    if not lines:
        return ""
    style = "margin:0 0 0 8px;border-left:2px solid #cccccc;padding-left:8px"
    quoted = f'<blockquote type="cite" style="{style}">{lines_to_html(lines)}</blockquote>'
    return f"<div>{escape(_attribution(author, date))}<br></div>\n{quoted}"


def _attribution(author: Address, date: datetime | None) -> str:
    # Angle brackets and colons belong to the address and to the end of the line.
    name = header_text(author.name.translate(_NO_MARKS), _NAME_CHARS)
    who = f"{name} <{author.address}>" if name else f"<{author.address}>"
    return f"On {day_text(date)}, {who} wrote:" if date else f"{who} wrote:"


_NO_MARKS = dict.fromkeys(map(ord, "<>:"), " ")


def _lines(text: str) -> list[str]:
    text = clean_text(text[: 2 * QUOTE_CHARS]).strip("\n")
    if not text.strip():
        return []
    lines = [line.rstrip() for line in text[:QUOTE_CHARS].split("\n")]
    cut = len(text) > QUOTE_CHARS or len(lines) > QUOTE_LINES
    return [*lines[:QUOTE_LINES], _SHORTENED] if cut else lines


def _quoted(line: str) -> str:
    if not line:
        return ">"
    return f">{line}" if line.startswith(">") else f"> {line}"
