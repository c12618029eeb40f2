"""What charset undeclared 8-bit bytes look like. A guess from letter frequencies, made only where nothing else says.

It knows the scripts whose mail comes without a declaration; Western European text is what remains (None).
"""

import codecs
import re
from collections.abc import Callable

_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_ASCII_LETTER = re.compile(rb"[A-Za-z]")
_PAIR = re.compile(rb"[\x80-\xff][\x40-\xff]")

# The letters that make up most of a text, in lower case. A wrong charset of the same script gives capitals
# or signs.
_COMMON_LETTERS = {
    "cp1251": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфії",
    "koi8-r": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэф",
    "cp866": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэф",
    "iso8859-5": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэф",
    "cp1253": "αοιετσνηυρπκμλωςδγχθφβξζψάίόέήύώ",
    "cp1255": "יוהלאברתשמנדםקעפגטחכסצזןךףץ",
    "cp1256": "اليمونرتبةعدسفهكقحجشطصخذزئءأإثغض",
}
_THAI = "กขคงจชซดตถทธนบปผพภมยรลวศสหอะาิีึืุูเแโใไำ่้็์ั"
_ENOUGH = 0.7
"""Share of the bytes beyond ASCII that must be common letters; names have capitals, which are not counted."""
_SURE = 0.95
"""Share at which a script is believed although the bytes could be Chinese: a Russian word of six letters could."""


def detect(data: bytes) -> str | None:
    """The codec the bytes most look like, or None for Western European text (or too little of any)."""
    script, share = _scripted(data)
    if script and share > _SURE:
        return script
    for codec, fits in _MULTIBYTE:
        if fits(data) and _decodes(data, codec):
            return codec
    return script


def _decodes(data: bytes, codec: str) -> bool:
    """Whether the bytes are valid; the last character may be cut, as ``data`` may be a sample."""
    try:
        codecs.getincrementaldecoder(codec)().decode(data)
    except UnicodeError:
        return False
    return True


def _pairs(data: bytes) -> list[bytes]:
    """Two-byte characters whose second byte is high, too; empty unless nearly all high bytes come in pairs."""
    runs = _HIGH_RUN.findall(data)
    even = sum(1 for run in runs if len(run) % 2 == 0)
    if even < 0.9 * len(runs):
        return []
    return [run[at : at + 2] for run in runs for at in range(0, len(run) - 1, 2)]


def _share(pairs: list[bytes], low: int, high: int) -> float:
    return sum(1 for pair in pairs if low <= pair[0] <= high) / len(pairs) if pairs else 0.0


def _is_euc_jp(data: bytes) -> bool:
    """Kana are rows 4 and 5; no Japanese sentence is without."""
    pairs = _pairs(data)
    return _share(pairs, 0xA4, 0xA5) > 0.2 and _share(pairs, 0xA1, 0xCF) > 0.8


def _is_shift_jis(data: bytes) -> bool:
    """Kana begin with 0x82 and 0x83, which are nearly unused in other charsets; no Japanese sentence is without."""
    pairs = _PAIR.findall(data)
    return _share(pairs, 0x82, 0x83) > 0.05 and _share(pairs, 0x81, 0x9F) + _share(pairs, 0xE0, 0xEA) > 0.9


def _is_euc_kr(data: bytes) -> bool:
    """Hangul are rows 16 to 40; Chinese has a quarter of its characters behind them."""
    return _share(_pairs(data), 0xB0, 0xC8) > 0.95


def _is_gbk(data: bytes) -> bool:
    """The common characters are rows 16 to 55, punctuation rows 1 and 3."""
    pairs = _pairs(data)
    return _share(pairs, 0xB0, 0xD7) + _share(pairs, 0xA1, 0xA3) > 0.9


def _is_big5(data: bytes) -> bool:
    """The common characters begin with 0xA4 to 0xC6, punctuation with 0xA1."""
    pairs = _PAIR.findall(data)
    second_high = sum(1 for pair in pairs if pair[1] >= 0x80)
    if len(pairs) < 2 or second_high < 0.2 * len(pairs):  # then they are single Western letters
        return False
    return _share(pairs, 0xA4, 0xC6) + _share(pairs, 0xA1, 0xA1) > 0.9


_MULTIBYTE: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("euc_jp", _is_euc_jp),
    ("cp932", _is_shift_jis),
    ("cp949", _is_euc_kr),
    ("gb18030", _is_gbk),
    ("big5hkscs", _is_big5),
)


def _scripted(data: bytes) -> tuple[str | None, float]:
    """The charset of one byte per letter that fits best, and how well.

    In such scripts words are all high bytes; hardly an ASCII letter touches them.
    """
    runs = list(_HIGH_RUN.finditer(data))
    high = sum(len(run[0]) for run in runs)
    touched = sum(1 for run in runs if _touches_ascii(data, run))
    if high < 4 or touched > 0.2 * len(runs):
        return None, 0.0
    shares = {codec: _letters(data, codec, letters) / high for codec, letters in _COMMON_LETTERS.items()}
    best = max(shares, key=lambda codec: shares[codec])
    if shares[best] > _ENOUGH:
        return best, shares[best]
    # Thai fills its half of the table with letters, so that anything looks a little like it.
    thai = _letters(data, "cp874", _THAI) / high
    return ("cp874", _ENOUGH) if thai > _SURE else (None, 0.0)


def _letters(data: bytes, codec: str, letters: str) -> int:
    return sum(map(data.decode(codec, "ignore").count, letters))


def _touches_ascii(data: bytes, run: re.Match[bytes]) -> bool:
    before, after = data[max(run.start() - 1, 0) : run.start()], data[run.end() : run.end() + 1]
    return bool(_ASCII_LETTER.fullmatch(before) or _ASCII_LETTER.fullmatch(after))
