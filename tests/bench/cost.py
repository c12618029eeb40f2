"""``python -m tests.bench.cost --mailboxes 1000 --mails-per-day 20000``: what a month costs, and what of it is what.

Requests to storage and lines of log are counted from the real code (``work``). What Azure does around it is assumed,
each assumption with its reason; times of executions follow from the counted requests. A month has 30 days.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench import work
from tests.bench.counting import BLOB_DELETE, BLOB_READ, BLOB_WRITE, QUEUE_PUT, TABLE_READ, TABLE_WRITE, Counts
from tests.bench.prices import READ, REGIONS, Price
from tests.bench.work import Work

ROOT = Path(__file__).parents[2]
DAYS = 30
MINUTES = DAYS * 24 * 60

ACKNOWLEDGED = "convert, new incident, to be acknowledged"
MIX = {ACKNOWLEDGED: 0.45, "convert, reply": 0.45, "convert, held": 0.05}
"""What becomes of mails; the rest are duplicates, which cost least. A desk's guess, to be replaced by one's own."""

# ── assumed: how long things take ─────────────────────────────────────────────────────────────────────────────────

REQUEST_SECONDS = 0.010
"""A request to storage in the same region."""
ROUND_TRIP_SECONDS = 0.100
"""A request to a mail server somewhere in the world."""
CPU_SECONDS = 0.050
"""Of one execution; on 512 MB, a quarter of a core, ``CPU_SECONDS`` x 4."""
ROUND_TRIPS = {"poll, no mail": 1, "poll, one mail": 3, "send, acknowledgement": 6}
"""Counted by tests/integration/test_imap_idle.py and test_graph.py on warm connections; sending by SMTP."""
LEAST_SECONDS = 1.0
"""Of each period in which an instance is active (learn.microsoft.com/azure/azure-functions/functions-consumption-costs)."""

# ── assumed: what the host does for itself ────────────────────────────────────────────────────────────────────────

IDLE_SECONDS = 30.0
"""An instance lives on after its last execution (a maintainer in azure-functions-host issue 10706)."""
WRITES_A_TICK = 2
"""A timer's status: container and blob (host source, read and seen on Azurite)."""
LEASES_A_MINUTE = 2.0
"""A timer's lease is renewed every 30 s while its instance lives (host source)."""
SCALER_SECONDS = 10.0
"""The scale controller looks into each queue so often (unverified: nothing says so)."""
HOST_LINES = 3
HOST_LINE_BYTES = 900
"""Of each execution: a request, "Executing", "Executed", with the columns of Application Insights (estimated)."""
OWN_LINE_BYTES = 600
"""What Application Insights puts around one of our lines (estimated)."""
HEALTH_TESTS = MINUTES / 15 * 3
"""infra/modules/alerts.bicep: every 15 minutes from three places."""
HEALTH = Work(Counts({TABLE_READ: 1}), 0, 0)
MAIL_ROWS_GB = 10e-6
"""Of the 20 to 30 rows of one mail, some 400 bytes each, which stay for ever: a year of them is counted."""


@dataclass(frozen=True)
class Plan:
    """What is to be paid for."""

    mailboxes: int = 1000
    mails_per_day: int = 20_000
    tenants: int = 100
    polling_minutes: int = 2
    dedicated: int = 0
    memory_mb: int = 2048
    mail_kb: int = 60
    retention_days: int = 180
    queues: int = 0
    at_once: int = 0


@dataclass(frozen=True)
class Load:
    """One kind of execution: how often a month, and what one asks and says. ``function``: the queue's function whose
    instances take six at once; empty for a timer, which has an instance to itself."""

    name: str
    times: float
    work: Work
    function: str = ""
    round_trips: int = 0

    def seconds(self, plan: Plan) -> float:
        """How long one takes."""
        slower = 4 if plan.memory_mb == 512 else 1
        said = self.work.requests * REQUEST_SECONDS + self.round_trips * ROUND_TRIP_SECONDS
        return CPU_SECONDS * slower + said


