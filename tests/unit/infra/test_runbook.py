"""infra/RUNBOOK.md names what is there: alerts, events, reasons, errors, functions, queues, pictures, settings."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from shared import errors
from shared.model import reason
from shared.store.queues import QUEUES
from shared.store.tables import TABLES
from shared.web.app import build
from tests.support.app import make_app
from tests.unit.infra import sources
from tests.unit.infra.test_queries import QUERIES, emitted, functions
from tests.unit.infra.workflows import ROOT

RUNBOOK = (ROOT / "infra" / "RUNBOOK.md").read_text()
WORKBOOK = sources.read()["modules/workbook.bicep"]
ALERTS = sources.read()["modules/alerts.bicep"]


def _codes(of: type[errors.InboundError]) -> Iterator[str]:
    yield of.code
    for one in of.__subclasses__():
        yield from _codes(one)


def known() -> dict[str, set[str]]:
    """What there is, by what the runbook calls it."""
    return {
        "alert": set(re.findall(r"    name: '([a-z-]+)'\n    title", ALERTS)),
        "event": set(emitted()),
        "reason": set(reason.BY_CODE),
        "error": set(_codes(errors.InboundError)),
        "function": functions(),
        "queue": set(QUEUES),
        "table": {*TABLES, "traces"},
    }


def problems(text: str) -> list[str]:
    """Names that nothing has."""
    flat = " ".join(text.split())
    found = []
    for kind, names in known().items():
        said = set(re.findall(rf"(?i)\b{kind}s? `([a-z_-]+)`", flat))
        found += [f"no {kind} {name!r}" for name in sorted(said - names)]
    pictures = set(re.findall(r"title: '([^']+)'", WORKBOOK))
    listed = re.findall(r"\*\*Look\*\* at (.*?)(?: - \*\*|###)", flat)
    for name in {one for text_ in listed for one in re.findall(r'"([A-Z][^"]+)"', text_)}:
        if not any(picture.startswith(name) for picture in pictures):
            found.append(f"no picture {name!r}")
    return found


def test_everything_that_it_names_exists() -> None:
    assert problems(RUNBOOK) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("alert `poison`", "alert `poisoned`", "no alert 'poisoned'"),
        ("event `swept`", "event `sweeped`", "no event 'sweeped'"),
        ("Event `swept`", "Event `sweeped`", "no event 'sweeped'"),
        ("reason `own_mail`", "reason `our_mail`", "no reason 'our_mail'"),
        ("error `throttled`", "error `slowed`", "no error 'slowed'"),
        ("function `rescue`", "function `help`", "no function 'help'"),
        ('"Mails out, by state"', '"Mails going out"', "no picture 'Mails going out'"),
    ],
)
def test_a_wrong_name_is_found(old: str, new: str, said: str) -> None:
    text = RUNBOOK.replace(old, new) if old in RUNBOOK else RUNBOOK.replace(old.capitalize(), new.capitalize())
    assert text != RUNBOOK
    assert said in problems(text)


def test_every_alert_has_its_place_in_it() -> None:
    assert {name for name in known()["alert"] if f"alert `{name}`" not in RUNBOOK} == set()


def test_there_are_fifteen_symptoms_each_with_where_to_look_or_what_to_do() -> None:
    sections = re.split(r"(?m)^### ", RUNBOOK)[1:]
    assert [int(one.partition(".")[0]) for one in sections] == list(range(1, 16))
    assert all("**Do**" in one or "**A tenant**" in one for one in sections)


def test_its_query_begins_as_ours_do() -> None:
    ours = re.sub(r"(?m)^//.*\n", "", QUERIES["modules/queries/events.kql"]).strip()
    assert ours in RUNBOOK


def test_endpoints_parameters_and_links_that_it_names_exist() -> None:
    def plain(path: str) -> str:
        return re.sub(r"{\w+}|\?.*", "", path)

    paths = {plain(path) for path in build(make_app().app, "").openapi()["paths"]}
    named = {plain(path) for path in re.findall(r"(?:GET|POST|DELETE)\s+(/api/[^`\s]*)", RUNBOOK)}
    assert len(named) > 5
    assert named <= paths
    main = (ROOT / "infra" / "main.bicep").read_text()
    assert {
        name for name in ("alertEmails", "dedicatedTimers", "dailyLogCapGb") if f"param {name} " not in main
    } == set()
    assert (ROOT / ".github" / "scripts" / "sync_triggers.sh").exists()
    for page in ("README.md", "infra/README.md"):
        assert "RUNBOOK.md" in (ROOT / page).read_text()
