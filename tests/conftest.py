"""Fixtures that every kind of test may use; what cannot be had here is skipped by name, and CI forbids that."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from infra.local.azurite import Azurite
from tests.support.app import World, make_app


@pytest.fixture
def world() -> World:
    """An app in memory."""
    return make_app()


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """A real Azurite, in memory, for the tests of this worker. Tests keep apart by using tenants of their own."""
    with Azurite(None) as running:
        yield running


@pytest.fixture(scope="session")
def key_file(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The one file of the key that this Azurite is used with: another app with another key would be refused."""
    return str(tmp_path_factory.mktemp("keys") / "key")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """With FORBID_SKIPS=1 (CI), a skipped test is a failed one."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if os.environ.get("FORBID_SKIPS") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where skips are forbidden: {report.longrepr}"
