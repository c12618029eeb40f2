"""Which parts are the text and which are files: RFC 8621 section 4.1.4 (JMAP), the best rule written down so far.

Each leaf of the tree becomes a piece of text, of HTML, or an attachment; ``piece`` folds them into one. What other
programs pack into one part (winmail.dat, opaque S/MIME) is unpacked where it stands.
"""

from dataclasses import dataclass, replace

from shared.mail import limits
from shared.mail.attachment import Attachment, safe_name
from shared.mail.charset import decode
from shared.mail.gathering import DigestBasis, Gathering, made
from shared.mail.header import read_block, skip_leading_junk
from shared.mail.html.inline import mark_inline
from shared.mail.mime import Part, split
from shared.mail.naming import ENCRYPTED_NAME, declared_name, disposition, made_name, message_name
from shared.mail.parts import smime
from shared.mail.parts.calendar import describe_calendar
from shared.mail.parts.winmail import is_winmail, keep_winmail
from shared.mail.piece import Piece, fold
from shared.mail.text import one_line
from shared.mail.textpart import read_text
from shared.mail.transfer import decode_transfer

ENCRYPTED_SMIME = "encrypted:smime"
ENCRYPTED_PGP = "encrypted:pgp"
COMPRESSED_SMIME = "compressed:smime"

_UNREADABLE = {
    ENCRYPTED_SMIME: "This mail is encrypted (S/MIME); Inbound cannot read it. "
    "The encrypted part is kept as an attachment.",
    ENCRYPTED_PGP: "This mail is encrypted (PGP); Inbound cannot read it. The encrypted part is kept as an attachment.",
    COMPRESSED_SMIME: "This mail is compressed (S/MIME); Inbound cannot read it. "
    "The compressed part is kept as an attachment.",
}
"""What is said in place of the text when there is none to read."""

_BODY_TYPES = frozenset(["text/plain", "text/html", "text/enriched", "text/richtext", "multipart/alternative"])
_SMIME_TYPES = frozenset(["application/pkcs7-mime", "application/x-pkcs7-mime"])


@dataclass(slots=True)
class Body:
    """What a mail says and brings."""

    text: str
    html: str | None
    attachments: tuple[Attachment, ...]
    defects: list[str]
    basis: DigestBasis | None = None


def body_charset(parts: list[Part]) -> str | None:
    """The charset of the first text: what undeclared 8-bit bytes elsewhere in the mail are most likely in."""
    for part in parts:
        if part.content_type.startswith("text/") and (charset := part.parameters.raw("charset")):
            return charset
    return None


def read_body(raw: bytes, parts: list[Part], hint: str | None) -> Body:
    """The text, the HTML and the attachments of the tree that ``parts`` is, in document order."""
    gathering = Gathering(hint)
    piece, sent = _tree(raw, parts, gathering)
    sent_text = _trimmed(sent.text)
    piece = _completed(piece, gathering)
    attachments = mark_inline(gathering.attachments, piece.html)
    text = _trimmed(piece.text)
    files = gathering.files_as_sent()
    basis = DigestBasis(sent_text, files) if files is not None or sent_text != text else None
    return Body(text, piece.html, attachments, gathering.defects, basis)


def _trimmed(text: str) -> str:
    return text.strip("\n").rstrip()


def _tree(raw: bytes, parts: list[Part], gathering: Gathering) -> tuple[Piece, Piece]:
    """What the tree says, and what it says as it was sent."""
    named = any(_is_text(part, False) for part in parts)
    leaves: dict[int, Piece] = {}
    sent: dict[int, Piece] = {}
    for part in parts:
        if part.is_multipart:
            continue
        if _is_text(part, first_named=not named):
            leaves[id(part)], sent[id(part)] = _text_pieces(raw, part, gathering)
        elif inner := _file(raw, part, gathering):
            leaves[id(part)] = inner
    return fold(parts, leaves), fold(parts, sent)


def _completed(piece: Piece, gathering: Gathering) -> Piece:
    """The body with what stands in for a text where there is none, and with invitations in words."""
    packed = next((one for one in gathering.packed if one.text.strip() or one.html), None)
    if packed and not piece.text.strip():
        piece = Piece(packed.text, piece.html or packed.html, packed.from_html)
    calendars = gathering.calendars or ([] if piece.text.strip() else gathering.attached_calendars)
    texts = [piece.text.strip("\n").rstrip(), *dict.fromkeys(calendars)]
    text = "\n\n".join(text for text in texts if text.strip())
    if not text:
        text = "\n".join(_UNREADABLE[defect] for defect in _UNREADABLE if defect in gathering.defects)
    return replace(piece, text=text)


def _is_text(part: Part, first_named: bool) -> bool:
    """Whether a leaf is part of the body (JMAP's isInline).

    ``first_named``: no part is text for certain, so the first one with a file name may be.
    """
    if part.content_type.startswith("multipart/") and not part.children:
        return not part.dissolved
    if part.content_type not in _BODY_TYPES:
        return False
    root = part.parent is None
    if disposition(part) == "attachment":
        return root and not declared_name(part)
    if part.parent is not None and part.parent.content_type == "multipart/related" and not _is_root(part):
        return False
    # A name on the first part is some mail programs' habit; on a later one it makes a file.
    return part.position == 0 or first_named or not declared_name(part)


def _is_root(part: Part) -> bool:
    """Whether the part is the document of its multipart/related: the first that can be (RFC 2387 section 3.2)."""
    siblings = part.parent.children if part.parent else [part]
    return next((sibling is part for sibling in siblings if sibling.content_type in _BODY_TYPES), False)


