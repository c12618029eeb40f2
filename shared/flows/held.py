"""What people do with mail that was held or failed: release it, discard it, always allow its sender, try it again."""

from __future__ import annotations

from dataclasses import replace

from shared import log
from shared.errors import Conflict, Invalid, NotFound, RowChanged
from shared.mail.address import Address
from shared.mail.message import parse
from shared.model import reason, whitelist
from shared.model.inbound import Inbound
from shared.model.mailbox import MAX_WHITELIST
from shared.model.reason import Outcome
from shared.ports import App

MAX_RELEASED = 500
"""Held mails of one sender that are released together; whoever has more presses the button again."""

TRIES = 3
"""Times that settings which somebody else changes at the same moment are read again."""


def get(app: App, tenant: str, id: str) -> Inbound:
    """Raises ``NotFound``."""
    mail = app.desk.inbound(tenant, id)
    if mail is None:
        raise NotFound("There is no such mail.", "Check its id in the list of mail.")
    return mail


def release(app: App, tenant: str, id: str, by: str) -> Inbound:
    """Take a held mail, or one that somebody discarded, as if it were allowed. ``by``: who says so, for the trace.

    Raises ``NotFound``, ``Conflict``.
    """
    mail = get(app, tenant, id)
    if not mail.can_be_released:
        raise _not_held(mail)
    _release(app, tenant, mail, by)
    return get(app, tenant, id)


def discard(app: App, tenant: str, id: str, by: str) -> Inbound:
    """A held mail is not wanted. Its raw stays for as long as mail is kept. Raises ``NotFound``, ``Conflict``."""
    mail = get(app, tenant, id)
    if mail.outcome is not Outcome.HELD:
        raise _not_held(mail)
    try:
        done = app.desk.discard(tenant, id, by)
    except RowChanged:
        done = False
    if not done:
        raise _changed()
    log.event("mail_discarded", tenant=tenant, mailbox=mail.mailbox, inbound=id)
    return get(app, tenant, id)


def retry(app: App, tenant: str, id: str) -> Inbound:
    """Try again to convert a mail that failed. Raises ``NotFound``, ``Conflict``."""
    mail = get(app, tenant, id)
    if mail.reason != reason.CONVERSION_FAILED.code:
        raise Conflict("Only mail whose conversion failed can be tried again.")
    try:
        done = app.desk.retry(tenant, id, app.now())
    except RowChanged:
        done = False
    if not done:
        raise _changed()
    app.queues.ring_inbound(tenant, mail.mailbox, id)
    return get(app, tenant, id)


def always_allow(app: App, tenant: str, id: str, by: str) -> int:
    """Put the sender of a held mail on its mailbox's whitelist, and release all of his mail that the whitelist held.

    How many were released. Raises ``NotFound``, ``Conflict``, and ``Invalid`` for a mail without a clear sender.
    """
    mail = get(app, tenant, id)
    if mail.outcome is not Outcome.HELD:
        raise _not_held(mail)
    if mail.reason != reason.NOT_ON_WHITELIST.code:
        raise Conflict(
            "The whitelist did not hold this mail, so changing it would not help. Release it, if it is good."
        )
    sender = _sender(app, tenant, mail)
    _put_on_whitelist(app, tenant, mail.mailbox, sender)
    # This one last: when storage fails on the way, the button is still there to be pressed again.
    held = [*(one for one in _held_of(app, tenant, mail) if one.id != mail.id), mail]
    return sum(_release(app, tenant, one, by, quietly=True) for one in held)


def _held_of(app: App, tenant: str, mail: Inbound) -> list[Inbound]:
    """Other mails of the same sender that the same whitelist held."""
    found: list[Inbound] = []
    after: str | None = ""
    while after is not None and len(found) < MAX_RELEASED:
        page = app.desk.ledger(tenant, Outcome.HELD, reason.NOT_ON_WHITELIST.code, mail.mailbox, after, 200)
        found += [one for one in page.items if one.sender.lower() == mail.sender.lower()]
        after = page.next
    return found[:MAX_RELEASED]


def _sender(app: App, tenant: str, mail: Inbound) -> Address:
    """Read again from the mail itself: what the ledger shows is for people only."""
    raw = app.raw.get(tenant, mail.id)
    sender = parse(raw).sender if raw is not None else None
    if sender is None:
        raise Invalid([("sender", "This mail names no single clear sender, so nobody can be allowed by it.")])
    if whitelist.entries(sender.key) != (sender.key,) or whitelist.allows(sender.key, sender) is None:
        # ``"x, evil.example, y"@example.com`` is a valid address, and would be three entries.
        raise Invalid([("sender", "The sender's address holds spaces or commas, so it cannot be put on a whitelist.")])
    return sender


def _put_on_whitelist(app: App, tenant: str, id: str, sender: Address) -> None:
    for _ in range(TRIES):
        mailbox = app.mailboxes.get(tenant, id)
        if mailbox is None:
            raise Conflict("The mailbox of this mail was deleted.")
        listed = mailbox.settings.whitelist
        if whitelist.allows(listed, sender) is not None:
            return
        longer = f"{listed.rstrip().rstrip(',')}, {sender.key}" if listed.strip() else sender.key
        if len(longer.encode("utf-16-le")) // 2 > MAX_WHITELIST:
            raise Invalid([("whitelist", "The whitelist is full. Replace single addresses by their domain.")])
        try:
            app.mailboxes.put(replace(mailbox, settings=mailbox.settings.model_copy(update={"whitelist": longer})))
        except RowChanged:
            continue
        return
    raise Conflict("Somebody else changes this mailbox just now. Try again.")


def _release(app: App, tenant: str, mail: Inbound, by: str, quietly: bool = False) -> bool:
    try:
        done = app.desk.release(tenant, mail.id, by, app.now())
    except RowChanged:
        done = False
    if done:
        app.queues.ring_inbound(tenant, mail.mailbox, mail.id)
        log.event("mail_released", tenant=tenant, mailbox=mail.mailbox, inbound=mail.id)
    elif not quietly:
        raise _changed()
    return done


def _not_held(mail: Inbound) -> Conflict:
    return Conflict(f"This mail is not held (any more): it is {mail.outcome.value}.")


def _changed() -> Conflict:
    return Conflict("Somebody else did something with this mail at the same moment. Look at it again.")
