"""Attribution lines: "On Mon, May 3, 2021 at 10:11 AM Anna Beispiel <anna@kunde.example> wrote:" in any language.

An attribution is known by its build, not by one pattern for each program: it ends with a colon, and it begins with a
date ("Am 03.05.2021 um 10:11 schrieb Anna:"), a name ("Anna <anna@kunde.example> wrote:") or a word for quoting
("Zitat von Anna:"). Verbs are known in forty languages; a date with a time and an address need none
("2021年5月3日(月) 10:11 Anna <anna@kunde.example>:").
"""

import re
from collections.abc import Sequence

from shared.mail.reply.quote_words import JOINED_VERBS, OPENERS, QUOTING, VERBS


def _any_of(words: Sequence[str]) -> str:
    return "(?:" + "|".join(map(re.escape, sorted(words, key=len, reverse=True))) + ")"


_VERB = re.compile(rf"(?<!\w){_any_of(VERBS)}(?!\w)|{_any_of(JOINED_VERBS)}", re.IGNORECASE)
_OPENER = re.compile(rf"{_any_of(OPENERS)}(?![^\W\d_])", re.IGNORECASE)
_QUOTING = re.compile(rf"{_any_of(QUOTING)}\b", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s<>()\[\]\",;:]{1,64}@[^\s<>()\[\]\",;:]{1,255}")
_ADDRESS_LAST = re.compile(
    r"(?:[<(\[]\s?(?:mailto:)?[^\s<>()\[\]\",;:]{1,64}@[^\s<>()\[\]\",;:]{1,255}\s?[>)\]]{1,3}|"
    r"(?:by|von|par|por|da|door|av|af|przez|od|от|від|fra|från)\s[^\s<>()\[\]\",;:]{1,64}@[^\s<>()\[\]\",;:]{1,255})\W{0,3}$"
)
_TIME = re.compile(r"(?<![\d.])\d{1,2}\s?[:.hH時时點点시]\s?\d{2}(?![\d.])|\d\s?[ap]\.?m\b", re.IGNORECASE)
_DATE = re.compile(r"(?<!\d)\d{4}(?!\d)|\d{1,2}[./-]\s?\d{1,2}[./-]\s?\d{2}")
_SENTENCE = re.compile(r"(?: [a-z]{1,20},?){4} ")  # in no name
# Left over when the date's first words stand on the line above.
_TORN_DATE = re.compile(r"\d{4}[ ,](?!\s?\d)|\d{1,2}:\d{2}")
_ORNAMENT = re.compile("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_ENDS = re.compile(r"[:：]-?$")
_LOTUS = re.compile(r".{0,80}-{2,3}\s?\d{1,4}[./-]\d{1,2}[./-]\d{2,4}.{0,30}-{2,3}")
_MAX_CHARS = 400
"""Of an attribution: a long name, a long address twice, a date."""
_MAX_LINES = 4
_NAME_WORDS = 8


def attribution_start(lines: Sequence[str], end: int, quote_follows: bool, first: int = 0) -> int:
    """Where the attribution begins whose last line is ``lines[end]``; ``end + 1`` if there is none.

    Wrapped ones stand on up to four lines, none of them above ``first``. ``quote_follows``: quoted lines stand
    below, so that "Anna wrote:" will do; without, a date with a time or an address is asked for as well.
    """
    last = _plain(lines[end])
    if not _ends(last, quote_follows):
        return end + 1
    weak = end + 1
    joined = ""
    for count in range(1, min(_MAX_LINES, end - first + 1) + 1):
        place = end - count + 1
        line = _plain(lines[place])
        joined = f"{line} {joined}".strip()
        if not line or len(joined) > _MAX_CHARS or (count > 1 and _ENDS.search(line)):
            break
        if _is_strong(joined, line, count):
            return _with_opener(lines, place, joined, first)
        if quote_follows and count <= 2 and weak > end and _is_weak(joined, count):
            weak = place
    return weak


def is_lotus_heading(line: str) -> bool:
    """Notes' line above its header block: "Anna Beispiel---03.05.2021 10:11:12---Guten Tag"."""
    return bool(_LOTUS.match(line[:200]))


def _plain(line: str) -> str:
    if len(line) > 2 * _MAX_CHARS:
        return ""
    line = _ORNAMENT.sub("", line).replace("\u00a0", " ").replace("\u202f", " ")
    return line.strip(" \t>|*_")


def _between_dashes(text: str) -> str:
    """What stands between two and more dashes on both sides, as Zoho writes it; nothing if they are not there."""
    return text.strip("- ") if text.startswith("--") and text.endswith("--") else ""


def _ends(line: str, quote_follows: bool) -> bool:
    if _ENDS.search(line):
        return True
    if line.endswith("-"):
        return _between_dashes(line) != ""
    return quote_follows and bool(line) and ("@" in line or bool(_VERB.search(line)))


def _is_strong(text: str, first_line: str, count: int) -> bool:
    """An attribution whatever follows it."""
    if dashed := _between_dashes(text):
        text = dashed
        if (verb := _VERB.search(text)) and verb.end() == len(text):
            return True  # "---- Anna Beispiel wrote ----"
    elif not _ENDS.search(text):
        return False
    verb = _VERB.search(text)
    address = _ADDRESS.search(text) if "@" in text else None
    if not verb and not address:
        return False
    if _begins_with_date(text, first_line):
        dated = bool(_DATE.search(text)) and bool(_TIME.search(text))
        if verb and _SENTENCE.search(text) and not _ADDRESS_LAST.search(text[: verb.start()].rstrip()):
            return False
        if verb:
            return dated or (bool(address) and any(letter.isdigit() for letter in text[: text.find("@")]))
        return dated and bool(_ADDRESS_LAST.search(text.rstrip(":： -")))
    if _QUOTING.match(text):
        return bool(address)
    return verb is not None and _begins_with_name(text, verb, first_line, count, strict=True)


def _is_weak(text: str, count: int) -> bool:
    """An attribution if a quote follows."""
    verb = _VERB.search(text)
    if verb and text.strip(":： ") == verb[0]:
        return False  # its name stands on the line above
    if verb and count == 1:
        return len(text) <= 200
    if _QUOTING.match(text):
        return True
    return bool(_ADDRESS.search(text)) or bool(_DATE.search(text) and _TIME.search(text))


def _begins_with_date(text: str, first_line: str) -> bool:
    """Whether a date stands behind at most a few words, in the first of the wrapped lines."""
    place = next((index for index, letter in enumerate(text[:60]) if letter.isdigit()), -1)
    if place < 0 or place >= len(first_line) or _TORN_DATE.match(text):
        return False
    before = text[:place].strip(" ,.(\"'")
    words = before.replace("\u060c", " ").split()
    if any(letter in "@:<" for letter in before):
        return False
    return len(words) <= (4 if _OPENER.match(before) else 3)


def _begins_with_name(text: str, verb: re.Match[str], first_line: str, count: int, strict: bool) -> bool:
    """Whether a name and perhaps an address stand before the verb, a date or nothing behind it."""
    before, behind = text[: verb.start()].strip(), text[verb.end() :].strip(":： -")
    address = _ADDRESS.search(before)
    name = before[: address.start()] if address else before
    if len(before.split()) > _NAME_WORDS or name.rstrip().endswith((".", "!", "?", ":")):
        return False
    if count > 1 and (len(first_line.split()) > 6 or first_line.endswith((".", "!", "?", ",", ":"))):
        return False
    dated = bool(_DATE.search(behind)) and bool(_TIME.search(behind))
    if not address:
        return dated and bool(name.strip())
    bracketed = before[address.start() - 1 : address.start()] in ("<", "(", "[", ":") or before.endswith(
        (">", ")", "]")
    )
    after = before[address.end() :].strip(" >)]\"'»”,:;")
    if after:
        whole = bool(_DATE.search(after)) and bool(
            _TIME.search(after)
        )  # "Anna <a@b.example> 于2021年5月3日 09:02写道："
    else:
        whole = name.strip(" \"'<([") != "" if bracketed else before == address[0]
    return whole and (not behind or dated or behind.startswith("(") or any(letter.isdigit() for letter in behind))


def _with_opener(lines: Sequence[str], place: int, joined: str, first: int) -> int:
    """One line more if the date is in it: "On Mon, May 3, 2021 at 10:11 AM Anna / Beispiel <a@b.example> wrote:"."""
    if place <= first:
        return place
    above = _plain(lines[place - 1])
    if above.endswith((".", "!", "?", ":")) or not _OPENER.match(above) or _OPENER.match(joined):
        return place
    digit = any(letter.isdigit() for letter in above[:30])
    return place - 1 if digit and _begins_with_date(f"{above} {joined}", above) and _DATE.search(above) else place
