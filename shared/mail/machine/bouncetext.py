"""Which addresses failed, and why, from the text of a report: for servers that send no delivery-status part.

Every server writes in its own form, but all name the address at the start of a line, behind a label, or in the
sentence that says what failed. Addresses are taken from the clearest of these places that has any.
"""

import re
from collections.abc import Collection, Iterable

from shared.mail import limits
from shared.mail.address import addr_spec
from shared.mail.machine.bouncewords import DAEMON_LOCALS, FAILED_TEXTS
from shared.mail.machine.notice import folded
from shared.mail.machine.statuscode import has_reply_code

_ADDRESS = re.compile(
    r"(?<![\w.!#$%&'*+/=?^`{|}~@-])[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[\w-]{1,63}\.){1,8}[\w-]{1,24}", re.ASCII
)
_LEAD = " \t*•·-–>|<\"'([{:;,&"
_LABEL = re.compile(
    r"(?:\W|\b(?:smtp|rfc822|mailto|to|rcpt|x400)\b|\b(?:the|your|following|failed|final|original|rejected|unknown"
    r"|invalid|intended|undeliverable|bad)\b)*"
    r"(?:recipients?(?:\(s\))?|users?|address(?:es|ee|\(es\))?|mailbox|e-?mail|account|rcpt|smtp|empfänger|adresse"
    r"|destinataires?|destinatarios?|destinatario|destinatari|ontvanger|mottagare|modtager|получатель|адресат|адрес"
    r"|宛先|收件人|送信先|수신자)(?:\W|\b(?:smtp|rfc822|mailto|address|addresses|unknown|failed|to|is|was)\b){0,12}",
    re.IGNORECASE,
)
_RCPT = re.compile(r"<<<|>>>|\brcpt to\b", re.IGNORECASE)
_EXPANDED = re.compile(r"\(?\s{0,4}(?:expanded|generated) from:?\s{0,4}", re.IGNORECASE)
_OTHERS = frozenset(
    ["support", "abuse", "help", "helpdesk", "info", "hostmaster", "webmaster", "noc", "no-reply", "noreply", "mailto"]
)
_LINE = 1000
"""Of a line that are searched for addresses: RFC 5321's line, with its reply code."""
_LINES = 8
"""Below an address that can belong to it: Exim writes five."""
_DIAGNOSTIC = 500
"""Characters of a diagnostic that are kept: what a person reads before looking into the raw mail."""


def failed_recipients(
    lines: list[str], named: Iterable[str], known: Collection[str], ours: Collection[str]
) -> dict[str, str]:
    """The addresses that failed, each with the words about it, in the order of the text.

    ``lines`` are the report's own (``notice.own_lines``); ``named`` the addresses a header names
    (X-Failed-Recipients): then only these are looked for. ``known`` are the recipients of the original, which
    decide where the text alone does not; ``ours`` the addresses that cannot have failed, in lower case.
    """
    named = dict.fromkeys(named)
    places = _places(lines, {address.lower() for address in ours} - {address.lower() for address in named})
    if named:
        wanted = {address.lower(): address for address in named}
        return {address: _words(places, key, lines) for key, address in wanted.items()}
    known_keys = {address.lower() for address in known}
    for strength in (2, 1, 0):
        found = {address.lower(): address for rank, address, _ in places if rank == strength}
        if strength < 2 and known_keys & found.keys():
            found = {key: address for key, address in found.items() if key in known_keys}
        elif strength == 0 and known_keys:
            continue
        if strength == 0:
            found = dict(list(found.items())[:1])  # the others are whom to ask, or what else there is
        if found:
            return {address: _words(places, key, lines) for key, address in found.items()}
    rest = [address for address in known if address.lower() not in ours] or list(known)
    return dict.fromkeys(rest, "") if len(rest) == 1 else {}


_Place = tuple[int, str, int]
"""How clearly an address is named as the one that failed (2, 1, 0), the address, its line."""


def _places(lines: list[str], ours: Collection[str]) -> list[_Place]:
    places: list[_Place] = []
    left_out = set(ours)
    for number, line in enumerate(lines):
        if "@" not in line:
            continue
        for match in _ADDRESS.finditer(line[:_LINE]):
            address = addr_spec(_bare(match[0]))
            if not address or address.lower() in left_out or _is_office(address):
                continue
            before = line[: match.start()]
            if _EXPANDED.search(before) and places and places[-1][0] == 2:
                left_out.add(places[-1][1].lower())
                places[-1] = (2, address, places[-1][2])  # what we wrote to, not what it became there
            else:
                places.append((_strength(before, match, line), address, number))
            if len(places) >= 2 * limits.ADDRESSES:
                return places
    return places


def _bare(text: str) -> str:
    for start in ("SMTP=", "smtp=", "rfc822=", "'", "mailto:"):
        text = text.removeprefix(start)
    return text.rpartition("SMTP=")[2].rstrip(".'")


def _is_office(address: str) -> bool:
    local = address.partition("@")[0].lower()
    return local in DAEMON_LOCALS or local in _OTHERS


def _strength(before: str, match: re.Match[str], line: str) -> int:
    lead = before.strip(_LEAD)
    if lead.endswith("dda:SMTP=") or match[0].find("SMTP=") >= 0:
        return 2
    if not lead or (len(lead) < 80 and _LABEL.fullmatch(lead)):
        after = line[match.end() :].lstrip()
        return 2 if not lead or not after.startswith(",") or "@" in after else 1
    if len(before) < 80 and before.rstrip().endswith("<mailto:"):
        return 2
    words = folded(line)
    if _RCPT.search(line) or has_reply_code(line) or any(phrase in words for phrase in FAILED_TEXTS):
        return 1
    return 0


def _words(places: list[_Place], key: str, lines: list[str]) -> str:
    """The words about an address: behind it on its lines, and below until something else begins."""
    starts = {number for rank, _, number in places if rank == 2}
    best = ""
    for rank, address, number in places:
        if address.lower() != key:
            continue
        words = _paragraph(lines, number, starts) if rank == 2 else lines[number].strip()
        if not best or (has_reply_code(words) and not has_reply_code(best)):
            best = words
        if best and has_reply_code(best):
            break
    return " ".join(best.split())[:_DIAGNOSTIC]


def _paragraph(lines: list[str], number: int, starts: Collection[int]) -> str:
    match = _ADDRESS.search(lines[number])
    rest = lines[number][match.end() if match else 0 :].strip(" \t<>:;,.()")
    before = lines[number][: match.start()].strip(_LEAD) if match else ""
    words = [piece for piece in (before, rest) if piece and not piece.startswith("mailto:")]
    for index in range(number + 1, min(number + 1 + _LINES, len(lines))):
        line = lines[index].strip()
        if index in starts or (not line and len(words) > 0 and index > number + 1):
            break
        if line:
            words.append(line[:_LINE])
        elif words:
            break
    return " ".join(words)
