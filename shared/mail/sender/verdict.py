"""Whether a mail's From is real, by what its mailbox's own provider says of it, and by DKIM checked here.

Anybody can write ``Authentication-Results: mx.google.com; dmarc=pass`` into a mail. A server puts its headers on top,
so what counts is the topmost such header with a name the tenant trusts; what stands below may have come with the mail.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from shared.mail.message import Message
from shared.mail.sender.arcseal import sealed_pass
from shared.mail.sender.authres import AuthResults, Result, parse_authentication_results
from shared.mail.sender.organization import aligned, ascii_domain, organizational_domain

EXCHANGE_ONLINE = "(exchange-online)"
"""Stands among the trusted names for Exchange Online's form of the header, which names no server but begins with its
first result (``spf=pass (sender IP is ...) smtp.mailfrom=...``). As everybody can write that, it counts only as the
topmost Authentication-Results of the mail. No server can have this name: parentheses are comments."""

WHY_CHARS = 300
"""Of an explanation: one line of the explain trace. Domains in it are the sender's to choose and may be long."""

# What filters write between their results: OpenDKIM and OpenDMARC sign with their version, iCloud explains itself.
_BETWEEN = ("x-", "received-spf", "dkim-filter", "dmarc-filter", "arc-filter")
_HEADER = "authentication-results"


@dataclass(frozen=True, slots=True)
class DkimCheck:
    """One DKIM-Signature checked by us. ``pass``: its domain signed these words; ``fail``: it does not prove that;
    ``none``: it could not be checked, or is of a kind that proves nothing."""

    domain: str
    """``d=``, lower-case."""
    selector: str
    result: Literal["pass", "fail", "none"]
    reason: str
    """Why not; empty for ``pass``."""


@dataclass(frozen=True, slots=True)
class SenderVerdict:
    """``pass``: the From domain's owner stands for the mail; ``fail``: he does not; ``none``: nobody knows."""

    result: Literal["pass", "fail", "none"]
    why: str
    """Which header, method and domains decided; one short line."""
    authserv_id: str = ""
    """The server that was believed, in small letters; ``EXCHANGE_ONLINE`` for its form; empty if none was."""


class _Evidence(NamedTuple):
    """What the believed server says."""

    authserv_id: str
    results: tuple[Result, ...]
    position: int  # of its topmost header
    doubt: str  # why a pass of it is none, or ""


def judge_sender(
    message: Message,
    trusted: Collection[str],
    dkim: Sequence[DkimCheck] = (),
    trusted_sealers: Collection[str] = (),
) -> SenderVerdict:
    """Whether the From of this mail is real.

    ``trusted``: the authserv-ids of the mailbox's provider, in any case; ``*.example.org`` stands for every name below
    a domain, ``EXCHANGE_ONLINE`` for the form without one. With none of them a fail counts and a pass does not.
    ``dkim``: signatures checked here, which count where the provider says nothing. ``trusted_sealers``: domains whose
    ARC seals (RFC 8617) are believed when they vouch for a mail that they changed on its way.
    """
    if message.sender is None:
        return SenderVerdict("none", "From does not name exactly one address")
    domain = message.sender.domain
    evidence = _evidence(message, [name.lower().strip() for name in trusted if name.strip()])
    verdict = SenderVerdict("none", "no Authentication-Results of a trusted server")
    if evidence:
        result, why = _weigh(domain, message, evidence, [name.lower() for name in trusted_sealers])
        if result == "pass" and evidence.doubt:
            result, why = "none", f"{why}, but {evidence.doubt}"
        verdict = SenderVerdict(result, _short(f"{evidence.authserv_id}: {why}"), evidence.authserv_id)
    if verdict.result != "none":
        return verdict
    for check in dkim:
        if check.result == "pass" and aligned(ascii_domain(check.domain), domain):
            return SenderVerdict("pass", _short(f"DKIM checked here: signed by {check.domain} for {domain}"))
    return verdict


def name_of(results: AuthResults) -> str:
    """The server's name in small letters; ``EXCHANGE_ONLINE`` for the form without one."""
    if not results.authserv_id:
        return EXCHANGE_ONLINE
    # Without what only a quoted name could hold; no longer than a domain (RFC 1035 section 2.3.4).
    return results.authserv_id.lower().strip("() ").removesuffix(".")[:253]


# --- which headers are believed ---------------------------------------------------------------------------------------


def _evidence(message: Message, trusted: list[str]) -> _Evidence | None:
    above: list[str] = []
    unreadable = False
    for position, (header, value) in enumerate(message.headers):
        if header.lower() != _HEADER:
            continue
        results = parse_authentication_results(value)
        if results is None:
            unreadable = True
            continue
        name = name_of(results)
        entry = _entry(name, trusted, topmost=not above and not unreadable)
        if entry is None and trusted:
            above.append(name)
            continue
        merged = _merged(message, position, results, entry or name)
        return _Evidence(name, merged, position, _doubt(name, above, unreadable, bool(trusted)))
    return None


