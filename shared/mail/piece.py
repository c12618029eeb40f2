"""How the texts of a mail's parts become one: the tree is folded from its leaves."""

import html
from dataclasses import dataclass

from shared.mail.mime import Part


@dataclass(slots=True)
class Piece:
    """A part's share of the body."""

    text: str = ""
    html: str | None = None
    from_html: bool = False  # the text was made from the HTML


def fold(parts: list[Part], leaves: dict[int, Piece]) -> Piece:
    """The root's piece. Children stand behind their parent in the list, so reading it backwards meets them first."""
    pieces = dict(leaves)
    for part in reversed(parts):
        if part.children:
            children = [pieces[id(child)] for child in part.children if id(child) in pieces]
            pieces[id(part)] = _chosen(children) if part.content_type == "multipart/alternative" else _joined(children)
    return pieces.get(id(parts[0]), Piece())


def _joined(children: list[Piece]) -> Piece:
    """Several texts in a row are one body: Apple Mail sends text, image, text."""
    texts = [child.text.strip("\n") for child in children if child.text.strip()]
    sources = [child.html if child.html is not None else _as_html(child.text) for child in children]
    has_html = any(child.html is not None for child in children)
    joined = "\n".join(source for source in sources if source) if has_html else None
    return Piece("\n".join(texts), joined, any(child.from_html for child in children))


def _chosen(children: list[Piece]) -> Piece:
    """multipart/alternative: the plain text as sent, if there is one with any words, and the last HTML."""
    plain = [child.text for child in children if child.text.strip() and not child.from_html]
    made = [child.text for child in children if child.text.strip() and child.from_html]
    sources = [child.html for child in children if child.html is not None]
    text = "\n".join(dict.fromkeys(plain)) if plain else (made[-1] if made else "")
    return Piece(text, sources[-1] if sources else None, not plain and bool(made))


def _as_html(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>" if text.strip() else ""
