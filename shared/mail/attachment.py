"""Attachments: what they are, and names that can be shown and saved."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from shared.mail import limits

FALLBACK_NAME = "attachment"

_SPACES = re.compile(r"\s+")
_SEPARATORS = re.compile(r"[/\\]")
_DRIVE = re.compile(r"^(?:[A-Za-z]:)+")
_EXTENSION = re.compile(r"\.[^. ]{1,15}$")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)
# Controls, format characters (zero width, direction), surrogates, line and paragraph separators.
_UNSEEN = frozenset(["Cc", "Cf", "Cs", "Zl", "Zp"])


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a mail."""

    name: str
    """Safe to show and to save, never empty."""
    content_type: str
    """Lower-case type/subtype as declared. Never proof of what the bytes are."""
    content: bytes
    content_id: str | None
    """Without angle brackets."""
    inline: bool
    """Shown within the text: an image the HTML refers to."""
    content_location: str | None = None
    """What else the HTML may call it (RFC 2557)."""

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    @property
    def sha256(self) -> str:
        """Of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def digest(self) -> str:
        """Likewise, but equal where only line ends differ: those of text change with the transfer encoding."""
        if not self.content_type.startswith(("text/", "message/")):
            return self.sha256
        return hashlib.sha256(self.content.replace(b"\r\n", b"\n").strip()).hexdigest()


def safe_name(name: str) -> str:
    """A file name without path, controls, direction marks or tricks, at most 120 characters, never empty.

    Idempotent, and cleaned before it is judged: a zero-width space in front of a dot hides nothing.
    """
    name = _SPACES.sub(" ", name[: 40 * limits.NAME_CHARS])
    name = "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in name)
    name = "".join(letter for letter in name if unicodedata.category(letter) not in _UNSEEN)
    name = unicodedata.normalize("NFC", name)
    pieces = [piece for piece in (_trimmed(piece) for piece in _SEPARATORS.split(name)) if piece]
    name = _shortened(pieces[-1]) if pieces else ""
    if _DEVICE.match(name):  # Windows opens the device, whatever the extension
        name = _shortened("_" + name)
    return name or FALLBACK_NAME


def _trimmed(name: str) -> str:
    """Without drive letter, and without dots and spaces at the ends: they hide a file or vanish when it is saved."""
    trimmed = _DRIVE.sub("", name).strip(" .")
    while trimmed != name:
        name, trimmed = trimmed, _DRIVE.sub("", trimmed).strip(" .")
    return trimmed


def _shortened(name: str) -> str:
    if len(name) <= limits.NAME_CHARS:
        return name
    extension = _EXTENSION.search(name)
    ending = extension[0] if extension else ""
    return name[: limits.NAME_CHARS - len(ending)].rstrip(" .") + ending