def active_seconds(all_loads: Sequence[Load], plan: Plan) -> dict[str, float]:
    """For how long instances are active in a month, by kind. What comes to one function shares its instances."""
    found: dict[str, float] = {}
    for function in {load.function for load in all_loads if load.function}:
        together = [load for load in all_loads if load.function == function]
        times = sum(load.times for load in together)
        needed = {load.name: load.times * load.seconds(plan) / plan.at_once for load in together}
        # In a minute in which anything comes, an instance is active for the least that is billed.
        least = MINUTES * -math.expm1(-times / MINUTES) * LEAST_SECONDS
        stretch = max(1.0, least / sum(needed.values()))
        found |= {name: seconds * stretch for name, seconds in needed.items()}
    alone = (load for load in all_loads if not load.function)
    return found | {load.name: load.times * max(LEAST_SECONDS, load.seconds(plan)) for load in alone}


def host() -> dict[str, float]:
    """What host.json says: messages at once on an instance, and the longest pause between looks at a queue."""
    queues = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]
    hours, minutes, seconds = map(int, queues["maxPollingInterval"].split(":"))
    pause = hours * 3600 + minutes * 60 + seconds
    return {"at_once": queues["batchSize"] + queues["newBatchThreshold"], "pause": pause}


def queue_functions() -> int:
    """How many functions wait for a queue."""
    return sum(len(re.findall(r"@bp\.queue_trigger", path.read_text())) for path in (ROOT / "functions").glob("*.py"))


