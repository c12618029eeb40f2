"""What a first connection would bring: how many mails of which age wait, told before anything happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from shared.mail.message import Message, parse
from shared.mail.sender.authserv import learn_authserv_id
from shared.model.mailbox import Settings
from shared.ports import Arrival, Source

MOST = 2000
"""Mails that are counted; what is beyond that is told as "more than"."""

LONGEST = timedelta(seconds=5)
"""Of counting: somebody is waiting in front of a button."""

HEADS = 4
"""Mails whose headers are read beside the first, to learn who judges senders here."""

AGES = (
    (timedelta(days=1), "of the last day"),
    (timedelta(days=7), "of the last week"),
    (timedelta(days=30), "of the last month"),
)

BECOMES = {
    "open": "They become open incidents.",
    "closed": "They become closed incidents with their own dates.",
    "skip": "They are skipped: only mail that comes from now on is taken in.",
}


def waiting(arrivals: Iterator[Arrival], first: Arrival, now: Callable[[], datetime]) -> tuple[list[Arrival], bool]:
    """The mails that wait, the first among them; and whether those are all."""
    found, until = [first], now() + LONGEST
    for arrival in arrivals:
        found.append(arrival)
        if len(found) >= MOST or now() >= until:
            return found, False
    return found, True


def in_words(found: list[Arrival], complete: bool, settings: Settings, now: datetime) -> str:
    """How many mails of which age, and what becomes of them."""
    count = len(found)
    said = f"{'' if complete else 'More than '}{count} mail{'' if count == 1 else 's'} of the last "
    said += f"{settings.days_to_download} days wait"
    left, parts = found, []
    for age, words in AGES:
        young = [one for one in left if now - one.received < age]
        left = [one for one in left if now - one.received >= age]
        parts += [f"{len(young)} {words}"] if young else []
    parts += [f"{len(left)} older"] if left else []
    return f"{said}: {', '.join(parts)}. {BECOMES[settings.old_mail]} Nobody is answered about them."


def judge_of_senders(source: Source, message: Message, found: list[Arrival]) -> str:
    """The name under which the mailbox's provider says whether senders are real; "" where nothing can be learned."""
    heads = [source.fetch_head(arrival) for arrival in found[1 : HEADS + 1]]
    return learn_authserv_id([message, *(parse(head) for head in heads if head)])


def judge_in_words(learned: str, settings: Settings) -> str:
    """What was learned about that, and what to do with it."""
    trusted = ", ".join(settings.judges_of_senders())
    if trusted:
        return f"Whether a sender is real is what {trusted} says."
    if learned:
        return f"{learned} says whether senders are real: give it as authserv_id to have Inbound believe it."
    return "No server says here whether senders are real; Inbound checks DKIM signatures itself."
