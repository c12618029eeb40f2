"""axe-core, as package-lock.json pins it, run on a page that a browser shows."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page

HERE = Path(__file__).parent

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def script() -> str:
    """The text of axe-core; skips the test, by name, where it cannot be installed."""
    if shutil.which("npm") is None:
        pytest.skip("axe-core needs Node.js: apt-get install nodejs npm")
    installed = subprocess.run([HERE / "install.sh"], capture_output=True, text=True, timeout=120)
    if installed.returncode:
        pytest.skip(f"axe-core is not installed (npm must reach its registry): {installed.stderr}")
    return (HERE / "node_modules" / "axe-core" / "axe.min.js").read_text()


def findings(page: Page, text: str) -> list[str]:
    """What axe-core finds wrong on the page: rule and element, one per line."""
    # Evaluated by the debugger, which the page's policy does not bind.
    page.evaluate(text)
    found = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS)
    return [
        f"{one['id']}: {node['html'][:150]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
