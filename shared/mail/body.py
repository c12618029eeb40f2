"""Which parts are the text and which are files: RFC 8621 section 4.1.4 (JMAP), the best rule written down so far.

The tree is folded from its leaves: each part becomes a piece of text, of HTML, or an attachment; a
multipart joins the pieces of its children, or chooses among them (multipart/alternative).
"""

import html
import re
from dataclasses import dataclass, field

from shared.mail import limits
from shared.mail.attachment import FALLBACK_NAME, Attachment, safe_name
from shared.mail.charset import decode, meta_charset
from shared.mail.encodedword import decode_header
from shared.mail.flowed import unflow
from shared.mail.header import read_block, skip_leading_junk
from shared.mail.htmltext import html_to_text
from shared.mail.mime import Part
from shared.mail.parameter import Parameters
from shared.mail.text import clean_text, one_line
from shared.mail.transfer import decode_transfer
from shared.mail.uuencode import extract_uu

_CID = re.compile(r"cid:([^\s\"'<>)]{1,500})", re.IGNORECASE)
_BODY_TYPES = frozenset(["text/plain", "text/html", "text/enriched", "text/richtext", "multipart/alternative"])
_ENRICHED = re.compile(r"<[^<>\n]{1,60}>")
_EXTENSIONS = {
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "text/rfc822-headers": ".txt",
    "message/rfc822": ".eml",
    "message/global": ".eml",
    "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt",
    "message/feedback-report": ".txt",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/pgp-signature": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "application/ms-tnef": ".dat",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/svg+xml": ".svg",
    "image/tiff": ".tif",
}


@dataclass(slots=True)
class Body:
    """What a mail says and brings."""

    text: str
    html: str | None
    attachments: tuple[Attachment, ...]
    defects: list[str]


@dataclass(slots=True)
class _Piece:
    """A part's share of the body."""

    text: str = ""
    html: str | None = None
    from_html: bool = False  # the text was made from the HTML