def _entry(name: str, trusted: list[str], topmost: bool) -> str | None:
    """The entry of the list that this server's name belongs to."""
    if name == EXCHANGE_ONLINE:
        return name if topmost and name in trusted else None
    return next((entry for entry in trusted if _is(name, entry)), None)


def _is(name: str, entry: str) -> bool:
    return name.endswith(entry[1:]) if entry.startswith("*.") else name == entry.removesuffix(".")


def _merged(message: Message, position: int, first: AuthResults, entry: str) -> tuple[Result, ...]:
    """The results of this header and of those of the same server right below: filters write one each.

    Of each method only the topmost header that has it counts, for the lower one may be forged.
    """
    merged = list(first.results)
    if entry == EXCHANGE_ONLINE:
        return tuple(merged)
    for header, value in message.headers[position + 1 :]:
        if header.lower() == _HEADER:
            results = parse_authentication_results(value)
            if results is None or not results.authserv_id or not _is(name_of(results), entry):
                break
            known = {result.method for result in merged}
            merged += [result for result in results.results if result.method not in known]
        elif not header.lower().startswith(_BETWEEN):
            break
    return tuple(merged)


def _doubt(name: str, above: list[str], unreadable: bool, configured: bool) -> str:
    """Why this header may not be the provider's newest."""
    if not configured:
        return "no server's name is configured for this mailbox"
    if unreadable:
        return "an Authentication-Results above cannot be read"
    owner = organizational_domain(name)
    neighbour = next((other for other in above if organizational_domain(other) == owner), None)
    return f"{neighbour} above is of the same provider and not configured" if neighbour else ""


# --- what they say ----------------------------------------------------------------------------------------------------


def _weigh(
    domain: str, message: Message, evidence: _Evidence, sealers: list[str]
) -> tuple[Literal["pass", "fail", "none"], str]:
    dmarc = [result for result in evidence.results if result.method == "dmarc"]
    ends = {result.result for result in dmarc}
    if "fail" in ends:
        sealer = _sealer(domain, message, evidence, sealers)
        return ("pass", f"dmarc=fail, but {sealer} vouches by ARC") if sealer else ("fail", f"dmarc=fail for {domain}")
    if ends & {"temperror", "permerror"}:
        return "none", f"dmarc={' '.join(sorted(ends))} for {domain}"
    if ends == {"pass"}:
        other = next((judged for judged in map(_judged, dmarc) if judged and not aligned(judged, domain)), None)
        if other or any("header.from" in result.properties and not _judged(result) for result in dmarc):
            return "none", f"dmarc=pass is for {other or 'more than one domain'}, not for {domain}"
        if not any(map(_by_arc, dmarc)):
            return "pass", f"dmarc=pass for {domain}"
        sealer = _sealer(domain, message, evidence, sealers)
        return ("pass", f"dmarc=pass, {sealer} vouches by ARC") if sealer else ("none", "dmarc=pass only by ARC")
    said = f"dmarc={' '.join(sorted(ends))}" if ends else "no dmarc"
    for result in evidence.results:
        signed = _authenticated(result)
        if signed and aligned(signed, domain):
            return "pass", f"{said}, {result.method}=pass of {signed} for {domain}"
    return "none", f"{said}, and no dkim or spf pass for {domain}"


def _judged(result: Result) -> str:
    """The From domain that a dmarc result is about; mail.ru writes the whole address."""
    return ascii_domain(result.properties.get("header.from", ""))


def _authenticated(result: Result) -> str:
    """The domain that a dkim or spf pass stands for, or ""."""
    if result.result != "pass":
        return ""
    names = {"dkim": ("header.d", "header.i"), "spf": ("smtp.mailfrom", "smtp.mail")}.get(result.method, ())
    return ascii_domain(next((result.properties[name] for name in names if name in result.properties), ""))


# --- ARC --------------------------------------------------------------------------------------------------------------


def _by_arc(result: Result) -> bool:
    """Whether this dmarc=pass was none until somebody's seal was believed (Yahoo's word, and ``policy.arc``)."""
    status = result.properties.get("arc_overridden_status", "not_overridden").lower()
    return (
        status != "not_overridden"
        or result.properties.get("policy.arc", "none").lower() not in ("none", "fail")
        or "arc" in result.reason.lower().replace("_", " ").split()
    )


def _sealer(domain: str, message: Message, evidence: _Evidence, sealers: list[str]) -> str:
    """The trusted domain that vouches by ARC, if the believed server found the chain whole; or ""."""
    whole = any(result.method == "arc" and result.result == "pass" for result in evidence.results) or any(
        # 130: a seal that the organization trusts overrides DMARC (learn.microsoft.com, "Configure trusted ARC
        # sealers"). Microsoft reports arc= nowhere else than in its own seal.
        result.method == "compauth" and result.result == "pass" and result.reason == "130"
        for result in evidence.results
    )
    if not whole or not sealers or evidence.doubt:
        return ""
    return sealed_pass(message.headers[evidence.position + 1 :], domain, sealers)


def _short(why: str) -> str:
    return why if len(why) <= WHY_CHARS else why[: WHY_CHARS - 1] + "…"
