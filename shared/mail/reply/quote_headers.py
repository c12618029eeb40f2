"""Header blocks above an older mail, as Outlook, Lotus Notes, phones and many others write them in the user's language.

    From: Anna Beispiel <anna@kunde.example>
    Sent: Monday, May 3, 2021 10:11 AM
    To: Support
    Subject: Printer

The fields come in any order, bold (``*From:*``), with a space before the colon, wrapped.
"""

import re
from collections.abc import Sequence

from shared.mail.reply.quote_labels import ROLE_OF

_LABEL_CHARS = 40
_BLOCK_LINES = 30
"""Of a block: ten fields and long lists of recipients."""
_WRAPPED_LINES = 6
"""Lines one field may go on for: a long list of recipients."""
_FORM_LABEL = re.compile(r"[^\W\d_][\w .'/()-]{0,24}$")
_TIME = re.compile(r"(?<![\d.])\d{1,2}[:.]\d\d(?![\d.])")
_ORNAMENT = " \t\u00a0*_>|\u200e\u200f\u202a\u202b\u202c\ufeff"


def header_role(line: str) -> tuple[str, str] | None:
    """The meaning of a field line and its value: from, sent, to, cc, subject or other; None if it is no such line."""
    label, value = _label(line)
    role = ROLE_OF.get(label.lower()) if label else None
    return (role, value) if role else None


def header_block(lines: Sequence[str], start: int, announced: bool) -> int:
    """The place behind the header block that begins at ``start``; ``start`` itself if none does.

    ``announced``: a line like "-----Original Message-----" stands above, so that fewer fields convince.
    A list with other fields between (a web form's "From, Email, Phone") is no header block.
    """
    if start >= len(lines) or (first := header_role(lines[start])) is None or first[0] == "other":
        return start
    values: dict[str, str] = {}
    role, end, wrapped, form, solid = "", start, 0, False, True
    for place in range(start, min(len(lines), start + _BLOCK_LINES)):
        line = lines[place]
        if not line.strip():
            if not _goes_on(lines, place + 1, values):
                break
            solid = False
            continue
        found = header_role(line)
        if found:
            role, value = found
            if role in values and role not in ("cc", "other"):
                break
            values[role], wrapped, end = value, 0, place + 1
            continue
        if solid and _is_form_field(line) and role != "subject":
            form = True
        wrapped += 1
        if wrapped > _WRAPPED_LINES or not solid or (role == "subject" and "from" in values and "to" in values):
            break
        if role == "subject" and _is_form_field(line):
            form = form or "to" not in values
        values[role] = f"{values.get(role, '')} {line}"[:500]
    return end if _convinces(values, announced, form) else start


def label_block(lines: Sequence[str], start: int) -> int:
    """The place behind the header table of older Lotus Notes: each label on a line of its own, without colon."""
    if lines[start].strip().lower() not in ROLE_OF:
        return start
    roles: dict[str, int] = {}
    for place in range(start, min(len(lines), start + 16)):
        word = lines[place].strip().lower()
        if len(word) <= _LABEL_CHARS and (role := ROLE_OF.get(word)) and role not in roles:
            roles[role] = place
    if "to" in roles and "subject" in roles and "cc" in roles:
        return roles["subject"] + 2
    return start


def _label(line: str) -> tuple[str, str]:
    head = line[: _LABEL_CHARS + 10].replace("：", ":")
    place = head.find(":")
    if place < 1 or place > _LABEL_CHARS:
        return "", ""
    return head[:place].strip(_ORNAMENT), line[place + 1 : place + 500].strip(_ORNAMENT)


def _goes_on(lines: Sequence[str], place: int, values: dict[str, str]) -> bool:
    """Whether a field not seen yet follows the empty line before ``place``."""
    if place >= len(lines) or {"from", "sent", "to", "subject"} <= values.keys():
        return False
    found = header_role(lines[place])
    return found is not None and found[0] not in values


def _is_form_field(line: str) -> bool:
    label, value = _label(line)
    return bool(label and value and _FORM_LABEL.match(label) and not value.startswith("//"))


def _convinces(values: dict[str, str], announced: bool, form: bool) -> bool:
    dated = any(letter.isdigit() for letter in values.get("sent", ""))
    known = {"from", "to", "subject"} & values.keys()
    if announced:
        return ("from" in known and len(known) + dated >= 2) or (dated and len(known) >= 1)
    if form or not values.get("from"):
        return False
    addressed = "@" in values["from"] + values.get("to", "")
    if "subject" not in known:
        return dated and len(known) == 2 and (addressed or bool(_TIME.search(values["sent"])))
    return (dated and len(known) >= 2) or (len(known) == 3 and addressed)
