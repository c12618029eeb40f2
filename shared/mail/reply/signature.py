"""Signatures: what the mail program adds below the words, not the words themselves.

"-- " (RFC 3676 section 4.3), "Sent from my iPhone" and its sisters, lines of mobile and web mail programs,
footers of mailing lists and virus scanners. "Kind regards, Anna" is somebody's words and stays.
"""

import re
from collections.abc import Sequence

from shared.mail.reply.signature_words import DEVICES, FOOTERS, GERMAN_LAST, SENT_FIRST, SENT_LAST, SIGN_OFFS

_LINK = re.compile(r"[<(\[]{0,2}https?://\S{1,1000}")
_OUTLOOK = re.compile(r"outlook.{0,30}\b(?:ios|android)\b")
_GET = re.compile(r"(?:get|download) \S{1,30} for (?:android|ios|iphone|ipad)\b")
_ALONE = re.compile(r"sent from (?:my|a|an|the) |von meinem i(?:phone|pad)$")
_ORNAMENT = " \t\u00a0*_-–—.<>()[]\u200e\u200f\ufeff"
_MOBILE_CHARS = 110
_MOBILE_WORDS = 13
"""Of "Diese Nachricht wurde von meinem Android-Mobiltelefon mit der GMX Mail App gesendet."; more is a sentence."""
_LAST_WORDS = 8
"""Where the verb comes last, a sentence ends alike."""
_STACKED = 6
"""Signatures below one another: a person's, a phone's, a virus scanner's, a mailing list's."""
_SIGNATURE_LINES = 40
"""Below "-- ": the disclaimer of a company has 30 lines; more than this is no signature."""
_BARE_SIGNATURE_LINES = 15
"""Below "--" without its space, which HTML and some gateways take away, but which people also type."""
_FOOTER_LINES = 8
_HUNK_LINES = 60
"""How far above a line of a diff its "@@ -1,4 +1,3 @@" is looked for."""


def is_mobile_signature(line: str) -> bool:
    """A line such as "Sent from my iPhone" or "Get Outlook for Android", in any of thirty languages."""
    if len(line) > 1200:
        return False
    plain = _LINK.sub("", line).strip(_ORNAMENT).lower()
    words = plain.count(" ") + 1
    if not plain or len(plain) > _MOBILE_CHARS or words > _MOBILE_WORDS:
        return False
    if (_OUTLOOK.search(plain) and len(plain) <= 60) or _GET.match(plain):
        return True
    german = plain.startswith("von mein") and plain.endswith(GERMAN_LAST)
    last = plain.endswith(SENT_LAST) and words <= _LAST_WORDS
    return (plain.startswith(SENT_FIRST) or german or last) and any(device in plain for device in DEVICES)


def is_sign_off(line: str) -> bool:
    """ "Kind regards": where the automatic block of a company begins."""
    return line.strip()[:60].lower().startswith(SIGN_OFFS)


def signature_start(lines: Sequence[str], start: int, end: int) -> int:
    """Where the signature at the end of ``lines[start:end]`` begins; without one the end, less its empty lines."""
    end = _without_blanks(lines, start, end)
    for _ in range(_STACKED):
        before = end
        if end > start and (_is_added_line(lines, start, end - 1)):
            end -= 1
        else:
            end = _delimiter(lines, start, end)
        end = _without_blanks(lines, start, end)
        if end == before:
            break
    return end


def _is_added_line(lines: Sequence[str], start: int, place: int) -> bool:
    line = lines[place]
    if is_mobile_signature(line) or _is_footer(line):
        return True
    plain = line[: 2 * _MOBILE_CHARS].strip(_ORNAMENT).lower()
    if place > start and plain.startswith(("www.", "http", "<http")) and " " not in plain:
        return _is_footer(lines[place - 1])
    # "Sent from a magnificent torch of pixels": people change the words, and leave them a paragraph of one line.
    alone = place == start or not lines[place - 1].strip()
    return alone and len(line) <= _MOBILE_CHARS // 2 and bool(_ALONE.match(plain))


def _is_footer(line: str) -> bool:
    plain = line[:200].lower()
    return any(footer in plain for footer in FOOTERS)


def _without_blanks(lines: Sequence[str], start: int, end: int) -> int:
    while end > start and not lines[end - 1].strip():
        end -= 1
    return end


def _delimiter(lines: Sequence[str], start: int, end: int) -> int:
    """The first "-- " close enough to the end, or the line above a mailing list's footer."""
    for place in range(max(start, end - _SIGNATURE_LINES - 1), end):
        line = lines[place]
        if line[:1] not in "-–—_‐" or len(line) > 80:
            continue
        bare = line.rstrip()
        below = end - place - 1
        exact = line == "-- "
        if bare in ("--", "—", "––") and (exact or below <= _BARE_SIGNATURE_LINES) and not _in_code(lines, place, end):
            return place
        if (
            len(bare) >= 20
            and not bare.strip("_-")
            and below <= _FOOTER_LINES
            and _is_list_footer(lines[place + 1 : end])
        ):
            return place
    return end


def _in_code(lines: Sequence[str], place: int, end: int) -> bool:
    """Whether the line belongs to a diff or to SQL comments."""
    below = lines[place + 1 : min(end, place + 4)]
    if any(line.startswith("@@ -") for line in lines[max(0, place - _HUNK_LINES) : place]):
        return any(line.startswith(("+", "-", " ", "@")) for line in below)
    above = lines[place - 1] if place else ""
    return bool(below) and (below[0].startswith("--") or (above.startswith("--") and bool(below[0].strip())))


def _is_list_footer(lines: Sequence[str]) -> bool:
    text = " ".join(line[:200] for line in lines).lower()
    return bool(text.strip()) and (
        "mailing list" in text or "listinfo" in text or "mailman" in text or "unsubscribe" in text
    )
