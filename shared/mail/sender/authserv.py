"""Which server's Authentication-Results a mailbox's owner should trust: learned from recent mail, or known."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from shared.mail.message import Message
from shared.mail.sender.authres import AuthResults, parse_authentication_results
from shared.mail.sender.organization import organizational_domain
from shared.mail.sender.verdict import EXCHANGE_ONLINE, name_of

FEWEST = 3
"""Mails to learn from: one or two may all be somebody's forgeries."""

ODD_ONES = 10
"""One mail in so many may have another name on top or none (a mail of a colleague that never left the house)."""


@dataclass(frozen=True, slots=True)
class Known:
    """A provider whose names are known. ``servers``: the ends of its mail servers' names."""

    name: str
    ids: tuple[str, ...]
    servers: tuple[str, ...] = ()


KNOWN = (
    Known("Gmail, Google Workspace", ("mx.google.com",), ("imap.gmail.com", "pop.gmail.com")),
    Known(
        "Microsoft 365, Outlook.com",
        (EXCHANGE_ONLINE,),
        ("outlook.office365.com", "outlook.office.com", "outlook.live.com", "graph.microsoft.com"),
    ),
    Known("Yahoo, AOL", ("*.omega.yahoo.com",), (".mail.yahoo.com", ".aol.com")),
    Known("iCloud", ("*.icloud.com",), (".mail.me.com",)),
    Known("Fastmail", ("*.messagingengine.com",), (".fastmail.com", ".messagingengine.com")),
    Known("GMX", ("gmx.net",), ("imap.gmx.net", "pop.gmx.net")),
    Known("Zoho", ("mx.zohomail.com",), (".zoho.com",)),
    Known("Posteo", ("posteo.de",), ("posteo.de",)),
    Known("Infomaniak", ("mx.infomaniak.com",), (".infomaniak.com",)),
    Known("Proton", ("*.protonmail.ch",)),
)
"""Names seen in mails that these providers delivered. ``*.``: each of their servers has its own name.

Left out on purpose: mail.ru, which puts its header below the sender's, so that the topmost is not its own.
"""


def known_ids(server: str) -> tuple[str, ...]:
    """What to trust for mailboxes on this mail server; () if unknown."""
    host = server.lower().removesuffix(".")
    for known in KNOWN:
        if any(host == end.removeprefix(".") or (end[0] == "." and host.endswith(end)) for end in known.servers):
            return known.ids
    return ()


def learn_authserv_id(messages: Sequence[Message]) -> str:
    """The name that stands on top of (nearly) all of these mails, to be shown to the tenant and trusted; "" if none.

    Where each server of the provider has its own name, or each of its filters, what they have in common:
    ``*.example.org``. Mails without such a header count against it: a provider that writes none leaves the place free
    for whatever the sender wrote.
    """
    tops = [_top(message) for message in messages]
    enough = len(tops) - len(tops) // ODD_ONES
    if len(tops) < FEWEST:
        return ""
    for found in (Counter(tops), Counter(_family(top) for top in tops)):
        name, count = found.most_common(1)[0]
        if name and count >= enough:
            return name
    return ""


def _top(message: Message) -> str:
    """The name on top; if the next headers have other names of the same provider, the family's."""
    names: list[str] = []
    for value in message.header_all("authentication-results"):
        results: AuthResults | None = parse_authentication_results(value)
        if results is None or (names and _family(name_of(results)) != _family(names[0])):
            break
        names.append(name_of(results))
    if not names:
        return ""
    return names[0] if len(set(names)) == 1 else _family(names[0])


def _family(name: str) -> str:
    """``*.example.org`` for a name below it, else the name itself."""
    if name.startswith(("*.", "(")) or "." not in name:
        return name
    owner = organizational_domain(name)
    return name if owner == name else f"*.{owner}"
