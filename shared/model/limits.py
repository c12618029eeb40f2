"""Limits that end what no header reveals: loops, floods, and mail that somebody else makes us send.

Each counts something in a window of time. A limit that is full never loses a mail: the mail is held, or an answer is
not sent, or an incident is not opened again.

A loop needs our answer for its next round, so the first answer that a limit holds back ends it for good. A window of
``most`` ends every loop that comes round more than ``most`` times in it: short windows end quick loops, long windows
slow ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.mail.address import Address
from shared.mail.sender.organization import organizational_domain

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)

_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
"""Windows are counted from here: weeks begin on Mondays, at midnight UTC."""

DOMAIN_SHARE = 20
"""A domain may open this many times what one of its addresses may: a loop that changes its sender each time still has
its domain, and a whole company on a bad day stays below."""

REOPENS_PER_DAY = 10
"""How often a day one incident is opened again by mail: two machines that thank one another end here."""

ACKS_OF_SENDER = ((3, HOUR), (10, DAY))
"""Acknowledgements to one address. Two in an hour would do for most people; one more for who writes three things in a
row and waits for three numbers. Nobody misses the eleventh of a day, and a machine that answers every two hours ends
there. For a forged sender it is the whole of what he can get from one tenant."""

ACKS_OF_DOMAIN = ((100, HOUR), (500, DAY))
"""To one organization: what is left of a loop that changes address, subject and words each time. Half of what the
mailbox may send, so that no one uses up the others' part; and no less, because a desk for a company's own people (500
mails a day are 25 agents' work) gets nearly all its mail from one domain."""

ACKS_OF_SUBJECT = ((10, timedelta(hours=3)),)
"""To mails of one organization whose subjects are one but for numbers and prefixes. Fewer would do against loops, but
customers of a free mail provider all write from one domain, and "Order 4711" and "Order 4712" are one subject."""

ACKS_OF_TEXT = ((2, DAY), (5, WEEK))
"""To mails of one organization with the same words: machines repeat themselves to the letter, people do not. Five a
week, so that who sends a file with the same three lines each working day has his receipts; a loop that takes longer
than a day and a half for a round is let go on: it costs five mails a week."""

ACKS_OF_MAILBOX = ((200, HOUR), (1000, DAY))
"""From one mailbox, whoever writes: half of the 2,000 mails that Google Workspace lets an account send a day
(support.google.com/a/answer/166852; Exchange Online: 10,000), because agents' answers leave by the same account. 200
new incidents in an hour are more than 50 agents take in."""

ACKS_TO_UNPROVED = ((20, HOUR),)
"""From one mailbox to senders whom nobody checked, all together: who forges 500 senders makes us write to 20 strangers
in an hour at most. Nearly all mail of people is signed (DKIM) and so is not counted here."""


@dataclass(frozen=True, slots=True)
class Limit:
    """``most`` events called ``name`` of ``key`` between ``start`` and ``end``.

    ``name`` says how long the window is ("new incidents in an hour from"): limits whose windows end at the same
    moment are told apart by it.
    """

    name: str
    key: str
    most: int
    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{self.most} {self.name} {self.key}"


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a limit is used. ``version``: the row's ETag, empty where nothing was counted yet."""

    limit: Limit
    count: int = 0
    version: str = ""

    @property
    def is_full(self) -> bool:
        """Whether one more is too much."""
        return self.count >= self.limit.most


def of_new_incidents(sender: Address | None, most: int, at: datetime) -> tuple[Limit, ...]:
    """The limits that a new incident of this sender is counted by: ``most`` of one address in an hour, and as many of
    all senders together whose address cannot be read. ``at``: when the server received the mail, so that a first
    import of a year's mail is no flood."""
    if sender is None:
        return (_limit("new incidents", "from", "unreadable senders", most, at, HOUR),)
    return (
        _limit("new incidents", "from", sender.key, most, at, HOUR),
        _limit("new incidents", "from", sender.domain, most * DOMAIN_SHARE, at, HOUR),
    )


def of_reopening(incident: int, at: datetime) -> Limit:
    """The limit that opening an incident again is counted by."""
    return _limit("times opened again", "of", f"#{incident}", REOPENS_PER_DAY, at, DAY)


def of_acknowledgement(
    sender: Address, mailbox: str, subject: str, words: str, proved: bool, at: datetime
) -> tuple[Limit, ...]:
    """The limits that an acknowledgement to this sender is counted by.

    ``mailbox``: the address it leaves from. ``subject``: the fingerprint of the mail's. ``words``: a digest of its
    text, empty if that is too short to tell machines from people. ``proved``: somebody checked the sender. ``at``: now,
    because what is limited is what we send.
    """
    domain = organizational_domain(sender.domain)
    wanted = [
        (ACKS_OF_SENDER, "to", sender.key),
        (ACKS_OF_DOMAIN, "to", domain),
        (ACKS_OF_SUBJECT, "to", f"mails of {domain} about “{subject[:100]}”"),
        (ACKS_OF_TEXT if words else (), "to", f"mails of {domain} with the same words ({words[:16]})"),
        (ACKS_OF_MAILBOX, "from", mailbox),
        (() if proved else ACKS_TO_UNPROVED, "to unproved senders from", mailbox),
    ]
    return tuple(
        _limit("acknowledgements", link, key, most, at, window)
        for windows, link, key in wanted
        for most, window in windows
    )


def _limit(what: str, link: str, key: str, most: int, at: datetime, window: timedelta) -> Limit:
    start = at - (at - _MONDAY) % window
    return Limit(f"{what} in {_span(window)} {link}", key, most, start, start + window)


def _span(window: timedelta) -> str:
    named = {HOUR: "an hour", DAY: "a day", WEEK: "a week"}
    return named.get(window) or f"{round(window / HOUR)} hours"
