"""A text as lines, and where in it older mails begin: their headings, attributions and header blocks."""

from collections.abc import Sequence

from shared.mail.reply import quote_dividers as dividers
from shared.mail.reply.quote_align import Line
from shared.mail.reply.quote_attribution import attribution_start, is_lotus_heading
from shared.mail.reply.quote_headers import header_block, label_block
from shared.mail.reply.quote_html import Mark
from shared.mail.reply.quote_lines import EMPTY, QUOTE, TEXT, kinds

_HEADING_LINES = 30
"""Between a divider and the quoted lines it announces: a header block."""


class Page:
    """Lines with what is known about each, found once."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self.texts = [line.text for line in lines]
        self.kind = kinds(lines)
        self._quote_indents()
        self._following = _next_kinds(self.kind)
        self._blocks = self._header_blocks()
        self._block_starts = {end: start for start, end in self._blocks.items()}

    def first_words(self) -> int:
        """The first line that is not empty."""
        return next((place for place, letter in enumerate(self.kind) if letter != EMPTY), 0)

    def above(self, place: int) -> int:
        """The nearest line above that is not empty; -1 if there is none."""
        place -= 1
        while place >= 0 and self.kind[place] == EMPTY:
            place -= 1
        return place

    def old_from(self) -> tuple[int, bool]:
        """The line from which all is old, the number of lines if there is none; and whether it begins a forward."""
        for place, text in enumerate(self.texts):
            if self.lines[place].mark is Mark.TAIL:
                return self._with_lotus_heading(place), False
            if self.kind[place] != TEXT:
                continue
            if dividers.is_forward(text):
                return place, True
            begin = self._begin_of_old(place)
            if begin is not None and not self._leads_to_quote(place):
                return begin, False
        return len(self.texts), False

    def heading_of(self, start: int) -> int:
        """Where the attribution, header block or divider above quoted lines begins; ``start`` if there is none."""
        above = self.above(start)
        if above < 0 or self.kind[above] != TEXT:
            return start
        heading = attribution_start(self.texts, above, True)
        heading = min(heading, self._block_starts.get(above + 1, heading))
        if heading > above:
            divided = dividers.is_original(self.texts[above]) or dividers.is_forward(self.texts[above])
            return above if divided else start
        above = self.above(heading)
        if above >= 0 and (dividers.is_original(self.texts[above]) or dividers.is_rule(self.texts[above])):
            return above
        return heading

    def behind_attribution(self, start: int, end: int) -> int:
        """The first line of a quote that is not its attribution; Apple Mail puts that inside."""
        for place in range(start, min(end, start + 4)):
            if attribution_start(self.texts, place, False, start) == start:
                return place + 1
        while start < end and self.lines[start].mark is Mark.ATTRIBUTION:
            start += 1
        return start

    def without_rules(self, stop: int) -> int:
        """Lines of dashes right above what is old belong to it."""
        if stop == len(self.texts):
            return stop
        place = self.above(stop)
        while place >= 0 and dividers.is_rule(self.texts[place]):
            stop, place = place, self.above(place)
        return stop

    def _begin_of_old(self, place: int) -> int | None:
        text = self.texts[place]
        if dividers.is_original(text) or self._announces_block(place):
            return place
        if place in self._blocks:
            return self._with_lotus_heading(place)
        if label_block(self.texts, place) > place:
            return self._with_name_and_date(place)
        begin = attribution_start(self.texts, place, False)
        return begin if begin <= place else None

    def _announces_block(self, place: int) -> bool:
        """Words between dashes in any language, or known words without dashes, and a header block below."""
        text = self.texts[place]
        if dividers.is_rule(text) or not (dividers.is_dashed(text) or dividers.is_undashed_original(text)):
            return False
        below = next(
            (index for index in range(place + 1, min(len(self.texts), place + 4)) if self.texts[index].strip()), 0
        )
        return below > place and header_block(self.texts, below, True) > below

    def _leads_to_quote(self, place: int) -> bool:
        """Whether only the quote's own heading stands between ``place`` and quoted lines; they then decide."""
        for index in range(place, min(len(self.texts), place + _HEADING_LINES)):
            if self.kind[index] == TEXT and self._following[index] == QUOTE:
                return index == place or self.heading_of(index + 1) <= place
        return False

    def _with_lotus_heading(self, place: int) -> int:
        above = self.above(place)
        return above if above >= 0 and place - above <= 3 and is_lotus_heading(self.texts[above]) else place

    def _with_name_and_date(self, place: int) -> int:
        """The sender and the date stand above the labels of older Notes, one below the other."""
        above = place
        for _ in range(4):
            above = self.above(above)
            if above < 0:
                break
            line = self.texts[above][:200]
            if "@" in line or sum(letter.isdigit() for letter in line) >= 6:
                place = above
        return place

    def _header_blocks(self) -> dict[int, int]:
        """The header blocks that need no announcement: the place behind each by its start."""
        blocks: dict[int, int] = {}
        place = 0
        while place < len(self.texts):
            announced = place > 0 and dividers.is_dashed(self.texts[place - 1])
            end = header_block(self.texts, place, announced) if self.kind[place] == TEXT else place
            if end > place:
                blocks[place] = end
            place = max(end, place + 1)
        return blocks

    def _quote_indents(self) -> None:
        """A plain blockquote, or lines with ``|``, below an attribution are its quote."""
        above, place = -1, 0
        while place < len(self.lines):
            start = place
            if self.kind[place] == TEXT and _may_be_quote(self.lines[place]):
                while place < len(self.lines) and (self.kind[place] == EMPTY or _may_be_quote(self.lines[place])):
                    place += 1
                if above >= 0 and attribution_start(self.texts, above, True) <= above:
                    self.kind[start:place] = [QUOTE if letter == TEXT else letter for letter in self.kind[start:place]]
            if place < len(self.lines) and self.kind[place] != EMPTY:
                above = place
            place += 1


def _may_be_quote(line: Line) -> bool:
    return line.mark is Mark.INDENT or line.text.lstrip().startswith("|")


def _next_kinds(kind: Sequence[str]) -> list[str]:
    """For each line the kind of the next line that is not empty."""
    following: list[str] = []
    last = EMPTY
    for letter in reversed(kind):
        following.append(last)
        last = letter if letter != EMPTY else last
    following.reverse()
    return following
