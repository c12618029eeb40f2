"""The files of a winmail.dat in its place, and its text where the mail has no other."""

import re

from shared.mail import limits
from shared.mail.attachment import FALLBACK_NAME, Attachment, safe_name
from shared.mail.gathering import Gathering
from shared.mail.html.htmltext import html_to_text
from shared.mail.naming import subject_name
from shared.mail.parts.tnef import Tnef, TnefFile, read_tnef
from shared.mail.piece import Piece
from shared.mail.text import clean_text, one_line

_TYPES = frozenset(["application/ms-tnef", "application/vnd.ms-tnef"])
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,120}")


def is_winmail(content_type: str, name: str) -> bool:
    """Whether a part may be TNEF; gateways change its type or its name, never both."""
    return content_type in _TYPES or name.lower() == "winmail.dat"


def keep_winmail(content: bytes, content_type: str, gathering: Gathering) -> bool:
    """Put what was in a winmail.dat in its place; whether there was anything."""
    tnef = read_tnef(content)
    if tnef is None:
        return False
    gathering.defects += tnef.defects
    if tnef.empty:
        return False
    if len(tnef.files) > gathering.unpacked_left:
        gathering.defects.append("truncated:parts")
        return False
    gathering.unpacked_left -= len(tnef.files)
    gathering.replaced(content_type, content)
    for file in tnef.files:
        gathering.add_unpacked(_attachment(file, len(gathering.attachments) + 1))
    gathering.packed.append(_piece(tnef))
    return True


def _attachment(file: TnefFile, number: int) -> Attachment:
    kind = file.content_type if _TYPE.fullmatch(file.content_type) else "application/octet-stream"
    name = one_line(file.name, limits.LINE_CHARS)
    if kind == "message/rfc822":
        name = f"{subject_name(name)}.eml"
    content_id = one_line(file.content_id, limits.LINE_CHARS).strip(" <>") or None
    location = one_line(file.content_location, limits.LINE_CHARS) or None
    return Attachment(safe_name(name or f"{FALLBACK_NAME}-{number}"), kind, file.content, content_id, False, location)


def _piece(tnef: Tnef) -> Piece:
    source = tnef.html[: limits.HTML_CHARS] if tnef.html else None
    text = tnef.text or (clean_text(html_to_text(source)) if source else "")
    return Piece(text[: limits.TEXT_CHARS], source, not tnef.text)