def loads(plan: Plan, mail: dict[str, Work], upkeep: dict[str, Work]) -> list[Load]:
    """Everything that runs in a month."""
    polls, mails = MINUTES / plan.polling_minutes, plan.mails_per_day * DAYS
    own, rung = polls * plan.dedicated, polls * (plan.mailboxes - plan.dedicated)
    share = plan.dedicated / plan.mailboxes
    idle, full = mail["poll, no mail"], mail["poll, one mail"]
    kinds = {**MIX, "convert, duplicate": 1 - sum(MIX.values())}
    trips = ROUND_TRIPS
    found = [
        Load("poll, timer of its own", max(own - mails * share, 0), idle, "", trips["poll, no mail"]),
        Load(
            "poll, rung by the sweep", max(rung - mails * (1 - share), 0), idle, "poll_mailbox", trips["poll, no mail"]
        ),
        Load("poll that finds a mail, timer", min(mails * share, own), full, "", trips["poll, one mail"]),
        Load(
            "poll that finds a mail, sweep",
            min(mails * (1 - share), rung),
            full,
            "poll_mailbox",
            trips["poll, one mail"],
        ),
        *(Load(name, mails * part, mail[name], "convert") for name, part in kinds.items()),
        Load(
            "send, acknowledgement",
            mails * MIX[ACKNOWLEDGED],
            mail["send, acknowledgement"],
            "send",
            trips["send, acknowledgement"],
        ),
        Load("sweep", MINUTES, upkeep["sweep"]),
        Load("rescue", MINUTES / 2, upkeep["rescue"]),
        Load("heal", DAYS * 24, upkeep["heal"]),
        Load("erase", MINUTES / 10, upkeep["erase"]),
        Load("watch", DAYS * 24, upkeep["watch"]),
        Load("reconcile", DAYS * 24, _a_part(upkeep["reconcile, a whole day"], 24), "", plan.mailboxes // 24 * 2),
        Load("incinerate", DAYS, upkeep["incinerate"]),
        Load("health test", HEALTH_TESTS, HEALTH, "http"),
    ]
    return [load for load in found if load.times]


def _a_part(work: Work, of: int) -> Work:
    counts = Counts({kind: round(count / of) for kind, count in work.counts.items()})
    return Work(counts, work.lines // of, work.bytes // of)


@dataclass(frozen=True)
class Bill:
    """Amounts by name of price, and what is worth knowing beside them."""

    amounts: dict[str, float]
    seconds: dict[str, float]
    loads: tuple[Load, ...]
    plan: Plan

    def dollars(self, prices: dict[str, Price]) -> dict[str, float]:
        """By name of price, free amounts taken off."""
        return {name: max(self.amounts.get(name, 0) - one.free, 0) * one.each for name, one in prices.items()}


def bill(plan: Plan) -> Bill:
    """Count and add up."""
    known = host()
    plan = replace(plan, at_once=int(known["at_once"]), queues=queue_functions())
    mail = work.one_mail()
    upkeep = work.upkeep_work(plan.mailboxes, plan.tenants, plan.polling_minutes, plan.dedicated)
    all_loads = loads(plan, mail, upkeep)
    sums: dict[str, float] = defaultdict(float)
    for load in all_loads:
        for kind, count in load.work.counts.items():
            sums[kind] += count * load.times
    executions = sum(load.times for load in all_loads)
    seconds = active_seconds(all_loads, plan)
    timers = sum(load.times for load in all_loads if not load.function)
    messages = sum(load.times for load in all_loads if load.function not in ("", "http"))
    awake = _awake(all_loads, seconds)
    lines = sum(load.times * (load.work.lines * OWN_LINE_BYTES + load.work.bytes) for load in all_loads)
    # Each message is put by us, and got and deleted by the host; then it looks again, and so does the scaler.
    looks = awake * 60 / known["pause"] + MINUTES * 60 / SCALER_SECONDS * plan.queues
    amounts = {
        "gb_seconds": sum(seconds.values()) * plan.memory_mb / 1024,
        "executions": executions,
        "table_requests": sums[TABLE_READ] + sums[TABLE_WRITE],
        "queue_requests": sums[QUEUE_PUT] + 2 * messages + looks,
        "blob_writes": sums[BLOB_WRITE] + timers * WRITES_A_TICK,
        "blob_requests": sums[BLOB_READ] + sums[BLOB_DELETE] + _timer_minutes(all_loads, plan) * LEASES_A_MINUTE,
        "blob_gb": plan.mails_per_day * plan.retention_days * plan.mail_kb / 1e6,
        "table_gb": plan.mails_per_day * 365 * MAIL_ROWS_GB,
        "log_gb": (lines + executions * HOST_LINES * HOST_LINE_BYTES) / 1e9,
        "health_tests": HEALTH_TESTS,
        **_alerts(),
    }
    return Bill(amounts, seconds, tuple(all_loads), plan)


def _awake(all_loads: Sequence[Load], seconds: dict[str, float]) -> float:
    """Minutes of a month in which an instance for a queue's function lives, over all queues."""
    found = 0.0
    for function in {load.function for load in all_loads} - {"", "http"}:
        together = [load for load in all_loads if load.function == function]
        idle = MINUTES * -math.expm1(-sum(load.times for load in together) / MINUTES) * IDLE_SECONDS / 60
        found += min(MINUTES, sum(seconds[load.name] for load in together) / 60 + idle)
    return found


def _timer_minutes(all_loads: Sequence[Load], plan: Plan) -> float:
    """Minutes of a month in which the instances of timers live."""
    alone = (load for load in all_loads if not load.function)
    return sum(load.times * (max(LEAST_SECONDS, load.seconds(plan)) + IDLE_SECONDS) / 60 for load in alone)


def _alerts() -> dict[str, float]:
    every = re.findall(r"every: '(PT\w+)'", (ROOT / "infra" / "modules" / "alerts.bicep").read_text())
    often = sum(one == "PT5M" for one in every)
    return {"alerts_5_minutes": often, "alerts_15_minutes": len(every) - often}


def _daily_cap(file: str) -> int:
    found = re.search(r"param dailyLogCapGb = (\d+)", (ROOT / "infra" / file).read_text())
    assert found
    return int(found[1])


# ── the page ──────────────────────────────────────────────────────────────────────────────────────────────────────


def page(plan: Plan, prices: dict[str, Price]) -> str:
    """The page: two ways to poll, beside each other."""
    own = bill(replace(plan, dedicated=min(plan.dedicated, plan.mailboxes)))
    alone = bill(replace(plan, dedicated=0))
    return "\n".join([*_head(own.plan), *_executions(own, alone), "", *_money(own, alone, prices), "", *_storage()])


def _head(plan: Plan) -> Iterator[str]:
    yield f"{plan.mailboxes:,} mailboxes of {plan.tenants:,} tenants, polled every {plan.polling_minutes} minutes;"
    yield f"{plan.mails_per_day:,} mails a day of {plan.mail_kb} KB; instances of {plan.memory_mb:,} MB; a month of 30 days."
    yield ""


def _executions(own: Bill, alone: Bill) -> Iterator[str]:
    yield f"{'':42} {f'{own.plan.dedicated} own timers':>25} {'the sweep alone':>25}"
    yield f"{'executions, and seconds of instances':42} {'times':>12} {'seconds':>12} {'times':>12} {'seconds':>12}"
    names = list(dict.fromkeys(load.name for load in (*own.loads, *alone.loads)))
    for name in names:
        cells = []
        for one in (own, alone):
            load = next((load for load in one.loads if load.name == name), None)
            cells += [load.times if load else 0, one.seconds[name] if load else 0]
        yield f"{name:42} " + " ".join(f"{cell:12,.0f}" for cell in cells)


def _money(own: Bill, alone: Bill, prices: dict[str, Price]) -> Iterator[str]:
    yield f"{'dollars a month':54} {'amount':>13} {'$':>9} {'amount':>13} {'$':>9}"
    sums = [one.dollars(prices) for one in (own, alone)]
    for name, price in prices.items():
        if not own.amounts.get(name) and not alone.amounts.get(name):
            continue
        cells = (
            f"{one.amounts[name]:13,.0f} {spent[name]:9,.2f}" for one, spent in zip((own, alone), sums, strict=True)
        )
        mark = " (unsure)" if price.unsure else ""
        yield f"{price.what + mark:54} {' '.join(cells)}"
    a_day = ", ".join(f"{one.amounts['log_gb'] / DAYS:.1f}" for one in (own, alone))
    totals = (f"{'':13} {sum(spent.values()):9,.2f}" for spent in sums)
    yield f"{'together':54} {' '.join(totals)}"
    yield f"GB of logs a day: {a_day}. Collecting stops at dailyLogCapGb, which is {_daily_cap('prod.bicepparam')} in prod."


def _storage() -> Iterator[str]:
    yield f"{'one of each, requests to storage as counted':44} {'tables':>13} {'blobs':>12} {'queues':>8} {'log lines':>10}"
    yield f"{'':42} {'read':>7} {'write':>7} {'read':>6} {'write':>5} {'put':>8}"
    for name, one in work.one_mail().items():
        count = one.counts
        cells = f"{count[TABLE_READ]:7} {count[TABLE_WRITE]:7} {count[BLOB_READ]:6} {count[BLOB_WRITE]:5} {count[QUEUE_PUT]:8}"
        yield f"{name:42} {cells} {one.lines:10}"


def main(arguments: Sequence[str]) -> str:
    """The page for these arguments."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cost", description=__doc__)
    parser.add_argument("--mailboxes", type=int, default=1000)
    parser.add_argument("--mails-per-day", type=int, default=20_000)
    parser.add_argument("--tenants", type=int, help="default: one for ten mailboxes")
    parser.add_argument("--polling-minutes", type=int, default=2)
    parser.add_argument("--dedicated-timers", type=int, default=50)
    parser.add_argument("--memory-mb", type=int, choices=(512, 2048, 4096), default=2048)
    parser.add_argument("--mail-kb", type=int, default=60)
    parser.add_argument("--retention-days", type=int, default=180)
    parser.add_argument("--region", choices=REGIONS, default="eastus2")
    parser.add_argument("--price", action="append", default=[], metavar="NAME=DOLLARS", help="instead of the region's")
    given = parser.parse_args(arguments)
    prices = dict(REGIONS[given.region])
    for text in given.price:
        name, _, dollars = text.partition("=")
        if name not in prices:
            parser.error(f"there is no price {name!r}; there are {', '.join(prices)}")
        prices[name] = replace(prices[name], each=float(dollars), unsure=False)
    plan = Plan(
        mailboxes=given.mailboxes,
        mails_per_day=given.mails_per_day,
        tenants=given.tenants or max(1, given.mailboxes // 10),
        polling_minutes=given.polling_minutes,
        dedicated=given.dedicated_timers,
        memory_mb=given.memory_mb,
        mail_kb=given.mail_kb,
        retention_days=given.retention_days,
    )
    sources = [f"{group}: {source}" for group, source in READ.items()]
    return "\n".join([page(plan, prices), "", f"Prices of {given.region}, read in:", *sources])


if __name__ == "__main__":
    print(main(sys.argv[1:]))
