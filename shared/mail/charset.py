"""Bytes to text: the charset as declared, as meant, or as it looks.

Labels are read as the WHATWG Encoding Standard reads them (gb2312 means gb18030, iso-8859-1 means
windows-1252). Only the codecs named here are ever used: Python knows more (punycode, idna, unicode_escape,
zip), and some of them hang, raise or rewrite the text.
"""

import codecs
import re

from shared.mail.detect import detect

GUESSED = "charset-guessed"
UNKNOWN = "charset-unknown"
REPLACED = "charset-replaced"

# Our name for the codec: labels, compressed to letters and digits. "x" and "iso" in front are tried
# without, too.
_LABELS: dict[str, str] = {
    "utf-8": "utf8 unicode11utf8 unicode20utf8 cp65001 utf utf8mb4",
    "utf-7": "utf7 unicode11utf7 csunicode11utf7",
    "utf-16": "utf16 unicode ucs2 iso10646ucs2 csunicode",
    "utf-16-le": "utf16le unicodefeff",
    "utf-16-be": "utf16be unicodefffe",
    "utf-32": "utf32",
    "ascii": "ascii usascii ansix341968 iso646us us 7bit 8bit default",
    "windows-1252": "ansi iso88591 88591 iso885911987 latin1 l1 windows1252 cp1252 cp819 ibm819 http western en",
    "cp1250": "windows1250 cp1250",
    "cp1251": "windows1251 cp1251 win1251 win",
    "cp1253": "windows1253 cp1253",
    "cp1254": "windows1254 cp1254 iso88599 88599 latin5 l5 iso885991989",
    "cp1255": "windows1255 cp1255",
    "cp1256": "windows1256 cp1256",
    "cp1257": "windows1257 cp1257",
    "cp1258": "windows1258 cp1258",
    "cp874": "windows874 cp874 tis620 iso885911 dos874",
    "iso8859-2": "iso88592 88592 latin2 l2 iso885921987",
    "iso8859-3": "iso88593 latin3 l3",
    "iso8859-4": "iso88594 latin4 l4",
    "iso8859-5": "iso88595 cyrillic",
    "iso8859-6": "iso88596 arabic iso88596e iso88596i",
    "iso8859-7": "iso88597 greek greek8 elot928",
    "iso8859-8": "iso88598 hebrew iso88598i iso88598e visual logical",
    "iso8859-10": "iso885910 latin6 l6",
    "iso8859-13": "iso885913",
    "iso8859-14": "iso885914",
    "iso8859-15": "iso885915 latin9 l9 iso885915euro",
    "iso8859-16": "iso885916",
    "koi8-r": "koi8r koi8 koi",
    "koi8-u": "koi8u koi8ru",
    "cp437": "cp437 ibm437",
    "cp850": "cp850 ibm850",
    "cp852": "cp852 ibm852",
    "cp866": "cp866 ibm866 866",
    "mac-roman": "macintosh mac macroman applemacintosh",
    "mac-cyrillic": "maccyrillic macukrainian",
    "cp932": "shiftjis sjis ms932 mskanji windows31j cp932 csshiftjis shiftjis2004 shiftjisx0213 mssjis",
    "euc_jp": "eucjp cseucpkdfmtjapanese ujis eucjpms cp51932",
    "iso2022_jp": "jis iso2022jp iso2022jp1 iso2022jp2 iso2022jp3 iso2022jpext iso2022jpms cp50220 cp50221 cp50222 "
    "csiso2022jp",
    "gb18030": "gb18030 gbk gb2312 gb23121980 gb231280 chinese csgb2312 cp936 ms936 windows936 euccn cngb gb",
    "hz": "hzgb2312 hz",
    "big5hkscs": "big5 big5hkscs cnbig5 csbig5 big5eten big5tw",
    "cp950": "cp950 ms950 windows950",
    "cp949": "euckr ksc5601 ksc56011987 ksc56011989 ksc56011992 korean cp949 ms949 uhc windows949 isoir149 cseuckr",
    "iso2022_kr": "iso2022kr csiso2022kr",
    "johab": "johab cp1361",
}
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}
# Those that fail on text they are not made for, so that success means something.
_STRICT = frozenset(
    """ascii utf-8 utf-7 utf-16 utf-16-le utf-16-be utf-32 cp932 euc_jp iso2022_jp
    gb18030 hz big5hkscs cp950 cp949 iso2022_kr johab""".split()  # noqa: SIM905 - a list of names, not of strings
)
_WIDE = frozenset(["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
# Text in these is not text when read as ASCII.
_SEVEN_BIT = frozenset(["utf-7", "iso2022_jp", "hz", "iso2022_kr"]) | _WIDE
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# windows-1252 as browsers have it: the five bytes Microsoft left out are C1 controls, so that nothing ever
# fails.
_WINDOWS_1252 = "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(256))

_META = re.compile(rb"<meta[^>]{0,200}?charset\s{0,3}=\s{0,3}[\"']?\s{0,3}([\w.:-]{1,40})", re.IGNORECASE)
_META_BYTES = 4096
"""Where a document must name its charset (HTML: the first 1024 bytes); mail programs put styles in front."""
_SAMPLE = 64 * 1024
"""Bytes looked at to guess a charset."""


def codec_of(label: str | None) -> str | None:
    """The codec a charset label means; None if we do not know it (or will not use it)."""
    key = re.sub(r"[^a-z0-9]+", "", (label or "")[:80].lower().split("*")[0])
    key = key.removeprefix("charset")
    return _CODECS.get(key) or _CODECS.get(key.removeprefix("x")) or _CODECS.get(key.removeprefix("iso"))


def meta_charset(html: bytes) -> str | None:
    """The charset an HTML document names for itself in a meta element."""
    match = _META.search(html[:_META_BYTES])
    return match[1].decode("ascii", "replace") if match else None


def decode(data: bytes, label: str | None = None, hint: str | None = None) -> tuple[str, str | None]:
    """The text, and a defect code if the declared charset did not give it.

    ``label`` is what was declared for these bytes; ``hint`` what the surroundings suggest (the body's
    charset for a raw 8-bit header, the meta element for HTML). Tried in this order: byte order mark; for
    single-byte charsets UTF-8, which almost never fits by accident; the declared one; UTF-8; the hint; what
    it looks like; windows-1252, which always fits.
    """
    for mark, codec in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, "replace"), None
    declared = codec_of(label)
    defect = UNKNOWN if label and label.strip() and not declared else None
    if declared not in _SEVEN_BIT or (declared in _WIDE and b"\0" not in data):
        plain = _seven_bit(data)
        if plain is not None:
            return plain, defect
    text = _declared(data, declared) if declared else None
    if text is not None:
        return text, defect
    return _guess(data, declared, codec_of(hint), defect)


def _seven_bit(data: bytes) -> str | None:
    """ASCII, or undeclared ISO-2022-JP, which is ASCII with escape sequences; None for 8-bit bytes."""
    if not data.isascii():
        return None
    if b"\x1b$" in data:
        text = _strict(data, "iso2022_jp")
        if text is not None:
            return text
    return data.decode("ascii")


def _declared(data: bytes, codec: str) -> str | None:
    if codec in _STRICT:
        return _strict(data, codec)
    text = _strict(data, "utf-8")
    return text if text is not None else _strict(data, codec)


def _guess(data: bytes, declared: str | None, hint: str | None, defect: str | None) -> tuple[str, str | None]:
    guessed = defect or GUESSED
    for codec in ("utf-8", None if hint == "windows-1252" else hint):
        text = _strict(data, codec) if codec else None
        if text is not None:
            return text, defect or (GUESSED if declared else None)
    meant = declared if declared not in (None, "ascii") else "utf-8"
    repaired, lost = _repaired(data, meant or "utf-8")
    if lost < 0.1:
        return repaired, REPLACED
    codec = detect(data[:_SAMPLE])
    text = _strict(data, codec) if codec else None
    if text is not None:
        return text, guessed
    if lost < 0.5:
        return repaired, REPLACED
    return _strict(data, "windows-1252") or "", guessed


def _repaired(data: bytes, codec: str) -> tuple[str, float]:
    """The text with replacement characters, and their share of what is not ASCII: few are a cut or a broken line."""
    text = data.decode(codec, "replace")
    others = sum(1 for character in text[:_SAMPLE] if character >= "\x80")
    return text, text.count("\ufffd", 0, _SAMPLE) / max(others, 1)


def _strict(data: bytes, codec: str) -> str | None:
    if codec == "windows-1252":
        return codecs.charmap_decode(data, "strict", _WINDOWS_1252)[0]
    try:
        return data.decode(codec)
    except (UnicodeError, ValueError):
        pass
    if codec == "iso2022_jp":
        return _jis(data)
    if codec == "big5hkscs":
        return _strict(data, "cp950")
    if codec == "euc_jp":
        return _strict(data, "euc_jis_2004")
    return None


_JIS_ESCAPE = re.compile(rb"(\x1b\$[@B]|\x1b\$\([DQ]|\x1b\([BJI])")


def _jis(data: bytes) -> str | None:
    """ISO-2022-JP with what Windows puts in it: NEC's special characters and half-width kana (cp50221)."""
    if not data.isascii():
        return None
    text: list[str] = []
    escape = b"\x1b(B"
    try:
        for piece in _JIS_ESCAPE.split(data):
            if piece.startswith(b"\x1b") and _JIS_ESCAPE.fullmatch(piece):
                escape = piece
            elif escape == b"\x1b(I":
                text.append(bytes(byte | 0x80 for byte in piece).decode("cp932"))
            elif escape.startswith(b"\x1b$"):
                text.append(_kanji(piece))
            else:
                text.append(piece.decode("ascii"))
    except UnicodeError:
        return None
    return "".join(text)


def _kanji(piece: bytes) -> str:
    """Double bytes of JIS X 0208; a newline ends them even without an escape sequence (RFC 1468)."""
    lines = piece.split(b"\n")
    return "\n".join(bytes(byte | 0x80 for byte in line.rstrip(b"\r")).decode("euc_jis_2004") for line in lines)
