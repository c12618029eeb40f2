"""What a POP3 server lists: mails by number, with their lasting names (UIDL) and sizes (LIST)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.errors import ProtocolViolation, ServerUnfit
from shared.ports import Watch
from shared.servers.pop3_client import Pop3Client, Refused
from shared.servers.pop3_refusals import transient
from shared.servers.pop3_state import HASH_BYTES

SINGLE_COMMANDS = 10
"""Up to this many mails are asked for one by one (UIDL n, LIST n); above, the whole list costs less time."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A mail in this session. ``name`` tells it from all others of the mailbox, for ever; ``key`` is its short form for
    the cursor."""

    number: int
    name: str
    key: bytes
    size: int = 0

    @property
    def position(self) -> str:
        """See ``ports.Arrival``."""
        return f"pop3:{self.name}"


def listed(number: int, uidl: bytes) -> Listed:
    """A mail by its UIDL."""
    # Hashed, because a UIDL may hold any printable character, and some servers let more through.
    digest = hashlib.sha256(uidl)
    return Listed(number, digest.hexdigest()[:32], digest.digest()[:HASH_BYTES])


def whole_list(client: Pop3Client, watch: Watch) -> list[Listed]:
    """All mails, by their numbers. Raises ``ServerUnfit`` where the server knows no UIDL."""
    try:
        lines = client.lines("UIDL")
    except Refused as refused:
        if transient(refused, client.capabilities):
            raise
        raise ServerUnfit(
            "This server cannot tell mails apart (it has no UIDL), so mail could be taken in twice.",
            "Choose IMAP as server type, which most servers offer as well.",
        ) from None
    found = [numbered(line) for line in lines]
    if None in found:
        raise ProtocolViolation("The server's list of mails makes no sense.", "The next poll tries again.")
    return _told_apart(client, sorted(line for line in found if line is not None), watch)


def with_sizes(client: Pop3Client, mails: Sequence[Listed]) -> list[Listed]:
    """The mails with their sizes; all at once where there are many. 0 where the server tells none."""
    if len(mails) > SINGLE_COMMANDS:
        sizes = _sizes(client)
    else:
        answers = client.statuses([f"LIST {mail.number}" for mail in mails])
        lines = [numbered(answer.encode("latin-1")) for answer in answers if isinstance(answer, str)]
        sizes = {line[0]: _size(line[1]) for line in lines if line is not None}
    return [replace(mail, size=sizes.get(mail.number, 0)) for mail in mails]


def numbered(line: bytes) -> tuple[int, bytes] | None:
    """A line of UIDL or LIST: a mail's number, and the rest."""
    number, _, rest = line.strip().partition(b" ")
    return (int(number), rest.strip()) if number.isdigit() and len(number) <= 10 else None


def named(answer: str | Refused) -> str | None:
    """The key in the answer to UIDL n, as hex."""
    line = numbered(answer.encode("latin-1")) if isinstance(answer, str) else None
    return listed(*line).key.hex() if line is not None else None


def _told_apart(client: Pop3Client, lines: list[tuple[int, bytes]], watch: Watch) -> list[Listed]:
    """RFC 1939 forbids two mails with one UIDL, and some servers send them: size and order tell them apart."""
    counts = Counter(uidl for _, uidl in lines)
    if len(counts) == len(lines):
        return [listed(number, uidl) for number, uidl in lines]
    watch.note("several mails have the same UIDL; they are told apart by their sizes")
    sizes = _sizes(client)
    seen: Counter[str] = Counter()
    found = []
    for number, uidl in lines:
        mail = listed(number, uidl)
        if counts[uidl] > 1:
            name = f"{mail.name}:{sizes.get(number, 0)}"
            seen[name] += 1
            name = f"{name}:{seen[name]}" if seen[name] > 1 else name
            mail = replace(mail, name=name, key=hashlib.sha256(name.encode()).digest()[:HASH_BYTES])
        found.append(mail)
    return found


def _sizes(client: Pop3Client) -> dict[int, int]:
    lines = [numbered(line) for line in client.lines("LIST")]
    return {line[0]: _size(line[1]) for line in lines if line is not None}


def _size(rest: bytes) -> int:
    digits = rest.split(b" ")[0]
    return int(digits) if digits.isdigit() and len(digits) <= 20 else 0
