"""Brings ``en.json`` up to date: what templates say anew is added, what they say no more goes, own wording stays."""

from __future__ import annotations

import json

from shared.web.pages import render, words

if __name__ == "__main__":
    known = words.read().get(words.OWN, {})
    fresh = {key: known.get(key, sentence) for key, sentence in words.keys(render.environment(words.OWN)).items()}
    (words.FOLDER / f"{words.OWN}.json").write_text(json.dumps(fresh, indent=1, ensure_ascii=False) + "\n")
