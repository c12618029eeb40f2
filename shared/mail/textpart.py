"""The text of one body part: decoded, unfolded, and freed of the files and armour old programs put into it."""

import re
from dataclasses import dataclass, field

from shared.mail import limits
from shared.mail.charset import decode, meta_charset
from shared.mail.flowed import unflow
from shared.mail.html.htmldigest import html_for_digest
from shared.mail.html.htmltext import html_to_text
from shared.mail.mime import Part
from shared.mail.parts.armour import open_armour
from shared.mail.parts.uuencode import extract_uu
from shared.mail.parts.yenc import BROKEN, extract_yenc
from shared.mail.text import clean_text

_ENRICHED = re.compile(r"<[^<>\n]{1,60}>")


@dataclass(slots=True)
class TextPart:
    """What one part says."""

    text: str
    """For people."""
    sent: str
    """As it was before anything in it was unpacked or made readable: what the content digest is made of."""
    html: str | None = None
    files: list[tuple[str, bytes]] = field(default_factory=list)
    """From uuencode: name as sent, content. Their bytes are not in ``sent``."""
    unpacked: list[tuple[str, bytes]] = field(default_factory=list)
    """From yEnc: likewise, but ``sent`` holds their code."""
    encrypted: tuple[str, ...] = ()
    """PGP messages."""
    defects: list[str] = field(default_factory=list)


def read_text(part: Part, data: bytes, hint: str | None) -> TextPart:
    """The text of a part whose transfer encoding is undone. ``hint``: the charset of the mail's other texts."""
    if part.content_type == "text/html":
        return _read_html(part, data, hint)
    rest, files = extract_yenc(data) if b"=ybegin " in data else (data, [])
    found = _read_plain(part, rest, hint)
    if files:
        found.sent = _read_plain(part, data, hint).sent
        found.unpacked = [(decode(file.name, None, hint)[0], file.content) for file in files]
        found.defects += [] if all(file.intact for file in files) else [BROKEN]
    return found


def _read_plain(part: Part, data: bytes, hint: str | None) -> TextPart:
    text, defect = decode(data, part.parameters.raw("charset"), hint)
    text = clean_text(text)
    if part.content_type in ("text/enriched", "text/richtext"):
        text = _ENRICHED.sub("", text)
    if part.parameters.raw("format").lower() == "flowed":
        text = unflow(text, part.parameters.raw("delsp").lower() == "yes")
    text, files = extract_uu(text)
    opened = open_armour(text)
    return TextPart(opened.text, text, None, files, [], opened.encrypted, [defect] if defect else [])


def _read_html(part: Part, data: bytes, hint: str | None) -> TextPart:
    text, defect = decode(data, part.parameters.raw("charset"), meta_charset(data) or hint)
    source = clean_text(text)
    defects = [defect] if defect else []
    if len(source) > limits.HTML_CHARS:
        source = source[: limits.HTML_CHARS]
        defects.append("truncated:html")
    # Cleaned again: character references can name what the source may not hold.
    opened = open_armour(clean_text(html_to_text(source)))
    return TextPart(opened.text, clean_text(html_for_digest(source)), source, [], [], opened.encrypted, defects)
