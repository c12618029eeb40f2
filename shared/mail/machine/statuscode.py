"""Enhanced status codes (RFC 3463): read where a report states them, else found in what its text says."""

import re

from shared.mail.machine.notice import folded
from shared.mail.machine.statuswords import MEANINGS

_FIELD = re.compile(r"\s{0,20}([245])\.(\d{1,3})\.(\d{1,3})(?!\d)")
# Not part of an IP address, a version ("v5.1.1", "Exim 4.92.3") or a date: subjects end at 7 (RFC 3463 section 3).
_ENHANCED = re.compile(r"(?<![\w.])([245])\.([0-7])\.(\d{1,3})(?!\d|\.\d)")
_REPLY = re.compile(r"(?<![\w.@#/-])(4[2-7]\d|5[0-57]\d)(?:[ -](?=[A-Za-z<\"#'(\[])|$)", re.MULTILINE)
_CHARS = 4000
"""Of a diagnostic that are searched: ten lines of RFC 5321's reply, with room."""


def stated_status(value: str) -> str | None:
    """The code a Status field begins with; without leading zeros, comments dropped (``5.1.1 (unknown)``)."""
    match = _FIELD.match(value[:_CHARS])
    return ".".join(str(int(number)) for number in match.groups()) if match else None


def find_status(text: str) -> str | None:
    """The most telling code written in a text: the first that is not ``x.0.0``, else the first; never a success."""
    found = [
        f"{match[1]}.{int(match[2])}.{int(match[3])}"
        for match in _ENHANCED.finditer(text[: 16 * _CHARS])
        if match[1] != "2"
    ]
    return next((code for code in found if not is_vague(code)), next(iter(found), None))


def status_of_text(text: str) -> str | None:
    """The code in a text, or the one its words or its SMTP reply mean; None if it tells nothing.

    ``550 user unknown`` is 5.1.1, ``452 over quota`` 4.2.2, a plain ``550`` 5.0.0 (RFC 3463 section 3.1: other or
    undefined).
    """
    code = find_status(text)
    if code and not is_vague(code):
        return code
    reply = _REPLY.search(text[: 16 * _CHARS])
    meaning = _meaning(text)
    if meaning:
        return f"{reply[1][0]}{meaning[1:]}" if reply else meaning
    return code or (f"{reply[1][0]}.0.0" if reply else None)


def better_status(stated: str | None, diagnostic: str) -> str | None:
    """The code of a Status field, unless it says nothing (``5.0.0``) and the diagnostic holds one that does."""
    if stated is None:
        return status_of_text(diagnostic)
    found = find_status(diagnostic) if is_vague(stated) else None
    return found if found and not is_vague(found) else stated


def is_vague(code: str) -> bool:
    """Whether it names the class only."""
    return code.endswith(".0.0")


def has_reply_code(text: str) -> bool:
    """Whether a failing SMTP reply or enhanced code is in the text."""
    return find_status(text) is not None or _REPLY.search(text[: 16 * _CHARS]) is not None


def _meaning(text: str) -> str | None:
    words = folded(text[: 16 * _CHARS])
    return next((code for code, meant in MEANINGS if any(phrase in words for phrase in meant)), None)
