"""Who vouches for a mail by ARC (RFC 8617). No seal is verified here: the receiving server must have said arc=pass."""

from collections.abc import Collection, Iterable

from shared.mail.sender.authres import MOST_INSTANCES, parse_arc_authentication_results
from shared.mail.sender.organization import aligned, ascii_domain
from shared.mail.sender.tags import read_tags


def sealed_pass(headers: Iterable[tuple[str, str]], domain: str, sealers: Collection[str]) -> str:
    """The trusted sealer that found dmarc=pass for ``domain``, or "".

    ``headers``: only those that came with the mail, so not those above the receiving server's own results.
    ``sealers``: domains in small letters. Everybody who sealed after the one that vouches must be trusted too: he could
    change the mail and keep the older seals.
    """
    seals: dict[int, list[str]] = {}
    said: dict[int, list[bool]] = {}
    for header, value in headers:
        name = header.lower()
        if name == "arc-seal":
            tags = read_tags(value) or {}
            instance = tags.get("i", "")
            if not (instance.isascii() and instance.isdigit() and len(instance) <= len(str(MOST_INSTANCES))):
                return ""
            seals.setdefault(int(instance), []).append(ascii_domain(tags.get("d", "")))
        elif name == "arc-authentication-results":
            found = parse_arc_authentication_results(value)
            if found is None:
                return ""
            passed = any(
                result.method == "dmarc"
                and result.result == "pass"
                and aligned(ascii_domain(result.properties.get("header.from", "")), domain)
                for result in found[1].results
            )
            failed = any(result.method == "dmarc" and result.result != "pass" for result in found[1].results)
            said.setdefault(found[0], []).append(passed and not failed)
    return _newest(seals, said, sealers)


def _newest(seals: dict[int, list[str]], said: dict[int, list[bool]], sealers: Collection[str]) -> str:
    """The first from the newest backwards that vouches, while all are trusted; the chain must be complete."""
    count = len(seals)
    complete = set(seals) == set(said) == set(range(1, count + 1)) and count <= MOST_INSTANCES
    once = all(len(each) == 1 for each in seals.values()) and all(len(each) == 1 for each in said.values())
    if not complete or not once:
        return ""
    for instance in range(count, 0, -1):
        sealer = seals[instance][0]
        if sealer not in sealers:
            return ""
        if said[instance][0]:
            return sealer
    return ""
