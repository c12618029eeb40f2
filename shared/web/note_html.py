"""A mail as its sender laid it out: cleaned, whole in one document, for a sandboxed frame.

The document needs nothing from anywhere: our style stands in it (allowed by its hash), the mail's own images stand in
it as data. So the frame may be of no origin at all, and nothing is asked for with the reader's session.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import idna

from shared.mail.html.clean import clean_html
from shared.model.incident import AttachmentRef, Note
from shared.web.pages import static

MAX_IMAGE_BYTES = 12_000_000
"""Of the mail's own images in one document, each time that one is shown counted: three photographs of a phone. The
rest is among the attachments."""

STYLE = static.read("note.css")
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

_LINK = re.compile(r'(<a href="(https?://[^"]*)"[^>]*>)(.*?)</a>', re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_REMOTE = re.compile(r'<img data-src="https?:', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Document:
    """A whole HTML document, the Content-Security-Policy it must be sent with, and whether images wait elsewhere."""

    html: str
    policy: str
    remote_images: bool


def document(note: Note, content: Callable[[AttachmentRef], bytes | None], token: str, remote: bool) -> Document:
    """The mail of a note. ``content``: the bytes of an attachment; ``token``: unguessable letters and digits;
    ``remote``: the reader asked for images from elsewhere."""
    pictures = _Pictures(note.body.attachments, content, token)
    cleaned = clean_html(note.body.html, pictures.addresses)
    shown = pictures.put_in(_with_hosts(cleaned.html))
    if remote:
        # Whatever the sender wrote: nobody on the way learns what is read.
        shown = _REMOTE.sub('<img src="https:', shown)
    whole = (
        '<!doctype html><html><head><meta charset="utf-8"><title>Mail</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<style>{STYLE}</style></head><body dir="auto">{shown}</body></html>'
    )
    return Document(whole, policy(remote), cleaned.remote_images)


def policy(remote: bool) -> str:
    """Nothing runs, nothing is sent, nothing is asked for but, if the reader wants it, images over https. Links open
    outside of the frame."""
    return (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:{' https:' if remote else ''}; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'self'; "
        "sandbox allow-popups allow-popups-to-escape-sandbox"
    )


def image_type(content: bytes) -> str | None:
    """The type of an image that browsers only ever draw, by its first bytes; None for everything else, SVG too."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None


class _Pictures:
    """The mail's own images: a stand-in for each while the mail is cleaned, then their data."""

    def __init__(
        self, attachments: Sequence[AttachmentRef], content: Callable[[AttachmentRef], bytes | None], token: str
    ) -> None:
        self._content = content
        self._found: dict[int, str | None] = {}
        self._attachments = attachments
        self._left = MAX_IMAGE_BYTES
        # No sender can write it: text that looks like it is not taken for it.
        self._address = re.compile(rf'<img src="/{token}/([0-9]{{1,4}})"')
        self.addresses: Mapping[str, str] = {
            name: f"/{token}/{place}" for place, one in enumerate(attachments) for name in _names(one)
        }

    def put_in(self, cleaned: str) -> str:
        return self._address.sub(lambda match: self._image(int(match[1])), cleaned)

    def _image(self, place: int) -> str:
        reference = self._attachments[place]
        if reference.size > self._left:
            return "<img"
        if place not in self._found:
            self._found[place] = self._data(reference)
        if (data := self._found[place]) is None:
            return "<img"
        self._left -= reference.size
        return f'<img src="{data}"'

    def _data(self, reference: AttachmentRef) -> str | None:
        content = self._content(reference)
        type_ = image_type(content) if content is not None else None
        if content is None or type_ is None:
            return None
        return f"data:{type_};base64,{base64.b64encode(content).decode()}"


def _names(reference: AttachmentRef) -> list[str]:
    """What the HTML may call it: its Content-ID; some programs write the file's name."""
    return [name for name in (reference.content_id, reference.name if reference.inline else "") if name]


def _with_hosts(cleaned: str) -> str:
    """Each link says where it really leads, unless its text does."""
    return _LINK.sub(_with_host, cleaned)


def _with_host(match: re.Match[str]) -> str:
    host = _host(html.unescape(match[2]))
    text = html.unescape(_TAG.sub("", match[3])).strip().lower()
    bare = text.partition("://")[2] if text.startswith(("http://", "https://")) else text
    if host and re.split(r"[/?#]", bare, maxsplit=1)[0] == host:
        return match[0]
    return f"{match[0]}<small> [{html.escape(host or 'unreadable address')}]</small>"


def _host(address: str) -> str:
    """The host of an address in ASCII, so that no letter passes for another; empty where it cannot be read."""
    try:
        host = urlsplit(address).hostname or ""
        return host if host.isascii() else idna.encode(host, uts46=True).decode()
    except (ValueError, idna.IDNAError):
        return ""
