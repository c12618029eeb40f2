from __future__ import annotations

import pytest

from tests.support.app import World
from tests.unit.web.house import House, make_house


@pytest.fixture
def house(world: World) -> House:
    """A desk in memory, nothing in it but two tenants."""
    return make_house(world)
