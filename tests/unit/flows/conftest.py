from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.app import World, make_app


@pytest.fixture
def world() -> World:
    """An app in memory whose clock, like every real one, does not stand on a whole millisecond."""
    made = make_app()
    made.clock.now += timedelta(microseconds=750_250)
    return made
