"""Lines as a reader of mail sees them: empty, quoted or text."""

import re
from collections.abc import Sequence

from shared.mail.reply.quote_align import Line
from shared.mail.reply.quote_html import Mark

EMPTY, TEXT, QUOTE = "e", "t", "q"

_QUOTED = re.compile(r"[ \t\u00a0]{0,4}(?:>|＞)")
_PROMPT = re.compile(r">>>(?: |$)")
_MBOX_FROM = re.compile(r">From ")
_WRAP_COLUMN = 70
"""Mail programs wrap at 72 to 80 columns; a quoted line that the next word did not fit into was wrapped."""
_INTRODUCED_LINES = 10
"""Quoted lines below "The error message is:" that count as the writer's own."""


def kinds(lines: Sequence[Line]) -> list[str]:
    """The kind of each line, by its ``>`` or by what the HTML says."""
    found = [_kind(line) for line in lines]
    _prompts_are_text(lines, found)
    _torn_brackets_are_text(lines, found)
    _wrapped_ends_are_quotes(lines, found)
    return found


def quote_runs(kind: Sequence[str]) -> list[tuple[int, int]]:
    """The runs of quoted lines, empty lines among them included: (start, end) each."""
    runs: list[tuple[int, int]] = []
    for place, letter in enumerate(kind):
        if letter != QUOTE:
            continue
        if runs and all(between == EMPTY for between in kind[runs[-1][1] : place]):
            runs[-1] = (runs[-1][0], place + 1)
        else:
            runs.append((place, place + 1))
    return runs


def is_introduced(lines: Sequence[Line], kind: Sequence[str], start: int, end: int) -> bool:
    """Whether the writer shows something ("The error message is:") with a ``>`` before it."""
    above = next((place for place in range(start - 1, -1, -1) if kind[place] != EMPTY), -1)
    if above < 0 or end - start > _INTRODUCED_LINES:
        return False
    marked = any(line.mark is not Mark.NONE for line in lines[start:end])
    return not marked and lines[above].text.rstrip().endswith((":", "："))


def _kind(line: Line) -> str:
    if not line.text.strip():
        return EMPTY
    if line.mark in (Mark.QUOTE, Mark.ATTRIBUTION):
        return QUOTE
    return QUOTE if _QUOTED.match(line.text) and line.mark is not Mark.INDENT else TEXT


def _prompts_are_text(lines: Sequence[Line], kind: list[str]) -> None:
    """Python's ``>>> `` is quoted three times over only where other depths are to be seen."""
    quoted = [place for place, letter in enumerate(kind) if letter == QUOTE]
    if all(_PROMPT.match(lines[place].text) and lines[place].mark is Mark.NONE for place in quoted):
        for place in quoted:
            kind[place] = TEXT
    for place in quoted:
        if _MBOX_FROM.match(lines[place].text) and _lonely(kind, place):
            kind[place] = TEXT


def _torn_brackets_are_text(lines: Sequence[Line], kind: list[str]) -> None:
    """Gmail wraps "<anna@kunde.example> wrote:" before the ``>``, too."""
    for place in range(1, len(lines)):
        above = lines[place - 1].text
        if (
            kind[place] == QUOTE
            and kind[place - 1] == TEXT
            and "@" in above[-200:]
            and above.rfind("<") > above.rfind(">")
        ):
            kind[place] = TEXT


def _lonely(kind: Sequence[str], place: int) -> bool:
    return QUOTE not in kind[max(0, place - 1) : place] and QUOTE not in kind[place + 1 : place + 2]


def _wrapped_ends_are_quotes(lines: Sequence[Line], kind: list[str]) -> None:
    """The end of a quoted line that a gateway wrapped has lost its mark."""
    for place in range(1, len(lines)):
        if kind[place] != TEXT or kind[place - 1] != QUOTE or not _QUOTED.match(lines[place - 1].text):
            continue
        following = kind[place + 1] if place + 1 < len(lines) else EMPTY
        above, word = lines[place - 1].text, lines[place].text.split(None, 1)[0]
        wrapped = len(above) + 1 + len(word) > _WRAP_COLUMN and len(lines[place].text) < len(above)
        if following != TEXT and wrapped:
            kind[place] = QUOTE
