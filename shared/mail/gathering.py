"""What is gathered while the parts of a mail are read: its files, what was wrong, and how much may still come."""

from dataclasses import dataclass, field
from typing import NamedTuple

from shared.mail import limits
from shared.mail.attachment import Attachment, safe_name
from shared.mail.piece import Piece


class DigestBasis(NamedTuple):
    """A mail as the content digest sees it, where that differs from what is shown."""

    text: str
    """Before anything in it was unpacked, and with HTML flattened as it was when the first digests were stored."""
    files: tuple[str, ...] | None
    """The digests of the attachments before they were unpacked; None: as they are."""


@dataclass(slots=True)
class Gathering:
    hint: str | None
    """The charset of the mail's first text."""
    attachments: list[Attachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    text_left: int = limits.TEXT_CHARS
    sent_left: int = limits.TEXT_CHARS
    html_left: int = limits.HTML_CHARS
    depth: int = 0
    """Signed messages around the one that is read."""
    unpacked_left: int = limits.PARTS
    """Parts and files that may yet come out of others."""
    packed: list[Piece] = field(default_factory=list)
    """The bodies of winmail.dat."""
    calendars: list[str] = field(default_factory=list)
    """Invitations in words."""
    attached_calendars: list[str] = field(default_factory=list)
    """Likewise, those that were sent as files."""
    _unpacked: set[int] = field(default_factory=set)  # places in ``attachments`` of those that came out of others
    _sent: list[str] = field(default_factory=list)  # digests of those others

    def add_unpacked(self, attachment: Attachment) -> None:
        """Add a file that was not a part of the mail."""
        self._unpacked.add(len(self.attachments))
        self.attachments.append(attachment)

    def count_as_unpacked(self, first: int) -> None:
        """All files from that place on came out of another."""
        self._unpacked.update(range(first, len(self.attachments)))

    def replaced(self, content_type: str, content: bytes) -> None:
        """Remember a part that others take the place of; not one that came out of another itself."""
        if not self.depth:
            self._sent.append(Attachment("", content_type, content, None, False).digest)

    def files_as_sent(self) -> tuple[str, ...] | None:
        """The digests of the files as they were sent; None if nothing was unpacked."""
        if not self._unpacked and not self._sent:
            return None
        kept = [one.digest for place, one in enumerate(self.attachments) if place not in self._unpacked]
        return tuple(kept + self._sent)

    def within(self, text: str, limit: int, defect: str) -> str:
        """The text up to the limit, and the defect if it was longer."""
        if len(text) <= limit:
            return text
        self.defects.append(defect)
        return text[:limit]


def made(name: str, content: bytes, content_type: str = "application/octet-stream") -> Attachment:
    """A file that was in the text."""
    return Attachment(safe_name(name), content_type, content, None, False)
