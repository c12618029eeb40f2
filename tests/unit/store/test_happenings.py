"""The largest commit of all with its events: below what a transaction may hold."""

from __future__ import annotations

from collections.abc import Sequence

from shared.flows import hooks
from shared.model.webhook import SUBSCRIBABLE, Event, Hooks
from shared.store.happenings import told
from shared.store.tables import MAX_OPERATIONS, Operation
from tests.support.app import NOON, make_app
from tests.support.mails import mail
from tests.support.memory import MemoryTables


class Counting(MemoryTables):
    """Remembers how large the largest commit was."""

    largest = 0

    def commit(self, table: str, partition: str, operations: Sequence[Operation]) -> tuple[str, ...]:
        self.largest = max(self.largest, len(operations))
        return super().commit(table, partition, operations)


def _largest(webhooks: int) -> int:
    tables = Counting()
    world = make_app(tables)
    tenant, _ = world.tenant()
    outgoing = {"enabled": True, "host": "smtp.example.org"}
    world.mailbox(tenant, outgoing=outgoing, acknowledge=True, agents="kim@example.org", notify_agents=True)
    for count in range(webhooks):
        hooks.make(world.app, tenant, hooks.Wish(f"https://r{count}.example/", SUBSCRIBABLE))
    tables.largest = 0
    references = " ".join(f"<{count}@example.com>" for count in range(500))
    world.receive(tenant, mail(references=references, in_reply_to="<x@example.com>"))
    assert len(world.incidents(tenant)) == 1
    return tables.largest


def test_ten_webhooks_cost_a_commit_a_few_rows_and_it_stays_far_below_the_limit() -> None:
    without, with_ten = _largest(0), _largest(10)
    assert without < with_ten <= without + 4
    # Twenty rows of twins and as many of addresses that a report writes off come on top, never both.
    assert with_ten + 20 <= MAX_OPERATIONS


def test_an_event_that_nobody_wants_is_no_row() -> None:
    assert told(Hooks(), [Event("evt_1", "note.added", NOON, "{}")]) == ([], ())
