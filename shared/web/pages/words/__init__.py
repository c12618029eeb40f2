"""The words of the pages in one place: ``en.json`` holds each sentence that a template shows, as it is shown.

Templates hold the sentence as its key (``_("Save")``, ``{% trans %}``), so that they can be read; change ``en.json`` to
word something otherwise, or put a translation beside it (``de.json``: the same keys) to offer another language.
``python -m shared.web.pages.words`` brings ``en.json`` up to date with the templates; a test finds when it is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from jinja2 import Environment

from shared.model import reason
from shared.model.incident import MARKS
from shared.web import surprises, troubles

FOLDER = Path(__file__).parent
TEMPLATES = FOLDER.parent / "templates"

OWN = "en"
"""The language of the keys."""

Sentence = str | list[str]
"""A list holds two forms: for one thing, and for any other number."""

Catalogue = Mapping[str, Sentence]


class Words:
    """The words of one language. What a catalogue does not have is shown as its key."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def gettext(self, key: str) -> str:
        """One sentence."""
        found = self._catalogue.get(key, key)
        return found if isinstance(found, str) else found[0]

    def ngettext(self, one: str, many: str, count: int) -> str:
        """One sentence for this many things."""
        found = self._catalogue.get(one, [one, many])
        forms = [found, found] if isinstance(found, str) else found
        return forms[0] if count == 1 else forms[1]


def read() -> dict[str, Catalogue]:
    """All catalogues by language (BCP 47)."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def keys(environment: Environment) -> dict[str, Sentence]:
    """All sentences that templates show, each with its own words, in the order of the alphabet."""
    found: dict[str, Sentence] = {text: text for text in said_elsewhere()}
    for path in sorted(TEMPLATES.glob("*.html")):
        for _, function, message in environment.extract_translations(path.read_text()):  # type: ignore[attr-defined]
            # Besides the sentences, Jinja lists what is put into their holes, as None.
            one, *more = message if isinstance(message, tuple) else (message,)
            if function == "ngettext":
                found[one] = [one, more[0]]
            else:
                found.setdefault(one, one)
    return dict(sorted(found.items()))


def said_elsewhere() -> Iterable[str]:
    """Sentences made elsewhere, for the API as well, that pages show word for word (the filter ``said``)."""
    yield from MARKS.values()
    yield from surprises.FIXED
    for trouble in troubles.ON_PAGES:
        yield from (trouble.detail, trouble.fix)
    for one in reason.ALL:
        yield from (one.meaning, one.what_to_do, one.code.replace("_", " ").capitalize())
