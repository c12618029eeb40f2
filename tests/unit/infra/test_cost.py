"""What a month costs: the counts that the model is made of, and that infra/README.md shows what the model prints."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from infra.local.azurite import Azurite
from shared import log
from shared.store.counting import CountingTransport
from shared.store.raw import AzureBlobs
from shared.store.tables import AzureTables
from tests.bench import cost, work
from tests.bench.cost import Plan
from tests.bench.counting import QUEUE_PUT, TABLE_READ, TABLE_WRITE, Counts, Store
from tests.bench.prices import EAST_US_2

ROOT = Path(__file__).parents[3]
README = (ROOT / "infra" / "README.md").read_text()

COUNTED = {
    "poll, no mail": (4, 2, 0),
    "poll, one mail": (5, 5, 1),
    "convert, new incident, to be acknowledged": (27, 1, 1),
    "send, acknowledgement": (6, 2, 0),
    "convert, reply": (18, 1, 0),
    "convert, duplicate": (9, 1, 0),
    "convert, held": (8, 1, 0),
}
"""Reads of tables, transactions, messages put on queues."""

SLACK = 2
"""Requests more or less that nobody has to explain here; twice as many are seen."""

NOT_IN_THE_MODEL = {
    "give_up": "a mail that failed five times",
    "send_gave_up": "a mail out that failed five times",
    "webhook": "only for a tenant that has one",
    "webhook_gave_up": "only for a tenant that has one",
}


@functools.cache
def measured() -> dict[str, work.Work]:
    return work.one_mail()


@pytest.mark.parametrize("name", COUNTED)
def test_one_of_each_asks_storage_as_often_as_it_did(name: str) -> None:
    counts = measured()[name].counts
    found = (counts[TABLE_READ], counts[TABLE_WRITE], counts[QUEUE_PUT])
    assert all(abs(now - then) <= SLACK for now, then in zip(found, COUNTED[name], strict=True)), found


def test_nothing_is_measured_that_is_not_asserted() -> None:
    assert measured().keys() == COUNTED.keys()


def test_a_sweep_reads_once_and_rings_once_for_each_mailbox_that_is_due() -> None:
    counts = work.upkeep_work(100, 10, 2, 0)["sweep"].counts
    assert counts == Counts({TABLE_READ: 1, QUEUE_PUT: 50})
    assert work.upkeep_work(100, 10, 2, 50)["sweep"].counts[QUEUE_PUT] == 25


def test_upkeep_grows_with_mailboxes_and_tenants_and_not_faster() -> None:
    small, large = (work.upkeep_work(mailboxes, mailboxes // 10, 2, 0) for mailboxes in (50, 200))
    for name in small:
        assert large[name].requests <= 4.5 * small[name].requests, name


class _OverHttp(Store):
    """Storage of Azurite: what is counted is requests on the wire, of whatever kind, and the bells that rang."""

    def __init__(self, azurite: Azurite) -> None:
        super().__init__()
        limits: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 20, "retry_total": 0}
        more = {"transport": CountingTransport(limits), "api_version": "2025-11-05", **limits}
        connection = azurite.connection_string
        more_tables = {key: value for key, value in more.items() if key != "api_version"}
        tables = AzureTables(TableServiceClient.from_connection_string(connection, **more_tables))
        blobs = AzureBlobs(BlobServiceClient.from_connection_string(connection, **more))
        tables.create()
        blobs.create()
        self.tables, self.blobs = tables, blobs  # type: ignore[assignment]
        self._told: list[int] = []
        self.stop = log.listen(self)

    def begins(self) -> None:
        return None

    def hears(self, name: str, fields: Any) -> None:
        self._told.append(int(fields.get("operations", 0)))

    def take(self) -> Counts:
        log.event("usage")
        taken = Counts({TABLE_READ: sum(self._told), QUEUE_PUT: self.counts[QUEUE_PUT]})
        self._told.clear()
        self.counts.clear()
        return taken


@pytest.mark.azurite
def test_what_is_counted_in_memory_is_what_goes_over_the_wire() -> None:
    with Azurite(None) as own:  # an empty one: the first of everything is counted in neither
        store = _OverHttp(own)
        try:
            over_http = {name: one.requests for name, one in work.one_mail(store).items()}
        finally:
            store.stop()
    assert over_http == {name: one.requests for name, one in measured().items()}


def test_every_function_is_in_the_model_or_left_out_for_a_reason() -> None:
    functions = {
        node.name
        for path in (ROOT / "functions").glob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
        and any(
            "queue_trigger" in ast.unparse(one) or "timer_trigger" in ast.unparse(one) for one in node.decorator_list
        )
    }
    counted = cost.bill(Plan(mailboxes=4, tenants=1, dedicated=2)).loads
    known = {load.function for load in counted} | {load.name for load in counted}
    assert functions - known - NOT_IN_THE_MODEL.keys() == set()


def test_timers_of_their_own_cost_more_and_less_memory_costs_less() -> None:
    plan = Plan(mailboxes=20, mails_per_day=100, tenants=2)
    alone, own = cost.bill(plan), cost.bill(Plan(mailboxes=20, mails_per_day=100, tenants=2, dedicated=20))
    small = cost.bill(Plan(mailboxes=20, mails_per_day=100, tenants=2, memory_mb=512))
    seconds = [one.amounts["gb_seconds"] for one in (small, alone, own)]
    assert seconds == sorted(seconds)
    assert alone.amounts["executions"] == pytest.approx(own.amounts["executions"])


def test_a_price_can_be_given_and_changes_its_line_alone() -> None:
    few = ["--mailboxes", "4", "--mails-per-day", "10", "--dedicated-timers", "0"]
    before, after = (cost.main([*few, *more]).splitlines() for more in ((), ("--price", "log_gb=1000")))
    changed = [one.split()[0] for one, other in zip(before, after, strict=True) if one != other]
    assert len(changed) <= 2  # the line, and the sum
    with pytest.raises(SystemExit):
        cost.main([*few, "--price", "gold=1"])


def test_every_price_says_where_it_is_from() -> None:
    from tests.bench.prices import READ

    assert {one.source for one in EAST_US_2.values()} <= READ.keys()


def numbers(line: str) -> list[float]:
    return [float(one.replace(",", "")) for one in re.findall(r"\d[\d,]*\.?\d*", line)]


def test_the_readme_shows_what_the_command_prints() -> None:
    """``python -m tests.bench.cost`` prints it anew. A fifth more or less is as true as such a model is."""
    shown = re.search(r"```\n\$ python -m tests\.bench\.cost (.*)\n((?s:.*?))```", README)
    assert shown
    printed = cost.main(shown[1].split()).splitlines()
    told = shown[2].rstrip("\n").splitlines()
    assert [re.sub(r"[\d,.]+ *", "#", line).split() for line in told] == [
        re.sub(r"[\d,.]+ *", "#", line).split() for line in printed
    ]
    for there, now in zip(told, printed, strict=True):
        assert numbers(there) == pytest.approx(numbers(now), rel=0.2, abs=1.5), now
