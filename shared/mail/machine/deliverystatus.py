"""The fields of message/delivery-status (RFC 3464 section 2) and of its sisters: groups of fields, written badly.

Disposition notifications (RFC 8098 section 3) and feedback reports (RFC 5965 section 3) have the same form.
"""

import re

from shared.mail import limits
from shared.mail.address import addr_spec
from shared.mail.charset import decode
from shared.mail.encodedword import decode_words
from shared.mail.text import clean_text, one_line

_NAME = re.compile(r"[ \t]{0,40}([A-Za-z][A-Za-z0-9-]{1,60})[ \t]{0,10}:")
# Fields that begin something new even when the line is indented, as some servers indent them all.
_KNOWN = frozenset(
    [
        "original-recipient",
        "final-recipient",
        "x-actual-recipient",
        "action",
        "status",
        "remote-mta",
        "diagnostic-code",
        "last-attempt-date",
        "final-log-id",
        "will-retry-until",
        "reporting-mta",
        "original-envelope-id",
        "dsn-gateway",
        "received-from-mta",
        "arrival-date",
    ]
)
_RECIPIENT = ("original-recipient", "final-recipient")
_ANGLE = re.compile(r"<([^<>\s]{3,320})>")
_SPACE = re.compile(r"\s")

GROUPS = limits.ADDRESSES + 1
"""Recipients of one report, and the group about the whole message."""

Group = dict[str, str]
"""Field names in lower case, values on one line; of a repeated field the first with a value."""


def read_groups(content: bytes, charset_hint: str | None = None) -> list[Group]:
    """The groups of fields in a delivery-status body, in order, at most ``GROUPS``.

    A blank line is missing between two recipients, stands between the fields of one, or the whole block is
    indented: a group ends where a recipient is named a second time, and one that names none belongs to the recipient
    before it.
    """
    return groups_of(decode(content[: limits.BODY_BYTES], None, charset_hint)[0])


def groups_of(text: str) -> list[Group]:
    """As ``read_groups``, of text."""
    groups: list[Group] = []
    group: Group = {}
    name = ""
    for line in clean_text(text[: limits.TEXT_CHARS]).split("\n"):
        if not line.strip():
            name = ""
            group = _closed(groups, group)
            continue
        match = _NAME.match(line)
        if match and (not line[0].isspace() or match[1].lower() in _KNOWN):
            name = match[1].lower()
            if name in _RECIPIENT and group.get(name) and len(groups) < GROUPS:
                group = _closed(groups, group)
            if not group.get(name):
                group[name] = one_line(line[match.end() :], limits.FIELD_BYTES)
            else:
                name = ""
        elif name and line[0].isspace() and len(group[name]) < limits.LINE_CHARS * 4:
            group[name] = f"{group[name]} {one_line(line, limits.LINE_CHARS)}".strip()
    _closed(groups, group)
    return [one for one in groups if one][:GROUPS]


def _closed(groups: list[Group], group: Group) -> Group:
    """Stores a finished group; returns the next, empty one."""
    names_one = any(field in group for field in _RECIPIENT)
    last = groups[-1] if groups else {}
    if group and not names_one and any(field in last for field in _RECIPIENT):
        for name, value in group.items():
            last.setdefault(name, value)
    elif group and len(groups) < GROUPS:
        groups.append(group)
    return {}


def typed_value(value: str) -> str:
    """What follows the type in ``rfc822; a@b`` or ``smtp;550 no``; the value itself where there is no type."""
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon and len(kind) < 40 and " " not in kind.strip() else value.strip()


def typed_address(value: str) -> str | None:
    """The addr-spec of a typed address (RFC 3464 section 2.1.2), or None: a local pipe, an X.400 name, nothing."""
    text = decode_words(typed_value(value)[: limits.LINE_CHARS]).strip()
    angle = _ANGLE.search(text)
    text = angle[1] if angle else text.strip("<>;, ")
    if "dda:SMTP=" in text:
        text = text.rpartition("dda:SMTP=")[2].strip(";")
    text = text.removeprefix("mailto:")
    return addr_spec(text if not _SPACE.search(text) else text.split()[0])
