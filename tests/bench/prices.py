"""What Azure asks, in US dollars: list prices of a region, each with where and when it was read.

The prices of another region, or your own: ``--price table_requests=0.000000036`` (as often as needed).
"""

from __future__ import annotations

from dataclasses import dataclass

READ = {
    "functions": "azure.microsoft.com/pricing/details/functions; meters of prices.azure.com as others read them 2026-09",
    "storage": "azure.microsoft.com/pricing/details/storage/{tables,queues,blobs}; LRS; read second-hand 2026-09",
    "logs": "azure.microsoft.com/pricing/details/monitor; read second-hand 2026-07 to 2026-09",
}
"""Sources by group. None was asked by us: this machine reaches no price list."""


@dataclass(frozen=True)
class Price:
    """``each``: dollars for one. ``free``: so many a month cost nothing. ``unsure``: only remembered, not read."""

    each: float
    what: str
    source: str
    free: float = 0.0
    unsure: bool = False


EAST_US_2 = {
    "gb_seconds": Price(0.000026, "a GB-second, on demand", "functions", 100_000),
    "executions": Price(0.40e-6, "an execution", "functions", 250_000),
    "ready_gb_seconds": Price(0.000004, "a GB-second of an instance that is always ready", "functions"),
    "table_requests": Price(0.00036e-4, "a request to tables", "storage"),
    "queue_requests": Price(0.004e-4, "a request to queues", "storage", unsure=True),
    "blob_writes": Price(0.05e-4, "a write of a blob", "storage"),
    "blob_requests": Price(0.004e-4, "any other request to blobs", "storage"),
    "blob_gb": Price(0.0184, "a GB of blobs for a month", "storage"),
    "table_gb": Price(0.045, "a GB of tables for a month", "storage"),
    "log_gb": Price(2.30, "a GB of logs taken in", "logs", 5),
    "alerts_5_minutes": Price(1.50, "an alert rule every 5 minutes, a month", "logs"),
    "alerts_15_minutes": Price(0.50, "an alert rule every 15 minutes or more seldom, a month", "logs"),
    "health_tests": Price(0.0005, "a run of the availability test", "logs"),
}

REGIONS = {"eastus2": EAST_US_2}
