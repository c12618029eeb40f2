"""The README is true: what it lists is what there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from shared import config
from shared.model import reason
from shared.model.mailbox import Settings

ROOT = Path(__file__).parents[2]
OUTCOMES = "|".join(reason.Outcome)
README = (ROOT / "README.md").read_text()


def reason_lines() -> list[str]:
    """The table of reasons, as the README is to have it."""
    return [f"| `{one.code}` | {one.outcome} | {one.meaning} | {one.what_to_do} |" for one in reason.ALL]


def test_every_reason_is_listed_word_for_word_and_no_other() -> None:
    listed = [line for line in README.splitlines() if re.match(rf"\| `\w+` \| ({OUTCOMES}) \|", line)]
    assert listed == reason_lines()


def test_every_setting_that_the_code_reads_is_listed() -> None:
    names = set(re.findall(r'get\(f?"([A-Za-z_]+)"', inspect.getsource(config)))
    assert {"KEY_FILE", "DEDICATED_TIMERS"} <= names
    assert {name for name in names if f"`{name}`" not in README} == set()


@pytest.mark.parametrize(
    "field", ["polling_minutes", "days_to_download", "folder", "whitelist_enabled", "whitelist", "enabled", "group"]
)
def test_mailbox_settings_are_listed_with_their_defaults(field: str) -> None:
    assert f"`{field}`" in README
    default = Settings.model_fields[field].default
    if isinstance(default, int) and not isinstance(default, bool):
        assert f"`{field}` {default}" in README.replace("\n", " ")


def test_every_endpoint_that_the_readme_names_exists() -> None:
    from shared.web.app import build
    from tests.support.app import make_app

    def plain(path: str) -> str:
        return re.sub(r"{\w+}", "{}", path)

    paths = {plain(path) for path in build(make_app().app, "").openapi()["paths"]}
    named = {plain(path) for path in re.findall(r"`(?:[A-Z]+ )+(/api/[^`?]*)", README) if "…" not in path}
    assert named
    assert named <= paths
