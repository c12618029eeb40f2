"""Brings ``en.json`` up to date: what templates say anew is added, what they say no more goes, own wording stays. From
translations goes what is said no more; what they lack is named, to be translated by a person."""

from __future__ import annotations

import json
import sys

from shared.web.pages import render, words

if __name__ == "__main__":
    keys = words.keys(render.environment(words.OWN))
    for language, known in {words.OWN: {}, **words.read()}.items():
        own = keys if language == words.OWN else {}
        fresh = {key: known.get(key, own.get(key)) for key in keys if key in known or key in own}
        (words.FOLDER / f"{language}.json").write_text(json.dumps(fresh, indent=1, ensure_ascii=False) + "\n")
        for key in keys:
            if key not in fresh:
                sys.stderr.write(f"{language}.json lacks: {key}\n")
