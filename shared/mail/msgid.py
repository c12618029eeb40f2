"""Message-IDs: RFC 5322 section 3.6.4, as they are written in the wild."""

import re

from shared.mail import limits

# Whitespace inside the brackets is allowed here and removed: some mail programs wrap References in the
# middle of an id.
_BRACKETED = re.compile(r"<([^<>]{1,2000})>")
_BARE = re.compile(r"[^\s<>(),;\"]{1,998}")
_SPACE = re.compile(r"\s+")
# What no id may hold: it is looked up, shown and written into headers.
_CONTROL = re.compile("[\x00-\x20\x7f-\x9f\ud800-\udfff]")


def message_ids(value: str) -> tuple[str, ...]:
    """Every Message-ID in a header's value, in order, each as ``<id>`` without inner whitespace.

    Ids without ``@`` are kept when in angle brackets: some senders make them, and their answers refer to
    them. A value without any brackets is read as bare ids, which must have an ``@``.
    """
    found: list[str] = []
    for match in _BRACKETED.finditer(value):
        if len(found) == limits.MESSAGE_IDS:
            break
        identity = _SPACE.sub("", match[1])
        if _usable(identity):
            found.append(f"<{identity}>")
    if found or "<" in value:
        return tuple(found) or _half_open(value)
    return tuple(_bare(value))


def _half_open(value: str) -> tuple[str, ...]:
    """The id in ``<id@host`` whose closing bracket was cut off."""
    words = value[value.rfind("<") + 1 :].split(maxsplit=1)
    if words and "@" in words[0] and _usable(words[0]):
        return (f"<{words[0]}>",)
    return ()


def _bare(value: str) -> list[str]:
    words = (match[0] for match in _BARE.finditer(value))
    ids = [f"<{word}>" for word in words if "@" in word.strip("@") and _usable(word)]
    return ids[: limits.MESSAGE_IDS]


def _usable(identity: str) -> bool:
    return 0 < len(identity) <= limits.MESSAGE_ID_CHARS and not _CONTROL.search(identity)
