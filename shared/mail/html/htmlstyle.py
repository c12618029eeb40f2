"""Which elements of an HTML mail a reader does not see: preheaders, versions for other screens, tracking texts.

Read from the style attribute alone. What is not sure counts as seen.
"""

import re

from shared.mail.html.htmlscan import read_attributes

VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())  # noqa: SIM905
"""Elements without an end tag."""

_MAYBE = re.compile(r"style|hidden|size", re.IGNORECASE)
_END = r"(?=[;!]|$)"
_ZERO = rf"0+(?:\.0+)?(?:px|pt|em|rem|ex|%)?{_END}"
_UNSEEN = re.compile(rf"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)|opacity:{_ZERO}){_END}?")
_NO_HEIGHT = re.compile(rf"(?:^|;)max-height:{_ZERO}")
_NO_SIZE = re.compile(rf"(?:^|;)font-size:{_ZERO}")
_SIZE = re.compile(r"(?:^|;)font(?:-size)?:")
# A paragraph ends where another block begins (HTML section 13.1.2.4); mail programs rely on it.
_ENDS_PARAGRAPH = frozenset(
    """p div table ul ol dl h1 h2 h3 h4 h5 h6 blockquote hr pre form section article header footer address""".split()  # noqa: SIM905
)


class Visibility:
    """Fed with the tags in order, tells whether what comes now is seen."""

    def __init__(self) -> None:
        self.used = False  # whether anything was hidden
        self._stack: list[_Entry] = []

    @property
    def hidden(self) -> bool:
        return bool(self._stack) and self._stack[-1].kind != _SHOWN

    @property
    def sizeless(self) -> bool:
        """Whether only letters are hidden: blocks still begin and end."""
        return bool(self._stack) and self._stack[-1].kind == _SIZELESS

    @property
    def unfinished(self) -> bool:
        """Whether a hidden element never ended: then what was hidden may be the whole mail."""
        return any(entry.kind != _SHOWN for entry in self._stack)

    def open(self, name: str, attributes: str) -> None:
        if name in VOID:
            return
        top = self._stack[-1] if self._stack else None
        if top and top.name == "p" and name in _ENDS_PARAGRAPH:
            self._stack.pop()
            top = self._stack[-1] if self._stack else None
        kind = _kind(name, attributes) if _MAYBE.search(attributes) else ""
        now = top.kind if top else _SHOWN
        if kind and kind != now and now != _UNSEEN_KIND and not (kind == _SHOWN and now != _SIZELESS):
            self._stack.append(_Entry(name, kind))
            self.used = self.used or kind != _SHOWN
        elif top and top.name == name:
            top.count += 1

    def close(self, name: str) -> None:
        if self._stack and self._stack[-1].name == name:
            self._stack[-1].count -= 1
            if not self._stack[-1].count:
                self._stack.pop()


_UNSEEN_KIND, _SIZELESS, _SHOWN = "unseen", "sizeless", "shown"


class _Entry:
    """An element that changes what is seen, and how many of its name are open since."""

    __slots__ = ("count", "kind", "name")

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        self.count = 1


def _kind(name: str, attributes: str) -> str:
    """What an element does to its content: hide it, take its size (what has one of its own is seen), or give it one."""
    found = read_attributes(attributes)
    style = "".join(found.get("style", "").lower().split())
    if "hidden" in found or _UNSEEN.search(style):
        return _UNSEEN_KIND
    if _NO_HEIGHT.search(style) and "overflow:hidden" in style:
        return _UNSEEN_KIND
    # Outlook has its own drawing of a button in a comment and hides the link everybody else sees.
    if "mso-hide:all" in style and name != "a":
        return _UNSEEN_KIND
    if _NO_SIZE.search(style):
        return _SIZELESS
    return _SHOWN if _SIZE.search(style) or (name == "font" and "size" in found) else ""
