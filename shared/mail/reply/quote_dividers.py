"""Lines between a reply and the older mail below it: "-----Original Message-----", "Begin forwarded message:"."""

import re

from shared.mail.reply.quote_words import APPLE_FORWARDED, FORWARDED, ORIGINAL

_ORIGINAL, _FORWARDED, _APPLE_FORWARDED = frozenset(ORIGINAL), frozenset(FORWARDED), frozenset(APPLE_FORWARDED)
# "##- Please type your reply above this line -##"
_REPLY_ABOVE = re.compile(
    r"(?:reply|response|antwort|antworten|répond(?:re|ez)|réponse|responda|respuesta|rispondi|antwoord|svara|odpowiedź)\b"
    r".{0,60}\b(?:above|oberhalb|über|au-dessus|encima|arriba|acima|sopra|boven|ovanför|powyżej)\b",
    re.IGNORECASE,
)
_DASHES = "-‐‑‒–—―_=*~#+ \t\u00a0>"
_DASH_RUN = re.compile(r"[ \t\u00a0>]{0,8}[-‐‑‒–—―_=*~#+]{2}")
_DIVIDER_CHARS = 150


def is_rule(line: str) -> bool:
    """A line of dashes or the like and nothing else."""
    stripped = line.strip()
    return 2 < len(stripped) <= _DIVIDER_CHARS and not stripped.strip(_DASHES)


def is_dashed(line: str) -> bool:
    """Words between dashes, in whatever language: a divider if a header block follows."""
    return len(line) <= _DIVIDER_CHARS and bool(_DASH_RUN.match(line)) and line.rstrip()[-1:] in _DASHES


def is_original(line: str) -> bool:
    """ "-----Original Message-----" and its sisters; also the "please reply above this line" of help desks."""
    if len(line) > _DIVIDER_CHARS or not _DASH_RUN.match(line):
        return False
    words = _between_dashes(line)
    return words in _ORIGINAL or bool(_REPLY_ABOVE.search(words))


def is_forward(line: str) -> bool:
    """ "---------- Forwarded message ---------" or Apple's "Begin forwarded message:"."""
    if len(line) > _DIVIDER_CHARS:
        return False
    words = _between_dashes(line)
    if _DASH_RUN.match(line):
        return words in _FORWARDED or words.startswith(("forwarded by ", "weitergeleitet von "))
    return words in _APPLE_FORWARDED and line.rstrip(" *\u00a0").endswith((":", "："))


def is_undashed_original(line: str) -> bool:
    """The words alone; they divide only if a header block follows."""
    words = _between_dashes(line)
    return words in _ORIGINAL or words in _FORWARDED


def _between_dashes(line: str) -> str:
    return line.strip(_DASHES + ":：").strip().lower()
