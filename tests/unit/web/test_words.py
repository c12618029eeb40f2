"""All words of the pages stand in one place: nothing that people read is said past the catalogue."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from markupsafe import Markup

from shared.flows import person
from shared.model import reason
from shared.web.pages import render, words
from shared.web.pages.words import Catalogue, Sentence, Words
from tests.support.people import ACME_TID, ANNA, MemoryEntra
from tests.unit.web.house import ADMIN_KEY, House, make_house

JINJA = re.compile(r"{#.*?#}|{%.*?%}|{{.*?}}", re.DOTALL)
TRANSLATED = re.compile(r"{%-?\s*trans\b.*?endtrans\s*-?%}", re.DOTALL)
MACRO_OF_ATTRIBUTES = re.compile(r"^{% macro (described|wrong)\(.*$", re.MULTILINE)
READ = {"aria-label", "title", "placeholder", "alt"} | {
    f"data-{name}" for name in ["asked", "bad", "broken", "cancelled", "failed", "good", "running", "said", "searching"]
}
"""Attributes that people read, some of them when a script shows them."""

NAMES = {
    "Inbound",
    "Acme",
    "other",
    "https",
    "inbound",
    "Support",
    "PUT",
    "api",
    "mailboxes",
    "support",
    "imap",
    "smtp",
    "example",
    "com",
    "org",
    "anna",
    "ms",
}
"""Names and examples, the same in every language."""

PSEUDO = "qps"
ACCENTS = str.maketrans("aeiouyAEIOUYcnszCNSZ", "áéíóúýÁÉÍÓÚÝçñšžÇÑŠŽ")


class Visible(HTMLParser):
    """What people read of a page: texts and attributes, but not what is set apart as data or code."""

    APART = frozenset({"bdi", "code", "kbd", "time", "pre", "script", "style"})
    VOID = frozenset({"img", "input", "link", "meta", "br", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._apart: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._apart:
            self.found += [value for name, value in attrs if value and name in READ]
        if (
            tag in self.APART
            or "text" in (dict(attrs).get("class") or "").split()
            or (self._apart and tag not in self.VOID)
        ):
            self._apart.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._apart and self._apart[-1] == tag:
            self._apart.pop()

    def handle_data(self, data: str) -> None:
        if not self._apart:
            self.found.append(data)


def literal(source: str) -> list[str]:
    """Words that a template says itself."""
    bare = MACRO_OF_ATTRIBUTES.sub("", TRANSLATED.sub("", source))
    read = Visible()
    read.feed(JINJA.sub("", bare))
    texts = [
        text
        for text in read.found
        if not re.fullmatch(r"[\w.:/#-]*", text.strip()) or " " in text.strip() or text.istitle()
    ]
    found = {word for text in texts for word in re.findall(r"[A-Za-z]{2,}", text)}
    return sorted(found - NAMES)


def test_no_template_says_a_word_itself() -> None:
    said = {path.name: literal(path.read_text()) for path in sorted(words.TEMPLATES.glob("*.html"))}
    assert {name: found for name, found in said.items() if found} == {}


def test_a_word_in_a_template_would_be_found() -> None:
    assert literal("<p>Hello</p>") == ["Hello"]
    assert literal('<p>{{ _("Hello") }}</p><a title="Go on" href="/x">{% trans %}Go{% endtrans %}</a>') == ["Go", "on"]


def test_the_catalogue_holds_what_the_templates_say_and_nothing_else() -> None:
    expected = words.keys(render.environment(words.OWN))
    assert set(words.read()[words.OWN]) == set(expected), "run: python -m shared.web.pages.words"
    assert len(expected) > 600


def _shape(sentence: Sentence) -> Counter[str]:
    text = sentence if isinstance(sentence, str) else sentence[-1]
    return Counter(re.findall(r"%\(\w+\)s|<[^>]+>", text))


@pytest.mark.parametrize("language", sorted(words.read()))
def test_every_translation_has_each_sentence_and_as_many_forms_of_it(language: str) -> None:
    keys, said = words.keys(render.environment(words.OWN)), words.read()[language]
    assert {key for key in keys if key not in said} == set(), f"words/{language}.json lacks these"
    assert {key for key in keys if isinstance(said[key], str) != isinstance(keys[key], str)} == set()


@pytest.mark.parametrize("language", sorted(words.read()))
def test_every_translation_keeps_the_holes_and_tags_of_its_key(language: str) -> None:
    keys = words.keys(render.environment(words.OWN))
    for key, sentence in words.read()[language].items():
        assert _shape(sentence) == _shape(keys[key]), key


def accented(key: str) -> str:
    """The key in a language nobody speaks, its holes, tags and entities as they are."""
    parts = re.split(r"(%\(\w+\)s|<[^>]+>|&\w+;)", key)
    return "⟦" + "".join(part if place % 2 else part.translate(ACCENTS) for place, part in enumerate(parts)) + "⟧"


@pytest.fixture
def pseudo() -> Iterator[None]:
    """The pages are offered in the language nobody speaks."""
    known = words.keys(render.environment(words.OWN)).items()
    catalogue: Catalogue = {
        key: accented(said) if isinstance(said, str) else [accented(form) for form in said] for key, said in known
    }
    render.speak(PSEUDO, catalogue)
    yield
    render.fall_silent(PSEUDO)


DATA = re.compile(
    r"⟦[^⟦⟧]*⟧|\S+@\S+|INC-\d+|\d+ k?B|POP3|IMAP|Office 365|SSL/TLS|STARTTLS|Microsoft|Inbound|acme|support|"
    r"\b\w+/[\w.-]+|application/pdf|\{.*\}|\"[^\"]*\""
)
"""What stands on a page that is no sentence of ours: names of ours, addresses, numbers, sizes, types of files."""


@pytest.mark.usefixtures("pseudo")
def test_everything_that_people_read_comes_from_the_catalogue(house: House) -> None:
    outgoing = {"enabled": True, "host": "smtp.acme.example"}
    # Settings that nothing has to be said about: those sentences are made where the values are, for the API as well.
    house.mailbox(outgoing=outgoing, acknowledge=True, whitelist_enabled=True, whitelist="7.example", old_mail="closed")
    house.deliver(
        "7",
        "7",
        quoted="7",
        html="<p>7<img src='https://x.example/a.png'>",
        files=(("7.pdf", "application/pdf", b"7"),),
    )
    house.deliver("7", "7", why=reason.NOT_ON_WHITELIST)
    house.deliver("7", "7", why=reason.CONVERSION_FAILED)
    house.failed_answer(said="7")
    browser = house.browser()
    browser.headers["Accept-Language"] = f"{PSEUDO}, en;q=0.5"
    mails = [f"/mail/{mail.id}" for mail in house.world.ledger(house.acme)]
    paths = [
        "/",
        "/?q=nothing",
        "/mail",
        "/mail?outcome=pending",
        "/mailboxes",
        "/mailboxes/new",
        "/mailboxes/support",
        "/incidents/1",
        *mails,
    ]
    for path in paths:
        _is_from_the_catalogue(browser.get(path), 20)


@pytest.mark.usefixtures("pseudo")
def test_so_does_what_admins_read(house: House) -> None:
    house.world.app = replace(house.world.app, entra=MemoryEntra())
    house = make_house(house.world)
    house.client().put("/api/tenant", json={"entra_tenant_id": ACME_TID})
    person.add(house.app, "acme", ANNA.address, "agent")
    house.deliver("7", "7")
    house.clock.advance(days=3)
    stranger = house.browser()
    stranger.cookies.clear()
    admin, cloud = house.browser(), house.browser()
    cloud.post("/cloud/sign-in", data={"key": ADMIN_KEY})
    for browser in (stranger, admin, cloud):
        browser.headers["Accept-Language"] = PSEUDO
    version = unescape(re.findall(r'name="version" value="([^"]+)"', admin.get("/tenant").text)[0])
    answers = [
        stranger.get("/sign-in"),
        stranger.post("/sign-in", data={"key": "7"}),
        stranger.get("/cloud/sign-in"),
        stranger.post("/cloud/sign-in", data={"key": "7"}),
        admin.get("/tenant?done=revoked"),
        admin.get("/tenant?done=listed"),
        admin.post("/tenant/retention", data={"days": "1", "version": version}),
        admin.post("/tenant/keys", data={"role": "agent", "name": "7", "wish": "7"}),
        admin.get("/tenant/erase?begun=true"),
        admin.post("/tenant/erase", data={"address": "anna@customer.example"}),
        admin.get("/tenant/webhooks"),
        cloud.get("/cloud?deleted=acme"),
        cloud.get("/cloud/tenants/acme?done=enabled"),
        cloud.post("/cloud/tenants/acme/switch", data={"disabled": "true"}, follow_redirects=True),
    ]
    for answer in answers:
        _is_from_the_catalogue(answer, 5)


def _is_from_the_catalogue(answer: Any, at_least: int) -> None:
    """Nothing in the answer is said in plain letters, and so many texts of the catalogue are in it."""
    assert answer.headers["content-language"] == PSEUDO
    assert f'<html lang="{PSEUDO}">' in answer.text
    read = Visible()
    read.feed(answer.text)
    assert sum("⟦" in text for text in read.found) > at_least, answer.url
    rest = DATA.sub("", re.sub(r"⟦(?:[^⟦⟧]|⟦[^⟦⟧]*⟧)*⟧", "", "\n".join(read.found)))
    left = [word for word in re.findall(r"[A-Za-z]{2,}", rest) if word not in NAMES]
    assert left == [], answer.url


def test_the_first_language_that_there_is_wins_and_english_is_the_last_resort(house: House) -> None:
    render.speak("qq", {"Incidents": "Zwischenfälle"})
    try:
        browser = house.browser()
        for wish, language in (
            ("qq-AT, en", "qq"),
            ("xx, QQ;q=0.9", "qq"),
            ("xx", "en"),
            ("", "en"),
            ("," * 9000, "en"),
        ):
            answer = browser.get("/", headers={"Accept-Language": wish})
            assert answer.headers["content-language"] == language
            assert ("Zwischenfälle" in answer.text) is (language == "qq")
            assert answer.headers["vary"] == "Accept-Language"
            assert "No mailbox is connected yet" in answer.text
    finally:
        render.fall_silent("qq")


def test_what_is_put_into_a_sentence_is_escaped_and_what_comes_from_elsewhere_stays_text() -> None:
    environment = render.environment(words.OWN)
    hostile = "<script>%s%(x)s"
    page = environment.from_string(
        '{{ _("to %(people)s", people=who) }} {% trans %}{{ who }} <b>x</b>{% endtrans %} {{ who | said }}'
    )
    assert page.render(who=hostile) == "to &lt;script&gt;%s%(x)s &lt;script&gt;%s%(x)s <b>x</b> &lt;script&gt;%s%(x)s"
    assert page.render(who=Markup("<bdi>a</bdi>")).startswith("to <bdi>a</bdi>")


def test_one_and_many_have_words_of_their_own() -> None:
    said = Words({"%(num)s mail": ["%(num)s Mail", "%(num)s Mails"]})
    assert [said.ngettext("%(num)s mail", "%(num)s mails", count) for count in (0, 1, 2)] == [
        "%(num)s Mails",
        "%(num)s Mail",
        "%(num)s Mails",
    ]
    assert Words({}).ngettext("a", "b", 2) == "b"
    assert Words({}).gettext("Save") == "Save"
