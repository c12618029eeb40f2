"""A desk that acknowledges: what the flow that sends does when a mail is filed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from shared.flows.gather import Gathered
from shared.mail.message import parse
from shared.model.acknowledge import limits_of, may_acknowledge
from shared.model.facts import Facts
from shared.model.inbound import Filed, Filing
from shared.model.limits import Tally
from shared.model.mailbox import own_addresses
from shared.model.reason import Outcome
from shared.store.desk import TableDesk
from tests.support.app import World


class AcknowledgingDesk(TableDesk):
    """A stand-in for the flow that sends: it decides about the acknowledgement with the filing, counts it in the same
    transaction, and sends it once that is committed.

    ``limited``: False counts nothing, to show what the limits are for. ``between``: what somebody else does between
    the decision and its commit.
    """

    def __init__(self, world: World, limited: bool = True) -> None:
        super().__init__(world.tables, world.blobs)
        self.world = world
        self.limited = limited
        self.between: Callable[[], None] = lambda: None
        self.human: set[str] = set()
        self.outbox: list[tuple[Facts, str, str, int]] = []
        self.said: Counter[str] = Counter()

    def file(self, tenant: str, filing: Filing) -> Filed:
        facts, now = self._facts(tenant, filing), self.world.clock.now
        wanted = limits_of(facts, now)
        tallies = self.tallies(tenant, wanted) if self.limited else tuple(Tally(limit) for limit in wanted)
        answer = may_acknowledge(facts, filing.decision, tallies, now)
        counted = answer.count if self.limited else ()
        decision = replace(filing.decision, count=(*filing.decision.count, *counted))
        self.between()
        filed = super().file(tenant, replace(filing, decision=decision))
        self.said[answer.why] += 1
        if decision.outcome is Outcome.DELIVERED and facts.is_human:
            self.human.add(filing.inbound.id)
        if answer.send:
            assert filed.incident is not None
            self.outbox.append((facts, tenant, filing.inbound.id, filed.incident))
        return filed

    def _facts(self, tenant: str, filing: Filing) -> Facts:
        app, inbound = self.world.app, filing.inbound
        raw, mailbox = app.raw.get(tenant, inbound.id), app.mailboxes.get(tenant, inbound.mailbox)
        assert raw is not None
        assert mailbox is not None
        return Gathered(app, tenant, inbound, parse(raw), raw, mailbox, own_addresses((mailbox,))).facts()
