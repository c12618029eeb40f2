"""What a mail says itself: without lines it quotes, and without the mail it returns, forwards or answers."""

import re
import unicodedata

# Word by word: normalising sorts the marks of one letter, which takes the square of their number.
_PIECE = re.compile(r"\S{1,200}")
_FOLD = re.compile(r"[\s\u00a0]+")


def folded(text: str) -> str:
    """For the search of phrases: composed (NFC), casefolded, white space as one blank, typewriter apostrophes."""
    return _FOLD.sub(
        " ", unicodedata.normalize("NFC", text).casefold().replace("’", "'").replace("‘", "'").replace("´", "'")
    )


def phrases(table: str) -> tuple[str, ...]:
    """The entries of a table of words, separated by ``|``, folded as the texts are that they are looked for in."""
    return tuple(dict.fromkeys(entry for part in table.split("|") if (entry := folded(part).strip())))


_EDGES = " \t-=_*#~>|:.…—–"
# Where the returned or forwarded mail begins. Compared in lower case, without the dashes around it.
_RETURNED = phrases(
    """
    this is a copy of the message | this is a copy of your message | this is a copy of the headers |
    this is a copy of the original | below this line is a copy of the message | below this line is the original |
    here is a copy of | a copy of the original message | a copy of the message headers | a copy of your message |
    the body of the message is | the header of the original message | the headers of the original message |
    the original message headers | the original message follows | the original message is | attachment is a copy |
    headers of the original message | header of the original message | headers follow | message header follows |
    message headers follow | message text follows | the following is a copy | the text of your message |
    returned message follows | returned message | undelivered message follows | unsent message follows |
    unsent message below | unsent message header | your message follows | your original message follows |
    your original message headers | your original message is | original message follows | original message header |
    original message | original mail | original header | text of the original message | begin message |
    beginning of the original message | start of returned message | start of original message | forwarded message |
    begin forwarded message | ursprüngliche nachrichtenkopfzeilen | ursprüngliche nachrichtenköpfe |
    ursprüngliche nachrichtenheader | originalkopfzeilen der nachricht | ursprüngliche nachricht |
    ursprungsnachricht | der header der ursprünglichen nachricht | originalnachricht | original-nachricht |
    weitergeleitete nachricht | anfang der weitergeleiteten | en-têtes de message d'origine |
    en-têtes du message d'origine | message d'origine | message transféré | message initial |
    encabezados de mensajes originales | encabezados del mensaje original | encabezados originales del mensaje |
    mensaje original | mensaje reenviado | intestazioni originali del messaggio | intestazioni messaggio originale |
    intestazioni del messaggio originale | messaggio originale | messaggio inoltrato |
    cabeçalhos originais da mensagem | cabeçalhos da mensagem original | mensagem original | mensagem encaminhada |
    oorspronkelijke berichtkoppen | oorspronkelijke berichtkopteksten | oorspronkelijk bericht |
    doorgestuurd bericht | ursprungligt meddelande | oprindelig meddelelse | opprinnelig melding |
    alkuperäinen viesti | oryginalne nagłówki wiadomości | wiadomość oryginalna | původní zpráva |
    исходное сообщение | исходные заголовки сообщения | пересылаемое сообщение | 元のメッセージ |
    元のメッセージ ヘッダー | 原始邮件 | 原始郵件 | 原始邮件头 | 原始消息 | 转发的邮件 | 원본 메시지
    """
)
_MARKERS = tuple(sorted(set(_RETURNED), key=len, reverse=True))
_HEADER = re.compile(r"(?:received: (?:from|by|\()|return-path: ?<|received:$)", re.IGNORECASE)
_LABEL = re.compile(r"\*{0,2}([^\s:：*][^:：*\n]{0,20}?)\*{0,2}\s?[:：]\*{0,2}\s?(.{0,200})")
_FROM_WORDS = frozenset(
    [
        "from",
        "von",
        "de",
        "da",
        "van",
        "från",
        "fra",
        "lähettäjä",
        "od",
        "от",
        "від",
        "από",
        "kimden",
        "מאת",
        "от",
        "feladó",
        "发件人",
        "寄件者",
        "差出人",
        "보낸",
        "送信者",
    ]
)
_MARKER_CHARS = 100
"""Of a line that announces the returned mail; longer ones are sentences."""
_LINE = 2000
"""Characters of one line that are kept."""

CHARS = 256 * 1024
"""Of a text that is looked at. A report on 500 recipients, each with five lines, is half of it."""


def own_lines(text: str, quotes_are_original: bool = True) -> tuple[list[str], str]:
    """The lines a mail says itself, and the rest from where another mail begins in it.

    Lines behind ``>`` are left out. The other mail begins at a marker ("Original message follows"), at trace headers
    or at a block of headers whose first is From.
    """
    lines = text[:CHARS].split("\n")
    own: list[str] = []
    seen = False
    for index, line in enumerate(lines):
        line = line[:_LINE]
        if seen and _begins_another(line, lines, index):
            return own, "\n".join(lines[index:])
        if quotes_are_original and line.startswith((">", "|>", " >")):
            continue
        own.append(line)
        seen = seen or bool(line.strip())
    return own, ""


def _begins_another(line: str, lines: list[str], index: int) -> bool:
    stripped = line.strip()
    if not stripped:
        return False
    if _HEADER.match(stripped):
        return True
    if len(stripped) <= _MARKER_CHARS:
        bare = folded(stripped).strip(_EDGES)
        if bare.startswith(_MARKERS) and not _is_sentence(bare, stripped):
            return True
    return _header_block(stripped, lines, index)


def _is_sentence(bare: str, stripped: str) -> bool:
    """Tells "Original message was rejected by …", a sentence, from "----- Original message -----", a mark."""
    marked = stripped[0] in "-=_*#~" or stripped.endswith((":", "：", ".", "-", "=", "_"))
    return not marked and bare not in _RETURNED


def _header_block(stripped: str, lines: list[str], index: int) -> bool:
    """Outlook's "From: … Sent: … To: … Subject: …" in any language: a sender, and labels in the lines below."""
    match = _LABEL.match(stripped)
    if not match or match[1].strip().casefold() not in _FROM_WORDS or not match[2]:
        return False
    following = [line.strip() for line in lines[index + 1 : index + 6]]
    return sum(1 for line in following if _LABEL.match(line)) >= 2
