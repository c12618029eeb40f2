"""What remains of a subject when machines answer each other: the key of the limits that end their loops."""

import re
import unicodedata

from shared.mail import limits
from shared.mail.machine.autowords import without_reply_words
from shared.mail.machine.notice import folded
from shared.mail.subject import plain_subject

_TAG = re.compile(
    r"[\[(【{＃#〔［（][^\[\](){}【】〔〕［］（）]{0,80}\d[^\[\](){}【】〔〕［］（）]{0,80}[\])】}〕］）]"
)
_WORD_WITH_DIGIT = re.compile(r"[^\W_]{0,40}[-#/.:_]{0,3}\d[\w#/.:-]{0,80}")
_WORDS = (
    r"\b(?:ticket|case|request|incident|issue|anfrage|vorgang|fall|demande|solicitud|caso|richiesta|zgłoszenie|заявка"
    r"|обращение|id|ref|nr|no)\b"
)
_TICKET_WORDS = re.compile(_WORDS)
_NUMBER_FIRST = re.compile(rf"\W{{0,4}}(?:{_WORDS})?\W{{0,4}}\d[\w.-]{{0,40}}\s{{0,3}}[:–-]")
_REST = re.compile(r"[\W_]+")
_ROUNDS = 200
"""Prefixes that are taken off; a subject has room for fewer."""


def subject_fingerprint(subject: str) -> str:
    """A subject without prefixes, "Automatic reply:", ticket tags, numbers, punctuation and blanks, in lower case.

    Two machines that answer each other change exactly these. May be empty: then all such subjects are one.
    """
    words = folded(unicodedata.normalize("NFKC", subject[: limits.LINE_CHARS])).strip()
    for _ in range(_ROUNDS):
        shorter = without_reply_words(plain_subject(_TAG.sub(" ", words), "\0"))
        shorter = _NUMBER_FIRST.sub("", shorter, count=1).strip() if _NUMBER_FIRST.match(shorter) else shorter
        if shorter == words:
            break
        words = shorter
    words = _WORD_WITH_DIGIT.sub(" ", words)
    return _REST.sub("", _TICKET_WORDS.sub(" ", words))
