from __future__ import annotations

from hypothesis import settings

# The same examples in each run, and no clock that judges: a slow machine is no bug.
settings.register_profile("same each time", derandomize=True, deadline=None)
settings.load_profile("same each time")
