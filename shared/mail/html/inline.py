"""Which attachments the HTML shows in its text."""

import re
from collections.abc import Sequence
from dataclasses import replace

from shared.mail.attachment import Attachment

_CID = re.compile(r"cid:([^\s\"'<>)]{1,500})", re.IGNORECASE)
_SOURCE = re.compile(r"(?:src|background)\s{0,5}=\s{0,5}[\"']?([^\s\"'<>]{1,2000})", re.IGNORECASE)
_IMAGE_NAMES = (".png", ".gif", ".jpg", ".jpeg", ".bmp", ".webp")
"""Programs that do not know a file's type send its name all the same."""


def mark_inline(attachments: Sequence[Attachment], source: str | None) -> tuple[Attachment, ...]:
    """Images the HTML shows are inline: by Content-ID (RFC 2392) or Content-Location (RFC 2557). All others are files:
    what only a link or nothing at all points to would be lost to the reader."""
    if not source or not attachments:
        return tuple(attachments)
    ids = {match[1].split("?")[0].lower() for match in _CID.finditer(source)}
    places = {match[1].lower() for match in _SOURCE.finditer(source)}
    return tuple(replace(one, inline=True) if _is_shown(one, ids, places) else one for one in attachments)


def _is_shown(one: Attachment, ids: set[str], places: set[str]) -> bool:
    if not one.content_type.startswith("image/") and not one.name.lower().endswith(_IMAGE_NAMES):
        return False
    return (one.content_id or "").lower() in ids or (one.content_location or "").lower() in places