@dataclass(slots=True)
class _Reader:
    hint: str | None
    attachments: list[Attachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    text_left: int = limits.TEXT_CHARS
    html_left: int = limits.HTML_CHARS


def body_charset(parts: list[Part]) -> str | None:
    """The charset of the first text: what undeclared 8-bit bytes elsewhere in the mail are most likely in."""
    for part in parts:
        if part.content_type.startswith("text/") and (charset := part.parameters.raw("charset")):
            return charset
    return None


def read_body(raw: bytes, parts: list[Part], hint: str | None) -> Body:
    """The text, the HTML and the attachments of the tree that ``parts`` is, in document order."""
    reader = _Reader(hint)
    named = any(_is_text(part, False) for part in parts)
    leaves: dict[int, _Piece] = {}
    for part in parts:
        if part.is_multipart:
            continue
        if _is_text(part, first_named=not named):
            leaves[id(part)] = _text_piece(raw, part, reader)
        else:
            reader.attachments.append(_attachment(raw, part, reader))
    piece = _fold(parts, leaves)
    attachments = _mark_inline(reader.attachments, piece.html)
    return Body(piece.text.strip("\n").rstrip(), piece.html, attachments, reader.defects)


def _fold(parts: list[Part], leaves: dict[int, _Piece]) -> _Piece:
    """The root's piece. Children stand behind their parent in the list, so reading it backwards meets them first."""
    pieces = dict(leaves)
    for part in reversed(parts):
        if part.children:
            children = [pieces[id(child)] for child in part.children if id(child) in pieces]
            pieces[id(part)] = _chosen(children) if part.content_type == "multipart/alternative" else _joined(children)
    return pieces.get(id(parts[0]), _Piece())


def _joined(children: list[_Piece]) -> _Piece:
    """Several texts in a row are one body: Apple Mail sends text, image, text."""
    texts = [child.text.strip("\n") for child in children if child.text.strip()]
    sources = [child.html if child.html is not None else _as_html(child.text) for child in children]
    has_html = any(child.html is not None for child in children)
    joined = "\n".join(source for source in sources if source) if has_html else None
    return _Piece("\n".join(texts), joined, any(child.from_html for child in children))


def _chosen(children: list[_Piece]) -> _Piece:
    """multipart/alternative: the plain text as sent, if there is one with any words, and the last HTML."""
    plain = [child.text for child in children if child.text.strip() and not child.from_html]
    made = [child.text for child in children if child.text.strip() and child.from_html]
    sources = [child.html for child in children if child.html is not None]
    text = "\n".join(dict.fromkeys(plain)) if plain else (made[-1] if made else "")
    return _Piece(text, sources[-1] if sources else None, not plain and bool(made))


def _as_html(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>" if text.strip() else ""


def _is_text(part: Part, first_named: bool) -> bool:
    """Whether a leaf is part of the body (JMAP's isInline).

    ``first_named``: no part is text for certain, so the first one with a file name may be.
    """
    if part.content_type.startswith("multipart/") and not part.children:
        return not part.dissolved
    if part.content_type not in _BODY_TYPES:
        return False
    root = part.parent is None
    if _disposition(part) == "attachment":
        return root and not _declared_name(part)
    if part.parent is not None and part.parent.content_type == "multipart/related" and not _is_root(part):
        return False
    # A name on the first part is some mail programs' habit; on a later one it makes a file.
    return part.position == 0 or first_named or not _declared_name(part)


def _is_root(part: Part) -> bool:
    """Whether the part is the document of its multipart/related: the first that can be (RFC 2387 section 3.2)."""
    siblings = part.parent.children if part.parent else [part]
    return next((sibling is part for sibling in siblings if sibling.content_type in _BODY_TYPES), False)


def _disposition(part: Part) -> str:
    """RFC 2183 section 2.8: what is neither inline nor known is an attachment."""
    value = Parameters(part.header("content-disposition") or b"").value
    return value if value in ("", "inline") else "attachment"


def _declared_name(part: Part, hint: str | None = None) -> str:
    """The file name as sent: filename, or what broken senders write in its place."""
    disposition = Parameters(part.header("content-disposition") or b"", hint)
    content_type = Parameters(part.header("content-type") or b"", hint)
    candidates = (disposition.text("filename"), content_type.text("name"), disposition.text("file"))
    return next(
        (name for name in (*candidates, disposition.text("name"), content_type.text("filename")) if name.strip()),
        "",
    )


def _decoded(raw: bytes, part: Part, reader: _Reader, limit: int | None = None) -> bytes:
    data = raw[part.start : part.end]
    if limit is not None and len(data) > limit:
        data = data[:limit]
        reader.defects.append("truncated:text")
    encoding = (part.header("content-transfer-encoding") or b"").decode("latin-1").split("(")[0]
    if part.content_type.startswith("multipart/"):
        encoding = ""
    content, defect = decode_transfer(data, encoding)
    if defect:
        reader.defects.append(defect)
    return content


def _text_piece(raw: bytes, part: Part, reader: _Reader) -> _Piece:
    data = _decoded(raw, part, reader, limits.BODY_BYTES)
    is_html = part.content_type == "text/html"
    text, defect = decode(
        data, part.parameters.raw("charset"), (meta_charset(data) if is_html else None) or reader.hint
    )
    if defect:
        reader.defects.append(defect)
    text = clean_text(text)
    if is_html:
        source = _within(text, reader.html_left, "truncated:html", reader)
        reader.html_left -= len(source)
        # Cleaned again: character references can name what the source may not hold.
        return _Piece(_counted(clean_text(html_to_text(source)), reader), source, True)
    if part.content_type in ("text/enriched", "text/richtext"):
        text = _ENRICHED.sub("", text)
    if part.parameters.raw("format").lower() == "flowed":
        text = unflow(text, part.parameters.raw("delsp").lower() == "yes")
    text, files = extract_uu(text)
    for name, content in files:
        reader.attachments.append(Attachment(safe_name(name), "application/octet-stream", content, None, False))
    return _Piece(_counted(text, reader))


def _counted(text: str, reader: _Reader) -> str:
    text = _within(text, reader.text_left, "truncated:text", reader)
    reader.text_left -= len(text)
    return text


def _within(text: str, limit: int, defect: str, reader: _Reader) -> str:
    if len(text) <= limit:
        return text
    reader.defects.append(defect)
    return text[:limit]


def _attachment(raw: bytes, part: Part, reader: _Reader) -> Attachment:
    content = _decoded(raw, part, reader)
    name = _declared_name(part, reader.hint)
    if part.content_type in ("message/rfc822", "message/global"):
        name = _message_name(name, content, reader.hint)
    if not name.strip():
        name = _made_name(part, len(reader.attachments) + 1)
    content_id = one_line((part.header("content-id") or b"").decode("latin-1"), limits.LINE_CHARS).strip(" <>") or None
    inline = part.content_type.startswith("image/") and _disposition(part) == "inline" and _shown(part)
    return Attachment(safe_name(name), part.content_type, content, content_id, inline)


def _shown(part: Part) -> bool:
    return b"inline" in (part.header("content-disposition") or b"").lower()


def _message_name(name: str, content: bytes, hint: str | None) -> str:
    """An attached mail is named after its subject if the sender gave no name."""
    if not name.strip():
        fields = read_block(content, skip_leading_junk(content)).fields
        subject = next((entry.value for entry in fields if entry.name.lower() == "subject"), b"")
        name = one_line(decode_header(subject, hint), limits.NAME_CHARS - 4)
        name = re.sub(r"[/\\]", "-", name).strip(" .") or "message"
    return name if name.lower().endswith((".eml", ".msg", ".mht")) else name + ".eml"


def _made_name(part: Part, number: int) -> str:
    return f"{FALLBACK_NAME}-{number}{_EXTENSIONS.get(part.content_type, '')}"


def _mark_inline(attachments: list[Attachment], source: str | None) -> tuple[Attachment, ...]:
    """Attachments the HTML shows by their Content-ID are inline (RFC 2392)."""
    used = {match[1].split("?")[0].lower() for match in _CID.finditer(source or "")}
    return tuple(
        Attachment(one.name, one.content_type, one.content, one.content_id, True)
        if one.content_id and one.content_id.lower() in used
        else one
        for one in attachments
    )
