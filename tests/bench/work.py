"""What the real code does, counted: each kind of work once, over storage that counts.

The flows and the code of shared/store are the ones that run in Azure; only the services under them, and the mail
server, are in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from shared import log
from shared.flows import convert, erase, forget, incinerate, mailboxes, poll, reconcile, rotate, send, upkeep, watch
from shared.model import schedule
from shared.model.doorbell import InboundBell, OutboundBell
from shared.ports import NOBODY
from shared.store.erasing import TableErasing
from shared.store.expired import TableExpired
from shared.store.reconciled import TableReconciled
from tests.bench.counting import Counts, Store
from tests.support.app import World, make_app
from tests.support.mails import mail

SENDS = {"enabled": True, "host": "smtp.example.org"}
RETENTION_DAYS = 180


@dataclass(frozen=True)
class Work:
    """One execution: its requests to storage, and the lines of log that it writes."""

    counts: Counts
    lines: int
    bytes: int

    @property
    def requests(self) -> int:
        """Requests to storage."""
        return self.counts.requests


def one_mail(store: Store | None = None) -> dict[str, Work]:
    """Polls without and with a mail, and what becomes of it. The process is warm: its data keys are unwrapped."""
    bench = _Bench(store or Store())
    bench.world.mailbox(bench.tenant, acknowledge=True, outgoing=SENDS)
    bench.world.mailbox(bench.tenant, "shy", whitelist_enabled=True, whitelist="somebody.else@example.net")
    first = mail(text="It burns.\n" * 20)
    answer = mail(subject="Re: Printer on fire", message_id="<2@example.com>", in_reply_to="<1@example.com>")
    bench.arrives(first)  # the first of everything: indexes, keys
    bench.convert_all()
    bench.send_all()
    bench.poll()
    found = {"poll, no mail": bench.poll()}
    found["poll, one mail"] = bench.arrives(mail("Bob <bob@example.com>", "No paper", message_id="<3@example.com>"))
    found["convert, new incident, to be acknowledged"] = bench.convert_all()
    found["send, acknowledgement"] = bench.send_all()
    bench.arrives(answer)
    found["convert, reply"] = bench.convert_all()
    bench.arrives(first)
    found["convert, duplicate"] = bench.convert_all()
    bench.arrives(mail("Eve <eve@example.com>", "Hello", message_id="<4@example.com>"), "shy")
    found["convert, held"] = bench.convert_all()
    return found


def upkeep_work(mailbox_count: int, tenant_count: int, minutes: int, dedicated: int) -> dict[str, Work]:
    """One run each of what comes by itself, with so many mailboxes and nothing to mend. ``dedicated``: so many have a
    timer of their own that ticks."""
    bench = _Bench(Store())
    world = bench.world
    tenants = [world.tenant(f"t{number}")[0] for number in range(tenant_count)]
    for number in range(mailbox_count):
        tenant, id = tenants[number % tenant_count], f"m{number}"
        world.mailbox(tenant, id, polling_minutes=minutes)
        slot = world.app.schedule.get(tenant, id)
        assert slot is not None
        now = world.clock.now
        # Each is due at its own minute, as it is after some rounds.
        due = now + timedelta(minutes=number % minutes)
        ticked = now if number < dedicated else None
        world.app.schedule.put(replace(slot, due=due, last_success=now, last_poll=now, ticked=ticked))
    last = world.clock.now
    # Within the minute in which one share of them is due, and the others are not yet.
    world.clock.advance(seconds=30)
    found = {"sweep": bench.run(lambda: poll.sweep(world.app))}
    found["rescue"] = bench.run(lambda: upkeep.rescue(world.app))
    found["heal"] = bench.run(lambda: upkeep.heal(world.app))
    found["watch"] = bench.run(lambda: watch.watch(world.app, last))
    expired = TableExpired(world.tables)
    found["incinerate"] = bench.run(lambda: incinerate.incinerate(world.app, expired, RETENTION_DAYS))
    erasing = TableErasing(world.tables, world.blobs)
    found["erase"] = bench.run(
        lambda: (erase.erase(world.app, erasing), forget.forget(world.app), rotate.finish(world.app))
    )
    reconciled = TableReconciled(world.tables)
    found["reconcile, a whole day"] = bench.run(lambda: reconcile.reconcile(world.app, reconciled))
    return found


class _Bench:
    """A world whose storage counts, and whose mail server is Microsoft 365: that one reads a token's row, too."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.world: World = make_app(self.store.tables, self.store.blobs, self.store.queues)
        app = self.world.app

        def open_(mailbox: Any, watch: Any = NOBODY) -> Any:
            app.sign_ins.cache(mailbox.tenant, mailbox.id)  # as shared/servers/doors.py does for a token
            return app.open(mailbox, watch)

        self.app = replace(app, open=open_)
        self.world.app = self.app
        self.tenant, _ = self.world.tenant()

    def run(self, work: Callable[[], object]) -> Work:
        """Count what it asks of storage and says."""
        self.store.take()
        with _heard() as lines:
            work()
        return Work(self.store.take(), len(lines), sum(map(len, lines)))

    def arrives(self, raw: bytes, mailbox: str = "support") -> Work:
        """A mail arrives and is polled."""
        self.world.clock.advance(minutes=2)
        self.world.folders[mailbox].deliver(raw, self.world.clock.now)
        return self.poll(mailbox)

    def poll(self, mailbox: str = "support") -> Work:
        """A poll that is due."""
        mailboxes.poll_now(self.app, self.tenant, mailbox)
        self.store.queues.polls.clear()
        slot = self.app.schedule.get(self.tenant, mailbox)
        assert slot is not None
        assert schedule.is_due(slot, self.world.clock.now)
        return self.run(lambda: poll.poll(self.app, self.tenant, mailbox))

    def convert_all(self) -> Work:
        """Answer the one bell that rang."""
        (bell,) = (InboundBell.decode(text) for text in self.store.queues.inbound)
        self.store.queues.inbound.clear()
        return self.run(lambda: convert.convert(self.app, bell.tenant, bell.id))

    def send_all(self) -> Work:
        """Send the one mail that waits."""
        (bell,) = (OutboundBell.decode(text) for text in self.store.queues.outbound)
        self.store.queues.outbound.clear()
        return self.run(lambda: send.send(self.app, bell.tenant, bell.incident, bell.note))


class _Ear:
    """Keeps the lines of log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def begins(self) -> None:
        """See ``log.Listener``."""

    def hears(self, name: str, fields: Mapping[str, Any]) -> None:
        """See ``log.Listener``."""
        # As the real line is, where storage and mail servers are counted: it has two fields more.
        self.lines.append(json.dumps({"event": name, **fields, "operations": 10, "round_trips": 10}))


@contextmanager
def _heard() -> Iterator[list[str]]:
    ear = _Ear()
    stop = log.listen(ear)
    try:
        yield ear.lines
    finally:
        stop()
