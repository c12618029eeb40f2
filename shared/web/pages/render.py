"""Templates to answers, in the language of the reader. The words of all pages stand in ``words``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared.model.incident import label
from shared.web.pages import static, words
from shared.web.pages.words import Catalogue, Words


def _when(time: datetime) -> str:
    """A time for people, until the script shows it in the reader's own zone."""
    return f"{time.astimezone(UTC):%-d %b %Y, %H:%M} UTC"


def _machine(time: datetime) -> str:
    """A time for ``<time datetime>`` (RFC 3339)."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _size(size: int) -> str:
    """Bytes for people: decimal units, as file managers show them."""
    if size < 1000:
        return f"{size} B"
    for unit in ("kB", "MB", "GB"):
        shown = size / 1000 ** ("kB", "MB", "GB").index(unit) / 1000
        if shown < 999.5 or unit == "GB":
            return f"{shown:.1f} {unit}" if shown < 9.95 else f"{shown:.0f} {unit}"
    raise AssertionError("the last unit always fits")


def _environment(language: str, catalogue: Catalogue) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        # Always, whatever a template is called: strangers wrote what is shown here.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    said = Words(catalogue)
    # What stands in a template is trusted, and so is its translation; what is put into its holes is escaped.
    environment.install_gettext_callables(said.gettext, said.ngettext, newstyle=True)  # type: ignore[attr-defined]
    # A sentence that comes from elsewhere stays text: it may quote a stranger.
    environment.filters.update(when=_when, machine=_machine, size=_size, label=label, said=said.gettext)
    environment.globals.update(static=static.address, language=language)
    return environment


_LANGUAGES: dict[str, Environment] = {}


def speak(language: str, catalogue: Catalogue) -> None:
    """Offer the pages in this language (BCP 47) from now on."""
    _LANGUAGES[language] = _environment(language, catalogue)


def fall_silent(language: str) -> None:
    """Offer a language no more."""
    del _LANGUAGES[language]


for _language, _catalogue in {words.OWN: {}, **words.read()}.items():
    speak(_language, _catalogue)


def environment(language: str) -> Environment:
    """The templates in this language; in English where there is no such one."""
    return _LANGUAGES.get(language) or _LANGUAGES[words.OWN]


def language_of(request: Request) -> str:
    """The first language of the reader's browser that there is (RFC 9110, 12.5.4: browsers list them best first)."""
    for wish in request.headers.get("accept-language", "").lower()[:MAX_WISHES].split(","):
        wished = wish.partition(";")[0].strip()
        for known in (wished, wished.partition("-")[0]):
            if known in _LANGUAGES:
                return known
    return words.OWN


MAX_WISHES = 500
"""Characters of Accept-Language that are looked at; browsers send below 100."""


def _version() -> str:
    """Names what all pages look like: it changes with the templates and the static files."""
    folder = Path(__file__).parent
    files = sorted(path for name in ("templates", "static", "words") for path in (folder / name).iterdir())
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()


VERSION = _version()


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    tag: str = "",
    **values: Any,
) -> Response:
    """A template as an answer. With ``caller`` among the values it shows the navigation. ``tag``: an entity tag that
    is known without the page; else it is made of the page."""
    language = language_of(request)
    html = environment(language).get_template(template).render({"caller": None, **values}).encode()
    said = {"Content-Language": language, "Vary": "Accept-Language", **(headers or {})}
    if status != 200:
        return HTMLResponse(html, status, said)
    # The script of the lists asks again and again; mostly nothing has changed.
    tag = tag or f'"{hashlib.sha256(html).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return HTMLResponse(html, status, {"ETag": tag, **said})