def _decoded(raw: bytes, part: Part, gathering: Gathering, limit: int | None = None) -> bytes:
    end = part.end
    if limit is not None and end - part.start > limit:
        end = part.start + limit
        gathering.defects.append("truncated:text")
    encoding = (part.header("content-transfer-encoding") or b"").decode("latin-1").split("(")[0]
    if part.content_type.startswith("multipart/"):
        encoding = ""
    content, defect = decode_transfer(raw[part.start : end], encoding)
    if defect:
        gathering.defects.append(defect)
    return content


# --- text -----------------------------------------------------------------------------------------------------------


def _text_pieces(raw: bytes, part: Part, gathering: Gathering) -> tuple[Piece, Piece]:
    found = read_text(part, _decoded(raw, part, gathering, limits.BODY_BYTES), gathering.hint)
    gathering.defects += found.defects
    for name, content in found.files:
        gathering.attachments.append(made(name, content))
    for name, content in found.unpacked:
        gathering.add_unpacked(made(name, content))
    for armour in found.encrypted:
        gathering.defects.append(ENCRYPTED_PGP)
        content = armour.encode("ascii", "replace")
        gathering.add_unpacked(made(ENCRYPTED_NAME, content, "application/pgp-encrypted"))
    source = found.html
    if source is not None:
        source = gathering.within(source, gathering.html_left, "truncated:html")
        gathering.html_left -= len(source)
    text = gathering.within(found.text, gathering.text_left, "truncated:text")
    gathering.text_left -= len(text)
    sent = found.sent[: gathering.sent_left]
    gathering.sent_left -= len(sent)
    is_html = found.html is not None
    return Piece(text, source, is_html), Piece(sent, source, is_html)


# --- files ----------------------------------------------------------------------------------------------------------


def _file(raw: bytes, part: Part, gathering: Gathering) -> Piece | None:
    """Keep a part as a file, or what is in it as files; the piece of the body that was in it."""
    content = _decoded(raw, part, gathering)
    name = declared_name(part, gathering.hint)
    if is_winmail(part.content_type, name) and keep_winmail(content, part.content_type, gathering):
        return None
    if _is_smime(part, name):
        piece = _signed(content, part, gathering)
        if piece is not None:
            return piece
    gathering.attachments.append(_attachment(part, name, content, gathering))
    if part.content_type == "text/calendar":
        _describe(part, content, gathering)
    elif part.content_type == "application/pgp-encrypted":
        gathering.defects.append(ENCRYPTED_PGP)
    return None


def _attachment(part: Part, name: str, content: bytes, gathering: Gathering) -> Attachment:
    if part.content_type in ("message/rfc822", "message/global"):
        name = message_name(name, content, gathering.hint)
    if not name.strip():
        name = made_name(part, len(gathering.attachments) + 1)
    content_id = _line(part.header("content-id")).strip(" <>") or None
    location = _line(part.header("content-location")).strip(" <>") or None
    return Attachment(safe_name(name), part.content_type, content, content_id, False, location)


def _line(value: bytes | None) -> str:
    return one_line((value or b"").decode("latin-1"), limits.LINE_CHARS)


def _describe(part: Part, content: bytes, gathering: Gathering) -> None:
    """An invitation is told in words; a calendar file that is attached only if the mail says nothing else."""
    if len(gathering.calendars) + len(gathering.attached_calendars) >= limits.CALENDAR_COMPONENTS:
        return
    text = decode(content[: limits.BODY_BYTES], part.parameters.raw("charset") or "utf-8", gathering.hint)[0]
    words = describe_calendar(text)
    if words:
        (gathering.attached_calendars if disposition(part) == "attachment" else gathering.calendars).append(words)


# --- S/MIME ---------------------------------------------------------------------------------------------------------


def _is_smime(part: Part, name: str) -> bool:
    """Whether a part is a mail in S/MIME's shell, and not a signed document (``invoice.xml.p7m``) sent as a file."""
    known = name.lower() in ("", "smime.p7m")
    if part.content_type in _SMIME_TYPES:
        return known or part.parent is None
    return name.lower() == "smime.p7m"


def _signed(content: bytes, part: Part, gathering: Gathering) -> Piece | None:
    """What an opaque S/MIME part signs, read in its place; None if it has to be kept as it is."""
    kind = smime.cms_kind(content)
    if kind in (smime.ENCRYPTED, smime.COMPRESSED):
        gathering.defects.append(ENCRYPTED_SMIME if kind == smime.ENCRYPTED else COMPRESSED_SMIME)
    inner = smime.signed_content(content) if kind == smime.SIGNED else None
    if inner is None or not _is_mime(inner):
        return None
    if gathering.depth >= limits.SMIME_DEPTH or not gathering.unpacked_left:
        gathering.defects.append("truncated:depth")
        return None
    parts, found = split(inner, skip_leading_junk(inner))
    gathering.unpacked_left = max(gathering.unpacked_left - len(parts), 0)
    gathering.defects += found
    gathering.replaced(part.content_type, content)
    first = len(gathering.attachments)
    gathering.depth += 1
    piece, _ = _tree(inner, parts, gathering)
    gathering.depth -= 1
    gathering.count_as_unpacked(first)
    return piece


def _is_mime(content: bytes) -> bool:
    """Whether a mail was signed, and not just any file."""
    fields = read_block(content, skip_leading_junk(content)).fields
    return any(entry.name.lower() in ("content-type", "mime-version") for entry in fields)
