"""Tag lists, ``v=1; a=rsa-sha256; d=example.org``: DKIM signatures and keys (RFC 6376 section 3.2), ARC seals."""

import re

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,60}")
_SPACE = " \t\r\n"


def read_tags(text: str) -> dict[str, str] | None:
    """The tags, with the white space around names and values removed, that inside kept; None if it is no tag list or
    a tag comes twice. Names keep their case, as the RFC wants."""
    tags: dict[str, str] = {}
    for item in text.split(";"):
        name, equals, value = item.partition("=")
        name = name.strip(_SPACE)
        if not name and not equals:
            continue  # behind the last semicolon
        if not equals or name in tags or not _NAME.fullmatch(name):
            return None
        tags[name] = value.strip(_SPACE)
    return tags
