"""WCAG 2.2 AA (1.4.3): 4.5:1 for text, computed from the style sheet in both schemes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.web.pages import static

CSS = (Path(static.__file__).parent / "static" / "style.css").read_text()

PAIRS = [
    *((text, ground) for text in ("text", "soft", "accent") for ground in ("ground", "surface", "hover")),
    ("text", "warn-ground"),
    ("soft", "warn-ground"),
    ("accent", "warn-ground"),
    ("warn", "surface"),
    ("accent-text", "accent"),
    ("good", "good-ground"),
    ("warn", "warn-ground"),
    ("bad", "bad-ground"),
    ("calm", "calm-ground"),
    ("text", "calm-ground"),
    ("blue", "blue-ground"),
    ("text", "blue-ground"),
]


def _palette(scheme: str) -> dict[str, str]:
    light, _, dark = CSS.partition("@media (prefers-color-scheme: dark)")
    block = light if scheme == "light" else dark
    return dict(re.findall(r"--([a-z-]+): #([0-9a-f]{6});", block))


def _luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: " on ".join(pair))
def test_text_is_legible(scheme: str, pair: tuple[str, str]) -> None:
    palette = _palette(scheme)
    lighter, darker = sorted((_luminance(palette[name]) for name in pair), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5
