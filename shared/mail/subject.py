"""Subjects: the incident's number in it, and what remains without prefixes."""

import re
import unicodedata

from shared.mail import limits

# Corner brackets that Chinese and Japanese writers and gateways put in place of ours.
_OPEN, _CLOSE = "[\\[［【〔〖「]", "[\\]］】〕〗」]"

# "Re:", "AW:" and their sisters, as mail programs write them.
_ANSWER_WORDS = (
    *(
        "re",
        "aw",
        "antw",
        "antwort",
        "sv",
        "vs",
        "vá",
        "válasz",
        "ref",
        "rif",
        "r",
        "res",
        "resp",
        "rép",
        "odp",
        "odg",
    ),
    *(
        "ynt",
        "yanıt",
        "cev",
        "bls",
        "atb",
        "at",
        "ats",
        "ats.",
        "vb",
        "svar",
        "отв",
        "ответ",
        "відп",
        "σχετ",
        "απ",
    ),
    *(
        "תשובה",
        "השב",
        "رد",
        "回复",
        "回覆",
        "答复",
        "答覆",
        "返信",
        "回信",
        "답장",
        "회신",
        "trả lời",
        "bal",
    ),
)
# "Fwd:", "WG:" and theirs.
_FORWARD_WORDS = (
    *(
        "rv",
        "fwd",
        "fw",
        "wg",
        "weiterl",
        "tr",
        "enc",
        "i",
        "inoltra",
        "pd",
        "podaj dál",
        "doorst",
        "vl",
        "fs",
        "ilt",
        "i̇lt",
        "trs",
    ),
    *(
        "továbbítás",
        "továbbított",
        "ff",
        "pren",
        "пер",
        "пересл",
        "переслано",
        "перенапр",
        "πρθ",
        "הועבר",
        "إعادة توجيه",
    ),
    *("转发", "轉寄", "轉發", "転送", "전달", "chuyển tiếp", "terusan"),
)


def _prefix(words: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(map(re.escape, words), key=len, reverse=True)
    counter = r"\s{0,2}(?:\[\d{1,4}\]|\(\d{1,4}\)|\^\d{1,4}|\*\d{1,4}|\d{1,2})?\s{0,2}[:：]"
    return re.compile(rf"\s*(?:{'|'.join(longest_first)}){counter}", re.IGNORECASE)


_PREFIX = _prefix(_ANSWER_WORDS + _FORWARD_WORDS)
_FORWARD = _prefix(_FORWARD_WORDS)


def incident_numbers(subject: str, prefix: str = "INC") -> tuple[int, ...]:
    """The incident numbers tagged in a subject as ``[INC-000123]``, in order, without repeats.

    Brackets are required: ``INC-7`` in running text is somebody's words. Numbers never decide alone.
    """
    plain = unicodedata.normalize("NFKC", subject[: 2 * limits.LINE_CHARS])  # full-width letters and digits, too
    found = (int(match[1]) for match in _tag(prefix).finditer(plain))
    return tuple(dict.fromkeys(number for number in found if number > 0))[: limits.SUBJECT_TAGS]


def plain_subject(subject: str, prefix: str = "INC") -> str:
    """The subject without answer and forward prefixes and without our tag, for display and comparison."""
    subject = _tag(prefix).sub(" ", subject[: 2 * limits.LINE_CHARS])
    position = 0
    while match := _PREFIX.match(subject, position):
        position = match.end()
    return " ".join(subject[position:].split())


def is_forward(subject: str) -> bool:
    """Whether a subject begins as that of a forwarded mail does (``Fwd:``, ``WG:``, ``TR:``)."""
    return _FORWARD.match(subject[: limits.LINE_CHARS]) is not None


def _tag(prefix: str) -> re.Pattern[str]:
    # Nine digits are a billion incidents; more is another system's number.
    number = r"\s?[-‐‑‒–—－_]?\s?#?([0-9０-９]{1,9})"
    return re.compile(rf"{_OPEN}\s{{0,3}}{re.escape(prefix)}{number}\s{{0,3}}{_CLOSE}", re.IGNORECASE)
