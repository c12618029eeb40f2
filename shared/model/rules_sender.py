"""Rules about who sent a mail: ourselves, a forger, somebody the whitelist knows."""

from __future__ import annotations

from shared.model import reason, whitelist
from shared.model.facts import Answer, Facts


def own_mail(facts: Facts) -> Answer:
    """From one of our own mailboxes, or a mail of ours that came back: the beginning of a loop."""
    sender = facts.message.sender
    if facts.tokens.own is not None:
        return Answer("its Message-ID is one that Inbound gave: it is our own mail", reason.OWN_MAIL)
    if sender is not None and sender.key in facts.own_addresses:
        return Answer(f"{sender.address} is one of this tenant's mailboxes", reason.OWN_MAIL)
    return Answer("the sender is none of this tenant's mailboxes")


def sender_is_real(facts: Facts) -> Answer:
    """A forged sender never passes a whitelist, and never pretends to be a colleague."""
    verdict, sender = facts.verdict, facts.message.sender
    if sender is None:
        return Answer("the From line names no single sender")
    if verdict.result == "pass":
        return Answer(f"{sender.domain} is proved: {verdict.why}")
    own_domains = {address.rpartition("@")[2] for address in facts.own_addresses}
    if verdict.result == "fail" and (facts.settings.whitelist_enabled or sender.domain in own_domains):
        return Answer(f"{sender.address} is forged: {verdict.why}", reason.SENDER_FORGED)
    if verdict.result == "none" and facts.settings.whitelist_enabled and not facts.is_verified:
        return Answer(f"{sender.address} was not checked: {verdict.why}", reason.SENDER_UNVERIFIED)
    said = "failed the check" if verdict.result == "fail" else "was not checked"
    return Answer(f"{sender.address} {said}, which this mailbox accepts: {verdict.why}")


def on_whitelist(facts: Facts) -> Answer:
    """The seed's whitelist: on and empty blocks everyone."""
    if not facts.settings.whitelist_enabled:
        return Answer("the whitelist is off")
    sender = facts.message.sender
    if sender is None:
        return Answer("the whitelist is on and the From line names no single sender", reason.SENDER_UNREADABLE)
    entry = whitelist.allows(facts.settings.whitelist, sender)
    if entry is None:
        return Answer(f"no entry matches {sender.address}", reason.NOT_ON_WHITELIST)
    return Answer(f"{sender.address} is let in by {entry}")
