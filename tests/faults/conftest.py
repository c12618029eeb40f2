"""Storage of their own: these tests use their own key, and read the queues that other tests fill."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.local.azurite import Azurite


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """An Azurite that only the tests of this folder use."""
    with Azurite(None) as running:
        yield running
