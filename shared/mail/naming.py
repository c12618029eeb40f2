"""What a body part's file is called: as sent, as its kind is always called, or numbered."""

import re

from shared.mail import limits
from shared.mail.attachment import FALLBACK_NAME
from shared.mail.encodedword import decode_header
from shared.mail.header import read_block, skip_leading_junk
from shared.mail.mime import Part
from shared.mail.parameter import Parameters
from shared.mail.text import one_line

# What their own standards, or all programs, call them.
_KNOWN = {
    "text/calendar": "invite.ics",
    "application/pkcs7-mime": "smime.p7m",  # RFC 8551 section 3.2.1
    "application/x-pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "application/pgp-signature": "signature.asc",
    "application/ms-tnef": "winmail.dat",
    "application/vnd.ms-tnef": "winmail.dat",
}
_EXTENSIONS = {
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
    "application/pgp-encrypted": ".asc",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/svg+xml": ".svg",
    "image/tiff": ".tif",
}
ENCRYPTED_NAME = "encrypted.asc"


def disposition(part: Part) -> str:
    """RFC 2183 section 2.8: what is neither inline nor known is an attachment; "" if nothing is said."""
    value = Parameters(part.header("content-disposition") or b"").value
    return value if value in ("", "inline") else "attachment"


def declared_name(part: Part, hint: str | None = None) -> str:
    """The file name as sent: filename, or what broken senders write in its place; "" if there is none."""
    placed = Parameters(part.header("content-disposition") or b"", hint)
    typed = Parameters(part.header("content-type") or b"", hint)
    candidates = (placed.text("filename"), typed.text("name"), placed.text("file"))
    return next((name for name in (*candidates, placed.text("name"), typed.text("filename")) if name.strip()), "")


def made_name(part: Part, number: int) -> str:
    """A name for a file that came without one; ``number`` is its place among the files."""
    container = part.parent.content_type if part.parent else ""
    if container == "multipart/encrypted" and part.content_type == "application/octet-stream":
        return ENCRYPTED_NAME
    return _KNOWN.get(part.content_type) or f"{FALLBACK_NAME}-{number}{_EXTENSIONS.get(part.content_type, '')}"


def message_name(name: str, content: bytes, hint: str | None) -> str:
    """An attached mail is named after its subject if the sender gave no name."""
    if not name.strip():
        fields = read_block(content, skip_leading_junk(content)).fields
        subject = next((entry.value for entry in fields if entry.name.lower() == "subject"), b"")
        name = subject_name(decode_header(subject, hint))
    return name if name.lower().endswith((".eml", ".msg", ".mht")) else name + ".eml"


def subject_name(subject: str) -> str:
    """A subject as a file name without extension: its slashes are no folders."""
    name = one_line(subject, limits.NAME_CHARS - len(".eml"))
    return re.sub(r"[/\\]", "-", name).strip(" .") or "message"
