"""Where the new words begin and end. Rules, in order:

1. A line from which all is old ends the new text: a header block, "-----Original Message-----", a forward's first line,
   an attribution without quoted lines, the HTML's own mark. If nothing was written above it, all is new: the mail *is*
   the forward.
2. Quoted lines at the end are old, with their attribution.
3. An attributed quote with words only below it is old: the answer stands below.
4. Words above and below, or between quotes: all of it is new, for the quotes say what was answered.
5. The signature at the end goes to the old.
"""

from collections.abc import Sequence

from shared.mail.reply.quote_align import Line
from shared.mail.reply.quote_dividers import is_rule
from shared.mail.reply.quote_html import Mark
from shared.mail.reply.quote_lines import is_introduced, quote_runs
from shared.mail.reply.quote_page import Page
from shared.mail.reply.signature import is_sign_off, signature_start

_LONG_QUOTE_LINES = 12
"""A quote at the beginning without attribution is old if it has at least so many lines: nobody types that."""
_MARKED_SIGNATURE_LINES = 15
"""Of what the HTML marks as signature; some people write their answer into it, and that is longer."""


def new_lines(lines: Sequence[Line], forward: bool) -> tuple[int, int]:
    """The first and the last line (exclusive) of the new words; all lines if there are no new ones.

    ``forward``: the subject says so.
    """
    page = Page(lines)
    stop, begins_forward = page.old_from()
    stop = page.without_rules(stop)
    forward = forward or begins_forward
    if not _has_words(page.texts, 0, stop, forward):
        return page.first_words(), len(lines)
    first, last = _around_quotes(page, stop, forward)
    return _without_signature(page, first, last)


def _has_words(texts: Sequence[str], start: int, end: int, forward: bool = False) -> bool:
    """Whether a person wrote something in these lines, and not a signature; above a forward, not a sign-off either."""
    end = signature_start(texts, start, end)
    for place in range(start, end):
        if texts[place].strip() and not is_rule(texts[place]):
            return not (forward and is_sign_off(texts[place]))
    return False


def _around_quotes(page: Page, stop: int, forward: bool) -> tuple[int, int]:
    """The new words among the quotes above ``stop``."""
    texts = page.texts
    runs = _runs(page, stop)
    last, between = stop, len(runs)
    while runs:
        heading, start, end = runs[-1]
        if _has_words(texts, end, last) or (heading == start and is_introduced(page.lines, page.kind, start, end)):
            break
        if not _has_words(texts, 0, heading, forward):
            return page.first_words(), len(texts)  # nothing but a quote
        runs.pop()
        last = page.without_rules(heading)
    if len(runs) != 1 or _has_words(texts, 0, runs[0][0]):
        return 0, last
    heading, start, end = runs[0]
    body = page.behind_attribution(start, end)
    if between > 1:
        return body, last  # an answer between quotes: the one above it stays, to be read
    if heading < body or end - start >= _LONG_QUOTE_LINES:
        return end, last
    return 0, last


def _runs(page: Page, stop: int) -> list[tuple[int, int, int]]:
    """The quotes as (heading, start, end); two with nothing but a heading between them are one."""
    runs: list[tuple[int, int, int]] = []
    for start, end in quote_runs(page.kind[:stop]):
        heading = page.heading_of(start)
        if runs and not any(text.strip() for text in page.texts[runs[-1][2] : heading]):
            runs[-1] = (runs[-1][0], runs[-1][1], end)
        else:
            runs.append((heading, start, end))
    return runs


def _without_signature(page: Page, first: int, last: int) -> tuple[int, int]:
    """The same words without the signature at their end, unless they are nothing else."""
    texts = page.texts
    end = signature_start(texts, first, last)
    marked = end
    while marked > first and (page.lines[marked - 1].mark is Mark.SIGNATURE or not texts[marked - 1].strip()):
        marked -= 1
    if end - marked <= _MARKED_SIGNATURE_LINES:
        end = signature_start(texts, first, marked)
    return (first, end) if any(text.strip() for text in texts[first:end]) else (first, last)
